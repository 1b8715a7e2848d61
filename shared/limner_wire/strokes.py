"""Strokes on the wire: control points as 16-bit fractions of the canvas.

A coordinate c of a canvas W pixels wide is round((c / W + 0.25) / 1.5 * 65535): strokes may reach
a quarter of the canvas beyond its edges (what lies further out comes to the border of that), and
on 512 px the error is 0.006 px at most. float16 has the same size and forty times the error. A
width (of the stroke, in full, as SVG has it) is a fraction of the longer side; colours are 8-bit
straight RGBA. A stroke is a chain of cubic Bézier segments: 3 n + 1 control points for n of them.

Strokes in space have a depth at each control point too, away from the viewer: a depth d of a
canvas whose longer side is L is round((d / L + 0.75) / 1.5 * 65535). The canvas is their front
view, from infinitely far; they turn about the middle of the canvas at depth 0.

A front end that is far may get a frame as steps from one that it has shown: 8 bits a coordinate,
in units of 8 of those fractions.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from limner_wire import limits
from limner_wire.errors import WireError
from limner_wire.frames import Buffer

MARGIN, SPAN, STEPS = 0.25, 1.5, 65535  # of the canvas; fractions are STEPS steps over SPAN
NEAREST = 0.75  # depths reach as far before and behind the canvas, in parts of its longer side
COARSE = 8  # fractions in one unit of a step

Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """One stroke in canvas pixels.

    Attributes:
        points: 3 n + 1 control points of n cubic segments.
        width: full width in pixels.
        rgba: 0 to 255, straight alpha.
        depth: of each control point in pixels, away from the viewer; None for a flat one.
    """

    points: Sequence[Point]
    width: float
    rgba: tuple[int, int, int, int]
    depth: Sequence[float] | None = None

    def path(self) -> str:
        """SVG path data."""
        first, *rest = (f"{x:.2f} {y:.2f}" for x, y in self.points)
        return f"M {first} C {' '.join(rest)}" if rest else f"M {first}"


@dataclass(frozen=True)
class Strokes:
    """Many strokes, packed as they travel.

    Attributes:
        canvas: (width, height) in pixels.
        points: "H", x and y of all N control points in turn, as fractions.
        ends: "I", where each of the S strokes ends among the N points.
        width: "H", S fractions of the longer side.
        rgba: 4 S bytes.
        depth: "H", N fractions of the longer side; None for a flat drawing.
    """

    canvas: tuple[int, int]
    points: array[int]
    ends: array[int]
    width: array[int]
    rgba: bytes
    depth: array[int] | None = None

    @classmethod
    def of(cls, strokes: Iterable[Stroke], canvas: tuple[int, int]) -> Strokes:
        """Pack strokes; if any has depth, those without lie at depth 0.

        Raises:
            WireError: if one is no chain of cubics, or there are too many.
        """
        points, ends, widths, colours = array("H"), array("I"), array("H"), array("B")
        depths, is_flat = array("H"), True
        for stroke in strokes:
            if len(stroke.points) % 3 != 1:
                raise WireError(f"a stroke of {len(stroke.points)} points is no chain of cubics")
            deep = [0.0] * len(stroke.points) if stroke.depth is None else stroke.depth
            if len(deep) != len(stroke.points):
                raise WireError(f"{len(deep)} depths for a stroke of {len(stroke.points)} points")
            is_flat &= stroke.depth is None
            depths.extend(_fraction((d / max(canvas) + NEAREST) / SPAN) for d in deep)
            for point in stroke.points:
                for c, side in zip(point, canvas, strict=True):
                    points.append(_fraction((c / side + MARGIN) / SPAN))
            ends.append(len(points) // 2)
            widths.append(_fraction(stroke.width / max(canvas)))
            colours.extend(stroke.rgba)
        if len(ends) > limits.STROKES_MAX:
            raise WireError(f"a frame may hold {limits.STROKES_MAX} strokes")
        depth = None if is_flat else depths
        return cls(canvas, points, ends, widths, colours.tobytes(), depth)

    @classmethod
    def read(cls, buffers: dict[str, Buffer], canvas: Sequence[int]) -> Strokes:
        """The strokes of a whole frame.

        Raises:
            WireError: if the buffers are others than `buffers` makes, or do not fit each other.
        """
        if set(buffers) - {"depth"} != {"points", "ends", "width", "rgba"}:
            raise WireError("strokes are points, ends, width and rgba, and perhaps depth")
        ends = _numbers("I", _hold(buffers["ends"], "u32", (None,)))
        count = len(ends)
        if count > limits.STROKES_MAX:
            raise WireError(f"a frame may hold {limits.STROKES_MAX} strokes")
        points = _numbers("H", _hold(buffers["points"], "u16", (None, 2)))
        begin = 0
        for end in ends:
            if end <= begin or (end - begin) % 3 != 1:
                raise WireError("a stroke is no chain of cubics")
            begin = end
        if begin != len(points) // 2:
            raise WireError("there are points of no stroke")
        widths = _numbers("H", _hold(buffers["width"], "u16", (count,)))
        rgba = bytes(_hold(buffers["rgba"], "u8", (count, 4)).data)
        depth = None
        if "depth" in buffers:
            depth = _numbers("H", _hold(buffers["depth"], "u16", (len(points) // 2,)))
        return cls((canvas[0], canvas[1]), points, ends, widths, rgba, depth)

    def buffers(self) -> list[Buffer]:
        """The whole of them, for a frame."""
        count = len(self.ends)
        out = [
            Buffer("points", "u16", (len(self.points) // 2, 2), _little(self.points)),
            Buffer("ends", "u32", (count,), _little(self.ends)),
            Buffer("width", "u16", (count,), _little(self.width)),
            Buffer("rgba", "u8", (count, 4), self.rgba),
        ]
        if self.depth is not None:
            out.append(Buffer("depth", "u16", (len(self.depth),), _little(self.depth)))
        return out

    def depths(self) -> list[float] | None:
        """The depth of each of the N control points in pixels; None for a flat drawing."""
        if self.depth is None:
            return None
        side = max(self.canvas)
        return [v * (SPAN / STEPS * side) - NEAREST * side for v in self.depth]

    def steps_from(self, base: Strokes) -> list[Buffer] | None:
        """The buffers that lead from `base` to here; None if no small steps do."""
        if (base.ends, base.canvas, base.depth) != (self.ends, self.canvas, self.depth):
            return None
        steps = [_half_up(b - a) for a, b in zip(base.points, self.points, strict=True)]
        if steps and (min(steps) < -128 or max(steps) > 127):
            return None
        out = [Buffer("steps", "i8", (len(steps) // 2, 2), array("b", steps).tobytes())]
        if base.width != self.width:
            out.append(Buffer("width", "u16", (len(self.width),), _little(self.width)))
        if base.rgba != self.rgba:
            out.append(Buffer("rgba", "u8", (len(self.width), 4), self.rgba))
        return out

    def with_steps(self, buffers: dict[str, Buffer]) -> Strokes:
        """These strokes after the steps of a frame.

        Raises:
            WireError: if the buffers do not fit these strokes.
        """
        if not {"steps"} <= set(buffers) <= {"steps", "width", "rgba"}:
            raise WireError("a step is steps, and perhaps width and rgba")
        count = len(self.ends)
        steps = array("b", bytes(_hold(buffers["steps"], "i8", (len(self.points) // 2, 2)).data))
        moved = (
            min(max(p + COARSE * d, 0), STEPS) for p, d in zip(self.points, steps, strict=True)
        )
        out = replace(self, points=array("H", moved))
        if "width" in buffers:
            widths = _numbers("H", _hold(buffers["width"], "u16", (count,)))
            out = replace(out, width=widths)
        if "rgba" in buffers:
            out = replace(out, rgba=bytes(_hold(buffers["rgba"], "u8", (count, 4)).data))
        return out

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[Stroke]:
        wide, high = self.canvas
        kx, ky = SPAN / STEPS * wide, SPAN / STEPS * high
        xs = [v * kx - MARGIN * wide for v in self.points[0::2]]
        ys = [v * ky - MARGIN * high for v in self.points[1::2]]
        unit, begin, depths = max(self.canvas) / STEPS, 0, self.depths()
        for s, end in enumerate(self.ends):
            r, g, b, a = self.rgba[4 * s : 4 * s + 4]
            line = list(zip(xs[begin:end], ys[begin:end], strict=True))
            depth = None if depths is None else depths[begin:end]
            yield Stroke(line, self.width[s] * unit, (r, g, b, a), depth)
            begin = end


def _hold(buffer: Buffer, dtype: str, shape: tuple[int | None, ...]) -> Buffer:
    """The buffer, if it is of this kind and shape; None stands for any length."""
    fits = len(buffer.shape) == len(shape) and all(
        want in (None, have) for want, have in zip(shape, buffer.shape, strict=True)
    )
    if buffer.dtype != dtype or not fits:
        raise WireError(f"{buffer.name} is no {dtype} of the shape that fits the others")
    return buffer


def _fraction(value: float) -> int:
    """A fraction in whole steps; NaN is none of it."""
    return round(min(max(value, 0.0), 1.0) * STEPS) if value == value else 0


def _half_up(steps: int) -> int:
    return (steps + COARSE // 2) // COARSE


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
