"""The picture in the docker: the newest strokes over what lies under them, or the newest picture
of a method without strokes, always up to date.

A frame is acknowledged when it has been painted, so the backend never sends more than is seen.
While nobody can see the docker, nothing is painted, and one frame a second is acknowledged, so
that the figures still move.
"""

from __future__ import annotations

from limner_front.i18n import _
from limner_krita.painting import Painting, paper
from limner_krita.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from limner_wire.session import Heard
from limner_wire.strokes import Strokes

LONGEST_PX = 512  # of the picture that is painted; a docker is rarely larger
RESIZED_MS = 150  # after the docker was made larger or smaller
HEIGHT_PX = (140, 420)
GAP_MS = 16  # between two frames, and as long as one took: so painting takes half the time at most
BLIND_MS = 1_000


class Preview(QtWidgets.QWidget):
    """Shows strokes or a picture.

    Signals:
        shown: what was heard is on the screen, or nobody looks.
        painted: a frame is newly shown: its strokes, and they painted at most `LONGEST_PX` long; or
            None, and the picture that came.
    """

    shown = Signal(object)
    painted = Signal(object, object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("limner_preview")
        self.setMinimumHeight(HEIGHT_PX[0])
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Expanding, policy.Preferred)
        self.setAccessibleName(_("The drawing"))
        self.frames_painted = 0
        self._canvas = (224, 224)
        self._under: QtGui.QImage | None = None
        self._ground = paper(self._size(), None)
        self._image: QtGui.QImage | None = None
        self._strokes: Strokes | None = None  # that are shown
        self._picture: QtGui.QImage | None = None  # that is, if there are none; as it came
        self._waiting: Heard | None = None
        self._under_way: Heard | None = None
        self._unseen: Heard | None = None  # came while nobody looked
        self._painting = Painting(self)
        self._painting.painted.connect(self._painted)
        self._gap = QtCore.QTimer(self, singleShot=True)
        self._gap.timeout.connect(self._paint_next)
        self._resized = QtCore.QTimer(self, singleShot=True, interval=RESIZED_MS)
        self._resized.timeout.connect(self._fit)

    @property
    def slices_s(self) -> list[float]:
        """How long Krita has waited for the painter, each of the last times."""
        return list(self._painting.slices_s)

    @property
    def longest_s(self) -> float:
        """The longest of them."""
        return max(self._painting.slices_s, default=0.0)

    # --- what to show -----------------------------------------------------------------------

    def begin(self, canvas: tuple[int, int], under: QtGui.QImage | None) -> None:
        """An empty paper of a drawing's proportions, with what lies under it."""
        self._let_go()
        self._painting.stop()
        self._canvas, self._under = canvas, under
        self._image = self._strokes = self._picture = None
        self.updateGeometry()
        self._ground = paper(self._size(), under)
        self.update()

    def offer(self, heard: Heard) -> None:
        """A frame has come: it is shown in its turn, unless a newer one comes before."""
        if self._waiting is not None:
            self.shown.emit(self._waiting)
        self._waiting = heard
        if not self._gap.isActive() and self._under_way is None:
            self._paint_next()

    def show_strokes(self, strokes: Strokes) -> None:
        """Show strokes that were not sent as a frame: a result."""
        self._strokes = strokes
        self._painting.show(strokes, self._ground)

    def show_picture(self, data: bytes) -> QtGui.QImage | None:
        """Show an encoded picture; the picture, if it is one."""
        picture = QtGui.QImage.fromData(data)
        if picture.isNull():
            return None
        self._picture, self._strokes = picture, None
        self._scale(picture)
        self.frames_painted += 1
        return picture

    @property
    def image(self) -> QtGui.QImage | None:
        """What is shown now; None for empty paper."""
        return self._image

    # --- one frame after the other ----------------------------------------------------------

    def _is_seen(self) -> bool:
        return self.isVisible() and not self.visibleRegion().isEmpty()

    def _paint_next(self) -> None:
        heard, self._waiting = self._waiting, None
        if heard is None:
            return
        if not self._is_seen():
            self._unseen = heard
            self._say_shown(heard, BLIND_MS)
        elif heard.strokes is not None:
            self._under_way = heard
            self._painting.show(heard.strokes, self._ground)
        else:
            picture = self.show_picture(_picture(heard))
            self._say_shown(heard, GAP_MS)
            if picture is not None:
                self.painted.emit(None, picture)

    def _painted(self, strokes: Strokes, image: QtGui.QImage) -> None:
        self._image, self._strokes, self._picture = image, strokes, None
        self.frames_painted += 1
        self.update()
        self.painted.emit(strokes, image)
        heard, self._under_way = self._under_way, None
        if heard is not None:
            self._say_shown(heard, GAP_MS)

    def _say_shown(self, heard: Heard, gap_ms: int) -> None:
        self._gap.start(max(gap_ms, int(1_000 * self._painting.cost_s)))
        self.shown.emit(heard)

    def _let_go(self) -> None:
        """Frames of another drawing are given back unseen."""
        for heard in (self._waiting, self._under_way):
            if heard is not None:
                self.shown.emit(heard)
        self._waiting = self._under_way = self._unseen = None
        self._gap.stop()

    # --- Qt ---------------------------------------------------------------------------------

    def _size(self, longest_px: int = 0) -> QtCore.QSize:
        """The canvas's proportions, so large; by itself as large as it is shown."""
        wide, high = self._canvas
        fits = min(self.width() / wide, self.height() / high) * self.devicePixelRatioF()
        scale = longest_px / max(wide, high) if longest_px else fits
        scale = min(scale, LONGEST_PX / max(wide, high))
        return QtCore.QSize(max(1, round(wide * scale)), max(1, round(high * scale)))

    def _fit(self) -> None:
        """Paint anew what is shown, at the size that it is shown at now."""
        if self._size() == self._ground.size():
            return
        self._ground = paper(self._size(), self._under)
        if self._strokes is not None:
            self._painting.show(self._strokes, self._ground)
        elif self._picture is not None:
            self._scale(self._picture)
        self.update()

    def _scale(self, picture: QtGui.QImage) -> None:
        mode = Qt.TransformationMode.SmoothTransformation
        self._image = picture.scaled(self._size(), transformMode=mode)
        self.update()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        self._resized.start()

    def sizeHint(self) -> QtCore.QSize:
        wide = max(self.width(), 200)
        return QtCore.QSize(wide, self.heightForWidth(wide))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, wide: int) -> int:
        high = round(wide * self._canvas[1] / self._canvas[0])
        return min(max(high, HEIGHT_PX[0]), HEIGHT_PX[1])

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        image = self._image if self._image is not None else self._ground
        size = image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QtCore.QRect(QtCore.QPoint(0, 0), size)
        place.moveCenter(self.rect().center())
        painter.drawImage(place, image)
        painter.end()
        unseen, self._unseen = self._unseen, None
        if unseen is None:
            return
        if unseen.strokes is not None:
            self._painting.show(unseen.strokes, self._ground)
        else:
            self.show_picture(_picture(unseen))


def _picture(heard: Heard) -> bytes:
    """The picture that lies in a frame, encoded."""
    buffer = next(iter(heard.buffers.values()), None)
    return b"" if buffer is None else bytes(buffer.data)
