"""One drawing of Grease Pencil as curves, there and back.

Blender 4.3 has no `set_types`: a stroke is a Bézier there if its attribute says so, but Blender
counts its kinds of curves only when strokes are added or removed (it draws polylines before). So
one stroke more than needed is made, and removed once the attribute is written.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .blending import from_blender, to_blender
from .strokes import Curves, Floats, Ints, means, taken

CATMULL_ROM, POLY, BEZIER, NURBS = 0, 1, 2, 3  # attribute `curve_type`
FREE = 0  # attributes `handle_type_…`
TOLERANCE_PX = 0.1  # between a curve and the line that Blender draws for it
FINEST = 64  # parts of a segment
RADIUS = 0.01  # of a point that has none, in Blender
RECEIVED = "limner_rgba"  # attribute: the colour as it came, four bytes in an integer
SAME = 1e-4  # of colours
UNSEEN = 0.5 / 255  # an alpha

_VECTORS = ("position", "handle_left", "handle_right")
_KINDS = {"FLOAT_VECTOR": "vector", "FLOAT_COLOR": "color", "FLOAT": "value"}


def write(drawing: Any, curves: Curves) -> None:
    """Put the curves into a drawing in place of what is there."""
    if not _fits(drawing, curves.sizes):
        _allocate(drawing, curves.sizes)
    if not len(curves.sizes):
        return
    for name in _VECTORS:
        _set(drawing, name, "FLOAT_VECTOR", getattr(curves, name))
    mixed = to_blender(curves.colour)
    shown = np.ones_like(mixed)  # with 1 for alpha they cover the material's own colour
    shown[:, :3] = mixed[:, :3]
    _set(drawing, "radius", "FLOAT", curves.radius)
    _set(drawing, "opacity", "FLOAT", np.repeat(mixed[:, 3], curves.sizes))
    _set(drawing, "vertex_color", "FLOAT_COLOR", np.repeat(shown, curves.sizes, axis=0))
    _set_ints(drawing, "resolution", "INT", resolution(curves))
    _set_ints(drawing, RECEIVED, "INT", _packed(curves.colour))
    drawing.tag_positions_changed()


def resolution(curves: Curves) -> Ints:
    """(S,) into how many lines each segment of a stroke is cut, to be `TOLERANCE_PX` near it.

    A cubic is nowhere farther from n chords of equal parameter than max|B''| / (8 n²), and
    |B''| is at most 6 max(|p0 - 2 p1 + p2|, |p1 - 2 p2 + p3|).
    """
    p0, p1 = curves.position[:-1], curves.handle_right[:-1]
    p2, p3 = curves.handle_left[1:], curves.position[1:]
    bends = np.maximum(_square(p0 - 2 * p1 + p2), _square(p1 - 2 * p2 + p3))
    bends = np.append(bends, np.float32(0))
    bends[curves.first + curves.sizes - 1] = 0  # between two strokes is no segment
    worst = np.sqrt(np.maximum.reduceat(bends, curves.first))
    parts = np.ceil(np.sqrt(0.75 * worst / TOLERANCE_PX))
    return np.clip(parts, 2, FINEST).astype(np.int32)


def read(drawing: Any, materials: Floats) -> Curves:
    """What is in a drawing, with any kind of curve as Béziers.

    Args:
        materials: (M, 4) linear, straight alpha: the strokes of each, with alpha 0 for one that
            shows none. Vertex colours cover them.
    """
    sizes = _sizes(drawing)
    count = int(sizes.sum())
    position = _get(drawing, "position", (count, 3), 0.0)
    left, right = _handles(drawing, sizes, position)
    radius = _get(drawing, "radius", (count,), RADIUS)
    colour = _colours(drawing, sizes, materials)
    found = Curves(sizes, position, left, right, radius, colour)
    return taken(found, np.flatnonzero((sizes > 1) & (colour[:, 3] > UNSEEN)))


def transform(drawing: Any, matrix: Floats, scale: float) -> None:
    """Apply a 4x4 matrix to points and handles, and a factor to radii."""
    count = int(_sizes(drawing).sum())
    for name in _VECTORS:
        if drawing.attributes.get(name) is not None:
            points = _get(drawing, name, (count, 3), 0.0) @ matrix[:3, :3].T + matrix[:3, 3]
            _set(drawing, name, "FLOAT_VECTOR", points.astype(np.float32))
    _set(drawing, "radius", "FLOAT", _get(drawing, "radius", (count,), RADIUS) * np.float32(scale))
    drawing.tag_positions_changed()


# --- inside ----------------------------------------------------------------------------------


def _colours(drawing: Any, sizes: Ints, materials: Floats) -> Floats:
    """(S, 4) sRGB of what is shown: as it was received, where nobody has painted it over."""
    count = int(sizes.sum())
    cover = means(_get(drawing, "vertex_color", (count, 4), 0.0), sizes)
    opacity = means(_get(drawing, "opacity", (count, 1), 1.0), sizes)
    own = materials[
        np.clip(_get_ints(drawing, "material_index", len(sizes)), 0, len(materials) - 1)
    ]
    mixed = own.copy()
    mixed[:, :3] += cover[:, 3:] * (cover[:, :3] - own[:, :3])
    mixed[:, 3:] *= opacity
    received = _unpacked(_get_ints(drawing, RECEIVED, len(sizes)))
    is_same = np.abs(to_blender(received) - mixed).max(1, initial=0) < SAME
    return np.where(is_same[:, None], received, from_blender(mixed)).astype(np.float32)


def _fits(drawing: Any, sizes: Ints) -> bool:
    """Whether the drawing has Béziers with so many anchors, as after the last frame."""
    if len(drawing.strokes) != len(sizes) or not np.array_equal(_sizes(drawing), sizes):
        return False
    return bool((_get_ints(drawing, "curve_type", len(sizes)) == BEZIER).all())


def _allocate(drawing: Any, sizes: Ints) -> None:
    drawing.remove_strokes()
    if not len(sizes):
        return
    drawing.add_strokes(sizes.tolist())
    if hasattr(drawing, "set_types"):
        drawing.set_types(type="BEZIER")
    else:
        drawing.add_strokes([1])
        _set_ints(drawing, "curve_type", "INT8", np.full(len(sizes) + 1, BEZIER, np.int32))
        drawing.remove_strokes(indices=[len(sizes)])
    free = np.full(int(sizes.sum()), FREE, np.int32)
    for name in ("handle_type_left", "handle_type_right"):
        _attribute(drawing, name, "INT8", "POINT").data.foreach_set("value", free)


def _sizes(drawing: Any) -> Ints:
    if not len(drawing.strokes):
        return np.zeros(0, np.int32)  # Blender says one offset, and gives none
    offsets = np.zeros(len(drawing.curve_offsets), np.int32)
    drawing.curve_offsets.foreach_get("value", offsets)
    return np.diff(offsets).astype(np.int32)


def _handles(drawing: Any, sizes: Ints, position: Floats) -> tuple[Floats, Floats]:
    """Handles of every point: a Bézier's own, a polyline's a third of the way to its neighbours,
    a Catmull-Rom spline's along its chords; a NURBS is taken by its control polygon."""
    kinds = np.repeat(_get_ints(drawing, "curve_type", len(sizes)), sizes)
    last = np.cumsum(sizes) - 1
    first = last - sizes + 1
    after, before = np.roll(position, -1, axis=0), np.roll(position, 1, axis=0)
    after[last], before[first] = position[last], position[first]
    straight = (kinds != CATMULL_ROM)[:, None]
    chord = (after - before) / 6
    right = position + np.where(straight, (after - position) / 3, chord)
    left = position + np.where(straight, (before - position) / 3, -chord)
    own = kinds == BEZIER
    left[own] = _get(drawing, "handle_left", position.shape, 0.0)[own]
    right[own] = _get(drawing, "handle_right", position.shape, 0.0)[own]
    return left.astype(np.float32), right.astype(np.float32)


