"""The CLIP trainer on a corpus that it draws itself: it learns, resumes, and is loaded again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from limner.models.catalog import at
from limner.models.clip import Clip, unpacked
from limner.models.loading import read_weights
from limner.training import clip as training
from limner.training.clip import Settings, Trainer
from limner.training.corpora import Corpus, load
from limner.training.evaluate import (
    contact_sheet,
    draw_all,
    drawn_labels,
    judged,
    labels,
    retrieval,
)
from limner.training.scenes import scenes

CPU = torch.device("cpu")
QUICK = Settings(steps=6, batch=6, rate=1e-3, warmup=2, attack=1.0, seed=1)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return scenes(12, seed=9)


def silent(step: int, figures: dict[str, float]) -> None:
    pass


def test_a_short_run_leaves_a_model_that_open_clip_loads(tmp_path: Path, corpus: Corpus) -> None:
    trainer = Trainer(QUICK, corpus, tmp_path)
    trainer.run(silent)
    model = at(tmp_path, "mine")
    assert model is not None
    clip = Clip(model, CPU)
    ranking = retrieval(clip, corpus)
    assert len(ranking.ranks) == 12 and ranking.top(len(labels(corpus))) == 1.0
    assert clip.unknown_words("a red zebra") == ["zebra"]
    assert clip.encode_text(["red star"]).isfinite().all()


def test_it_learns(tmp_path: Path, corpus: Corpus) -> None:
    losses: list[float] = []
    settings = replace(QUICK, tower="judge", steps=60, batch=12, attack=0.0, rate=2e-3)
    trainer = Trainer(settings, corpus, tmp_path)
    trainer.run(lambda step, figures: losses.append(figures["loss"]))
    assert sum(losses[-8:]) < 0.8 * sum(losses[:8]), losses


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path: Path, corpus: Corpus) -> None:
    whole = Trainer(QUICK, corpus, tmp_path / "whole")
    whole.run(silent)
    first = Trainer(QUICK, corpus, tmp_path / "parts")
    for _ in range(3):
        first.advance()
    first.save()
    second = Trainer(QUICK, corpus, tmp_path / "parts")
    assert second.resume() and second.step == 3
    second.run(silent)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_sharpness_aware_steps_follow_the_slope_at_worse_weights(
    tmp_path: Path, corpus: Corpus
) -> None:
    settings = replace(QUICK, tower="judge", attack=0.0, sam=0.1)
    trainer = Trainer(settings, corpus, tmp_path)
    pictures, captions, told, true = trainer.batch()
    target = training.fits(told, true)

    def loss() -> torch.Tensor:
        return trainer.loss(pictures, trainer.told(captions), target)[0]

    here = loss()
    here.backward()
    weights = [p for p in trainer.model.parameters() if p.grad is not None]
    were = [p.detach().clone() for p in weights]
    length = sum(float(p.grad.square().sum()) for p in weights if p.grad is not None) ** 0.5
    with training.climbed(weights, 0.1):
        moved = [p.detach() - w for p, w in zip(weights, were, strict=True)]
        assert sum(float(m.square().sum()) for m in moved) ** 0.5 == pytest.approx(0.1, rel=1e-3)
        along = sum(float((m * p.grad).sum()) for m, p in zip(moved, weights, strict=True))
        assert along == pytest.approx(0.1 * length, rel=1e-3), "straight up the slope"
        assert loss() > here
    assert all(torch.equal(p, w) for p, w in zip(weights, were, strict=True))
    plain = Trainer(replace(settings, sam=0.0), corpus, tmp_path / "plain")
    aware = Trainer(settings, corpus, tmp_path / "aware")
    assert plain.advance()["loss"] == aware.advance()["loss"]
    same = [torch.equal(a, b) for a, b in zip(
        plain.model.parameters(), aware.model.parameters(), strict=True)]  # fmt: skip
    assert not all(same)


def test_the_attack_lengthens_the_loss_and_keeps_its_length(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "RADIUS_FROM", (0, 1))
    trainer = Trainer(QUICK, corpus, tmp_path)
    trainer.step = 5
    assert trainer.radius() == QUICK.attack
    pictures, captions, told, true = trainer.batch()
    bank = trainer.model.encode_text(trainer.tokenizer(captions), normalize=True).detach()
    target = training.fits(told, true)

    def loss(views: torch.Tensor) -> float:
        with torch.no_grad():
            seen = trainer.model.encode_image(training.normalised(views), normalize=True)
        return float(training.spread(14 * seen @ bank.T, target))

    moved = trainer.attacked(pictures, bank, target, 1.0)
    shift = (moved - pictures).flatten(1).norm(dim=1)
    assert shift.max() <= 1.0 + 1e-4 and shift.mean() > 0.2  # clamping to [0, 1] shortens some
    random = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    random = random / training.length(random)
    assert loss(moved) > loss((pictures + random).clamp(0, 1)) > 0


def test_tokens_that_no_caption_uses_are_left_out(tmp_path: Path, corpus: Corpus) -> None:
    trainer = Trainer(QUICK, corpus, tmp_path)
    path = trainer.export()
    assert path.stat().st_size < 6_000_000
    state = unpacked(read_weights(path), trainer.model)
    rows = state["token_embedding.weight"].abs().sum(1)
    used = trainer.tokenizer([corpus.facts[0][0].words["en"], "a drawing of"])
    assert (rows[used] > 0).all() and (rows == 0).float().mean() > 0.9
    for name, value in trainer.average.items():
        if name != "token_embedding.weight":
            torch.testing.assert_close(state[name], value.float(), atol=1e-3, rtol=1e-3)


def test_labels_to_draw_are_things_and_spread_evenly() -> None:
    from limner.training.corpora import Fact

    facts = [
        [Fact(f"label:{k}", {"en": f"thing {k}"}), Fact("group:food", {})]
        if k % 2
        else [Fact(f"label:{k}", {"en": f"face {k}"})]
        for k in range(40)
    ]
    corpus = Corpus(scenes(1, 0).pictures.repeat(40, 0), facts, ["t"] * 40)
    chosen = drawn_labels(corpus, 5)
    assert len(set(chosen)) == 5 and all(name.startswith("thing") for name in chosen)


def test_drawings_are_judged_and_shown(tmp_path: Path, starter: object) -> None:
    from limner.methods.base import Models

    assert isinstance(starter, Models)
    clip = starter.clips[0].clip
    names = ["red apple", "cat face"]
    drawings = draw_all(clip, names, lambda n, r: None, strokes=16, steps=30)
    ranking = judged(clip, drawings, names, [*names, "house", "guitar"])
    assert ranking.ranks.shape == (2,) and ranking.ranks.max() <= 3
    assert ranking.top(4) == 1.0
    contact_sheet(drawings, names, ranking, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_a_packed_corpus_trains_from_the_command_line(tmp_path: Path, corpus: Corpus) -> None:
    from limner.cli.app import run

    corpus.save(tmp_path / "packed")
    assert load(tmp_path / "packed").facts == corpus.facts
    argv = ["train", "clip", "--corpus", str(tmp_path / "packed"), "--out", str(tmp_path / "out"),
            "--steps", "2", "--batch", "4", "--tower", "judge", "--attack", "0",
            "--generator", "small"]  # fmt: skip
    assert run(argv) == 0
    assert json.loads((tmp_path / "out" / "open_clip_config.json").read_text())["model_cfg"]
    made = at(tmp_path / "out", "judge")
    assert made is not None and made.generator == "small"
