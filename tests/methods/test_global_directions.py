"""Edits along directions, with a small generator in a models folder and the starter CLIP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import studios
import torch

from limner.methods.base import Inputs, Interactive, Models
from limner.methods.global_directions import GlobalDirections, Params, wanted
from limner.models import directions, networks
from limner.models.directions import chosen_threshold, reachable, text_change
from limner.models.stylegan2 import Generator
from limner.training.directions import Measurement, Settings
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")
METHOD = GlobalDirections()
PARAMS = Params("a red apple", steps=6, neutral="a picture")
SIZE = (16, 16)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, starter: Models) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(folder))
        studios.install(folder, clip=starter.clips[0].clip)
        yield folder


@pytest.fixture
def made(studio: Path) -> Generator:
    return studios.generator()


@pytest.fixture
def inputs(made: Generator) -> Inputs:
    return Inputs(SIZE, picture=studios.picture(made))


def begun(params: Params, inputs: Inputs, starter: Models, steps: int | None = None) -> Any:
    state = METHOD.setup(params, inputs, starter, CPU)
    for _ in range(params.steps if steps is None else steps):
        METHOD.step(state, params)
    return state


def near(picture: torch.Tensor, text: str, neutral: str, starter: Models) -> float:
    """How far a picture goes along the change of words."""
    clip = starter.clips[0].clip
    size = (clip.size_px, clip.size_px)
    large = torch.nn.functional.interpolate(picture[None], size, mode="bicubic", antialias=True)
    return float(clip.encode_image(large.clamp(0, 1))[0] @ text_change(clip, text, neutral))


def test_at_strength_0_it_is_the_picture(inputs: Inputs, starter: Models) -> None:
    params = replace(PARAMS, strength=0.0, steps=100)
    result = METHOD.result(begun(params, inputs, starter))
    assert result.strokes is None and result.picture is not None and result.size == SIZE
    assert inputs.picture is not None
    error = (result.picture - inputs.picture).square().mean()
    assert -10 * error.log10() > 24 and result.about["inversion_db"] > 24
    assert result.about["generator"] == "small" and result.about["method"] == METHOD.name


def test_a_direction_goes_where_the_words_go(inputs: Inputs, starter: Models) -> None:
    """Judged by the CLIP that it was measured with, on a picture that it was not measured on."""
    state = begun(PARAMS, inputs, starter)
    found = []
    for strength in (-6.0, 0.0, 6.0):
        image = METHOD.show(state, replace(PARAMS, strength=strength)).image
        assert image is not None and bool(image.isfinite().all())
        found.append(near(image, PARAMS.prompt, PARAMS.neutral, starter))
    assert found[0] < found[1] < found[2]


def test_the_edit_is_linear_in_style_space(inputs: Inputs, starter: Models) -> None:
    state = begun(PARAMS, inputs, starter, 1)
    start = state.portrait.generator.styles(state.portrait.w)

    def steps(**changes: Any) -> list[torch.Tensor]:
        METHOD.show(state, replace(PARAMS, **changes))
        return [b - a for a, b in zip(start, METHOD.edited(state), strict=True)]

    once, thrice = steps(strength=2.0), steps(strength=6.0)
    layers = state.portrait.generator.config.style_layers
    for layer, a, b in zip(layers, once, thrice, strict=True):
        torch.testing.assert_close(3 * a, b, atol=1e-5, rtol=1e-4)
        assert not layer.is_rgb or not a.any()
    other = steps(prompt="the sea", strength=4.0)
    both = steps(strength=2.0, also=("the sea@4",))
    for a, b, c in zip(once, other, both, strict=True):
        torch.testing.assert_close(a + b, c, atol=1e-5, rtol=1e-4)
    assert wanted(replace(PARAMS, strength=2.0, also=("the sea",)))[1] == ("the sea", 2.0)


def test_a_higher_threshold_moves_fewer_channels(inputs: Inputs, starter: Models) -> None:
    state = begun(PARAMS, inputs, starter, 1)
    counts = []
    for threshold in (0.001, 0.05, 0.1):
        losses = METHOD.show(state, replace(PARAMS, threshold=threshold)).losses
        counts.append(float(losses["channels_moved"]))
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1] >= 1


def test_above_every_agreement_the_best_channel_still_moves(
    inputs: Inputs, starter: Models
) -> None:
    state = begun(PARAMS, inputs, starter, 1)
    losses = METHOD.show(state, replace(PARAMS, threshold=0.5)).losses
    assert float(losses["channels_moved"]) == 1 and float(losses["threshold_used"]) < 0.5
    assert all(bool(s.isfinite().all()) for s in METHOD.edited(state))


def test_thresholds_are_chosen_as_the_authors_choose_them() -> None:
    agreement = torch.cat([torch.linspace(0, 0.2, 101), -torch.full((5,), 0.25)])
    assert chosen_threshold(agreement, 20) == pytest.approx(0.17)  # 16 of the ramp, and 5 against
    assert chosen_threshold(agreement, 4) == pytest.approx(0.25)
    assert chosen_threshold(agreement, 500) == pytest.approx(0.1)
    assert reachable(agreement, 0.3) == pytest.approx(0.25)
    assert reachable(agreement, 0.2) == 0.2


def test_a_boundary_by_hand(made: Generator) -> None:
    layers = made.config.style_layers
    std = tuple(torch.full((layer.channels,), 2.0) for layer in layers)
    relevance = torch.zeros(14, 2)  # a file may know the first channels only
    relevance[0], relevance[1], relevance[13] = (torch.tensor([a, 0.0]) for a in (0.8, 0.1, -0.4))
    known = directions.Directions(relevance, std, made.config)
    boundary = known.boundary(known.agreement(torch.tensor([1.0, 0.0])), 0.2)
    names = [layer.name for layer in layers]
    first, second = boundary[names.index("4.conv1")], boundary[names.index("8.conv0")]
    assert first.tolist() == [2.0] + [0.0] * 11 and second[1] == -1.0
    assert sum(float(b.abs().sum()) for b in boundary) == 3.0
    with pytest.raises(LimnerError, match="dimensions"):
        known.agreement(torch.ones(3))
    assert all(not b.any() for b in known.boundary(torch.zeros(14), 0.0))


def test_outside_the_mask_the_canvas_stays(made: Generator, starter: Models) -> None:
    canvas = torch.nn.functional.interpolate(
        studios.picture(made)[None], (40, 48), mode="bilinear"
    )[0]
    mask = torch.zeros(40, 48)
    mask[8:30, 10:38] = 1
    params = replace(PARAMS, strength=10.0, detail=100.0)
    state = begun(params, Inputs((40, 48), picture=canvas, mask=mask), starter)
    result = METHOD.result(state)
    assert result.size == (40, 48) and result.picture is not None
    assert torch.equal(result.picture[:, mask == 0], canvas[:, mask == 0])
    assert (result.picture - canvas)[:, mask == 1].abs().max() > 0.02
    still = METHOD.show(state, replace(params, strength=0.0)).image
    assert still is not None  # with all detail put back, no edit is no change
    torch.testing.assert_close(still, canvas, atol=0.01, rtol=0)


def test_a_slider_is_answered_in_time(inputs: Inputs, starter: Models) -> None:
    assert isinstance(METHOD, Interactive)
    state, took = begun(PARAMS, inputs, starter, 1), []
    for k in range(8):
        began = time.perf_counter()
        preview = METHOD.show(state, replace(PARAMS, strength=float(k)))
        assert preview.image is not None and preview.image.shape == (3, 16, 16)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.06


def test_nothing_is_tuned_but_what_is_asked_for(inputs: Inputs, starter: Models) -> None:
    params = replace(PARAMS, steps=10, tune=4, strength=0.0)
    state, again = begun(params, inputs, starter, 8), METHOD.setup(params, inputs, starter, CPU)
    METHOD.restore(again, METHOD.save(state))
    for _ in range(2):
        METHOD.step(state, params)
        METHOD.step(again, params)
    a, b = METHOD.result(state), METHOD.result(again)
    assert a.picture is not None and b.picture is not None
    assert torch.equal(a.picture, b.picture) and a.about == b.about
    untuned = METHOD.result(begun(replace(params, steps=6, tune=0), inputs, starter))
    assert a.about["inversion_db"] > untuned.about["inversion_db"]


def test_an_encoder_is_where_it_begins(studio: Path, inputs: Inputs, starter: Models) -> None:
    made = studios.generator()
    encoder = studios.install_encoder(studio, made)
    try:
        state = METHOD.setup(PARAMS, inputs, starter, CPU)
        assert inputs.picture is not None
        guess = encoder.encode(inputs.picture[None] * 2 - 1)
        torch.testing.assert_close(state.portrait.w, guess)
    finally:
        for file in (studio / "small-encoder").iterdir():
            file.unlink()


def test_a_latent_is_where_it_begins(made: Generator, starter: Models) -> None:
    w = studios.code(made)[0]
    given = Inputs(SIZE, picture=studios.picture(made), latent=w)
    state = METHOD.setup(PARAMS, given, starter, CPU)
    assert torch.equal(state.portrait.w[0], w)
    with pytest.raises(LimnerError, match="rows of 3"):
        METHOD.setup(PARAMS, replace(given, latent=torch.ones(2, 3)), starter, CPU)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"prompt": "?!"}, ErrorCode.BAD_INPUT),
        ({"prompt": "a picture"}, ErrorCode.BAD_INPUT),
        ({"strength": 99.0}, ErrorCode.BAD_INPUT),
        ({"tune": 6}, ErrorCode.BAD_INPUT),
        ({"generator": "no such"}, ErrorCode.UNKNOWN_MODEL),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, Any], code: ErrorCode, inputs: Inputs, starter: Models
) -> None:
    with pytest.raises(LimnerError) as told:
        METHOD.setup(replace(PARAMS, **changes), inputs, starter, CPU)
    assert told.value.code is code


def test_without_a_picture_or_directions_it_says_what_to_do(
    studio: Path, inputs: Inputs, starter: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LimnerError, match="no picture"):
        METHOD.setup(PARAMS, Inputs(SIZE), starter, CPU)
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path))
    studios.install(tmp_path)
    with pytest.raises(LimnerError, match="limner train directions --generator small"):
        METHOD.setup(PARAMS, inputs, starter, CPU)


# --- measuring --------------------------------------------------------------------------------


def measured(made: Generator, starter: Models, folder: Path, **changes: Any) -> Measurement:
    clip = starter.clips[0].clip
    return Measurement(made, clip, folder, Settings(samples=3, **changes))


def test_what_a_channel_means_is_what_it_changes(
    made: Generator, starter: Models, tmp_path: Path
) -> None:
    """One channel, by hand, as the paper says it."""
    found = measured(made, starter, tmp_path)
    for _ in range(3):
        found.advance()
    layer, channel = found.channels[2]
    chance = torch.Generator().manual_seed(5)
    styles = made.styles(made.map(torch.randn(3, 16, generator=chance), truncation=0.7))
    mean, std = directions.style_statistics(made)
    ends = []
    for sign in (1, -1):
        own = [s.clone() for s in styles]
        own[layer][:, channel] = mean[layer][channel] + sign * 5 * std[layer][channel]
        ends.append(found._seen(own))
    apart = torch.nn.functional.normalize(ends[0] - ends[1], dim=1).mean(0)
    wanted_row = torch.nn.functional.normalize(apart, dim=0)
    torch.testing.assert_close(found.rows[2], wanted_row, atol=1e-3, rtol=0)  # batches differ


@pytest.mark.parametrize("as_published", [False, True])
def test_measuring_goes_on_where_it_ended(
    as_published: bool, made: Generator, starter: Models, tmp_path: Path
) -> None:
    def fresh(**changes: Any) -> Measurement:
        return measured(made, starter, tmp_path, as_published=as_published, **changes)

    whole, first, second = fresh(), fresh(), fresh()
    for _ in range(6):
        whole.advance()
    for _ in range(4):
        first.advance()
    assert not second.resume()
    first.save()
    assert second.resume() and second.done == 4
    for _ in range(2):
        second.advance()
    assert torch.equal(whole.rows[:6], second.rows[:6])
    with pytest.raises(LimnerError, match="other settings"):
        fresh(shift=3.0).resume()


def test_the_authors_slip_matters_and_only_after_the_first(
    made: Generator, starter: Models, tmp_path: Path
) -> None:
    ours, theirs = (measured(made, starter, tmp_path, as_published=p) for p in (False, True))
    for _ in range(5):
        ours.advance()
        theirs.advance()
    assert torch.equal(ours.rows[0], theirs.rows[0])
    assert (ours.rows[1:5] - theirs.rows[1:5]).abs().max() > 1e-3


def test_colours_come_after_the_others_and_move_too(
    made: Generator, starter: Models, tmp_path: Path
) -> None:
    found = measured(made, starter, tmp_path, colours=True)
    layers = made.config.style_layers
    assert len(found.channels) == sum(layer.channels for layer in layers)
    kinds = [layers[k].is_rgb for k, _ in found.channels]
    assert kinds == sorted(kinds) and True in kinds
    plain = measured(made, starter, tmp_path)
    assert found.channels[: len(plain.channels)] == plain.channels
    std = tuple(torch.full((layer.channels,), 2.0) for layer in layers)
    known = directions.Directions(torch.eye(len(found.channels)), std, made.config)
    for at in (0, len(plain.channels), len(found.channels) - 1):
        agreement = torch.zeros(len(found.channels))
        agreement[at] = 0.5
        layer, channel = found.channels[at]
        for k, step in enumerate(known.boundary(agreement, 0.1)):
            expected = torch.zeros_like(step)
            if k == layer:
                expected[channel] = 2.0
            assert torch.equal(step, expected)


def test_batches_are_only_for_memory(made: Generator, starter: Models, tmp_path: Path) -> None:
    one, other = measured(made, starter, tmp_path), measured(made, starter, tmp_path, batch=2)
    one.advance()
    other.advance()
    torch.testing.assert_close(one.rows[0], other.rows[0], atol=1e-3, rtol=0)


def test_what_was_measured_is_read_again(studio: Path, made: Generator) -> None:
    found = networks.belonging("directions", "small")[0]
    assert found.name == "small-directions" and found.config["clip"] == "starter"
    known = directions.load(found, made)
    assert known.neutral == "a person" and known.clip == "starter"
    lengths = known.relevance.norm(dim=1)
    assert bool(((lengths - 1).abs() < 1e-2).all()) and len(known.relevance) == 56
    _, std = directions.style_statistics(made)
    torch.testing.assert_close(list(known.std), std)
    assert networks.belonging("directions", "another") == []
