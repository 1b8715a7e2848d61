"""`limner train generator` and its neighbours: settings, going on, and what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from limner.cli.app import run
from limner.models import stylegan2
from limner.models.catalog import PORTRAITS, STARTER_FOLDER
from limner.models.loading import read_weights
from limner.models.networks import at
from limner.training import attribute_judge, encoder, generator, identity
from limner.training.portraits.attributes import ATTRIBUTES


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for training in (attribute_judge, encoder, generator, identity):
        measure = training.evaluate
        monkeypatch.setattr(training, "evaluate", lambda *a, of=measure: of(*a[:-1], 2))


def test_a_generator_and_its_encoder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "generator", "--steps", "1", "--batch", "1", "--out", "g"]) == 0
    assert "g/model.safetensors" in capsys.readouterr().out.replace("\\", "/")
    assert run(["train", "generator", "--steps", "2", "--batch", "1", "--out", "g"]) == 0
    assert "going on from step 1" in capsys.readouterr().err
    made = at(tmp_path / "g")
    assert made is not None and made.kind == "generator" and made.card["steps"] == 2
    asked = ["--generator", "g", "--steps", "1", "--batch", "2", "--out", "e"]
    assert run(["train", "encoder", *asked]) == 0
    found = at(tmp_path / "e")
    assert found is not None and found.kind == "encoder"


def test_an_encoder_needs_a_generator(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "encoder", "--generator", "nowhere"]) == 2
    assert "no generator in nowhere" in capsys.readouterr().err


def test_a_generator_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (9, 8), "teal").save(tmp_path / "pictures" / "a.png")
    asked = ["--folder", "pictures", "--size", "8", "--steps", "1", "--batch", "2", "--out", "g"]
    assert run(["train", "generator", *asked]) == 0
    found = at(tmp_path / "g")
    assert found is not None and found.config["size"] == 8
    assert run(["train", "generator", *asked[:3], "12"]) == 2
    assert "12 px" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["attributes", "identity"])
def test_judges(tmp_path: Path, command: str) -> None:
    assert run(["train", command, "--steps", "1", "--out", "j"]) == 0
    assert (tmp_path / "j" / "model.safetensors").is_file()
    assert run(["train", command, "--steps", "0"]) == 2


def test_codes_of_portraits_in_one_medium(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "latents", "--medium", "pixel art", "--count", "3", "--out", "l"]
    assert run(asked) == 0
    found = at(tmp_path / "l")
    assert found is not None and found.kind == "latents" and found.config["count"] == 3
    judge = attribute_judge.load(STARTER_FOLDER.with_name("attributes"), torch.device("cpu"))
    painter = stylegan2.load(PORTRAITS, torch.device("cpu"))
    w = read_weights(found.weights)["w"].float()[:, None].expand(-1, painter.config.latents, -1)
    with torch.no_grad():
        said = judge.classes(painter(w))[:, 0]
    assert {ATTRIBUTES["medium"].classes[k] for k in said} == {"pixel art"}
    assert run([*asked[:3], "oil"]) == 2
    assert "no medium 'oil'" in capsys.readouterr().err