def _packed(rgba: Floats) -> Ints:
    """(S,) four bytes each."""
    return np.rint(rgba * 255).astype(np.uint8).view(np.int32).ravel()


def _unpacked(packed: Ints) -> Floats:
    return packed.view(np.uint8).reshape(-1, 4).astype(np.float32) / 255


def _attribute(drawing: Any, name: str, kind: str, domain: str) -> Any:
    found = drawing.attributes.get(name)
    return drawing.attributes.new(name, kind, domain) if found is None else found


def _set(drawing: Any, name: str, kind: str, values: Floats) -> None:
    data = _attribute(drawing, name, kind, "POINT").data
    data.foreach_set(_KINDS[kind], np.ascontiguousarray(values, np.float32).ravel())


def _set_ints(drawing: Any, name: str, kind: str, values: Ints) -> None:
    """Of the strokes."""
    _attribute(drawing, name, kind, "CURVE").data.foreach_set("value", values)


def _get(drawing: Any, name: str, shape: tuple[int, ...], usual: float) -> Floats:
    found = drawing.attributes.get(name)
    out = np.full(shape, usual, np.float32)
    if found is not None and out.size:
        flat = out.ravel()
        found.data.foreach_get(_KINDS[found.data_type], flat)
        out = flat.reshape(shape)
    return out


def _get_ints(drawing: Any, name: str, count: int) -> Ints:
    found = drawing.attributes.get(name)
    out = np.zeros(count, np.int32)
    if found is not None and count:
        found.data.foreach_get("value", out)
    return out


def _square(vectors: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", vectors, vectors), np.float32)
