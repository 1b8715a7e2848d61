"""The kinds of control that a setting can have, each able to say “untouched”.

A control that nobody touched has no value: the backend then takes what the model recommends, which
the control shows in grey.
"""

from __future__ import annotations

import math
from typing import Any

from limner_front import words
from limner_front.i18n import _
from limner_krita.qt import Qt, QtGui, QtWidgets, Signal
from limner_wire.limits import INT_MAX

SLIDER_STEPS = 200
MIDDLE = 0.4  # where on a slider the default lies, if its range is long
Spec = dict[str, Any]


class Control(QtWidgets.QWidget):
    """One setting's control.

    Signals:
        touched: the artist has changed it; true when the change is final.
    """

    touched = Signal(bool)

    def __init__(self, spec: Spec, name: str) -> None:
        super().__init__()
        self.spec, self.name = spec, name
        self.row = QtWidgets.QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)

    def read(self) -> Any:
        """The value; None if untouched."""
        raise NotImplementedError

    def write(self, value: Any) -> None:
        """Show a value; None for untouched."""
        raise NotImplementedError

    def suggest(self, value: Any) -> None:
        """What is taken while it is untouched."""

    def problem(self) -> str:
        """What is wrong with the value, in words; nothing if it is well."""
        return ""

    def _named(self, widget: QtWidgets.QWidget, suffix: str = "") -> Any:
        widget.setObjectName(f"limner_form_{self.name}{suffix}")
        widget.setAccessibleName(words.label(self.name))
        return widget


class Number(Control):
    """A line for a number; a slider too, if it may change while it draws."""

    def __init__(self, spec: Spec, name: str) -> None:
        super().__init__(spec, name)
        self._is_whole = spec["type"] == "integer"
        self._low, self._high = spec.get("minimum"), spec.get("maximum")
        self._usual: Any = spec.get("default")
        self._line = self._named(QtWidgets.QLineEdit())
        self._line.textEdited.connect(lambda: self._edited(is_final=False))
        self._line.editingFinished.connect(lambda: self._edited(is_final=True))
        self._slider: QtWidgets.QSlider | None = None
        if spec.get("x-adjustable") and None not in (self._low, self._high):
            self._slider = self._named(QtWidgets.QSlider(Qt.Orientation.Horizontal), "_slider")
            self._slider.setRange(0, SLIDER_STEPS)
            self._slider.sliderMoved.connect(self._slid)
            self.row.addWidget(self._slider, 2)
        self.row.addWidget(self._line, 1)
        if unit := spec.get("x-unit"):
            self.row.addWidget(QtWidgets.QLabel(unit))

    def read(self) -> Any:
        text = self._line.text().strip().replace(",", ".")
        if not text:
            return None
        try:
            return int(text) if self._is_whole else float(text)
        except ValueError:
            return text

    def write(self, value: Any) -> None:
        self._line.setText("" if value is None else _said(value))
        self._follow()

    def suggest(self, value: Any) -> None:
        self._usual = value
        self._line.setPlaceholderText("" if value is None else _said(value))
        self._follow()

    def problem(self) -> str:
        value = self.read()
        if value is None:
            return ""
        if isinstance(value, str):
            return _("A whole number.") if self._is_whole else _("A number.")
        low = -INT_MAX if self._low is None else self._low
        high = INT_MAX if self._high is None else self._high
        if low <= value <= high:
            return ""
        if high >= INT_MAX:
            return _("At least {low}.", low=_said(low))
        return _("A number from {low} to {high}.", low=_said(low), high=_said(high))

    def _edited(self, *, is_final: bool) -> None:
        self._follow()
        self.touched.emit(is_final)

    # --- the slider: a long range is bent, so that its default lies near the middle -------------

    def _bend(self) -> float:
        share = ((self._usual or 0) - self._low) / ((self._high - self._low) or 1)
        return math.log(share) / math.log(MIDDLE) if 0 < share < MIDDLE / 2 else 1.0

    def _slid(self, at: int) -> None:
        exact = self._low + (self._high - self._low) * (at / SLIDER_STEPS) ** self._bend()
        value = round(exact) if self._is_whole else float(f"{exact:.2g}")
        self._line.setText(_said(value))
        self.touched.emit(True)

    def _follow(self) -> None:
        value = self.read() if self.read() is not None else self._usual
        if self._slider is None or not isinstance(value, int | float):
            return
        share = max(0.0, (value - self._low) / ((self._high - self._low) or 1))
        self._slider.setValue(round(SLIDER_STEPS * min(1.0, share) ** (1 / self._bend())))


