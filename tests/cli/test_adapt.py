"""`limner adapt`, and what can be done with what it leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from limner.cli.app import run
from limner.methods.base import Models
from limner.models import networks, stylegan2
from limner.pictures import read_picture, write_png

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios


@pytest.fixture(autouse=True)
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starter: Models) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    studios.install(tmp_path / "models")
    return tmp_path / "models"


ADAPT = ["adapt", "--source", "a blue sea", "--target", "a red apple", "--model", "starter",
         "--batch", "2", "--rate", "0.02"]  # fmt: skip


def test_a_model_its_card_and_its_samples_are_left(
    studio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*ADAPT, "--steps", "6", "--samples", "4", "--out", "out/apples", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == "out/apples" and told["settings"]["steps_done"] == 6
    folder = tmp_path / "out" / "apples"
    assert {f.name for f in folder.iterdir()} == {
        "model.safetensors", "config.json", "card.json", "samples.png",
    }  # fmt: skip
    card = json.loads((folder / "card.json").read_text())
    assert (card["parent"], card["prompt"], card["source"], card["steps"], card["seed"]) == (
        studios.NAME, "a red apple", "a blue sea", 6, 0,
    )  # fmt: skip
    with Image.open(folder / "samples.png") as sheet:
        assert sheet.size == (32, 32)
    assert run(["models", "add", "out/apples"]) == 0
    assert networks.find("generator", "apples").card["parent"] == studios.NAME
    assert run([*ADAPT, "--out", "out/apples"]) == 2, "nothing is written over"
    assert "holds something already" in capsys.readouterr().err


def test_without_a_folder_it_is_among_the_models(
    studio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("small-a-red-apple", "small-a-red-apple-2"):
        assert run([*ADAPT, "--steps", "2"]) == 0
        assert f"limner sample --generator {name}" in capsys.readouterr().err
        assert run(["sample", "--generator", name, "--out", f"{name}.png"]) == 0


def test_style_pictures_and_a_picture_of_ones_own(studio: Path, tmp_path: Path) -> None:
    write_png(torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0)), "style.png")
    write_png(studios.picture(studios.generator()), "own.png")
    asked = [*ADAPT, "--style", "style.png", "--texture", "1", "--image", "own.png"]
    assert run([*asked, "--steps", "3", "--samples", "3", "--out", "a"]) == 0
    assert read_picture(tmp_path / "a" / "samples.png").shape == (3, 32, 32)
    assert run([*asked, *["--style", "style.png"] * 3]) == 2


def test_generators_of_one_are_mixed(
    studio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        assert run([*ADAPT, "--steps", "3", "--out", name, "--seed", (name[0] == "t" and "1") or "0"
                    ]) == 0  # fmt: skip
        assert run(["models", "add", name]) == 0
    assert run(["models", "mix", "one@3", "two@1", "--name", "both"]) == 0
    made = {n: stylegan2.load(n).state_dict() for n in ("one", "two", "both")}
    for name, value in made["both"].items():
        expected = 0.75 * made["one"][name] + 0.25 * made["two"][name]
        torch.testing.assert_close(value, expected, atol=2e-3, rtol=2e-3)
    assert networks.lineage("both") == ["both", studios.NAME]
    assert (made["one"]["blocks.8.conv0.weight"] != made["two"]["blocks.8.conv0.weight"]).any()
    capsys.readouterr()
    other = studios.generator(seed=8)
    networks.leave(studio / "other", "generator", other.config.to_json(), other.state_dict(), {})
    assert run(["models", "mix", "one", "other", "--name", "no"]) == 2
    assert "come of one" in capsys.readouterr().err
    assert run(["models", "mix", "one", "two", "--name", "a/b"]) == 2


def test_samples_through_a_mapper(studio: Path, tmp_path: Path) -> None:
    made = studios.generator()
    mapper = studios.install_mapper(studio, made, "a red apple")
    assert run(["sample", "--seed", "4", "--mapper", "small-mapper", "--out", "m.png"]) == 0
    w = made.random(1, 4, 0.7)
    with torch.no_grad():
        expected = (made(w + mapper.step * mapper(w))[0].clamp(-1, 1) + 1) / 2
    assert (read_picture(tmp_path / "m.png") - expected).abs().max() < 0.01
    assert run(["sample", "--seed", "4", "--out", "plain.png"]) == 0
    assert not torch.equal(read_picture(tmp_path / "m.png"), read_picture(tmp_path / "plain.png"))
