"""A generator that learns a domain from words, under the methods' protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import studios
import torch

from limner.losses.words import seen
from limner.methods.base import Inputs, Interactive, Method, Models
from limner.methods.nada import SAMPLES, Nada, Params, State, called
from limner.models import networks, stylegan2
from limner_wire.errors import LimnerError

CPU = torch.device("cpu")
NADA = Nada()
NOTHING = Inputs((16, 16))
PARAMS = Params("a red apple", "a blue sea", steps=6, batch=2, samples=3, fit=2, rate=0.02)


@pytest.fixture(autouse=True, scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(folder))
        studios.install(folder)
        yield folder


def run(
    params: Params, models: Models, inputs: Inputs = NOTHING, steps: int | None = None
) -> State:
    state = NADA.setup(params, inputs, models, CPU)
    for _ in range(params.steps if steps is None else steps):
        NADA.step(state, params)
    return state


def test_it_is_a_method_whose_sliders_answer() -> None:
    method: Method[Any, Any] = NADA
    assert isinstance(method, Interactive)


def test_pictures_move_as_the_words_do(starter: Models) -> None:
    params = replace(PARAMS, steps=25)
    state = NADA.setup(params, NOTHING, starter, CPU)
    losses = [float(NADA.step(state, params).losses["direction"]) for _ in range(25)]
    assert losses[0] == pytest.approx(1, abs=1e-4), "nothing has changed before the first step"
    assert sum(losses[-5:]) / 5 < 0.75
    was = NADA.show(state, replace(params, amount=0)).image
    now = NADA.show(state, params).image
    assert was is not None and now is not None
    redder = (now[0] - now[2]).mean() - (was[0] - was[2]).mean()
    assert redder > 0.02


def test_pictures_move_as_far_as_is_said(starter: Models) -> None:
    gone = []
    for reach in (0.05, 0.4):
        params = replace(PARAMS, steps=25, rate=0.01, distance=1.0, reach=reach, cooldown=0.5)
        state = run(params, starter)
        (eye,) = state.eyes
        before, after = (
            seen(eye.clip, g(state.codes)) for g in (state.adaptation.frozen, NADA.painter(state))
        )
        gone.append(float(((after - before) @ eye.way).mean().detach()) / eye.far)
    assert gone[0] < 0.12 and gone[1] > gone[0] + 0.05


@pytest.mark.parametrize("pictures", [0, 1])
def test_it_begins_where_the_words_lie(pictures: int, starter: Models) -> None:
    """Its first step is taken from there, and hardly moves anything here."""
    red = torch.zeros(3, 16, 16)
    red[0] = 0.9
    gone = []
    for leap in (0, 200):
        params = replace(PARAMS, leap=leap, rate=1e-5)
        state = run(params, starter, replace(NOTHING, styles=(red,) * pictures), 2)
        codes = state.adaptation.frozen.random(50, 9)
        (eye,) = state.eyes
        before, after = (
            seen(eye.clip, g(codes)) for g in (state.adaptation.frozen, NADA.painter(state))
        )
        gone.append(float(((after - before) @ eye.way).mean().detach()) / eye.goes(params.reach))
    assert abs(gone[0]) < 0.001 and 0.05 < gone[1] < 2


def test_the_rate_falls_over_the_last_steps(starter: Models) -> None:
    params, rates = replace(PARAMS, steps=8, cooldown=0.5), []
    state = NADA.setup(params, NOTHING, starter, CPU)
    for _ in range(8):
        NADA.step(state, params)
        rates.append(state.adaptation.settings.rate / (0.8 * params.rate))
    assert rates == pytest.approx([1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_the_sheet_has_the_samples_and_first_the_artists_own(starter: Models) -> None:
    shown = NADA.setup(PARAMS, NOTHING, starter, CPU)
    sheet = NADA.result(shown).picture
    assert sheet is not None and sheet.shape == (3, 32, 32)  # two and two, one of them empty
    assert torch.equal(sheet[:, 16:, 16:], torch.ones(3, 16, 16))
    made = studios.generator()
    own = Inputs((16, 16), picture=studios.picture(made))
    state = run(replace(PARAMS, fit=40, steps=40, rate=1e-5), starter, own)
    sheet = NADA.show(state, state.params).image
    assert sheet is not None
    assert (sheet[:, :16, :16] - own.picture).square().mean() < 0.01
    assert torch.equal(NADA.step(state, PARAMS).image, NADA.show(state, PARAMS).image)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 64), (32, 32)), ((40, 120), (16, 48)), ((120, 40), (48, 16)), ((64, 128), (24, 48))],
)
def test_the_sheet_has_the_canvas_shape(
    size: tuple[int, int], expected: tuple[int, int], starter: Models
) -> None:
    state = NADA.setup(PARAMS, Inputs(size), starter, CPU)
    sheet = NADA.show(state, PARAMS).image
    assert sheet is not None and sheet.shape == (3, *expected)
    with torch.no_grad():
        painted = (state.adaptation.learned(state.codes)[0].clamp(-1, 1) + 1) / 2
    top = 4 if size == (64, 128) else 0
    torch.testing.assert_close(sheet[:, top : top + 16, :16], painted)
    assert bool((sheet[:, :top] == 1).all())


def test_what_is_kept_is_the_artists_picture_outside_the_mask_as_it_was(starter: Models) -> None:
    picture = torch.nn.functional.interpolate(studios.picture(studios.generator())[None], (40, 56))
    mask = torch.zeros(40, 56)
    mask[8:32, 16:40] = 1
    own = Inputs((40, 56), picture=picture[0], mask=mask)
    state = run(replace(PARAMS, rate=0.05, steps=8), starter, own)
    out = NADA.result(state).picture
    assert out is not None and out.shape == (3, 40, 56)
    assert torch.equal(out[:, mask == 0], picture[0][:, mask == 0])
    before = state.portrait.canvas_by(state.adaptation.frozen)
    assert (out - before).abs().max() > 0.02


def test_one_slider_goes_back_and_beyond(starter: Models) -> None:
    state = run(PARAMS, starter)
    sheets = {a: NADA.show(state, replace(PARAMS, amount=a)).image for a in (0, 50, 100, 150)}
    with torch.no_grad():
        before = state.adaptation.frozen(state.codes)
    assert torch.equal(sheets[0][:, :16, :16], ((before[0].clamp(-1, 1) + 1) / 2))
    away = [float((sheets[a] - sheets[0]).abs().mean()) for a in (50, 100, 150)]
    assert 0 < away[0] < away[1] < away[2]
    coarse = NADA.show(state, replace(PARAMS, keep_px=16)).image
    assert not torch.equal(coarse, sheets[100]) and not torch.equal(coarse, sheets[0])
    assert torch.equal(NADA.show(state, replace(PARAMS, keep_px=1024)).image, sheets[0])


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 2, "as_published": True}, {"patches": 1.0, "mixing": 0.5},
        {"views": 3, "distance": 0.5, "cooldown": 0.5}, {"leap": 20, "phase": "affine"},
        {"whole": 1.0, "manifold": 1.0, "direction": 0.0, "shared_noise": False},
    ],
)  # fmt: skip
def test_it_goes_on_bit_for_bit(change: dict[str, Any], starter: Models) -> None:
    params = replace(PARAMS, **change)
    inputs = Inputs((16, 16), picture=studios.picture(studios.generator()))
    whole = run(params, starter, inputs, 3)
    saved = NADA.save(whole)
    again = NADA.setup(params, inputs, starter, CPU)
    NADA.restore(again, saved)
    for _ in range(3):
        one, other = NADA.step(whole, params), NADA.step(again, params)
        assert {k: float(v) for k, v in one.losses.items()} == {
            k: float(v) for k, v in other.losses.items()
        }
    assert torch.equal(NADA.result(whole).picture, NADA.result(again).picture)


def test_style_pictures_say_where_it_goes(starter: Models) -> None:
    red = torch.zeros(3, 20, 30)
    red[0] = 0.9
    params = replace(PARAMS, steps=25, texture=1.0)
    state = NADA.setup(params, Inputs((16, 16), styles=(red,)), starter, CPU)
    first = NADA.step(state, params)
    assert {"direction", "texture"} <= set(first.losses)
    for _ in range(24):
        last = NADA.step(state, params)
    assert float(last.losses["texture"]) < 0.8 * float(first.losses["texture"])
    with pytest.raises(LimnerError, match="no picture whose texture"):
        NADA.setup(params, NOTHING, starter, CPU)


def test_what_is_kept_is_a_generator_like_any_other(studio: Path, starter: Models) -> None:
    state = run(PARAMS, starter)
    result = NADA.result(state)
    assert result.leave is not None
    assert networks.kept("apples", result.leave) == "apples"
    assert networks.kept("apples", result.leave) == "apples-2", "never in another's place"
    assert not [f for f in studio.iterdir() if f.name.startswith(".")]
    assert (studio / "apples" / SAMPLES).stat().st_size > 100
    found = networks.find("generator", "apples")
    assert found.card["parent"] == studios.NAME and found.card["prompt"] == "a red apple"
    assert found.card["steps"] == 6 and found.card["seed"] == 0
    made = stylegan2.load("apples")
    torch.testing.assert_close(made.w_avg, state.adaptation.frozen.w_avg)
    code = studios.code(made)
    torch.testing.assert_close(made(code), state.adaptation.learned(code), atol=0.02, rtol=0)


def test_a_model_that_can_not_be_left_leaves_nothing(studio: Path) -> None:
    def fail(folder: Path) -> None:
        folder.mkdir()
        (folder / "half").write_text("a")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        networks.kept("never", fail)
    assert not [f for f in studio.iterdir() if f.name.startswith((".", "never"))]


def test_what_belongs_to_a_generator_belongs_to_what_it_became(
    studio: Path, starter: Models
) -> None:
    first = networks.kept("sea", NADA.result(run(PARAMS, starter)).leave)
    again = run(replace(PARAMS, generator=first), starter)
    second = networks.kept("sky", NADA.result(again).leave)
    assert networks.lineage(second) == [second, first, studios.NAME]
    made = studios.generator()
    studios.install_encoder(studio, made)
    studios.install_mapper(studio, made, "a red apple")
    assert [n.name for n in networks.belonging("encoder", second)] == [f"{studios.NAME}-encoder"]
    studios.leave(studio / "own", "mapper", {"generator": first}, {"x": torch.ones(1)}, {})
    names = [n.name for n in networks.belonging("mapper", second)]
    assert names == ["own", f"{studios.NAME}-mapper"], "the nearest first"
    assert networks.belonging("mapper", "another") == []


def test_a_name_is_made_of_the_prompt() -> None:
    assert called(PARAMS, "small") == "small-a-red-apple"
    assert called(replace(PARAMS, prompt="연필 스케치"), "small") == "small-adapted"
    assert called(replace(PARAMS, called="mine"), "small") == "mine"
    assert networks.NAME.fullmatch(called(replace(PARAMS, prompt="a " * 300), "small"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"called": "../out"}, "can't be a generator's name"),
        ({"source": "a red apple"}, "mean the same"), ({"prompt": " "}, "empty"),
        ({"direction": 0.0}, "Nothing moves"), ({"latents": "none such"}, "no latents"),
        ({"generator": "none such"}, "no generator"), ({"batch": 0}, "batch"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    change: dict[str, Any], words: str, starter: Models
) -> None:
    with pytest.raises(LimnerError, match=words):
        run(replace(PARAMS, **change), starter)
