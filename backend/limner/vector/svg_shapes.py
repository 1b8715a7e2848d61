"""The geometry of one SVG element as cubic Béziers, in the element's own user units.

Every basic shape is first written as the path that the SVG specification gives for it, so that
one pen draws all. Transforms, colours and the canvas belong to `svg_read`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from svgelements import Length

from limner.vector.svg_pen import UNIT_MAX, Cubics, drawn, too_far
from limner.vector.svg_safe import Node

SHAPES = frozenset(("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"))

Depths = npt.NDArray[np.float64]  # (N,) away from the viewer, in user units

_LENGTH_CHARS = 64


class Viewport(NamedTuple):
    """The size in user units that percentages refer to."""

    width: float
    height: float

    @property
    def diagonal(self) -> float:
        """What a percentage of neither axis refers to (SVG 2, 8.9)."""
        return math.hypot(self.width, self.height) / math.sqrt(2)


def cubics(node: Node, viewport: Viewport) -> list[Cubics]:
    """The subpaths of a shape. Path data with an error is drawn up to it, as SVG asks.

    Raises:
        LimnerError: UNREADABLE if a coordinate is not finite or beyond all sense.
    """
    return drawn(_path_data(node, viewport))


def depths(node: Node) -> Depths | None:
    """The numbers of `data-depth`; None if there is none, or something else in it.

    Raises:
        LimnerError: UNREADABLE if a number is infinite or beyond all sense.
    """
    try:
        found = np.array(node.attributes.get("data-depth", "").split(), dtype=np.float64)
    except ValueError:
        return None
    if not bool((np.abs(found) <= UNIT_MAX).all()):
        raise too_far()
    return found if len(found) else None


def length(text: str | None, default: float, percent_of: float) -> float:
    """A length in user units at 96 per inch; `default` if there is none or it makes no sense.

    Raises:
        LimnerError: UNREADABLE if it is infinite or beyond all sense.
    """
    if not text or len(text) > _LENGTH_CHARS or not any(c.isdigit() for c in text):
        return default
    value = Length(text).value(
        ppi=96.0, relative_length=percent_of, font_size=16.0, font_height=8.0
    )
    if not isinstance(value, float):
        return default
    if not abs(value) <= UNIT_MAX:
        raise too_far()
    return value


def _path_data(node: Node, viewport: Viewport) -> str:
    """The element as path data (SVG 2, chapter 10, "equivalent path")."""
    attributes = node.attributes

    def x(name: str) -> float:
        return length(attributes.get(name), 0.0, viewport.width)

    def y(name: str) -> float:
        return length(attributes.get(name), 0.0, viewport.height)

    match node.tag:
        case "path":
            return attributes.get("d", "")
        case "polyline":
            return "M" + attributes.get("points", "")
        case "polygon":
            return "M" + attributes.get("points", "") + "Z"
        case "line":
            return f"M{x('x1')} {y('y1')} L{x('x2')} {y('y2')}"
        case "circle":
            radius = length(attributes.get("r"), 0.0, viewport.diagonal)
            return _ellipse_data(x("cx"), y("cy"), radius, radius)
        case "ellipse":
            rx, ry = _radii(attributes, viewport)
            return _ellipse_data(x("cx"), y("cy"), rx, ry)
        case _:
            rx, ry = _radii(attributes, viewport)
            return _rect_data(x("x"), y("y"), x("width"), y("height"), rx, ry)


def _radii(attributes: Mapping[str, str], viewport: Viewport) -> tuple[float, float]:
    """rx and ry; one that is missing or "auto" takes the other's value."""
    rx = length(attributes.get("rx"), -1.0, viewport.width)
    ry = length(attributes.get("ry"), -1.0, viewport.height)
    rx, ry = (rx if rx >= 0 else ry), (ry if ry >= 0 else rx)
    return max(rx, 0.0), max(ry, 0.0)


def _ellipse_data(cx: float, cy: float, rx: float, ry: float) -> str:
    if rx <= 0 or ry <= 0:
        return ""
    arc = f"A{rx} {ry} 0 0 1"
    return f"M{cx + rx} {cy} {arc} {cx - rx} {cy} {arc} {cx + rx} {cy} Z"


def _rect_data(x: float, y: float, width: float, height: float, rx: float, ry: float) -> str:
    if width <= 0 or height <= 0:
        return ""
    rx, ry = min(rx, width / 2), min(ry, height / 2)
    if rx <= 0 or ry <= 0:
        return f"M{x} {y} h{width} v{height} h{-width} Z"
    right, bottom, arc = x + width, y + height, f"A{rx} {ry} 0 0 1"
    return (
        f"M{x + rx} {y} H{right - rx} {arc} {right} {y + ry} V{bottom - ry}"
        f"{arc} {right - rx} {bottom} H{x + rx} {arc} {x} {bottom - ry}"
        f"V{y + ry} {arc} {x + rx} {y} Z"
    )
