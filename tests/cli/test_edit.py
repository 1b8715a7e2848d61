"""`limner edit` and `limner sample` as a user meets them, with a small generator."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limner.cli.app import run
from limner.methods.base import Models
from limner.models import networks
from limner.pictures import read_picture, write_png

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "none"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, starter: Models) -> Path:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(folder))
        made = studios.install(folder, clip=starter.clips[0].clip)
        studios.install_mapper(folder, made, "a red apple")
    return folder


@pytest.fixture
def studio(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_MODELS", str(installed))
    write_png(studios.picture(studios.generator()), "in.png")
    return installed


EDIT = ["edit", "in.png", "a red apple", "--model", "starter"]


@pytest.mark.parametrize(
    ("options", "method"),
    [
        (["--steps", "8", "--neutral", "a picture", "--strength", "6"], "global_directions"),
        (["--method", "mapper", "--steps", "8"], "latent_mapper"),
        (["--method", "optimize", "--steps", "12", "--fit", "8"], "latent_optimization"),
    ],
)
def test_every_way_leaves_a_picture(
    options: list[str], method: str, studio: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run([*EDIT, *options, "--out", "out/edited.png"]) == 0
    with Image.open(tmp_path / "out" / "edited.png") as picture:
        assert picture.size == (16, 16)
        about = json.loads(picture.text["limner"])
    assert about["settings"]["method"] == method and about["prompt"] == "a red apple"
    said = capsys.readouterr()
    assert "edited.png: by small" in said.out and "dB" in said.out
    if method == "latent_mapper":
        assert "small-mapper" in said.out
    assert not list((tmp_path / "out").glob("*.svg"))


def test_json_is_all_that_is_printed(studio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*EDIT, "--steps", "4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["png"] == "edited.png" and told["settings"]["steps_done"] == 4
    assert told["settings"]["neutral"] == "" and not told["stopped"]


def test_the_mask_holds(studio: Path, tmp_path: Path) -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 255
    Image.fromarray(mask).save("mask.png")
    assert run([*EDIT, "--steps", "4", "--strength", "20", "--mask", "mask.png"]) == 0
    before, after = read_picture("in.png"), read_picture("edited.png")
    outside = torch.from_numpy(mask) == 0
    assert torch.equal(before[:, outside], after[:, outside]) and not torch.equal(before, after)


def test_a_known_latent_is_where_it_begins(
    studio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(studios.code(studios.generator()), "latent.pt")
    assert run([*EDIT, "--steps", "1", "--strength", "0", "--latent", "latent.pt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["inversion_db"] > 25


def test_samples(studio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sample", "--seed", "5", "--out", "one.png"]) == 0
    assert run(["sample", "--seed", "4", "--count", "2", "--out", "many.png"]) == 0
    assert "many-4.png to many-5.png: by small" in capsys.readouterr().out
    assert (tmp_path / "many-5.png").read_bytes() == (tmp_path / "one.png").read_bytes()
    assert (tmp_path / "many-4.png").read_bytes() != (tmp_path / "one.png").read_bytes()
    wanted = studios.picture(studios.generator(), 5)
    torch.testing.assert_close(read_picture("one.png"), wanted, atol=0.51 / 255, rtol=0)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([*EDIT, "--method", "magic"], "no method 'magic'"),
        ([*EDIT, "--l2", "0.1"], "belongs to optimize"),
        ([*EDIT, "--method", "mapper", "--threshold", "0.1"], "belongs to direction"),
        ([*EDIT, "--strength", "99"], "strength must lie between -15 and 25"),
        ([*EDIT, "--generator", "no such"], "no generator 'no such'"),
        ([*EDIT, "--out", "edited.svg"], "can't be a .svg"),
        (["edit", "nothing.png", "a cat"], "no file nothing.png"),
        (["edit", "in.png", "?"], "prompt is empty"),
        ([*EDIT, "--latent", "in.png"], ""),
        (["sample", "--count", "2", "--generator", "no such"], "no generator 'no such'"),
        (["sample", "--out", "x.jpg"], "can't be a .jpg"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_exit_code_2(
    argv: list[str], words: str, studio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(argv) == 2
    said = capsys.readouterr()
    assert words in said.err and said.err.count("\n") == 1 and not said.out
    assert {p.name for p in tmp_path.iterdir()} <= {"in.png", "data"}


def test_without_a_generator_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    if any(True for _ in networks.installed("generator")):
        pytest.skip("a generator comes with Limner")
    Image.new("RGB", (20, 20), "red").save("in.png")
    assert run(["edit", "in.png", "a cat", "--model", "starter"]) == 2
    assert "limner models add" in capsys.readouterr().err
