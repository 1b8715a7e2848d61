"""The plugin for Krita: unpacked into the resource folder, and switched on in the settings."""

from __future__ import annotations

import io
import os
import shutil
import sys
import zipfile
from pathlib import Path

from limner import plugins
from limner_wire.errors import ErrorCode, LimnerError

NAME = "limner_krita"
SWITCH = f"enable_{NAME}"


def install(to: Path | None) -> list[str]:
    """Put it in place; what to say about it.

    Args:
        to: a resource folder other than the user's own; then nothing is switched on.

    Raises:
        LimnerError: UNWRITABLE if a file can't be written.
    """
    folder = to or krita_folder()
    _unpack(plugins.krita(), folder)
    settings = krita_settings()
    if to is None:
        _write(settings, switched_on(_read(settings)))
        do = "Restart Krita, and show the docker: Settings ▸ Dockers ▸ Limner."
    else:
        do = "Switch it on: Settings ▸ Configure Krita ▸ Python Plugin Manager ▸ Limner."
    return [f"The plugin is in {folder / 'pykrita' / NAME}.", do]


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
