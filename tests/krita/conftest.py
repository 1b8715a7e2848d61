"""A Qt without a screen; a backend and an artist for the tests that want them.

Where there is no PyQt5 (no wheel for the machine, or no libGL) only what needs no Qt is tested,
unless LIMNER_NEEDS_KRITA is set, as CI sets it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from artists import Artist, Backend
    from PyQt5 import QtWidgets

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
PATIENCE_S = 20.0
Until = Callable[..., None]
WITH_QT = (
    "docker", "editing", "extension", "forms", "install", "pictures", "preview", "transport", "zip",
)  # fmt: skip

WHY_NOT = ""
try:
    import PyQt5.QtWidgets
except ImportError as problem:
    if "LIMNER_NEEDS_KRITA" in os.environ:
        raise
    WHY_NOT = str(problem)
    collect_ignore = [f"test_krita_{name}.py" for name in WITH_QT]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if WHY_NOT:
        terminalreporter.section("Krita's docker was not tested")
        terminalreporter.write_line(f"There is no PyQt5: {WHY_NOT}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where token, history and the plugin's memory lie."""
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def app() -> QtWidgets.QApplication:
    widgets = PyQt5.QtWidgets
    return widgets.QApplication.instance() or widgets.QApplication(["limner-test"])


@pytest.fixture
def backend(folder: Path) -> Iterator[Backend]:
    """A backend that a test starts, and that is stopped after it."""
    from artists import Backend

    one = Backend(folder)
    yield one
    one.stop()


@pytest.fixture
def until(app: QtWidgets.QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Until]:
    """Let Qt work until something is so; what fails in one of its slots fails the test."""
    fell: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda _kind, problem, _trace: fell.append(problem))

    def wait(condition: Callable[[], Any], what: str = "", patience_s: float = PATIENCE_S) -> None:
        end = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < end, f"waited in vain: {what or condition}"
            app.processEvents()
            if fell:
                raise fell[0]
            time.sleep(0.002)

    yield wait
    app.processEvents()
    if fell:
        raise fell[0]


@pytest.fixture
def artist(until: Until, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Artist]:
    """Someone at a docker that looks for a backend; they leave before it is stopped."""
    from artists import Artist

    from limner_krita import transport

    monkeypatch.setattr(transport, "LOOK_MS", 50)
    one = Artist(until)
    yield one
    one.leaves()