class Text(Control):
    """A line of text; where it may be one of some names, these are offered."""

    def __init__(self, spec: Spec, name: str) -> None:
        super().__init__(spec, name)
        self._line = self._named(QtWidgets.QLineEdit())
        shown = self._among(spec["examples"]) if spec.get("examples") else self._line
        self._line.setMaxLength(spec.get("maxLength", 2_000))
        self._line.textEdited.connect(lambda: self.touched.emit(False))
        self._line.editingFinished.connect(lambda: self.touched.emit(True))
        self.row.addWidget(shown)

    def _among(self, names: list[str]) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox()
        box.setEditable(True)
        box.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        box.addItems(names)
        box.setLineEdit(self._line)
        box.completer().setCompletionMode(QtWidgets.QCompleter.CompletionMode.PopupCompletion)
        box.setCurrentIndex(-1)
        box.activated.connect(lambda _at: self.touched.emit(True))
        return box

    def read(self) -> Any:
        return self._line.text().strip() or None

    def write(self, value: Any) -> None:
        self._line.setText(value or "")

    def suggest(self, value: Any) -> None:
        self._line.setPlaceholderText(value or "")


class OneOf(Control):
    """One of a few words."""

    def __init__(self, spec: Spec, name: str) -> None:
        super().__init__(spec, name)
        self._box = self._named(QtWidgets.QComboBox())
        self._box.addItem("", None)
        for value in spec["enum"]:
            self._box.addItem(words.label(str(value)), value)
        self._box.activated.connect(lambda _at: self.touched.emit(True))
        self.row.addWidget(self._box)

    def read(self) -> Any:
        return self._box.currentData()

    def write(self, value: Any) -> None:
        self._box.setCurrentIndex(max(0, self._box.findData(value)))

    def suggest(self, value: Any) -> None:
        said = words.recommended(words.label(str(value))) if value else _("recommended")
        self._box.setItemText(0, said)


class OnOff(Control):
    """Yes or no; it shows what is recommended until it is clicked."""

    def __init__(self, spec: Spec, name: str) -> None:
        super().__init__(spec, name)
        self._value: bool | None = None
        self._usual = bool(spec.get("default"))
        self._box = self._named(QtWidgets.QCheckBox())
        self._box.setChecked(self._usual)
        self._box.clicked.connect(self._clicked)
        self.row.addWidget(self._box)

    def read(self) -> Any:
        return self._value

    def write(self, value: Any) -> None:
        self._value = None if value is None else bool(value)
        self._show()

    def suggest(self, value: Any) -> None:
        self._usual = bool(value)
        self._show()

    def _show(self) -> None:
        self._box.setChecked(self._usual if self._value is None else self._value)

    def _clicked(self, is_on: bool) -> None:
        self._value = is_on
        self.touched.emit(True)


class ManyOf(Control):
    """Any of a few words."""

    def __init__(self, spec: Spec, name: str) -> None:
        super().__init__(spec, name)
        self._boxes: dict[str, QtWidgets.QCheckBox] = {}
        for value in spec["items"]["enum"]:
            box = self._named(QtWidgets.QCheckBox(words.label(value)), f"_{value}")
            box.setAccessibleName(words.label(value))
            box.clicked.connect(lambda _on: self.touched.emit(True))
            self._boxes[value] = box
            self.row.addWidget(box)
        self.row.addStretch(1)

    def read(self) -> Any:
        return [value for value, box in self._boxes.items() if box.isChecked()] or None

    def write(self, value: Any) -> None:
        for name, box in self._boxes.items():
            box.setChecked(name in (value or ()))


