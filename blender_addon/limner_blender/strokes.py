"""Strokes as arrays in the form that Blender keeps Béziers in: anchors, each with two handles.

A stroke of n cubic segments has 3 n + 1 control points; every third is an anchor, the one after it
its right handle, the one before the next anchor that one's left handle. The outer handles of both
ends are free: they mirror the inner ones. Lengths are pixels of the canvas: x right, y down, z away
from the viewer. No bpy here.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limner_wire.strokes import MARGIN, NEAREST, SPAN, STEPS, Strokes

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int32]

FLAT, ORDER, SIZE = "FLAT", "ORDER", "SIZE"


@dataclass(frozen=True)
class Curves:
    """S strokes with A anchors in all, in painting order.

    Attributes:
        sizes: (S,) int32, anchors of each stroke; 2 at least.
        position, handle_left, handle_right: (A, 3) float32.
        radius: (A,) float32, half the stroke's width.
        colour: (S, 4) float32 in [0, 1], sRGB with straight alpha, as in the SVG.
    """

    sizes: Ints
    position: Floats
    handle_left: Floats
    handle_right: Floats
    radius: Floats
    colour: Floats

    @property
    def owner(self) -> NDArray[np.int64]:
        """(A,): the stroke of each anchor."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def first(self) -> NDArray[np.int64]:
        """(S,): where each stroke begins among the anchors."""
        return np.cumsum(self.sizes, dtype=np.int64) - self.sizes

    @property
    def is_parallel(self) -> bool:
        """Whether every stroke lies in a plane parallel to the canvas."""
        return np.array_equal(self.handle_right[:, 2], self.position[:, 2])


def curves(strokes: Strokes) -> Curves:
    """Received strokes as curves; strokes of a single control point are left out."""
    points = _points(strokes)
    ends = np.array(strokes.ends, np.int64)
    counts = np.diff(ends, prepend=0)
    kept = np.flatnonzero(counts > 1)
    sizes = (counts[kept] + 2) // 3
    owner = np.repeat(np.arange(len(kept)), sizes)
    first = np.cumsum(sizes) - sizes
    begin = (ends - counts)[kept]
    anchor = begin[owner] + 3 * (np.arange(len(owner)) - first[owner])  # among the control points
    rgba = np.frombuffer(strokes.rgba, np.uint8).reshape(-1, 4)[kept]
    width = np.array(strokes.width, np.float32)[kept] * np.float32(max(strokes.canvas) / STEPS)
    left, right = _handles(points, anchor, first, first + sizes - 1)
    return Curves(
        sizes.astype(np.int32),
        points[anchor],
        left,
        right,
        (width / 2)[owner],
        rgba.astype(np.float32) / 255,
    )


def control_points(curves: Curves, canvas: tuple[int, int], *, is_flat: bool = True) -> Strokes:
    """Curves as strokes of the wire; one of several radii has their mean.

    Args:
        canvas: (width, height) in pixels.
        is_flat: without the depth.
    """
    points, ends = _chains(curves)
    fractions = (points[:, :2] / np.array(canvas, np.float32) + MARGIN) / SPAN
    deep = (points[:, 2] / max(canvas) + NEAREST) / SPAN
    rgba = np.rint(np.clip(curves.colour, 0, 1) * 255).astype(np.uint8)
    radius = means(curves.radius[:, None], curves.sizes)[:, 0]
    return Strokes(
        (canvas[0], canvas[1]),
        _steps(fractions.ravel()),
        array("I", ends.tolist()),
        _steps(2 * radius / max(canvas)),
        rgba.tobytes(),
        None if is_flat else _steps(deep),
    )


def spread(
    curves: Curves, how: str, distance_px: float, eye: tuple[float, float, float] | None = None
) -> Curves:
    """A flat drawing with each stroke at a depth of its own, from the canvas towards the viewer
    and away from it by half the distance each; one in space stays as it is.

    Args:
        how: "ORDER": what was painted later is nearer. "SIZE": what takes more paint is farther.
            "FLAT": nothing is moved.
        distance_px: between the nearest and the farthest.
        eye: the camera in canvas pixels, its z below 0. Strokes are then scaled about it, so that
            from there nothing is seen to change; None for a viewer infinitely far away.
    """
    count = len(curves.sizes)
    if how == FLAT or count < 2 or distance_px == 0 or not curves.is_parallel:
        return curves
    if how == SIZE:
        # painted in that order too: translucent strokes blend only over what was painted before
        curves = taken(curves, np.argsort(-_paint(curves), kind="stable"))
    rank = np.linspace(0.5, -0.5, count, dtype=np.float32)  # the first is farthest
    return moved(curves, (rank * np.float32(distance_px))[curves.owner], eye)


