"""StyleCLIPDraw on the starter model: what the style does; that all else is as in CLIPDraw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from limner import output, session
from limner.methods import clipdraw
from limner.methods.base import Inputs, Models, Result
from limner.methods.clipdraw import ClipDraw
from limner.methods.eye import GRAM, STROTSS, Eye
from limner.methods.styleclipdraw import (
    AFTERWARDS,
    IN_TURNS,
    JOINT,
    Params,
    State,
    StyleClipDraw,
    wash,
)
from limner.models.features import StarterFeatures
from limner.training.style_pictures import draw, hand
from limner.vector.rasterizer import render
from limner.vector.strokes import Strokes
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")
SIZE = (96, 96)
SMALL = Params(prompt="a red apple", steps=10, strokes=10, cutouts=2, seed=3, tidy=False)
HATCHING, DOTS = draw(hand("hatching")), draw(hand("dots"))


def start(models: Models, params: Params = SMALL, **inputs: Any) -> State:
    inputs = {"styles": (HATCHING,)} | inputs
    return StyleClipDraw().setup(params, Inputs(SIZE, **inputs), models, CPU)


def drawn(models: Models, params: Params = SMALL, **inputs: Any) -> Result:
    inputs = {"styles": (HATCHING,)} | inputs
    outcome = session.run(StyleClipDraw(), params, Inputs(SIZE, **inputs), models, device=CPU)
    return outcome.result


def line(x: float) -> Strokes:
    points = torch.tensor([[x, 10.0], [x, 30], [x, 50], [x, 80]])
    return Strokes(points, torch.tensor([0, 4]), torch.tensor([6.0]), torch.ones(1, 4) * 0.5)


@pytest.fixture(scope="module")
def eye() -> Eye:
    return Eye(StarterFeatures(CPU), [HATCHING, DOTS], CPU, SIZE[0])


# --- what the style does ------------------------------------------------------------------------


@pytest.mark.parametrize("coupling", [JOINT, IN_TURNS])
def test_the_drawing_comes_nearer_to_the_style_than_clipdraws(
    starter: Models, eye: Eye, coupling: str
) -> None:
    params = replace(SMALL, steps=40, strokes=24, strength=80, coupling=coupling, turn_steps=4)
    plain = session.run(
        ClipDraw(), clipdraw.Params("a red apple", steps=40, strokes=24, cutouts=2, tidy=False),
        Inputs(SIZE), starter, device=CPU,
    ).result  # fmt: skip
    styled = drawn(starter, params)

    def far(result: Result) -> float:
        return eye.judged(render(result.strokes, SIZE)[0], [1.0, 0.0])

    assert far(styled) < 0.6 * far(plain)
    assert styled.about["style_distance"] == pytest.approx(far(styled), abs=0.02)


def test_more_strength_is_nearer_and_none_is_clipdraw_bit_for_bit(starter: Models) -> None:
    params = replace(SMALL, steps=30, strokes=16)
    weak, strong = (drawn(starter, replace(params, strength=s)) for s in (20.0, 90.0))
    assert strong.about["style_distance"] < 0.8 * weak.about["style_distance"]
    none = replace(params, strength=0.0, hand=0.0, black=True)
    plain = clipdraw.Params(
        prompt=none.prompt, steps=30, strokes=16, cutouts=2, seed=3, tidy=False, black=True
    )
    expected = session.run(ClipDraw(), plain, Inputs(SIZE), starter, device=CPU).result.strokes
    got = drawn(starter, none).strokes
    assert torch.equal(got.points, expected.points) and torch.equal(got.rgba, expected.rgba)


def test_the_style_lets_go_where_its_target_is_reached(starter: Models) -> None:
    """With nothing to pull it further, the drawing stays near the target and does not go below."""
    params = replace(SMALL, steps=60, strokes=40, strength=40.0, cutouts=1)
    method, state = StyleClipDraw(), start(starter, params)
    seen = [float(method.step(state, params).losses["style"]) for _ in range(params.steps)]
    assert state.alone is not None
    begun, last = sum(seen[12:18]) / 6, sum(seen[-10:]) / 10
    assert state.alone[0] == pytest.approx(begun, rel=0.2)  # a quarter of the steps are the words'
    assert 0.45 * begun < last < 0.75 * begun, f"{last:.3f} of {begun:.3f}"  # 60 % is the target


def test_strokes_keep_to_the_hand_if_they_are_asked_to(starter: Models) -> None:
    params = replace(SMALL, steps=40, strokes=24, first_width=12.0)
    widths = [drawn(starter, replace(params, hand=h)).strokes.width[1:] for h in (0.0, 100.0)]
    thin = 2.3 * 96 / 224
    gaps = [float((w / thin).log2().abs().median()) for w in widths]
    assert gaps[1] < 0.7 * gaps[0], f"octaves from the hatching's width: {gaps}"


def test_weights_turn_the_drawing_from_one_style_to_the_other(starter: Models, eye: Eye) -> None:
    params = replace(SMALL, steps=40, strokes=24, strength=80.0)
    far = []
    for weight in (0.0, 10.0):
        result = drawn(starter, replace(params, second_style=weight), styles=(HATCHING, DOTS))
        image = render(result.strokes, SIZE)[0]
        far.append([eye.judged(image, only) for only in ([1.0, 0.0], [0.0, 1.0])])
    assert far[0][0] < far[1][0] and far[1][1] < far[0][1], far


def test_a_gram_distance_may_be_asked_for(starter: Models, eye: Eye) -> None:
    params = replace(SMALL, steps=40, strokes=24, strength=90.0)
    plain, styled = (
        eye.judged(render(drawn(starter, p).strokes, SIZE)[0], [1.0, 0.0], measure=GRAM)
        for p in (replace(params, strength=0.0), replace(params, measure=GRAM))
    )
    assert styled < 0.5 * plain


# --- paper --------------------------------------------------------------------------------------


def test_the_first_stroke_is_the_styles_paper_and_stays(starter: Models) -> None:
    strokes = drawn(starter).strokes
    assert strokes.count == SMALL.strokes + 1
    torch.testing.assert_close(
        strokes.rgba[0], torch.tensor([0.98, 0.97, 0.94, 1.0]), atol=0.01, rtol=0
    )
    alone = render(strokes.select(torch.tensor([0])), SIZE, background=(0.0, 0.0, 0.0))[0]
    torch.testing.assert_close(alone, strokes.rgba[0, :3, None, None].expand_as(alone))


@pytest.mark.parametrize("size", [(64, 64), (40, 120), (120, 40)])
def test_a_wash_covers_the_canvas(size: tuple[int, int]) -> None:
    colour = torch.tensor([0.2, 0.4, 0.6])
    seen = render(wash(size, colour), size)[0]
    torch.testing.assert_close(seen, colour[:, None, None].expand_as(seen), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "given",
    ["init", "over", "mask", "palette", "black", "white paper", "afterwards"],
)
def test_there_is_no_paper_where_the_artist_gave_something(starter: Models, given: str) -> None:
    params, inputs = SMALL, {}
    match given:
        case "init":
            inputs = {"strokes": line(30)}
        case "over":
            inputs = {"background": torch.full((3, *SIZE), 0.5)}
        case "mask":
            inputs = {"mask": torch.ones(SIZE)}
        case "palette":
            params = replace(SMALL, palette=("#ff0000",))
        case "black":
            params = replace(SMALL, black=True)
        case "white paper":
            inputs = {"styles": (draw(hand("line art")),)}
        case "afterwards":
            params = replace(SMALL, coupling=AFTERWARDS)
    optimizer = start(starter, params, **inputs).drawing.optimizer
    assert optimizer.locked is None
    assert optimizer.strokes.count == (1 if given == "init" else SMALL.strokes)


# --- what CLIPDraw can --------------------------------------------------------------------------


def test_locks_palettes_and_freezes_are_clipdraws(starter: Models) -> None:
    params = replace(SMALL, lock=True, freeze=("width",), palette=("#ff0000", "#0000ff"))
    strokes = drawn(starter, params, strokes=line(30)).strokes
    assert torch.equal(strokes.points[:4], line(30).points)
    assert torch.equal(strokes.width[1:], torch.full((10,), 2 * 96 / 224))
    allowed = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    assert torch.cdist(strokes.rgba[1:, :3], allowed).min(1).values.max() < 1e-6


def test_strokes_keep_to_the_mask(starter: Models) -> None:
    mask = torch.zeros(SIZE)
    mask[20:70, 20:70] = 1
    ground = torch.full((3, *SIZE), 0.5)
    params = replace(SMALL, steps=50, strokes=16)
    strokes = drawn(starter, params, mask=mask, background=ground).strokes
    ink = (render(strokes, SIZE, background=ground)[0] - ground).abs().sum(0)
    outside = float((ink * (1 - mask)).sum() / ink.sum())
    assert outside < 0.25, f"{outside:.0%} of the ink lies outside"  # 74 % of the canvas does


def test_tidying_counts_the_style_too(starter: Models) -> None:
    params = replace(SMALL, steps=20, strokes=16)
    plain, tidied = (drawn(starter, replace(params, tidy=t)) for t in (False, True))
    assert tidied.score >= plain.score - 1e-6
    assert 1 <= tidied.strokes.count <= plain.strokes.count
    assert torch.equal(tidied.strokes.rgba[0], plain.strokes.rgba[0]), "the paper was taken away"


def test_strength_hand_and_weights_may_change_while_it_runs(starter: Models) -> None:
    method, state = StyleClipDraw(), start(starter, styles=(HATCHING, DOTS))
    method.step(state, SMALL)
    preview = method.step(
        state, replace(SMALL, strength=90.0, hand=0.0, second_style=3.0, prompt="a tree")
    )
    assert preview.step == 2 and set(preview.losses) == {"loss", "nearness", "style"}


# --- afterwards ---------------------------------------------------------------------------------


def test_afterwards_leaves_clipdraws_strokes_and_restyles_the_picture(
    starter: Models, eye: Eye
) -> None:
    params = replace(SMALL, coupling=AFTERWARDS, strokes=24, tidy=True)
    result = drawn(starter, params)
    plain = clipdraw.Params("a red apple", steps=10, strokes=24, cutouts=2, seed=3)
    expected = session.run(ClipDraw(), plain, Inputs(SIZE), starter, device=CPU).result.strokes
    assert torch.equal(result.strokes.points, expected.points)
    assert result.picture is not None
    before, after = render(result.strokes, SIZE)[0], result.picture
    assert eye.judged(after, [1.0, 0.0]) < 0.7 * eye.judged(before, [1.0, 0.0])
    shown = output.picture(result, None)
    assert shown.shape == (3, 384, 384)
    small = torch.nn.functional.interpolate(shown[None], (96, 96), mode="area")[0]
    assert float((small - render(result.strokes, SIZE)[0]).abs().mean()) > 0.02


# --- bad pictures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 500), (500, 1), (3, 2), (700, 40)], ids=lambda s: f"{s[0]}x{s[1]}"
)
def test_style_pictures_of_any_shape_are_looked_at(starter: Models, size: tuple[int, int]) -> None:
    picture = torch.rand(3, *size, generator=torch.Generator().manual_seed(1))
    state = start(starter, styles=(picture,))
    for measure in (STROTSS, GRAM):
        far = state.eye.judged(torch.rand(3, 128, 128), [1.0], measure=measure)
        assert far == far and far > 0
    preview = StyleClipDraw().step(state, SMALL)
    assert bool(preview.strokes.points.isfinite().all())


def test_a_style_picture_of_one_colour_is_a_style(starter: Models) -> None:
    flat: Tensor = torch.tensor([0.9, 0.5, 0.1])[:, None, None].expand(3, 50, 50)
    result = drawn(starter, replace(SMALL, steps=20), styles=(flat,))
    torch.testing.assert_close(result.strokes.rgba[0, :3], flat[:, 0, 0], atol=1e-3, rtol=0)


def test_without_a_style_picture_it_is_refused_in_words(starter: Models) -> None:
    with pytest.raises(LimnerError, match="no style picture") as caught:
        start(starter, styles=())
    assert caught.value.code is ErrorCode.BAD_INPUT


def test_which_network_looks_is_told(starter: Models) -> None:
    result = drawn(starter, replace(SMALL, features="starter"))
    assert result.about["looked_at_with"] == "the starter's image tower"
    assert any("the starter's image tower" in n for n in start(starter).notices)
