"""Runs a test's script inside Krita, step by step, and quits.

LIMNER_DRIVER_SCRIPT names a file with a generator `run(host)`; each `yield seconds` lets Krita's
event loop run for so long. What it puts into `host.result` is written to LIMNER_DRIVER_RESULT as
JSON, with the traceback if it failed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QTimer
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QListView

from krita import Extension, Krita

SETTLE_MS = 400  # after the window was created, until everything is scriptable


class Host:
    """What a script has to do with Krita: waiting, undo, screenshots, words with the test."""

    def __init__(self) -> None:
        self.app = Krita.instance()
        self.result: dict[str, Any] = {}
        self._history: QListView | None = None
        self.folder = Path(os.environ["LIMNER_DRIVER_RESULT"]).parent

    def until(self, true: Callable[[], Any], what: str, patience_s: float = 60) -> Iterator[float]:
        """Waits until something is true; `yield from` it."""
        end = time.monotonic() + patience_s
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"waited {patience_s} s in vain: {what}")
            yield 0.02

    def ask(self, what: str) -> Iterator[float]:
        """Asks the test, outside, to do something, and waits until it has."""
        request, answer = self.folder / "request", self.folder / "answer"
        answer.unlink(missing_ok=True)
        part = request.with_suffix(".part")
        part.write_text(what, "utf-8")
        part.replace(request)  # whole at once: the test reads it as soon as it is there
        yield from self.until(answer.exists, what)

    def undo_list(self) -> list[str]:
        """The Undo History docker's lines up to where the document is, the oldest first."""
        view = self._history = self._history or self._find_history()
        model, now = view.model(), view.currentIndex().row()
        return [str(model.index(i, 0).data()) for i in range(now + 1)]

    def _find_history(self) -> QListView:
        docker = next(d for d in self.app.dockers() if d.objectName() == "History")
        return docker.findChild(QListView)

    def trigger(self, action: str, settle_s: float = 0.3) -> Iterator[float]:
        """Triggers one of Krita's actions and lets it work."""
        self.app.action(action).trigger()
        yield settle_s

    def fill_screen(self) -> None:
        """Make the window as large as the screen: there is no window manager to do it."""
        self.app.activeWindow().qwindow().setGeometry(QGuiApplication.primaryScreen().geometry())

    def screenshot(self, name: str) -> None:
        QGuiApplication.primaryScreen().grabWindow(0).save(str(self.folder / f"{name}.png"))


class Driver(Extension):
    """Begins when the first window is there."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        notifier.windowCreated.connect(self._begin_once)
        self._steps: Iterator[float] | None = None

    def setup(self) -> None:
        pass

    def createActions(self, window: Any) -> None:
        pass

    def _begin_once(self) -> None:
        if self._steps is None:
            self._steps = iter(())
            QTimer.singleShot(SETTLE_MS, self._begin)

    def _begin(self) -> None:
        sys.excepthook = traceback.print_exception  # Krita's shows a dialog, and waits
        self._host = Host()
        try:
            self._steps = _load(os.environ["LIMNER_DRIVER_SCRIPT"]).run(self._host)
        except Exception:
            self._finish(traceback.format_exc())
        else:
            self._step()

    def _step(self) -> None:
        try:
            seconds = next(self._steps)
        except StopIteration:
            self._finish("")
        except Exception:
            self._host.screenshot("failed")
            self._finish(traceback.format_exc())
        else:
            QTimer.singleShot(int(seconds * 1000), self._step)

    def _finish(self, error: str) -> None:
        path = Path(os.environ["LIMNER_DRIVER_RESULT"])
        text = json.dumps({**self._host.result, "error": error}, ensure_ascii=False, default=str)
        part = path.with_suffix(".part")
        part.write_text(text, "utf-8")
        part.replace(path)
        for document in Krita.instance().documents():
            document.setModified(False)
            document.close()
        QTimer.singleShot(300, Krita.instance().action("file_quit").trigger)


def _load(script: str) -> Any:
    sys.path.insert(0, str(Path(script).parent))
    spec = importlib.util.spec_from_file_location("limner_driver_script", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Krita.instance().addExtension(Driver(Krita.instance()))
