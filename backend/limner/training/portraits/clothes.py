"""Clothes, in the picture's own place: what lies behind the neck and what closes round it."""

from __future__ import annotations

import numpy as np

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.marks import (
    Mark,
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
    COLOUR_PLATEAU,
    Floats,
    colour,
    darker,
    graded,
    lighter,
    luminance,
    mixed,
    ramp,
)

LINEN, POPLIN = np.array([0.96, 0.96, 0.97]), np.array([0.45, 0.62, 0.85])
TIE = {name: (0.15, 0.12, 0.16) if name in ("red", "orange") else CLOTHES["red"]
       for name in CLOTHES}  # fmt: skip
BODY = [(0, 0.835), (0.08, 0.842), (0.17, 0.872), (0.275, 0.915), (0.33, 0.985), (0.345, 1.06),
        (0.2, 1.08), (0, 1.08)]  # fmt: skip


def behind(p: Portrait) -> list[Mark]:
    """The shoulders, and a hood behind the neck."""
    cloth = colour(p, "clothes colour")
    torso = fill(moved(smooth(mirrored(BODY)), 0.5, 0.0), cloth)
    arms = [
        line(smooth([(0.5 + s * 0.215, 0.965), (0.5 + s * 0.205, 1.0), (0.5 + s * 0.21, 1.04)],
                    closed=False), darker(cloth, 0.22), 0.010)
        for s in (-1, 1)
    ]  # fmt: skip
    side = smooth([(0.62, 0.84), (0.72, 0.93), (0.70, 1.1), (0.95, 1.1), (0.95, 0.84)])
    body = [torso, shade(side, darker(cloth, 0.14), torso), *arms]
    if p.clothes != "hoodie":
        return body
    hood = smooth(mirrored([(0, 0.70), (0.12, 0.72), (0.185, 0.79), (0.19, 0.865), (0.12, 0.93),
                            (0, 0.95)]))  # fmt: skip
    lining = smooth(mirrored([(0, 0.735), (0.09, 0.75), (0.135, 0.80), (0.13, 0.865), (0, 0.90)]))
    folded = fill(moved(hood, 0.5, 0.0), darker(cloth, 0.10))
    return [*body, folded, shade(moved(lining, 0.5, 0.0), darker(cloth, 0.34), folded)]


def before(p: Portrait) -> list[Mark]:
    """What closes round the neck."""
    return {"T-shirt": _round_neck, "shirt": _collar, "sweater": _turtleneck, "hoodie": _strings,
            "suit": _lapels}[p.clothes](p)  # fmt: skip


def _ring(depth: float, half: float, top: float) -> Floats:
    """A neckline from shoulder to shoulder, `depth` its lowest point."""
    return smooth([(0.5 - half, top), (0.5 - half * 0.72, top + (depth - top) * 0.62), (0.5, depth),
                   (0.5 + half * 0.72, top + (depth - top) * 0.62), (0.5 + half, top)],
                  closed=False)  # fmt: skip


def _round_neck(p: Portrait) -> list[Mark]:
    cloth = colour(p, "clothes colour")
    return [line(_ring(0.928, 0.106, 0.845), darker(cloth, 0.2), 0.020)]


def _collar(p: Portrait) -> list[Mark]:
    cloth = colour(p, "clothes colour")
    out = [line(np.array([(0.5, 0.93), (0.5, 1.02)]), darker(cloth, 0.25), 0.008)]
    for s in (-1, 1):
        wing = [(s * 0.075, 0.792), (s * 0.118, 0.838), (s * 0.105, 0.935), (s * 0.012, 0.912),
                (s * 0.05, 0.87)]  # fmt: skip
        points = moved(wing, 0.5, 0.0)
        out += [
            fill(moved(points, 0.0, 0.012), darker(cloth, 0.22)),
            fill(points, lighter(cloth, 0.28)),
        ]
    return [*out, fill(ellipse(0.5, 0.965, 0.0085, 0.0085, 10), lighter(cloth, 0.6))]


def _turtleneck(p: Portrait) -> list[Mark]:
    cloth = colour(p, "clothes colour")
    shape = smooth(mirrored([(0, 0.792), (0.06, 0.785), (0.092, 0.772), (0.098, 0.83),
                             (0.125, 0.868), (0.08, 0.885), (0, 0.892)]))  # fmt: skip
    tube = fill(moved(shape, 0.5, 0.0), lighter(cloth, 0.14))
    ribs = [[(0.5 + x, 0.80 - abs(x) * 0.12), (0.5 + x * 1.14, 0.875 - abs(x) * 0.1)]
            for x in (-0.066, -0.033, 0.0, 0.033, 0.066)]  # fmt: skip
    return [tube, *(line(np.array(rib), darker(cloth, 0.14), 0.007) for rib in ribs)]


def _strings(p: Portrait) -> list[Mark]:
    cloth = colour(p, "clothes colour")
    light = ramp(float(luminance(cloth)), 0.72, 0.88)
    pale = mixed(lighter(cloth, 0.75), darker(cloth, 0.35), light)
    rim = line(_ring(0.945, 0.135, 0.81), darker(cloth, 0.16), 0.030)
    cords = [line(smooth([(0.5 + s * 0.045, 0.93), (0.5 + s * 0.05, 0.96), (0.5 + s * 0.046, 1.0)],
                         closed=False), pale, 0.011) for s in (-1, 1)]  # fmt: skip
    return [rim, *cords]


def _lapels(p: Portrait) -> list[Mark]:
    cloth = colour(p, "clothes colour")
    linen = mixed(LINEN, POPLIN, ramp(float(luminance(cloth)), 0.72, 0.88))
    front = fill(np.array([(0.40, 0.83), (0.60, 0.83), (0.545, 1.04), (0.455, 1.04)]), linen)
    throat = fill(
        np.array([(0.43, 0.80), (0.57, 0.80), (0.5, 0.885)]), darker(colour(p, "skin"), 0.2)
    )
    tie_rgb = graded(p, "clothes colour", TIE, COLOUR_PLATEAU)
    knot = [(0.482, 0.872), (0.518, 0.872), (0.512, 0.90), (0.532, 1.04), (0.468, 1.04),
            (0.488, 0.90)]  # fmt: skip
    out = [front, throat, fill(np.array(knot), tie_rgb)]
    for s in (-1, 1):
        tip = [(s * 0.062, 0.79), (s * 0.098, 0.82), (s * 0.078, 0.905), (s * 0.006, 0.875)]
        lapel = [(s * 0.098, 0.815), (s * 0.165, 0.868), (s * 0.155, 0.925), (s * 0.125, 0.925),
                 (s * 0.125, 0.945), (s * 0.03, 1.06), (s * 0.098, 0.90)]  # fmt: skip
        out.append(fill(moved(tip, 0.5, 0.0), lighter(linen, 0.6)))
        out.append(fill(moved(lapel, 0.5, 0.0), darker(cloth, 0.20)))
    return out
