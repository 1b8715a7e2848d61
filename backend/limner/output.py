"""A result as files: the strokes as SVG, and the picture as PNG at four times the canvas."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import __version__
from limner.files import check_writable, write_atomic
from limner.methods.base import Result
from limner.pictures import write_png
from limner.session import Outcome
from limner.vector.rasterizer import render
from limner.vector.svg import svg_text

ENLARGED = 4.0  # as StyleCLIPDraw's authors render their results
PNG_SIDE_PX = 4096


def paths(out: Path) -> tuple[Path, Path]:
    """The SVG and the PNG that go with a name; asks for both whether they can be written.

    Raises:
        LimnerError: UNWRITABLE.
    """
    stem = out.with_suffix("") if out.suffix.lower() in (".svg", ".png") else out
    both = stem.with_name(stem.name + ".svg"), stem.with_name(stem.name + ".png")
    for path in both:
        check_writable(path)
    return both


def save(outcome: Outcome, mask: Tensor | None, svg: Path, png: Path) -> None:
    """Write both files.

    Raises:
        LimnerError: UNWRITABLE.
    """
    result = outcome.result
    metadata = {
        "prompt": result.about.get("prompt", ""),
        "seed": outcome.seed,
        "settings": dict(result.about),
        "score": round(result.score, 6),
        "version": __version__,
    }
    paper = "white" if result.background is None else None
    text = svg_text(result.strokes, result.size, metadata=metadata, background=paper)
    write_atomic(svg, text.encode())
    write_png(picture(result, mask), png, {"Title": str(metadata["prompt"])})


@torch.no_grad()
def picture(result: Result, mask: Tensor | None) -> Tensor:
    """(3, H, W): the drawing at up to four times the canvas, the mask's outside untouched."""
    longest = max(result.size)
    scale = min(ENLARGED, max(1.0, PNG_SIDE_PX / longest))
    size = (round(result.size[0] * scale), round(result.size[1] * scale))
    ground = torch.ones(3, *size)
    if result.background is not None:
        mode = {"mode": "bicubic", "align_corners": False}
        ground = F.interpolate(result.background[None].cpu(), size, **mode)[0].clamp(0, 1)  # type: ignore[arg-type]
    strokes = result.strokes.to(torch.device("cpu"))
    image = render(strokes, result.size, background=ground, scale=scale)[0]
    if mask is None or math.isclose(float(mask.min()), 1.0):
        return image
    open_ = F.interpolate(mask[None, None].cpu(), size, mode="bilinear")[0]
    return ground + open_ * (image - ground)
