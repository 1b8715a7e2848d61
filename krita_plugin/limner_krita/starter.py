"""Starts the backend for the artist, and keeps what it says."""

from __future__ import annotations

from collections import deque

from limner_front.i18n import _
from limner_front.program import environment, without_secrets
from limner_krita.qt import QtCore, Signal

LINES = 400
STOPPING_MS = 10_000  # then it is killed; its drawings go on from where they were saved
CLOSING_MS = 5_000
OF_KRITA = ("QT_PLUGIN_PATH", "QT_QPA_PLATFORM")


class Starter(QtCore.QObject):
    """A backend of ours.

    Signals:
        changed: it was started, has ended, or has said something.
    """

    changed = Signal()

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self.log: deque[str] = deque(maxlen=LINES)
        self._process: QtCore.QProcess | None = None
        self._last = ""
        self._stopping = QtCore.QTimer(self, singleShot=True, interval=STOPPING_MS)
        self._stopping.timeout.connect(self._kill)

    @property
    def is_running(self) -> bool:
        """Whether a backend that we started runs."""
        state = QtCore.QProcess.ProcessState.NotRunning
        return self._process is not None and self._process.state() != state

    @property
    def has_ended(self) -> bool:
        """Whether one that we started runs no more."""
        return self._process is not None and not self.is_running

    @property
    def last_words(self) -> str:
        """What it said last, before it ended."""
        return self._last

    def start(self, program: str) -> None:
        """Start `limner serve`."""
        if self.is_running:
            return
        process = self._process = QtCore.QProcess(self)
        self._last = ""
        process.setProcessEnvironment(_environment())
        process.setProcessChannelMode(QtCore.QProcess.ProcessChannelMode.MergedChannels)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed)
        self._say(f"{program} serve")
        process.start(program, ["serve"])
        self.changed.emit()

    def stop(self) -> None:
        """Have it end in good order, in its time: it saves what it draws."""
        if self._process is not None and self.is_running:
            self._process.terminate()
            self._stopping.start()

    def close(self) -> None:
        """End it now, since Krita ends; waits until it has saved what it draws, but not for long.

        The line to it should be closed before: it waits for that too.
        """
        process = self._process
        if process is None or not self.is_running:
            return
        process.terminate()
        if not process.waitForFinished(CLOSING_MS):
            process.kill()
            process.waitForFinished(CLOSING_MS)

    def _kill(self) -> None:
        if self._process is not None and self.is_running:
            self._process.kill()

    def _read(self) -> None:
        if self._process is not None:
            text = self._process.readAllStandardOutput().data().decode("utf-8", "replace")
            lines = [without_secrets(line) for line in text.splitlines() if line.strip()]
            self._last = lines[-1] if lines else self._last
            self.log.extend(lines)
            self.changed.emit()

    def _finished(self, code: int, _status: object = None) -> None:
        self._stopping.stop()
        self._say(_("The backend has ended ({code}).", code=code))
        self.changed.emit()

    def _failed(self, _error: object) -> None:
        if self._process is not None:
            self._last = self._process.errorString()
            self._say(self._last)
        self.changed.emit()

    def _say(self, line: str) -> None:
        self.log.append(without_secrets(line))


def _environment() -> QtCore.QProcessEnvironment:
    out = QtCore.QProcessEnvironment()
    for name, value in environment(OF_KRITA).items():
        out.insert(name, value)
    return out
