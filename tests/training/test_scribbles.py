"""The tower's own drawings, told to it as scribbles."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from limner.methods.base import Models
from limner.training import clip as training
from limner.training.clip import Settings, Trainer
from limner.training.corpora import Corpus
from limner.training.scenes import scenes
from limner.training.scribbles import SCRIBBLE, centred, cut, scribble


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return scenes(12, seed=9)


def test_scribbles_are_near_what_they_were_meant_to_be(starter: Models, corpus: Corpus) -> None:
    clip = starter.clips[0].clip
    texts = clip.encode_text([facts[0].words["en"] for facts in corpus.facts[:6]])
    aims = centred(texts, clip.encode_text(["a dog", "a boat", "a red circle"]).mean(0))
    made = scribble(corpus.facts[:6], aims, clip.encode_image, random.Random(3))
    assert len(made) == 6 and all(s.picture.shape == (3, 64, 64) for s in made)
    pictures = torch.stack([s.picture for s in made])
    assert pictures.isfinite().all() and pictures.min() >= 0 and pictures.max() <= 1.0001
    paper = made[0].ground.expand(1, 3, 64, 64)
    with torch.no_grad():
        near = (clip.encode_image(pictures) * aims).sum(1)
        before = (clip.encode_image(paper) * aims).sum(1)
    assert (near > before + 0.05).all()
    views = cut(made, random.Random(0))
    assert views.shape == (6, 3, 64, 64) and views.min() >= 0 and views.max() <= 1


def test_a_batch_holds_scribbles_and_what_they_were_meant_to_be(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "RADIUS_FROM", (0, 1))
    settings = Settings(steps=4, batch=8, warmup=1, attack=0.5, scribbles=0.25)
    trainer = Trainer(settings, corpus, tmp_path)
    trainer.advance()
    assert not trainer.scribbles  # they begin when the attack has its full length
    trainer.step = training.SCRIBBLE_EVERY
    assert trainer.advance()["loss"] > 0 and len(trainer.scribbles) == 12
    assert all(p.requires_grad for p in trainer.model.parameters())
    pictures, captions, told, true = trainer.batch()
    assert pictures.shape == (8, 3, 64, 64) and len(captions) == len(told) == 10
    fitting = training.fits(told, true)
    assert [SCRIBBLE.key in keys for keys in true] == [False] * 6 + [True] * 2
    # a scribble fits the captions that call it one, and not what it was meant to be
    assert fitting[6:, 6:8].all() and not fitting[6:, :6].any() and not fitting[6:, 8:].any()
    assert not fitting[:6, 6:8].any()
