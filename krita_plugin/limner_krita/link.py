"""How things stand with the backend: a line at the top of the docker, and help when it matters."""

from __future__ import annotations

from pathlib import Path

from limner_front import program
from limner_front.i18n import _
from limner_front.link import Link, link_words, starting_words
from limner_krita.qt import Qt, QtCore, QtGui, QtWidgets
from limner_krita.settings import Settings, save
from limner_krita.starter import Starter
from limner_krita.transport import Transport
from limner_krita.version import VERSION

SLOW_MS = 2_000  # a greeting that takes longer wants an explanation
PATIENCE_MS = 60_000  # until a backend that was started here should have been heard
COLOURS = {
    Link.READY: "#3d9970",
    Link.GREETING: "#b8860b",
    Link.CONNECTING: "#b8860b",
}
AWAY = "#d9534f"


class LinkBar(QtWidgets.QWidget):
    """The line, what is wrong and what to do, Start backend, its log, Copy diagnostics."""

    def __init__(self, transport: Transport, own: Starter, settings: Settings, krita: str) -> None:
        super().__init__()
        self._transport, self._starter, self._settings = transport, own, settings
        self._krita = krita
        self._is_slow = self._is_starting = False
        self._fell = ""  # what a backend that did not start said last
        self._make_widgets()
        self._slow = QtCore.QTimer(self, singleShot=True, interval=SLOW_MS)
        self._slow.timeout.connect(self._took_long)
        self._patience = QtCore.QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._patience.timeout.connect(self._gave_up)
        transport.phaseChanged.connect(self.render)
        own.changed.connect(self._starter_changed)
        self.render()

    def diagnostics(self) -> str:
        """What someone who helps needs to know."""
        transport = self._transport
        versions = [
            ("Limner for Krita", VERSION),
            ("Krita", self._krita),
            ("Qt", f"{QtCore.qVersion()}, PyQt {QtCore.PYQT_VERSION_STR}"),
        ]
        return program.diagnostics(
            versions,
            line=f"{transport.link.value} {transport.problem}".strip(),
            url=transport.url,
            welcome=transport.welcome,
            program=program.find(self._settings.limner),
            errors=transport.errors,
            log=self._starter.log,
        )

    def render(self) -> None:
        """Say how things stand."""
        link = self._transport.link
        if link is not Link.GREETING:
            self._slow.stop()
            self._is_slow = False
        elif not self._slow.isActive() and not self._is_slow:
            self._slow.start()
        if link is Link.READY:
            self._is_starting, self._fell = False, ""
            self._patience.stop()
        self._dot.setStyleSheet(f"color: {COLOURS.get(link, AWAY)}")
        self._line.setText(link_words(link))
        problem = self._problem_words(link)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self._show_buttons(link)

    # --- inside -----------------------------------------------------------------------------

    def _problem_words(self, link: Link) -> str:
        if link in (Link.ABSENT, Link.LOST):
            if self._is_starting:
                return _("The backend is starting…")
            if self._fell:
                return _("The backend did not start: {reason}", reason=self._fell)
        if link is Link.GREETING:
            return starting_words() if self._is_slow else ""
        return self._transport.problem

    def _show_buttons(self, link: Link) -> None:
        is_away = link in (Link.ABSENT, Link.LOST, Link.REFUSED)
        is_ours = self._starter.is_running
        self._start.setVisible(is_away or is_ours)
        self._start.setText(_("Stop backend") if is_ours else _("Start backend"))
        self._try.setVisible(link in (Link.LOST, Link.REFUSED))

    def _make_widgets(self) -> None:
        self._dot, self._line = QtWidgets.QLabel("●"), QtWidgets.QLabel()
        self._line.setObjectName("limner_link")
        self._problem = QtWidgets.QLabel(wordWrap=True)
        self._problem.setObjectName("limner_problem")
        self._problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._start = self._button("limner_start", _("Start backend"), self._start_or_stop)
        self._try = self._button("limner_try", _("Try now"), self._transport.try_now)
        self._menu = QtWidgets.QToolButton(text="…", toolTip=_("Help with the backend"))
        self._menu.setObjectName("limner_help")
        self._menu.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(self._menu)
        for name, text, act in (
            ("limner_log", _("Show the backend’s log"), self.show_log),
            ("limner_diagnostics", _("Copy diagnostics"), self.copy_diagnostics),
            ("limner_choose", _("Choose the limner program…"), self._ask_for_program),
        ):
            menu.addAction(text, act).setObjectName(name)
        self._menu.setMenu(menu)
        head = QtWidgets.QHBoxLayout()
        head.addWidget(self._dot)
        head.addWidget(self._line, 1)
        for button in (self._start, self._try, self._menu):
            head.addWidget(button)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self._problem)

    def _button(self, name: str, text: str, act: object) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(text)
        button.setObjectName(name)
        button.clicked.connect(lambda _on=False: act())
        return button

    def _start_or_stop(self) -> None:
        if self._starter.is_running:
            self._starter.stop()
            return
        chosen = program.find(self._settings.limner) or self._ask_for_program()
        if chosen:
            self._is_starting, self._fell = True, ""
            self._patience.start()
            self._starter.start(chosen)
            self.render()

    def _ask_for_program(self) -> str:
        title = _("Where is the program “limner”? (pip installs it beside Python)")
        name, _kind = QtWidgets.QFileDialog.getOpenFileName(self, title, str(Path.home()))
        if name:
            self._settings.limner = name
            save(self._settings)
        return name

    def _starter_changed(self) -> None:
        if self._is_starting and self._starter.has_ended:
            self._is_starting, self._fell = False, self._starter.last_words
        self.render()

    def _took_long(self) -> None:
        self._is_slow = True
        self.render()

    def _gave_up(self) -> None:
        self._is_starting = False
        self.render()

    def show_log(self) -> None:
        """A window with what the backend said."""
        window = QtWidgets.QDialog(self, windowTitle=_("The backend’s log"))
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        window.resize(720, 420)
        text = QtWidgets.QPlainTextEdit(readOnly=True)
        text.setObjectName("limner_log_text")
        font = QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont)
        text.setFont(font)

        def show() -> None:
            lines = self._starter.log or [_("The backend was not started from here.")]
            text.setPlainText("\n".join(lines))

        show()
        self._starter.changed.connect(show)
        window.finished.connect(lambda _result: self._starter.changed.disconnect(show))
        copy = self._button("limner_copy", _("Copy diagnostics"), self.copy_diagnostics)
        column = QtWidgets.QVBoxLayout(window)
        column.addWidget(text)
        column.addWidget(copy)
        window.show()

    def copy_diagnostics(self) -> None:
        """Put them on the clipboard."""
        QtWidgets.QApplication.clipboard().setText(self.diagnostics())
        self._line.setText(_("Copied. There is no key in it, and nothing that you drew."))
