"""A drawing in space from all round: a film in which it turns once, or a sheet of eight views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from limner.files import write_atomic
from limner.film import film
from limner.methods.base import Result
from limner.pictures import encode_png
from limner.vector.rasterizer import render
from limner.vector.space import views

KINDS = (".gif", ".mp4", ".png")
SECONDS, FRAMES_A_SECOND = 6, 15
FILM_SIDE_PX = 384
SHEET_ROWS, SHEET_COLUMNS, SHEET_SIDE_PX = 2, 4, 448
AT_ONCE = 16  # views drawn in one call


def write(result: Result, path: Path) -> None:
    """Write the turn, from the front to the right and round, in the kind that the ending names.

    Raises:
        LimnerError: UNWRITABLE.
    """
    kind = path.suffix.lower()
    if kind == ".png":
        write_atomic(path, encode_png(sheet(result)))
        return
    pictures = round_it(result, SECONDS * FRAMES_A_SECOND, FILM_SIDE_PX)
    shown = (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy()
    write_atomic(path, film(list(np.asarray(shown)), kind, SECONDS))


def sheet(result: Result) -> torch.Tensor:
    """(3, H, W): eight views, each 45 degrees on from the last, in two rows."""
    pictures = round_it(result, SHEET_ROWS * SHEET_COLUMNS, SHEET_SIDE_PX)
    rows = pictures.unflatten(0, (SHEET_ROWS, SHEET_COLUMNS))
    return torch.cat([torch.cat(list(row), 2) for row in rows], 1)


@torch.no_grad()
def round_it(result: Result, count: int, side_px: int) -> torch.Tensor:
    """(count, 3, H, W) in [0, 1]: the drawing on white from `count` azimuths, evenly spread."""
    azimuths = torch.arange(count) * 360 / count
    scale = min(4.0, side_px / max(result.size))
    strokes = result.drawing.to(torch.device("cpu"))
    parts = []
    for some in azimuths.split(AT_ONCE):
        cameras = torch.stack([some, torch.zeros_like(some)], 1)
        flat, scenes = views(strokes, cameras, result.size)
        parts.append(render(flat, result.size, scale=scale, scenes=scenes).clamp(0, 1))
    return torch.cat(parts)
