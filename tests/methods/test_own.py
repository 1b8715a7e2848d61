"""Methods of one's own: the worked example of the documentation, and files that are none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from limner.methods import own
from limner.methods.base import Inputs, Models
from limner.methods.schema import read, schema

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "halftone.py"
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_METHODS", str(tmp_path))
    monkeypatch.setattr(own, "PROBLEMS", {})
    shutil.copy(EXAMPLE, tmp_path)
    return tmp_path


def ramp() -> torch.Tensor:
    """(3, 40, 60), dark on the left."""
    return torch.linspace(0, 1, 60).expand(3, 40, 60)


def test_the_example_is_a_method(folder: Path) -> None:
    (method,) = own.found(())
    assert not own.PROBLEMS
    params = read(method.params, {"rows": 10, "ink": 0.8})
    assert list(schema(method.params)["properties"]) == ["rows", "ink", "seed", "shake", "steps"]
    state = method.setup(params, Inputs((40, 60), picture=ramp()), Models(), CPU)
    while (preview := method.step(state, params)).step < preview.total:
        pass
    assert preview.step == preview.total == 10
    drawing = method.result(state).drawing
    assert drawing.count > 100
    left, right = (
        drawing.width[drawing.points[::4, 0] < 30],
        drawing.width[drawing.points[::4, 0] > 30],
    )
    assert float(left.mean()) > 1.4 * float(right.mean())


def test_the_example_goes_on_bit_for_bit(folder: Path) -> None:
    (method,) = own.found(())
    params, inputs = read(method.params, {"rows": 8}), Inputs((40, 60), picture=ramp())
    whole, part, rest = (method.setup(params, inputs, Models(), CPU) for _ in range(3))
    for _ in range(8):
        method.step(whole, params)
    for _ in range(3):
        method.step(part, params)
    method.restore(rest, method.save(part))
    for _ in range(5):
        method.step(rest, params)
    one, two = method.result(whole).drawing, method.result(rest).drawing
    assert torch.equal(one.points, two.points) and torch.equal(one.width, two.width)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_there", "ModuleNotFoundError"),
        ("x = (", "SyntaxError"),
        ("x = 1", "METHOD = "),
        ("METHOD = 3", "METHOD has no name, title"),
        ("name: ClassVar[str] = 'Half Tone'", "small letters"),
        ("name: ClassVar[str] = 'clipdraw'", "there is a method 'clipdraw' already"),
        ("family: ClassVar[str] = 'Cooking'", "its family must be"),
        ("inputs: ClassVar[tuple[str, ...]] = ('sound',)", "no input 'sound'"),
        ("params: ClassVar[type] = dict", "must be a dataclass"),
    ],
)
def test_what_is_no_method_is_left_out_and_told(folder: Path, text: str, words: str) -> None:
    whole = EXAMPLE.read_text()
    if "ClassVar" in text:
        name = text.partition(":")[0]
        (line,) = [row for row in whole.splitlines() if row.startswith(f"    {name}: ClassVar")]
        text = whole.replace(line, f"    {text}")
    (folder / "wrong.py").write_text(text)
    found = own.found({"clipdraw"})
    assert [method.name for method in found] == ["halftone"]
    assert list(own.PROBLEMS) == ["wrong.py"] and words in own.PROBLEMS["wrong.py"]


def with_it(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program beside the example."""
    env = {**os.environ, "LIMNER_METHODS": str(folder), "LIMNER_DATA": str(folder / "data")}
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=env,
                          capture_output=True, text=True)  # fmt: skip


def test_the_command_line_has_its_options(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (80, 40), (90, 20, 20)).save(tmp_path / "dark.png")
    out = tmp_path / "out.svg"
    said = ["run", "halftone", "--init", str(tmp_path / "dark.png"), "--out", str(out), "--json"]
    ran = with_it("limner", *said, "--rows", "6", folder=folder)
    assert ran.returncode == 0, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout)
    assert told["settings"]["rows"] == 6 and out.read_text().count("<path") == 6 * 12
    refused = with_it("limner", "run", "halftone", folder=folder)
    assert refused.returncode == 2 and "needs a picture: --init" in refused.stderr
    doctor = json.loads(with_it("limner", "doctor", "--json", folder=folder).stdout)
    assert "halftone" in doctor["methods"] and doctor["methods folder"] == str(folder)


@pytest.mark.parametrize(
    "tests", ["tests/krita/test_krita_forms.py", "tests/blender/test_ui_forms.py"]
)
def test_the_plugins_tests_take_it_as_any_other(folder: Path, tests: str) -> None:
    ran = with_it("pytest", "-q", "-rA", tests, folder=folder)
    assert ran.returncode == 0, ran.stdout[-3000:]
    if "krita" in tests:
        assert "[halftone] " in ran.stdout or "halftone]" in ran.stdout
