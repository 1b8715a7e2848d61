"""The part of a canvas that a generator paints, and how what it painted is put back.

A generator paints squares of one size: it gets the largest square in the middle of the canvas, and
what it makes of it is put back inside the mask. There it meets the canvas without a seam: the
difference along the border is spread over the inside as smoothly as can be (Poisson image editing,
Perez, Gangnet & Blake 2003, section 3, with the membrane of eq. 4), on a pyramid, coarse to fine.
Outside the mask every number stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.arcface import pooled

SWEEPS, LARGE_PX = 6, 128  # relaxations of a level that is larger; of others there are twice that
SMALLEST = 4  # the side of the last level


@dataclass(frozen=True, slots=True)
class Patch:
    """A square of a canvas.

    Attributes:
        canvas: (3, H, W) in [0, 1].
        mask: (n, n) in [0, 1], where the square may change; None for everywhere.
        top, left, side: the square, in pixels of the canvas.
    """

    canvas: Tensor
    mask: Tensor | None
    top: int
    left: int
    side: int

    @classmethod
    def of(cls, canvas: Tensor, mask: Tensor | None = None) -> Patch:
        """The largest square in the middle of (3, H, W), with an (H, W) mask."""
        height, width = canvas.shape[1:]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        inside = (slice(top, top + side), slice(left, left + side))
        open_ = None if mask is None else mask[inside]
        if open_ is not None and bool((open_ == 1).all()):
            open_ = None
        if open_ is None and height != width:
            open_ = canvas.new_ones(side, side)  # its border is one with the canvas
        return cls(canvas, None if open_ is None else _apart(open_, height, width), top, left, side)

    def cut(self, size: int) -> Tensor:
        """(1, 3, size, size) in [-1, 1]: the square as a generator takes it."""
        return resized(self._square(), size) * 2 - 1

    def put(self, painted: Tensor, before: Tensor | None = None, detail: float = 0.0) -> Tensor:
        """(3, H, W) in [0, 1]: the canvas with (1, 3, S, S) in [-1, 1] in its place.

        Args:
            before: the picture as the generator painted it without any change.
            detail: in [0, 1], how much of what that lacks of the canvas is added.
        """
        old = self._square()[0]
        fresh = self._enlarged(painted)
        if before is not None and detail:
            fresh = (fresh + detail * (old - self._enlarged(before))).clamp(0, 1)
        if self.mask is None:
            return fresh
        seamless = (fresh + membrane(old - fresh, self.mask == 0)).clamp(0, 1)
        out = self.canvas.clone()
        rows, columns = self._where()
        out[:, rows, columns] = old + self.mask * (seamless - old)
        return out

    def _enlarged(self, painted: Tensor) -> Tensor:
        return resized((painted.clamp(-1, 1) + 1) / 2, self.side)[0].clamp(0, 1)

    def _where(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)

    def _square(self) -> Tensor:
        rows, columns = self._where()
        return self.canvas[None, :, rows, columns]


def _apart(mask: Tensor, height: int, width: int) -> Tensor:
    """The mask, closed along the sides beyond which the canvas goes on."""
    out = mask.clone()
    if height > width:
        out[0] = out[-1] = 0
    if width > height:
        out[:, 0] = out[:, -1] = 0
    return out


def resized(picture: Tensor, side: int) -> Tensor:
    """(B, 3, n, n) at another size: means when it shrinks, smooth when it grows."""
    if picture.shape[-1] >= side:
        return pooled(picture, side)
    return F.interpolate(picture, (side, side), mode="bicubic", align_corners=False)


def membrane(values: Tensor, known: Tensor) -> Tensor:
    """(3, h, w): the known values, and between them what has no bumps of its own (Laplace's
    equation; at the canvas' edge nothing flows).

    Args:
        values: (3, h, w), of which only those that are `known`, (h, w) bool, are used.
    """
    if not bool(known.any()):
        return torch.zeros_like(values)
    return _spread(values * known, known)


def _spread(values: Tensor, known: Tensor) -> Tensor:
    height, width = known.shape
    share = known.to(values.dtype)
    if min(height, width) <= SMALLEST:
        rest = values.sum((1, 2), keepdim=True) / share.sum().clamp_min(1)
        return _relaxed(torch.where(known, values, rest), known, 8 * SWEEPS)
    room = (0, width % 2, 0, height % 2)
    counts = F.avg_pool2d(F.pad(share[None], room), 2)[0]
    sums = F.avg_pool2d(F.pad(values, room), 2)
    coarse = _spread(sums / counts.clamp_min(1e-8), counts > 0)
    size = (height + height % 2, width + width % 2)
    guess = F.interpolate(coarse[None], size, mode="bilinear", align_corners=False)[0]
    sweeps = SWEEPS if max(height, width) > LARGE_PX else 2 * SWEEPS
    return _relaxed(torch.where(known, values, guess[:, :height, :width]), known, sweeps)


def _relaxed(at: Tensor, known: Tensor, sweeps: int) -> Tensor:
    """Every unknown value to the mean of its neighbours, red fields and black ones in turn."""
    rows = torch.arange(known.shape[0], device=at.device)[:, None]
    columns = torch.arange(known.shape[1], device=at.device)
    red = (rows + columns) % 2 == 0
    for turn in range(2 * sweeps):
        padded = F.pad(at[None], (1, 1, 1, 1), mode="replicate")[0]
        mean = (padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
                + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]) / 4  # fmt: skip
        at = torch.where(~known & (red if turn % 2 == 0 else ~red), mean, at)
    return at
