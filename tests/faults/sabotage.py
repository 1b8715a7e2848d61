"""`limner` whose workers fail in a real way when a job's seed says so: for the tests of faults.

The server is the real one, and so is the worker but for one step of `trace`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SEGFAULT, DEVICE_LOST, HANG = 1001, 1002, 1003
AT_STEP = 0  # before what the first step loads
HANGS_AFTER_S = 5.0  # the first step of a process takes seconds


def _first_time(name: str) -> bool:
    """Whether this is the first time, in any process."""
    try:
        Path(os.environ["LIMNER_DATA"], f"{name} was here").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _lose_the_device() -> None:
    import torch

    if _first_time("a lost device"):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def _hang() -> None:
    while _first_time("a hang"):
        while True:
            time.sleep(0.01)  # the beats go on


FAULTS: dict[int, Callable[[], None]] = {
    SEGFAULT: _segfault,
    DEVICE_LOST: _lose_the_device,
    HANG: _hang,
}


def _work() -> None:
    from limner.methods.trace import Trace
    from limner.worker.__main__ import main

    step = Trace.step

    def faulty(self: Trace, state: Any, params: Any) -> Any:
        if state.step == AT_STEP and params.seed in FAULTS:
            FAULTS[params.seed]()
        return step(self, state, params)

    Trace.step = faulty  # type: ignore[method-assign]
    main()


def _serve() -> None:
    from limner.cli import main, serve
    from limner.engine.zeromq import ZeroMQ

    start = subprocess.Popen

    def sabotaged(argv: list[str], **how: Any) -> Any:
        return start([argv[0], __file__, "worker"], **how)

    subprocess.Popen = sabotaged  # type: ignore[assignment,misc]
    serve.engines_of = lambda kind, address, threads: [ZeroMQ(threads, hangs_after_s=HANGS_AFTER_S)]
    main()


if __name__ == "__main__":
    _work() if sys.argv[1] == "worker" else _serve()