def moved(curves: Curves, z: Floats, eye: tuple[float, float, float] | None) -> Curves:
    """Anchors with their handles moved away by z (A,), and scaled about the eye as in `spread`."""
    shift = np.zeros((len(z), 3), np.float32)
    shift[:, 2] = z
    if eye is None:
        grown, scale = shift, np.float32(1)
    else:
        at = np.array(eye, np.float32)
        scale = (z - at[2]) / -at[2]
        grown = at * (1 - scale[:, None])
    k = np.reshape(scale, (-1, 1))
    return replace(
        curves,
        position=curves.position * k + grown,
        handle_left=curves.handle_left * k + grown,
        handle_right=curves.handle_right * k + grown,
        radius=curves.radius * scale,
    )


def flattened(curves: Curves, eye: tuple[float, float, float] | None = None) -> Curves:
    """As seen from the eye (as in `spread`) on the canvas: every depth 0."""
    at = np.array((0.0, 0.0, -np.inf) if eye is None else eye, np.float32)

    def scale(points: Floats) -> Floats:
        if eye is None:
            return np.ones(len(points), np.float32)
        away = np.maximum(points[:, 2] - at[2], 1e-3)  # what is behind the eye can't be seen well
        return np.asarray(-at[2] / away, np.float32)

    def seen(points: Floats) -> Floats:
        out = np.zeros_like(points)
        out[:, :2] = at[:2] + (points[:, :2] - at[:2]) * scale(points)[:, None]
        return out

    return replace(
        curves,
        position=seen(curves.position),
        handle_left=seen(curves.handle_left),
        handle_right=seen(curves.handle_right),
        radius=curves.radius * scale(curves.position),
    )


def taken(curves: Curves, order: NDArray[np.int64]) -> Curves:
    """Some of the strokes, or all in another order, by their numbers."""
    sizes = curves.sizes[order]
    begin = np.cumsum(sizes, dtype=np.int64) - sizes
    anchors = np.arange(int(sizes.sum())) + np.repeat(curves.first[order] - begin, sizes)
    return Curves(
        sizes,
        curves.position[anchors],
        curves.handle_left[anchors],
        curves.handle_right[anchors],
        curves.radius[anchors],
        curves.colour[order],
    )


def means(values: Floats, sizes: Ints) -> Floats:
    """(S, C) the mean of what each stroke's anchors (A, C) have."""
    if not len(sizes):
        return np.zeros((0, values.shape[1]), np.float32)
    begin = np.cumsum(sizes, dtype=np.int64) - sizes
    sums: Floats = np.add.reduceat(values, begin, axis=0)
    return np.asarray(sums / sizes[:, None], np.float32)


# --- inside ----------------------------------------------------------------------------------


def _points(strokes: Strokes) -> Floats:
    """(N, 3) control points in pixels."""
    wide, high = strokes.canvas
    out = np.zeros((len(strokes.points) // 2, 3), np.float32)
    fractions = np.array(strokes.points, np.float32).reshape(-1, 2)
    unit = np.array([wide, high], np.float32)
    out[:, :2] = fractions * (unit * (SPAN / STEPS)) - unit * MARGIN
    if strokes.depth is not None:
        side = max(strokes.canvas)
        out[:, 2] = np.array(strokes.depth, np.float32) * (side * SPAN / STEPS) - side * NEAREST
    return out


def _chains(curves: Curves) -> tuple[Floats, NDArray[np.int64]]:
    """(N, 3) control points of all strokes, and where each stroke ends among them."""
    owner = curves.owner
    ends = np.cumsum(3 * curves.sizes - 2, dtype=np.int64)
    at = 3 * np.arange(len(owner)) - 2 * owner  # each anchor among the control points
    points = np.empty((int(ends[-1]) if len(ends) else 0, 3), np.float32)
    points[at] = curves.position
    is_last, is_first = np.zeros((2, len(owner)), bool)
    is_last[curves.first + curves.sizes - 1] = is_first[curves.first] = True
    points[at[~is_last] + 1] = curves.handle_right[~is_last]
    points[at[~is_first] - 1] = curves.handle_left[~is_first]
    return points, ends


def _handles(points: Floats, anchor: Any, first: Any, last: Any) -> tuple[Floats, Floats]:
    """Left and right handles (A, 3) of the anchors at those indices."""
    end = len(points) - 1
    left, right = points[np.maximum(anchor - 1, 0)], points[np.minimum(anchor + 1, end)]
    at = points[anchor]
    left[first] = 2 * at[first] - right[first]
    right[last] = 2 * at[last] - left[last]
    return left, right


def _paint(curves: Curves) -> Floats:
    """(S,) the paint that each stroke takes: its length along the anchors, times its width."""
    steps = np.linalg.norm(np.diff(curves.position, axis=0, append=0), axis=1)
    steps[curves.first + curves.sizes - 1] = 0
    length = np.bincount(curves.owner, steps, len(curves.sizes))
    return (length * curves.radius[curves.first]).astype(np.float32)


def _steps(fractions: Any) -> array[int]:
    """Fractions in [0, 1] as the wire has them; what is no number is 0."""
    bounded = np.clip(np.nan_to_num(fractions), 0, 1)
    out = array("H")
    out.frombytes(np.rint(bounded * STEPS).astype(np.uint16).tobytes())
    return out
