"""The drawing on a locked layer of the canvas while it forms, for those who ask for that."""

from __future__ import annotations

from typing import Any

from limner_krita.painting import Painting, paper
from limner_krita.qt import QtCore, QtGui, Signal
from limner_wire.errors import LimnerError
from limner_wire.strokes import Strokes

GAP_MS = 200  # between two pictures: Krita composes the whole canvas for each
LONGEST_PX = 1024


class OnCanvas(QtCore.QObject):
    """Shows one drawing at a time.

    Args:
        canvas: the module `document`.

    Signals:
        failed: it can't be shown there; in words.
    """

    failed = Signal(str)

    def __init__(self, canvas: Any, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._layer: Any = None
        self._snapshot: Any = None
        self._next: Strokes | QtGui.QImage | None = None
        self._gap = QtCore.QTimer(self, singleShot=True, interval=GAP_MS)
        self._gap.timeout.connect(self._show_next)
        self._painting = Painting(self)
        self._painting.painted.connect(lambda _strokes, image: self._put(image))

    def show(self, snapshot: Any, frame: Strokes | QtGui.QImage) -> None:
        """Show strokes, or a picture, on the canvas that the snapshot is of: now, or soon if that
        was just done and nothing newer comes."""
        if snapshot is not self._snapshot:
            self.remove()
        self._snapshot, self._next = snapshot, frame
        if not self._gap.isActive():
            self._show_next()

    def remove(self) -> None:
        """Take the layer away."""
        self._painting.stop()
        self._gap.stop()
        layer, self._layer, self._snapshot, self._next = self._layer, None, None, None
        if layer is not None:
            try:
                layer.remove()
            except LimnerError as problem:
                self.failed.emit(str(problem))

    def _show_next(self) -> None:
        frame, self._next = self._next, None
        if frame is None:
            return
        self._gap.start()
        if isinstance(frame, QtGui.QImage):
            self._put(frame)
            return
        wide, high = self._snapshot.bounds[2:]
        scale = min(1.0, LONGEST_PX / max(wide, high, 1))
        size = QtCore.QSize(max(1, round(wide * scale)), max(1, round(high * scale)))
        self._painting.show(frame, paper(size, None, is_clear=True))

    def _put(self, image: QtGui.QImage) -> None:
        if self._snapshot is None:
            return
        try:
            if self._layer is None:
                self._layer = self._canvas.PreviewLayer(self._snapshot)
            self._layer.show(image)
        except LimnerError as problem:
            self._snapshot = self._next = None
            self.failed.emit(str(problem))
