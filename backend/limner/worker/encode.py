"""Drawings and pictures to bytes: live frames, and the files of a result.

A live picture is a PNG up to 256 pixels a side and a JPEG above. Measured on one core at 64, 256,
512 and 1024 pixels: PNG 0.2, 2.6, 8 and 29 ms, JPEG 0.05, 0.25, 1 and 4 ms; lossless WebP takes
PNG's time and is a fifth smaller, but not every Qt reads it.
"""

from __future__ import annotations

import io
from array import array
from typing import Any

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import output
from limner.methods.base import Inputs, Preview, Result
from limner.vector.strokes import Strokes
from limner_wire.frames import Buffer
from limner_wire.messages import RasterFrame, StrokesFrame
from limner_wire.strokes import MARGIN, NEAREST, SPAN, STEPS
from limner_wire.strokes import Strokes as Packed

LOSSLESS_PX = 256  # the longer side of live pictures that lose nothing
LIVE_PX = 1024  # that of the largest; the result has its own size
QUALITY = 90  # of a JPEG, whose colours are as fine as its brightness

Frame = tuple[StrokesFrame | RasterFrame, list[Buffer]]


def frame(preview: Preview, job: str, size: tuple[int, int], at: float) -> Frame | None:
    """What is shown of a step; None if there is nothing to show.

    Args:
        size: (height, width) of the canvas in pixels.
        at: when the step ended.
    """
    if preview.strokes is not None:
        strokes = packed(preview.strokes, size)
        head = StrokesFrame(job, 0, preview.step, strokes.canvas, at=at)
        return head, strokes.buffers()
    image = preview.image
    if image is None:
        return None
    mime, data = encoded(image)
    canvas = (size[1], size[0])
    buffer = Buffer("picture", "u8", (len(data),), data)
    return RasterFrame(job, 0, preview.step, canvas, mime), [buffer]


def encoded(image: Tensor) -> tuple[str, bytes]:
    """The kind and the bytes of a live picture, (3, H, W) in [0, 1]."""
    longest = max(image.shape[1:])
    shown = image.detach().float()
    if longest > LIVE_PX:
        sides = [max(1, round(side * LIVE_PX / longest)) for side in image.shape[1:]]
        shown = F.interpolate(shown[None], sides, mode="bilinear", antialias=True)[0]
    levels = shown.nan_to_num().clamp(0, 1).mul(255).round().byte()
    picture = Image.fromarray(levels.permute(1, 2, 0).contiguous().cpu().numpy())
    file = io.BytesIO()
    if longest <= LOSSLESS_PX:
        picture.save(file, "PNG", compress_level=1)
        return "image/png", file.getvalue()
    picture.save(file, "JPEG", quality=QUALITY, subsampling=0)
    return "image/jpeg", file.getvalue()


def packed(strokes: Strokes, size: tuple[int, int]) -> Packed:
    """The strokes as they travel, of a canvas of (height, width) pixels."""
    height, width = size
    points = strokes.points.detach().cpu().numpy() / np.array([width, height], np.float32)
    alpha = strokes.rgba.detach().cpu().numpy()
    depth = None
    if strokes.depth is not None:
        parts = strokes.depth.detach().cpu().numpy() / max(size)
        depth = _numbers("H", _fractions((parts + NEAREST) / SPAN))
    return Packed(
        (width, height),
        _numbers("H", _fractions((points + MARGIN) / SPAN)),
        _numbers("I", strokes.offsets[1:].numpy().astype("<u4")),
        _numbers("H", _fractions(strokes.width.detach().cpu().numpy() / max(size))),
        np.rint(np.clip(np.nan_to_num(alpha), 0, 1) * 255).astype(np.uint8).tobytes(),
        depth,
    )


def _fractions(values: np.ndarray) -> np.ndarray:
    bounded = np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    out: np.ndarray = np.rint(bounded * STEPS).astype("<u2")
    return out


def _numbers(kind: str, values: np.ndarray) -> array[int]:
    out = array(kind)
    out.frombytes(values.tobytes())
    return out


def result_files(result: Result, inputs: Inputs) -> tuple[list[Buffer], dict[str, Any]]:
    """The SVG, if it has strokes, and the PNG of a result, and what is to be known of it."""
    svg, png, about = output.files(result, inputs)
    files = [Buffer("png", "u8", (len(png),), png)]
    return ([Buffer("svg", "u8", (len(svg),), svg), *files] if svg else files), about
