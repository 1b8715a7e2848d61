"""The whole program, for typer to write `docs/options.md` from (`make docs`)."""

from limner.cli.app import COMMANDS, build

app = build(COMMANDS)
