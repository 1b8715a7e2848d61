"""Pencil: the same marks as contours and hatching, on paper with a tooth."""

from __future__ import annotations

import numpy as np

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.figure import background, marks
from limner.training.portraits.marks import Mark, closed
from limner.training.portraits.palette import Floats, luminance
from limner.training.portraits.sheet import Picture, Sheet
from limner.training.portraits.textures import Plane, cloud, grain, hatching, softened

PAPER = np.array([0.965, 0.955, 0.935], np.float32)
GRAPHITE = np.array([0.23, 0.23, 0.26], np.float32)


def pencil(p: Portrait, side_px: int) -> Picture:
    """Graphite on paper: contours, and hatching that is denser the darker the colour."""
    sheet = Sheet(side_px, np.ones(3))
    lead = np.zeros((side_px, side_px), np.float32)
    for mark in marks(p):
        mask = sheet.lay(mark)
        if not mark.shade:
            lead *= 1 - mask * mark.opacity
            ink = sheet.coverage(_contour(mark)) if mark.kind == "fill" else mask
            dark = 0.85 if mark.kind == "fill" else _darkness(mark.rgb)
            np.maximum(lead, ink * np.float32(dark), out=lead)
    tone = _tone(sheet.image, sheet.figure, background(p))
    tooth = grain(side_px)
    strokes = tone + min(1.0, 0.2 + side_px / 220) * (_hatched(tone, side_px) - tone)
    pressure = 0.32 + 0.5 * cloud(side_px, 11, 33) + 0.6 * tooth
    ink = np.maximum(strokes * pressure, lead * (0.72 + 0.45 * tooth))
    smudge = 0.16 * (softened(tone, side_px / 64) + tone)
    paper = PAPER * (0.965 + 0.07 * tooth[..., None])
    cover = np.clip(ink + smudge * (1 - ink), 0, 1)[..., None]
    out: Picture = paper + cover * (GRAPHITE - paper)
    return out


def _contour(mark: Mark) -> Mark:
    """The outline of a fill as a pencil line."""
    return Mark("line", closed(mark.points), mark.rgb, width=0.0085, inside=mark.inside)


def _darkness(rgb: Floats) -> float:
    return float(np.clip(1.15 - 0.9 * luminance(rgb), 0.25, 1))


def _tone(image: Picture, figure: Plane, ground: Floats) -> Plane:
    """(H, W) in [0, 1]: how much graphite each place calls for; little behind the figure."""
    light = luminance(image).astype(np.float32)
    tone = 0.62 * np.clip(0.98 - light, 0, 1) ** 1.15
    behind = 0.06 + 0.25 * (1 - float(luminance(ground)))
    side = image.shape[0]
    ticks = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(ticks, ticks)
    patch = np.clip(
        1.5 - 3.1 * np.hypot(x - 0.5, y - 0.55) + 0.8 * (cloud(side, 6, 31) - 0.5), 0, 1
    )
    out: Plane = figure * tone + (1 - figure) * behind * patch
    return out


def _hatched(tone: Plane, side_px: int) -> Plane:
    """(H, W) in [0, 1]: three layers of lines, each begun where the tone is dark enough."""
    ink = np.zeros_like(tone)
    layers = ((0.80, 0.03, 21, 0.62), (2.25, 0.24, 22, 0.55), (0.15, 0.44, 23, 0.60))
    for angle, start, seed, weight in layers:
        part = np.clip((tone - start) / 0.5, 0, 1)
        edge = np.clip((part * 0.9 + 0.14 - hatching(side_px, angle, seed)) * 2.2 + 0.2, 0, 1)
        ink = ink + weight * edge * np.minimum(1, part * 9) * (1 - ink)
    return ink
