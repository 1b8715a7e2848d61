"""A method's form, made from its JSON Schema, and its changes that a running drawing takes."""

from __future__ import annotations

import random
from collections.abc import Container
from typing import Any

from limner_front import words
from limner_front.i18n import _
from limner_krita.controls import Control, Spec, control_for
from limner_krita.qt import QtCore, QtWidgets, Signal

ELSEWHERE = ("prompt",)  # has its own place in the docker
SEEDS = 10_000  # a seed that one can say aloud
NOTE_MS = 4_000


class Field(QtWidgets.QWidget):
    """One setting: its name, its control, and what is to be said of it.

    Signals:
        settled: the artist has changed it for good: the field.
        edited: any change.
    """

    settled = Signal(object)
    edited = Signal()

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__()
        self.name, self.spec = name, spec
        self.is_adjustable = bool(spec.get("x-adjustable"))
        self.is_essential = bool(spec.get("x-essential"))
        self.role = str(spec.get("x-role", ""))  # of the picture that it belongs to
        self.has_place = True  # that picture is there
        self._recipe: Any = None
        self.control = control_for(spec, name)
        self.control.touched.connect(self._touched)
        self._label = QtWidgets.QLabel(words.label(name))
        self._note, self._problem = QtWidgets.QLabel(), QtWidgets.QLabel()
        self._note.setObjectName(f"limner_note_{name}")
        self._note.setWordWrap(True)
        self._problem.setWordWrap(True)
        self._problem.setObjectName(f"limner_problem_{name}")
        self._problem.setStyleSheet("color: #d9534f")
        self._reset = QtWidgets.QToolButton(text="↺", toolTip=_("Back to recommended"))
        self._reset.setAutoRaise(True)
        self._reset.clicked.connect(self._back)
        self._lay_out()
        self._silence = QtCore.QTimer(self, singleShot=True, interval=NOTE_MS)
        self._silence.timeout.connect(self._note.hide)
        self.recommend(None)

    def read(self) -> Any:
        """The value; None if untouched."""
        return self.control.read()

    def write(self, value: Any) -> None:
        """Show a value; None for untouched."""
        self.control.write(value)
        self._show_touched()

    def recommend(self, value: Any) -> None:
        """What the model's recipe takes, if it names this setting."""
        self._recipe = value
        self.control.suggest(self.usual())
        parts = [_(self.spec.get("description", ""))]
        if value is not None:
            parts.append(words.recommended(value))
        self.setToolTip(" · ".join(part for part in parts if part))

    def usual(self) -> Any:
        """What the backend takes while it is untouched."""
        return self.spec.get("default") if self._recipe is None else self._recipe

    def enable(self, is_enabled: bool) -> None:
        """Open it or close it."""
        self.control.setEnabled(is_enabled)
        self._reset.setEnabled(is_enabled)

    def check(self) -> str:
        """Say what is wrong, here; nothing if it is well."""
        problem = self.control.problem()
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        return problem

    def note(self, text: str) -> None:
        """Say something beside the name, for a while."""
        self._note.setText(text)
        self._note.show()
        self._silence.start()

    def append(self, widget: QtWidgets.QWidget) -> None:
        """Put something behind the control."""
        self.control.row.addWidget(widget)

    def _lay_out(self) -> None:
        policy = QtWidgets.QSizePolicy.Policy
        self._label.setSizePolicy(policy.Ignored, policy.Preferred)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._label, 2)
        row.addWidget(self.control, 3)
        row.addWidget(self._reset)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addLayout(row)
        column.addWidget(self._note)
        column.addWidget(self._problem)
        self._problem.hide()
        self._note.hide()
        self._show_touched()

    def _show_touched(self) -> None:
        self._reset.setVisible(self.read() is not None)

    def _touched(self, is_final: bool) -> None:
        self._show_touched()
        self.edited.emit()
        if is_final and not self.check():
            self.settled.emit(self)

    def _back(self) -> None:
        self.write(None)
        self._touched(True)


class Form(QtWidgets.QWidget):
    """The fields of one method, in two places: what is essential, and the rest.

    Signals:
        settled: a field has been changed for good.
        edited: any change.
    """

    settled = Signal(object)
    edited = Signal()

    def __init__(self, schema: dict[str, Any]) -> None:
        super().__init__()
        self.schema = schema
        rows = sorted(schema["properties"].items(), key=lambda row: row[1].get("x-order", 0))
        self.fields = {name: Field(name, spec) for name, spec in rows if name not in ELSEWHERE}
        self.rest = QtWidgets.QWidget()
        self.rest.setObjectName("limner_rest")
        self._more = QtWidgets.QToolButton(text=_("More settings"), checkable=True)
        self._more.setObjectName("limner_more")
        self._more.toggled.connect(self.rest.setVisible)
        column = _column(self)
        _fill(column, [f for f in self.fields.values() if f.is_essential])
        column.addWidget(self._more)
        column.addWidget(self.rest)
        _fill(_column(self.rest), [f for f in self.fields.values() if not f.is_essential])
        self.rest.hide()
        for field in self.fields.values():
            field.settled.connect(self.settled)
            field.edited.connect(self.edited)
        if "seed" in self.fields:
            self._add_dice(self.fields["seed"])

    @property
    def takes_words(self) -> bool:
        """Whether the method takes a prompt."""
        return "prompt" in self.schema["properties"]

    def follow(self, roles: Container[str]) -> None:
        """A setting of a picture is there where the picture is.

        Args:
            roles: those that have a picture.
        """
        for field in (f for f in self.fields.values() if f.role):
            field.has_place = field.role in roles
            field.setVisible(field.has_place)

    def values(self) -> dict[str, Any]:
        """What the artist has set; nothing of what was left alone, or is hidden."""
        rows = ((f.name, f.read()) for f in self.fields.values() if f.has_place)
        return {name: value for name, value in rows if value is not None}

    def write(self, values: dict[str, Any]) -> None:
        """Show these values; all others are untouched."""
        for name, field in self.fields.items():
            field.write(values.get(name))

    def recommend(self, recipe: dict[str, Any]) -> None:
        """Show what a model recommends."""
        for name, field in self.fields.items():
            field.recommend(recipe.get(name))

    def problem(self) -> str:
        """What is wrong, beside each field too; the first of it. Nothing if all is well."""
        shown = (f for f in self.fields.values() if f.has_place)
        wrong = [(f, said) for f in shown if (said := f.check())]
        if not wrong:
            return ""
        field, said = wrong[0]
        if not field.is_essential:
            self._more.setChecked(True)
        return f"{words.label(field.name)}: {said}"

    def attach(self, is_live: bool) -> None:
        """While a drawing runs, only what it can still take is open."""
        for field in self.fields.values():
            field.enable(not is_live or field.is_adjustable)

    def note(self, names: Any, text: str) -> None:
        """Say something beside fields, for a while."""
        for name in names:
            if name in self.fields:
                self.fields[name].note(text)

    def _add_dice(self, field: Field) -> None:
        dice = QtWidgets.QToolButton(text="⚄", toolTip=_("Another seed"))
        dice.setObjectName("limner_dice")
        dice.clicked.connect(lambda: (field.write(random.randrange(SEEDS)), self.edited.emit()))
        field.append(dice)


def _column(parent: QtWidgets.QWidget) -> QtWidgets.QVBoxLayout:
    column = QtWidgets.QVBoxLayout(parent)
    column.setContentsMargins(0, 0, 0, 0)
    return column


def _fill(column: QtWidgets.QVBoxLayout, fields: list[Field]) -> None:
    for field in fields:
        column.addWidget(field)


__all__ = ["Control", "Field", "Form"]
