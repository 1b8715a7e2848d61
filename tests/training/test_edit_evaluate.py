"""The table of edits: whom it takes, what it counts, and how it sums that up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from limner.models import clip
from limner.training import edit_evaluate as table
from limner.training.paintings import HELD_OUT, Paintings
from limner.training.portraits.edits import EDITS, MEASURED

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios

GLASSES = table.NAMES.index("glasses")
CPU = torch.device("cpu")


class Judge:
    """Sees round glasses in dark pictures, and of everything else the first class."""

    limit = 0.0

    def classes(self, pictures: Tensor) -> Tensor:
        said = torch.zeros(len(pictures), len(table.NAMES), dtype=torch.int64)
        said[:, GLASSES] = (pictures.mean((1, 2, 3)) < self.limit).long()
        return said


@pytest.fixture
def evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> table.Evaluation:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    clips = clip.load((), CPU)
    studios.install(tmp_path / "models", clip=clips[0].clip)
    settings = {"direction": {"strength": 9.0}, "optimize": {"steps": 5, "fit": 2}}
    return table.Evaluation(studios.NAME, Judge(), clips, settings, CPU)  # type: ignore[arg-type]


def test_all_who_sit_lack_what_is_asked_for_and_would_show_it(
    evaluation: table.Evaluation,
) -> None:
    people = evaluation.sitters(5, fit=2)
    held_out = Paintings(table.POOL, HELD_OUT)
    fitting = (
        row for row in range(table.POOL)
        if all(EDITS[e].applies(held_out.portraits([row])[0]) for e in MEASURED)
    )  # fmt: skip
    for sitter in people:
        row = next(fitting)
        assert torch.equal(sitter.picture, (held_out.pictures([row])[0] + 1) / 2)
        (person,) = held_out.portraits([row])
        assert person.glasses in ("none", "sunglasses") and person.hat == "none"
        assert person.medium != "pencil" and sitter.seen[GLASSES]
        assert sitter.w.shape == (studios.CONFIG.latents, studios.CONFIG.w_dim)
        assert 0 < sitter.psnr_db < 60


def test_what_the_judge_sees_is_counted(
    evaluation: table.Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sitter,) = evaluation.sitters(1, fit=1)
    _, picture = evaluation.outcome("direction", "glasses", 0, sitter)
    mean = float((picture * 2 - 1).mean())
    for limit, is_seen in ((mean + 0.01, True), (mean - 0.01, False)):
        monkeypatch.setattr(Judge, "limit", limit)
        wanted, _ = evaluation.outcome("direction", "glasses", 0, sitter)
        assert wanted.changed is is_seen
        assert "glasses" not in wanted.kept and all(wanted.kept.values())
        other, made = evaluation.outcome("direction", "hat", 0, sitter)
        sees = bool((made * 2 - 1).mean() < limit)
        assert other.kept["glasses"] is (sees == bool(sitter.said[GLASSES]))
        assert "hair" not in other.kept, "a hat may hide it"
    studios.install_mapper(tmp_path / "models", studios.generator(), "a hat")
    figures = table.run(evaluation, list(table.METHODS), 1, 1, tmp_path / "out")
    lines = (tmp_path / "out" / "edits.jsonl").read_text("utf-8").splitlines()
    found = [(row["method"], row["edit"]) for row in map(json.loads, lines)]
    assert found == [(way, name) for way in table.METHODS for name in MEASURED]
    assert figures["portraits"] == 1
    for way in table.METHODS:
        assert f"{way}: changed" in figures and (tmp_path / "out" / f"{way}.png").is_file()


def test_parts_are_of_what_could_be_seen() -> None:
    rows = [
        table.Outcome("direction", "hat", 0, True, {"skin": True, "age": False}, 0.5, 0.1),
        table.Outcome("direction", "hat", 1, False, {"skin": True}, 0.7, 0.3),
        table.Outcome("direction", "smile", 0, True, {"skin": False, "age": False}, 0.9, 0.2),
    ]
    figures = table.summary(rows)
    assert figures["direction: changed"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["direction: hat"] == 0.5 and figures["direction: smile"] == 1.0
    assert figures["direction: kept"] == pytest.approx(2 / 5)
    assert figures["direction: kept least, age"] == 0.0
    assert figures["direction: identity"] == pytest.approx(0.7)
    assert figures["direction: seconds, median"] == 0.2
