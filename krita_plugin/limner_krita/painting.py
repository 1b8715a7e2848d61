"""Strokes painted by Qt, in slices that are short enough for Krita to stay quick.

256 strokes take Qt's painter some 15 ms, twice what one event may take. So a frame is painted a
few strokes at a time, for `SLICE_S`, and Krita does in between what it has to; nobody sees half a
frame.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

from limner_krita.qt import Qt, QtCore, QtGui, Signal
from limner_wire.strokes import Strokes

SLICE_S = 0.003
HAIR = 0.01  # pixels
SLICES = 2_000  # remembered
PAPER = 0xFFFFFFFF
FORMAT = QtGui.QImage.Format.Format_ARGB32_Premultiplied


def paper(
    size: QtCore.QSize, under: QtGui.QImage | None, *, is_clear: bool = False
) -> QtGui.QImage:
    """What strokes are painted on: white, what lies under them, or nothing at all."""
    image = QtGui.QImage(size, FORMAT)
    image.fill(0 if is_clear else PAPER)
    if under is not None and not under.isNull() and not is_clear:
        with_under = QtGui.QPainter(image)
        with_under.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        with_under.drawImage(image.rect(), under)
        with_under.end()
    return image


def paint(strokes: Strokes, ground: QtGui.QImage) -> QtGui.QImage:
    """The strokes on a copy of the ground, all at once; for small pictures."""
    image = ground.copy()
    for _ in _painting(strokes, image, slice_s=3600.0):
        pass
    return image


def _painting(strokes: Strokes, image: QtGui.QImage, slice_s: float = SLICE_S) -> Iterator[None]:
    """Paint in the painter's order; yields each time `slice_s` is over."""
    across, down = image.width() / strokes.canvas[0], image.height() / strokes.canvas[1]
    row = iter(strokes)
    is_left = True
    while is_left:
        painter, until = _pen(image, across, down), time.perf_counter() + slice_s
        try:
            while time.perf_counter() < until:
                if (stroke := next(row, None)) is None:
                    is_left = False
                    break
                painter.strokePath(_path(stroke.points), _stroke_pen(stroke.width, stroke.rgba))
        finally:
            painter.end()
        if is_left:
            yield


def _pen(image: QtGui.QImage, across: float, down: float) -> QtGui.QPainter:
    painter = QtGui.QPainter(image)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.scale(across, down)
    return painter


def _stroke_pen(width: float, rgba: tuple[int, int, int, int]) -> QtGui.QPen:
    cap, join = Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
    return QtGui.QPen(QtGui.QColor(*rgba), width, Qt.PenStyle.SolidLine, cap, join)


def _path(points: list[tuple[float, float]]) -> QtGui.QPainterPath:
    path = QtGui.QPainterPath()
    path.moveTo(*points[0])
    for i in range(1, len(points), 3):
        path.cubicTo(*points[i], *points[i + 1], *points[i + 2])
    if path.elementCount() == 1:  # a dot: Qt leaves out what goes nowhere
        path.lineTo(points[0][0] + HAIR, points[0][1])
    return path


class Painting(QtCore.QObject):
    """Paints one frame after another; a frame that is not begun gives way to a newer one.

    Signals:
        painted: a frame is whole: its strokes, and the picture.

    Attributes:
        cost_s: of the last frame, all slices together.
        slices_s: how long each of the last slices was: so long Krita waited.
    """

    painted = Signal(object, object)

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self.cost_s = 0.0
        self.slices_s: deque[float] = deque(maxlen=SLICES)
        self._next: tuple[Strokes, QtGui.QImage] | None = None
        self._now: tuple[Strokes, QtGui.QImage, Iterator[None]] | None = None
        self._spent_s = 0.0
        self._timer = QtCore.QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._slice)

    def show(self, strokes: Strokes, ground: QtGui.QImage) -> None:
        """Paint these strokes on a copy of the ground, soon."""
        self._next = (strokes, ground)
        if not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """Paint nothing of what was given."""
        self._next = self._now = None
        self._timer.stop()

    def _slice(self) -> None:
        begun = time.perf_counter()
        if self._now is None:
            if self._next is None:
                return
            (strokes, ground), self._next, self._spent_s = self._next, None, 0.0
            image = ground.copy()
            self._now = (strokes, image, _painting(strokes, image))
        strokes, image, slices = self._now
        is_left = next(slices, self) is None
        took = time.perf_counter() - begun
        self._spent_s += took
        self.slices_s.append(took)
        if not is_left:
            self._now, self.cost_s = None, self._spent_s
            self.painted.emit(strokes, image)
        if is_left or self._next is not None:
            self._timer.start()
