"""The sheet that a portrait's marks are laid on, whatever the medium."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limner.training.portraits import raster
from limner.training.portraits.marks import Mark
from limner.training.portraits.palette import Floats
from limner.training.portraits.textures import Plane

Picture = NDArray[np.float32]

THINNEST_PX = 0.9  # of a line: a thinner one would only be paler


class Sheet:
    """A picture that marks are laid on.

    Attributes:
        image: (H, W, 3) float32.
        figure: (H, W) float32, how much of each pixel any mark covers.
        crisp: pixels are wholly covered or not at all.
    """

    def __init__(self, side_px: int, ground: Floats | Picture, crisp: bool = False) -> None:
        self.side_px, self.crisp = side_px, crisp
        self.image: Picture = np.empty((side_px, side_px, 3), np.float32)
        self.image[:] = ground
        self.figure: Plane = np.zeros((side_px, side_px), np.float32)
        self._inside: tuple[Mark | None, Plane] = (None, self.figure)

    def lay(self, mark: Mark) -> Plane:
        """Paint a mark; returns where it came to lie."""
        mask = self.coverage(mark)
        red, green, blue = mark.rgb.tolist()
        raster.over(self.image, mask, red, green, blue, mark.opacity)
        if not mark.shade:
            np.maximum(self.figure, mask, out=self.figure)
        return mask

    def coverage(self, mark: Mark) -> Plane:
        """(H, W) in [0, 1]: what of each pixel a mark covers."""
        mask = np.empty((self.side_px, self.side_px), np.float32)
        points = mark.points * self.side_px
        if mark.kind == "fill":
            raster.fill(points, mask)
        elif mark.kind == "line":
            raster.line(points, self.line_width_px(mark.width), mask)
        else:
            (x, y), (rx, ry) = points.tolist()
            raster.glow(x, y, rx, ry, mask)
        if self.crisp:
            mask = (mask > 0.5).astype(np.float32)
        if mark.inside is not None:
            mask *= self._within(mark.inside)
        return mask

    def line_width_px(self, width: float) -> float:
        """Pixels; in pixel art a line is one pixel wide, or two if it is very thick."""
        return max(width * self.side_px, 1.15 if self.crisp else THINNEST_PX)

    def _within(self, mark: Mark) -> Plane:
        """The coverage of an outline; the last one is remembered."""
        if self._inside[0] is not mark:
            self._inside = (mark, self.coverage(mark))
        return self._inside[1]
