"""Strokes on the wire: control points as 16-bit fractions of the canvas.

A coordinate c of a canvas W pixels wide is round((c / W + 0.25) / 1.5 * 65535): strokes may reach
a quarter of the canvas beyond its edges (they are cut off there by nobody: what lies further out
is moved to the border of that), and on 512 px the error is 0.006 px at most. float16 has the same
size and forty times the error. A width (of the stroke, in full, as SVG has it) is a fraction of the
longer side; colours are 8-bit straight RGBA.

A stroke is a chain of cubic Bézier segments: 3 n + 1 control points for n of them.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from limner_wire import limits
from limner_wire.errors import WireError
from limner_wire.frames import Buffer

MARGIN, SPAN, STEPS = 0.25, 1.5, 65535  # of the canvas; fractions are STEPS steps over SPAN

Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """One stroke in canvas pixels.

    Attributes:
        points: 3 n + 1 control points of n cubic segments.
        width: full width in pixels.
        rgba: 0 to 255, straight alpha.
    """

    points: Sequence[Point]
    width: float
    rgba: tuple[int, int, int, int]

    def path(self) -> str:
        """SVG path data."""
        first, *rest = (f"{x:.2f} {y:.2f}" for x, y in self.points)
        return f"M {first} C {' '.join(rest)}" if rest else f"M {first}"


def pack(strokes: Iterable[Stroke], canvas: tuple[int, int]) -> list[Buffer]:
    """The buffers of strokes on a canvas of (width, height) pixels.

    Raises:
        WireError: if a stroke is no chain of cubics, or there are too many.
    """
    points, ends, widths, colours = array("H"), array("I"), array("H"), array("B")
    side = max(canvas)
    for stroke in strokes:
        if len(stroke.points) % 3 != 1:
            raise WireError(f"a stroke of {len(stroke.points)} points is no chain of cubics")
        for point in stroke.points:
            for c, size in zip(point, canvas, strict=True):
                points.append(_fraction((c / size + MARGIN) / SPAN))
        ends.append(len(points) // 2)
        widths.append(_fraction(stroke.width / side))
        colours.extend(stroke.rgba)
    if len(ends) > limits.STROKES_MAX:
        raise WireError(f"a frame may hold {limits.STROKES_MAX} strokes")
    count = len(ends)
    return [
        Buffer("points", "u16", (len(points) // 2, 2), _little(points)),
        Buffer("ends", "u32", (count,), _little(ends)),
        Buffer("width", "u16", (count,), _little(widths)),
        Buffer("rgba", "u8", (count, 4), colours.tobytes()),
    ]


def unpack(buffers: dict[str, Buffer], canvas: tuple[int, int]) -> list[Stroke]:
    """The strokes that `pack`, or the backend, put into a frame.

    Raises:
        WireError: if the buffers are others than those, or do not fit each other.
    """
    ends = check(buffers)
    points, widths = _numbers("H", buffers["points"]), _numbers("H", buffers["width"])
    rgba = bytes(buffers["rgba"].data)
    kx, ky = SPAN / STEPS * canvas[0], SPAN / STEPS * canvas[1]
    left, top, side = MARGIN * canvas[0], MARGIN * canvas[1], max(canvas)
    xs = [v * kx - left for v in points[0::2]]
    ys = [v * ky - top for v in points[1::2]]
    out, begin = [], 0
    for s, end in enumerate(ends):
        r, g, b, a = rgba[4 * s : 4 * s + 4]
        line = list(zip(xs[begin:end], ys[begin:end], strict=True))
        out.append(Stroke(line, widths[s] * side / STEPS, (r, g, b, a)))
        begin = end
    return out


def check(buffers: dict[str, Buffer]) -> Sequence[int]:
    """The end of each stroke among the points, when the buffers fit each other.

    Raises:
        WireError: if they do not.
    """
    if set(buffers) != {"points", "ends", "width", "rgba"}:
        raise WireError("strokes are points, ends, width and rgba")
    count, total = len_of(buffers["ends"]), len_of(buffers["points"])
    wanted = (
        ("points", "u16", (total, 2)),
        ("ends", "u32", (count,)),
        ("width", "u16", (count,)),
        ("rgba", "u8", (count, 4)),
    )
    for name, dtype, shape in wanted:
        if buffers[name].dtype != dtype or buffers[name].shape != shape:
            raise WireError(f"strokes' {name} are {dtype} of another shape")
    if count > limits.STROKES_MAX:
        raise WireError(f"a frame may hold {limits.STROKES_MAX} strokes")
    ends = _numbers("I", buffers["ends"])
    begin = 0
    for end in ends:
        if end <= begin or (end - begin) % 3 != 1:
            raise WireError("a stroke is no chain of cubics")
        begin = end
    if begin != total:
        raise WireError("there are points of no stroke")
    return ends


def len_of(buffer: Buffer) -> int:
    """The length of a buffer's first axis."""
    return buffer.shape[0] if buffer.shape else 0


def _fraction(value: float) -> int:
    """A fraction in whole steps; NaN is none of it."""
    return round(min(max(value, 0.0), 1.0) * STEPS) if value == value else 0


def _little(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _numbers(kind: str, buffer: Buffer) -> array[int]:
    out = array(kind)
    out.frombytes(bytes(buffer.data))
    if sys.byteorder == "big":
        out.byteswap()
    return out
