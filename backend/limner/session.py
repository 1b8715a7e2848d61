"""One run of a method in this process: what every command is a client of.

It steps the method, shows each preview, stops when asked, and finishes with whatever there is: a
run that was stopped or stumbled still gives its drawing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from limner.methods.base import Inputs, Method, Models, Preview, Result
from limner_wire.errors import ErrorCode, LimnerError

Watch = Callable[[Preview], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The drawing kept, and how it came about.

    Attributes:
        stopped: whether it was stopped, or ended early.
        notices: what the artist should know.
    """

    result: Result
    stopped: bool
    notices: list[str]


def run(
    method: Method[Any, Any],
    params: Any,
    inputs: Inputs,
    models: Models,
    *,
    device: torch.device,
    watch: Watch | None = None,
    stop: threading.Event | None = None,
    say: Callable[[str], None] | None = None,
) -> Outcome:
    """Run a method to its end, or until it is stopped.

    Args:
        say: told what the artist should know, as soon as it is known.

    Raises:
        LimnerError: BAD_INPUT from the method's checks, before any work.
    """
    stop = stop or threading.Event()
    notices = _Notices(say)
    state = method.setup(params, inputs, models, device)
    for text in getattr(state, "notices", None) or ():
        notices.tell(text)
    while not stop.is_set():
        try:
            preview = method.step(state, params)
        except LimnerError as problem:
            if problem.code is not ErrorCode.NOT_FINITE:
                raise
            notices.tell(str(problem))
            break
        if preview.notice:
            notices.tell(preview.notice)
        if watch is not None:
            watch(preview)
        if preview.step >= preview.total:
            break
    return Outcome(method.result(state), stop.is_set(), list(notices.told))


class _Notices:
    """What the artist should know, each thing once."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self._say, self.told = say, dict[str, None]()

    def tell(self, text: str) -> None:
        if text not in self.told and self._say is not None:
            self._say(text)
        self.told[text] = None
