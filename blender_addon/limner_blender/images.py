"""Images of the file as pictures to send, and pictures that come as images of the file.

A picture that comes is packed into its image as it is: Blender decodes it when something shows it,
and saves it with the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from limner_front.i18n import _
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import IMAGE_AREA_PX, IMAGE_SIDE_PX

from .blending import srgb

PNG = "image/png"
OURS = "limner"  # a custom property of images that are shown here: one of these
PREVIEW, RESULT = "preview", "result"
OF = "limner_of"  # another: the name of the image that it is an edit of
READ_AREA_PX = 4 * IMAGE_AREA_PX  # of an image; a gigabyte while it is read
LEVEL = 3  # of deflate: half the size of 1, a quarter of the time of 6

Encoded = tuple[bytes, str]  # the bytes, and their MIME type
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Size = tuple[int, int]  # (width, height)

ENOUGH: Size = (1024, 1024)  # for a picture that does not lie on the canvas


def picture_bytes(image: Any, size: Size | None = None) -> Encoded:
    """An image as an sRGB PNG, RGB, or RGBA with straight alpha if any of it is transparent.

    Args:
        size: where it will be used; it is sent less than twice as large. The backend makes it
            fit: it covers that size, and what hangs over is cut evenly.

    Raises:
        LimnerError: BAD_INPUT for a render result, UNREADABLE if it has no pixels or too many.
    """
    pixels = _pixels(image)
    high, wide = pixels.shape[:2]
    part = _part((wide, high), size)
    if part > 1:
        pixels = _averaged(pixels, part)
    is_linear = image.is_float and not image.colorspace_settings.is_data
    return encoded(_levels(pixels, is_linear)), PNG


def encoded(levels: Bytes) -> bytes:
    """(H, W, C) 8-bit values, top row first, as a PNG; C is 1 (grey), 3 (RGB) or 4 (RGBA)."""
    high, wide, channels = levels.shape
    rows = np.empty((high, 1 + wide * channels), np.uint8)
    flat = levels.reshape(high, -1)
    rows[:, 0] = 2  # filter "up": the difference to the row above
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    kind = {1: 0, 3: 2, 4: 6}[channels]
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, kind, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), LEVEL)),
            _chunk(b"IEND", b""),
        )
    )


def size_of(png: bytes) -> Size:
    """(width, height) of a PNG."""
    wide, high = struct.unpack(">II", png[16:24])
    return wide, high


def at_hand(context: Any) -> Any:
    """The image that the artist is at: an Image Editor of the window shows it, or it is a texture
    of the active object. None if there is none."""
    shown = [space.image for space in _editors(context.window) if space.image is not None]
    textures = _textures(getattr(context, "object", None))
    return next((image for image in shown + textures if image.get(OURS) != PREVIEW), None)


def create(name: str, of: str = "") -> str:
    """A new image, to show pictures in; its name. It is saved, though nothing may use it.

    Image Editors that show nothing show it, and those that show what it is an edit `of`.
    """
    image = bpy.data.images.new(name, 1, 1)
    image[OURS], image[OF] = PREVIEW, of
    image.use_fake_user = True
    _show_instead(image, (None, bpy.data.images.get(of)))
    return str(image.name)


def keep(name: str) -> None:
    """It is a result: no preview any more."""
    bpy.data.images[name][OURS] = RESULT


def remove(name: str) -> None:
    """Take one of ours away, if it is there; Image Editors then show what it was an edit of."""
    image = bpy.data.images.get(name)
    if image is not None:
        _show_instead(bpy.data.images.get(image.get(OF, "")), (image,))
        bpy.data.images.remove(image)


def remove_previews(names: Collection[str]) -> None:
    """Take those of them away that are previews and no results: an undo has brought them back."""
    for name in names:
        image = bpy.data.images.get(name)
        if image is not None and image.get(OURS) == PREVIEW:
            remove(name)


def show(name: str, data: bytes, mime: str) -> Any:
    """Put a picture into the image of that name, and return it; a new one if there is none, or
    that one is the artist's own.

    Raises:
        LimnerError: UNREADABLE if it is no picture.
    """
    image = bpy.data.images.get(name)
    if image is None or OURS not in image:
        image = bpy.data.images[create(name)]
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    image.buffers_free()  # decoded anew from what is packed
    if not image.has_data and not min(image.size):
        words = _("The picture ({kind}) can’t be read.", kind=mime)
        raise LimnerError(ErrorCode.UNREADABLE, words)
    image.update()
    image.update_tag()
    return image


def small(image: Any, side: int) -> Floats:
    """(h, w, 4) of an image in few pixels, at most twice `side`, bottom row first."""
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    part = max(1, max(image.size) // side)
    pixels = flat.reshape(image.size[1], image.size[0], image.channels)
    return np.ascontiguousarray(_rgba(pixels[::part, ::part]))


# --- inside ----------------------------------------------------------------------------------


def _editors(window: Any) -> list[Any]:
    """The Image Editors of a window."""
    areas = window.screen.areas if window is not None else ()
    return [area.spaces.active for area in areas if area.type == "IMAGE_EDITOR"]


def _show_instead(image: Any, of: Collection[Any]) -> None:
    """Image Editors that show one of those show this one, unless they are pinned."""
    for window in bpy.context.window_manager.windows:
        for space in _editors(window):
            if space.image in of and not space.use_image_pin:
                space.image = image


def _textures(owner: Any) -> list[Any]:
    """The images of an object's active material, the active one first."""
    material = getattr(owner, "active_material", None)
    tree = material.node_tree if material is not None else None
    if tree is None:
        return []
    nodes = sorted(tree.nodes, key=lambda node: node != tree.nodes.active)
    found = [node.image for node in nodes if node.type == "TEX_IMAGE"]
    return [image for image in found if image is not None]


