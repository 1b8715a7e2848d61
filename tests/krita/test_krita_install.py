"""`limner install krita`, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limner.cli import install_krita as cli
from limner.cli.app import run
from limner_front import program
from limner_krita import settings

RC = "theme=dark\n[General]\nshowSplash=false\n\n[python]\nenable_other=true\n\n[tail]\na=1\n"


@pytest.fixture
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "share"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    return folder


def test_the_plugin_is_put_in_place_and_switched_on(home: Path) -> None:
    rc = home / "config" / "kritarc"
    rc.parent.mkdir()
    rc.write_text(RC)
    old = home / "share/krita/pykrita/limner_krita/gone.py"
    old.parent.mkdir(parents=True)
    old.touch()
    (home / "krita.json").write_text('{"longest_px": 512}')
    assert run(["install", "krita"]) == 0
    assert run(["install", "krita"]) == 0  # again: the same
    pykrita = home / "share/krita/pykrita"
    assert (pykrita / "limner_krita.desktop").is_file() and not old.exists()
    assert (pykrita / "limner_krita/vendor/limner_wire/session.py").is_file()
    assert (home / "share/krita/actions/limner_krita.action").is_file()
    assert rc.read_text() == RC.replace("[python]\n", "[python]\nenable_limner_krita=true\n")
    saved = json.loads((home / "krita.json").read_text())
    assert saved["longest_px"] == 512 and Path(saved["limner"]).name.startswith("limner")
    assert program.find(settings.load().limner) == saved["limner"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[python]\nenable_limner_krita=true\n"),
        ("[a]\nb=1\n", "[a]\nb=1\n\n[python]\nenable_limner_krita=true\n"),
        ("[python]\nenable_limner_krita=false\n", "[python]\nenable_limner_krita=true\n"),
        ("[python]\nx=1\n[z]\nenable_limner_krita=false", None),
    ],
)
def test_the_switch_is_all_that_changes(before: str, after: str | None) -> None:
    after = after or "[python]\nenable_limner_krita=true\nx=1\n[z]\nenable_limner_krita=false\n"
    assert cli.switched_on(before) == after and cli.switched_on(after) == after


def test_elsewhere_nothing_is_switched(home: Path) -> None:
    assert run(["install", "krita", "--to", str(home / "portable")]) == 0
    assert (home / "portable/pykrita/limner_krita/__init__.py").is_file()
    assert not (home / "config").exists()


def test_what_can_not_be_done_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install", "gimp"]) == 2
    (home / "file").touch()
    assert run(["install", "krita", "--to", str(home / "file" / "x")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(
    ("platform", "folder", "rc"),
    [
        ("win32", "AppData/Roaming/krita", "AppData/Local/kritarc"),
        ("darwin", "Library/Application Support/krita", "Library/Preferences/kritarc"),
        ("linux", ".local/share/krita", ".config/kritarc"),
    ],
)
def test_each_system_has_its_places(
    platform: str, folder: str, rc: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    assert cli.krita_folder() == tmp_path / folder and cli.krita_settings() == tmp_path / rc


def test_what_only_krita_remembers_may_be_wrong_too(folder: Path) -> None:
    (folder / "krita.json").write_text('{"forms": {"a": 1, "b": {"ink": 2}}, "sources": []}')
    loaded = settings.load()
    assert loaded.forms == {"b": {"ink": 2}} and loaded.sources == {}
