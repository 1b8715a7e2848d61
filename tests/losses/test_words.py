"""Wishes as targets: what `contrast` takes away, and what it leaves."""

from __future__ import annotations

import torch

from limner.losses.words import Wish, set_apart, targets
from limner.methods.base import Models

THINGS = ["a strawberry", "a cactus", "a lighthouse", "a fox", "a teapot"]


def likeness(texts: torch.Tensor) -> float:
    """The mean cosine between different texts."""
    among = texts @ texts.T
    return float((among.sum() - among.trace()) / (len(texts) * (len(texts) - 1)))


def test_without_contrast_targets_are_the_texts(starter: Models) -> None:
    clip = starter.clips[0].clip
    (target,) = targets(starter.clips, [Wish("a fox"), Wish("a dog", -0.3)])
    torch.testing.assert_close(target.texts, clip.encode_text(["a fox", "a dog"]))
    torch.testing.assert_close(target.weights, torch.tensor([1.0, -0.3]))


def test_contrast_sets_things_apart_and_keeps_each_itself(starter: Models) -> None:
    clip = starter.clips[0].clip
    plain, half, full = (set_apart(clip, THINGS, c) for c in (0.0, 0.5, 1.0))
    assert likeness(plain) > likeness(half) > likeness(full) and likeness(full) < 0.25
    torch.testing.assert_close(full.norm(dim=1), torch.ones(5), atol=1e-5, rtol=0)
    assert ((full @ plain.T).argmax(1) == torch.arange(5)).all()
