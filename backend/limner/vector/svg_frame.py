"""Where an SVG's user units lie on the canvas: viewports, viewBoxes and transforms.

All are (3, 3) float64 matrices that act on columns (x, y, 1); `outer @ inner` carries inner units
to outer ones. It does not know what is drawn in them.
"""

from __future__ import annotations

import math
import re

import numpy as np
import numpy.typing as npt
from svgelements import Matrix

from limner.vector.svg_safe import Node, broken
from limner.vector.svg_shapes import Viewport, length

Affine = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]  # x, y, width, height in user units

_TRANSFORMS = re.compile(r"(?:[A-Za-z]+\s*\([^()]*\)[\s,]*)*")
_ALIGN = {"min": 0.0, "mid": 0.5, "max": 1.0}


def affine(scale_x: float, scale_y: float, x: float, y: float) -> Affine:
    """Scale, then move."""
    return np.array([[scale_x, 0.0, x], [0.0, scale_y, y], [0.0, 0.0, 1.0]])


def mapped(points: npt.NDArray[np.float64], matrix: Affine) -> npt.NDArray[np.float64]:
    """(N, 2) points through a matrix."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def within(outer: Affine, inner: Affine) -> Affine:
    """`outer @ inner`.

    Raises:
        LimnerError: UNREADABLE if either holds a number beyond all sense, so that however deep
            they are nested the product stays finite.
    """
    if not (bool((np.abs(outer) < 1e12).all()) and bool((np.abs(inner) < 1e12).all())):
        raise broken("it has a transform that makes no sense", "Flatten its transforms.")
    return outer @ inner


def scale_of(matrix: Affine) -> float:
    """How much wider a line becomes: the root of the change of area."""
    (a, c), (b, d) = matrix[:2, :2].tolist()
    return math.sqrt(abs(a * d - b * c))


def fitted(root: Node, size: tuple[int, int]) -> tuple[Affine, Box]:
    """The drawing whole on a canvas of (height, width) pixels, with its proportions, centred.

    Returns:
        The matrix from the units of the root's content to pixels, and the root's viewBox (the
        canvas itself if the drawing says nothing of its size).

    Raises:
        LimnerError: UNREADABLE if the drawing has no area.
    """
    box = view_box(root)
    canvas_height, canvas_width = size
    default = box or (0.0, 0.0, float(canvas_width), float(canvas_height))
    width, height = _extent(root, "width"), _extent(root, "height")
    if width is None:
        width = default[2] if height is None else height * default[2] / default[3]
    if height is None:
        height = width * default[3] / default[2]
    if not (width > 0 and height > 0):
        raise broken("its width or height is zero", "Give it a size.")
    box = box or (0.0, 0.0, width, height)
    page = placed((0.0, 0.0, width, height), canvas_width, canvas_height)
    content = placed(box, width, height, root.attributes.get("preserveAspectRatio", ""))
    return within(page, content), box


def _extent(root: Node, name: str) -> float | None:
    """The root's width or height in px; None if missing or relative to a window."""
    text = root.attributes.get(name, "").strip()
    value = None if text.endswith("%") else length(text, math.nan, 1.0)
    return None if value is None or math.isnan(value) else value


def view_box(node: Node) -> Box | None:
    """The viewBox attribute; None if missing or not four numbers.

    Raises:
        LimnerError: UNREADABLE if it has no area or is not finite.
    """
    try:
        x, y, width, height = map(
            float, node.attributes.get("viewBox", "").replace(",", " ").split()
        )
    except ValueError:
        return None
    if not (min(width, height) > 1e-9 and max(width, height, abs(x), abs(y)) < 1e9):
        raise broken("its viewBox has no area or is out of bounds", "Give it a viewBox.")
    return x, y, width, height


def placed(box: Box, width: float, height: float, aspect: str = "") -> Affine:
    """A viewBox in a viewport of `width` x `height` (SVG 2, 8.2, equivalent transform)."""
    align, _, mode = aspect.strip().lower().removeprefix("defer ").partition(" ")
    scale_x, scale_y = width / box[2], height / box[3]
    if align != "none":
        scale_x = scale_y = (max if mode.strip() == "slice" else min)(scale_x, scale_y)
    along_x, along_y = _ALIGN.get(align[1:4], 0.5), _ALIGN.get(align[5:8], 0.5)
    return affine(
        scale_x,
        scale_y,
        (width - box[2] * scale_x) * along_x - box[0] * scale_x,
        (height - box[3] * scale_y) * along_y - box[1] * scale_y,
    )


def transform(text: str, viewport: Viewport) -> Affine:
    """A `transform` attribute or property.

    Raises:
        LimnerError: UNREADABLE if it is not a list of functions.
    """
    # parentheses in pairs first: svgelements' own pattern is quadratic without
    if _TRANSFORMS.fullmatch(text.strip()):
        try:
            m = Matrix(text, ppi=96.0, width=viewport.width, height=viewport.height)
            return np.array([[m.a, m.c, m.e], [m.b, m.d, m.f], [0.0, 0.0, 1.0]], dtype=float)
        except (TypeError, ValueError, IndexError, ArithmeticError):
            pass
    raise broken("it has a transform that makes no sense", "Flatten its transforms.")
