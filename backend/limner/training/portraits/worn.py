"""Glasses, hats and earrings, in the head's own place."""

from __future__ import annotations

import math

import numpy as np

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.features import EYE_Y, FRONT, eye_x
from limner.training.portraits.marks import (
    Mark,
    closed,
    ellipse,
    fill,
    line,
    mirrored,
    moved,
    shade,
    smooth,
)
from limner.training.portraits.palette import (
    CLOTHES,
    INK,
    WHITE,
    Floats,
    colour,
    darker,
    lighter,
    luminance,
    mixed,
    ramp,
)

LENS = np.array([0.86, 0.94, 0.98])
FRAME = np.array([0.14, 0.12, 0.17])
GOLD, STRAW = np.array([0.96, 0.76, 0.22]), np.array([0.93, 0.79, 0.49])


def glasses(p: Portrait) -> list[Mark]:
    """Lenses, rims, bridge and temples."""
    if p.glasses == "none":
        return []
    x, dark = eye_x(p), p.glasses == "sunglasses"
    width = {"round": 0.0125, "square": 0.0145, "sunglasses": 0.014}[p.glasses]
    rim = FRAME if p.glasses != "round" else mixed(FRAME, np.array([0.45, 0.22, 0.10]), 0.35)
    y = EYE_Y + 0.006
    bridge = smooth([(-x + 0.060, y - 0.004), (0, y - 0.018), (x - 0.060, y - 0.004)], closed=False)
    out = [line(bridge, rim, width, depth=FRONT)]
    for s in (-1, 1):
        shape = _lens(p.glasses, s * x, y, s)
        hinge = np.array([(s * (x + 0.062), y - 0.014), (s * 0.186, y - 0.004)])
        out.append(line(hinge, rim, width, depth=FRONT * 0.6))
        lens = fill(shape, FRAME if dark else LENS, 0.97 if dark else 0.20, depth=FRONT)
        out.append(lens)
        glint = smooth([(s * x - 0.045, y + 0.01), (s * x - 0.012, y - 0.05),
                        (s * x + 0.006, y - 0.05), (s * x - 0.027, y + 0.01)])  # fmt: skip
        out.append(shade(glint, lighter(FRAME, 0.45) if dark else WHITE, lens, 0.6))
        out.append(line(closed(shape), rim, width, depth=FRONT))
    return out


def _lens(kind: str, x: float, y: float, side: int) -> Floats:
    if kind == "round":
        return ellipse(x, y, 0.0655, 0.0655, 28)
    if kind == "square":
        w, h, r = 0.066, 0.051, 0.88
        corners = [(-w, -h * r), (-w * r, -h), (w * r, -h), (w, -h * r), (w, h * r), (w * r, h),
                   (-w * r, h), (-w, h * r)]  # fmt: skip
        return moved(corners, x, y)
    right = [(-0.060, -0.036), (0.0, -0.046), (0.062, -0.046), (0.070, -0.03), (0.060, 0.030),
             (0.025, 0.055), (-0.025, 0.050), (-0.055, 0.018)]  # fmt: skip
    return smooth([(x + side * a, y + b) for a, b in right])


def hat(p: Portrait) -> list[Mark]:
    """Over the hair, above the brows."""
    return {"beanie": _beanie, "cap": _cap, "straw hat": _straw, "top hat": _top}.get(
        p.hat, lambda _: []
    )(p)


def _felt(p: Portrait) -> Floats:
    """A hat in the clothes' colour, moved a little away from it."""
    own = colour(p, "clothes colour")
    light = ramp(float(luminance(own)), 0.26, 0.36)
    return mixed(lighter(own, 0.25), mixed(own, INK, 0.18), light)


def _beanie(p: Portrait) -> list[Mark]:
    felt = _felt(p)
    shape = smooth(mirrored([(0, -0.335), (0.105, -0.318), (0.178, -0.255), (0.200, -0.15),
                             (0.19, -0.10), (0.10, -0.098), (0, -0.096)]))  # fmt: skip
    dome = fill(shape, felt, depth=0.1)
    pom = fill(ellipse(0, -0.350, 0.053, 0.050, 20), lighter(felt, 0.55), depth=0.1)
    side = smooth([(0.09, -0.36), (0.13, -0.2), (0.12, -0.05), (0.3, -0.05), (0.3, -0.36)])
    fold = smooth([(-0.205, -0.165), (-0.1, -0.178), (0, -0.182), (0.1, -0.178), (0.205, -0.165),
                   (0.212, -0.125), (0.205, -0.088), (0.1, -0.10), (0, -0.104), (-0.1, -0.10),
                   (-0.205, -0.088), (-0.212, -0.125)])  # fmt: skip
    band = fill(fold, lighter(felt, 0.22), depth=0.1)
    ribs = [line(np.array([(x, -0.172 + abs(x) * 0.05), (x * 1.03, -0.108 + abs(x) * 0.07)]),
                 darker(felt, 0.12), 0.008, depth=0.1)
            for x in (-0.165, -0.11, -0.055, 0.0, 0.055, 0.11, 0.165)]  # fmt: skip
    return [pom, dome, shade(side, darker(felt, 0.2), dome), band, *ribs]


