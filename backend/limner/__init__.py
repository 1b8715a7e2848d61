"""Limner: text-guided drawing and image making, live, in the programs where artists work."""

__version__ = "0.1.0"
