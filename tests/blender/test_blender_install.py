"""`limner install blender`: Blender takes the extension, or it is said why not and what to do."""

from __future__ import annotations

import json
import os
import shlex
import zipfile
from pathlib import Path
from typing import Any

import pytest

from limner import plugins
from limner.cli import install_blender as cli
from limner.cli.app import run

INSIDE = Path(__file__).parent / "inside"
posix = pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for Blender")
PLACES = ("XDG_CONFIG_HOME", "APPDATA", "PROGRAMFILES")
TAKEN = 'STATUS Installed "limner"'
UNLOADED = 'Add-on not loaded: "bl_ext.user_default.limner", cause: x'
FALLEN = "Exception in module register(): /x/limner/__init__.py"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has nothing yet, on a system without Blender."""
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "data"))
    return tmp_path


def program(home: Path, version: str, says: str = TAKEN) -> Path:
    """A Blender on the PATH that answers so to all that it is asked, which it writes down."""
    file = home / "bin" / "blender"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"#!/bin/sh\nPATH=/bin:/usr/bin\nif [ $1 = --version ]; then echo 'Blender {version}';"
        f' else echo "$@" > {home}/asked; cp "$7" {home}/given.zip; echo \'{says}\'; fi\n'
    )
    file.chmod(0o755)
    return file


@posix
def test_real_blender_takes_it(blender: Any, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By the code that `blender --command extension` runs, which the module carries."""
    script, own = home / "blender.sh", home / "blender"
    words = shlex.join([str(blender.python), str(INSIDE / "as_program.py")])
    script.write_text(f'#!/bin/sh\nBLENDER_USER_RESOURCES={shlex.quote(str(own))} {words} "$@"\n')
    script.chmod(0o755)
    assert run(["install", "blender", "--program", str(script)]) == 0, capfd.readouterr().err
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("Blender ") and said[0].endswith(" has the extension, switched on.")
    there = own / "extensions" / "user_default" / "limner"
    assert (there / "blender_manifest.toml").is_file()
    [wire] = own.glob("extensions/.local/lib/python*/site-packages/limner_wire/session.py")
    assert run(["install", "blender", "--program", str(script)]) == 0  # again: the same
    assert wire.is_file()


@posix
def test_the_one_on_the_path_is_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(home, "4.3.2", "noise\n" + TAKEN)
    for version in ("4.2", "4.3", "5.0", "config"):
        (home / ".config" / "blender" / version).mkdir(parents=True)
    assert run(["install", "blender"]) == 0
    asked = (home / "asked").read_text().split()
    assert asked[:5] == ["--command", "extension", "install-file", "-r", "user_default"]
    assert (home / "given.zip").read_bytes() == plugins.blender()
    said = capsys.readouterr().out
    assert "Blender 4.3 has the extension" in said and "Into Blender 5.0 too?" in said
    saved = json.loads((home / "data" / "blender.json").read_text())
    assert Path(saved["limner"]).name.startswith("limner")


@posix
@pytest.mark.parametrize(
    ("version", "says", "told"),
    [
        ("4.2.9", TAKEN, "needs Blender 4.3 or newer"),
        ("3.6.0", TAKEN, "needs Blender 4.3 or newer"),
        ("one", TAKEN, "is no Blender"),
        ("4.5.1", "ERROR Error extracting archive: File is not a zip file", "not a zip file"),
        ("4.5.1", "", "it said nothing"),
        ("4.5.1", f"{UNLOADED}\n{TAKEN}", "cause: x"),
        ("4.5.1", f"{FALLEN}\n{TAKEN}", "in module register"),
    ],
)
def test_what_goes_wrong_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], version: str, says: str, told: str
) -> None:
    program(home, version, says)
    assert run(["install", "blender"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert told in line
    assert not (home / "data").exists()  # and nothing is remembered


@posix
def test_another_addon_that_fails_is_none_of_ours(home: Path) -> None:
    broken = "Exception in module register(): /usr/share/blender/bl_pkg/__init__.py"
    program(home, "5.2.2 LTS", f"{broken}\n{TAKEN}")
    assert run(["install", "blender"]) == 0


def test_a_program_that_is_none_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install", "blender", "--program", str(home / "gone")]) == 2
    assert "can't be run: No such file" in capsys.readouterr().err
    assert run(["install", "krita", "--program", str(home / "gone")]) == 2
    assert "--to" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["", "elsewhere"])
def test_without_a_program_the_file_is_left_to_be_dropped_in(
    home: Path, capsys: pytest.CaptureFixture[str], to: str
) -> None:
    (home / ".config" / "blender" / "4.2").mkdir(parents=True)
    asked = ["--to", str(home / to)] if to else []
    assert run(["install", "blender", *asked]) == 0
    file = home / (to or "data") / plugins.BLENDER
    said = capsys.readouterr().out
    assert str(file) in said and "Install from Disk" in said and "4.2: that is too old" in said
    assert "blender_manifest.toml" in zipfile.ZipFile(file).namelist()
    assert (home / "data" / "blender.json").is_file()


def test_a_folder_that_is_none_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "file").touch()
    assert run(["install", "blender", "--to", str(home / "file" / "x")]) == 2
    assert "--to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("platform", "settings", "program"),
    [
        ("linux", ".config/blender", None),
        ("darwin", "Library/Application Support/Blender", None),
        (
            "win32",
            "AppData/Roaming/Blender Foundation/Blender",
            "Blender Foundation/Blender 4.10/blender.exe",
        ),
    ],
)
def test_each_system_has_its_places(
    home: Path, monkeypatch: pytest.MonkeyPatch, platform: str, settings: str, program: str | None
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert cli.blender_folder() == home / settings and cli.user_versions() == []
    for version in ("4.10", "4.5", "4.5.1", "scripts"):
        (home / settings / version).mkdir(parents=True)
    assert cli.user_versions() == [(4, 5), (4, 10)]
    monkeypatch.setenv("PROGRAMFILES", str(home))
    for version in ("4.10", "4.9"):
        file = home / "Blender Foundation" / f"Blender {version}" / "blender.exe"
        file.parent.mkdir(parents=True)
        file.touch()
    if platform != "darwin" or not Path("/Applications").exists():
        assert cli.find() == (str(home / program) if program else "")