def _cap(p: Portrait) -> list[Mark]:
    felt = _felt(p)
    shape = smooth(mirrored([(0, -0.315), (0.10, -0.298), (0.175, -0.225), (0.197, -0.12),
                             (0.19, -0.085), (0.10, -0.12), (0, -0.125)]))  # fmt: skip
    dome = fill(shape, felt, depth=0.1)
    side = smooth([(0.08, -0.34), (0.14, -0.2), (0.13, -0.05), (0.3, -0.05), (0.3, -0.34)])
    front = smooth([(-0.105, -0.13), (-0.085, -0.24), (0, -0.285), (0.085, -0.24), (0.105, -0.13)])
    visor = [(-0.185, -0.108), (-0.19, -0.085), (-0.11, -0.075), (0, -0.066), (0.11, -0.075),
             (0.19, -0.085), (0.185, -0.108), (0.11, -0.155), (0, -0.172),
             (-0.11, -0.155)]  # fmt: skip
    brim = fill(smooth(visor), darker(felt, 0.30), depth=0.6)
    edge = smooth([(-0.16, -0.118), (-0.1, -0.145), (0, -0.158), (0.1, -0.145), (0.16, -0.118),
                   (0.1, -0.128), (0, -0.138), (-0.1, -0.128)])  # fmt: skip
    button = fill(ellipse(0, -0.318, 0.018, 0.012, 12), darker(felt, 0.25), depth=0.1)
    return [button, dome, shade(side, darker(felt, 0.2), dome),
            shade(front, lighter(felt, 0.7), dome, 0.85), brim,
            shade(edge, lighter(felt, 0.15), brim, 0.7)]  # fmt: skip


def _straw(p: Portrait) -> list[Mark]:
    ribbon = colour(p, "clothes colour")
    brim = fill(ellipse(0, -0.128, 0.315, 0.056, 36), STRAW, depth=0.1)
    under = shade(ellipse(0, -0.098, 0.30, 0.045), darker(STRAW, 0.25), brim)
    shape = smooth(mirrored([(0, -0.312), (0.09, -0.305), (0.148, -0.27), (0.168, -0.18),
                             (0.175, -0.142), (0.09, -0.130), (0, -0.126)]))  # fmt: skip
    crown = fill(shape, STRAW, depth=0.1)
    side = smooth([(0.07, -0.34), (0.115, -0.22), (0.12, -0.1), (0.3, -0.1), (0.3, -0.34)])
    band = smooth([(-0.2, -0.195), (0, -0.178), (0.2, -0.195), (0.2, -0.135), (0, -0.122),
                   (-0.2, -0.135)])  # fmt: skip
    dark = darker(STRAW, 0.17)
    rows = [smooth([(-0.15, y), (0, y + 0.016), (0.15, y)], closed=False) for y in (-0.24, -0.275)]
    weave = [line(row, dark, 0.006, depth=0.1) for row in rows]
    return [brim, under, crown, *weave, shade(side, darker(STRAW, 0.16), crown),
            shade(band, darker(ribbon, 0.06), crown)]  # fmt: skip


def _top(p: Portrait) -> list[Mark]:
    silk = np.array([0.20, 0.19, 0.25])
    ribbon = colour(p, "clothes colour")
    ribbon = mixed(np.asarray(CLOTHES["red"]), ribbon, ramp(float(luminance(ribbon)), 0.22, 0.32))
    shape = smooth(mirrored([(0, -0.155), (0.15, -0.158), (0.245, -0.182), (0.268, -0.168),
                             (0.24, -0.132), (0.14, -0.106), (0, -0.098)]))  # fmt: skip
    brim = fill(shape, silk, depth=0.1)
    shape = smooth([(-0.182, -0.378), (-0.182, -0.378), (0, -0.386), (0.182, -0.378),
                    (0.182, -0.378), (0.166, -0.28), (0.168, -0.148), (0.168, -0.148), (0, -0.13),
                    (-0.168, -0.148), (-0.168, -0.148), (-0.166, -0.28)])  # fmt: skip
    tube = fill(shape, silk, depth=0.1)
    band = smooth([(-0.2, -0.212), (0, -0.195), (0.2, -0.212), (0.2, -0.145), (0, -0.128),
                   (-0.2, -0.145)])  # fmt: skip
    gleam = smooth([(-0.138, -0.35), (-0.108, -0.355), (-0.100, -0.235), (-0.128, -0.235)])
    side = smooth([(0.09, -0.43), (0.10, -0.25), (0.1, -0.1), (0.3, -0.1), (0.3, -0.43)])
    return [brim, tube, shade(side, darker(silk, 0.3), tube),
            shade(gleam, lighter(silk, 0.3), tube), shade(band, ribbon, tube)]  # fmt: skip


def earrings(p: Portrait) -> list[Mark]:
    """On the lobes; long hair would hide them, and then there are none."""
    if p.earrings == "none" or p.hair in ("bob", "long", "curly"):
        return []
    out = []
    for s in (-1, 1):
        if p.earrings == "studs":
            out.append(fill(ellipse(s * 0.19, 0.082, 0.0155, 0.0155, 14), GOLD))
            out.append(Mark("fill", ellipse(s * 0.19 - 0.004, 0.077, 0.005, 0.005, 8),
                            lighter(GOLD, 0.7), shade=True))  # fmt: skip
        else:
            turn = np.linspace(-0.4 * math.pi, 1.4 * math.pi, 22)
            ring = np.stack([s * 0.194 + 0.025 * np.cos(turn), 0.106 + 0.030 * np.sin(turn)], 1)
            out.append(line(ring, GOLD, 0.0115))
    return out
