"""Below the picture: how the drawing stands, in words, and what can be done with it."""

from __future__ import annotations

from limner_front import words
from limner_front.i18n import _
from limner_front.jobs import Job
from limner_krita.chart import Chart
from limner_krita.qt import Qt, QtWidgets, Signal

BAR_PX = 6
NOTICES = 4


class Tray(QtWidgets.QWidget):
    """State, figures, curves, and the commands.

    Signals:
        commanded: "pause", "resume", "keep", "drop", "apply", "apply_picture".
    """

    commanded = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_paused = False
        self._bar = QtWidgets.QProgressBar(textVisible=False)
        self._bar.setObjectName("limner_progress")
        self._bar.setFixedHeight(BAR_PX)
        self._state = _label("limner_state")
        self._state.setStyleSheet("font-weight: bold")
        self._figures = _label("limner_figures")
        self._notices = _label("limner_notices")
        self._chart = Chart()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self._bar, self._state, self._figures, self._notices, self._chart):
            column.addWidget(widget)
        column.addLayout(self._commands())

    def render(self, job: Job | None, *, is_ready: bool, why_not_apply: str) -> None:
        """Show a drawing; `why_not_apply` says why it can't be put on the canvas now."""
        self._state.setText(words.state(job) if job else _("Empty paper"))
        self._figures.setText(words.figures(job, is_ready=is_ready) if job else "")
        self._show_notices(job)
        self._show_bar(job)
        self._chart.show_curves(job.losses if job and not job.stays else {})
        self._show_commands(job, is_ready, why_not_apply)

    # --- inside -----------------------------------------------------------------------------

    def _commands(self) -> QtWidgets.QGridLayout:
        self._pause = self._button("limner_pause", _("Pause"))
        self._pause.clicked.connect(
            lambda: self.commanded.emit("resume" if self._is_paused else "pause")
        )
        self._stop = self._button("limner_stop", _("Stop and keep"), "keep")
        self._cancel = self._button("limner_cancel", _("Cancel"), "drop")
        self._apply = self._button("limner_apply", _("Apply"), "apply")
        self._picture = self._button("limner_apply_picture", _("Apply as picture"), "apply_picture")
        grid = QtWidgets.QGridLayout()
        for place, button in enumerate((self._pause, self._stop, self._cancel)):
            grid.addWidget(button, 0, 2 * place, 1, 2)
        grid.addWidget(self._apply, 1, 0, 1, 3)
        grid.addWidget(self._picture, 1, 3, 1, 3)
        return grid

    def _button(self, name: str, text: str, command: str = "") -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(text)
        button.setObjectName(name)
        policy = QtWidgets.QSizePolicy.Policy
        button.setSizePolicy(policy.Ignored, policy.Fixed)  # a docker is narrow, words are long
        if command:
            button.clicked.connect(lambda: self.commanded.emit(command))
        return button

    def _show_notices(self, job: Job | None) -> None:
        lines = list(job.notices[-NOTICES:]) if job else []
        if job and job.failure:
            lines.append(job.failure)
        self._notices.setText("\n".join(lines))
        self._notices.setVisible(bool(lines))

    def _show_bar(self, job: Job | None) -> None:
        self._bar.setVisible(job is not None and not job.is_over)
        if job is not None:
            self._bar.setRange(0, job.total if job.is_live or job.step else 0)
            self._bar.setValue(job.step)
            self._bar.setToolTip(words.steps(job.step, job.total))

    def _show_commands(self, job: Job | None, is_ready: bool, why_not_apply: str) -> None:
        stays = job is not None and job.stays
        self._is_paused = job is not None and job.state == "paused" and not stays
        self._pause.setText(_("Go on") if self._is_paused else _("Pause"))
        self._stop.setText(_("Keep this picture") if stays else _("Stop and keep"))
        live = words.why_not_hold(job, is_ready=is_ready)
        hold = words.why_not_pause(job, is_ready=is_ready)
        drop = words.why_not_command(job, is_ready=is_ready)
        keep_help = _("Stop, and keep the drawing as it is")
        _open(self._pause, hold, _("Hold the drawing; it goes on later"))
        _open(self._stop, live, _of_picture() if stays else keep_help)
        _open(self._cancel, drop, _("Stop, and throw the drawing away"))
        _open(self._apply, words.why_not_keep(job) or why_not_apply, _apply_help(job))
        has_picture = bool(job and job.result and job.result.png)
        no_picture = "" if has_picture or not job or not job.is_kept else _("There is no picture.")
        picture_help = _("Put the drawing on the canvas as a new paint layer")
        for button in (self._apply, self._picture):
            button.setVisible(not stays)  # the picture and its sliders are to be seen together
        _open(self._picture, words.why_not_keep(job) or no_picture or why_not_apply, picture_help)


def _apply_help(job: Job | None) -> str:
    if job is not None and job.result is not None and not job.result.svg:
        return _of_picture()
    return _("Put the strokes on the canvas as a new vector layer")


def _of_picture() -> str:
    return _("Put the picture on the canvas as a new paint layer")


def _open(button: QtWidgets.QPushButton, why_not: str, help_text: str) -> None:
    """A button that is closed says why."""
    button.setEnabled(not why_not)
    button.setToolTip(why_not or help_text)


def _label(name: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(wordWrap=True)
    label.setObjectName(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
