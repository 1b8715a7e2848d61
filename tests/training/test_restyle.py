"""Pictures in other hands: what each keeps of the picture, and what none of them may touch."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from limner.training import restyle
from limner.training.augment import augment, colour_fact
from limner.training.corpora import Fact


def _disc(count: int = 4, side: int = 64) -> Tensor:
    """(B, 3, side, side): a dark red disc on white."""
    ticks = torch.arange(side) - (side - 1) / 2
    inside = (ticks[:, None] ** 2 + ticks[None] ** 2 < (side * 0.3) ** 2).float()
    colour = torch.tensor([0.6, 0.1, 0.1])[:, None, None]
    return (inside * colour + 1 - inside).expand(count, -1, -1, -1).clone()


@pytest.mark.parametrize("hand", restyle.HANDS, ids=lambda h: h.__name__)
def test_each_hand_keeps_where_the_thing_is(hand: restyle.Hand) -> None:
    pictures = _disc(24, 128)
    out = hand(pictures, torch.Generator().manual_seed(3))
    assert out.shape == pictures.shape and out.isfinite().all()
    assert out.min() > -0.01 and out.max() < 1.01
    paper = out[:, :, :6, :6].mean((2, 3), keepdim=True)
    there = (out - paper).abs().sum(1)
    inside = there[:, 44:84, 44:84].mean((1, 2))
    if hand is restyle.outlined:
        assert (inside < 0.02).all(), "a flat colour has no lines"
        assert (there[:, 60:68, 20:34].mean((1, 2)) > 0.1).all(), "its edge has one"
    else:
        assert (inside > 0.03).float().mean() > 0.9
    assert (there[:, :8].mean((1, 2)) < 0.01).all(), "nothing is drawn on the paper"


def test_what_is_toned_has_two_colours_alone() -> None:
    out = restyle.toned(_disc(), torch.Generator().manual_seed(0))
    for picture in out:
        assert len(picture.flatten(1).T.unique(dim=0)) == 2


def test_the_same_noise_gives_the_same_hands() -> None:
    pictures = _disc(8)
    first, second, third = (
        restyle.restyled(pictures, torch.Generator().manual_seed(s)) for s in (5, 5, 6)
    )
    assert torch.equal(first, second) and not torch.equal(first, third)
    assert (first - pictures).abs().flatten(1).amax(1).min() > 0.05, "each is restyled"


def test_a_picture_whose_colour_is_told_is_not_restyled() -> None:
    """ "A red apple" in grey would be a wrong picture."""
    rgba = torch.cat([_disc(), torch.ones(4, 1, 64, 64)], 1)
    label = Fact("label:disc", {"en": "disc", "ko": "원반"})
    told = [[label, colour_fact("red")]] * 4
    plain, _ = augment(rgba, told, random.Random(1))
    same, _ = augment(rgba, told, random.Random(1), restyle=1.0)
    assert torch.equal(plain, same)
    for seed in range(3):
        before, dyed = augment(rgba, [[label]] * 4, random.Random(seed))
        after, again = augment(rgba, [[label]] * 4, random.Random(seed), restyle=1.0)
        assert [len(f) for f in dyed] == [len(f) for f in again]
        for one, other, colours in zip(before, after, dyed, strict=True):
            if not colours:
                assert (one - other).abs().max() > 0.2
