"""Hair in eight styles, in the head's own place.

A style is a back, behind the neck and the face, and a front, over the face. Under a hat, what would
stand out above its brim is pressed down.
"""

from __future__ import annotations

import math
from dataclasses import replace

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
    Floats,
    colour,
    darker,
    form,
    lighter,
    mixed,
)

BACK = -0.55  # depth
BRIM_Y = -0.135  # of every hat: hair above it is pressed down
HAT_HALF = 0.172  # half the width of every hat there; below it hair spreads again
CROWN = {"pointed": 0.0, "oval": 0.0, "round": 0.012, "square": 0.004}  # wider heads, wider hair


def back(p: Portrait) -> list[Mark]:
    """What hangs or stands behind the face."""
    backs = {"bob": _bob_back, "long": _long_back, "curly": _curls, "ponytail": _tail,
             "bun": _bun}  # fmt: skip
    return _pressed(p, backs.get(p.hair, _none)(p))


def front(p: Portrait, face: Mark) -> list[Mark]:
    """What lies over the face, the shadow that it casts first."""
    fronts = {"short": _short, "mohawk": _mohawk, "bob": _fringe, "long": _curtains,
              "curly": _curly_front, "ponytail": _combed, "bun": _combed}  # fmt: skip
    marks = _pressed(p, fronts.get(p.hair, _none)(p))
    if not marks or p.hair == "mohawk":
        return marks
    cast = shade(moved(marks[0].points, 0.0, 0.020), darker(face.rgb, 0.17), face)
    return [cast, *marks]


def _none(p: Portrait) -> list[Mark]:
    return []


def _pressed(p: Portrait, marks: list[Mark]) -> list[Mark]:
    """Nothing above a hat's brim, and no crest or bun at all."""
    if p.hat == "none":
        return marks
    if p.hair in ("mohawk", "bun"):
        marks = marks[:1] if p.hair == "mohawk" else [m for m in marks if m.depth != BACK]
    return [_below(m, BRIM_Y) for m in marks]


def _below(mark: Mark, y: float) -> Mark:
    low = np.maximum(mark.points[:, 1], y)
    most = HAT_HALF + 0.5 * (low - y)
    points = np.stack([np.clip(mark.points[:, 0], -most, most), low], 1)
    return replace(mark, points=points, inside=_below(mark.inside, y) if mark.inside else None)


def _wide(p: Portrait) -> float:
    return form(p, "face", CROWN)


def locks(p: Portrait) -> tuple[Floats, Floats, Floats]:
    """The hair's own colour, its shadow and its light."""
    own = colour(p, "hair colour")
    return own, darker(own, 0.24), mixed(lighter(own, 0.30), own, 0.15)


def _short(p: Portrait) -> list[Mark]:
    own, dark, light = locks(p)
    w, lift = _wide(p), 0.016 * p.hair_length
    shape = smooth([(-0.184 - w, 0.035), (-0.197 - w, -0.07), (-0.185 - w, -0.19),
                    (-0.10, -0.272 - lift), (0.02, -0.292 - lift), (0.13, -0.262 - lift),
                    (0.192 + w, -0.17), (0.197 + w, -0.06), (0.184 + w, 0.035), (0.172 + w, 0.03),
                    (0.166, -0.06), (0.142, -0.112), (0.142, -0.112), (0.05, -0.118),
                    (-0.06, -0.142), (-0.095, -0.165), (-0.095, -0.165), (-0.125, -0.115),
                    (-0.164, -0.06), (-0.172 - w, 0.03)])  # fmt: skip
    cap = fill(shape, own, depth=0.1)
    sweep = smooth([(-0.095, -0.165), (0.03, -0.185), (0.155, -0.105), (0.142, -0.108),
                    (0.05, -0.118), (-0.06, -0.142)])  # fmt: skip
    gleam = smooth(
        [(-0.115, -0.205), (-0.03, -0.258), (0.085, -0.25), (0.02, -0.237), (-0.06, -0.21)]
    )
    return [cap, shade(sweep, dark, cap), shade(gleam, light, cap)]


def _mohawk(p: Portrait) -> list[Mark]:
    own, dark, light = locks(p)
    k = 0.02 * p.hair_length
    shaved = Mark("fill", smooth([(-0.178, 0.0), (-0.183, -0.10), (-0.11, -0.222), (0, -0.236),
                  (0.11, -0.222), (0.183, -0.10), (0.178, 0.0), (0.150, -0.07), (0.10, -0.135),
                  (0, -0.15), (-0.10, -0.135), (-0.150, -0.07)]), own, 0.30,
                  shade=True)  # fmt: skip
    spikes = [(-0.062, -0.125), (-0.085, -0.22), (-0.108, -0.305 - k), (-0.108, -0.305 - k),
              (-0.062, -0.285), (-0.052, -0.362 - k), (-0.052, -0.362 - k), (-0.008, -0.325),
              (0.022, -0.385 - k), (0.022, -0.385 - k), (0.045, -0.325), (0.092, -0.352 - k),
              (0.092, -0.352 - k), (0.086, -0.23), (0.058, -0.125), (0.0, -0.10)]  # fmt: skip
    crest = fill(smooth(spikes), own, depth=0.1)
    root = smooth([(-0.09, -0.2), (0, -0.165), (0.09, -0.2), (0.08, -0.08), (-0.08, -0.08)])
    gleam = smooth([(-0.03, -0.23), (-0.01, -0.30), (0.012, -0.34), (0.014, -0.27), (0.0, -0.22)])
    return [shaved, crest, shade(root, dark, crest), shade(gleam, light, crest)]


