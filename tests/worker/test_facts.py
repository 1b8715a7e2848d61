"""What front ends are told of the methods: whether each can run on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from limner.methods import clipdraw
from limner.methods.base import Models
from limner.models import networks
from limner.models.catalog import find
from limner.worker.facts import facts

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import imaginations
import studios

EDITS = {"global_directions", "latent_mapper", "latent_optimization", "nada"}  # need a generator
IMAGINED = {"imagine", "variations", "blend", "text_diff", "probe"}  # need a decoder


def lacks() -> dict[str, str]:
    return {row["name"]: row["ready"] for row in facts(torch.device("cpu"))["methods"]}


def test_without_a_generator_edits_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path))
    monkeypatch.setattr(networks, "STARTER_FOLDER", tmp_path / "starter" / "clip")
    told = lacks()
    assert {name for name, lack in told.items() if lack} == EDITS | IMAGINED
    assert all("limner models add FILE" in told[name] for name in EDITS)
    assert all("limner train decoder" in told[name] for name in IMAGINED)


def test_each_says_what_else_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starter: Models
) -> None:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path))
    monkeypatch.setattr(networks, "STARTER_FOLDER", tmp_path / "starter" / "clip")
    made = studios.install(tmp_path)
    told = lacks()
    assert "limner train directions" in told["global_directions"]
    assert "limner train mapper" in told["latent_mapper"]
    assert not told["latent_optimization"]
    studios.install(tmp_path, clip=starter.clips[0].clip)
    studios.install_mapper(tmp_path, made, "a red apple")
    imaginations.install(tmp_path)
    assert not any(lacks().values())


def test_a_form_shows_what_the_generators_own_clip_recommends() -> None:
    rows = {row["name"]: row["schema"] for row in facts(torch.device("cpu"))["methods"]}
    recipe = find("portraits-clip").card["recipe"]
    searched, drawn = rows["latent_optimization"]["properties"], rows["clipdraw"]["properties"]
    assert searched["sparse"]["default"] == recipe["latent_optimization.sparse"] > 0
    assert rows["nada"]["properties"]["rate"]["default"] == recipe["nada.rate"]
    assert drawn["steps"]["default"] == clipdraw.Params("x").steps
