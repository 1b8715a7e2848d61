"""Where a canvas lies in the scene: before a camera, or upright at the 3D cursor.

A matrix maps canvas pixels to the world: x right, y down, z away from the viewer, from the top
left corner. Its three axes are as long as each other, so that a stroke keeps its width.
"""

from __future__ import annotations

from typing import Any

from mathutils import Matrix, Vector

from limner_front.i18n import _
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import CANVAS_MAX_PX, CANVAS_MIN_PX

Size = tuple[int, int]  # (width, height)
Eye = tuple[float, float, float]


def camera_plane(scene: Any, camera: Any, depth: float, canvas: Size) -> Any:
    """A canvas that fills the camera's frame, or lies within it and centred if its proportions
    are others, seen through the camera exactly as drawn.

    Args:
        camera: the object.
        depth: in the world's units, before the camera.

    Raises:
        LimnerError: BAD_INPUT for a panoramic camera, or no depth before it.
    """
    if camera.data.type not in {"PERSP", "ORTHO"}:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            _("A panoramic camera sees no flat picture to draw on."),
            _("Make the camera perspective or orthographic, or draw at the 3D cursor."),
        )
    if depth <= 0:
        words = _("The canvas must be before the camera.")
        raise LimnerError(ErrorCode.BAD_INPUT, words, _("Give it a distance above 0."))
    right, _corner, bottom, left = camera.data.view_frame(scene=scene)  # clockwise, right is top
    grow = depth / -left.z if camera.data.type == "PERSP" else 1.0
    wide, high = (right.x - left.x) * grow, (left.y - bottom.y) * grow
    unit = min(wide / canvas[0], high / canvas[1])  # of one pixel: fitted into the frame
    x = left.x * grow + (wide - unit * canvas[0]) / 2
    y = left.y * grow - (high - unit * canvas[1]) / 2
    return camera.matrix_world.normalized() @ _axes(Vector((x, y, -depth)), unit, down="y")


def cursor_plane(cursor: Any, size: float, canvas: Size) -> Any:
    """A canvas that stands upright at the 3D cursor, its middle there, its face to the cursor's -y
    as Blender's front view looks at it.

    Args:
        cursor: the cursor's matrix.
        size: of the longer side, in the world's units.

    Raises:
        LimnerError: BAD_INPUT if the size is not above 0.
    """
    if size <= 0:
        words = _("A drawing needs a size above 0.")
        raise LimnerError(ErrorCode.BAD_INPUT, words)
    unit = size / max(canvas)
    corner = Vector((-unit * canvas[0] / 2, 0.0, unit * canvas[1] / 2))
    return cursor.normalized() @ _axes(corner, unit, down="z")


def eye(matrix: Any, camera: Any) -> Eye | None:
    """Where a perspective camera is in the pixels of a canvas; None if it sees along parallels."""
    if camera.data.type != "PERSP":
        return None
    at = matrix.inverted() @ camera.matrix_world.translation
    return (at.x, at.y, at.z)


def canvas_size(scene: Any, longest_px: int) -> Size:
    """(width, height) of a canvas with the proportions of the scene's pictures, within what can be
    drawn at."""
    longest = min(max(longest_px, CANVAS_MIN_PX), CANVAS_MAX_PX)
    aspect = frame_aspect(scene)
    wide, high = min(1.0, aspect), min(1.0, 1 / aspect)
    return max(round(longest * wide), CANVAS_MIN_PX), max(round(longest * high), CANVAS_MIN_PX)


def frame_aspect(scene: Any) -> float:
    """Width / height of the pictures that a scene renders."""
    render = scene.render
    wide = render.resolution_x * render.pixel_aspect_x
    return float(wide / (render.resolution_y * render.pixel_aspect_y))


def _axes(corner: Any, unit: float, down: str) -> Any:
    """A canvas with its top left there, x to the right, its own y down along -y or -z."""
    y, z = ((0, -unit, 0), (0, 0, -unit)) if down == "y" else ((0, 0, -unit), (0, unit, 0))
    turned = Matrix(((unit, 0, 0), y, z)).transposed().to_4x4()
    return Matrix.Translation(corner) @ turned
