"""A race between seeds: several drawings are begun, those that are furthest behind are left, and
one is drawn to its end (successive halving: Jamieson & Talwalkar 2016, arXiv 1502.07943).

Drawing all to the end and choosing then costs as much as they are; most of what becomes of a
drawing can be seen half way, when its strokes stop moving fast (`stroke_optimizer.SCHEDULE`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Any

import torch
from torch import Tensor

from limner.methods.base import Inputs, Method, Models, Preview, Result
from limner.methods.params import Help, Range
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

BestOf = Annotated[
    int, Range(1, 64),
    Help("how many are begun, with seeds one apart; the better half goes on, till one is left"),
]  # fmt: skip
LAST, EARLIER = 0.5, 0.4  # the last cut, in parts of the steps; each before it, of the one after it
RECENT = 20  # steps, over whose mean loss drawings are compared


@dataclass(slots=True)
class Runner:
    """One drawing of a race, and its last losses."""

    state: Any
    done: int = 0
    recent: deque[Tensor] = field(default_factory=lambda: deque(maxlen=RECENT))

    def behind(self) -> float:
        """Its mean loss lately."""
        return float(torch.stack([*self.recent]).mean()) if self.recent else math.inf


@dataclass(slots=True)
class State:
    """A race between two steps.

    Attributes:
        runners: those that are still in it, by how far their seeds lie from the first; the one
            that leads comes first.
        cut: how many cuts were made.
    """

    params: Any
    runners: dict[int, Runner]
    current: int
    cut: int = 0
    step: int = 0

    @property
    def goal(self) -> int:
        """The step at which the next cut is made, or all ends."""
        return self.ends[self.cut]

    @property
    def ends(self) -> list[int]:
        """The steps at which a cut is made, and the last."""
        return [*cuts(self.params.best_of, self.params.steps), self.params.steps]

    @property
    def total(self) -> int:
        """How many steps there are, those that were made among them."""
        left = sum(self.goal - runner.done for runner in self.runners.values())
        count = len(self.runners)
        for start, end in pairwise(self.ends[self.cut :]):
            count = (count + 1) // 2
            left += count * (end - start)
        return self.step + left

    @property
    def notices(self) -> list[str]:
        """What the artist should know of the first."""
        return getattr(self.runners[self.current].state, "notices", None) or []


def cuts(count: int, steps: int) -> list[int]:
    """The steps at which the worse half of `count` drawings is left."""
    halvings = math.ceil(math.log2(count))
    return [max(1, round(steps * LAST * EARLIER**k)) for k in reversed(range(halvings))]


class Race:
    """A method whose settings have `best_of`, raced where that is above 1."""

    def __init__(self, method: Method[Any, Any]) -> None:
        self.method = method

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)

    def setup(self, params: Any, inputs: Inputs, models: Models, device: torch.device) -> Any:
        """The method's own state, or one for each seed.

        Raises:
            LimnerError: as the method does.
        """
        if params.best_of == 1:
            return self.method.setup(params, inputs, models, device)
        seeds = [one(params, k) for k in range(params.best_of)]
        states = [self.method.setup(seed, inputs, models, device) for seed in seeds]
        return State(params, {k: Runner(state) for k, state in enumerate(states)}, 0)

    def step(self, state: Any, params: Any) -> Preview:
        """One step of one drawing; then perhaps it is another's turn.

        Raises:
            LimnerError: NOT_FINITE if the last drawing can't go on.
        """
        if not isinstance(state, State):
            return self.method.step(state, params)
        runner, state.params = state.runners[state.current], params
        try:
            preview = self.method.step(runner.state, one(params, state.current))
        except LimnerError as problem:
            if problem.code is not ErrorCode.NOT_FINITE or len(state.runners) == 1:
                raise
            del state.runners[state.current]
            self._next(state)
            return self.step(state, params)
        runner.done, state.step = runner.done + 1, state.step + 1
        runner.recent.append(preview.losses["loss"])
        if runner.done >= state.goal:
            self._next(state)
        return replace(preview, step=state.step, total=state.total)

    def _next(self, state: State) -> None:
        """Whose turn it is: of those that have not come to the next cut, the first."""
        waiting = [k for k, runner in state.runners.items() if runner.done < state.goal]
        while not waiting and state.goal < state.params.steps:
            ranked = sorted(state.runners, key=lambda k: state.runners[k].behind())
            kept = ranked[: (len(ranked) + 1) // 2]
            state.runners, state.cut = {k: state.runners[k] for k in kept}, state.cut + 1
            waiting = [k for k, runner in state.runners.items() if runner.done < state.goal]
        if waiting:
            state.current = waiting[0]

    def result(self, state: Any) -> Result:
        """The drawing that was shown last."""
        if not isinstance(state, State):
            return self.method.result(state)
        result = self.method.result(state.runners[state.current].state)
        return replace(result, about={**result.about, "seeds_tried": state.params.best_of})

    def save(self, state: Any) -> dict[str, Tensor]:
        """All drawings that are still in the race."""
        if not isinstance(state, State):
            return self.method.save(state)
        race = torch.tensor([state.current, state.cut, *state.runners])
        saved = {"race": race, "step": torch.tensor(state.step)}
        for k, runner in state.runners.items():
            saved |= {f"{k}.{n}": t for n, t in self.method.save(runner.state).items()}
            recent = torch.stack([*runner.recent]) if runner.recent else torch.zeros(0)
            saved |= {f"{k}/recent": recent, f"{k}/done": torch.tensor(runner.done)}
        return saved

    def restore(self, state: Any, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        if not isinstance(state, State):
            self.method.restore(state, saved)
            return
        state.current, state.cut, *left = saved["race"].tolist()
        state.step = int(saved["step"])
        state.runners = {k: state.runners[k] for k in left}
        for k, runner in state.runners.items():
            start = f"{k}."
            own = {n.removeprefix(start): t for n, t in saved.items() if n.startswith(start)}
            self.method.restore(runner.state, own)
            runner.done = int(saved[f"{k}/done"])
            runner.recent.clear()
            runner.recent.extend(saved[f"{k}/recent"].unbind())


def one(params: Any, number: int) -> Any:
    """The settings of one drawing of a race."""
    seed = (params.seed + number) % (limits.SEED_MAX + 1)
    return replace(params, seed=seed, best_of=1)
