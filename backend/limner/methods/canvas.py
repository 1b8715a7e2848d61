"""What strokes are drawn on, and the part of it that is looked at.

The optimisation's raster is only as fine as the networks can see (`DETAIL` times their input),
since strokes have no resolution of their own; the result is rendered as large as one likes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.losses.cutouts import Box
from limner.methods.base import WHITE, Inputs
from limner.vector.rasterizer import render
from limner.vector.strokes import Strokes
from limner_wire.errors import ErrorCode, LimnerError

DETAIL = 2.0  # raster pixels for each pixel of the networks' input
MARGIN = 0.15  # round the mask's bounding box, in parts of its longer side
PAPER_SIDE_PX = 224  # the canvas for which the papers' pixel constants hold


@dataclass(frozen=True, slots=True)
class Canvas:
    """The drawing's ground at the optimisation's resolution.

    Attributes:
        size: (height, width) in canvas pixels.
        scale: raster pixels for each canvas pixel.
        ground: (3, h, w) the background at raster size.
        fill: (3,) the colour round the canvas: the background's mean.
        mask: (h, w) at raster size, or None.
        box: the square that cutouts are taken from, in parts of the canvas.
    """

    size: tuple[int, int]
    scale: float
    ground: Tensor
    fill: Tensor
    mask: Tensor | None
    box: Box

    @property
    def unit_px(self) -> float:
        """Canvas pixels for one pixel of the papers' 224 px canvas."""
        return max(self.size) / PAPER_SIDE_PX

    def render(self, strokes: Strokes) -> Tensor:
        """(3, h, w) the strokes over the ground, mask or none; differentiable."""
        return render(strokes, self.size, background=self.ground, scale=self.scale)[0]

    def paint(self, strokes: Strokes) -> Tensor:
        """(3, h, w) the strokes over the ground, inside the mask; differentiable."""
        return self.within(self.render(strokes))

    def within(self, image: Tensor) -> Tensor:
        """The image where the mask is open, the ground elsewhere; for (…, 3, h, w)."""
        return image if self.mask is None else self.ground + self.mask * (image - self.ground)

    def paint_each(self, drawings: Strokes, scenes: Tensor) -> Tensor:
        """(B, 3, h, w): many drawings, packed, each over the ground."""
        return self.within(
            render(drawings, self.size, background=self.ground, scale=self.scale, scenes=scenes)
        )


def prepare(inputs: Inputs, view_px: int, device: torch.device) -> Canvas:
    """The canvas for networks that see `view_px` pixels a side.

    Raises:
        LimnerError: BAD_INPUT if the mask leaves nothing to draw on.
    """
    height, width = inputs.size
    scale = min(1.0, DETAIL * view_px / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    if inputs.background is None:
        ground = torch.tensor(WHITE, device=device)[:, None, None].expand(3, *small).contiguous()
    else:
        ground = resized(inputs.background.to(device), small)
    mask = None if inputs.mask is None else resized(inputs.mask.to(device)[None], small)[0]
    return Canvas(
        inputs.size, scale, ground, ground.mean((1, 2)), mask, square_box(inputs.size, mask)
    )


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, H, W) at another size, smoothed when it shrinks."""
    if tuple(picture.shape[1:]) == size:
        return picture
    return F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]


def square_box(size: tuple[int, int], mask: Tensor | None) -> Box:
    """The square (in pixels) round the canvas, or round what the mask leaves open."""
    height, width = size
    left, top, right, bottom = 0.0, 0.0, 1.0, 1.0
    if mask is not None:
        rows, columns = (mask > 0.5).any(1).nonzero(), (mask > 0.5).any(0).nonzero()
        if not len(rows):
            raise LimnerError(
                ErrorCode.BAD_INPUT,
                "The mask leaves nothing to draw on.",
                "White is where strokes may go; check that it is not all black.",
            )
        top, bottom = int(rows[0]) / len(mask), (int(rows[-1]) + 1) / len(mask)
        left, right = int(columns[0]) / mask.shape[1], (int(columns[-1]) + 1) / mask.shape[1]
    side = max((right - left) * width, (bottom - top) * height)
    if mask is not None:
        side = min(side * (1 + 2 * MARGIN), max(height, width))
    middle = ((left + right) / 2, (top + bottom) / 2)
    return (
        middle[0] - side / width / 2,
        middle[1] - side / height / 2,
        side / width,
        side / height,
    )
