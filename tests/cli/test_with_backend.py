"""The command line beside a backend that runs: a real `limner serve` with its real worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from limner.cli.app import run
from limner.vector.svg import read_metadata
from limner_wire import place

QUICK = ["--steps", "4", "--strokes", "6", "--canvas", "64", "--cutouts", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a backend that runs as long as this module's tests."""
    folder = tmp_path_factory.mktemp("data")
    env = {**os.environ, "LIMNER_DATA": str(folder)}
    command = [sys.executable, "-m", "limner", "serve", "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and "serves" in process.stdout.readline()
        yield folder
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert not (folder / place.BACKEND).exists()


@pytest.fixture(autouse=True)
def here(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIMNER_DATA", str(data))


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run(["jobs", "list", "--json"]) == 0
    return list(json.loads(capsys.readouterr().out))


def test_draw_is_the_same_beside_the_backend_as_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (80, 60), "navy").save("night.png")
    wish = ["draw", "a moon", "--over", "night.png", "--seed", "3", *QUICK[:-4], *QUICK[-2:]]
    before = len(listed(capsys))
    assert run([*wish, "--out", "beside.svg", "--replay", "moon.svg"]) == 0
    assert len(listed(capsys)) == before + 1
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "none"))
    assert run([*wish, "--out", "alone.svg"]) == 0
    about = [read_metadata((tmp_path / f"{n}.svg").read_bytes()) for n in ("beside", "alone")]
    assert about[0] == about[1] and about[0] is not None
    for kind in ("svg", "png"):
        assert (tmp_path / f"beside.{kind}").read_bytes() == (
            tmp_path / f"alone.{kind}"
        ).read_bytes()
    assert b"animation-delay" in (tmp_path / "moon.svg").read_bytes()


def test_the_best_of_several_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", "a zzyzx", "--json", "--best-of", "3", *QUICK]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["seed"] in range(3) and said["settings"]["seeds_tried"] == 3
    assert ["zzyzx" in notice for notice in said["notices"]] == [True]


def test_bad_input_is_refused_in_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", "a cat", "--ink", "99"]) == 2
    assert "ink must lie between 0 and 10" in capsys.readouterr().err
    assert run(["draw", "  "]) == 2


def test_jobs_are_listed_shown_exported_and_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["draw", "a \x1b[31mgreen pear [/red]", *QUICK]) == 0
    job = str(listed(capsys)[0]["job"])
    assert run(["jobs", "list"]) == 0
    assert job[:8] in (table := capsys.readouterr().out) and "green pear [/red]" in table
    assert "\x1b[31m" not in table
    assert run(["jobs", "show", job[:6]]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["state"] == "done" and about["request"]["params"]["steps"] == 4
    assert run(["jobs", "export", job, "--out", "again.svg"]) == 0
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "drawing.svg").read_bytes()
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "drawing.png").read_bytes()
    assert run(["jobs", "watch", job]) == 0
    assert "done" in capsys.readouterr().out
    assert run(["jobs", "delete", job]) == 0
    assert job not in {row["job"] for row in listed(capsys)}
    assert run(["jobs", "show", job]) == 2
    assert "No drawing begins with" in capsys.readouterr().err


def test_ctrl_c_keeps_what_there_is_and_cancel_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "limner", "draw", "a cat", "--steps", "20000", *QUICK[2:]]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as first:
        job = wait_for_running(capsys)
        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 130
    metadata = read_metadata((tmp_path / "drawing.svg").read_bytes())
    assert metadata is not None and 0 < metadata["settings"]["steps_done"] < 20_000
    assert listed(capsys)[0]["state"] == "cancelled"
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as second:
        job = wait_for_running(capsys)
        assert run(["jobs", "cancel", job, "--drop"]) == 0
        assert second.wait(30) == 2
        assert second.stderr is not None and b"was cancelled" in second.stderr.read()


def wait_for_running(capsys: pytest.CaptureFixture[str]) -> str:
    for _ in range(300):
        newest = listed(capsys)
        if newest and newest[0]["state"] == "running" and newest[0]["total"] == 20_000:
            time.sleep(0.3)
            return str(newest[0]["job"])
        time.sleep(0.1)
    raise AssertionError("it never ran")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["--engine", "steam"], "There is no engine 'steam'"),
        (["--address", "10.0.0.1:6379"], "--address is a Ray cluster's"),
    ],
)
def test_an_engine_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], said: list[str], words: str
) -> None:
    assert run(["serve", *said]) == 2
    assert words in capsys.readouterr().err


def test_a_second_serve_and_open_point_to_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["open", "--print"]) == 0
    link = capsys.readouterr().out.strip()
    found = place.backend()
    assert found is not None and link.startswith(f"{found.url}#ticket=")
    assert run(["serve"]) == 0
    assert "runs already" in capsys.readouterr().out


def test_without_a_backend_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "none"))
    for asked in (["jobs", "list"], ["open"]):
        assert run(asked) == 2
        assert "limner serve" in capsys.readouterr().err
