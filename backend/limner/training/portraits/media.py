"""Four media: the same marks in flat colour, watercolour, pencil and pixel art.

Each takes a portrait and a size and returns the picture, (H, W, 3) float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.figure import background, halo, marks
from limner.training.portraits.pencil import pencil
from limner.training.portraits.sheet import Picture, Sheet
from limner.training.portraits.sprite import GRID
from limner.training.portraits.watercolour import watercolour

HAIRLINE = 0.0118  # lines up to this width are left out of pixel art
RIM = (0.16, 0.13, 0.20)  # round a sprite


def flat(p: Portrait, side_px: int) -> Picture:
    """Clean shapes of even colour."""
    sheet = Sheet(side_px, background(p))
    for mark in (halo(p), *marks(p)):
        sheet.lay(mark)
    return sheet.image


def pixel_art(p: Portrait, side_px: int) -> Picture:
    """A sprite on a grid of 32, its pixels crisp, with a dark rim round the figure."""
    sheet = Sheet(GRID, background(p), crisp=True)
    sheet.lay(halo(p))
    sheet.figure[:] = 0
    for mark in marks(p):
        if mark.kind == "fill" or mark.width > HAIRLINE:
            sheet.lay(mark)
    inside = sheet.figure > 0.5
    spread = np.pad(inside, 1)
    near = spread[:-2, 1:-1] | spread[2:, 1:-1] | spread[1:-1, :-2] | spread[1:-1, 2:]
    sheet.image[near & ~inside] = RIM
    pick = np.arange(side_px) * GRID // side_px
    return sheet.image[pick[:, None], pick[None, :]]


MEDIA: dict[str, Callable[[Portrait, int], Picture]] = {
    "flat": flat, "watercolour": watercolour, "pencil": pencil, "pixel art": pixel_art,
}  # fmt: skip
