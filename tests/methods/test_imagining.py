"""The five ways of painting from an embedding, under the methods' protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import imaginations
import pytest
import torch
from torch import Tensor

from limner.methods.base import Inputs, Interactive, Method, Models
from limner.methods.blend import Blend
from limner.methods.editing import own_clips
from limner.methods.imagine import Imagine
from limner.methods.imagining import alone, seen
from limner.methods.probe import Probe
from limner.methods.registry import METHODS
from limner.methods.text_diff import TextDiff
from limner.methods.variations import Variations
from limner.models.inversion import psnr
from limner.models.unclip.drawing import Drawing, Noising
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")
WAYS: tuple[Method[Any, Any], ...] = (Imagine(), Variations(), Blend(), TextDiff(), Probe())
SETTINGS: dict[str, dict[str, Any]] = {
    "imagine": {"prompt": "a red apple", "prior_steps": 3},
    "variations": {"looks": 4},
    "blend": {"looks": 4},
    "text_diff": {"looks": 4, "prompt": "a blue cat", "neutral": "a red apple"},
    "probe": {"dimensions": "1 3"},
}


@pytest.fixture(autouse=True, scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder: Path = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(folder))
        imaginations.install(folder)
        yield


def picture(seed: int = 4, size: tuple[int, int] = (16, 16)) -> Tensor:
    """(3, H, W) in [0, 1], smooth."""
    rough = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(rough, size, mode="bilinear")[0]


def params(method: Method[Any, Any], **more: Any) -> Any:
    usual = {"steps": 4, "enlarge": 2, "decoder": "d", **SETTINGS[method.name]}
    return method.params(**(usual | more))


def inputs(mask: Tensor | None = None, size: tuple[int, int] = (16, 16)) -> Inputs:
    return Inputs(size, picture=picture(size=size), mask=mask, others=(picture(9),))


def run(method: Method[Any, Any], settings: Any, given: Inputs, models: Models) -> list[Tensor]:
    """What every step shows, and the result."""
    state = method.setup(settings, given, models, CPU)
    out = []
    while True:
        preview = method.step(state, settings)
        assert preview.image is not None
        out.append(preview.image)
        if preview.step >= preview.total:
            made = method.result(state).picture
            assert made is not None
            return [*out, made]


@pytest.mark.parametrize("method", WAYS, ids=lambda m: m.name)
def test_it_is_a_method_and_paints(method: Method[Any, Any], starter: Models) -> None:
    assert METHODS[method.name].name == method.name
    assert isinstance(method, Interactive)
    assert own_clips(method, {"decoder": "d"}) == ("starter",)
    settings = params(method)
    shown = run(method, settings, inputs(), starter)
    assert shown[-1].ndim == 3 and torch.equal(shown[-1], shown[-2])
    assert torch.isfinite(shown[-1]).all() and shown[-1].min() >= 0 and shown[-1].max() <= 1
    assert not torch.equal(shown[-1], shown[0]), "it comes about before one's eyes"
    again = run(method, settings, inputs(), starter)
    assert all(torch.equal(a, b) for a, b in zip(shown, again, strict=True)), "the seed says all"


@pytest.mark.parametrize("method", WAYS, ids=lambda m: m.name)
@pytest.mark.parametrize("at", [1, 5, 8])
def test_what_was_left_goes_on_bit_for_bit(
    method: Method[Any, Any], at: int, starter: Models
) -> None:
    settings = params(method)
    whole = run(method, settings, inputs(), starter)
    first = method.setup(settings, inputs(), starter, CPU)
    for _ in range(min(at, len(whole) - 2)):
        method.step(first, settings)
    saved = {k: v.clone() for k, v in method.save(first).items()}
    second = method.setup(settings, inputs(), starter, CPU)
    method.restore(second, saved)
    while True:
        preview = method.step(second, settings)
        if preview.step >= preview.total:
            break
    made = method.result(second).picture
    assert made is not None and torch.equal(made, whole[-1])


def test_outside_the_selection_every_number_stays(starter: Models) -> None:
    mask = torch.zeros(24, 40)
    mask[4:16, 12:26] = 1
    given = inputs(mask, (24, 40))
    for method in (WAYS[0], WAYS[1], WAYS[3]):
        made = run(method, params(method), given, starter)[-1]
        assert given.picture is not None
        assert torch.equal(made[:, mask == 0], given.picture[:, mask == 0])
        assert not torch.equal(made[:, mask == 1], given.picture[:, mask == 1])


def test_what_is_selected_is_painted_knowing_the_rest(starter: Models) -> None:
    mask = torch.zeros(16, 16)
    mask[:, 8:] = 1
    settings = params(WAYS[0], resamples=2, enlarge=0)
    state = WAYS[0].setup(settings, inputs(mask), starter, CPU)
    while (preview := WAYS[0].step(state, settings)).step < preview.total:
        pass
    painted = state.found["drawing"]
    assert state.step == 3 + 2 * 4, "each step is made twice"
    rest = state.patch.cut(16)
    assert torch.allclose(painted[..., :7], rest[..., :7], atol=1e-6)


def test_a_pictures_own_noise_paints_it_again(starter: Models) -> None:
    made = imaginations.decoder()
    reader = starter.clips[0].clip
    given = torch.cat([picture(1)[None], picture(2)[None]]) * 2 - 1
    told = alone(reader, seen(reader, given))
    back = Noising(made, given, told, steps=100)
    while back.step < back.total:
        back.advance()
    there = Drawing(made, told, seed=0, steps=100, start=back.noise)
    while there.step < there.total:
        there.advance()
    assert psnr(there.picture, given) > 40


def test_no_turn_of_words_is_the_picture(starter: Models) -> None:
    near = []
    for theta in (0.0, 0.5):
        settings = params(WAYS[3], theta=theta, enlarge=0, steps=60, looks=60)
        near.append(psnr(run(WAYS[3], settings, inputs(), starter)[-1][None] * 2 - 1,
                         picture()[None] * 2 - 1))  # fmt: skip
    assert near[0] > 35 and near[0] > near[1] + 3


def test_a_blend_ends_at_its_pictures(starter: Models) -> None:
    for at, other in ((0.0, picture()), (1.0, picture(9))):
        settings = params(WAYS[2], at=at, enlarge=0, steps=60, looks=60)
        made = run(WAYS[2], settings, inputs(), starter)[-1]
        assert psnr(made[None] * 2 - 1, other[None] * 2 - 1) > 35


def test_sliders_answer_after_the_last_step(starter: Models) -> None:
    method = WAYS[3]
    settings = params(method, theta=0.0)
    state = method.setup(settings, inputs(), starter, CPU)
    while (preview := method.step(state, settings)).step < preview.total:
        pass
    moved = replace(settings, theta=0.6)
    show = METHODS["text_diff"].show  # type: ignore[attr-defined]
    first = show(state, moved)
    assert first.step < first.total, "look by look"
    kept_early = method.result(state).picture
    while (shown := show(state, moved)).step < shown.total:
        pass
    made, fresh = method.result(state).picture, run(method, moved, inputs(), starter)[-1]
    assert made is not None and kept_early is not None and first.image is not None
    assert torch.equal(made, fresh) and torch.equal(shown.image, fresh), "as if asked for at once"
    assert torch.equal(kept_early, fresh), "what was not painted yet is, when it is kept"


def test_a_change_on_the_way_begins_to_paint_again(starter: Models) -> None:
    method = WAYS[1]
    settings = params(method, eta=1.0)
    state = method.setup(settings, inputs(), starter, CPU)
    for _ in range(6):
        before = method.step(state, settings)
    moved = replace(settings, eta=0.2)
    after = method.step(state, moved)
    assert after.step == before.step + 1 and after.total == before.total + 2
    while (preview := method.step(state, moved)).step < preview.total:
        pass
    made = method.result(state).picture
    assert made is not None and torch.equal(made, run(method, moved, inputs(), starter)[-1])


def test_what_makes_no_sense_is_refused(starter: Models) -> None:
    cases = (
        (WAYS[0], params(WAYS[0], prompt=" "), inputs()),
        (WAYS[1], params(WAYS[1]), Inputs((16, 16))),
        (WAYS[2], params(WAYS[2]), Inputs((16, 16), picture=picture())),
        (WAYS[3], params(WAYS[3], neutral="a blue cat"), inputs()),
        (WAYS[0], params(WAYS[0], steps=0), inputs()),
        (WAYS[4], params(WAYS[4], dimensions="some"), inputs()),
        (WAYS[4], params(WAYS[4], dimensions="0"), inputs()),
        (WAYS[4], params(WAYS[4], dimensions="1 " * 16), inputs()),
    )
    for method, settings, given in cases:
        with pytest.raises(LimnerError) as caught:
            method.setup(settings, given, starter, CPU)
        assert caught.value.code is ErrorCode.BAD_INPUT
    with pytest.raises(LimnerError) as unknown:
        WAYS[0].setup(params(WAYS[0], decoder="nobody"), inputs(), starter, CPU)
    assert unknown.value.code is ErrorCode.UNKNOWN_MODEL
