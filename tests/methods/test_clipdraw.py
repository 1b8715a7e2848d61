"""CLIPDraw on the starter model: what the artist can ask for, and what can't go wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from limner import session
from limner.methods.base import Inputs, Models, Preview
from limner.methods.clipdraw import ClipDraw, Params, State
from limner.methods.schema import with_recipe
from limner.vector.rasterizer import render
from limner.vector.strokes import Strokes
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")
SMALL = Params(prompt="a red apple", steps=12, strokes=10, cutouts=2, seed=3, tidy=False)
SIZE = (96, 96)


def start(models: Models, params: Params = SMALL, **inputs: Any) -> State:
    return ClipDraw().setup(params, Inputs(SIZE, **inputs), models, CPU)


def drawn(models: Models, params: Params = SMALL, **inputs: Any) -> Strokes:
    outcome = session.run(ClipDraw(), params, Inputs(SIZE, **inputs), models, device=CPU)
    return outcome.result.strokes


def line(x: float, rgb: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Strokes:
    points = torch.tensor([[x, 10.0], [x, 30], [x, 50], [x, 80]])
    return Strokes(points, torch.tensor([0, 4]), torch.tensor([6.0]), torch.tensor([[*rgb, 1.0]]))


def test_the_drawing_comes_nearer_to_the_prompt(starter: Models) -> None:
    params = replace(SMALL, steps=60, strokes=24, cutouts=4)
    seen: list[float] = []

    def watch(preview: Preview) -> None:
        seen.append(float(preview.losses["nearness"]))

    session.run(ClipDraw(), params, Inputs(SIZE), starter, device=CPU, watch=watch)
    first, last = sum(seen[:5]) / 5, sum(seen[-5:]) / 5
    assert last > first + 0.1, f"nearness went from {first:.3f} to {last:.3f}"


def test_the_same_seed_gives_the_same_strokes_and_another_gives_others(starter: Models) -> None:
    one, again = drawn(starter), drawn(starter)
    assert torch.equal(one.points, again.points) and torch.equal(one.rgba, again.rgba)
    other = drawn(starter, replace(SMALL, seed=4))
    assert other.points.shape != one.points.shape or not torch.equal(other.points, one.points)


def test_first_strokes_are_the_papers(starter: Models) -> None:
    strokes = start(starter, replace(SMALL, strokes=400)).optimizer.strokes
    assert set(strokes.segments.tolist()) == {1, 2, 3}
    torch.testing.assert_close(strokes.width, torch.full_like(strokes.width, 2 * 96 / 224))
    assert strokes.rgba.min() >= 0 and strokes.rgba.max() <= 1
    firsts = strokes.points[strokes.offsets[:-1]]
    assert firsts.min() >= 0 and firsts.max() <= 96
    steps = (strokes.points[1:] - strokes.points[:-1])[strokes.owner[1:] == strokes.owner[:-1]]
    assert steps.abs().max() <= 0.05 * 96 + 1e-3  # 0.1 of the canvas times ±0.5
    assert steps.abs().max() > 0.04 * 96


@pytest.mark.parametrize(
    ("frozen", "name"), [("position", "points"), ("width", "width"), ("colour", "rgba")]
)
def test_what_is_frozen_stays_and_the_rest_moves(starter: Models, frozen: str, name: str) -> None:
    state = start(starter, replace(SMALL, freeze=(frozen,)))
    before = state.optimizer.strokes.detach()
    for _ in range(3):
        ClipDraw().step(state, state.params)
    after = state.optimizer.strokes
    for leaf in ("points", "width", "rgba"):
        same = torch.equal(getattr(before, leaf), getattr(after, leaf))
        assert same == (leaf == name), leaf


def test_locked_strokes_stay_and_new_ones_are_laid_over_them(starter: Models) -> None:
    given = line(30)
    strokes = drawn(starter, replace(SMALL, lock=True), strokes=given)
    assert strokes.count == 1 + SMALL.strokes
    assert torch.equal(strokes.points[:4], given.points)
    assert torch.equal(strokes.rgba[:1], given.rgba)


def test_begun_from_strokes_it_goes_on_from_them(starter: Models) -> None:
    state = start(starter, strokes=line(30))
    assert torch.equal(state.optimizer.strokes.points, line(30).points)
    before = state.optimizer.strokes.detach()
    for _ in range(3):
        ClipDraw().step(state, state.params)
    assert not torch.equal(state.optimizer.strokes.points, before.points)


def test_begun_from_a_picture_it_looks_like_it(starter: Models) -> None:
    picture = torch.ones(3, 96, 96)
    picture[1:, 24:72, 24:72] = 0.1
    state = start(starter, replace(SMALL, strokes=40), picture=picture)
    seen = render(state.optimizer.strokes.detach(), SIZE)[0]
    assert float((seen - picture).square().mean()) < 0.01  # a white canvas would be 0.13


def test_only_the_palettes_colours_are_used(starter: Models) -> None:
    strokes = drawn(starter, replace(SMALL, palette=("#ff0000", "#0000ff")))
    allowed = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    assert torch.cdist(strokes.rgba[:, :3], allowed).min(1).values.max() < 1e-6


def test_black_is_black(starter: Models) -> None:
    assert drawn(starter, replace(SMALL, black=True)).rgba[:, :3].abs().max() == 0


def test_ink_has_its_price(starter: Models) -> None:
    def cover(params: Params) -> float:
        return float((1 - render(drawn(starter, params), SIZE)).abs().mean())

    params = replace(SMALL, steps=60, strokes=20)
    assert cover(replace(params, ink=10.0)) < 0.7 * cover(params)


def test_strokes_keep_to_the_mask_and_the_background_is_seen(starter: Models) -> None:
    mask = torch.zeros(SIZE)
    mask[20:70, 20:70] = 1
    ground = torch.full((3, *SIZE), 0.5)
    params = replace(SMALL, steps=60, strokes=16)
    strokes = drawn(starter, params, mask=mask, background=ground)
    ink = (render(strokes, SIZE, background=ground)[0] - ground).abs().sum(0)
    outside = float((ink * (1 - mask)).sum() / ink.sum())
    assert outside < 0.2, f"{outside:.0%} of the ink lies outside"  # 74 % of the canvas does


def test_a_mask_that_is_all_black_is_refused(starter: Models) -> None:
    with pytest.raises(LimnerError, match="nothing to draw on") as caught:
        start(starter, mask=torch.zeros(SIZE))
    assert caught.value.code is ErrorCode.BAD_INPUT


def test_settings_may_change_while_it_runs(starter: Models) -> None:
    method, state = ClipDraw(), start(starter)
    method.step(state, state.params)
    before = state.aims[0].texts
    preview = method.step(state, replace(SMALL, prompt="a green tree", point_rate=0.0))
    assert preview.step == 2
    assert not torch.equal(state.aims[0].texts, before)
    points = state.optimizer.strokes.points.detach().clone()
    method.step(state, state.params)
    assert torch.equal(points, state.optimizer.strokes.points), "a rate of 0 moved the points"


def test_avoided_words_push_the_drawing_away(starter: Models) -> None:
    params = replace(SMALL, steps=40, strokes=20)
    clip = starter.clips[0].clip
    text = clip.encode_text(["red"])[0]

    def redness(p: Params) -> float:
        image = render(drawn(starter, p), (64, 64), scale=1.0)
        return float(clip.encode_image(image)[0] @ text)

    assert redness(replace(params, avoid=("red@1.0",))) < redness(params)


def test_a_step_that_is_not_finite_is_taken_back(starter: Models) -> None:
    method, state = ClipDraw(), start(starter)
    method.step(state, state.params)
    method.step(state, state.params)
    with torch.no_grad():
        state.optimizer.strokes.width[0] = torch.nan
        state.optimizer.strokes.points[:] = torch.inf
    preview = method.step(state, state.params)
    assert "back to the last good one" in preview.notice
    strokes = state.optimizer.strokes
    assert all(bool(t.isfinite().all()) for t in (strokes.points, strokes.width, strokes.rgba))
    assert method.step(state, state.params).notice == "", "it did not go on"


def test_two_bad_steps_in_a_row_end_the_run_with_what_it_has(
    starter: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of the wishes are spoilt on the way, as broken weights of a network would."""
    method, real = ClipDraw(), ClipDraw.step
    steps = 0

    def spoilt(self: ClipDraw, state: State, params: Params) -> Preview:
        nonlocal steps
        steps += 1
        if steps == 4:
            state.aims[0].weights.fill_(torch.nan)
        return real(self, state, params)

    monkeypatch.setattr(ClipDraw, "step", spoilt)
    outcome = session.run(method, SMALL, Inputs(SIZE), starter, device=CPU)
    assert steps == 5, "one bad step is taken back, the second ends the run"
    assert any("twice in a row" in notice for notice in outcome.notices)
    assert any("back to the last good one" in notice for notice in outcome.notices)
    assert bool(outcome.result.strokes.points.isfinite().all())
    assert outcome.result.strokes.count == SMALL.strokes


