"""The drawings of this start of Krita as thumbnails, the newest first."""

from __future__ import annotations

from limner_front import words
from limner_front.i18n import _
from limner_front.jobs import Job
from limner_krita.painting import Painting, paper
from limner_krita.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from limner_wire.strokes import Strokes

THUMB_PX = 64
HEIGHT_PX = THUMB_PX + 48
ID = Qt.ItemDataRole.UserRole


class Gallery(QtWidgets.QListWidget):
    """The thumbnails.

    Signals:
        chosen: a drawing is to be shown: its id.
        used: its settings are to be taken.
        applied: it is to be put on the canvas.
        removed: it is to be taken from the list.
    """

    chosen = Signal(str)
    used = Signal(str)
    applied = Signal(str)
    removed = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("limner_history")
        self.setAccessibleName(_("Drawings"))
        self.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.setMovement(QtWidgets.QListView.Movement.Static)
        self.setFlow(QtWidgets.QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setIconSize(QtCore.QSize(THUMB_PX, THUMB_PX))
        self.setGridSize(QtCore.QSize(THUMB_PX + 16, THUMB_PX + 26))
        self.setFixedHeight(HEIGHT_PX)
        self.setUniformItemSizes(True)
        self.itemClicked.connect(lambda item: self.chosen.emit(item.data(ID)))
        self.itemDoubleClicked.connect(lambda item: self.applied.emit(item.data(ID)))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.hide()

    def put(self, job: Job, picture: QtGui.QImage | None = None) -> None:
        """Show a drawing, or show it anew."""
        item = self._item(job.id)
        if item is None:
            item = QtWidgets.QListWidgetItem(QtGui.QIcon(_blank()), "")
            item.setData(ID, job.id)
            self.insertItem(0, item)
            self.show()
        if picture is not None:
            mode = Qt.AspectRatioMode.KeepAspectRatio
            small = picture.scaled(THUMB_PX, THUMB_PX, mode)
            item.setIcon(QtGui.QIcon(QtGui.QPixmap.fromImage(small)))
        name, help_text = words.layer_name(job), f"{words.layer_name(job)}\n{words.state(job)}"
        if (item.text(), item.toolTip()) != (name, help_text):
            item.setText(name)
            item.setToolTip(help_text)

    def picture(self, job: Job, strokes: Strokes) -> None:
        """Show a drawing with a small picture of its strokes, as soon as that is painted."""
        under = getattr(job.snapshot, "background", None)
        scale = THUMB_PX / max(strokes.canvas)
        size = QtCore.QSize(*(max(1, round(side * scale)) for side in strokes.canvas))
        painting = Painting(self)
        painting.painted.connect(lambda _strokes, image: self.put(job, image))
        painting.painted.connect(painting.deleteLater)
        painting.show(strokes, paper(size, under))

    def drop(self, job: str) -> None:
        """Show a drawing no more."""
        item = self._item(job)
        if item is not None:
            self.takeItem(self.row(item))
            self.setVisible(self.count() > 0)

    def mark(self, job: str) -> None:
        """That one is shown now."""
        self.setCurrentItem(self._item(job))

    def _item(self, job: str) -> QtWidgets.QListWidgetItem | None:
        rows = (self.item(row) for row in range(self.count()))
        return next((item for item in rows if item.data(ID) == job), None)

    def _show_menu(self, place: QtCore.QPoint) -> None:
        item = self.itemAt(place)
        if item is None:
            return
        job, menu = item.data(ID), QtWidgets.QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, signal in (
            (_("Show"), self.chosen),
            (_("Apply"), self.applied),
            (_("Use its settings"), self.used),
            (_("Remove from the list"), self.removed),
        ):
            menu.addAction(text).triggered.connect(lambda _on=False, s=signal: s.emit(job))
        menu.popup(self.viewport().mapToGlobal(place))


def _blank() -> QtGui.QPixmap:
    pixmap = QtGui.QPixmap(THUMB_PX, THUMB_PX)
    pixmap.fill(QtGui.QColor("white"))  # paper
    return pixmap
