"""Faces for pixel art, set pixel by pixel as a sprite artist would: a curve does not survive there.

Columns and rows are those of the grid of 32; a face's middle is the line between columns 15 and 16.
Only the finer things of the face are here; the rest of a sprite is the common figure, made crisp.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.features import brow_colour
from limner.training.portraits.marks import Mark
from limner.training.portraits.palette import (
    BLUSH,
    HAIR,
    INK,
    WHITE,
    Floats,
    colour,
    darker,
    lighter,
    mixed,
)

GRID = 32
WINE, CORAL = np.array([0.55, 0.12, 0.15]), np.array([0.88, 0.40, 0.38])

Block = tuple[int, int, int, int]  # column, row, columns, rows

EYES: dict[str, dict[str, list[Block]]] = {
    "closed": {"lid": [(11, 17, 3, 1), (10, 16, 1, 1)]},
    "open": {"lid": [(11, 15, 3, 1)], "white": [(12, 16, 1, 2)], "iris": [(13, 16, 1, 2)]},
    "wide": {"lid": [(11, 14, 3, 1)], "white": [(11, 15, 2, 3)], "iris": [(12, 15, 2, 2)],
             "pupil": [(13, 16, 1, 1)]},
}  # fmt: skip
BROWS: dict[str, list[Block]] = {
    "worried": [(10, 13, 2, 1), (12, 12, 2, 1)], "level": [(11, 12, 3, 1)],
    "stern": [(10, 12, 2, 1), (12, 13, 2, 1)],
}  # fmt: skip
AGE: dict[str, list[Block]] = {
    "smooth": [], "lined": [(12, 21, 1, 2), (11, 18, 2, 1)],
    "wrinkled": [(12, 21, 1, 2), (11, 18, 2, 1), (9, 17, 1, 1), (13, 10, 3, 1), (12, 20, 1, 1)],
}  # fmt: skip
MOUTHS: dict[str, dict[str, list[Block]]] = {  # these are whole, not halves
    "frown": {"lip": [(14, 21, 4, 1), (13, 22, 1, 1), (18, 22, 1, 1)]},
    "neutral": {"lip": [(14, 21, 4, 1)]},
    "smile": {"lip": [(14, 22, 4, 1), (13, 21, 1, 1), (18, 21, 1, 1)]},
    "laughing": {"teeth": [(13, 21, 6, 1)], "deep": [(13, 22, 6, 1), (14, 23, 4, 1)],
                 "tongue": [(15, 23, 2, 1)]},
}  # fmt: skip
FRAMES: dict[str, list[Block]] = {
    "round": [(11, 14, 3, 1), (10, 15, 1, 3), (14, 15, 1, 3), (11, 18, 3, 1), (15, 15, 1, 1)],
    "square": [(10, 14, 5, 1), (10, 15, 1, 3), (14, 15, 1, 3), (10, 18, 5, 1), (15, 15, 1, 1),
               (9, 15, 1, 1)],
    "sunglasses": [(10, 15, 5, 2), (11, 17, 4, 1), (11, 18, 3, 1), (15, 15, 1, 1), (9, 15, 1, 1)],
}  # fmt: skip


def face(p: Portrait) -> list[Mark]:
    """Cheeks, age, nose, beard's moustache, mouth, eyes and brows."""
    skin = colour(p, "skin")
    ink = darker(skin, 0.30)
    marks = _both([(10, 19, 2, 1)], mixed(skin, BLUSH, 0.35))
    marks += _both(AGE[p.age], mixed(skin, ink, 0.75))
    marks += _blocks([(15, 19, 2, 1)], ink)
    if p.beard != "none":
        marks += _moustache(p)
    return [*marks, *_mouth(p, skin), *_eyes(p)]


def _moustache(p: Portrait) -> list[Mark]:
    own = mixed(colour(p, "hair colour"), INK, 0.2)
    return _both([(13, 20, 3, 1), (12, 21, 1, 1)], own)


def _mouth(p: Portrait, skin: Floats) -> list[Mark]:
    inks = {
        "lip": _lip(skin),
        "teeth": WHITE, "deep": mixed(WINE, INK, 0.3),
        "tongue": CORAL,
    }  # fmt: skip
    if p.beard in ("short", "full"):
        inks["lip"] = mixed(skin, BLUSH, 0.6)
    return [m for part, blocks in MOUTHS[p.mouth].items() for m in _blocks(blocks, inks[part])]


def _lip(skin: Floats) -> Floats:
    """Darker than light skin, lighter than dark skin."""
    share = float(np.clip((0.5 - skin.mean()) / 0.15, 0, 1))
    return mixed(mixed(darker(skin, 0.6), WINE, 0.4), mixed(skin, CORAL, 0.6), share)


def _eyes(p: Portrait) -> list[Mark]:
    inks = {"lid": INK, "white": WHITE, "iris": darker(colour(p, "eye colour"), 0.2), "pupil": INK}
    parts = EYES[p.eyes].items()
    return [m for part, blocks in parts for m in _both(blocks, inks[part])]


def brows(p: Portrait) -> list[Mark]:
    """Both brows, over the hair's front."""
    return _both(BROWS[p.brows], brow_colour(p))


def glasses(p: Portrait) -> list[Mark]:
    """Frames; sunglasses have a glint."""
    if p.glasses == "none":
        return []
    rim = mixed(INK, np.asarray(HAIR["brown"]), 0.5) if p.glasses == "round" else INK
    marks = _both(FRAMES[p.glasses], rim)
    if p.glasses == "sunglasses":
        return [*marks, *_blocks([(11, 15, 2, 1), (18, 15, 2, 1)], lighter(INK, 0.45))]
    return marks


def _both(blocks: Iterable[Block], rgb: Floats) -> list[Mark]:
    """On the left as told, and mirrored."""
    told = list(blocks)
    return _blocks([*told, *((GRID - x - w, y, w, h) for x, y, w, h in told)], rgb)


def _blocks(blocks: Iterable[Block], rgb: Floats) -> list[Mark]:
    out = []
    for x, y, w, h in blocks:
        points = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)]) / GRID
        out.append(Mark("fill", points, np.asarray(rgb)))
    return out
