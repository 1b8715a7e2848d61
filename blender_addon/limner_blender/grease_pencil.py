"""Grease Pencil objects of drawings: made, kept at the newest strokes, animated, made ordinary.

An object is known by its name alone and looked up in each call: an undo, or another file, makes
any reference to a datablock stale. One unit of its own space is one pixel of the canvas, x right,
y down, z away from the viewer, so that strokes go in as they come, and moving the object in the
middle of a run moves the drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from limner_front.i18n import _
from limner_wire.errors import ErrorCode, LimnerError

from . import drawings, gp_points, paper
from .drawings import grease_pencil_of, read
from .strokes import Curves

__all__ = ["bake", "create", "exists", "keyframe", "read", "remove", "write"]

LayPaper = Callable[[Any, int], None]

LAYER = "Limner"
OPAQUE = 0.98  # what shows through itself then is not seen
# x right, y down, z away -> x right, y away, z up: Blender's own front view
_UPRIGHT = Matrix(((1, 0, 0, 0), (0, 0, 1, 0), (0, -1, 0, 0), (0, 0, 0, 1)))


def create(
    scene: Any, name: str, matrix: Any, about: dict[str, Any], lay_paper: LayPaper | None = None
) -> str:
    """Make an object without strokes in a scene, neither selected nor active; its name.

    Args:
        matrix: 4x4, canvas pixels -> world, with one scale for all axes.
        about: what makes the drawing, as `drawings.remember`.
        lay_paper: puts what lies below the strokes into the Grease Pencil, from a frame on.
    """
    data = _collection().new(name)
    data.materials.append(_material(name))
    first = min(scene.frame_start, scene.frame_current)  # it is there from the beginning
    if lay_paper is not None:
        lay_paper(data, first)
    layer = data.layers.new(LAYER)
    layer.use_lights = False  # else strokes are black in a scene without lights
    layer.frames.new(first)
    made = bpy.data.objects.new(name, data)
    scene.collection.objects.link(made)
    made.matrix_world = matrix
    drawings.remember(made.name, about, {})
    return str(made.name)


def write(name: str, curves: Curves, frame: int | None = None) -> None:
    """Put strokes into a drawing in place of what is there.

    Args:
        frame: the number of a keyframe; None: the first one.

    Raises:
        LimnerError: BAD_INPUT if the object or the keyframe is gone.
    """
    data = grease_pencil_of(name).data
    frames = _layer(data, name).frames
    key = next(iter(frames), None) if frame is None else _at(frames, frame)
    if key is None:
        words = _("The keyframe of “{name}” is gone.", name=name)
        raise LimnerError(ErrorCode.BAD_INPUT, words, _("Undo its removal, or draw anew."))
    _fill(data, key, curves)


def keyframe(name: str, curves: Curves, frame: int) -> None:
    """Put strokes into the keyframe of that number, a new one if there is none.

    Raises:
        LimnerError: BAD_INPUT if the object is gone.
    """
    data = grease_pencil_of(name).data
    frames = _layer(data, name).frames
    key = _at(frames, frame)
    _fill(data, frames.new(frame) if key is None else key, curves)


def keep_keyframes(name: str, kept: Container[int]) -> None:
    """Take away all keyframes but those of these numbers: before the first nothing is shown.

    Raises:
        LimnerError: BAD_INPUT if the object is gone.
    """
    data = grease_pencil_of(name).data
    frames = _layer(data, name).frames
    for number in [key.frame_number for key in frames]:
        if number not in kept:
            frames.remove(number)
    data.update_tag()


def exists(name: str) -> bool:
    """Whether there is a Grease Pencil object of that name."""
    found = bpy.data.objects.get(name)
    return found is not None and found.type == drawings.KIND


def remove(name: str) -> None:
    """Take the object away, and with it whatever of its data nothing else uses.

    Raises:
        LimnerError: BAD_INPUT if it is gone.
    """
    found = grease_pencil_of(name)
    data, materials = found.data, [m for m in found.data.materials if m is not None]
    bpy.data.objects.remove(found)
    if not data.users:
        _collection().remove(data)
    for material in materials:
        if not material.users:
            bpy.data.materials.remove(material)


def bake(name: str) -> None:
    """Make it an ordinary Grease Pencil object: its points and radii in the world's units, scale 1,
    its origin in the middle of the canvas, its own z up. It looks the same, and the prompt and the
    seed stay readable, but it is no drawing to go on from any more.

    Raises:
        LimnerError: BAD_INPUT if it is gone, or no drawing of Limner's.
    """
    found = grease_pencil_of(name)
    about = drawings.about_of(found)
    if about is None:
        words = _("“{name}” is an ordinary Grease Pencil object already.", name=name)
        raise LimnerError(ErrorCode.BAD_INPUT, words)
    if found.data.users > 1:
        found.data = found.data.copy()  # a linked duplicate keeps the drawing as it was
    wide, high = about["canvas"]
    old = found.matrix_world.copy()
    turn = old.to_quaternion().to_matrix().to_4x4()
    new = Matrix.Translation(old @ Vector((wide / 2, high / 2, 0))) @ turn @ _UPRIGHT.inverted()
    change = np.array(new.inverted() @ old, np.float32)
    scale = abs(old.determinant()) ** (1 / 3)
    for layer in found.data.layers:
        for key in layer.frames:
            gp_points.transform(key.drawing, change, scale)
    found.matrix_world = new
    found.data.update_tag()
    drawings.forget(name)


# --- inside ----------------------------------------------------------------------------------


def _collection() -> Any:
    """Where Grease Pencil datablocks are: `grease_pencils` held annotations until Blender 5."""
    has_both = hasattr(bpy.data, "grease_pencils_v3")
    return bpy.data.grease_pencils_v3 if has_both else bpy.data.grease_pencils


def _material(name: str) -> Any:
    """Strokes alone, no fill; its own black is covered by the strokes' vertex colours, everywhere
    but in Solid shading with colours by material (`canvas.show_colours`)."""
    material = bpy.data.materials.new(name)
    bpy.data.materials.create_gpencil_data(material)
    style = material.grease_pencil
    style.show_stroke, style.show_fill = True, False
    style.color = (0.0, 0.0, 0.0, 1.0)
    return material


def _layer(data: Any, name: str) -> Any:
    """Ours, or the lowest if the artist has renamed it."""
    found = data.layers.get(LAYER)
    if found is None:
        found = next((layer for layer in data.layers if layer.name != paper.LAYER), None)
    if found is None:
        words = _("“{name}” has no layer any more.", name=name)
        raise LimnerError(ErrorCode.BAD_INPUT, words, _("Undo its removal, or draw anew."))
    return found


def _at(frames: Any, number: int) -> Any:
    return next((key for key in frames if key.frame_number == number), None)


def _fill(data: Any, key: Any, curves: Curves) -> None:
    gp_points.write(key.drawing, curves)
    order = _depth_order(curves)
    if data.stroke_depth_order != order:
        data.stroke_depth_order = order
    data.update_tag()


def _depth_order(curves: Curves) -> str:
    """Whether strokes cover each other by painting order ("2D") or by distance ("3D").

    By painting order strokes on one plane do not fight, and spread ones, which are painted from
    far to near, are right from all of their front. By distance is right from every side for
    strokes in space, but a translucent stroke then shows through itself at each of its joints, as
    stars: so only if all are opaque.
    """
    is_opaque = bool((curves.colour[:, 3] >= OPAQUE).all())
    return "3D" if is_opaque and not curves.is_parallel else "2D"
