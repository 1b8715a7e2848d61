"""How old frames are when they are shown, and how long Krita's loop stands still."""

from __future__ import annotations

import time
from typing import Any

from PyQt5.QtCore import QObject, Qt, QTimer

BEAT_MS = 2


class Ages:
    """Of every frame that is shown: now, less when its step ended in the worker. Now is when Qt
    has painted what it was asked to."""

    def __init__(self, preview: Any) -> None:
        self._ages: list[float] = []
        self._begun = time.monotonic()
        self._preview, self._painted = preview, preview.frames_painted
        preview.shown.connect(self._shown)

    def _shown(self, heard: Any) -> None:
        if self._preview.frames_painted == self._painted:
            return  # a newer one was shown in its place
        self._painted = self._preview.frames_painted
        if at := getattr(heard.message, "at", 0.0):
            QTimer.singleShot(0, lambda: self._ages.append(time.monotonic() - at))

    def figures(self) -> dict[str, float]:
        """Ends it."""
        self._preview.shown.disconnect(self._shown)
        seconds = time.monotonic() - self._begun
        return {
            "frames": len(self._ages),
            "frames_a_s": round(len(self._ages) / seconds, 1),
            "age_ms_median": ms(self._ages, 0.5),
            "age_ms_p95": ms(self._ages, 0.95),
        }


class Stalls:
    """How long the loop did not come round, beyond a beat of 2 ms: by the clock, and of that the
    time that this thread computed (the rest, others had the processor)."""

    def __init__(self) -> None:
        self._walls: list[float] = []
        self._busy: list[float] = []
        self._owner = QObject()
        self._last = self._clocks()
        self._timer = QTimer(self._owner, interval=BEAT_MS)
        self._timer.setTimerType(Qt.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _clocks(self) -> tuple[float, float]:
        return time.perf_counter(), time.thread_time()

    def _beat(self) -> None:
        now, last = self._clocks(), self._last
        self._walls.append(max(0.0, now[0] - last[0] - BEAT_MS / 1000))
        self._busy.append(now[1] - last[1])
        self._last = now

    def stop(self) -> None:
        self._timer.stop()

    def figures(self) -> dict[str, float]:
        return {
            "stall_ms_p99": ms(self._walls, 0.99),
            "stall_ms_max": ms(self._walls, 1.0),
            "busy_ms_p99": ms(self._busy, 0.99),
            "busy_ms_max": ms(self._busy, 1.0),
            "beats": len(self._walls),
        }


def ms(seconds: list[float], part: float) -> float:
    """The value that so great a part does not exceed, in milliseconds."""
    if not seconds:
        return float("nan")
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))], 1)
