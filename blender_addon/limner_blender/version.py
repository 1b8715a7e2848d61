"""Which Limner extension this is."""

VERSION = "0.1.0"
