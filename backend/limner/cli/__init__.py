"""The command line. Each command is a client of the same session as every other front end."""

from limner.cli.app import main

__all__ = ["main"]
