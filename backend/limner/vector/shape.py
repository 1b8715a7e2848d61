"""The shape of strokes in figures: how long they are, how wide, and how much they bend."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.vector.strokes import Strokes

SHORTEST = 0.5  # of its width: a shorter stroke is a dot, which has no bend
SHORTEST_CHORD = 1e-3  # pixels; a shorter one has no direction
ARC = 1.2  # radians that one cubic may turn: it is then a circle's arc to a thousandth


@dataclass(frozen=True, slots=True)
class Shape:
    """Figures of S strokes.

    Attributes:
        length: (S,) of the middle line, in pixels.
        width: (S,) in pixels.
        bend: (S,) radians turned on the way, all turns counted as positive; 0 for a straight
            stroke, 2 pi for a circle.
        weight: (S,) how much each counts: of a drawing's strokes, their opacity.
    """

    length: Tensor
    width: Tensor
    bend: Tensor
    weight: Tensor

    @property
    def is_dot(self) -> Tensor:
        """(S,) bool: which have no length to speak of, and so no bend."""
        return self.length < SHORTEST * self.width


def shape(strokes: Strokes, steps: int = 16) -> Shape:
    """The shape of every stroke of a drawing; differentiable.

    Args:
        steps: a cubic is measured as so many chords.
    """
    chords, owner = _chords(strokes, steps)
    sizes = (chords.square().sum(1) + SHORTEST_CHORD**2).sqrt() - SHORTEST_CHORD
    none = torch.zeros_like(strokes.width)
    length = none.index_add(0, owner, sizes)
    bend = none.index_add(0, owner[1:], _turns(chords, owner, sizes.detach()))
    return Shape(length, strokes.width, bend, strokes.rgba[:, 3])


def _chords(strokes: Strokes, steps: int) -> tuple[Tensor, Tensor]:
    """(Q, 2) chords of all strokes one after the other, and (Q,) the stroke of each."""
    count = strokes.segments
    owner = torch.repeat_interleave(torch.arange(strokes.count), count)
    within = torch.arange(len(owner)) - (count.cumsum(0) - count)[owner]
    first = strokes.offsets[owner] + 3 * within
    corners = strokes.points[first[:, None] + torch.arange(4)]  # (N, 4, 2)
    t = torch.linspace(0, 1, steps + 1, device=corners.device)[:, None]
    weights = torch.cat([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3], 1)
    curve = torch.einsum("tk,nkd->ntd", weights, corners)
    return curve.diff(dim=1).flatten(0, 1), owner.repeat_interleave(steps).to(corners.device)


def _turns(chords: Tensor, owner: Tensor, sizes: Tensor) -> Tensor:
    """(Q - 1,) the angle between each chord and the next of the same stroke, not negative."""
    counts = (owner[1:] == owner[:-1]) & (sizes[1:] > SHORTEST_CHORD)
    counts = counts & (sizes[:-1] > SHORTEST_CHORD)
    safe = torch.tensor([1.0, 0.0], device=chords.device)  # atan2 has no gradient at 0, 0
    a, b = (torch.where(counts[:, None], c, safe) for c in (chords[:-1], chords[1:]))
    return torch.atan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(1)).abs()


def quantiles(values: Tensor, weights: Tensor, count: int) -> Tensor:
    """(count,) values, rising, that stand for weighted ones (N,): those in the middle of each of
    `count` equal shares."""
    order = values.argsort()
    share = weights[order].double().cumsum(0)
    places = (torch.arange(count, device=values.device, dtype=torch.float64) + 0.5) / count
    at = torch.searchsorted(share, places * share[-1]).clamp_max(len(values) - 1)
    return values[order][at]


def distance(ours: Tensor, theirs: Tensor, weights: Tensor | None = None) -> float:
    """The Wasserstein-1 distance of two sets of numbers, (N,) and (M,), none of them empty: the
    mean way by which one has to be moved to become the other, in their unit.

    Args:
        weights: (N,) how much each of `ours` counts; all the same if None.
    """
    weights = torch.ones_like(ours) if weights is None else weights
    a, b = quantiles(ours, weights, 512), quantiles(theirs, torch.ones_like(theirs), 512)
    return float((a - b).abs().mean())


def arc(middle: Tensor, heading: float, length: float, bend: float, count: int = 0) -> Tensor:
    """(3n + 1, 2) control points of a line of constant curvature.

    Args:
        middle: (2,) where the middle of the line lies, in pixels.
        heading: its direction there, in radians.
        length: in pixels.
        bend: radians that it turns from end to end; 0 is straight.
        count: its cubic segments; as many as the bend needs, at least.
    """
    count = max(1, count, math.ceil(abs(bend) / ARC))
    curvature = (bend if abs(bend) > 1e-4 else 1e-4) / max(length, 1e-6)
    s = (torch.arange(count + 1, dtype=torch.float64) / count - 0.5) * length
    angle = heading + curvature * s
    at = torch.stack([angle.sin() - math.sin(heading), math.cos(heading) - angle.cos()], 1)
    way = torch.stack([angle.cos(), angle.sin()], 1)
    handle = 4 / 3 * math.tan(curvature * length / count / 4) / curvature
    ends = at / curvature + middle.double()
    rows = torch.stack([ends[:-1], ends[:-1] + handle * way[:-1], ends[1:] - handle * way[1:]], 1)
    return torch.cat([rows.reshape(-1, 2), ends[-1:]]).float()
