"""A drawing that draws itself, stroke after stroke: as a GIF, an MP4 or an SVG.

The strokes are shown in painting order, as the paper's authors do in their video renderer.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from limner.files import write_atomic
from limner.methods.base import Result
from limner.vector.rasterizer import render
from limner.vector.strokes import pack
from limner.vector.svg import svg_replay_text
from limner_wire.errors import ErrorCode, LimnerError

KINDS = (".gif", ".mp4", ".svg")
SIDE_PX = 448
SECONDS, HOLD_SECONDS, FRAMES_A_SECOND = 6.0, 2.0, 15


def check_kind(path: Path) -> None:
    """Pass if a replay can be written as a file of this name.

    Raises:
        LimnerError: BAD_INPUT for another ending, or for .mp4 without its library.
    """
    if path.suffix.lower() not in KINDS:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            f"A replay can't be a {path.suffix or 'nameless'} file.",
            f"Give a name that ends with {', '.join(KINDS)}.",
        )
    if path.suffix.lower() == ".mp4":
        _av()


def write(result: Result, path: Path) -> None:
    """Write the replay in the kind that the file's ending names.

    Raises:
        LimnerError: UNWRITABLE.
    """
    kind = path.suffix.lower()
    if kind == ".svg":
        paper = "white" if result.background is None else None
        text = svg_replay_text(result.strokes, result.size, duration_s=SECONDS, background=paper)
        write_atomic(path, text.encode())
    else:
        pictures = list(frames(result))
        write_atomic(path, _gif(pictures) if kind == ".gif" else _mp4(pictures))


def frames(result: Result) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 pictures of the growing drawing, its first bare, its last whole."""
    height, width = result.size
    scale = min(4.0, SIDE_PX / max(height, width))
    total = int(SECONDS * FRAMES_A_SECOND)
    count = result.strokes.count
    shown = sorted({round(count * k / total) for k in range(total + 1)})
    background: Any = (1.0, 1.0, 1.0)
    if result.background is not None:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        background = torch.nn.functional.interpolate(
            result.background[None], size, mode="bilinear", antialias=True
        )[0]
    for start in range(0, len(shown), 16):
        parts = [result.strokes.select(torch.arange(n)) for n in shown[start : start + 16]]
        scenes = torch.tensor([0] + [p.count for p in parts]).cumsum(0)
        images = render(pack(parts), result.size, background=background, scale=scale, scenes=scenes)
        for image in images:
            yield (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def _gif(pictures: list[np.ndarray]) -> bytes:
    first, *rest = [Image.fromarray(p).quantize(128, dither=Image.Dither.NONE) for p in pictures]
    durations = [round(1000 * SECONDS / len(pictures))] * len(rest) + [int(1000 * HOLD_SECONDS)]
    out = io.BytesIO()
    first.save(
        out, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False
    )
    return out.getvalue()


def _mp4(pictures: list[np.ndarray]) -> bytes:
    av = _av()
    height, width = (side - side % 2 for side in pictures[0].shape[:2])  # 4:2:0 wants even sides
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        rate = max(1, round(len(pictures) / SECONDS))
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        hold = [pictures[-1]] * round(rate * HOLD_SECONDS)
        for picture in [*pictures, *hold]:
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(picture[:height, :width]), format="rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            "Writing .mp4 needs the package av.",
            "pip install 'limner[video]', or write a .gif or .svg.",
        ) from None
    return av
