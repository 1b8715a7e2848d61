"""Watercolour: the flat picture, bled, pooled and granulated as washes on paper are."""

from __future__ import annotations

import numpy as np

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.figure import background, marks
from limner.training.portraits.palette import luminance
from limner.training.portraits.sheet import Picture, Sheet
from limner.training.portraits.textures import Plane, cloud, grain, softened

PAPER = np.array([0.985, 0.975, 0.95], np.float32)


def watercolour(p: Portrait, side_px: int) -> Picture:
    """Washes that bleed, gather at their edges and leave the rim of the paper free."""
    sheet = Sheet(side_px, background(p))
    for mark in marks(p):
        sheet.lay(mark)
    wet = _bled(sheet.image, side_px)
    detail = _warped(sheet.image, side_px, 0.55)
    keep = np.clip((0.42 - luminance(detail)) / 0.22, 0, 1)[..., None]  # dark lines stay lines
    wash = wet + 0.75 * keep * (detail - wet)
    pigment = 0.80 + 0.42 * (cloud(side_px, 7, 41) - 0.5) + 0.30 * (cloud(side_px, 17, 42) - 0.5)
    pigment = pigment + 0.16 * (grain(side_px) - 0.5) + _gathered(wash, side_px)
    strength = np.clip(pigment, 0.15, 1.4) * _washed(sheet.figure, side_px)
    paper = PAPER * (0.97 + 0.06 * grain(side_px)[..., None])
    out: Picture = paper * np.clip(wash, 0.03, 1) ** strength[..., None]  # Beer and Lambert's law
    return out


def _bled(image: Picture, side_px: int) -> Picture:
    """Edges that wander and, in places, run."""
    warped = _warped(image, side_px, 1.0)
    run = softened(warped, side_px / 40)
    wetness = np.clip(2.4 * (cloud(side_px, 6, 51) - 0.56), 0, 1)[..., None]
    little = softened(warped, side_px / 220)
    out: Picture = little + 0.6 * wetness * (run - little)
    return out


def _warped(image: Picture, side_px: int, amount: float) -> Picture:
    """Moved about by smooth noise: no edge of a wash is quite where it was meant."""
    shift = [
        amount * (0.018 * (cloud(side_px, 9, s) - 0.5) + 0.012 * (cloud(side_px, 24, s + 1) - 0.5))
        for s in (61, 63)
    ]
    ticks = np.arange(side_px, dtype=np.float32)
    last = np.float32(side_px - 1.001)
    x = np.clip(ticks[None, :] + shift[0] * side_px, 0, last)
    y = np.clip(ticks[:, None] + shift[1] * side_px, 0, last)
    u = np.mod(x, 1)[..., None].astype(np.float32)
    v = np.mod(y, 1)[..., None].astype(np.float32)
    left, top = x.astype(np.int64), y.astype(np.int64)
    above = image[top, left] * (1 - u) + image[top, left + 1] * u
    below = image[top + 1, left] * (1 - u) + image[top + 1, left + 1] * u
    return (above * (1 - v) + below * v).astype(np.float32)


def _gathered(wash: Picture, side_px: int) -> Plane:
    """Pigment at the inner edge of a wash: where it is darker than what lies round it."""
    light = luminance(wash).astype(np.float32)
    around = softened(light, side_px / 50)
    out: Plane = 1.9 * np.clip(around - light, 0, 0.25)
    return out


def _washed(figure: Plane, side_px: int) -> Plane:
    """(H, W) in [0, 1]: the background's wash ends raggedly before the paper does."""
    ticks = (np.arange(side_px, dtype=np.float32) + 0.5) / side_px
    x, y = np.meshgrid(np.abs(ticks - 0.5), np.abs(ticks - 0.5))
    far = (x**4 + y**4) ** 0.25 + 0.055 * (cloud(side_px, 6, 71) - 0.5)
    far = far + 0.030 * (cloud(side_px, 19, 72) - 0.5)
    wash = np.clip((0.455 - far) / 0.014, 0, 1)
    pool = 0.35 * np.clip(1 - np.abs(0.445 - far) / 0.02, 0, 1)  # where the wet rim dried
    spread = softened(figure, side_px / 80)
    dry = np.clip(3.4 * spread * (1 - figure), 0, 1)  # a line left free round the figure
    dry = dry * np.clip(0.2 + 1.4 * cloud(side_px, 8, 73), 0, 1)
    out: Plane = wash * (0.92 + pool) * (1 - 0.8 * dry)
    return out
