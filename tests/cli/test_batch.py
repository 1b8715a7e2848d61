"""`limner batch`: a file of drawings, by a backend that runs as long as the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from limner import batch
from limner.cli.app import run
from limner.pictures import read_picture
from limner_wire.errors import LimnerError

QUICK = {"steps": 6, "strokes": 6, "cutouts": 2, "tidy": False, "size": "64x48"}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "data"))


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps({**QUICK, **row}) + "\n" for row in rows))
    return path


def drawn(file: Path, out: Path, capsys: pytest.CaptureFixture[str], code: int = 0) -> list[Any]:
    """What the command prints of each drawing."""
    said = ["batch", str(file), "--out", str(out), "--engine", "in-process", "--json"]
    assert run(said) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_prompts_times_seeds_times_methods(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (80, 40), "navy").save(tmp_path / "sea.png")
    file = write(
        tmp_path / "all.jsonl",
        {"prompt": ["a cat", "a dog"], "seed": [0, 1], "method": ["clipdraw", "clipdraw"]},
    )
    trace = {"method": "trace", "init": "sea.png", "steps": 5, "strokes": 8}
    file.write_text(file.read_text() + "\n" + json.dumps(trace))
    rows = drawn(file, tmp_path / "out", capsys)
    asked = [(row["prompt"], row["seed"], row["method"]) for row in rows]
    assert asked == [(p, s, "clipdraw") for p in ("a cat", "a dog") for s in (0, 1)] + [
        ("", 0, "trace")
    ]
    svgs = [(tmp_path / "out" / row["files"][0]).read_text() for row in rows]
    assert len(set(svgs)) == 5 and all(text.startswith(("<?xml", "<svg")) for text in svgs)
    last = read_picture((tmp_path / "out" / rows[-1]["files"][1]).read_bytes())
    assert last.shape[1] / last.shape[2] == 0.5, "as the picture that it begins with"
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.size == (5 * batch.CELL_PX, batch.CELL_PX + batch.CAPTION_PX)


def test_what_is_there_is_not_drawn_again_and_what_is_not_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = write(tmp_path / "a.jsonl", {"prompt": "a cat", "seed": [0, 1]}), tmp_path / "out"
    first = drawn(file, out, capsys)
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.svg")}
    gone = out / first[0]["files"][0]
    gone.unlink()
    write(file, {"prompt": "a cat", "seed": [0, 1, 2]})
    with (out / "manifest.jsonl").open("a") as manifest:
        manifest.write('{"id": "cut o')  # as a full disk leaves it
    second = drawn(file, out, capsys)
    assert [row["seed"] for row in second] == [0, 1, 2]
    assert second[0]["job"] == first[0]["job"], "the backend has it already"
    kept = out / first[1]["files"][0]
    assert gone.exists() and kept.stat().st_mtime_ns == times[kept]


def test_a_row_that_fails_is_told_and_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "a.jsonl", {"prompt": "a cat"}, {"prompt": "a dog", "strokes": -1})
    rows = drawn(file, tmp_path / "out", capsys, code=1)
    assert [row["state"] for row in rows] == ["done", "failed"]
    assert "strokes" in rows[1]["why"] and not rows[1]["files"]
    again = drawn(file, tmp_path / "out", capsys, code=1)
    assert again[0] == rows[0]
    assert again[1]["attempt"] == 1 and again[1]["job"] != rows[1]["job"]


def test_stopped_on_the_way_it_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C: what is done stays, what was under way goes on from its checkpoint, bit for bit."""
    row = {"prompt": "a cat", "seed": list(range(4)), "steps": 250}
    file, out = write(tmp_path / "a.jsonl", row), tmp_path / "out"
    command = [sys.executable, "-m", "limner", "batch", str(file), "--out", str(out)]
    with subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # what a shell starts in the background does not hear Ctrl-C, nor does what that starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"1/4")
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    before = {path.name: path.read_bytes() for path in out.glob("*.svg")}
    assert 1 <= len(before) < 4
    rows = drawn(file, out, capsys)
    assert len(rows) == 4 and all(row["state"] == "done" for row in rows)
    assert all((out / name).read_bytes() == data for name, data in before.items())
    other = drawn(file, tmp_path / "other", capsys)
    for one, two in zip(rows, other, strict=True):
        for name in one["files"]:
            assert (out / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
        assert one["job"] == two["job"]


def test_csv_is_read_as_people_write_it(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(
        "\ufeffprompt,seed,steps,size,black\n"
        '"a cat, asleep|7",0|1,12,96,true\n'
        "\n"
        "a dog,,,,\n".encode()
    )
    tasks = batch.read(file)
    told = [(t.params["prompt"], t.params.get("seed"), t.params.get("steps")) for t in tasks]
    assert told == [("a cat, asleep", 0, 12), ("a cat, asleep", 1, 12), ("7", 0, 12), ("7", 1, 12),
                    ("a dog", None, None)]  # fmt: skip
    assert tasks[0].canvas == (96, 96) and tasks[-1].canvas == (224, 224)
    assert tasks[0].params["black"] is True
    assert tasks[0].name == "a-cat-asleep-clipdraw-0"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"prompt": "a cat"}\n["a dog"]\n', "Row 2 is no JSON object"),
        ("a.jsonl", '{"prompt": "a cat", "size": "large"}', "row 1: 'large' is no size"),
        ("a.jsonl", '{"prompt": "a cat", "over": "gone.png"}', "row 1: There is no file gone.png"),
        ("a.jsonl", json.dumps({"seed": list(range(10_001))}), "more than 10000"),
        ("a.jsonl", "\n", "asks for no drawing"),
        ("a.csv", "prompt,seed\na cat,1,2\n", "Row 2 has not as many cells"),
        ("a.csv", "prompt,seed\na cat\n", "Row 2 has not as many cells"),
        ("a.csv", b"prompt\n\xff\xfe\n", "not text in UTF-8"),
    ],
)
def test_what_can_not_be_read_is_told_with_its_row(
    tmp_path: Path, name: str, text: str | bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LimnerError, match=words):
        batch.read(tmp_path / name)