def _bob_back(p: Portrait) -> list[Mark]:
    _, dark, _ = locks(p)
    w, k = _wide(p), 0.03 * p.hair_length
    shape = mirrored([(0, -0.285), (0.12, -0.268), (0.21 + w, -0.16), (0.235 + w, 0.0),
                      (0.245 + w, 0.15 + k), (0.20 + w, 0.195 + k), (0.10, 0.18 + k),
                      (0, 0.18 + k)])  # fmt: skip
    return [fill(smooth(shape), dark, depth=BACK)]


def _fringe(p: Portrait) -> list[Mark]:
    own, dark, light = locks(p)
    w, k = _wide(p), 0.03 * p.hair_length
    shape = mirrored([(0, -0.285), (0.12, -0.268), (0.21 + w, -0.16), (0.235 + w, 0.0),
                      (0.245 + w, 0.145 + k), (0.215 + w, 0.188 + k), (0.178 + w, 0.165 + k),
                      (0.170 + w, 0.06), (0.162, -0.06), (0.158, -0.088), (0.158, -0.088),
                      (0.08, -0.092), (0, -0.095)])  # fmt: skip
    cap = fill(smooth(shape), own, depth=0.1)
    parting = [line(smooth([(x * 0.72, -0.14), (x, -0.094)], closed=False), dark, 0.007, depth=0.1)
               for x in (-0.11, -0.05, 0.02, 0.085)]  # fmt: skip
    gleam = smooth([(-0.165, -0.155), (-0.07, -0.215), (0.07, -0.215), (0.165, -0.155),
                    (0.07, -0.183), (-0.07, -0.183)])  # fmt: skip
    return [cap, *parting, shade(gleam, light, cap)]


def _long_back(p: Portrait) -> list[Mark]:
    own, dark, _ = locks(p)
    w, k = _wide(p), 0.045 * p.hair_length
    shape = mirrored([(0, -0.28), (0.12, -0.262), (0.205 + w, -0.15), (0.222 + w, 0.03),
                      (0.236 + w, 0.22), (0.25 + w, 0.365 + k), (0.195 + w, 0.405 + k),
                      (0.11, 0.36 + k), (0, 0.34)])  # fmt: skip
    mass = fill(smooth(shape), own, depth=BACK)
    hollow = mirrored([(0, -0.1), (0.15, -0.1), (0.165, 0.15), (0.118, 0.42 + k), (0, 0.42 + k)])
    strands = [
        line(smooth([(s * (0.20 + w), 0.12), (s * (0.215 + w), 0.24), (s * (0.205 + w), 0.34 + k)],
                    closed=False), dark, 0.009, depth=BACK)
        for s in (-1, 1)
    ]  # fmt: skip
    return [mass, shade(smooth(hollow), dark, mass), *strands]


def _curtains(p: Portrait) -> list[Mark]:
    own, dark, light = locks(p)
    w = _wide(p)
    curtains, gleams = [], []
    for s in (-1, 1):
        shape = [(s * -0.012, -0.278), (s * 0.12, -0.262), (s * (0.205 + w), -0.15),
                 (s * (0.222 + w), 0.03), (s * (0.228 + w), 0.17), (s * (0.192 + w), 0.175),
                 (s * (0.172 + w), 0.06), (s * 0.158, -0.04), (s * 0.115, -0.125),
                 (s * 0.03, -0.185), (s * -0.012, -0.20)]  # fmt: skip
        curtain = fill(smooth(shape), own, depth=0.1)
        gleam = [(s * 0.07, -0.225), (s * 0.135, -0.185), (s * 0.18, -0.10), (s * 0.15, -0.145),
                 (s * 0.10, -0.19)]  # fmt: skip
        curtains.append(curtain)
        gleams.append(shade(smooth(gleam), light, curtain))
    parting = line(np.array([[0.0, -0.275], [0.0, -0.195]]), dark, 0.008, depth=0.1)
    return [*curtains, *gleams, parting]


