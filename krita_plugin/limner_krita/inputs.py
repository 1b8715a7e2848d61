"""Where a drawing's pictures come from: one choice for each role of the method.

The roles are the method's, so that a later method's role has its choice without a change here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from limner_front import words
from limner_front.i18n import _
from limner_krita import pictures
from limner_krita.qt import QtWidgets, Signal
from limner_wire.errors import ErrorCode, LimnerError

MASK = "mask"  # the selection, by itself
OVER, INIT = "over", "init"
NOTHING, FILE, CLIPBOARD = "nothing", "file", "clipboard"
FROM_CANVAS = {
    OVER: ("projection", "layer"),
    INIT: ("strokes", "layer", "projection"),
}
FROM_CANVAS_ELSE = ("layer", "projection")
PICTURES = "*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.gif *.svg"


@dataclass(frozen=True)
class Given:
    """What was chosen, by where it comes from.

    Attributes:
        sources: role -> "projection", "layer", "strokes": to be read from the document.
        files: role -> the bytes, and their MIME type.
    """

    sources: dict[str, str] = field(default_factory=dict)
    files: dict[str, pictures.Encoded] = field(default_factory=dict)


class Inputs(QtWidgets.QWidget):
    """The choices.

    Signals:
        edited: one has changed.
    """

    edited = Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._form = QtWidgets.QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._boxes: dict[str, QtWidgets.QComboBox] = {}
        self._chosen: dict[str, str] = {}  # role -> where from; kept for other methods too
        self._files: dict[str, Path] = {}
        self._needs: tuple[str, ...] = ()

    def build(self, roles: list[str], needs: list[str]) -> None:
        """Show the roles of a method; some it can't do without."""
        self._needs, self._boxes = tuple(needs), {}
        while self._form.rowCount():
            self._form.removeRow(0)
        for role in roles:
            row = self._mask_row() if role == MASK else self._choice(role)
            row.setToolTip(words.role_help(role))
            self._form.addRow(words.role(role), row)

    @property
    def chosen(self) -> dict[str, str]:
        """Role -> where its picture comes from, to be remembered; files are not."""
        return {r: c for r, c in self._chosen.items() if c not in (FILE, CLIPBOARD)}

    def choose(self, role: str, source: str) -> None:
        """Take a role's picture from there from now on."""
        self._chosen[role] = source
        box = self._boxes.get(role)
        if box is not None:
            box.setCurrentIndex(max(0, box.findData(source)))

    def enable(self, is_enabled: bool) -> None:
        """Open or close all of them."""
        for box in self._boxes.values():
            box.setEnabled(is_enabled)

    def problem(self) -> str:
        """What is missing, in words; nothing if nothing is."""
        missing = [r for r in self._needs if self._chosen.get(r, NOTHING) == NOTHING]
        if not missing:
            return ""
        return _("Give it a picture first: “{role}”.", role=words.role(missing[0]))

    def given(self) -> Given:
        """What was chosen; files and the clipboard are read.

        Raises:
            LimnerError: UNREADABLE.
        """
        sources, files = {}, {}
        for role in self._boxes:
            choice = self._chosen.get(role, NOTHING)
            if choice == FILE:
                files[role] = pictures.from_file(self._file(role), role)
            elif choice == CLIPBOARD:
                files[role] = pictures.from_clipboard()
            elif choice != NOTHING:
                sources[role] = choice
        return Given(sources, files)

    def take_file(self, role: str, path: Path) -> None:
        """Take a role's picture from a file."""
        self._files[role] = path
        box = self._boxes[role]
        at = box.findData(FILE)
        box.setItemText(at, _("File: {name}", name=path.name))
        self.choose(role, FILE)
        self.edited.emit()

    def _file(self, role: str) -> Path:
        if role not in self._files:
            raise LimnerError(ErrorCode.UNREADABLE, _("No file is chosen."), words.role(role))
        return self._files[role]

    def _mask_row(self) -> QtWidgets.QWidget:
        return QtWidgets.QLabel(_("the selection, if there is one"))

    def _choice(self, role: str) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox()
        box.setObjectName(f"limner_input_{role}")
        box.setAccessibleName(words.role(role))
        for source in (NOTHING, *FROM_CANVAS.get(role, FROM_CANVAS_ELSE), FILE, CLIPBOARD):
            box.addItem(_source_words(source, role), source)
        self._boxes[role] = box
        if role in self._files:
            box.setItemText(box.findData(FILE), _("File: {name}", name=self._files[role].name))
        box.setCurrentIndex(max(0, box.findData(self._chosen.get(role, NOTHING))))
        box.activated.connect(lambda _at: self._activated(role, box))
        return box

    def _activated(self, role: str, box: QtWidgets.QComboBox) -> None:
        if box.currentData() == FILE and not self._ask_for_file(role):
            self.choose(role, self._chosen.get(role, NOTHING))
            return
        self._chosen[role] = box.currentData()
        self.edited.emit()

    def _ask_for_file(self, role: str) -> bool:
        name, _kind = QtWidgets.QFileDialog.getOpenFileName(
            self, words.role(role), "", f"{_('Pictures')} ({PICTURES})"
        )
        if name:
            self.take_file(role, Path(name))
        return bool(name)


def _source_words(source: str, role: str) -> str:
    if source == NOTHING:
        return _("nothing: white paper") if role == OVER else _("nothing")
    return {
        "projection": _("what the canvas shows"),
        "layer": _("the active layer, as a picture"),
        "strokes": _("the active vector layer’s strokes"),
        FILE: _("a file…"),
        CLIPBOARD: _("the clipboard"),
    }[source]
