"""The docker: puts its parts together, and says who tells whom."""

from __future__ import annotations

import time
from typing import Any

from limner_front import words
from limner_front.adjuster import GAP_S, STAYS_GAP_S, Adjuster
from limner_front.i18n import _
from limner_front.jobs import Job
from limner_front.link import Link
from limner_front.svg_strokes import strokes_of
from limner_krita.desk import Desk
from limner_krita.easel import Easel
from limner_krita.gallery import Gallery
from limner_krita.link import LinkBar
from limner_krita.on_canvas import OnCanvas
from limner_krita.preview import Preview
from limner_krita.qt import QtCore, QtGui, QtWidgets
from limner_krita.settings import Settings, save
from limner_krita.starter import Starter
from limner_krita.transport import Transport
from limner_krita.tray import Tray
from limner_wire.errors import LimnerError
from limner_wire.limits import PROMPT_CHARS
from limner_wire.session import Heard
from limner_wire.strokes import Strokes

RENDER_MS = 30  # however much is heard
ADJUST_MS = 25  # between two looks for changes of the running drawing's settings
LOOK_MS = 1_000  # Krita does not say when a document is opened, or another layer chosen
SAID_MS = 8_000
LEAST_PX = (220, 240)


class Panel(QtWidgets.QScrollArea):
    """All that is in the docker.

    Args:
        canvas: the module `document`, or what looks like it.
        krita: the version of Krita, for the diagnostics.
    """

    def __init__(
        self, transport: Transport, own: Starter, settings: Settings, canvas: Any, krita: str = ""
    ) -> None:
        super().__init__()
        self.setObjectName("limner_panel")
        self.transport, self.settings, self._canvas = transport, settings, canvas
        self._attached = ""  # the drawing that the form belongs to
        self._kept: set[str] = set()  # drawings that are to be applied when their results come
        self.link = LinkBar(transport, own, settings, krita)
        self.easel = Easel(transport, canvas, self)
        self.desk = Desk(settings, canvas.paint_layers)
        self.preview, self.tray, self.gallery = Preview(), Tray(), Gallery()
        self._on_canvas = OnCanvas(canvas, self)
        self._adjuster = Adjuster()
        self._make_timers()
        self._lay_out()
        self._connect()
        if transport.welcome is not None:
            self.desk.build(transport.welcome)
        self._render()

    # --- what the artist does ---------------------------------------------------------------

    @property
    def job(self) -> Job | None:
        """The drawing that is shown."""
        return self.easel.job

    def draw(self) -> None:
        """Begin a drawing; while the form belongs to a running one, free it for the next."""
        if self._is_attached():
            self._attached = ""
            self.prompt.lineEdit().selectAll()
            self.prompt.setFocus()
            self._render()
            return
        prompt = self.prompt.currentText().strip()
        if problem := self._why_not_draw() or self.desk.problem(prompt):
            self.say(problem)
            return
        try:
            self._begin(prompt)
        except LimnerError as problem:
            self.say(str(problem))

    def stop(self) -> None:
        """Stop the shown drawing, and keep it."""
        if self.job is not None and self.job.is_live:
            self._commanded("keep")

    def apply(self) -> None:
        """Put the shown drawing on the canvas; one that awaits that, once it is kept."""
        if self.job is not None and self.job.stays:
            self._commanded("keep")
        elif self.job is None or not self.job.is_kept:
            self.say(_("There is no drawing yet."))
        else:
            self.easel.apply(self.job)

    def say(self, text: str) -> None:
        """Something to read, for a while."""
        self._said.setText(text)
        self._said.show()
        self._silence.start()

    def canvas_changed(self) -> None:
        """Another document is at hand, or none."""
        self.desk.inputs.refresh()
        self._soon()

    def focusNextPrevChild(self, is_next: bool) -> bool:  # Qt's name
        """Qt moves the focus on: by a key, and the docker follows; or because what had it was
        closed, and the artist goes on looking at what they look at."""
        left, bar = self.focusWidget(), self.verticalScrollBar()
        at, is_open = bar.value(), left is None or (left.isEnabled() and left.isVisible())
        is_moved = bool(super().focusNextPrevChild(is_next))
        if not is_open:
            bar.setValue(at)
        return is_moved

    # --- drawing ----------------------------------------------------------------------------

    def _begin(self, prompt: str) -> None:
        given = self.desk.inputs.given()
        snapshot = self.easel.snapshot(given, self.settings.longest_px)
        roles = self.desk.method.get("inputs", [])
        inputs = {r: v for r, v in {**snapshot.inputs, **given.files}.items() if r in roles}
        request = self.desk.request(prompt, snapshot.canvas)
        self.settings.add_prompt(prompt if self.desk.takes_words else "")
        save(self.settings)
        self._show_prompts()
        job = self.easel.begin(request, snapshot, inputs)
        self._attached = job.id
        self._said.hide()  # it was about what came before
        self._adjuster.follow(request.params)
        self.gallery.put(job)
        self.gallery.mark(job.id)
        self._render()

    def _why_not_draw(self) -> str:
        if not self.transport.is_ready:
            return self.transport.problem or _("The backend is not connected.")
        return self.desk.why_not_ready or str(self._canvas.problem())

    def _is_attached(self) -> bool:
        return self.job is not None and not self.job.is_over and self.job.id == self._attached

    def _field_settled(self, field: Any) -> None:
        if self._is_attached() and field.is_adjustable:
            self._adjuster.take(field.name, field.read(), field.usual())

    def _prompt_settled(self) -> None:
        if self._is_attached() and (prompt := self.prompt.currentText().strip()):
            self._adjuster.take("prompt", prompt)

    def _prompt_entered(self) -> None:
        if not self._is_attached():
            self.draw()

    def _follow_form(self, is_attached: bool) -> None:
        """Look for changes while the form belongs to a running drawing, and only then."""
        if is_attached and not self._adjusting.isActive():
            self._adjusting.start()
        elif not is_attached:
            self._adjusting.stop()

    def _adjust(self, is_last: bool = False) -> None:
        """Send what has changed, when it is time; at once if nothing comes after it."""
        job = self.job
        if job is None or not self._is_attached():
            return
        gap_s = 0.0 if is_last else STAYS_GAP_S if job.stays else GAP_S
        changes = self._adjuster.due(time.monotonic(), gap_s)
        if not changes:
            return
        self.easel.adjust(job.id, changes)
        if self.desk.form is not None and not job.stays:
            self.desk.form.note(changes, _("sent…"))
        if "prompt" in changes:
            self.settings.add_prompt(changes["prompt"])
            self.say(_("Sent: “{prompt}”.", prompt=changes["prompt"]))

    def _adjusted(self) -> None:
        if self.job is None or self.job.confirmed is None or self.job.stays:
            return  # of one that stays, the picture says it
        step, changes = self.job.confirmed
        said = _("from step {step} on", step=step)
        if self.desk.form is not None:
            self.desk.form.note(changes, said)
        if "prompt" in changes:
            self.say(f"“{changes['prompt']}” {said}")

    # --- showing ----------------------------------------------------------------------------

    def _switched(self) -> None:
        self._on_canvas.remove()
        job = self.job
        if job is None:
            self.preview.begin((1, 1), None)
            return
        under = getattr(job.snapshot, "background", None)
        self.preview.begin(job.request.canvas, under)
        self.gallery.mark(job.id)
        self._show_newest(job)

    def _show_newest(self, job: Job) -> None:
        strokes = self._strokes(job)
        if strokes is not None:
            self.preview.show_strokes(strokes)
        elif job.result is not None and job.result.png:
            self.preview.show_picture(job.result.png)
        elif job.raster is not None:
            self.preview.show_picture(job.raster[0])

    def _strokes(self, job: Job) -> Strokes | None:
        if job.result is not None and not job.is_final:
            job.strokes, job.is_final = strokes_of(job.result.svg), True
        return job.strokes

    def _framed(self, heard: Heard) -> None:
        self.preview.offer(heard)

    def _painted(self, strokes: Strokes | None, picture: QtGui.QImage) -> None:
        job = self.job
        if job is None or job.is_over:
            return
        if strokes is None:
            self.gallery.put(job, picture)
        if self.settings.preview_on_canvas and job.is_live:
            self._on_canvas.show(job.snapshot, picture if strokes is None else strokes)

    def _ended(self, job: Job) -> None:
        if job is self.job:
            self._on_canvas.remove()
            self._show_newest(job)
        self.gallery.put(job)
        strokes = self._strokes(job)
        if strokes is not None:
            self.gallery.picture(job, strokes)
        elif data := job.result.png if job.result is not None else (job.raster or (b"",))[0]:
            self.gallery.put(job, QtGui.QImage.fromData(data))
        if job.id in self._kept:
            self._kept.discard(job.id)
            self.easel.apply(job)

    # --- earlier drawings -------------------------------------------------------------------

    def _use(self, job: str) -> None:
        found = self.easel.history.get(job)
        if found is not None:
            self._restore(found.about())

    def _choose(self, job: str) -> None:
        """Show a drawing; the form belongs to it again if it waits for changes."""
        self.easel.show(job)
        found = self.job
        if found is None or not found.stays or self._is_attached():
            return
        if self._restore(found.about()):
            self._attached = found.id
            self._adjuster.follow(found.request.params)
            self._render()

    def _continue_layer(self) -> None:
        """Take up the active layer again: its settings, and its strokes to begin from."""
        try:
            about = self._canvas.settings_of_active_layer()
        except LimnerError as problem:
            self.say(str(problem))
            return
        if about is None:
            self.say(_("The active layer was not drawn by Limner. Choose a layer that was."))
        elif self._restore(about):
            self.desk.inputs.choose("init", "strokes")
            self.say(_("Press Draw to go on from the strokes of the active layer."))

    def _restore(self, about: dict[str, Any]) -> bool:
        try:
            prompt = self.desk.restore(about)
        except KeyError:
            self.say(_("The backend does not know this drawing’s method."))
            return False
        self._attached = ""
        if prompt:
            self.prompt.setEditText(prompt)
        self._render()
        return True

    def _fill_remembered(self) -> None:
        menu = self._remembered.menu()
        menu.clear()
        act = menu.addAction(_("Go on from the active layer"), self._continue_layer)
        act.setObjectName("limner_continue")
        menu.addSection(_("Drawings in this document"))
        try:
            rows = self._canvas.remembered()
        except LimnerError:
            rows = []
        for about in rows:
            action = menu.addAction(words.described(about))
            action.triggered.connect(lambda _on=False, a=about: self._restore(a))
        if not rows:
            menu.addAction(_("none yet")).setEnabled(False)

    # --- rendering --------------------------------------------------------------------------

    def _look(self) -> None:
        if self.isVisible():
            self._soon()

    def _soon(self) -> None:
        if not self._rendering.isActive():
            self._rendering.start()

    def _render(self) -> None:
        job, is_ready = self.job, self.transport.is_ready
        is_attached = self._is_attached()
        why = self.easel.why_not() if job is not None and job.is_kept else ""
        self.tray.render(job, is_ready=is_ready, why_not_apply=why)
        self.desk.attach(is_attached)
        self.draw_button.setText(_("New drawing") if is_attached else _("Draw"))
        why_not = "" if is_attached else self._why_not_draw()
        self.draw_button.setEnabled(not why_not)
        free = _("Leave this drawing to itself, and set up another") if is_attached else ""
        self.draw_button.setToolTip(why_not or free)
        self.prompt.setVisible(self.desk.takes_words)
        self._adjuster.is_open = is_ready and job is not None and job.state != "sending"
        self._follow_form(is_attached)
        if job is not None and not job.is_over:
            self.gallery.put(job)
        is_tuned = is_attached and job is not None and job.stays
        self.gallery.setVisible(self.gallery.count() > 0 and not is_tuned)  # room for its sliders

    def _phase_changed(self) -> None:
        welcome = self.transport.welcome
        if self.transport.link is Link.READY and welcome is not None:
            self.desk.build(welcome)
        self._soon()

    def _show_prompts(self) -> None:
        text = self.prompt.currentText()
        self.prompt.clear()
        self.prompt.addItems(self.settings.prompts)
        self.prompt.setEditText(text)

    # --- putting it together ----------------------------------------------------------------

    def _make_timers(self) -> None:
        self._rendering = QtCore.QTimer(self, singleShot=True, interval=RENDER_MS)
        self._rendering.timeout.connect(self._render)
        self._looking = QtCore.QTimer(self, interval=LOOK_MS)
        self._looking.timeout.connect(self._look)
        self._looking.start()
        self._silence = QtCore.QTimer(self, singleShot=True, interval=SAID_MS)
        self._adjusting = QtCore.QTimer(self, interval=ADJUST_MS)
        self._adjusting.timeout.connect(self._adjust)

    def _lay_out(self) -> None:
        self.prompt = QtWidgets.QComboBox(editable=True)
        self.prompt.setObjectName("limner_prompt")
        self.prompt.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self.prompt.setCompleter(None)
        self.prompt.lineEdit().setMaxLength(PROMPT_CHARS)
        self.prompt.lineEdit().setPlaceholderText(_("What to draw"))
        self.prompt.setAccessibleName(_("What to draw"))
        policy = QtWidgets.QSizePolicy.Policy
        self.prompt.setSizePolicy(policy.Ignored, policy.Fixed)
        self.prompt.addItems(self.settings.prompts)
        self.prompt.setCurrentIndex(-1)
        self.draw_button = QtWidgets.QPushButton(_("Draw"))
        self.draw_button.setObjectName("limner_draw")
        self._remembered = QtWidgets.QToolButton(text="⋯", toolTip=_("Earlier drawings"))
        self._remembered.setObjectName("limner_remembered")
        mode = QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup
        self._remembered.setPopupMode(mode)
        self._remembered.setMenu(QtWidgets.QMenu(self._remembered))
        self._said = QtWidgets.QLabel(wordWrap=True)
        self._said.setObjectName("limner_said")
        self._said.hide()
        ask = QtWidgets.QHBoxLayout()
        ask.addWidget(self.prompt, 1)
        ask.addWidget(self.draw_button)
        ask.addWidget(self._remembered)
        inside = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(inside)
        column.addWidget(self.link)
        column.addWidget(self.desk.chooser)
        column.addLayout(ask)
        for widget in (self.desk.inputs.needed, self.desk.missing):
            column.addWidget(widget)
        for widget in (self._said, self.preview, self.tray, self.gallery, self.desk):
            column.addWidget(widget)
        column.addStretch(1)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumSize(*LEAST_PX)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)

    def _connect(self) -> None:
        self.draw_button.clicked.connect(lambda: self.draw())
        self.prompt.lineEdit().returnPressed.connect(self._prompt_entered)
        self.prompt.lineEdit().editingFinished.connect(self._prompt_settled)
        self.prompt.activated.connect(lambda _at: self._prompt_settled())
        self._remembered.menu().aboutToShow.connect(self._fill_remembered)
        self._silence.timeout.connect(self._said.hide)
        self.transport.phaseChanged.connect(self._phase_changed)
        self.desk.settled.connect(self._field_settled)
        self.desk.edited.connect(self._soon)
        self.desk.chosen.connect(self._soon)
        self.preview.shown.connect(self.transport.shown)
        self.preview.painted.connect(self._painted)
        self._on_canvas.failed.connect(self.say)
        for signal, slot in (
            (self.easel.changed, self._soon), (self.easel.framed, self._framed),
            (self.easel.switched, self._switched), (self.easel.ended, self._ended),
            (self.easel.adjusted, self._adjusted), (self.easel.said, self.say),
            (self.easel.gone, self.gallery.drop), (self.gallery.chosen, self._choose),
            (self.gallery.used, self._use), (self.gallery.removed, self.easel.remove),
            (self.gallery.applied, self._apply_job), (self.tray.commanded, self._commanded),
        ):  # fmt: skip
            signal.connect(slot)

    def _commanded(self, name: str) -> None:
        if name == "apply":
            self.apply()
        elif name == "apply_picture" and self.job is not None:
            self.easel.apply(self.job, as_picture=True)
        else:
            if name == "keep":
                self._adjust(is_last=True)
            if name == "keep" and self.job is not None and self.job.stays:
                self._kept.add(self.job.id)  # it is all that is left to do with it
            self.easel.command(name)

    def _apply_job(self, job: str) -> None:
        self.easel.show(job)
        self.apply()
