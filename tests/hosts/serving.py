"""A real `limner serve` for the hosts' tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

LIMNER = [sys.executable, "-m", "limner"]


class Server:
    """A `limner serve` that can be killed and started again."""

    def __init__(self, data: Path) -> None:
        self._env = {**os.environ, "LIMNER_DATA": str(data)}
        self._process: subprocess.Popen[str] | None = None

    def serve(self) -> None:
        self._process = subprocess.Popen(
            [*LIMNER, "serve", "--port", "0", "--threads", "1"],  # the host needs the other core
            env=self._env,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert "serves" in self._process.stdout.readline()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)
