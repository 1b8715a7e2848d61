"""Packed strokes: choosing and joining keep every stroke's own numbers, and its depth."""

from __future__ import annotations

import pytest
import torch

from limner.vector.strokes import Strokes, empty, pack


def strokes(*segments: int, deep: bool = True) -> Strokes:
    """Stroke s has all its numbers equal to s."""
    sizes = torch.tensor([3 * n + 1 for n in segments])
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    each = torch.arange(len(segments), dtype=torch.float32)
    owner = torch.repeat_interleave(each, sizes)
    points = owner[:, None].expand(-1, 2).clone()
    rgba = each[:, None].expand(-1, 4).clone()
    return Strokes(points, offsets, each, rgba, owner.clone() if deep else None)


@pytest.mark.parametrize("keep", [[3, 0, 1], [2], [], [1, 1, 3]])
def test_chosen_strokes_come_in_the_order_asked_for(keep: list[int]) -> None:
    chosen = strokes(1, 3, 2, 1).select(torch.tensor(keep, dtype=torch.int64))
    assert chosen.width.tolist() == keep and chosen.rgba[:, 0].tolist() == keep
    assert chosen.segments.tolist() == [[1, 3, 2, 1][k] for k in keep]
    assert chosen.depth is not None
    assert chosen.points[:, 0].tolist() == chosen.depth.tolist() == [keep[s] for s in chosen.owner]


def test_a_mask_chooses_too() -> None:
    chosen = strokes(1, 3, 2).select(torch.tensor([True, False, True]))
    assert chosen.width.tolist() == [0, 2] and chosen.segments.tolist() == [1, 2]


def test_what_is_packed_comes_apart_again() -> None:
    one, other = strokes(1, 2), strokes(3, deep=False)
    both = pack([one, other, empty()])
    assert both.depth is not None and both.depth.tolist() == [0] * 4 + [1] * 7 + [0] * 10
    back = both.select(torch.tensor([0, 1]))
    assert torch.equal(back.points, one.points) and torch.equal(back.offsets, one.offsets)
    assert pack([other, other]).depth is None


def test_depth_goes_along() -> None:
    deep = strokes(1, 2)
    for same in (deep.detach(), deep.to(torch.device("cpu"))):
        assert same.depth is not None and torch.equal(same.depth, deep.depth)
    larger = deep.scaled(3).depth
    assert larger is not None and larger.tolist() == [0] * 4 + [3] * 7
    with pytest.raises(ValueError, match="depth"):
        Strokes(deep.points, deep.offsets, deep.width, deep.rgba, torch.zeros(3))