def _scallops(radius: float, bumps: int, height: float) -> Floats:
    """A round cloud of curls about the upper head."""
    angle = np.linspace(0, 2 * math.pi, bumps * 8, endpoint=False)
    far = radius + height * np.abs(np.sin(angle * bumps / 2))
    return np.stack([far * np.sin(angle), -0.055 - far * np.cos(angle)], 1)


def _curls(p: Portrait) -> list[Mark]:
    own, dark, _ = locks(p)
    k = 0.012 * p.hair_length + _wide(p)
    cloud = fill(_scallops(0.232 + k, 15, 0.036), own, depth=BACK)
    return [cloud, shade(ellipse(0, 0.03, 0.215, 0.19), dark, cloud)]


def _curly_front(p: Portrait) -> list[Mark]:
    own, dark, light = locks(p)
    w = _wide(p)
    rim = [(-0.198 - w, 0.02), (-0.185, -0.06), (-0.145, -0.118), (-0.09, -0.142), (-0.03, -0.138),
           (0.03, -0.142), (0.09, -0.138), (0.145, -0.115), (0.185, -0.06),
           (0.198 + w, 0.02)]  # fmt: skip
    curls = [ellipse(x, y - 0.028, 0.042, 0.040, 14) for x, y in rim]
    top = ellipse(0, -0.175, 0.185, 0.082)
    base = [fill(top, own, depth=0.1)]
    base += [Mark("fill", c, own, depth=0.1) for c in curls]
    hooks = [(-0.13, -0.185), (-0.05, -0.215), (0.045, -0.205), (0.125, -0.175), (-0.005, -0.165),
             (-0.085, -0.15), (0.085, -0.145)]  # fmt: skip
    turns = []
    for i, (x, y) in enumerate(hooks):
        arc = smooth([(x - 0.022, y + 0.006), (x, y - 0.016), (x + 0.022, y + 0.006)], closed=False)
        turns.append(line(arc, light if i < 4 else dark, 0.009, depth=0.1))
    return [*base, *turns]


def _combed(p: Portrait) -> list[Mark]:
    own, dark, light = locks(p)
    w = _wide(p)
    shape = smooth(mirrored([(0, -0.262), (0.10, -0.246), (0.178 + w, -0.155), (0.190 + w, -0.04),
                             (0.182 + w, 0.02), (0.170, -0.03), (0.140, -0.105), (0.07, -0.155),
                             (0, -0.165)]))  # fmt: skip
    cap = fill(shape, own, depth=0.1)
    lines = [line(smooth([(x, -0.155 + abs(x) * 0.45), (x * 0.72, -0.21), (x * 0.3, -0.25)],
                         closed=False), dark, 0.007, depth=0.1)
             for x in (-0.115, -0.045, 0.045, 0.115)]  # fmt: skip
    gleam = smooth([(-0.135, -0.165), (-0.07, -0.215), (-0.01, -0.228), (-0.07, -0.195)])
    return [cap, *lines, shade(gleam, light, cap)]


def _tail(p: Portrait) -> list[Mark]:
    own, dark, light = locks(p)
    k = 0.04 * p.hair_length
    shape = [(0.10, -0.235), (0.17, -0.275), (0.255, -0.245), (0.30, -0.13), (0.305, 0.03),
             (0.285, 0.17 + k), (0.245, 0.255 + k), (0.245, 0.255 + k), (0.225, 0.17 + k),
             (0.222, 0.03), (0.20, -0.09), (0.14, -0.17)]  # fmt: skip
    if p.hat != "none":  # tied lower
        shape = [(x, 0.8 * y + 0.06) for x, y in shape]
    tail = fill(smooth(shape), own, depth=BACK)
    under = [(0.20, -0.12), (0.235, 0.0), (0.25, 0.25 + k), (0.20, 0.2), (0.18, 0.0)]
    gleam = [(0.22, -0.215), (0.262, -0.15), (0.272, -0.03), (0.248, -0.10)]
    band = smooth([(0.128, -0.262), (0.172, -0.222), (0.150, -0.182), (0.105, -0.222)])
    tie = colour(p, "clothes colour")
    return [tail, shade(smooth(under), dark, tail), shade(smooth(gleam), light, tail),
            Mark("fill", band, darker(tie, 0.08), depth=BACK)]  # fmt: skip


def _bun(p: Portrait) -> list[Mark]:
    own, dark, light = locks(p)
    r = 0.088 + 0.012 * p.hair_length
    ball = fill(ellipse(0, -0.315, r, r * 0.92), own, depth=BACK)
    coil = line(smooth([(-0.05, -0.295), (-0.01, -0.355), (0.045, -0.335), (0.03, -0.30)],
                       closed=False), dark, 0.009, depth=BACK)  # fmt: skip
    low = shade(ellipse(0, -0.245, 0.09, 0.045), dark, ball)
    gleam = shade(ellipse(-0.03, -0.352, 0.026, 0.017, 14), light, ball)
    return [ball, low, gleam, coil]
