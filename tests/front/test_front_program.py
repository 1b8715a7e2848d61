"""The program `limner`: found, given a clean environment, and told about without secrets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from limner_front import program
from limner_wire import messages as m


def test_the_saved_program_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = folder / "ours", folder / program.PROGRAM
    for file in (ours, other):
        file.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert program.find(str(ours)) == str(ours)
    assert program.find(str(folder / "gone")) == program.find("") == str(other)
    monkeypatch.setenv("PATH", str(folder / "empty"))
    assert program.find("") == ""


def test_the_environment_is_the_artists(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "OF_HOST", "OF_ARTIST", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("APPDIR", raising=False)
    given = program.environment(["OF_HOST", "NEVER_SET"])
    assert not {"PYTHONHOME", "PYTHONPATH", "OF_HOST"} & set(given)
    assert (given["OF_ARTIST"], given["LD_LIBRARY_PATH"], given["PYTHONUNBUFFERED"]) == (
        "x",
        "x",
        "1",
    )
    assert os.environ["OF_HOST"] == "x"  # the host keeps its own
    monkeypatch.setenv("APPDIR", "/tmp/.mount")  # noqa: S108 (an AppImage's)
    assert "LD_LIBRARY_PATH" not in program.environment([])


def test_secrets_are_not_told(folder: Path) -> None:
    (folder / "token").write_text("T0PSECRET\n")
    said = program.without_secrets(
        'page http://x/#ticket=abc&a=1 "token: q" session = r and T0PSECRET.'
    )
    assert said == 'page http://x/#ticket=…&a=1 "token: …" session = … and ….'


def test_diagnostics_tell_what_helps_and_no_secret(folder: Path) -> None:
    (folder / "token").write_text("T0PSECRET")
    welcome = m.Welcome(1, "limner/9.9", "KEY", {}, (), ({"name": "starter"},), ("cpu",))
    text = program.diagnostics(
        [("Limner for X", "0.1")],
        line="lost T0PSECRET",
        url="http://127.0.0.1:7411/",
        welcome=welcome,
        program="/bin/limner",
        errors=["ticket=abc"],
        log=[f"line {n}" for n in range(100)],
    )
    assert text.startswith("Limner for X: 0.1\nPython: " + sys.version.split()[0])
    for row in ("Backend: limner/9.9", "Devices: cpu", "Models: starter", "Key file: there"):
        assert row in text.splitlines()
    assert not any(secret in text for secret in ("T0PSECRET", "abc", "KEY"))
    assert "line 99" in text and "line 39" not in text  # the last sixty
    assert f"Data folder: {folder}" in text


def test_diagnostics_of_nothing_say_so(folder: Path) -> None:
    text = program.diagnostics(
        [], line="absent", url="", welcome=None, program="", errors=[], log=[]
    )
    for row in (
        "Backend at: nowhere",
        "Backend: not heard",
        "Key file: none",
        "Program: not found",
    ):
        assert row in text.splitlines()
    assert "Last errors:\nnone" in text and "Backend's log:\nnot started from here" in text