class Rows(Control):
    """A list of texts, numbers or colours, one a row."""

    def __init__(self, spec: Spec, name: str) -> None:
        super().__init__(spec, name)
        items = spec["items"]
        self._is_colour = items.get("format") == "color"
        self._is_number = items.get("type") in ("number", "integer")
        self._lines: list[QtWidgets.QLineEdit] = []
        self._column = QtWidgets.QVBoxLayout()
        self._add = self._named(QtWidgets.QPushButton(_("Add")), "_add")
        self._add.clicked.connect(lambda: self._added("").setFocus())
        self._column.addWidget(self._add, 0, Qt.AlignmentFlag.AlignLeft)
        self.row.addLayout(self._column)

    def read(self) -> Any:
        texts = [text for line in self._lines if (text := line.text().strip())]
        return [self._value(text) for text in texts] or None

    def write(self, value: Any) -> None:
        for line in list(self._lines):
            self._remove(line)
        for entry in value or ():
            self._added(str(entry))

    def problem(self) -> str:
        values = self.read() or []
        if self._is_number and any(isinstance(value, str) for value in values):
            return _("A number.")
        if self._is_colour and not all(QtGui.QColor(value).isValid() for value in values):
            return _("A colour is written #rrggbb.")
        return ""

    def _value(self, text: str) -> Any:
        if not self._is_number:
            return text
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return text

    def _added(self, text: str) -> QtWidgets.QLineEdit:
        line = self._named(QtWidgets.QLineEdit(text), f"_{len(self._lines)}")
        line.textEdited.connect(lambda: self.touched.emit(False))
        line.editingFinished.connect(lambda: self.touched.emit(True))
        row = QtWidgets.QWidget()
        across = QtWidgets.QHBoxLayout(row)
        across.setContentsMargins(0, 0, 0, 0)
        across.addWidget(line, 1)
        if self._is_colour:
            across.addWidget(self._swatch(line))
        remove = QtWidgets.QToolButton(text="×", toolTip=_("Remove"))
        remove.setAccessibleName(_("Remove"))
        remove.clicked.connect(lambda: (self._remove(line), self.touched.emit(True)))
        across.addWidget(remove)
        self._lines.append(line)
        self._column.insertWidget(self._column.count() - 1, row)
        self._add.setVisible(len(self._lines) < self.spec.get("maxItems", 64))
        return line

    def _remove(self, line: QtWidgets.QLineEdit) -> None:
        self._lines.remove(line)
        row = line.parentWidget()
        row.setParent(None)
        row.deleteLater()
        self._add.show()

    def _swatch(self, line: QtWidgets.QLineEdit) -> QtWidgets.QToolButton:
        button = QtWidgets.QToolButton(text="■", toolTip=_("Choose a colour"))

        def show() -> None:
            button.setStyleSheet(f"color: {line.text() or '#000000'}")

        def choose() -> None:
            colour = QtWidgets.QColorDialog.getColor(QtGui.QColor(line.text()), self)
            if colour.isValid():
                line.setText(colour.name())
                self.touched.emit(True)

        line.textChanged.connect(show)
        button.clicked.connect(choose)
        show()
        return button


def control_for(spec: Spec, name: str) -> Control:
    """The control that fits a property of a JSON Schema."""
    if spec.get("type") == "array":
        return ManyOf(spec, name) if "enum" in spec["items"] else Rows(spec, name)
    if "enum" in spec:
        return OneOf(spec, name)
    if spec.get("type") == "boolean":
        return OnOff(spec, name)
    return Text(spec, name) if spec.get("type") == "string" else Number(spec, name)


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
