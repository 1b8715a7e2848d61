"""Moustaches and beards, in the head's own place."""

from __future__ import annotations

import numpy as np

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.features import FRONT, MOUTH_Y
from limner.training.portraits.hair import locks
from limner.training.portraits.head import chin_end, jaw_width, outline
from limner.training.portraits.marks import (
    Mark,
    ellipse,
    fill,
    line,
    mirrored,
    shade,
    smooth,
)
from limner.training.portraits.palette import BLUSH, INK, Floats, colour, mixed


def beard(p: Portrait) -> list[Mark]:
    """Over the face, under the mouth."""
    if p.beard in ("none", "moustache"):
        return []
    own, dark, _ = locks(p)
    marks = _grown(p, mixed(own, INK, 0.08), dark)
    lip = mixed(colour(p, "skin"), BLUSH, 0.35)
    if p.medium != "pixel art":
        marks.append(fill(ellipse(0, MOUTH_Y + 0.012, 0.058, 0.030, 18), lip, depth=FRONT))
    return marks


def moustache(p: Portrait) -> list[Mark]:
    """A part of every beard."""
    if p.beard == "none":
        return []
    own, _, light = locks(p)
    own = mixed(own, INK, 0.08)
    right = [(0, 0.112), (0.03, 0.104), (0.062, 0.118), (0.092, 0.146), (0.098, 0.138),
             (0.090, 0.158), (0.062, 0.152), (0.03, 0.136), (0, 0.130)]  # fmt: skip
    lobes = fill(smooth(mirrored(right)), own, depth=FRONT)
    gleams = [shade(smooth([(s * 0.018, 0.115), (s * 0.042, 0.116), (s * 0.066, 0.130),
                            (s * 0.04, 0.123)]), light, lobes, 0.8) for s in (-1, 1)]  # fmt: skip
    return [lobes, *gleams]


def _grown(p: Portrait, own: Floats, dark: Floats) -> list[Mark]:
    """Hair from ear to ear: cut along the jaw, or hanging below it."""
    jaw, end = jaw_width(p), chin_end(p)
    inner = [(0.165, -0.005), (0.145, 0.075), (0.105, 0.108), (0.05, 0.104), (0, 0.108)]
    if p.beard == "short":
        edge = outline(p, 0.008)
        ring = edge[edge[:, 1] > -0.01]
        order = np.argsort(np.arctan2(ring[:, 0], ring[:, 1]))  # from the left ear to the right
        rim = smooth([*inner, *[(-x, y) for x, y in reversed(inner[:-1])]], closed=False)
        shape = np.concatenate([ring[order], rim])
        return [fill(shape, own, depth=0.05)]
    fall = end + 0.075 + 0.02 * p.hair_length
    right = [(0.178, 0.0), (jaw + 0.045, 0.10), (jaw + 0.035, 0.185), (0.118, end + 0.018),
             (0.092, end + 0.030), (0.058, fall - 0.006), (0.032, fall - 0.010),
             (0, fall + 0.012)]  # fmt: skip
    shape = smooth(mirrored([*reversed(inner), *right]))
    full = fill(shape, own, depth=0.1)
    falls = [[(x, end - 0.005), (x * 0.92, end + 0.028), (x * 0.8, fall - 0.018)]
             for x in (-0.072, -0.026, 0.026, 0.072)]  # fmt: skip
    strands = [line(smooth(lock, closed=False), dark, 0.008, depth=0.1) for lock in falls]
    below = smooth([(0.3, 0.05), (0.16, 0.13), (0.12, 0.26), (0.02, 0.4), (0.3, 0.4)])
    return [full, shade(below, dark, full, 0.8), *strands]
