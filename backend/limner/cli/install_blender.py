"""The extension for Blender: Blender itself installs it, by its own command line.

Only Blender knows how its preferences and its store of wheels are written. Where no Blender is
found as a program, the extension's file is left for the artist, who drops it into the window.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from limner import plugins
from limner_wire import place
from limner_wire.errors import ErrorCode, LimnerError

Version = tuple[int, int]

LEAST: Version = (4, 3)  # the first with today's Grease Pencil
REPOSITORY = "user_default"  # of extensions, that every Blender has
PATIENCE_S = 120.0
INSTALLED = re.compile(r'\bR?e?[Ii]nstalled "limner"')
WRONG = re.compile(
    r"^(?:ERROR |Error: |Add-on not loaded: |Exception in module register\(\): .*\blimner\b).*$",
    re.MULTILINE,
)
BY_HAND = (
    "In Blender {least} or newer: drag that file into the window, or take it by Edit ▸ "
    "Preferences ▸ Get Extensions ▸ ⌄ ▸ Install from Disk…"
)


def install(to: Path | None, program: Path | None) -> list[str]:
    """Have Blender install it and switch it on; what to say about it.

    Args:
        to: a folder to put the extension's file into, and do no more.
        program: the Blender, if not the one that is found.

    Raises:
        LimnerError: BAD_INPUT if it is no Blender, or too old a one; UNWRITABLE if the file can't
            be written; INTERNAL if Blender does not take it.
    """
    blender = str(program) if program is not None else "" if to is not None else find()
    if not blender:
        return _leave(to or place.data_folder())
    version = version_of(blender)
    if version < LEAST:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            f"Limner needs Blender {_text(LEAST)} or newer; {blender} is {_text(version)}.",
            "Name a newer one: --program",
        )
    with tempfile.TemporaryDirectory() as folder:
        _hand_over(blender, _written(Path(folder)))
    said = [
        f"Blender {_text(version)} has the extension, switched on.",
        "Restart Blender if it is open. Limner is in the sidebar of the 3D viewport: press N.",
    ]
    others = ", ".join(_text(v) for v in user_versions() if v >= LEAST and v != version)
    if others:
        said.append(f"Into Blender {others} too? Name that program: --program")
    return said


def find() -> str:
    """The Blender on the PATH, else the newest where each system puts it; nothing if none."""
    if found := shutil.which("blender"):
        return found
    if sys.platform == "win32":
        root = Path(os.environ.get("PROGRAMFILES") or "C:/Program Files") / "Blender Foundation"
        there = list(root.glob("Blender */blender.exe"))
    elif sys.platform == "darwin":
        there = list(Path("/Applications").glob("Blender*.app/Contents/MacOS/Blender"))
    else:
        there = list[Path]()
    return str(max(there, key=lambda path: _numbers(str(path)), default=""))


def user_versions() -> list[Version]:
    """The Blenders that this user has run, by their folders of settings, the oldest first."""
    folder = blender_folder()
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(_numbers(name) for name in names if re.fullmatch(r"\d+\.\d+", name))


def blender_folder() -> Path:
    """The user's folder of settings, with one inside for each version, as each system has it."""
    home = Path.home()
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
        return roaming / "Blender Foundation" / "Blender"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "Blender"
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "blender"


def version_of(blender: str) -> Version:
    """Which Blender it is.

    Raises:
        LimnerError: BAD_INPUT if it is none, or can't be started.
    """
    said = re.search(r"^Blender (\d+\.\d+)", _run(blender, "--version"), re.MULTILINE)
    if said is None:
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"{blender} is no Blender.", "Name the program: --program"
        )
    return _numbers(said[1])


def _hand_over(blender: str, file: Path) -> None:
    """Blender's exit code is 0 whatever happens: what it says counts."""
    asked = ["--command", "extension", "install-file", "-r", REPOSITORY, "--enable", str(file)]
    said = _run(blender, *asked)
    wrong = WRONG.findall(said)
    if not INSTALLED.search(said) or wrong:
        last = wrong or [line for line in said.splitlines() if line.strip()] or ["it said nothing"]
        raise LimnerError(
            ErrorCode.INTERNAL,
            f"Blender did not take the extension: {last[-1].strip()}",
            f"By hand: limner install blender --to FOLDER. {BY_HAND.format(least=_text(LEAST))}",
        )


def _run(blender: str, *asked: str) -> str:
    """All that Blender says."""
    try:
        done = subprocess.run(  # noqa: S603
            [blender, *asked],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        why = getattr(problem, "strerror", None) or f"no answer in {PATIENCE_S:.0f} s"
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"{blender} can't be run: {why}.", "Name the program: --program"
        ) from problem
    return done.stdout


def _leave(folder: Path) -> list[str]:
    said = [f"The extension is in {_written(folder)}.", BY_HAND.format(least=_text(LEAST))]
    have = user_versions()
    if have and have[-1] < LEAST:
        said.append(f"The newest Blender that was run here is {_text(have[-1])}: that is too old.")
    return said


def _written(folder: Path) -> Path:
    file = folder / plugins.BLENDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(plugins.blender())
    except OSError as problem:
        raise LimnerError(
            ErrorCode.UNWRITABLE,
            f"{file} can't be written: {problem.strerror or problem}.",
            "Name another folder: --to",
        ) from problem
    return file


def _numbers(text: str) -> Version:
    """The first number of the kind x.y in a text; (0, 0) if there is none."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _text(version: Version) -> str:
    return ".".join(map(str, version))
