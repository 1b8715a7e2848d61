"""Drawings as Blender's data: Grease Pencil, curves, what is remembered on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import scenes
from mathutils import Matrix, Vector

from limner_wire.errors import LimnerError

curves = scenes.room("curves")
drawings = scenes.room("drawings")
grease_pencil = scenes.room("grease_pencil")
plane = scenes.room("plane")
strokes = scenes.room("strokes")

ABOUT: dict[str, Any] = {"prompt": "a kite", "seed": 2**40, "canvas": [400, 300]}


def _made(svg: str, matrix: Any = None, **placed: Any) -> str:
    scene = scenes.empty()
    told = scenes.strokes(svg)
    about = {**ABOUT, "canvas": list(told.canvas)}
    name = grease_pencil.create(scene, "a kite", matrix or Matrix(), about)
    drawings.remember(name, about, placed)
    spread = placed.get("spread", "FLAT"), placed.get("spread_px", 0), placed.get("eye")
    grease_pencil.write(name, strokes.spread(strokes.curves(told), *spread))
    return name


def _drawing(name: str) -> Any:
    return bpy.data.objects[name].data.layers[0].frames[0].drawing


def points(svg: str) -> list[list[Any]]:
    """Every anchor of every stroke as Blender tells it: left handle, position, right handle,
    radius, opacity, vertex colour; and the kind of the stroke."""
    drawing = _drawing(_made(svg))
    kinds = np.zeros(len(drawing.strokes), np.int32)
    drawing.attributes["curve_type"].data.foreach_get("value", kinds)
    return [
        [int(kind), [_told(point) for point in stroke.points]]
        for kind, stroke in zip(kinds, drawing.strokes, strict=True)
    ]


def _told(point: Any) -> list[list[float]]:
    vectors = point.handle_left.position, point.position, point.handle_right.position
    return [*map(list, vectors), [point.radius, point.opacity], list(point.vertex_color)]


def life(one: str, other: str) -> dict[str, Any]:
    """An object from its making to its removal."""
    name = _made(one)
    told: dict[str, Any] = {"name": name, "exists": grease_pencil.exists(name)}
    made = bpy.data.objects[name]
    told["selected"] = [ob.name for ob in bpy.context.selected_objects]
    told["prompt"], told["seed"] = made["limner_prompt"], made["limner_seed"]
    told["lights"] = made.data.layers[0].use_lights
    told["counts"] = [_count(name)]
    for svg in (other, one):  # another number of strokes, and anchors
        grease_pencil.write(name, strokes.curves(scenes.strokes(svg)))
        told["counts"].append(_count(name))
    grease_pencil.remove(name)
    told["left"] = [len(bpy.data.materials), len(bpy.data.objects), grease_pencil.exists(name)]
    told["gone"] = [_refused(grease_pencil.write, name, None), _refused(grease_pencil.bake, name)]
    return told


def _count(name: str) -> list[int]:
    found = grease_pencil.read(name)
    return [len(found.sizes), len(found.position)]


def _refused(act: Any, *given: Any) -> str:
    try:
        act(*given)
    except LimnerError as why:
        return str(why)
    return ""


def keyframes(one: str, other: str) -> dict[str, Any]:
    """A drawing over time."""
    scene_strokes = [strokes.curves(scenes.strokes(svg)) for svg in (one, other)]
    name = _made(one)
    for frame, which in ((10, 0), (20, 1), (10, 1)):
        grease_pencil.keyframe(name, scene_strokes[which], frame)
    frames = bpy.data.objects[name].data.layers[0].frames
    told = {"frames": [key.frame_number for key in frames], "shown": []}
    for now in (1, 9, 10, 15, 30):
        bpy.context.scene.frame_set(now)
        told["shown"].append(_count(name)[0])
    grease_pencil.write(name, scene_strokes[0], 20)
    told["rewritten"] = _count(name)[0]
    told["none there"] = _refused(grease_pencil.write, name, scene_strokes[0], 11)
    return told


def undone(one: str, other: str) -> dict[str, Any]:
    """An undo, and a redo, between two frames: every reference is stale after it."""
    name = _made(one)
    bpy.ops.ed.undo_push(message="one")
    grease_pencil.write(name, strokes.curves(scenes.strokes(other)))
    bpy.ops.ed.undo_push(message="other")
    told = {"before": _count(name)}
    bpy.ops.ed.undo()
    told["undone"] = _count(name)
    grease_pencil.write(name, strokes.curves(scenes.strokes(other)))
    told["written"] = _count(name)
    return told


def continued(svg: str, matrix: list[list[float]], eye: list[float] | None) -> dict[str, str]:
    """The strokes of a drawing as SVG, to go on from: flat, spread, baked and seen from there."""
    place = Matrix(matrix)
    told = {"flat": drawings.strokes_svg_of(_made(svg, place))}
    spread = {"spread": "ORDER", "spread_px": 120.0, "eye": eye}
    name = _made(svg, place, **spread)
    told["spread"] = drawings.strokes_svg_of(name)
    grease_pencil.bake(name)
    told["refused"] = _refused(drawings.strokes_svg_of, name).encode()
    canvas = scenes.strokes(svg).canvas
    seen_from = None if eye is None else tuple(eye)
    told["seen"] = drawings.strokes_svg_seen(name, place, canvas, seen_from)
    return {key: text.decode() for key, text in told.items()}


def in_space(opaque: str, clear: str) -> dict[str, Any]:
    """How strokes cover each other, and a drawing in space as SVG, to go on from."""
    told: dict[str, Any] = {"orders": []}
    for svg, spread in ((opaque, 0.0), (clear, 0.0), (opaque, 90.0)):
        name = _made(svg)
        found = strokes.curves(scenes.strokes(svg))
        if spread:
            found = strokes.spread(strokes.flattened(found), "ORDER", spread)
        grease_pencil.write(name, found)
        told["orders"].append(bpy.data.objects[name].data.stroke_depth_order)
    told["svg"] = drawings.strokes_svg_of(_made(opaque)).decode()
    return told


def places() -> dict[str, Any]:
    """Where canvases lie, and what no canvas can lie before."""
    scene = scenes.empty()
    camera = scenes.camera(scene, pixels=(200, 100))
    scene.cursor.location, scene.cursor.rotation_euler = (1, 2, 3), (0, 0, np.pi / 2)
    matrix = plane.cursor_plane(scene.cursor.matrix, 4.0, (200, 100))
    corners = [list(matrix @ Vector((*at, 0))) for at in ((0, 0), (200, 0), (0, 100), (100, 50))]
    told = {"corners": corners, "behind": list(matrix @ Vector((100, 50, 10)))}
    told["sizes"] = [plane.canvas_size(scene, n) for n in (512, 1, 10**6)]
    scene.render.pixel_aspect_x = 2
    told["sizes"].append(plane.canvas_size(scene, 512))
    told["flat"] = _refused(plane.cursor_plane, scene.cursor.matrix, 0.0, (4, 4))
    told["near"] = _refused(plane.camera_plane, scene, camera, 0.0, (4, 4))
    matrix = plane.camera_plane(scene, camera, 3.0, (200, 100))
    told["eye"] = list(matrix @ Vector(plane.eye(matrix, camera)))
    camera.data.type = "ORTHO"
    told["parallel"] = plane.eye(matrix, camera)
    return told


def repainted(svg: str) -> str:
    """A drawing whose first stroke the artist has painted half green, as SVG."""
    name = _made(svg)
    drawing = _drawing(name)
    for point in drawing.strokes[0].points:
        point.vertex_color, point.opacity = (0, 1, 0, 1), 0.5
    return str(drawings.strokes_svg_of(name).decode())


def drawn_by_hand() -> dict[str, Any]:
    """Strokes as Blender's own pencil makes them: polylines in the material's colour."""
    scene = scenes.empty()
    data = grease_pencil._collection().new("sketch")
    made = bpy.data.objects.new("sketch", data)
    scene.collection.objects.link(made)
    for colour, shows in (((1, 0, 0, 1), True), ((0, 0, 1, 1), False)):
        material = bpy.data.materials.new("ink")
        bpy.data.materials.create_gpencil_data(material)
        material.grease_pencil.color, material.grease_pencil.show_stroke = colour, shows
        data.materials.append(material)
    drawing = data.layers.new("lines").frames.new(1).drawing
    drawing.add_strokes([3, 1, 2])  # a line, a dot, the outline of a fill
    for stroke, material in zip(drawing.strokes, (0, 0, 1), strict=True):
        stroke.material_index = material
        for n, point in enumerate(stroke.points):
            point.position, point.radius = (3 * n, n * n, 0), 2
    found = drawings.read("sketch")
    names = ("sizes", "position", "handle_left", "handle_right", "radius", "colour")
    return {name: getattr(found, name).tolist() for name in names}


def as_curves(svg: str) -> dict[str, Any]:
    """A drawing as a Curve object."""
    name = curves.to_curves(_made(svg))
    made = bpy.data.objects[name]
    told: dict[str, Any] = {"type": made.type, "prompt": made["limner_prompt"], "splines": []}
    for spline in made.data.splines:
        anchors = [
            [list(p.handle_left)[:2], list(p.co)[:2], list(p.handle_right)[:2], p.radius, p.co[2]]
            for p in spline.bezier_points
        ]
        told["splines"].append([spline.material_index, anchors])
    told["colours"] = [list(m.diffuse_color) for m in made.data.materials]
    curves.remove(name)
    told["left"] = [len(bpy.data.curves), name in bpy.data.objects]
    return told


def renders(svg: str, cases: list[dict[str, Any]], folder: str, scale: int) -> list[str]:
    """A drawing before cameras, as rendered pictures.

    Args:
        cases: of each "camera" as `scenes.camera`, perhaps "spread", "is_baked".
        scale: how many times larger than that.
    """
    told = scenes.strokes(svg)
    files = (Path(folder) / f"{n}.png" for n in range(len(cases)))
    return [_rendered(told, case, file, scale) for case, file in zip(cases, files, strict=True)]


def _rendered(told: Any, case: dict[str, Any], path: Path, scale: int) -> str:
    scene = scenes.empty()
    scene.render.resolution_percentage = 100 * scale
    camera = scenes.camera(scene, **case["camera"])
    matrix = plane.camera_plane(scene, camera, case.get("depth", 5.0), told.canvas)
    name = grease_pencil.create(scene, "kite", matrix, {**ABOUT, "canvas": list(told.canvas)})
    eye = plane.eye(matrix, camera)
    spread = strokes.spread(strokes.curves(told), case.get("spread", "FLAT"), 150.0, eye)
    grease_pencil.write(name, spread)
    if case.get("is_baked"):
        grease_pencil.bake(name)
        made = bpy.data.objects[name]
        assert max(abs(s - 1) for s in made.matrix_world.to_scale()) < 1e-5
        assert drawings.about_of(made) is None
    return scenes.rendered(scene, str(path))
