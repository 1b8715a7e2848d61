"""The part of a canvas that a generator paints, and how what it painted is put back.

A generator paints squares of one size: it gets the largest square in the middle of the canvas, or
one that lies, perhaps turned, round a face (`models.faces`), and what it makes of it is put back
inside the mask. There it meets the canvas without a seam: the difference along the border is
spread over the inside as smoothly as can be (Poisson image editing, Perez, Gangnet & Blake 2003,
section 3, with the membrane of eq. 4), on a pyramid, coarse to fine. Outside the mask every number
stays what it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.arcface import pooled
from limner.models.faces import Square

SWEEPS, LARGE_PX = 6, 128  # relaxations of a level that is larger; of others there are twice that
SMALLEST = 4  # the side of the last level
MARGIN_PX = 1  # of a turned square: it stays, to meet the canvas


@dataclass(frozen=True, slots=True)
class Patch:
    """A square of a canvas.

    Attributes:
        canvas: (3, H, W) in [0, 1].
        mask: (h, w) in [0, 1], where the canvas may change within `rows` and `columns`; None for
            everywhere.
        rows, columns: what of the canvas the square covers.
        side: of the square, in pixels.
        square: where it lies, if it is not just `rows` and `columns`.
    """

    canvas: Tensor
    mask: Tensor | None
    rows: slice
    columns: slice
    side: int
    square: Square | None = None

    @classmethod
    def of(cls, canvas: Tensor, mask: Tensor | None = None, square: Square | None = None) -> Patch:
        """That square of (3, H, W), the largest in the middle if none is given; with an (H, W)
        mask."""
        height, width = canvas.shape[1:]
        if square is not None:
            rows, columns = _covered(square, height, width)
            side = max(1, round(square.side))
            whole = cls(canvas, None, rows, columns, side, square)
            inside = (whole._seen_from().abs() < 1 - 2 * MARGIN_PX / side).all(-1).to(canvas)
            return replace(whole, mask=inside if mask is None else inside * mask[rows, columns])
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        rows, columns = slice(top, top + side), slice(left, left + side)
        open_ = None if mask is None else mask[rows, columns]
        if open_ is not None and bool((open_ == 1).all()):
            open_ = None
        if open_ is None and height != width:
            open_ = canvas.new_ones(side, side)  # its border is one with the canvas
        return cls(
            canvas, None if open_ is None else _apart(open_, height, width), rows, columns, side
        )

    def cut(self, size: int) -> Tensor:
        """(1, 3, size, size) in [-1, 1]: the square as a generator takes it; what of it lies beyond
        the canvas is mirrored."""
        square = self._covered_part()[None]
        if self.square is not None:
            square = F.grid_sample(
                self.canvas[None], self._lies_at()[None], padding_mode="reflection",
                align_corners=False,
            )  # fmt: skip
        return resized(square, size) * 2 - 1

    def put(self, painted: Tensor, before: Tensor | None = None, detail: float = 0.0) -> Tensor:
        """(3, H, W) in [0, 1]: the canvas with (1, 3, S, S) in [-1, 1] in its place.

        Args:
            before: the picture as the generator painted it without any change.
            detail: in [0, 1], how much of what that lacks of the canvas is added.
        """
        old = self._covered_part()
        fresh = self._placed(painted)
        if before is not None and detail:
            fresh = (fresh + detail * (old - self._placed(before))).clamp(0, 1)
        if self.mask is not None:
            seamless = (fresh + membrane(old - fresh, self.mask == 0)).clamp(0, 1)
            fresh = old + self.mask * (seamless - old)
        out = self.canvas.clone()
        out[:, self.rows, self.columns] = fresh
        return out

    def _covered_part(self) -> Tensor:
        return self.canvas[:, self.rows, self.columns]

    def _placed(self, painted: Tensor) -> Tensor:
        """(3, h, w) in [0, 1]: a generator's picture as it lies in `rows` and `columns`."""
        enlarged = resized((painted.clamp(-1, 1) + 1) / 2, self.side).clamp(0, 1)
        if self.square is None:
            return enlarged[0]
        at = self._seen_from()[None].to(enlarged)
        return F.grid_sample(enlarged, at, padding_mode="border", align_corners=False)[0]

    def _lies_at(self) -> Tensor:
        """(side, side, 2): where on the canvas the square's pixels lie, in [-1, 1] (x, y)."""
        assert self.square is not None  # noqa: S101
        s, steps = self.square, _middles(0, self.side, self.canvas) * 2 / self.side - 1
        v, u = torch.meshgrid(steps, steps, indexing="ij")
        cos, sin = math.cos(s.turn), math.sin(s.turn)
        x = s.x + s.side / 2 * (u * cos - v * sin)
        y = s.y + s.side / 2 * (u * sin + v * cos)
        height, width = self.canvas.shape[1:]
        return torch.stack([x * 2 / width - 1, y * 2 / height - 1], -1)

    def _seen_from(self) -> Tensor:
        """(h, w, 2): where in the square the canvas' pixels lie, in [-1, 1] (x, y)."""
        assert self.square is not None  # noqa: S101
        s = self.square
        y, x = torch.meshgrid(
            _middles(self.rows.start, self.rows.stop, self.canvas) - s.y,
            _middles(self.columns.start, self.columns.stop, self.canvas) - s.x,
            indexing="ij",
        )
        cos, sin = math.cos(s.turn), math.sin(s.turn)
        return torch.stack([x * cos + y * sin, y * cos - x * sin], -1) * 2 / s.side


def _middles(first: int, last: int, like: Tensor) -> Tensor:
    return torch.arange(first, last, device=like.device, dtype=like.dtype) + 0.5


def _covered(square: Square, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns of a canvas that a square touches."""
    cos, sin = abs(math.cos(square.turn)), abs(math.sin(square.turn))
    reach = square.side / 2 * (cos + sin)

    def part(middle: float, size: int) -> slice:
        return slice(max(0, math.floor(middle - reach)), min(size, math.ceil(middle + reach)))

    return part(square.y, height), part(square.x, width)


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
