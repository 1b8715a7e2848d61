"""A drawing as a Curve object: a Bézier spline for each stroke, as round as it is wide, and a
material for each colour, which every renderer shows as the colour itself, without lights."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from limner_front.i18n import _
from limner_wire.errors import ErrorCode, LimnerError

from . import drawings, gp_points
from .blending import to_blender
from .strokes import Curves, Floats, moved

KIND = "CURVE"  # the type of the objects
ROUND = 3  # bevel resolution
FLATNESS = 0.01  # of a flat drawing: how thick its strokes are, in parts of their width


def to_curves(name: str) -> str:
    """A Curve object with the strokes of a Grease Pencil object, in its place; its name.

    A drawing in space becomes tubes. A flat one becomes thin bands, each lying on those that were
    painted before, or wide strokes would swallow the narrow ones on them; its handles are exact
    across the canvas, and its depth is scaled down in the object.

    Raises:
        LimnerError: BAD_INPUT, as `drawings.read`.
    """
    found = drawings.grease_pencil_of(name)
    curves = drawings.read(name)
    data = bpy.data.curves.new(name, KIND)
    made = bpy.data.objects.new(name, data)
    for collection in found.users_collection:
        collection.objects.link(made)
    made.matrix_world = found.matrix_world
    if curves.is_parallel:
        curves = _stacked(curves, drawings.eye_of(found))
        made.scale.z *= FLATNESS
    _fill(data, curves)
    for key in (drawings.PROMPT, drawings.SEED):
        if key in found:
            made[key] = found[key]
    return str(made.name)


def remove(name: str) -> None:
    """Take a Curve object away, and its data and materials if nothing else uses them.

    Raises:
        LimnerError: BAD_INPUT if it is gone, or of another kind.
    """
    found = drawings.object_of(name)
    if found.type != KIND:
        raise LimnerError(ErrorCode.BAD_INPUT, _("“{name}” is no Curve object.", name=name))
    data, materials = found.data, [m for m in found.data.materials if m is not None]
    bpy.data.objects.remove(found)
    if not data.users:
        bpy.data.curves.remove(data)
    for material in materials:
        if not material.users:
            bpy.data.materials.remove(material)


# --- inside ----------------------------------------------------------------------------------


def _stacked(curves: Curves, eye: drawings.Eye | None) -> Curves:
    """Each stroke nearer than all that were painted before are thick; looks the same from the eye.
    Depths are then as much larger as the object scales them down."""
    thick = curves.radius[curves.first] * FLATNESS
    nearer = np.cumsum(thick) - thick / 2
    stacked = moved(curves, -nearer.astype(np.float32)[curves.owner], eye)
    for points in (stacked.position, stacked.handle_left, stacked.handle_right):
        points[:, 2] /= FLATNESS
    return stacked


def _fill(data: Any, curves: Curves) -> None:
    data.dimensions, data.bevel_depth, data.bevel_resolution = "3D", 1.0, ROUND  # times the radius
    data.use_fill_caps = True
    colours, which = np.unique(np.rint(curves.colour * 255), axis=0, return_inverse=True)
    for colour in to_blender(colours.astype(np.float32) / 255):
        data.materials.append(_material(data.name, colour))
    parts = gp_points.resolution(curves)
    names = (("co", curves.position), ("handle_left", curves.handle_left),
             ("handle_right", curves.handle_right), ("radius", curves.radius))  # fmt: skip
    for s, (first, size) in enumerate(zip(curves.first, curves.sizes, strict=True)):
        spline = data.splines.new("BEZIER")
        spline.bezier_points.add(int(size) - 1)
        for key, values in names:
            spline.bezier_points.foreach_set(key, values[first : first + size].ravel())
        spline.material_index = int(which.ravel()[s])
        spline.resolution_u = int(parts[s])


def _material(name: str, colour: Floats) -> Any:
    """A material that shines in a linear colour with an opacity, and looks so in Solid shading.
    Its back is clear: a ray goes through a tube's front and back, and is to be covered once."""
    *rgb, opacity = (float(c) for c in colour)
    material = bpy.data.materials.new(name)
    material.diffuse_color = (*rgb, opacity)
    if bpy.app.version < (5, 0):
        material.use_nodes = True  # always, in Blender 5
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    side, cover = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeMapRange")
    shine, clear = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeBsdfTransparent")
    mix, out = nodes.new("ShaderNodeMixShader"), nodes.new("ShaderNodeOutputMaterial")
    shine.inputs["Color"].default_value = (*rgb, 1.0)
    cover.inputs["To Min"].default_value, cover.inputs["To Max"].default_value = opacity, 0.0
    links.new(side.outputs["Backfacing"], cover.inputs["Value"])
    links.new(cover.outputs["Result"], mix.inputs["Fac"])
    links.new(clear.outputs["BSDF"], mix.inputs[1])
    links.new(shine.outputs["Emission"], mix.inputs[2])
    links.new(mix.outputs["Shader"], out.inputs["Surface"])
    return material
