"""What the artist has set, as a drawing wants it: the request, the place, the pictures."""

from __future__ import annotations

from typing import Any

import bpy

from limner_front import words
from limner_front.i18n import _
from limner_front.jobs import Request
from limner_wire.limits import CANVAS_MIN_PX

from . import canvas, drawings, images, plane, props, stage

CAMERA = "CAMERA"  # a place
INIT, MASK, PICTURE = "init", "mask", "picture"
ON_CANVAS = ("over", "init")  # roles whose picture lies on the canvas, pixel by pixel

Pictures = dict[str, tuple[bytes, str]]  # role -> a picture's bytes and their kind


def problem(context: bpy.types.Context) -> str:
    """Why nothing can be drawn with what is set, in words; nothing if it can."""
    scene = context.scene
    if not props.method(scene):
        return _("The backend has not said yet what it can draw.")
    return props.problem(scene) or _place_problem(scene) or _inputs_problem(context)


def edited(scene: bpy.types.Scene) -> str:
    """The image that is edited, by name, if it is one."""
    return props.given(scene)[PICTURE].image if props.has_own_size(scene) else ""


def own_size(scene: bpy.types.Scene) -> Pictures:
    """The picture that says how large the canvas is: the image that is edited. Else nothing.

    Raises:
        LimnerError: in words, if it can't be read.
    """
    name = edited(scene)
    return {PICTURE: canvas.image_picture(scene, bpy.data.images[name])} if name else {}


def request(scene: bpy.types.Scene, own: Pictures) -> Request:
    """What is asked for, with what the artist has set and nothing else.

    Args:
        own: the picture that is as large as the canvas, as `own_size` tells it.
    """
    size = plane.canvas_size(scene, int(scene.limner.longest_px))
    if own:
        wide, high = images.size_of(own[PICTURE][0])
        size = max(wide, CANVAS_MIN_PX), max(high, CANVAS_MIN_PX)
    name = str(props.method(scene)["name"])
    return Request(name, props.values(scene), size, props.models(scene))


def placed(context: bpy.types.Context, method: str, size: tuple[int, int]) -> stage.Placed:
    """Where the drawing will stand; an edit stands nowhere.

    Raises:
        LimnerError: if there is no camera for it, or one without a plane.
    """
    scene, set_ = context.scene, context.scene.limner
    if props.edits(method):
        return stage.Placed(scene.name, [], stage.IMAGE)
    matrix = _plane(scene, size)
    metres_per_px = matrix.to_scale()[0]
    return stage.Placed(
        scene=scene.name,
        matrix=[list(row) for row in matrix],
        eye=_eye(scene, matrix),
        sink=set_.sink,
        spread=set_.spread,
        spread_px=set_.spread_m / metres_per_px,
        paper=set_.paper and "over" not in props.given(scene),
        keys=set_.keyframes,
        first_frame=set_.keyframe_start,
        key_gap=set_.keyframe_every,
    )


def _plane(scene: bpy.types.Scene, size: tuple[int, int]) -> Any:
    set_ = scene.limner
    if set_.place == CAMERA:
        return plane.camera_plane(scene, scene.camera, set_.depth_m, size)
    return plane.cursor_plane(scene.cursor.matrix, set_.size_m, size)


def _eye(scene: bpy.types.Scene, matrix: Any) -> plane.Eye | None:
    """From where the drawing looks as it was drawn."""
    return plane.eye(matrix, scene.camera) if scene.limner.place == CAMERA else None


def inputs(
    context: bpy.types.Context, size: tuple[int, int], own: Pictures, hide: list[str]
) -> Pictures:
    """The pictures for the method's roles.

    Args:
        own: those that are there already.
        hide: the objects that are not to be in a picture of the scene, by name.

    Raises:
        LimnerError: in words, if one can't be had.
    """
    given = props.given(context.scene)
    wanted = {role: what for role, what in given.items() if role not in own}
    return own | {r: _picture(context, r, what, size, hide) for r, what in wanted.items()}


def _picture(
    context: bpy.types.Context, role: str, given: props.Given, size: tuple[int, int],
    hide: list[str],
) -> tuple[bytes, str]:  # fmt: skip
    scene = context.scene
    match given.source:
        case "CAMERA":
            return canvas.camera_picture(scene, scene.camera, size, hide)
        case "VIEWPORT":
            return canvas.viewport_picture(context, size, hide)
        case "STROKES":
            return _strokes(context, size), "image/svg+xml"
        case "FILE":
            return canvas.file_picture(given.path, takes_strokes=role == INIT)
    image = bpy.data.images[given.image]
    if role == MASK:
        return canvas.mask_bytes(image, size)
    return canvas.image_picture(scene, image, size if role in ON_CANVAS else images.ENOUGH)


def _strokes(context: bpy.types.Context, size: tuple[int, int]) -> bytes:
    """The selected drawing's own strokes; those of another object as they lie on the canvas."""
    found = context.object
    if drawings.about_of(found) is not None:
        return drawings.strokes_svg_of(found.name)
    matrix = _plane(context.scene, size)
    return drawings.strokes_svg_seen(found.name, matrix, size, _eye(context.scene, matrix))


def _place_problem(scene: bpy.types.Scene) -> str:
    if scene.limner.place != CAMERA or props.edits(scene.limner.method):
        return ""
    if scene.camera is None:
        return _("The scene has no camera. Add one, or draw at the 3D cursor.")
    if scene.camera.data.type == "PANO":
        return _("A panoramic camera has no flat picture. Use another, or draw at the 3D cursor.")
    return ""


def _inputs_problem(context: bpy.types.Context) -> str:
    for role, given in props.given(context.scene).items():
        if given.source == "CAMERA" and context.scene.camera is None:
            return _("The scene has no camera: “{role}” has no picture.", role=words.role(role))
        if given.source == "STROKES" and not _is_drawn(context.object):
            return _("Select the Grease Pencil object to begin from.")
    return ""


def _is_drawn(found: bpy.types.Object | None) -> bool:
    return found is not None and found.type == drawings.KIND
