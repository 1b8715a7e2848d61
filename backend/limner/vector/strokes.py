"""Strokes as packed tensors: what the rasterizer draws, the methods optimise and an SVG holds.

A stroke is an open path of one or more cubic Bézier segments with round caps and joins, one
width and one colour. All strokes of a drawing lie in four tensors, in painting order: the last
lies on top. There are no per-stroke objects, so that an optimiser steps over three leaves and
a kernel reads memory in order. Strokes in space have a depth at each control point too: what
lies in `points` is then their front view, and `space` turns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Strokes:
    """Packed strokes in painting order.

    Attributes:
        points: (P, 2) float32, control points as x, y in canvas pixels; the centre of the top
            left pixel is (0.5, 0.5). Stroke s owns rows ``offsets[s]:offsets[s+1]``: 3n+1
            points for n cubic segments, neighbours sharing their end point.
        offsets: (S+1,) int64 on the CPU, rising from 0 to P.
        width: (S,) float32, the full width in pixels, as SVG's ``stroke-width``.
        rgba: (S, 4) float32 in [0, 1], straight (not premultiplied) alpha, sRGB.
        depth: (P,) float32, pixels away from the viewer, or None for a flat drawing.
    """

    points: Tensor
    offsets: Tensor
    width: Tensor
    rgba: Tensor
    depth: Tensor | None = None

    def __post_init__(self) -> None:
        count = self.offsets.shape[0] - 1
        if self.points.ndim != 2 or self.points.shape[1] != 2:
            raise ValueError(f"points must be (P, 2), got {tuple(self.points.shape)}")
        if count < 0 or int(self.offsets[0]) != 0 or int(self.offsets[-1]) != len(self.points):
            raise ValueError("offsets must rise from 0 to the number of points")
        sizes = self.offsets.diff()
        if count and (int(sizes.min()) < 4 or bool((sizes % 3 != 1).any())):
            raise ValueError("every stroke needs 3n+1 control points, n >= 1")
        if self.width.shape != (count,) or self.rgba.shape != (count, 4):
            raise ValueError(f"{count} strokes need width ({count},) and rgba ({count}, 4)")
        if self.depth is not None and self.depth.shape != (len(self.points),):
            raise ValueError(f"depth must be ({len(self.points)},), not {tuple(self.depth.shape)}")

    @property
    def count(self) -> int:
        """How many strokes."""
        return self.offsets.shape[0] - 1

    @property
    def segments(self) -> Tensor:
        """(S,) int64: cubic segments of each stroke."""
        return (self.offsets.diff() - 1) // 3

    @property
    def owner(self) -> Tensor:
        """(P,) int64 on the device of `points`: the stroke to which each control point belongs."""
        return torch.repeat_interleave(torch.arange(self.count), self.offsets.diff()).to(
            self.points.device
        )

    def detach(self) -> Strokes:
        """The same numbers, copied and cut from the autograd graph."""
        return Strokes(
            self.points.detach().clone(),
            self.offsets,
            self.width.detach().clone(),
            self.rgba.detach().clone(),
            None if self.depth is None else self.depth.detach().clone(),
        )

    def to(self, device: torch.device) -> Strokes:
        """The strokes on another device (`offsets` stays on the CPU)."""
        depth = None if self.depth is None else self.depth.to(device)
        return Strokes(
            self.points.to(device), self.offsets, self.width.to(device), self.rgba.to(device), depth
        )

    def scaled(self, factor: float) -> Strokes:
        """The drawing `factor` times as large: points and widths grow, colours stay."""
        depth = None if self.depth is None else self.depth * factor
        return Strokes(self.points * factor, self.offsets, self.width * factor, self.rgba, depth)

    def select(self, keep: Tensor) -> Strokes:
        """The strokes whose number is in `keep`: (K,) int64, in that order, or a mask (S,)."""
        if keep.dtype == torch.bool:
            keep = keep.nonzero().flatten()
        rows, offsets = rows_of(self.offsets, keep.cpu())
        device = self.points.device
        rows, chosen = rows.to(device), keep.to(device)
        depth = None if self.depth is None else self.depth[rows]
        return Strokes(self.points[rows], offsets, self.width[chosen], self.rgba[chosen], depth)


def rows_of(offsets: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Where the control points of chosen strokes lie, and the offsets of these strokes.

    Args:
        offsets: (S+1,) int64 on the CPU.
        chosen: (K,) int64 on the CPU; a stroke may be chosen more than once.

    Returns:
        (Q,) int64 rows among the points, and (K+1,) int64 rising from 0 to Q.
    """
    sizes = offsets.diff()[chosen]
    own = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    shift = torch.repeat_interleave(offsets[chosen] - own[:-1], sizes)
    return torch.arange(int(own[-1])) + shift, own


def pack(drawings: Sequence[Strokes]) -> Strokes:
    """Several drawings as one, in the order given; differentiable.

    If one has depth, the flat ones lie at depth 0.

    Raises:
        ValueError: if there is none.
    """
    if not drawings:
        raise ValueError("nothing to pack")
    starts = torch.tensor([0] + [len(d.points) for d in drawings]).cumsum(0)
    offsets = [d.offsets[1:] + start for d, start in zip(drawings, starts[:-1], strict=True)]
    deep = [d.depth for d in drawings]
    depth = None
    if any(d is not None for d in deep):
        flat = [d.points.new_zeros(len(d.points)) for d in drawings]
        depth = torch.cat([f if d is None else d for d, f in zip(deep, flat, strict=True)])
    return Strokes(
        torch.cat([d.points for d in drawings]),
        torch.cat([torch.zeros(1, dtype=torch.int64), *offsets]),
        torch.cat([d.width for d in drawings]),
        torch.cat([d.rgba for d in drawings]),
        depth,
    )


def empty(device: torch.device | None = None) -> Strokes:
    """A drawing without strokes."""
    return Strokes(
        torch.zeros(0, 2, device=device),
        torch.zeros(1, dtype=torch.int64),
        torch.zeros(0, device=device),
        torch.zeros(0, 4, device=device),
    )
