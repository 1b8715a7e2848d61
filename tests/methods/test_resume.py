"""A run that was saved and restored goes on bit for bit, for every method."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import imaginations
import pytest
import studios
import torch

from limner.methods import (
    blend,
    clipdraw,
    clipdraw3d,
    global_directions,
    imagine,
    latent_mapper,
    latent_optimization,
    nada,
    probe,
    styleclipdraw,
    text_diff,
    trace,
    variations,
)
from limner.methods.base import Inputs, Models, Result
from limner.methods.registry import METHODS
from limner.training.style_pictures import draw, hand
from limner_wire import limits

CPU = torch.device("cpu")
STEPS = 12

PICTURE = torch.linspace(0, 1, 48)[None, None].expand(3, 48, 48).contiguous()
STYLE = draw(hand("hatching"), side_px=96)
GIVEN = Inputs((48, 48), picture=PICTURE, others=(PICTURE.flip(2),))
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
    "global_directions": (
        global_directions.Params("a red apple", steps=STEPS, tune=3),
        Inputs((48, 48), picture=PICTURE),
    ),
    "latent_optimization": (
        latent_optimization.Params("a red apple", steps=STEPS, fit=4, tune=2, views=2, leap=2),
        Inputs((48, 48), picture=PICTURE),
    ),
    "latent_mapper": (
        latent_mapper.Params("a red apple", steps=STEPS),
        Inputs((48, 48), picture=PICTURE),
    ),
    "nada": (
        nada.Params("a red apple", "a blue sea", steps=STEPS, batch=2, samples=2, fit=4),
        Inputs((48, 48), picture=PICTURE),
    ),
    "imagine": (
        imagine.Params(prompt="a red apple", steps=STEPS - 4, prior_steps=2, enlarge=2),
        Inputs((48, 48)),
    ),
    "variations": (variations.Params(steps=STEPS - 5, looks=3, enlarge=2), GIVEN),
    "blend": (blend.Params(steps=STEPS - 5, looks=3, enlarge=2), GIVEN),
    "text_diff": (
        text_diff.Params(prompt="a red apple", steps=STEPS - 5, looks=3, enlarge=2), GIVEN,
    ),
    "probe": (probe.Params(dimensions="1 3", steps=STEPS - 2, enlarge=2), GIVEN),
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, starter: Models) -> Iterator[None]:
    """A generator with directions and a mapper."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(folder))
        made = studios.install(folder, noise=0.1, clip=starter.clips[0].clip)
        studios.install_mapper(folder, made, "a red apple")
        imaginations.install(folder)
        yield


def assert_same(a: Result, b: Result) -> None:
    """Bit for bit."""
    assert (a.strokes is None) == (b.strokes is None) and a.score == b.score and a.about == b.about
    for one, other in ((a.picture, b.picture), *zip(tensors(a), tensors(b), strict=True)):
        assert (one is None) == (other is None)
        assert one is None or other is None or torch.equal(one, other)


def tensors(result: Result) -> list[torch.Tensor | None]:
    s = result.strokes
    return [] if s is None else [s.points, s.width, s.rgba, s.offsets, s.depth]


def test_every_method_is_tried() -> None:
    assert set(RUNS) == set(METHODS)


@pytest.mark.parametrize("name", RUNS)
def test_every_seed_can_be_drawn(name: str, starter: Models) -> None:
    """The greatest too, at a step of each kind."""
    method, (params, inputs) = METHODS[name], RUNS[name]
    params = replace(params, seed=limits.SEED_MAX)
    state = method.setup(params, inputs, starter, CPU)
    for _ in range(STEPS):
        method.step(state, params)
    assert math.isfinite(method.result(state).score)


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
    assert_same(method.result(whole), method.result(second))


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
