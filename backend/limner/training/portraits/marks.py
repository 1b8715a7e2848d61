"""Marks: the filled outlines, lines and soft spots that a portrait is a list of.

Points are in parts of the picture's side, y down. Parts of the head are made around its middle,
between the eyes and the mouth, and `placed` puts them into the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from limner.training.portraits.palette import Floats

Point = tuple[float, float]
Kind = Literal["fill", "line", "glow"]


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One thing laid on the picture, over what is there.

    Attributes:
        points: (N, 2) an outline, which closes itself, or a line; a spot's middle and radii.
        rgb: (3,) in [0, 1].
        width: of a line.
        inside: only what lies in this outline, too, is painted.
        depth: how far before the middle of the head it stands, in [-1, 1]: what a turn moves.
        shade: whether it only models what lies below; such a mark has no contour in pencil.
    """

    kind: Kind
    points: Floats
    rgb: Floats
    opacity: float = 1.0
    width: float = 0.0
    inside: Mark | None = None
    depth: float = 0.0
    shade: bool = False


def fill(points: Floats, rgb: Floats, opacity: float = 1.0, depth: float = 0.0) -> Mark:
    """A filled outline."""
    return Mark("fill", points, rgb, opacity, depth=depth)


def shade(
    points: Floats, rgb: Floats, inside: Mark, opacity: float = 1.0, depth: float | None = None
) -> Mark:
    """A filled outline within another mark, as light or shadow on it."""
    at = inside.depth if depth is None else depth
    return Mark("fill", points, rgb, opacity, inside=inside, depth=at, shade=True)


def line(
    points: Floats, rgb: Floats, width: float, opacity: float = 1.0, depth: float = 0.0
) -> Mark:
    """An open line with round ends."""
    return Mark("line", points, rgb, opacity, width, depth=depth)


def glow(middle: Point, radii: Point, rgb: Floats, inside: Mark, opacity: float) -> Mark:
    """A soft spot within another mark."""
    points = np.array([middle, radii])
    return Mark("glow", points, rgb, opacity, inside=inside, depth=inside.depth, shade=True)


def smooth(controls: Sequence[Point] | Floats, closed: bool = True, steps: int = 5) -> Floats:
    """A Catmull-Rom curve through points; a point named twice makes a corner."""
    points = np.asarray(controls, dtype=np.float64)
    after = np.roll(points, -1, axis=0)
    corners = tuple(np.flatnonzero((points == after).all(1)).tolist())
    out: Floats = _basis(len(points), closed, steps, corners) @ points
    return out


@lru_cache(maxsize=256)
def _basis(count: int, closed: bool, steps: int, corners: tuple[int, ...]) -> Floats:
    """(samples, count): what each control point gives to each sample.

    Between a point and itself, at a corner, the curve would make a little loop: it is left out.
    """
    t = np.arange(steps)[:, None] / steps
    weights = 0.5 * np.hstack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
    )
    segments = count if closed else count - 1
    basis = np.zeros((segments * steps + (not closed), count))
    for segment in range(segments):
        for k in range(4):
            near = segment + k - 1
            column = near % count if closed else min(max(near, 0), count - 1)
            basis[segment * steps : (segment + 1) * steps, column] += weights[:, k]
    if not closed:
        basis[-1, -1] = 1
    loops = [row for c in corners for row in range(c * steps + 1, (c + 1) * steps)]
    return np.delete(basis, loops, axis=0)


def mirrored(right: Sequence[Point]) -> list[Point]:
    """A closed outline from its right half, told from the middle of the top to the bottom's."""
    left = [(-x, y) for x, y in reversed(right) if x != 0]
    return [*right, *left]


def ellipse(x: float, y: float, rx: float, ry: float, corners: int = 24) -> Floats:
    """The outline of an ellipse."""
    return moved(_circle(corners) * (rx, ry), x, y)


@lru_cache(maxsize=16)
def _circle(corners: int) -> Floats:
    angles = np.arange(corners) * (2 * math.pi / corners)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def moved(points: Sequence[Point] | Floats, x: float, y: float) -> Floats:
    """Points to the right by x and down by y."""
    out: Floats = np.asarray(points, dtype=np.float64) + np.array([x, y])
    return out


def closed(points: Floats) -> Floats:
    """An outline as a line that ends where it began."""
    return np.concatenate([points, points[:1]])


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a head stands in the picture.

    Attributes:
        middle: of the head.
        pivot: what it tilts about, seen from its middle.
        turn: how far the foremost things move to the right.
        tilt: radians, clockwise.
        scale: 1 for the usual size.
    """

    middle: Point
    pivot: Point
    turn: float
    tilt: float
    scale: float


def placed(marks: Iterable[Mark], place: Placement) -> list[Mark]:
    """Marks of the head in the picture; those within the same mark stay within the same."""
    known: dict[Mark, Mark] = {}
    return [_placed(m, place, known) for m in marks]


def _placed(mark: Mark, place: Placement, known: dict[Mark, Mark]) -> Mark:
    if mark in known:
        return known[mark]
    inside = _placed(mark.inside, place, known) if mark.inside else None
    if mark.kind == "glow":
        middle = _carried(mark.points[:1], mark.depth, place)
        points = np.concatenate([middle, mark.points[1:] * place.scale])
    else:
        points = _carried(mark.points, mark.depth, place)
    width = mark.width * place.scale
    known[mark] = replace(mark, points=points, width=width, inside=inside)
    return known[mark]


def _carried(points: Floats, depth: float, place: Placement) -> Floats:
    cosine, sine = math.cos(place.tilt), math.sin(place.tilt)
    turned = moved(points, place.turn * depth - place.pivot[0], -place.pivot[1])
    spin = place.scale * np.array([[cosine, sine], [-sine, cosine]])
    out: Floats = turned @ spin + (np.array(place.pivot) + place.middle)
    return out
