"""What unCLIP's decoder is trained on, and how."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.models import clip
from limner.models.clip import Clip
from limner.models.unclip.decoder import Config
from limner.models.unclip.sampling import clean_of, target_of
from limner.training import compositions
from limner.training.captioned import Captioned
from limner.training.compositions import DYES, THINGS, all_of, composition_of, is_held_out
from limner.training.corpora import SIDE_PX, Corpus, Fact, caption
from limner.training.decoder import Settings, Trainer, weights
from limner.training.scenes import PLACES, scenes

CPU = torch.device("cpu")
CONFIG = Config("starter", 16, widths=(32,), attends=(True,), context=32, head=16)


@pytest.fixture(scope="module")
def reader() -> Clip:
    return clip.load(["starter"], CPU)[0].clip


def icons() -> Corpus:
    """Two of the things, as plain squares."""
    rgba = np.full((2, 4, SIDE_PX, SIDE_PX), 255, np.uint8)
    rgba[:, 3] = 0
    rgba[:, 3, 10:70, 10:70] = 255
    rgba[:, :3] = 120
    facts = [[Fact(f"label:{name}", {"en": name, "ko": name})] for name in ("cat", "bus")]
    return Corpus(rgba, facts, ["test"] * 2)


def test_no_combination_that_is_held_out_is_trained_on() -> None:
    made = compositions.compositions(icons(), 300, 1)
    assert not any(is_held_out(facts) for facts in made.facts)
    middle = sum(composition_of(facts) is None for facts in made.facts)
    assert 40 < middle < 115, "a quarter lies in no place"
    rest = compositions.compositions(icons(), 60, 1, held_out=True)
    assert all(is_held_out(facts) for facts in rest.facts)
    some = scenes(400, 3)
    left = compositions.trainable(some)
    assert len(left.facts) < len(some.facts)
    assert not any(is_held_out(facts) for facts in left.facts)


def test_every_colour_place_and_thing_is_trained_on() -> None:
    seen = [c for c in all_of(THINGS) if not c.is_held_out]
    share = 1 - len(seen) / len(all_of(THINGS))
    assert 0.09 < share < 0.16
    assert {c.colour for c in seen} == set(DYES) and {c.place for c in seen} == set(PLACES)
    assert {(c.thing, c.colour) for c in seen} == {(t, c) for t in THINGS for c in DYES}


@pytest.mark.parametrize("place", sorted(PLACES))
def test_things_lie_where_it_is_said_in_the_colour(place: str) -> None:
    made = compositions.compositions(icons(), 200, 2)
    x, y = PLACES[place][1:]
    rows = []
    for k, facts in enumerate(made.facts):
        shown = composition_of(facts)
        if shown is not None and shown.place == place and shown.colour == "red":
            rows.append(k)
    assert rows
    for row in rows:
        rgba = torch.from_numpy(made.pictures[row]).float() / 255
        weight = rgba[3] / rgba[3].sum()
        at = torch.linspace(0, 1, SIDE_PX)
        assert float((weight.sum(0) * at).sum()) == pytest.approx(x, abs=0.13)
        assert float((weight.sum(1) * at).sum()) == pytest.approx(y, abs=0.13)
        red, green, blue = (rgba[c][rgba[3] > 0.9].mean() for c in range(3))
        assert red > 2 * green and red > 2 * blue


def test_a_place_is_told_after_the_thing_in_english_and_before_it_in_korean() -> None:
    facts = compositions.compositions(icons(), 50, 5)
    shown = next(f for f in facts.facts if (c := composition_of(f)) and c.thing == "cat")
    place, ko = shown[2].words["en"], shown[2].words["ko"]
    told = [caption(shown, random.Random(seed))[0] for seed in range(200)]
    english = [t for t in told if place in t]
    korean = [t for t in told if ko in t]
    assert english and all(t.index("cat") < t.index(place) for t in english)
    assert korean and all(t.index(ko) < t.index("cat") for t in korean)


class Painted:
    """Pictures of one colour, which a CLIP has seen."""

    def __init__(self, reader: Clip) -> None:
        self.clip = reader
        self.colours = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1]])
        views = (self.colours[:, :, None, None].expand(-1, -1, 64, 64) + 1) / 2
        self.embeddings = reader.encode_image(views).detach()

    def __len__(self) -> int:
        return 3

    def captions(self, rows: Sequence[int], chance: random.Random) -> list[str]:
        return [("red", "blue", "green")[row] for row in rows]

    def pictures(self, rows: Sequence[int]) -> Tensor:
        return self.colours[list(rows)][:, :, None, None].expand(-1, -1, 16, 16).clone()


def trainer(folder: Path, reader: Clip, steps: int = 40) -> Trainer:
    settings = Settings(steps, batch=16, rate=3e-3, warmup=4)
    return Trainer(settings, CONFIG, Painted(reader), folder, CPU)  # type: ignore[arg-type]


def test_it_learns_to_paint_what_the_clip_saw(tmp_path: Path, reader: Clip) -> None:
    learner = trainer(tmp_path, reader, 60)
    losses = [learner.advance()["loss"] for _ in range(60)]
    assert sum(losses[-10:]) < 0.35 * sum(losses[:10])


def test_a_run_that_was_left_goes_on_bit_for_bit(tmp_path: Path, reader: Clip) -> None:
    whole = trainer(tmp_path / "a", reader)
    for _ in range(6):
        whole.advance()
    first = trainer(tmp_path / "b", reader)
    for _ in range(3):
        first.advance()
    first.run.save()
    second = trainer(tmp_path / "b", reader)
    assert second.run.resume()
    for _ in range(3):
        second.advance()
    for name, value in whole.run.averaged_state().items():
        assert torch.equal(value, second.run.averaged_state()[name]), name


def test_embeddings_and_captions_are_left_out_as_often_as_it_is_said(
    tmp_path: Path, reader: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = trainer(tmp_path, reader)
    silent: list[bool] = []
    without: list[bool] = []
    monkeypatch.setattr(learner, "read", lambda rows, left, seed: silent.extend(left.tolist()))
    monkeypatch.setattr(
        learner.decoder, "embedded", lambda z, dropped: without.extend(dropped.tolist())
    )
    for step in range(200):
        with pytest.raises((AttributeError, TypeError)):  # the network itself is not asked
            learner.loss([0] * 16, torch.Generator().manual_seed(step))
    # 3200 draws: a standard deviation is 0.9 % of captions, 0.5 % of embeddings
    assert sum(silent) / 3200 == pytest.approx(0.5, abs=0.04)
    assert sum(without) / 3200 == pytest.approx(0.1, abs=0.025)


@pytest.mark.parametrize("prediction", ["sample", "epsilon", "v"])
def test_errors_count_the_same_whatever_is_predicted(prediction: str) -> None:
    kept = torch.tensor([0.9999, 0.9, 0.5, 0.01], dtype=torch.float64)
    clean, noise = torch.randn(2, 4, 1, 1, 1, dtype=torch.float64)
    spread = kept[:, None, None, None]
    noisy = spread.sqrt() * clean + (1 - spread).sqrt() * noise
    wanted = target_of(prediction, clean, noise, spread)
    said = wanted + 0.01
    error = (said - wanted).square().flatten() * weights(prediction, kept)
    guess = torch.stack([clean_of(prediction, s, n, float(k))
                         for s, n, k in zip(said, noisy, kept, strict=True)])  # fmt: skip
    meant = (guess - clean).square().flatten() * weights("sample", kept)
    assert torch.allclose(error, meant, rtol=1e-9)


def test_what_was_seen_is_kept(tmp_path: Path, reader: Clip) -> None:
    made = compositions.compositions(icons(), 12, 7)
    first = Captioned(made, reader, 32, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    again = Captioned(made, reader, 32, tmp_path)
    rows = range(12)
    assert torch.equal(first.embeddings, again.embeddings)
    assert torch.equal(first.pictures(rows), again.pictures(rows))
    assert first.pictures(rows).shape == (12, 3, 32, 32)
    assert torch.allclose(first.embeddings.norm(dim=1), torch.ones(12), atol=1e-5)
    assert first.captions([0], random.Random(1))[0]
    other = Captioned(compositions.compositions(icons(), 12, 8), reader, 32, tmp_path)
    assert not torch.equal(other.embeddings, first.embeddings)
    assert len(list(tmp_path.iterdir())) == 2
