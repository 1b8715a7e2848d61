"""Paper, pigment and hatching: patterns that are fixed in the picture, the same in every portrait.

They never depend on the portrait, so a generator that learns portraits has to learn each only once.
All are in [0, 1], made from constants, for a picture of any size.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]


@lru_cache(maxsize=64)
def cloud(side_px: int, cells: int, seed: int) -> Plane:
    """(H, W) smooth noise of `cells` humps a side; mean 0.5."""
    numbers = np.random.RandomState(seed).rand(cells + 1, cells + 1).astype(np.float32)
    picture = Image.fromarray(numbers).resize((side_px, side_px), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(picture, dtype=np.float32), 0, 1)


@lru_cache(maxsize=16)
def grain(side_px: int) -> Plane:
    """(H, W) the tooth of the paper, as fine as the picture allows; mean 0.5."""
    fine = cloud(side_px, min(side_px, 220), 11)
    return 0.65 * fine + 0.35 * cloud(side_px, min(side_px, 110), 12)


@lru_cache(maxsize=32)
def hatching(side_px: int, angle: float, seed: int) -> Plane:
    """(H, W) slightly waving parallel lines as heights: ink lies where a tone exceeds them."""
    lines = min(84.0, side_px / 2.75)
    ticks = (np.arange(side_px, dtype=np.float32) + 0.5) / side_px
    x, y = np.meshgrid(ticks, ticks)
    sway = 0.022 * (cloud(side_px, 5, seed) - 0.5) + 0.006 * (cloud(side_px, 14, seed + 1) - 0.5)
    phase = (x * math.cos(angle) + y * math.sin(angle) + sway) * lines
    heights = 0.5 - 0.5 * np.cos(2 * math.pi * phase)
    out: Plane = heights.astype(np.float32)
    return out


def softened(plane: NDArray[np.float32], radius_px: float) -> NDArray[np.float32]:
    """(H, W) or (H, W, C) smoothed by two running means; about a Gaussian of that radius."""
    whole = max(1, round(radius_px))
    share = min(1.0, radius_px)
    out = plane
    for axis in (0, 1):
        for _ in range(2):
            out = out + share * (_running_mean(out, whole, axis) - out)
    return out


def _running_mean(plane: NDArray[np.float32], reach: int, axis: int) -> NDArray[np.float32]:
    rows = np.moveaxis(plane, axis, 0)
    pad = [(reach + 1, reach), *[(0, 0)] * (plane.ndim - 1)]
    sums = np.cumsum(np.pad(rows, pad, mode="edge"), axis=0, dtype=np.float32)
    width = 2 * reach + 1
    means = (sums[width:] - sums[:-width]) / np.float32(width)
    out: NDArray[np.float32] = np.moveaxis(means, 0, axis)
    return out
