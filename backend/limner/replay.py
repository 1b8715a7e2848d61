"""A drawing that draws itself, stroke after stroke: as a GIF, an MP4 or an SVG.

The strokes are shown in painting order, as the paper's authors do in their video renderer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limner.files import write_atomic
from limner.film import film
from limner.methods.base import Result
from limner.vector.rasterizer import render
from limner.vector.strokes import pack
from limner.vector.svg import svg_replay_text

KINDS = (".gif", ".mp4", ".svg")
SIDE_PX = 448
SECONDS, HOLD_SECONDS, FRAMES_A_SECOND = 6.0, 2.0, 15


def write(result: Result, path: Path) -> None:
    """Write the replay in the kind that the file's ending names.

    Raises:
        LimnerError: UNWRITABLE.
    """
    kind = path.suffix.lower()
    if kind == ".svg":
        paper = "white" if result.background is None else None
        text = svg_replay_text(result.drawing, result.size, duration_s=SECONDS, background=paper)
        write_atomic(path, text.encode())
    else:
        write_atomic(path, film(list(frames(result)), kind, SECONDS, HOLD_SECONDS))


def frames(result: Result) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 pictures of the growing drawing, its first bare, its last whole."""
    height, width = result.size
    scale = min(4.0, SIDE_PX / max(height, width))
    total = int(SECONDS * FRAMES_A_SECOND)
    count = result.drawing.count
    shown = sorted({round(count * k / total) for k in range(total + 1)})
    background: Any = (1.0, 1.0, 1.0)
    if result.background is not None:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        background = torch.nn.functional.interpolate(
            result.background[None], size, mode="bilinear", antialias=True
        )[0]
    for start in range(0, len(shown), 16):
        parts = [result.drawing.select(torch.arange(n)) for n in shown[start : start + 16]]
        scenes = torch.tensor([0] + [p.count for p in parts]).cumsum(0)
        images = render(pack(parts), result.size, background=background, scale=scale, scenes=scenes)
        for image in images:
            yield (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
