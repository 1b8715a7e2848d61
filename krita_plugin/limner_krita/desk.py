"""What the artist sets before a drawing begins: the method, its form, the pictures, the size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from limner_front import words
from limner_front.i18n import _
from limner_front.jobs import Request
from limner_krita.forms import Form
from limner_krita.inputs import PICTURE, Inputs
from limner_krita.qt import Qt, QtCore, QtWidgets, Signal
from limner_krita.settings import Settings, save
from limner_wire import limits, messages

LONGEST_MIN_PX, LONGEST_MAX_PX = 64, 1024
SAVE_MS = 500  # after the last change
TIP = Qt.ItemDataRole.ToolTipRole
MOST_METHODS = 24  # of the open list, without scrolling


class Desk(QtWidgets.QWidget):
    """The settings of the next drawing; while one runs, those of it that may still change.

    Args:
        layers: what tells the paint layers of the document in front (`Inputs`).

    Attributes:
        chooser: the methods, those of a family together; it has its own place.
        missing: says what the method lacks on the backend's machine; it has its own place.

    Signals:
        settled: a field has been changed for good.
        edited: anything has changed.
        chosen: another method is shown.
    """

    settled = Signal(object)
    edited = Signal()
    chosen = Signal()

    def __init__(self, settings: Settings, layers: Callable[[], Sequence[tuple[str, str]]]) -> None:
        super().__init__()
        self.settings = settings
        self.chooser = QtWidgets.QComboBox()
        self.chooser.setObjectName("limner_methods")
        self.chooser.setMaxVisibleItems(MOST_METHODS)
        self.chooser.currentIndexChanged.connect(self._method_chosen)
        self.methods: dict[str, dict[str, Any]] = {}
        self.form: Form | None = None
        self._models: tuple[dict[str, Any], ...] = ()
        self._built: Any = None
        self._attached: tuple[bool, Form | None] = (False, None)
        self._saving = QtCore.QTimer(self, singleShot=True, interval=SAVE_MS)
        self._saving.timeout.connect(self._save)
        self.inputs = Inputs(layers)
        for role, source in settings.sources.items():
            self.inputs.choose(role, source)
        self.inputs.edited.connect(self._edited)
        self.missing = QtWidgets.QLabel(wordWrap=True)
        self.missing.setObjectName("limner_missing")
        self.missing.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.missing.hide()
        self._about = QtWidgets.QLabel(wordWrap=True)
        self._place = QtWidgets.QVBoxLayout()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._about)
        column.addWidget(self.inputs)
        column.addLayout(self._place)
        column.addLayout(self._frame())

    # --- what there is ----------------------------------------------------------------------

    def build(self, welcome: messages.Welcome) -> None:
        """Make the forms of what the backend offers; those that are the same stay as they are."""
        offered = (welcome.methods, welcome.models)
        if offered == self._built or not welcome.methods:
            return
        self._built, self._models = offered, welcome.models
        self.methods = {str(method["name"]): method for method in welcome.methods}
        self._build_models()
        self._build_chooser()
        last = self.settings.method
        self.choose(last if last in self.methods else next(iter(self.methods)))

    @property
    def method(self) -> dict[str, Any]:
        """What the backend says of the method that is shown; empty before it is heard."""
        return self.methods.get(self.settings.method, {})

    @property
    def why_not_ready(self) -> str:
        """What the method lacks on the backend's machine, in words; nothing if nothing."""
        return _(str(self.method.get("ready", "")))

    @property
    def takes_words(self) -> bool:
        """Whether the method takes a prompt."""
        return self.form is None or self.form.takes_words

    def choose(self, name: str) -> None:
        """Show a method's form, as it was left."""
        self.settings.method = name
        method = self.method
        self.chooser.blockSignals(True)
        self.chooser.setCurrentIndex(self.chooser.findData(name))
        self.chooser.blockSignals(False)
        self._about.setText(_(method.get("about", "")))
        self.missing.setText(self.why_not_ready)
        self.missing.setVisible(bool(self.why_not_ready))
        if self.form is not None:
            self.form.hide()  # else it becomes a window, where it was not shown yet
            self.form.setParent(None)  # at once: it is not to be found any more
            self.form.deleteLater()
        self.form = Form(method["schema"])
        self.form.setObjectName("limner_form")
        self.form.write(self.settings.forms.get(name, {}))
        self.form.settled.connect(self.settled)
        self.form.edited.connect(self._edited)
        self._place.addWidget(self.form)
        self.inputs.build(method.get("inputs", []), method.get("needs", []))
        self.form.follow(self.inputs.filled)
        self._longest.setToolTip(_size_help(method))
        self._recommend()
        self.chosen.emit()

    # --- the next drawing -------------------------------------------------------------------

    def problem(self, prompt: str) -> str:
        """Why nothing can be drawn with what is set, in words; nothing if it can."""
        if self.form is None:
            return _("The backend has not said yet what it can draw.")
        if self.form.takes_words and not prompt:
            return _("Say what to draw.")
        if self.method.get("models") and not self._models:
            return _("There is no model on this machine. Fetch one: limner models list")
        return self.form.problem() or self.inputs.problem()

    def request(self, prompt: str, canvas: tuple[int, int]) -> Request:
        """What is asked for, with what the artist has set and nothing else."""
        form = self.form
        values = form.values() if form is not None else {}
        if self.takes_words:
            values = {"prompt": prompt, **values}
        return Request(self.settings.method, values, canvas, self._chosen_models())

    def restore(self, about: dict[str, Any]) -> str:
        """Show a drawing's settings; its prompt. Nothing else of it.

        Args:
            about: `Job.about()`, or what a backend wrote into an SVG.

        Raises:
            KeyError: if its method is not here.
        """
        settings = about.get("settings")
        settings = settings if isinstance(settings, dict) else {}
        method = about.get("method") or settings.get("method")
        if method not in self.methods:
            raise KeyError(method)
        params = about.get("params")
        values = params if isinstance(params, dict) else settings
        self.choose(str(method))
        rows = self.method["schema"]["properties"]
        if self.form is not None:
            self.form.write({name: v for name, v in values.items() if name in rows})
        models = about.get("models") or ()
        self._model.setCurrentIndex(max(0, self._model.findData(next(iter(models), ""))))
        self._edited()
        return str(values.get("prompt") or about.get("prompt") or "")

    def attach(self, is_live: bool) -> None:
        """While a drawing runs, only what it can still take is open."""
        if (is_live, self.form) == self._attached:
            return
        self._attached = (is_live, self.form)
        if self.form is not None:
            self.form.attach(is_live)
        self.inputs.enable(not is_live)
        self._about.setVisible(not is_live)
        for widget in (self._longest, self._model, self.chooser):
            widget.setEnabled(not is_live)

    # --- inside -----------------------------------------------------------------------------

    def _frame(self) -> QtWidgets.QFormLayout:
        self._longest = QtWidgets.QSpinBox(suffix=" px", singleStep=32)
        self._longest.setObjectName("limner_longest")
        self._longest.setRange(LONGEST_MIN_PX, LONGEST_MAX_PX)
        self._longest.setValue(self.settings.longest_px)
        self._longest.valueChanged.connect(self._longest_changed)
        self._on_canvas = QtWidgets.QCheckBox(_("Also show it on the canvas while it forms"))
        self._on_canvas.setObjectName("limner_on_canvas")
        self._on_canvas.setChecked(self.settings.preview_on_canvas)
        self._on_canvas.setToolTip(
            _("On a locked layer, which goes away at the end; it leaves traces in the undo history")
        )
        self._on_canvas.clicked.connect(self._on_canvas_clicked)
        self._model = QtWidgets.QComboBox()
        self._model.setObjectName("limner_model")
        self._model.activated.connect(self._model_chosen)
        self._model_label = QtWidgets.QLabel(_("Model"))
        form = QtWidgets.QFormLayout()
        form.addRow(_("Longest side"), self._longest)
        form.addRow(self._model_label, self._model)
        form.addRow(self._on_canvas)
        return form

    def _build_models(self) -> None:
        names = [str(model["name"]) for model in self._models]
        self._model.clear()
        best = _("Best here: {name}", name=names[0]) if names else _("Best here")
        self._model.addItem(best, "")
        for model in self._models:
            self._model.addItem(str(model["name"]), str(model["name"]))
            self._model.setItemData(self._model.count() - 1, model.get("note", ""), TIP)
        self._model.setCurrentIndex(max(0, self._model.findData(self.settings.model)))

    def _chosen_models(self) -> tuple[str, ...]:
        name = self._model.currentData()
        return (str(name),) if name and self.method.get("models") else ()

    def _recommend(self) -> None:
        """Show the chosen model's recipe, in the form of a method that takes one."""
        has_models = bool(self.method.get("models"))
        self._model.setVisible(has_models)
        self._model_label.setVisible(has_models)
        chosen = self._model.currentData()
        model = next((m for m in self._models if m["name"] == chosen), None)
        if model is None and self._models:
            model = self._models[0]
        recipe = model.get("recipe", {}) if model and has_models else {}
        if self.form is not None:
            self.form.recommend(recipe)

    def _build_chooser(self) -> None:
        """All methods, with a line between two families; what each does is its tool tip."""
        self.chooser.blockSignals(True)
        self.chooser.clear()
        before = None
        for name, method in self.methods.items():
            if before not in (None, method.get("family")):
                self.chooser.insertSeparator(self.chooser.count())
            before = method.get("family")
            self.chooser.addItem(_(method.get("title", words.label(name))), name)
            about = _(method.get("about", ""))
            self.chooser.setItemData(self.chooser.count() - 1, about, TIP)
        self.chooser.blockSignals(False)

    def _method_chosen(self, at: int) -> None:
        if (name := self.chooser.itemData(at)) in self.methods:
            self.choose(name)
            self._edited()

    def _model_chosen(self, _at: int) -> None:
        self.settings.model = self._model.currentData() or ""
        self._recommend()
        self._edited()

    def _longest_changed(self, value: int) -> None:
        self.settings.longest_px = min(max(value, limits.CANVAS_MIN_PX), limits.CANVAS_MAX_PX)
        self._edited()

    def _on_canvas_clicked(self, is_on: bool) -> None:
        self.settings.preview_on_canvas = is_on
        self._edited()

    def _save(self) -> None:
        save(self.settings)

    def _edited(self) -> None:
        if self.form is not None:
            self.form.follow(self.inputs.filled)
            self.settings.forms[self.settings.method] = self.form.values()
        self.settings.sources = self.inputs.chosen
        self._saving.start()
        self.edited.emit()


def _size_help(method: dict[str, Any]) -> str:
    if PICTURE in method.get("inputs", []):
        return _("How many pixels of it are edited; the result is scaled to its place")
    return _("How large the picture is that the strokes are judged by; they are sharp at any size")