def _pixels(image: Any) -> Floats:
    """(H, W, 4) premultiplied, top row first."""
    if image.type in {"RENDER_RESULT", "COMPOSITING"} or image.source == "VIEWER":
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            _("“{name}” can’t be read before it is saved.", name=image.name),
            _("Save it as an image first, or take what the camera sees."),
        )
    wide, high = image.size
    if wide * high > READ_AREA_PX:
        raise LimnerError(
            ErrorCode.UNREADABLE,
            _("{name} is too large to be sent: {wide}×{high} pixels.", name=image.name, wide=wide,
              high=high),
            _("Scale it down first."),
        )  # fmt: skip
    if not (wide and high and len(image.pixels) == wide * high * image.channels):
        raise LimnerError(
            ErrorCode.UNREADABLE,
            _("The image “{name}” has no pixels: its file is missing, or empty.", name=image.name),
            _("Choose another image, or find its file."),
        )
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    pixels = _rgba(flat.reshape(high, wide, image.channels))[::-1]
    if not image.is_float:  # floats are premultiplied in memory, bytes are not
        pixels[..., :3] *= pixels[..., 3:]
    return pixels


def _rgba(pixels: Floats) -> Floats:
    """Grey, grey with alpha, RGB or RGBA as RGBA."""
    channels = pixels.shape[2]
    if channels == 4:
        return pixels
    out = np.ones((*pixels.shape[:2], 4), np.float32)
    out[..., :3] = pixels[..., :3] if channels == 3 else pixels[..., :1]
    if channels == 2:
        out[..., 3] = pixels[..., 1]
    return out


def _part(have: Size, size: Size | None) -> int:
    """How many pixels to make one of, on a side: all the same, so that nothing is distorted."""
    wide, high = have
    part = 1 if size is None else max(1, min(wide // size[0], high // size[1]))
    while (
        max(wide, high) // part > IMAGE_SIDE_PX or (wide // part) * (high // part) > IMAGE_AREA_PX
    ):
        part += 1
    return part


def _averaged(pixels: Floats, part: int) -> Floats:
    """Each square of so many pixels as one; a rest that makes no square is cut evenly."""
    high, wide = (side // part for side in pixels.shape[:2])
    top, left = (pixels.shape[0] - high * part) // 2, (pixels.shape[1] - wide * part) // 2
    inner = pixels[top : top + high * part, left : left + wide * part]
    return np.asarray(inner.reshape(high, part, wide, part, 4).mean((1, 3)), np.float32)


def _levels(pixels: Floats, is_linear: bool) -> Bytes:
    """(H, W, 3) sRGB; (H, W, 4) with straight alpha if any of it is transparent."""
    alpha = pixels[..., 3:]
    is_clear = bool((alpha < 1).any())
    if is_clear:
        pixels = np.concatenate([pixels[..., :3] / np.maximum(alpha, _CLEAR), alpha], axis=2)
    fine = np.rint(np.clip(pixels, 0, 1) * _FINE).astype(np.uint16)
    out = np.empty((*pixels.shape[:2], 4 if is_clear else 3), np.uint8)
    out[..., :3] = (_FROM_LINEAR if is_linear else _FROM_SRGB)[fine[..., :3]]
    if is_clear:
        out[..., 3] = _FROM_SRGB[fine[..., 3]]
    return out


_CLEAR = 1e-6  # an alpha that still has a colour
_FINE = 65535
_FROM_SRGB = np.rint(np.arange(_FINE + 1) / 257).astype(np.uint8)
_FROM_LINEAR = np.rint(srgb(np.arange(_FINE + 1) / _FINE) * 255).astype(np.uint8)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
