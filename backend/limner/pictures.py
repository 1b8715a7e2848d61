"""Raster pictures in and out: untrusted PNG, JPEG and WebP to tensors, tensors to PNG.

The size is read from the header and checked before a pixel is decoded. Only the first frame is
read, colour profiles are ignored (sRGB is assumed), and what is written is the same bytes for
the same picture. It knows nothing of strokes, and of files only what `limner.files` gives.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageChops, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile
from torch import Tensor

from limner.files import check_writable, read_bounded, shown, unreadable, write_atomic
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import IMAGE_AREA_PX, IMAGE_BYTES, IMAGE_SIDE_PX

__all__ = [
    "check_writable",
    "encode_png",
    "read_mask",
    "read_picture",
    "read_with_alpha",
    "write_atomic",
    "write_png",
]

Size = tuple[int, int]  # (height, width) in pixels
Source = str | Path | bytes  # a path, or the content of the file

_JPEG_SCANS_MAX = 100  # cameras and encoders write 1 to 15; an attack, thousands of empty ones
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {  # EXIF orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(path: Source, *, size: Size | None = None) -> Tensor:
    """A picture as a (3, H, W) float32 tensor in [0, 1], sRGB, transparency laid on white.

    Args:
        path: a PNG, JPEG or WebP file, or its bytes. 8 or 16 bits, grey, palette or colour,
            turned upright as its EXIF says. (Pillow reduces 16-bit colour to 8 bits; 16-bit
            grey is kept.)
        size: scale to cover (height, width) and cut the overhang evenly; None: as it is.

    Raises:
        LimnerError: UNREADABLE if it is missing, broken, cut short, of another kind, or larger
            than `IMAGE_BYTES`, `IMAGE_SIDE_PX` or `IMAGE_AREA_PX`.
    """
    rgba = read_with_alpha(path, size=size)
    return rgba[:3] * rgba[3:] + (1 - rgba[3:])


def read_with_alpha(path: Source, *, size: Size | None = None) -> Tensor:
    """As `read_picture`, but (4, H, W) with straight alpha, 1 where the file has none."""
    picture = _loaded(path)
    if picture.mode.startswith("I"):
        grey = _channel(_fitted(_float_grey(picture), size))
        return torch.stack([grey, grey, grey, torch.ones_like(grey)])
    pixels = np.array(_fitted(picture.convert("RGBA"), size), dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def read_mask(path: Source, size: Size) -> Tensor:
    """Where to draw: (H, W) float32 in [0, 1], 1 = draw here, scaled and cut as `read_picture`.

    White means "draw here" and black or transparent "leave alone". A picture of one colour that
    is transparent in part, as a painted layer is, is taken by its alpha, whatever its colour.

    Raises:
        LimnerError: UNREADABLE, as `read_picture`.
    """
    picture = _loaded(path)
    grey = _float_grey(picture) if picture.mode.startswith("I") else _mask(picture.convert("RGBA"))
    return _channel(_fitted(grey, size, Image.Resampling.BILINEAR))  # does not overshoot


def encode_png(picture: Tensor, metadata: Mapping[str, Any] | None = None) -> bytes:
    """A PNG with 8 bits a channel; the same input gives the same bytes.

    Args:
        picture: (3, H, W) or (4, H, W), straight alpha; values outside [0, 1] are clamped.
        metadata: as `limner.vector.svg.svg_text`: JSON in the text `limner`, and `prompt` as
            the text `Title`.

    Raises:
        LimnerError: NOT_FINITE if a value is NaN or infinite.
        ValueError: for another shape, or metadata with NaN.
    """
    if picture.ndim != 3 or picture.shape[0] not in (3, 4):
        raise ValueError(f"a picture is (3, H, W) or (4, H, W), not {tuple(picture.shape)}")
    if not bool(torch.isfinite(picture).all()):
        message = "The picture can't be saved: it has numbers that are not finite."
        raise LimnerError(ErrorCode.NOT_FINITE, message, "Lower the learning rate, try again.")
    levels = (picture.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    file = io.BytesIO()
    image = Image.fromarray(levels.permute(1, 2, 0).contiguous().cpu().numpy())
    image.save(file, "PNG", pnginfo=_png_text(metadata), compress_level=6)
    return file.getvalue()


def write_png(picture: Tensor, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
    """`encode_png` to a file, whole or not at all.

    Raises:
        LimnerError: as `encode_png` and `write_atomic`.
    """
    write_atomic(path, encode_png(picture, metadata))


def _png_text(metadata: Mapping[str, Any] | None) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    if metadata is None:
        return text
    prompt = metadata.get("prompt")
    if isinstance(prompt, str):
        plain = prompt.encode("utf-8", "ignore").decode().replace("\0", "")
        text.add_itxt("Title", plain)
    text.add_text("limner", json.dumps(metadata, sort_keys=True, allow_nan=False))
    return text


def _loaded(path: Source) -> Image.Image:
    """The first frame, decoded and upright."""
    if isinstance(path, bytes):
        data, name = path, "The picture"
    else:
        data, name = read_bounded(path, IMAGE_BYTES), shown(path)
    reader = _reader(data, name)
    try:
        picture = reader(io.BytesIO(data))
        _check_size(picture.size, name)
        picture.load()
    except LimnerError:
        raise
    except Exception:  # Pillow has no common error: OSError, SyntaxError, ValueError, struct.error
        message = f"{name} is broken or cut short."
        raise unreadable(message, "Open it in a paint program and save it again.") from None
    return _upright(picture)


def _reader(data: bytes, name: str) -> type[ImageFile]:
    """The one decoder for this content, whatever the file is called.

    Named directly and not through Image.open, which tries other formats, warns of large pictures
    on its own terms, and turns a JPEG into a multi-picture file if it says so.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile
    if data.startswith(b"\xff\xd8\xff"):
        if data.count(b"\xff\xda") > _JPEG_SCANS_MAX:  # each scan costs a pass over the picture
            raise unreadable(f"{name} has too many scans.", "Save it again as a plain JPEG.")
        return JpegImagePlugin.JpegImageFile
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _check_size(_webp_size(data), name)
        return WebPImagePlugin.WebPImageFile
    raise unreadable(f"{name} is not a PNG, JPEG or WebP picture.", "Save it as PNG.")


