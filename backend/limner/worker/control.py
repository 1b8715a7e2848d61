"""What others want of the job that runs."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Control:
    """What others want of the job that runs. Its methods may be called from any thread."""

    watched: bool = True
    _cancelled: str = ""  # "keep", "drop", or "leave"
    _running: threading.Event = field(default_factory=threading.Event)
    _news: threading.Event = field(default_factory=threading.Event)
    _adjustments: deque[dict[str, Any]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._running.set()

    def cancel(self, *, keep: bool) -> None:
        """End the run before its next step; with what it has, or with nothing."""
        self._cancelled = "keep" if keep else "drop"
        self._running.set()
        self._news.set()

    def leave(self) -> None:
        """Save where the run stands before its next step, and say nothing more of it."""
        self._cancelled = "leave"
        self._running.set()
        self._news.set()

    def pause(self) -> None:
        """Hold the run before its next step."""
        if not self._cancelled:
            self._running.clear()
        self._news.set()

    def resume(self) -> None:
        """Let it go on."""
        self._running.set()
        self._news.set()

    def adjust(self, params: dict[str, Any]) -> None:
        """Change settings before its next step."""
        self._adjustments.append(params)
        self._news.set()

    @property
    def is_paused(self) -> bool:
        """Whether the run is to be held."""
        return not self._running.is_set()

    def wait(self) -> None:
        """Return when the run may go on."""
        self._running.wait()

    def hear(self, timeout_s: float | None = None) -> bool:
        """Return as soon as something was said since this returned last; False if nothing was."""
        heard = self._news.wait(timeout_s)
        self._news.clear()  # what is said from here on is looked at after this, or heard next time
        return heard

    @property
    def cancelled(self) -> str:
        """ "keep", "drop" or "leave" when it is to end, else nothing."""
        return self._cancelled

    def next_adjustment(self) -> dict[str, Any] | None:
        """The oldest change that has not been made."""
        return self._adjustments.popleft() if self._adjustments else None
