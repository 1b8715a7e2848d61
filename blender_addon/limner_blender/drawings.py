"""What is remembered on the objects of drawings, and their strokes, to go on from them.

Three custom properties, saved with the file and copied with the object: the prompt and the seed,
for the artist to read, and everything else as JSON, which is enough to draw it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import bpy
import numpy as np

from limner_front.i18n import _
from limner_front.svg_strokes import svg_of
from limner_wire.errors import ErrorCode, LimnerError

from . import gp_points, paper
from .strokes import FLAT, Curves, Floats, control_points, flattened

PROMPT, SEED, ALL = "limner_prompt", "limner_seed", "limner"
KIND = "GREASEPENCIL"  # the type of the objects
FLATNESS_PX = 1e-3  # depths below are none

Eye = tuple[float, float, float]


def remember(name: str, about: dict[str, Any], placed: dict[str, Any]) -> None:
    """Keep what made a drawing, and how it was placed, on its object.

    Args:
        about: "prompt", "seed", "canvas" as [width, height] in pixels, and what else there is.
        placed: "spread" and "eye" as `strokes.spread` took them, and what else there is.

    Raises:
        LimnerError: BAD_INPUT if there is no such object.
    """
    found = object_of(name)
    found[PROMPT] = str(about.get("prompt", ""))
    found[SEED] = str(about.get("seed", ""))  # a seed may be more than an integer property holds
    found[ALL] = json.dumps({"about": about, "placed": placed})


def about_of(found: Any) -> dict[str, Any] | None:
    """What made the drawing of an object; None if it is no drawing of Limner's, or baked."""
    told = _told(found)
    return None if told is None else told["about"]


def placed_of(found: Any) -> dict[str, Any] | None:
    """How the drawing of an object was placed; None as in `about_of`."""
    told = _told(found)
    return None if told is None else told["placed"]


def eye_of(found: Any) -> Eye | None:
    """The camera that the drawing of an object was spread before, in canvas pixels."""
    told = (placed_of(found) or {}).get("eye")
    return None if told is None else (told[0], told[1], told[2])


def forget(name: str) -> None:
    """Leave the prompt and the seed on the object, and nothing to go on from."""
    found = object_of(name)
    if ALL in found:
        del found[ALL]


def object_of(name: str) -> Any:
    """The object of that name.

    Raises:
        LimnerError: BAD_INPUT if it is gone.
    """
    found = bpy.data.objects.get(name)
    if found is None:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            _("There is no object “{name}” in this file any more.", name=name),
            _("It was deleted or renamed, or its making was undone."),
        )
    return found


def grease_pencil_of(name: str) -> Any:
    """The Grease Pencil object of that name.

    Raises:
        LimnerError: BAD_INPUT if it is gone, or of another kind.
    """
    found = object_of(name)
    if found.type != KIND:
        words = _("“{name}” is no Grease Pencil object.", name=name)
        raise LimnerError(ErrorCode.BAD_INPUT, words, _("Choose one that is."))
    return found


# --- its strokes -----------------------------------------------------------------------------


def read(name: str) -> Curves:
    """The strokes of a Grease Pencil object as they are shown now, in its own coordinates.

    Raises:
        LimnerError: BAD_INPUT if it is gone, of another kind, or has no strokes.
    """
    found = grease_pencil_of(name)
    colours = _stroke_colours(found)
    layers = [layer for layer in found.data.layers if not layer.hide and layer.name != paper.LAYER]
    shown = [layer.current_frame() for layer in layers]
    parts = [gp_points.read(f.drawing, colours) for f in shown if f is not None]
    parts = [part for part in parts if len(part.sizes)]
    if not parts:
        words = _("“{name}” has no strokes in this frame.", name=name)
        raise LimnerError(ErrorCode.BAD_INPUT, words, _("Choose another frame, or another object."))
    return _joined(parts)


def strokes_svg_of(name: str) -> bytes:
    """The strokes of a drawing of Limner's on its own canvas, to go on from, as they are now.

    What was spread is put back on the canvas; a drawing in space keeps its depth.

    Raises:
        LimnerError: BAD_INPUT, as `read`, or if it is no drawing of Limner's.
    """
    told = _told(object_of(name))
    if told is None:
        words = _("“{name}” is no drawing that can be continued.", name=name)
        raise LimnerError(ErrorCode.BAD_INPUT, words, _("Begin from its strokes instead."))
    wide, high = told["about"]["canvas"]
    curves = read(name)
    if told["placed"].get("spread", FLAT) != FLAT and curves.is_parallel:
        curves = flattened(curves, eye_of(object_of(name)))
    is_flat = not bool(np.abs(curves.position[:, 2]).max() > FLATNESS_PX)
    return svg_of(control_points(curves, (wide, high), is_flat=is_flat))


def strokes_svg_seen(name: str, matrix: Any, canvas: tuple[int, int], eye: Eye | None) -> bytes:
    """The strokes of any Grease Pencil object as they lie on a canvas in the scene.

    Args:
        matrix: 4x4, canvas pixels -> world, and the eye in those pixels, as `plane` gives them.

    Raises:
        LimnerError: BAD_INPUT, as `read`.
    """
    curves, found = read(name), object_of(name)
    to_canvas = np.array(matrix.inverted() @ found.matrix_world, np.float32)
    return svg_of(control_points(flattened(_transformed(curves, to_canvas), eye), canvas))


def _stroke_colours(found: Any) -> Floats:
    """(M, 4) linear colours of the materials' strokes; alpha 0 of one that shows none."""
    rows = []
    for material in found.data.materials:
        style = None if material is None else material.grease_pencil
        if style is None:
            rows.append((0.0, 0.0, 0.0, 1.0))
        else:
            *rgb, alpha = style.color
            rows.append((*rgb, alpha if style.show_stroke and not style.hide else 0.0))
    return np.array(rows or [(0.0, 0.0, 0.0, 1.0)], np.float32)


def _transformed(curves: Curves, matrix: Floats) -> Curves:
    turn, move = matrix[:3, :3], matrix[:3, 3]
    scale = abs(float(np.linalg.det(turn))) ** (1 / 3)
    return replace(
        curves,
        position=curves.position @ turn.T + move,
        handle_left=curves.handle_left @ turn.T + move,
        handle_right=curves.handle_right @ turn.T + move,
        radius=curves.radius * np.float32(scale),
    )


def _joined(parts: Sequence[Curves]) -> Curves:
    names = [field.name for field in fields(Curves)]
    return Curves(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _told(found: Any) -> dict[str, Any] | None:
    """What was remembered, unless someone has made something else of the property."""
    try:
        told = json.loads(found.get(ALL, ""))
        return told if {"about", "placed"} <= set(told) and told["about"]["canvas"] else None
    except (TypeError, ValueError, KeyError, AttributeError):
        return None
