"""The drawing on a locked layer of the canvas while it forms, for those who ask for that."""

from __future__ import annotations

import time
from typing import Any

from limner_krita.painting import Painting, paper
from limner_krita.qt import QtCore, QtGui, Signal
from limner_wire.errors import LimnerError
from limner_wire.strokes import Strokes

GAP_S = 0.2  # between two pictures: Krita composes the whole canvas for each
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
        self._shown_at = 0.0
        self._painting = Painting(self)
        self._painting.painted.connect(self._painted)

    def show(self, snapshot: Any, strokes: Strokes) -> None:
        """Show strokes on the canvas that the snapshot is of, unless that was just done."""
        if snapshot is not self._snapshot:
            self.remove()
        now = time.monotonic()
        if now - self._shown_at < GAP_S:
            return
        self._shown_at, self._snapshot = now, snapshot
        wide, high = snapshot.bounds[2:]
        scale = min(1.0, LONGEST_PX / max(wide, high, 1))
        size = QtCore.QSize(max(1, round(wide * scale)), max(1, round(high * scale)))
        self._painting.show(strokes, paper(size, None, is_clear=True))

    def remove(self) -> None:
        """Take the layer away."""
        self._painting.stop()
        layer, self._layer, self._snapshot = self._layer, None, None
        if layer is not None:
            try:
                layer.remove()
            except LimnerError as problem:
                self.failed.emit(str(problem))

    def _painted(self, _strokes: Strokes, image: QtGui.QImage) -> None:
        if self._snapshot is None:
            return
        try:
            if self._layer is None:
                self._layer = self._canvas.PreviewLayer(self._snapshot)
            self._layer.show(image)
        except LimnerError as problem:
            self._snapshot = None
            self.failed.emit(str(problem))
