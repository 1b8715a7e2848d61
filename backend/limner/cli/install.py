"""`limner install`: puts a plugin where its program looks for plugins, and switches it on."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Annotated

import typer

from limner import plugins
from limner_wire import place
from limner_wire.errors import ErrorCode, LimnerError

NAME = "limner_krita"
SWITCH = f"enable_{NAME}"


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(install)


def install(
    program: Annotated[str, typer.Argument(help="krita")],
    to: Annotated[
        Path | None, typer.Option(help="Krita's resource folder, if it is elsewhere")
    ] = None,
) -> int:
    """Put the plugin into Krita and switch it on. Restart Krita afterwards."""
    if program != "krita":
        raise LimnerError(ErrorCode.BAD_INPUT, f"There is no plugin for {program!r}.", "krita")
    folder = to or krita_folder()
    _unpack(plugins.krita(), folder)
    settings = krita_settings()
    if to is None:
        _write(settings, switched_on(_read(settings)))
    _remember()
    typer.echo(f"The plugin is in {folder / 'pykrita' / NAME}.")
    if to is None:
        typer.echo("Restart Krita, and show the docker: Settings ▸ Dockers ▸ Limner.")
    else:
        typer.echo("Switch it on: Settings ▸ Configure Krita ▸ Python Plugin Manager ▸ Limner.")
    return 0


def krita_folder() -> Path:
    """The user's resource folder of Krita, as each system has it."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming") / "krita"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "krita"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "krita"


def krita_settings() -> Path:
    """The file of Krita's settings."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "kritarc"
    if sys.platform == "darwin":
        return home / "Library" / "Preferences" / "kritarc"
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "kritarc"


def switched_on(text: str) -> str:
    """Krita's settings with the plugin switched on, and nothing else changed."""
    lines = text.splitlines()
    begin = next((i for i, line in enumerate(lines) if line.strip() == "[python]"), None)
    if begin is None:
        gap = [""] if lines and lines[-1].strip() else []
        return "\n".join([*lines, *gap, "[python]", f"{SWITCH}=true"]) + "\n"
    end = next((i for i in range(begin + 1, len(lines)) if lines[i].startswith("[")), len(lines))
    inside = [line for line in lines[begin + 1 : end] if line.partition("=")[0].strip() != SWITCH]
    out = [*lines[: begin + 1], f"{SWITCH}=true", *inside, *lines[end:]]
    return "\n".join(out) + "\n"


def _unpack(data: bytes, folder: Path) -> None:
    """As Krita's own importer: the old plugin goes, the new one takes its place."""
    place_of = {f"{NAME}.action": folder / "actions"}
    pykrita = folder / "pykrita"
    try:
        shutil.rmtree(pykrita / NAME, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                target = place_of.get(name, pykrita)
                target.mkdir(parents=True, exist_ok=True)
                archive.extract(name, target)
    except OSError as problem:
        raise LimnerError(
            ErrorCode.UNWRITABLE,
            f"The plugin can't be written to {folder}: {problem.strerror or problem}.",
            "Name another folder: --to",
        ) from problem


def _remember() -> None:
    """Where this `limner` is, for the docker's button “Start backend”."""
    file = place.data_folder() / "krita.json"
    try:
        found = dict(json.loads(_read(file)))
    except ValueError:
        found = {}  # nothing remembered yet, or nothing that can be read
    _write(file, json.dumps({**found, "limner": program_path()}, ensure_ascii=False, indent=1))


def program_path() -> str:
    """The `limner` that runs, or the one beside this Python; nothing if there is none."""
    beside = Path(sys.executable).with_name("limner.exe" if os.name == "nt" else "limner")
    called = Path(sys.argv[0])
    if called.name.startswith("limner") and called.is_file():
        return str(called.absolute())
    return str(beside) if beside.is_file() else shutil.which("limner") or ""


def _read(file: Path) -> str:
    return file.read_text("utf-8") if file.is_file() else ""


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.limner")
        part.write_text(text, "utf-8")
        part.replace(file)
    except OSError as problem:
        raise LimnerError(
            ErrorCode.UNWRITABLE, f"{file} can't be written: {problem.strerror or problem}."
        ) from problem
