"""Starts the backend for the artist, keeps what it says, and tells what is needed to get help."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections import deque
from pathlib import Path

from limner_krita.i18n import _
from limner_krita.qt import QtCore, Signal
from limner_krita.transport import Transport
from limner_krita.version import VERSION
from limner_wire import messages, place

LINES = 400
STOPPING_MS = 10_000  # then it is killed; its drawings go on from where they were saved
CLOSING_MS = 5_000
PROGRAM = "limner.exe" if sys.platform == "win32" else "limner"
OF_KRITA = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM")
SECRET = re.compile(r"((?:ticket|token|session)\s*[=:]\s*)[^\s&\"']+", re.IGNORECASE)


def find(saved: str) -> str:
    """The program that serves: the saved one, else one on the PATH; nothing if there is none."""
    if saved and Path(saved).is_file():
        return saved
    return shutil.which(PROGRAM) or ""


def without_secrets(text: str) -> str:
    """The text, with no token and no ticket in it."""
    out = SECRET.sub(r"\1…", text)
    token = place.token()
    return out.replace(token, "…") if token else out


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
    """The artist's, without what Krita's own package sets for the Python inside it."""
    out = QtCore.QProcessEnvironment.systemEnvironment()
    for name in OF_KRITA:
        out.remove(name)
    if "APPDIR" in os.environ:  # an AppImage: its libraries are not the backend's
        out.remove("LD_LIBRARY_PATH")
    out.insert("PYTHONUNBUFFERED", "1")
    out.insert("PYTHONIOENCODING", "utf-8")
    return out


def diagnostics(transport: Transport, starter: Starter, krita: str, program: str) -> str:
    """What someone who helps needs to know; no token and no prompt in it."""
    welcome = transport.welcome
    rows = [
        ("Limner for Krita", VERSION),
        ("Krita", krita),
        ("Qt", f"{QtCore.qVersion()}, PyQt {QtCore.PYQT_VERSION_STR}"),
        ("Python", sys.version.split()[0]),
        ("System", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("Protocol", str(messages.PROTOCOL)),
        ("Data folder", str(place.data_folder())),
        ("Key file", "there" if place.token() else "none"),
        ("Backend at", transport.url or "nowhere"),
        ("Backend", welcome.server if welcome else "not heard"),
        ("Devices", ", ".join(welcome.devices) if welcome else ""),
        ("Models", ", ".join(str(x.get("name")) for x in welcome.models) if welcome else ""),
        ("Line", f"{transport.link.value} {transport.problem}".strip()),
        ("Program", program or "not found"),
    ]
    lines = [f"{name}: {value}" for name, value in rows]
    lines += ["", "Last errors:", *(transport.errors or ["none"])]
    lines += ["", "Backend's log:", *(list(starter.log)[-60:] or ["not started from here"])]
    return without_secrets("\n".join(lines))
