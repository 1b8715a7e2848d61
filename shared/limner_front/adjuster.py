"""Changes of a running drawing's settings: gathered, sent soon, the last one always.

The host looks every so often whether something is due: its timers are its own.
"""

from __future__ import annotations

import time
from typing import Any

GAP_S = 0.2  # between two changes of a running drawing
STAYS_GAP_S = 0.05  # of one that has made its last step, and answers each at once


class Adjuster:
    """What the artist has changed since the drawing was last told.

    Attributes:
        is_open: whether the drawing can be told anything now; else all waits.
    """

    def __init__(self) -> None:
        self.is_open = True
        self._pending: dict[str, Any] = {}
        self._known: dict[str, Any] = {}
        self._since = 0.0  # when the first of the pending ones came, by time.monotonic

    def follow(self, params: dict[str, Any]) -> None:
        """The form belongs to a drawing with these settings from now on."""
        self._pending, self._known = {}, dict(params)

    def take(self, name: str, value: Any, usual: Any = None) -> None:
        """A setting has changed for good; nothing happens if the drawing has it so.

        Args:
            value: None if the artist wants what is usual.
            usual: what the backend takes when nothing is said; None if nobody knows.
        """
        value = usual if value is None else value
        if value is None or (value == self._known.get(name, usual) and name not in self._pending):
            return
        if not self._pending:
            self._since = time.monotonic()
        self._pending[name] = value

    def due(self, now: float, gap_s: float = GAP_S) -> dict[str, Any] | None:
        """The changes that are to be sent now, once; None if there are none yet.

        Args:
            now: `time.monotonic()`.
            gap_s: how long the first of them is held back.
        """
        if not self._pending or not self.is_open or now - self._since < gap_s:
            return None
        changes, self._pending = self._pending, {}
        self._known |= changes
        return changes
