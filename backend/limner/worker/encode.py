"""Drawings to bytes: live frames, and the files of a result."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

from limner import output
from limner.methods.base import Inputs, Result
from limner.vector.strokes import Strokes
from limner_wire.frames import Buffer
from limner_wire.strokes import MARGIN, NEAREST, SPAN, STEPS
from limner_wire.strokes import Strokes as Packed


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
    """The SVG and the PNG of a result, and what is to be known of it."""
    svg, png, about = output.files(result, inputs)
    return [Buffer("svg", "u8", (len(svg),), svg), Buffer("png", "u8", (len(png),), png)], about