def test_tidying_never_lowers_the_score_and_takes_loose_strokes(starter: Models) -> None:
    params = replace(SMALL, steps=40, strokes=24)
    plain = session.run(ClipDraw(), params, Inputs(SIZE), starter, device=CPU).result
    tidied = session.run(
        ClipDraw(), replace(params, tidy=True), Inputs(SIZE), starter, device=CPU
    ).result
    assert tidied.score >= plain.score - 1e-6
    assert 1 <= tidied.strokes.count < plain.strokes.count


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": " "}, "empty"),
        ({"prompt": "!?"}, "empty"),
        ({"prompt": "x" * 2001}, "2000 characters"),
        ({"also": ("a",) * 20}, "16 wishes"),
        ({"steps": 0}, "between 1 and 20000"),
        ({"strokes": 5000}, "between 1 and 4096"),
        ({"point_rate": float("nan")}, "between 0 and 100"),
        ({"freeze": ("shape",)}, "position, width, colour"),
        ({"palette": ("red",)}, "#rrggbb"),
        ({"lock": True}, "no strokes to lock"),
    ],
)
def test_settings_that_make_no_sense_are_told_in_words(
    starter: Models, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(LimnerError, match=words) as caught:
        start(starter, replace(SMALL, **change))
    assert caught.value.code is ErrorCode.BAD_INPUT


def test_a_recipe_fills_in_only_what_was_not_said() -> None:
    recipe = {"cutouts": 8, "first_width": 5.0, "rate": 9.0, "clipdraw.ink": 0.5, "nada.steps": 7}
    params = with_recipe(ClipDraw(), recipe, {"prompt": "x", "cutouts": 3})
    assert (params.cutouts, params.first_width, params.ink) == (3, 5.0, 0.5)
    assert params.steps == Params(prompt="x").steps


def test_words_the_starter_never_saw_are_named(starter: Models) -> None:
    outcome = session.run(
        ClipDraw(), replace(SMALL, prompt="a red zorblax", steps=1), Inputs(SIZE), starter,
        device=CPU,
    )  # fmt: skip
    assert outcome.notices == ["starter has never seen the words: zorblax."]