def _webp_size(data: bytes) -> tuple[int, int]:
    """(width, height) from the header: the decoder makes room for it as soon as it is opened."""

    def number(at: int, count: int) -> int:
        return int.from_bytes(data[at : at + count], "little")

    match data[12:16]:
        case b"VP8X":
            return number(24, 3) + 1, number(27, 3) + 1
        case b"VP8L":
            bits = number(21, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            return number(26, 2) & 0x3FFF, number(28, 2) & 0x3FFF


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if max(width, height) > IMAGE_SIDE_PX or width * height > IMAGE_AREA_PX:
        message = f"{name} is {width}×{height} pixels, more than {IMAGE_SIDE_PX} on a side."
        raise unreadable(message, "Scale it down first.")


def _upright(picture: Image.Image) -> Image.Image:
    try:
        orientation = picture.getexif().get(_ORIENTATION_TAG)
    except Exception:  # a camera's broken EXIF is no reason to refuse its picture
        return picture
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return picture if turn is None else picture.transpose(turn)


def _float_grey(picture: Image.Image) -> Image.Image:
    """16-bit grey as mode F in [0, 1]: Pillow would cut it to 8 bits by clipping."""
    return Image.fromarray(np.asarray(picture, dtype=np.float32) / 65535)


def _mask(rgba: Image.Image) -> Image.Image:
    """Mode L: the alpha of a layer in one colour, or else brightness laid on black."""
    alpha = rgba.getchannel("A")
    pixels = np.asarray(rgba)
    seen = pixels[pixels[..., 3] > 0, :3]
    if np.asarray(alpha).min() < 255 and (len(seen) == 0 or np.ptp(seen, axis=0).max() <= 2):
        return alpha
    return ImageChops.multiply(rgba.convert("RGB").convert("L"), alpha)


def _fitted(
    picture: Image.Image,
    size: Size | None,
    resample: Image.Resampling = Image.Resampling.LANCZOS,
) -> Image.Image:
    """Scaled to cover (height, width), the overhang cut evenly."""
    if size is None or picture.size == (size[1], size[0]):
        return picture
    return ImageOps.fit(picture, (size[1], size[0]), resample)


def _channel(grey: Image.Image) -> Tensor:
    """(H, W) in [0, 1] from mode L or F."""
    full = 1.0 if grey.mode == "F" else 255.0
    return torch.from_numpy(np.array(grey, dtype=np.float32) / full).clamp(0, 1)
