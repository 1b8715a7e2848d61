"""A result as files: the strokes as SVG, and the picture as PNG at four times the canvas.

A picture without strokes is a PNG alone, at its own size.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import __version__
from limner.methods.base import Inputs, Result
from limner.pictures import encode_png
from limner.vector.rasterizer import render
from limner.vector.svg import svg_text

ENLARGED = 4.0  # as StyleCLIPDraw's authors render their results
PNG_SIDE_PX = 4096


def files(result: Result, inputs: Inputs) -> tuple[bytes, bytes, dict[str, Any]]:
    """The SVG, the PNG, and how they came about: enough to make them again.

    The SVG is empty if there are no strokes; the PNG then tells how it came about.
    """
    if inputs.background is not None:
        result = replace(result, background=inputs.background)
    settings = dict(result.about)
    about = {
        "prompt": settings.get("prompt", ""),
        "seed": settings.get("seed", 0),
        "settings": settings,
        "score": round(result.score, 6),
        "version": __version__,
    }
    if result.strokes is None:
        if result.picture is None:
            raise ValueError("a result has strokes or a picture")
        return b"", encode_png(result.picture, about), about
    about["strokes"] = result.strokes.count
    paper = "white" if result.background is None else None
    svg = svg_text(result.strokes, result.size, metadata=about, background=paper)
    png = encode_png(picture(result, inputs.mask), {"Title": str(about["prompt"])})
    return svg.encode(), png, about


@torch.no_grad()
def picture(result: Result, mask: Tensor | None) -> Tensor:
    """(3, H, W): the drawing at up to four times the canvas, the mask's outside untouched."""
    longest = max(result.size)
    scale = min(ENLARGED, max(1.0, PNG_SIDE_PX / longest))
    size = (round(result.size[0] * scale), round(result.size[1] * scale))
    ground = torch.ones(3, *size)
    if result.background is not None:
        ground = _enlarged(result.background, size)
    if result.picture is not None:
        image = _enlarged(result.picture, size)
    else:
        strokes = result.drawing.to(torch.device("cpu"))
        image = render(strokes, result.size, background=ground, scale=scale)[0]
    if mask is None or math.isclose(float(mask.min()), 1.0):
        return image
    open_ = F.interpolate(mask[None, None].cpu(), size, mode="bilinear")[0]
    return ground + open_ * (image - ground)


def _enlarged(picture: Tensor, size: tuple[int, int]) -> Tensor:
    mode = {"mode": "bicubic", "align_corners": False}
    out: Tensor = F.interpolate(picture[None].cpu(), size, **mode)  # type: ignore[arg-type]
    return out[0].clamp(0, 1)
