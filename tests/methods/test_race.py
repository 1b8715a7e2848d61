"""Several seeds begin, one is drawn to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from limner import session
from limner.methods.base import Inputs, Models, Preview
from limner.methods.clipdraw import ClipDraw, Params
from limner.methods.race import RECENT, Race, cuts
from limner.methods.registry import METHODS
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")
SMALL = Params("a red apple", steps=20, strokes=10, cutouts=2, seed=3, tidy=False, best_of=4)
INPUTS = Inputs((64, 64))


def alone(starter: Models, seed: int, steps: int) -> tuple[list[float], Any]:
    """The losses of a drawing that races with nobody, and what it has become after its steps."""
    params, method = replace(SMALL, seed=seed, best_of=1), ClipDraw()
    state = method.setup(params, INPUTS, starter, CPU)
    losses = [float(method.step(state, params).losses["loss"]) for _ in range(steps)]
    return losses, method.result(state)


def test_half_of_them_go_on_at_each_cut() -> None:
    assert cuts(1, 250) == [] and cuts(2, 250) == [125] and cuts(4, 250) == [50, 125]
    assert cuts(3, 250) == cuts(4, 250) and cuts(8, 1000) == [80, 200, 500]
    assert all(0 < cut <= steps for steps in (1, 2, 3) for cut in cuts(64, steps))


@pytest.mark.parametrize(("count", "steps"), [(4, 20 * 0.2 * 4 + 6 * 2 + 10), (3, 12 + 12 + 10)])
def test_the_winner_is_who_was_ahead_and_is_drawn_as_if_alone(
    count: int, steps: int, starter: Models
) -> None:
    runs = {seed: alone(starter, seed, 20) for seed in range(3, 3 + count)}
    left = list(runs)
    for cut in cuts(count, 20):
        behind = {k: sum(runs[k][0][:cut][-RECENT:]) / min(cut, RECENT) for k in left}
        left = sorted(left, key=lambda k: behind[k])[: (len(left) + 1) // 2]
    seen: list[Preview] = []
    params = replace(SMALL, best_of=count)
    outcome = session.run(
        METHODS["clipdraw"], params, INPUTS, starter, device=CPU, watch=seen.append
    )
    assert [p.step for p in seen] == list(range(1, int(steps) + 1))
    assert {p.total for p in seen} == {steps}
    about, expected = outcome.result.about, runs[left[0]][1]
    assert about == {**expected.about, "seeds_tried": count} and about["seed"] == left[0]
    assert torch.equal(outcome.result.strokes.points, expected.strokes.points)
    assert outcome.result.score == expected.score


@pytest.mark.parametrize("stop", [0, 2, 4, 16, 20, 28, 30, 37])
def test_it_goes_on_as_if_nothing_had_been(stop: int, starter: Models) -> None:
    method = METHODS["clipdraw"]
    whole, first, second = (method.setup(SMALL, INPUTS, starter, CPU) for _ in range(3))
    for _ in range(38):
        method.step(whole, SMALL)
    for _ in range(stop):
        method.step(first, SMALL)
    method.restore(second, method.save(first))
    for _ in range(38 - stop):
        method.step(second, SMALL)
    a, b = method.result(whole), method.result(second)
    assert a.about == b.about and a.score == b.score
    assert torch.equal(a.strokes.points, b.strokes.points)


def test_what_is_stopped_is_what_was_shown(starter: Models) -> None:
    """In the first round too, and with a prompt that was changed on the way."""
    method = METHODS["clipdraw"]
    state = method.setup(SMALL, INPUTS, starter, CPU)
    changed = replace(SMALL, prompt="a blue fish")
    for step in range(6):
        shown = method.step(state, SMALL if step < 5 else changed)
    result = method.result(state)
    assert torch.equal(result.strokes.points, shown.strokes.points.detach())
    assert result.about["seed"] == 4 and result.about["prompt"] == "a blue fish"


def failing(seeds: set[int]) -> Callable[..., Preview]:
    real = ClipDraw.step

    def step(self: ClipDraw, state: Any, params: Params) -> Preview:
        if params.seed in seeds and state.step == 2:
            raise LimnerError(ErrorCode.NOT_FINITE, "The numbers left all bounds.")
        return real(self, state, params)

    return step


def test_one_that_falls_leaves_the_race(starter: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClipDraw, "step", failing({3, 5}))
    seen: list[Preview] = []
    outcome = session.run(Race(ClipDraw()), SMALL, INPUTS, starter, device=CPU, watch=seen.append)
    assert outcome.result.about["seed"] in (4, 6) and not outcome.notices
    assert seen[-1].step == seen[-1].total == 2 + 4 + 2 + 4 + 6 + 10
    monkeypatch.setattr(ClipDraw, "step", failing({3, 4, 5, 6}))
    outcome = session.run(Race(ClipDraw()), SMALL, INPUTS, starter, device=CPU)
    assert outcome.notices == ["The numbers left all bounds."]
