"""Pictures that move, as files: a GIF that any program shows, or an MP4 where `av` is installed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from limner_wire.errors import ErrorCode, LimnerError

COLOURS = 128  # of a GIF


def check_kind(path: Path, what: str, kinds: Sequence[str]) -> None:
    """Pass if `what`, such as "A replay", can be written as a file of this name.

    Raises:
        LimnerError: BAD_INPUT for another ending than `kinds`, or for .mp4 without its library.
    """
    if path.suffix.lower() not in kinds:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            f"{what} can't be a {path.suffix or 'nameless'} file.",
            f"Give a name that ends with {', '.join(kinds)}.",
        )
    if path.suffix.lower() == ".mp4":
        _av()


def film(pictures: Sequence[np.ndarray], kind: str, seconds: float, hold_s: float = 0.0) -> bytes:
    """The pictures one after another, the same time each.

    Args:
        pictures: (H, W, 3) uint8.
        kind: ".gif", which begins again at its end, or ".mp4".
        seconds: how long they take, but for the last, which stays `hold_s` longer.
    """
    return (_gif if kind == ".gif" else _mp4)(pictures, seconds, hold_s)


def _gif(pictures: Sequence[np.ndarray], seconds: float, hold_s: float) -> bytes:
    no_dither = Image.Dither.NONE
    first, *rest = [Image.fromarray(p).quantize(COLOURS, dither=no_dither) for p in pictures]
    each = round(1000 * seconds / len(pictures))
    durations = [each] * len(rest) + [int(1000 * hold_s) or each]
    out = io.BytesIO()
    first.save(
        out, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, optimize=False
    )
    return out.getvalue()


def _mp4(pictures: Sequence[np.ndarray], seconds: float, hold_s: float) -> bytes:
    av = _av()
    height, width = (side - side % 2 for side in pictures[0].shape[:2])  # 4:2:0 wants even sides
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        rate = max(1, round(len(pictures) / seconds))
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        hold = [pictures[-1]] * round(rate * hold_s)
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
            "pip install 'limner[video]', or write a .gif.",
        ) from None
    return av
