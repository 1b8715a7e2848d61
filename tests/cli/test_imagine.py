"""`limner imagine` as a user meets it, with the unCLIP that comes with Limner."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.cli.app import run
from limner.training.paintings import HELD_OUT, Paintings

SIDE = 64


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "none"))


@pytest.fixture
def portrait(tmp_path: Path) -> str:
    pixels = (Paintings(4, HELD_OUT).pictures([1])[0] * 127.5 + 127.5).round().byte()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(tmp_path / "portrait.png")
    return "portrait.png"


def painted(path: str = "picture.png") -> np.ndarray:
    """(H, W, 3), 0 to 255."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.float64)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(a - b).mean()))


@pytest.mark.parametrize("prior", ["diffusion", "autoregressive"])
@pytest.mark.parametrize(
    ("prompt", "channel", "axis", "side"),
    [
        ("a red circle on the left", 0, 1, -1),
        ("a green square at the bottom", 1, 0, 1),
        ("a blue triangle on the right", 2, 1, 1),
    ],
)
def test_what_is_painted_has_the_colour_and_lies_in_the_place(
    prompt: str, channel: int, axis: int, side: int, prior: str
) -> None:
    assert run(["imagine", prompt, "--prior", prior, "--enlarge", "0"]) == 0
    pixels = painted()
    others = np.delete(pixels, channel, 2).max(2)
    ink = (pixels[..., channel] - others).clip(0)  # how much more of the colour than of others
    places = (np.arange(len(pixels)) + 0.5) / len(pixels) - 0.5
    centre = (ink.sum(1 - axis) * places).sum() / ink.sum()
    assert ink.mean() > 3, "the colour"
    assert centre * side > 0.1, "the place"


def test_it_is_enlarged_and_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["imagine", "a yellow star", "--out", "out/star.png", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["png"] == "out/star.png" and told["settings"]["decoder"] == "scenes-decoder"
    with Image.open("out/star.png") as picture:
        assert picture.size == (256, 256)
        assert json.loads(picture.text["limner"])["prompt"] == "a yellow star"


def test_a_picture_comes_back_from_its_embedding_and_its_noise(portrait: str) -> None:
    """Where nothing is drawn anew and nothing is asked to change."""
    fixed = ["--looks", "50", "--steps", "50", "--enlarge", "0"]
    assert run(["imagine", "--variations", portrait, "--eta", "0", *fixed]) == 0
    assert psnr(painted(), painted(portrait)) > 26
    again = painted()
    diff = ["--text-diff", portrait, "--from", "a person", "--to", "a person with red hair"]
    assert run(["imagine", *diff, "--theta", "0", *fixed]) == 0
    assert (painted() == again).all()
    assert run(["imagine", *diff, "--theta", "0.5", *fixed]) == 0
    assert psnr(painted(), again) < 30


def test_two_pictures_are_blended_and_one_is_looked_at(portrait: str) -> None:
    assert run(["imagine", "a blue ring", "--enlarge", "0", "--out", "ring.png"]) == 0
    few = ["--looks", "10", "--steps", "10", "--enlarge", "0"]
    ends = []
    for at in ("0", "1"):
        assert run(["imagine", "--blend", portrait, "ring.png", "--at", at, *few]) == 0
        ends.append(painted())
    assert psnr(ends[0], painted(portrait)) > psnr(ends[1], painted(portrait)) + 3
    look = ["--probe", portrait, "--steps", "4", "--enlarge", "0"]
    assert run(["imagine", *look, "--out", "strip.png"]) == 0
    height, width = painted("strip.png").shape[:2]
    assert height * width >= 9 * SIDE * SIDE


def test_into_a_picture_nothing_changes_outside_the_mask(portrait: str) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, : SIDE // 2] = 255
    Image.fromarray(mask).save("mask.png")
    assert run(["imagine", "a red circle", "--into", portrait, "--mask", "mask.png"]) == 0
    before, after = painted(portrait), painted()
    assert (after[:, SIDE // 2 :] == before[:, SIDE // 2 :]).all()
    assert np.abs(after - before)[:, : SIDE // 2].mean() > 5


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], "Ask for something."),
        (["a star", "--probe", "portrait.png"], "Ask for one of these"),
        (["--text-diff", "portrait.png"], "needs words to move --to"),
        (["a star", "--mask", "portrait.png"], "--mask needs a picture"),
        (["a star", "--decoder", "none"], "There is no decoder"),
        (["a star", "--theta", "0.2"], "theta"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    asked: list[str], words: str, portrait: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["imagine", *asked]) == 2
    assert words in capsys.readouterr().err
