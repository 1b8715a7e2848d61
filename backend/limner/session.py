"""One run of a method in this process: what every command is a client of.

It steps the method, shows each preview, stops when asked, chooses the best of several seeds, and
finishes with whatever there is: a run that was stopped or stumbled still gives its drawing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from limner.methods.base import Inputs, Method, Models, Preview, Result
from limner_wire.errors import ErrorCode, LimnerError

Watch = Callable[[int, Preview], None]  # (which of the best-of runs, where it stands)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The drawing kept, and how it came about.

    Attributes:
        seed: the seed of the run that was kept.
        scores: of every run, by seed.
        stopped: whether it was stopped, or ended early.
        notices: what the artist should know.
    """

    result: Result
    seed: int
    scores: dict[int, float]
    stopped: bool
    notices: list[str]


def run(
    method: Method[Any, Any],
    params: Any,
    inputs: Inputs,
    models: Models,
    *,
    device: torch.device,
    best_of: int = 1,
    watch: Watch | None = None,
    stop: threading.Event | None = None,
    say: Callable[[str], None] | None = None,
) -> Outcome:
    """Run a method `best_of` times, with seeds one apart, and keep the drawing that scores best.

    Args:
        say: told what the artist should know, as soon as it is known.

    Raises:
        LimnerError: BAD_INPUT from the method's checks, before any work.
    """
    stop = stop or threading.Event()
    notices = _Notices(say)
    results: dict[int, Result] = {}
    for turn in range(best_of):
        seeded = replace(params, seed=params.seed + turn)
        result = _once(method, seeded, inputs, models, device, turn, watch, stop, notices)
        results[seeded.seed] = result
        if stop.is_set():
            break
    scores = {seed: result.score for seed, result in results.items()}
    kept = max(scores, key=lambda seed: scores[seed])
    return Outcome(results[kept], kept, scores, stop.is_set(), list(notices.told))


class _Notices:
    """What the artist should know, each thing once."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self._say, self.told = say, dict[str, None]()

    def tell(self, text: str) -> None:
        if text not in self.told and self._say is not None:
            self._say(text)
        self.told[text] = None


def _once(
    method: Method[Any, Any],
    params: Any,
    inputs: Inputs,
    models: Models,
    device: torch.device,
    turn: int,
    watch: Watch | None,
    stop: threading.Event,
    notices: _Notices,
) -> Result:
    state = method.setup(params, inputs, models, device)
    for text in getattr(state, "notices", None) or ():
        notices.tell(text)
    while True:
        if stop.is_set():
            break
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
            watch(turn, preview)
        if preview.step >= preview.total:
            break
    return method.result(state)
