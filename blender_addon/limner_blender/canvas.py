"""Pictures to send: what the camera sees, what the viewport shows, a mask, a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import gpu
import numpy as np
from mathutils import Matrix

from limner_front.i18n import _
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import IMAGE_AREA_PX, IMAGE_BYTES, IMAGE_SIDE_PX

from . import images
from .images import PNG, Encoded, Size
from .plane import frame_aspect

SVG = "image/svg+xml"
SAMPLES = 64  # at most: it is looked at through networks, and the artist waits for it
_STARTS = {b"\x89PNG": PNG, b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def camera_picture(scene: Any, camera: Any, size: Size, hide: Iterable[str] = ()) -> Encoded:
    """What the camera sees of the canvas in its frame, rendered by the scene's engine.

    A copy of the scene's settings is rendered, so that the artist's own stay as they are whatever
    happens, and their last render too. The compositor and the sequencer are left out: their files
    are not to be written, and a film is not what the camera sees.

    Args:
        size: of the canvas, which lies within the frame as `plane.camera_plane` puts it.
        hide: the objects that are left out, by name.

    Raises:
        LimnerError: BAD_INPUT if Blender can't render it.
    """
    with tempfile.TemporaryDirectory(prefix="limner-") as folder:
        path, copy = Path(folder) / "camera.png", scene.copy()
        try:
            _set_up(copy, camera, size, path)
            with _hidden(hide, "hide_render"):
                bpy.ops.render.render(write_still=True, scene=copy.name)
            return path.read_bytes(), PNG
        except (RuntimeError, OSError) as why:
            raise LimnerError(
                ErrorCode.BAD_INPUT,
                _("What the camera sees can’t be rendered: {why}", why=str(why).strip()),
                _("Render it yourself, and give the image."),
            ) from None
        finally:
            bpy.data.scenes.remove(copy)


def viewport_picture(context: Any, size: Size, hide: Iterable[str] = ()) -> Encoded:
    """What the 3D viewport shows, without overlays: the canvas in the camera's frame if it looks
    through the camera, else as much of its middle as has the canvas's proportions.

    Args:
        hide: the objects that are left out, by name.

    Raises:
        LimnerError: BAD_INPUT without a window, or without a 3D viewport in it.
    """
    area = None if bpy.app.background else _viewport(context)
    if area is None:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            _("There is no 3D viewport to take a picture of."),
            _("Open one, or take what the camera sees."),
        )
    space = area.spaces.active
    region = next(r for r in area.regions if r.type == "WINDOW")
    screen = gpu.types.GPUOffScreen(*size)
    try:
        with _hidden(hide, "hide_viewport"), _without_overlays(space):
            context.view_layer.update()
            view, projection = _looking(context, space.region_3d, region, size)
            screen.draw_view3d(
                context.scene, context.view_layer, space, region, view, projection,
                do_color_management=True,
            )  # fmt: skip
        pixels = screen.texture_color.read()
    finally:
        screen.free()
    pixels.dimensions = size[0] * size[1] * 4
    rgba = np.array(pixels, np.uint8).reshape(size[1], size[0], 4)
    return images.encoded(np.ascontiguousarray(rgba[::-1, :, :3])), PNG


def image_picture(scene: Any, image: Any, size: Size | None = None) -> Encoded:
    """An image of the file; a render as the scene shows it.

    Args:
        size: where it will be used, as `images.picture_bytes` takes it.

    Raises:
        LimnerError: as `images.picture_bytes`.
    """
    if image.type != "RENDER_RESULT":
        return images.picture_bytes(image, size)
    with tempfile.TemporaryDirectory(prefix="limner-") as folder:
        path = Path(folder) / "render.png"
        try:
            with _as_png(scene.render.image_settings):
                image.save_render(str(path), scene=scene)
        except RuntimeError:  # nothing was rendered
            return images.picture_bytes(image, size)
        return file_picture(str(path))


def mask_bytes(image: Any, size: Size) -> Encoded:
    """An image as a mask: white is drawn in, black or transparent is not. A layer in one colour
    that is transparent in part goes by its alpha: that is for the backend, who has the rule.

    Raises:
        LimnerError: as `images.picture_bytes`.
    """
    return images.picture_bytes(image, size)


def file_picture(path: str, *, takes_strokes: bool = True) -> Encoded:
    """A file as the backend can read it: another kind than it knows, or one that is too large,
    becomes a PNG.

    Args:
        takes_strokes: an SVG is sent as its strokes; else it is refused.

    Raises:
        LimnerError: UNREADABLE.
    """
    file = Path(path)
    try:
        data = file.read_bytes() if file.stat().st_size <= 8 * IMAGE_BYTES else b""
        if file.suffix.lower() == ".svg" and data:
            return _strokes(file.name, data, takes_strokes)
        image = bpy.data.images.load(path)
    except (OSError, RuntimeError):
        raise LimnerError(
            ErrorCode.UNREADABLE,
            _("{name} can’t be read as a picture.", name=file.name),
            _("PNG, JPEG, WebP and SVG always can."),
        ) from None
    try:
        wide, high = image.size
        is_small = max(wide, high) <= IMAGE_SIDE_PX and wide * high <= IMAGE_AREA_PX
        mime = next((mime for start, mime in _STARTS.items() if data.startswith(start)), "")
        if mime and is_small and 0 < len(data) <= IMAGE_BYTES and wide:
            return data, mime
        return images.picture_bytes(image, images.ENOUGH)
    finally:
        bpy.data.images.remove(image)


def _strokes(name: str, data: bytes, takes_strokes: bool) -> Encoded:
    if takes_strokes:
        return data, SVG
    raise LimnerError(
        ErrorCode.UNREADABLE,
        _("{name} is an SVG: a drawing can begin from it, and nothing else.", name=name),
        _("Save it as PNG."),
    )


def hides_colours(context: Any) -> bool:
    """Whether the viewport shows Grease Pencil in its material's colour alone: black."""
    return any(_is_black(space) for space in _spaces(context))


