"""Where a drawing's pictures come from: one choice for each role of the method.

The roles are the method's, so that a later method's role has its choice without a change here.
Paint layers of the document can be chosen by name; they are looked up when a list is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner_front import words
from limner_front.i18n import _
from limner_front.roles import open_roles
from limner_krita import pictures
from limner_krita.qt import QtWidgets, Signal
from limner_wire.errors import ErrorCode, LimnerError

MASK = "mask"  # the selection, by itself
PICTURE, OVER, INIT = "picture", "over", "init"
NOTHING, FILE, CLIPBOARD = "nothing", "file", "clipboard"
LAYER = "layer:"  # begins the source that is a named layer; its id follows
FROM_CANVAS = {
    PICTURE: ("projection", "layer"),
    OVER: ("projection", "layer"),
    INIT: ("strokes", "layer", "projection"),
}
FROM_CANVAS_ELSE = ("layer", "projection")
USUAL = {PICTURE: "projection"}  # if nothing was chosen; of all others, nothing
PICTURES = "*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.gif *.svg"


@dataclass(frozen=True)
class Given:
    """What was chosen, by where it comes from.

    Attributes:
        sources: role -> "projection", "layer", "strokes": to be read from the document.
        layers: role -> the id of a layer to be read, and its name.
        files: role -> the bytes, and their MIME type.
    """

    sources: dict[str, str] = field(default_factory=dict)
    layers: dict[str, tuple[str, str]] = field(default_factory=dict)
    files: dict[str, pictures.Encoded] = field(default_factory=dict)


class Choice(QtWidgets.QComboBox):
    """A list that can be brought up to date when it is opened.

    Signals:
        opening: it is about to be shown.
    """

    opening = Signal()

    def showPopup(self) -> None:  # Qt's name
        """Qt is about to show it."""
        self.opening.emit()
        super().showPopup()


class Inputs(QtWidgets.QWidget):
    """The choices.

    Args:
        layers: what tells the paint layers of the document in front: (id, name), the uppermost
            first.

    Attributes:
        needed: where the roles are that the method can't do without; it has its own place.

    Signals:
        edited: one has changed.
    """

    edited = Signal()

    def __init__(self, layers: Callable[[], Sequence[tuple[str, str]]] = tuple) -> None:
        super().__init__()
        self._look = layers
        self._layers: dict[str, str] = {}  # id -> name, no two the same
        self._gone: dict[str, str] = {}  # the same of those that were chosen, and are not there
        self.needed = QtWidgets.QWidget()
        self._forms = [QtWidgets.QFormLayout(place) for place in (self.needed, self)]
        for form in self._forms:
            form.setContentsMargins(0, 0, 0, 0)
        self._boxes: dict[str, Choice] = {}
        self._rows: dict[str, tuple[QtWidgets.QWidget, ...]] = {}
        self._chosen: dict[str, str] = {}  # role -> where from; kept for other methods too
        self._files: dict[str, Path] = {}
        self._needs: tuple[str, ...] = ()

    def build(self, roles: list[str], needs: list[str]) -> None:
        """Show the roles of a method; some it can't do without."""
        self._needs, self._boxes, self._rows = tuple(needs), {}, {}
        for form in self._forms:
            while form.rowCount():
                form.removeRow(0)
        for role in roles:
            row = self._mask_row() if role == MASK else self._box(role)
            row.setToolTip(words.role_help(role))
            form = self._forms[0 if role in needs else 1]
            form.addRow(words.role(role), row)
            self._rows[role] = form.labelForField(row), row
        self.needed.setVisible(bool(needs))
        self.refresh()
        self._show_open()

    @property
    def chosen(self) -> dict[str, str]:
        """Role -> where its picture comes from, to be remembered; files and layers are not."""
        kept = {r: c for r, c in self._chosen.items() if c not in (FILE, CLIPBOARD)}
        return {role: source for role, source in kept.items() if not source.startswith(LAYER)}

    @property
    def filled(self) -> list[str]:
        """The roles that have a picture, and a place for it."""
        return [role for role in self._open() if self._is_chosen(role)]

    def choose(self, role: str, source: str) -> None:
        """Take a role's picture from there from now on."""
        self._chosen[role] = source
        box = self._boxes.get(role)
        if box is not None:
            box.setCurrentIndex(max(0, box.findData(source)))
        self._show_open()
        self.edited.emit()

    def refresh(self) -> None:
        """Offer the layers that there are now."""
        found = _told_apart(self._look())
        chosen = {c.removeprefix(LAYER) for c in self._chosen.values() if c.startswith(LAYER)}
        known = {**self._gone, **self._layers}
        self._gone = {at: known[at] for at in chosen if at in known and at not in found}
        self._layers = found
        for role, box in self._boxes.items():
            self._fill(role, box)

    def enable(self, is_enabled: bool) -> None:
        """Open or close all of them."""
        for box in self._boxes.values():
            box.setEnabled(is_enabled)

    def problem(self) -> str:
        """What is missing, in words; nothing if nothing is."""
        missing = [role for role in self._needs if not self._is_chosen(role)]
        if not missing:
            return ""
        return _("Give it a picture first: “{role}”.", role=words.role(missing[0]))

    def given(self) -> Given:
        """What was chosen; files and the clipboard are read.

        Raises:
            LimnerError: UNREADABLE.
        """
        given = Given()
        for role in self.filled:
            choice = self._choice(role)
            if choice == FILE:
                given.files[role] = pictures.from_file(self._file(role), role)
            elif choice == CLIPBOARD:
                given.files[role] = pictures.from_clipboard()
            elif choice.startswith(LAYER):
                at = choice.removeprefix(LAYER)
                given.layers[role] = at, {**self._gone, **self._layers}.get(at, "")
            else:
                given.sources[role] = choice
        return given

    def take_file(self, role: str, path: Path) -> None:
        """Take a role's picture from a file."""
        self._files[role] = path
        box = self._boxes[role]
        at = box.findData(FILE)
        box.setItemText(at, _("File: {name}", name=path.name))
        self.choose(role, FILE)

    def _is_chosen(self, role: str) -> bool:
        return self._choice(role) != NOTHING

    def _choice(self, role: str) -> str:
        return self._chosen.get(role, USUAL.get(role, NOTHING))

    def _open(self) -> list[str]:
        """The roles that have a place."""
        return open_roles(self._rows, {role for role in self._rows if self._is_chosen(role)})

    def _show_open(self) -> None:
        shown = self._open()
        for role, row in self._rows.items():
            for widget in row:
                widget.setVisible(role in shown)

    def _file(self, role: str) -> Path:
        if role not in self._files:
            raise LimnerError(ErrorCode.UNREADABLE, _("No file is chosen."), words.role(role))
        return self._files[role]

    def _mask_row(self) -> QtWidgets.QWidget:
        return QtWidgets.QLabel(_("the selection, if there is one"))

    def _box(self, role: str) -> Choice:
        box = Choice()
        box.setObjectName(f"limner_input_{role}")
        box.setAccessibleName(words.role(role))
        box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        policy = QtWidgets.QSizePolicy.Policy
        box.setSizePolicy(policy.Expanding, policy.Fixed)  # however long a layer's name is
        box.activated.connect(lambda _at: self._activated(role, box))
        box.opening.connect(self.refresh)
        self._boxes[role] = box
        return box

    def _fill(self, role: str, box: Choice) -> None:
        """Put all that can be chosen into a list."""
        rows = {NOTHING: self._nothing_words(role)}
        rows |= {s: _source_words(s) for s in FROM_CANVAS.get(role, FROM_CANVAS_ELSE)}
        rows |= {LAYER + at: _("layer: {name}", name=n) for at, n in self._layers.items()}
        choice = self._choice(role)
        if choice.startswith(LAYER) and choice not in rows:
            name = self._gone.get(choice.removeprefix(LAYER), "")
            rows[choice] = _("layer: {name} (not in this document)", name=name)
        file = self._files.get(role)
        rows[FILE] = _("File: {name}", name=file.name) if file else _source_words(FILE)
        rows[CLIPBOARD] = _source_words(CLIPBOARD)
        if [*rows.items()] == [(box.itemData(at), box.itemText(at)) for at in range(box.count())]:
            return
        box.clear()
        for source, said in rows.items():
            box.addItem(said, source)
        box.setCurrentIndex(max(0, box.findData(choice)))

    def _nothing_words(self, role: str) -> str:
        if role in self._needs:
            return _("choose one: it is needed")
        return _("nothing: white paper") if role == OVER else _("nothing")

    def _activated(self, role: str, box: QtWidgets.QComboBox) -> None:
        if box.currentData() == FILE and not self._ask_for_file(role):
            self.choose(role, self._choice(role))
            return
        self.choose(role, box.currentData())

    def _ask_for_file(self, role: str) -> bool:
        name, _kind = QtWidgets.QFileDialog.getOpenFileName(
            self, words.role(role), "", f"{_('Pictures')} ({PICTURES})"
        )
        if name:
            self.take_file(role, Path(name))
        return bool(name)


def _told_apart(layers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Id -> name; of several with one name, all but the first have a number."""
    found: dict[str, str] = {}
    for at, name in layers:
        shown, number = name, 1
        while shown in found.values():
            number += 1
            shown = f"{name} ({number})"
        found[at] = shown
    return found


def _source_words(source: str) -> str:
    return {
        "projection": _("what the canvas shows"),
        "layer": _("the active layer, as a picture"),
        "strokes": _("the active vector layer’s strokes"),
        FILE: _("a file…"),
        CLIPBOARD: _("the clipboard"),
    }[source]
