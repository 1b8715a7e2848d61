"""`limner install`: puts a plugin where its program looks for plugins, and switches it on."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from limner.cli import install_blender, install_krita
from limner_front import settings
from limner_wire.errors import ErrorCode, LimnerError


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(install)


def install(
    host: Annotated[str, typer.Argument(metavar="krita|blender", show_default=False)],
    to: Annotated[
        Path | None,
        typer.Option(
            help="Krita’s resource folder, if it is elsewhere; for Blender, put the extension’s "
            "file there, to be installed by hand."
        ),
    ] = None,
    program: Annotated[
        Path | None, typer.Option(help="The Blender to install into, if there are several.")
    ] = None,
) -> int:
    """Put the plugin into Krita or Blender and switch it on. Restart that program afterwards."""
    if host == "krita":
        if program is not None:
            raise LimnerError(ErrorCode.BAD_INPUT, "--program is for Blender.", "For Krita: --to")
        said = install_krita.install(to)
    elif host == "blender":
        said = install_blender.install(to, program)
    else:
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"There is no plugin for {host!r}.", "krita or blender"
        )
    _remember(host)
    for line in said:
        typer.echo(line)
    return 0


def _remember(host: str) -> None:
    """Where this `limner` is, for the plugin's button “Start backend”."""
    try:
        settings.write(f"{host}.json", {"limner": program_path()})
    except OSError as problem:
        raise LimnerError(
            ErrorCode.UNWRITABLE,
            f"{problem.filename} can't be written: {problem.strerror or problem}.",
        ) from problem


def program_path() -> str:
    """The `limner` that runs, or the one beside this Python; nothing if there is none."""
    beside = Path(sys.executable).with_name("limner.exe" if os.name == "nt" else "limner")
    called = Path(sys.argv[0])
    if called.name.startswith("limner") and called.is_file():
        return str(called.absolute())
    return str(beside) if beside.is_file() else shutil.which("limner") or ""
