"""The table of new domains: whom it paints, what it counts, and what it leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from limner.models import clip, networks
from limner.models.catalog import PORTRAITS, STARTER, STARTER_FOLDER, find
from limner.models.clip import Clip
from limner.models.loading import read_weights
from limner.training import adapt_evaluate as table
from limner.training import attribute_judge
from limner.training.portraits.painter import paint_all

CPU = torch.device("cpu")
QUICK = {"steps": 1, "batch": 2}


@pytest.fixture(scope="module")
def evaluation() -> table.Evaluation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "COUNT", 24)
        judge = attribute_judge.load(STARTER_FOLDER.with_name("attributes"), CPU)
        eye, clips = Clip(find(STARTER), CPU), clip.load(networks.readers(PORTRAITS), CPU)
        return table.Evaluation(PORTRAITS, judge, eye, clips, CPU)


def painted(evaluation: table.Evaluation, medium: str) -> Tensor:
    """(24, 3, 64, 64) in [-1, 1]: the same people by the painter."""
    people = [replace(p, medium=medium) for p in evaluation.people]
    return torch.from_numpy(paint_all(people)).float() / 127.5 - 1


def test_all_are_flat_and_none_is_learned_on(evaluation: table.Evaluation) -> None:
    assert {p.medium for p in evaluation.people} == {"flat"} and len(evaluation.people) == 24
    known = read_weights(networks.find("latents", table.LATENTS).weights)["w"].float()
    assert known.shape == (512, 112)
    assert torch.cdist(evaluation.codes[:, 0], known).min() > 0.5


@pytest.mark.parametrize("medium", list(table.TARGETS))
def test_what_the_painter_makes_counts_as_done(evaluation: table.Evaluation, medium: str) -> None:
    there = evaluation.measured(medium, "by hand", painted(evaluation, medium), 1.0)
    assert there.hits == 1 and there.kept > 0.85 and there.diversity > 0.5
    here = evaluation.measured(medium, "not at all", evaluation.before, 1.0)
    assert (here.hits, here.kept, here.diversity) == (0, 1, 1)
    one = painted(evaluation, medium)[:1].expand(24, -1, -1, -1)
    collapsed = evaluation.measured(medium, "all alike", one, 1.0)
    assert collapsed.kept < 0.5 and collapsed.diversity < 0.01


def test_every_way_is_run_and_left(evaluation: table.Evaluation, tmp_path: Path) -> None:
    told = table.run(evaluation, ["watercolour"], list(table.WAYS), QUICK, tmp_path)
    assert list(told) == [f"watercolour, {way}" for way in table.WAYS]
    lines = (tmp_path / "adapt.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["way"] for line in lines] == list(table.WAYS)
    with Image.open(tmp_path / "adapt.png") as sheet:
        assert sheet.size == (table.SHOWN * 64, (1 + len(table.WAYS)) * 78)


def test_three_pictures_show_a_medium(evaluation: table.Evaluation) -> None:
    shown = table.styles("pencil")
    assert len(shown) == 3 and all(s.shape == (3, 64, 64) and s.min() >= 0 for s in shown)
    said = evaluation._judge.classes(torch.stack(shown) * 2 - 1)[:, table.MEDIUM]
    assert {table.ATTRIBUTES["medium"].classes[k] for k in said} == {"pencil"}
