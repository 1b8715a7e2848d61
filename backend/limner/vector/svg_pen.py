"""SVG path data as cubic Béziers.

svgelements reads the grammar and finds the centre of an arc. Its Path object is not used, because
it searches back to the last `M` at every `Z`, and a path of a hundred thousand `Z` would take
hours: the pen here takes each command in constant time.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from svgelements import Arc, SVGLexicalParser

from limner.vector.svg_safe import broken
from limner_wire.errors import LimnerError

Cubics = npt.NDArray[np.float64]  # (3n+1, 2): n cubic segments, neighbours share an end point

UNIT_MAX = 1e9  # user units; a viewBox in micrometres needs 1e6, an attack writes 1e308


def too_far() -> LimnerError:
    """The error for a number that no drawing has."""
    return broken("it has a number that is infinite or far outside any canvas", "Check its size.")


def drawn(path_data: str) -> list[Cubics]:
    """The subpaths. Data with an error is drawn up to it, as SVG asks.

    Raises:
        LimnerError: UNREADABLE if a coordinate is not finite or beyond `UNIT_MAX`.
    """
    pen = _Pen()
    # svgelements' ways to say that the grammar ends here
    with contextlib.suppress(TypeError, ValueError, ArithmeticError):
        SVGLexicalParser().parse(pen, path_data)
    pen.finish()
    subpaths = [np.array(points, dtype=np.float64) for points in pen.subpaths]
    if not all(bool((np.abs(points) <= UNIT_MAX).all()) for points in subpaths):
        raise too_far()
    return subpaths


class _At(NamedTuple):
    x: float
    y: float


def _arc_cubics(arc: Arc) -> Iterator[tuple[_At, _At, _At]]:
    """(control, control, end) of cubics of a quarter turn at most, off by 2.7e-4 of the radius.

    Not `Arc.as_cubic_curves`: its handles are too short and leave it seven times as far off.
    With t the angle on the unit circle that the ellipse is the image of, P(t) = centre + u cos t
    + v sin t, and the handles are 4/3 tan(dt/4) P'(t) long.
    """
    centre = np.array([arc.center.x, arc.center.y])
    axes = np.array([[arc.prx.x, arc.prx.y], [arc.pry.x, arc.pry.y]]) - centre  # u, v
    count = max(1, math.ceil(abs(arc.sweep) / (math.pi / 2) - 1e-6))
    step = arc.sweep / count
    t = arc.get_start_t() + step * np.arange(count + 1)
    points = centre + np.stack([np.cos(t), np.sin(t)], axis=1) @ axes
    points[0], points[-1] = (arc.start.x, arc.start.y), (arc.end.x, arc.end.y)
    handles = 4 / 3 * math.tan(step / 4) * (np.stack([-np.sin(t), np.cos(t)], axis=1) @ axes)
    before, after = (points + handles).tolist(), (points - handles).tolist()
    for i, end in enumerate(points[1:].tolist(), start=1):
        yield _At(*before[i - 1]), _At(*after[i]), _At(*end)


class _Pen:
    """Takes the calls of svgelements' lexer and writes cubics, in constant time each.

    The lexer makes coordinates absolute from `current_point`, except those of `h` and `v`; where
    SVG 2 lets a `z` stand for the last coordinate, it hands over that letter.
    """

    def __init__(self) -> None:
        self.subpaths: list[list[tuple[float, float]]] = []
        self.current_point: _At | None = None
        self._points: list[tuple[float, float]] = []
        self._start = _At(0.0, 0.0)
        self._fresh = False  # after an `M`: a `Z` here is a dot, and after another `Z` nothing
        self._handle: _At | None = None  # the last control point, for a smooth successor
        self._handle_of = ""  # "cubic" or "quad": each continues its own kind only

    def start(self) -> None:
        """Nothing: the lexer announces a path."""

    def end(self) -> None:
        """Nothing: the caller finishes, also after an error."""

    def finish(self) -> None:
        """Keep the open subpath; a lone `M` draws nothing."""
        if len(self._points) > 1:
            self.subpaths.append(self._points)
        self._points = []

    def move(self, to: tuple[float, float], relative: bool) -> None:
        self.finish()
        self.current_point = self._start = _At(*to)
        self._handle_of = ""
        self._fresh = True

    def line(self, to: tuple[float, float] | str, relative: bool) -> None:
        at, end = self._here(), self._at(to)
        third = ((end.x - at.x) / 3, (end.y - at.y) / 3)
        self._cubic(
            _At(at.x + third[0], at.y + third[1]), _At(end.x - third[0], end.y - third[1]), end
        )

    def horizontal(self, x: float, relative: bool) -> None:
        at = self._here()
        self.line((x + at.x if relative else x, at.y), relative)

    def vertical(self, y: float, relative: bool) -> None:
        at = self._here()
        self.line((at.x, y + at.y if relative else y), relative)

    def cubic(self, one: _At, two: _At, to: _At, relative: bool) -> None:
        control = self._at(two)
        self._cubic(self._at(one), control, self._at(to), handle=control, kind="cubic")

    def smooth_cubic(self, two: _At, to: _At, relative: bool) -> None:
        self.cubic(self._reflected("cubic"), two, to, relative)

    def quad(self, control: _At, to: _At, relative: bool) -> None:
        at, middle, end = self._here(), self._at(control), self._at(to)
        one = _At(at.x + (middle.x - at.x) * 2 / 3, at.y + (middle.y - at.y) * 2 / 3)
        two = _At(end.x + (middle.x - end.x) * 2 / 3, end.y + (middle.y - end.y) * 2 / 3)
        self._cubic(one, two, end, handle=middle, kind="quad")

    def smooth_quad(self, to: _At, relative: bool) -> None:
        self.quad(self._reflected("quad"), to, relative)

    def arc(
        self,
        rx: float,
        ry: float,
        rotation: float,
        large: bool | None,
        sweep: bool | None,
        to: _At,
        relative: bool,
    ) -> None:
        at, end = self._here(), self._at(to)
        if large is None or sweep is None:
            raise ValueError("arc without flags")
        if min(abs(rx), abs(ry)) < 1e-9 or at == end:  # F.6.2: a line, or nothing
            return self.line(end, relative) if at != end else None
        if max(abs(v) for v in (rx, ry, rotation, *at, *end)) > UNIT_MAX:
            raise too_far()
        for one, two, to in _arc_cubics(Arc(at, abs(rx), abs(ry), rotation, large, sweep, end)):
            self._cubic(one, two, to)

    def closed(self, relative: bool) -> None:
        if self._here() != self._start or self._fresh:
            self.line(self._start, relative)
        self.finish()

    def _here(self) -> _At:
        if self.current_point is None:
            raise ValueError("path data must begin with M")
        return self.current_point

    def _at(self, point: tuple[float, float] | str) -> _At:
        return self._start if isinstance(point, str) else _At(*point)

    def _reflected(self, kind: str) -> _At:
        at = self._here()
        if self._handle is None or self._handle_of != kind:
            return at
        return _At(2 * at.x - self._handle.x, 2 * at.y - self._handle.y)

    def _cubic(
        self, one: _At, two: _At, end: _At, *, handle: _At | None = None, kind: str = ""
    ) -> None:
        if not self._points:
            self._points = [self._here()]
        self._points += [one, two, end]
        self._fresh = False
        self.current_point, self._handle, self._handle_of = end, handle, kind
