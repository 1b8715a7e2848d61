"""A run that was saved and restored goes on bit for bit, for every method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from limner.methods import clipdraw, clipdraw3d, styleclipdraw, trace
from limner.methods.base import Inputs, Models
from limner.methods.registry import METHODS
from limner.training.style_pictures import draw, hand

CPU = torch.device("cpu")
STEPS = 12

PICTURE = torch.linspace(0, 1, 48)[None, None].expand(3, 48, 48).contiguous()
STYLE = draw(hand("hatching"), side_px=96)
RUNS = {
    "clipdraw": (
        clipdraw.Params("a cat", steps=STEPS, strokes=8, cutouts=2, tidy=False),
        Inputs((64, 48)),
    ),
    "clipdraw3d": (
        clipdraw3d.Params(
            "a cat", ("90: a dog",), steps=STEPS, strokes=8, cutouts=2, cameras=2, tidy=False
        ),
        Inputs((64, 48)),
    ),
    "styleclipdraw": (
        styleclipdraw.Params("a cat", steps=STEPS, strokes=8, cutouts=2, tidy=False),
        Inputs((64, 48), styles=(STYLE,)),
    ),
    "trace": (trace.Params(strokes=20, steps=STEPS), Inputs((48, 48), picture=PICTURE)),
}


def test_every_method_is_tried() -> None:
    assert set(RUNS) == set(METHODS)


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 8, STEPS - 1, STEPS])
@pytest.mark.parametrize("name", RUNS)
def test_it_goes_on_as_if_nothing_had_been(name: str, stop: int, starter: Models) -> None:
    method, (params, inputs) = METHODS[name], RUNS[name]

    def fresh() -> Any:
        return method.setup(params, inputs, starter, CPU)

    whole, first, second = fresh(), fresh(), fresh()
    for _ in range(STEPS):
        method.step(whole, params)
    for _ in range(stop):
        method.step(first, params)
    saved = method.save(first)
    if stop < STEPS:
        method.step(first, params)  # what was saved does not move with the run
    method.restore(second, saved)
    for _ in range(stop, STEPS):
        method.step(second, params)
    a, b = method.result(whole), method.result(second)
    for one, other in (
        (a.strokes.points, b.strokes.points),
        (a.strokes.width, b.strokes.width),
        (a.strokes.rgba, b.strokes.rgba),
        (a.strokes.offsets, b.strokes.offsets),
    ):
        assert torch.equal(one, other)
    if a.strokes.depth is not None:
        assert b.strokes.depth is not None and torch.equal(a.strokes.depth, b.strokes.depth)
    assert (a.strokes.depth is None) == (b.strokes.depth is None)
    assert a.score == b.score and a.about == b.about


@pytest.mark.parametrize("stop", [0, 4, 6, STEPS])
@pytest.mark.parametrize("coupling", ["in turns", "afterwards"])
def test_the_styles_turns_go_on_as_if_nothing_had_been(
    coupling: str, stop: int, starter: Models
) -> None:
    """The style's own optimiser has moments too; they are saved with the words'."""
    method, (params, inputs) = METHODS["styleclipdraw"], RUNS["styleclipdraw"]
    params = replace(params, coupling=coupling, turn_every=3, turn_steps=3)
    whole, first, second = (method.setup(params, inputs, starter, CPU) for _ in range(3))
    for _ in range(STEPS):
        method.step(whole, params)
    for _ in range(stop):
        method.step(first, params)
    method.restore(second, method.save(first))
    for _ in range(stop, STEPS):
        method.step(second, params)
    a, b = whole.drawing.optimizer.strokes, second.drawing.optimizer.strokes
    for name in ("points", "width", "rgba"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name


def test_locked_strokes_frozen_colours_and_a_palette_are_restored(starter: Models) -> None:
    method = METHODS["clipdraw"]
    drawn = method.result(method.setup(RUNS["clipdraw"][0], Inputs((64, 48)), starter, CPU)).strokes
    params = replace(
        RUNS["clipdraw"][0], lock=True, freeze=("width",), palette=("#ff0000", "#00ff00")
    )
    inputs = Inputs((64, 48), strokes=drawn)
    whole, other = (method.setup(params, inputs, starter, CPU) for _ in range(2))
    for _ in range(5):
        method.step(whole, params)
    method.restore(other, method.save(whole))
    for _ in range(3):
        a, b = method.step(whole, params), method.step(other, params)
    assert torch.equal(a.strokes.points, b.strokes.points)
    assert torch.equal(a.strokes.rgba, b.strokes.rgba)
