"""Starts the backend for the artist, and keeps what it says. Not a word of bpy."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections import deque

from limner_front.program import environment, without_secrets

LINES = 400
PATIENCE_S = 60.0  # until a backend that was started here should have been heard
STOPPING_S = 10.0  # then it is killed; its drawings go on from where they were saved
CLOSING_S = 5.0
# What Blender's own Python would hand down to the backend's.
OF_BLENDER = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "BLENDER_USER_RESOURCES")


class Starter:
    """A backend of ours.

    Attributes:
        log: what it said, the last lines of it, with no secret in them.
        fell: what it said last, if it ended before it was heard.
    """

    def __init__(self) -> None:
        self.log: deque[str] = deque(maxlen=LINES)
        self.fell = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0.0  # while it is starting
        self._kill_at = 0.0  # while it is stopping

    @property
    def is_running(self) -> bool:
        """Whether a backend that we started runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_starting(self) -> bool:
        """Whether one that we started should soon be heard."""
        return bool(self._begun) and self.is_running

    def start(self, program: str) -> None:
        """Start `limner serve`; that it can't be is said in `fell`."""
        if self.is_running:
            return
        self.fell, self._kill_at, self._begun = "", 0.0, time.monotonic()
        self.log.append(f"{program} serve")
        hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
        try:
            self._process = subprocess.Popen(  # noqa: S603 (the program that the artist chose)
                [program, "serve"], env=environment(OF_BLENDER), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **hidden,
            )  # fmt: skip
        except OSError as problem:
            self._begun, self.fell = 0.0, f"{program}: {problem.strerror or problem}"
            self.log.append(self.fell)
            return
        reading = threading.Thread(
            target=self._read, args=(self._process,), name="limner log", daemon=True
        )
        reading.start()

    def stop(self) -> None:
        """Have it end in good order, in its time: it saves what it draws."""
        if self._process is not None and self.is_running:
            self._process.terminate()
            self._kill_at = time.monotonic() + STOPPING_S

    def look(self, *, is_heard: bool) -> None:
        """See to it, now and then: whether it was heard, fell, or does not end.

        Args:
            is_heard: whether a backend talks with us.
        """
        process, now = self._process, time.monotonic()
        if process is None:
            return
        if self._begun and (is_heard or now - self._begun > PATIENCE_S):
            self._begun = 0.0
        if self._begun and not self.is_running:
            self._begun, self.fell = 0.0, self.log[-1]
        if self._kill_at and now > self._kill_at and self.is_running:
            process.kill()

    def close(self) -> None:
        """End it now, since Blender ends; waits until it has saved what it draws, but not for
        long. The line to it should be closed before: it waits for that too."""
        process = self._process
        if process is None or not self.is_running:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(CLOSING_S)
            return
        process.kill()
        process.wait(CLOSING_S)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if (said := process.stdout) is None:
            return
        with said:
            for line in said:
                if text := without_secrets(line.decode("utf-8", "replace").rstrip()):
                    self.log.append(text)