def show_colours(context: Any) -> None:
    """Let Solid viewports show strokes in their colours, from now on."""
    for space in _spaces(context):
        if _is_black(space):
            space.shading.color_type = "VERTEX"


# --- the camera ------------------------------------------------------------------------------


def _set_up(scene: Any, camera: Any, size: Size, path: Path) -> None:
    wide, high = _frame(size, frame_aspect(scene))
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = wide, high, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1
    render.use_border = render.use_crop_to_border = (wide, high) != size
    across, down = size[0] / wide / 2, size[1] / high / 2
    render.border_min_x, render.border_max_x = 0.5 - across, 0.5 + across
    render.border_min_y, render.border_max_y = 0.5 - down, 0.5 + down
    render.use_compositing = render.use_sequencer = render.use_multiview = render.use_stamp = False
    render.filepath = str(path)
    file = render.image_settings
    _set_png(file, "RGBA" if render.film_transparent else "RGB")
    file.color_management = "FOLLOW_SCENE"
    if render.engine == "CYCLES":
        scene.cycles.samples = min(scene.cycles.samples, SAMPLES)
    scene.eevee.taa_render_samples = min(scene.eevee.taa_render_samples, SAMPLES)


def _set_png(file: Any, colours: str) -> None:
    if hasattr(file, "media_type"):
        file.media_type = "IMAGE"  # of Blender 5: else only a film's formats may be set
    file.file_format, file.color_depth, file.color_mode = "PNG", "8", colours


@contextmanager
def _as_png(file: Any) -> Iterator[None]:
    """What a scene's pictures are saved as, for a while."""
    names = ("media_type", "file_format", "color_depth", "color_mode")
    before = {name: getattr(file, name) for name in names if hasattr(file, name)}
    try:
        _set_png(file, "RGBA")
        yield
    finally:
        for name, was in before.items():
            setattr(file, name, was)


def _frame(size: Size, aspect: float) -> Size:
    """The smallest frame of those proportions (width / height) around a canvas of that size."""
    return max(size[0], round(size[1] * aspect)), max(size[1], round(size[0] / aspect))


@contextmanager
def _hidden(names: Iterable[str], how: str) -> Iterator[None]:
    """Hide objects: "hide_render", "hide_viewport"."""
    found = [ob for name in names if (ob := bpy.data.objects.get(name)) is not None]
    before = [getattr(ob, how) for ob in found]
    try:
        for ob in found:
            setattr(ob, how, True)
        yield
    finally:
        for ob, was in zip(found, before, strict=True):
            setattr(ob, how, was)


# --- the viewport ----------------------------------------------------------------------------


def _viewport(context: Any) -> Any:
    """The viewport where the artist is, or the largest in their window."""
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    screen = None if context.window is None else context.window.screen
    found = [area for area in (screen.areas if screen else ()) if area.type == "VIEW_3D"]
    return max(found, key=lambda area: area.width * area.height, default=None)


def _spaces(context: Any) -> list[Any]:
    screen = None if context.window is None else context.window.screen
    areas = screen.areas if screen else ()
    return [area.spaces.active for area in areas if area.type == "VIEW_3D"]


def _is_black(space: Any) -> bool:
    return bool(space.shading.type == "SOLID" and space.shading.color_type != "VERTEX")


@contextmanager
def _without_overlays(space: Any) -> Iterator[None]:
    had = space.overlay.show_overlays
    space.overlay.show_overlays = False
    try:
        yield
    finally:
        space.overlay.show_overlays = had


def _looking(context: Any, view: Any, region: Any, size: Size) -> tuple[Any, Any]:
    """World -> view, and view -> the picture: the viewport's own, without what is cut off."""
    camera = context.scene.camera
    if view.view_perspective == "CAMERA" and camera is not None:
        wide, high = _frame(size, frame_aspect(context.scene))
        depsgraph = context.evaluated_depsgraph_get()
        projection = camera.calc_matrix_camera(depsgraph, x=wide, y=high)
        cut = Matrix.Diagonal((wide / size[0], high / size[1], 1, 1))
        return camera.matrix_world.normalized().inverted(), cut @ projection
    wider = size[0] / size[1] * region.height / region.width  # than the viewport, times
    cut = Matrix.Diagonal((max(1.0, 1 / wider), max(1.0, wider), 1, 1))
    return view.view_matrix, cut @ view.window_matrix
