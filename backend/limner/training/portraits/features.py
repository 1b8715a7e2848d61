"""Eyes, brows, nose and mouth, in the head's own place."""

from __future__ import annotations

import numpy as np

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.marks import Mark, ellipse, fill, line, moved, shade, smooth
from limner.training.portraits.palette import (
    INK,
    WHITE,
    Floats,
    colour,
    darker,
    form,
    lighter,
    mixed,
)

EYE_Y, MOUTH_Y = 0.012, 0.148
FRONT, NOSE = 0.85, 1.25  # depths

OPENING = {"closed": 0.0, "open": 0.62, "wide": 1.0}
SLANT = {"worried": -1.0, "level": 0.0, "stern": 1.0}
CURVE = {"frown": -1.0, "neutral": 0.08, "smile": 1.0, "laughing": 1.0}
GAPE = {"frown": 0.0, "neutral": 0.0, "smile": 0.0, "laughing": 1.0}
MOUTH_WIDTH = {"frown": 0.052, "neutral": 0.046, "smile": 0.068, "laughing": 0.074}


def eye_x(p: Portrait) -> float:
    """How far each eye's middle is from the face's."""
    return 0.083 + 0.006 * p.eye_gap


def eyes(p: Portrait) -> list[Mark]:
    """Both eyes: white, iris, pupil, glint and lid; a closed one is its lid's arc."""
    opening = form(p, "eyes", OPENING)
    return [m for side in (-1, 1) for m in _eye(p, side * eye_x(p), side, opening)]


def _eye(p: Portrait, x: float, side: int, opening: float) -> list[Mark]:
    half, part = 0.043, min(1.0, opening / 0.5)  # at part 0 both lids meet in an arc
    top = EYE_Y + (1 - part) * 0.024 + part * (0.006 - 0.043 * opening)
    bottom = EYE_Y + (1 - part) * 0.024 + part * 0.038
    corner = EYE_Y + 0.010
    near = 0.22 * corner + 0.78 * top
    upper = [(x - half, corner), (x - half * 0.6, near), (x, top), (x + half * 0.6, near),
             (x + half, corner)]  # fmt: skip
    lid = line(smooth(upper, closed=False), INK, 0.015, depth=FRONT)
    tip = (x + side * (half + 0.013), corner - 0.012 * part + 0.002)
    lash = line(np.array([(x + side * half, corner), tip]), INK, 0.010, depth=FRONT)
    if part < 0.05:
        return [lid, lash]
    low = 0.25 * corner + 0.75 * bottom
    lower = [(x + half * 0.62, low), (x, bottom), (x - half * 0.62, low)]
    white = fill(smooth([*upper, *lower]), mixed(WHITE, INK, 0.02), depth=FRONT)
    iris = colour(p, "eye colour")
    at = EYE_Y + 0.004
    return [
        white,
        shade(ellipse(x, at, 0.0295, 0.0315), darker(iris, 0.35), white),
        shade(ellipse(x, at + 0.002, 0.0245, 0.0265), iris, white),
        shade(ellipse(x, at + 0.001, 0.0145, 0.0160), INK, white),
        shade(ellipse(x - 0.010, at - 0.012, 0.0085, 0.0085), WHITE, white),
        lid,
        lash,
    ]


def brows(p: Portrait) -> list[Mark]:
    """Both brows, in the hair's colour and dark enough to be seen on the skin."""
    slant = form(p, "brows", SLANT)
    ink = brow_colour(p)
    lift = 0.016 * form(p, "eyes", OPENING)
    out = []
    for side in (-1, 1):
        x, y = side * eye_x(p), -0.058 - lift
        points = [(x - side * 0.042, y + 0.018 * slant + 0.004),
                  (x, y - 0.008 - 0.002 * abs(slant)),
                  (x + side * 0.046, y - 0.018 * slant + 0.006)]  # fmt: skip
        width = 0.0165 + 0.004 * p.brow_width
        out.append(line(smooth(points, closed=False), ink, width, depth=FRONT))
    return out


def brow_colour(p: Portrait) -> Floats:
    """The hair's, darkened; on a bald head, too."""
    return darker(mixed(colour(p, "hair colour"), INK, 0.25), 0.2)


def nose(p: Portrait) -> list[Mark]:
    """A soft shadow of a nose, with a light on its tip."""
    skin = colour(p, "skin")
    k = 1 + 0.25 * p.nose_size
    shape = smooth([(0.004 * k, 0.035), (0.012 * k, 0.06), (0.031 * k, 0.084), (0.022 * k, 0.1),
                    (0.0, 0.104), (-0.024 * k, 0.1), (-0.028 * k, 0.088), (-0.006, 0.086),
                    (0.003, 0.07)])  # fmt: skip
    tip = ellipse(-0.006, 0.082, 0.009 * k, 0.007 * k, 12)
    return [
        fill(shape, darker(skin, 0.24), depth=NOSE),
        Mark("fill", tip, lighter(skin, 0.35), 0.8, depth=NOSE, shade=True),
    ]


def mouth(p: Portrait) -> list[Mark]:
    """One line that bends, or, laughing, an opening with teeth and tongue."""
    bend, gape = form(p, "mouth", CURVE), form(p, "mouth", GAPE)
    half = form(p, "mouth", MOUTH_WIDTH)
    skin = colour(p, "skin")
    t = np.linspace(-1, 1, 13)
    bow = (1 - t * t) - 0.5
    upper = np.stack([half * t, MOUTH_Y + 0.034 * bend * bow * (1 - 0.72 * gape)], 1)
    lip = mixed(darker(skin, 0.55), INK, 0.35)
    if gape < 0.02:
        return [line(upper, lip, 0.0135, depth=FRONT)]
    deep = np.stack([half * t, upper[:, 1] + gape * 0.064 * (1 - t * t) ** 0.6], 1)
    hole = fill(np.concatenate([upper, deep[::-1]]), np.array([0.42, 0.09, 0.12]), depth=FRONT)
    teeth = np.concatenate([moved(upper, 0, -0.01), moved(upper[::-1], 0, 0.020 * gape)])
    rim = 0.0135 - 0.005 * gape
    tongue = ellipse(0, MOUTH_Y + 0.066 * gape, 0.040, 0.026)
    return [
        hole,
        shade(tongue, np.array([0.88, 0.38, 0.40]), hole),
        shade(teeth, mixed(WHITE, INK, 0.02), hole),
        line(np.concatenate([upper, deep[::-1], upper[:1]]), lip, rim, depth=FRONT),
    ]
