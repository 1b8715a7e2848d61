"""What a run shows in the terminal: a bar with step, loss, speed and the time left, on stderr."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from limner.methods.base import Preview

SHOWN_EVERY_S = 0.1


class Bar:
    """A progress bar fed with previews; nothing is shown before the first."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.headline = ""
        self._task: TaskID | None = None
        self._start, self._shown, self._first = 0.0, 0.0, 0

    def say(self, text: str) -> None:
        """Print something above the bar, for whoever is not reading JSON."""
        self._progress.console.print(f"limner: {text}", highlight=False, markup=False)

    def __call__(self, preview: Preview) -> None:
        """Show where a run of this process stands."""
        self.show(preview.step, preview.total, preview.losses)

    def show(self, step: int, total: int, losses: Mapping[str, Any]) -> None:
        """Show where a run stands; the losses are read as numbers only when they are shown."""
        now = time.monotonic()
        if self._task is None:
            self._progress.console.print(self.headline, highlight=False)
            self._progress.start()
            self._task = self._progress.add_task("drawing", total=total, figures="")
            self._start, self._first = now, step
        if now - self._shown < SHOWN_EVERY_S and step < total:
            return  # reading a loss waits for the device
        self._shown = now
        speed = (step - self._first) / max(now - self._start, 1e-9)
        shown = "  ".join(f"{k} {float(v):.4f}" for k, v in losses.items())
        figures = f"{shown}  {speed:.1f} it/s"
        self._progress.update(self._task, completed=step, total=total, figures=figures)


@contextmanager
def shown(*, quiet: bool) -> Iterator[Bar]:
    """A bar on stderr while the block runs; none on a quiet run or without a terminal."""
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"), TimeRemainingColumn(),
    )  # fmt: skip
    progress = Progress(*columns, console=console, transient=False)
    try:
        yield Bar(progress)
    finally:
        if progress.live.is_started:
            progress.stop()


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets; the second ends the program at once."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    kept = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
