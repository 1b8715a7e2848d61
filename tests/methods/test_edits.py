"""Edits that are searched for and edits that were learned, on a small generator."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import studios
import torch
from torch import Tensor

from limner.methods import latent_mapper, latent_optimization
from limner.methods.base import Inputs, Interactive, Models
from limner.methods.canvas import resized
from limner.methods.editing import own_clips
from limner.methods.latent_mapper import LatentMapper, nearest
from limner.methods.latent_optimization import LatentOptimization, State
from limner.methods.registry import METHODS
from limner.models import arcface, catalog, clip, networks
from limner.models.directions import text_change
from limner.models.networks import leave
from limner.training.mapper import Settings, Trainer
from limner_wire.errors import ErrorCode, LimnerError

sys.path.append(str(Path(__file__).parents[1] / "models"))
from test_faces import face

CPU = torch.device("cpu")
SIZE = (16, 16)
SEARCH, LEARNED = LatentOptimization(), LatentMapper()
PARAMS = latent_optimization.Params("a red apple", steps=30, fit=10, l2=0.001)


@pytest.fixture(autouse=True, scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(folder))
        studios.install(folder)
        yield folder


@pytest.fixture
def inputs() -> Inputs:
    return Inputs(SIZE, picture=studios.picture(studios.generator()))


def begun(method: Any, params: Any, inputs: Inputs, models: Models, steps: int = -1) -> Any:
    state = method.setup(params, inputs, models, CPU)
    for _ in range(params.steps if steps < 0 else steps):
        method.step(state, params)
    return state


def near(image: torch.Tensor, starter: Models, prompt: str = "a red apple") -> float:
    clip = starter.clips[0].clip
    size = (clip.size_px, clip.size_px)
    shown = torch.nn.functional.interpolate(image[None], size, mode="bicubic", antialias=True)
    return float(clip.encode_image(shown.clamp(0, 1))[0] @ clip.encode_text([prompt])[0])


def test_a_generators_own_clip_reads_its_edits_and_draws_nothing_unasked(studio: Path) -> None:
    asked = {"generator": studios.NAME}
    assert own_clips(SEARCH, asked) == ()
    best = catalog.find(None).name
    folder = studio / "its-reader"
    shutil.copytree(catalog.STARTER_FOLDER, folder)
    try:
        for owner, readers in (("another", ()), (studios.NAME, (folder.name,))):
            (folder / "card.json").write_text(json.dumps({"generator": owner}))
            assert own_clips(SEARCH, asked) == readers
        assert own_clips(METHODS["clipdraw"], {}) == ()
        assert catalog.find(None).name == best
        assert [c.clip.name for c in clip.load(readers)] == [folder.name]
    finally:
        shutil.rmtree(folder)
    with pytest.raises(LimnerError, match="no generator 'lost'"):
        own_clips(SEARCH, {"generator": "lost"})


def test_a_face_is_found_if_that_is_asked_for(starter: Models) -> None:
    params = replace(PARAMS, align=True)
    wide = Inputs((256, 320), picture=torch.nn.functional.pad(face(20), (0, 64), value=0.5))
    state = SEARCH.setup(params, wide, starter, CPU)
    square = state.portrait.patch.square
    assert square is not None and square.turn == pytest.approx(0.35, abs=0.1)
    assert not any("No face was found" in notice for notice in state.notices)
    assert SEARCH.result(state).size == (256, 320)
    flat = Inputs((64, 64), picture=torch.full((3, 64, 64), 0.5))
    state = SEARCH.setup(params, flat, starter, CPU)
    assert "No face was found: the middle of the picture is edited." in state.notices
    assert SEARCH.setup(PARAMS, wide, starter, CPU).portrait.patch.square is None


# --- searched for -----------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["w+", "w", "styles"])
def test_a_search_comes_nearer_to_the_words(space: str, inputs: Inputs, starter: Models) -> None:
    params = replace(PARAMS, space=space)
    state = begun(SEARCH, params, inputs, starter)
    found = [SEARCH.show(state, replace(params, strength=s)).image for s in (0.0, 50.0, 100.0)]
    assert all(f is not None for f in found)
    scores = [near(f, starter) for f in found if f is not None]
    assert scores[0] < scores[2] - 0.01 and scores[0] < scores[1]
    SEARCH.show(state, params)
    result = SEARCH.result(state)
    assert result.picture is not None and found[2] is not None
    assert torch.equal(result.picture, found[2])
    assert result.score == pytest.approx(scores[2], abs=0.02)  # seen as a whole, resized otherwise


def test_what_it_costs_to_go_far_holds_it_back(inputs: Inputs, starter: Models) -> None:
    moved = []
    for l2 in (0.0, 0.05):
        state = begun(SEARCH, replace(PARAMS, l2=l2), inputs, starter)
        moved.append(float((state.leaves[0] - state.start[0]).detach().norm()))
    assert moved[1] < 0.8 * moved[0]


def test_a_sparse_search_leaves_most_numbers_alone(inputs: Inputs, starter: Models) -> None:
    """As far in all, it goes in fewer of them."""
    parts = []
    for sparse in (0.0, 0.01):
        state = begun(SEARCH, replace(PARAMS, l2=0.0, sparse=sparse, steps=40), inputs, starter)
        moved = (state.leaves[0] - state.start[0]).detach().abs()
        parts.append(float((moved > 0.1 * moved.max()).float().mean()))
    assert parts[1] < 0.7 * parts[0]


def test_the_loss_is_the_papers(inputs: Inputs, starter: Models) -> None:
    state = begun(SEARCH, PARAMS, inputs, starter, 20)
    losses = SEARCH.step(state, PARAMS).losses
    far = state.before[0] - state.start[0]
    assert float(losses["l2"]) == pytest.approx(0.001 * float(far.square().sum()), rel=1e-4)
    assert 0 < float(losses["words"]) < 2


def test_in_w_all_layers_move_alike(inputs: Inputs, starter: Models) -> None:
    for space, alike in (("w", True), ("w+", False)):
        state = begun(SEARCH, replace(PARAMS, space=space, steps=20), inputs, starter)
        moved = (state.leaves[0] - state.start[0]).detach()
        assert bool(moved.abs().max() > 0.01)
        assert torch.allclose(moved, moved[:, :1].expand_as(moved), atol=1e-6) == alike


def test_given_a_neutral_text_the_change_goes_as_the_words_do(
    inputs: Inputs, starter: Models
) -> None:
    params = replace(PARAMS, neutral="a blue sea", l2=0.0, steps=30)
    state = begun(SEARCH, params, inputs, starter)
    plain = begun(SEARCH, replace(params, neutral=""), inputs, starter)
    one = starter.clips[0].clip
    way = text_change(one, "a red apple", "a blue sea")

    def along(found: State) -> float:
        with torch.no_grad():
            ends = [found.portrait.painted(found.portrait.generator.styles(w))
                    for w in (found.start[0], found.leaves[0])]  # fmt: skip
        a, b = (
            one.encode_image(resized((e[0] + 1) / 2, (one.size_px,) * 2)[None])[0] for e in ends
        )
        return float(torch.nn.functional.cosine_similarity(b - a, way, dim=0))

    assert along(state) > along(plain) + 0.05
    with pytest.raises(LimnerError, match="another search"):
        SEARCH.show(state, replace(params, neutral="the sea"))


@pytest.mark.parametrize("space", ["w+", "w", "styles"])
def test_others_like_it_must_go_the_same_way(space: str, inputs: Inputs, starter: Models) -> None:
    """What is found is then an edit of any of them: it brings strangers nearer to the words too."""
    params = replace(PARAMS, space=space, others=4, steps=30)
    state = begun(SEARCH, params, inputs, starter)
    generator = state.portrait.generator
    moved = [b.detach() - a for a, b in zip(state.start, state.leaves, strict=True)]
    strangers = generator.random(8, 99, 0.5)
    scores = []
    for share in (0.0, 1.0):
        if space == "styles":
            rows = zip(generator.styles(strangers), moved, strict=True)
            pictures = generator.render([s + share * m for s, m in rows])
        else:
            pictures = generator(strangers + share * moved[0])
        scores.append(sum(near((p + 1) / 2, starter) for p in pictures) / 8)
    assert scores[0] < scores[1] - 0.005
    assert torch.equal(SEARCH._near_codes(state)[0], torch.zeros_like(state.portrait.w[0]))


class Hill(LatentOptimization):
    """What is looked for is a brightness: a little brighter there is a hollow, and another where it
    is much darker, behind a hill."""

    depth, lies = 0.3, -0.3

    def _far(self, state: State, after: Tensor, ways: Sequence[Tensor]) -> Tensor:
        assert state.was is not None
        up = after.mean((1, 2, 3)) - state.was.mean()
        here, there = ((up - 0.05) / 0.05).square(), ((up / self.lies - 1) / 0.4).square()
        return -self.depth * torch.exp(-here) - torch.exp(-there)

    def _along(self, state: State) -> tuple[Tensor, Tensor]:
        codes, _ = super()._along(state)
        return codes, -state.portrait.generator(codes).mean((1, 2, 3)).detach()


@pytest.mark.parametrize(("space", "lies"), [("w+", -0.3), ("w", -0.3), ("styles", -0.09)])
@pytest.mark.parametrize(("leap", "depth", "gone"), [(0, 0.3, 0), (64, 0.3, 1), (64, 3.0, 0)])
def test_a_leap_looks_behind_the_hill(
    space: str, lies: float, leap: int, depth: float, gone: int, inputs: Inputs, starter: Models
) -> None:
    """And stays on this side if nothing better lies there."""
    hill = Hill()
    hill.depth, hill.lies = depth, lies
    params = replace(PARAMS, space=space, leap=leap, fit=1, steps=2, rate=0.0001)
    state = begun(hill, params, inputs, starter)
    now = state.portrait.painted(hill._styles(state, state.leaves))
    assert state.was is not None
    assert float((now - state.was).detach().mean()) == pytest.approx(gone * lies, abs=0.06)


def test_colours_layers_stay_in_style_space(inputs: Inputs, starter: Models) -> None:
    state = begun(SEARCH, replace(PARAMS, space="styles", steps=14, leap=2), inputs, starter)
    for layer, a, b in zip(
        state.portrait.generator.config.style_layers, state.start, state.leaves, strict=True
    ):
        assert torch.equal(a, b) == layer.is_rgb


def test_the_authors_way_shows_the_picture_before_the_last_step(
    inputs: Inputs, starter: Models
) -> None:
    params = replace(PARAMS, as_published=True, steps=20)
    state = begun(SEARCH, params, inputs, starter, 10)
    SEARCH.step(state, params)
    assert torch.equal(state.leaves[0].detach(), state.start[0])  # the first rate is 0
    for _ in range(5):
        SEARCH.step(state, params)
    shown = state.portrait.generator.styles(state.before[0])
    assert torch.equal(SEARCH.edited(state)[0], shown[0])
    ours = begun(SEARCH, replace(params, as_published=False), inputs, starter, 11)
    assert not torch.equal(ours.leaves[0].detach(), ours.start[0])


def test_without_a_picture_the_seed_names_one(starter: Models) -> None:
    params = replace(PARAMS, steps=12, fit=5)
    first, other = (
        begun(SEARCH, replace(params, seed=s), Inputs((24, 24)), starter) for s in (1, 2)
    )
    assert first.portrait.fit == 0 and first.step == 12
    w = studios.code(studios.generator(), 1)
    torch.testing.assert_close(first.start[0], w)
    assert not torch.equal(first.start[0], other.start[0])
    result = SEARCH.result(first)
    assert result.size == (24, 24) and "inversion_db" not in result.about


def test_the_person_is_kept_where_a_network_knows_people(
    studio: Path, inputs: Inputs, starter: Models
) -> None:
    without = SEARCH.setup(PARAMS, inputs, starter, CPU)
    assert any("identity" in text for text in without.notices)
    torch.manual_seed(0)
    config = arcface.Config(arcface.Body((8, 8, 8), (1, 1)), 16, 8)
    network = arcface.ArcFace(config)
    leave(studio / "who", "identity", config.to_json(), network.state_dict(), {}, whole=("",))
    try:
        state = begun(SEARCH, replace(PARAMS, identity=0.5), inputs, starter, 14)
        losses = SEARCH.step(state, replace(PARAMS, identity=0.5)).losses
        assert 0 < float(losses["identity"]) < 1 and not state.notices
    finally:
        for file in (studio / "who").iterdir():
            file.unlink()


def test_afterwards_strength_answers_and_other_words_do_not(
    inputs: Inputs, starter: Models
) -> None:
    assert isinstance(SEARCH, Interactive) and isinstance(LEARNED, Interactive)
    state = begun(SEARCH, replace(PARAMS, steps=14), inputs, starter)
    with pytest.raises(LimnerError, match="another search"):
        SEARCH.show(state, replace(PARAMS, steps=14, prompt="the sea"))
    assert state.params.prompt == "a red apple"


def test_other_words_while_it_searches_turn_it(inputs: Inputs, starter: Models) -> None:
    state = begun(SEARCH, PARAMS, inputs, starter, 20)
    before = state.aims
    SEARCH.step(state, replace(PARAMS, prompt="the sea"))
    assert state.aims is not before and SEARCH.result(state).about["prompt"] == "the sea"


@pytest.mark.parametrize("changes", [{"fit": 30}, {"tune": 25}, {"prompt": " "}, {"l2": 2.0}])
def test_a_search_that_makes_no_sense_is_refused(
    changes: dict[str, Any], inputs: Inputs, starter: Models
) -> None:
    with pytest.raises(LimnerError) as told:
        SEARCH.setup(replace(PARAMS, **changes), inputs, starter, CPU)
    assert told.value.code is ErrorCode.BAD_INPUT


# --- learned ----------------------------------------------------------------------------------


def trained(folder: Path, starter: Models, count: int, **changes: Any) -> Trainer:
    settings = Settings("a red apple", **{"steps": 40, "batch": 2, **changes})
    clip = starter.clips[0].clip
    trainer = Trainer(settings, studios.generator(), clip, folder, name=studios.NAME)
    for _ in range(count):
        trainer.advance()
    return trainer


@pytest.fixture(scope="module")
def mapper(studio: Path, starter: Models) -> Iterator[Trainer]:
    trainer = trained(
        studio / "red", starter, 80, steps=80, batch=4, latents=0.01, rate=2.0, warmup=10
    )
    trainer.export()
    yield trainer
    for file in (studio / "red").iterdir():
        file.unlink()


def test_a_mapper_learns_an_edit_for_pictures_that_it_never_saw(
    mapper: Trainer, inputs: Inputs, starter: Models
) -> None:
    params = latent_mapper.Params("a red apple", steps=30)
    state = begun(LEARNED, params, inputs, starter)
    scores = []
    for strength in (0.0, 1.0):
        image = LEARNED.show(state, replace(params, strength=strength)).image
        assert image is not None
        scores.append(near(image, starter))
    assert scores[1] > scores[0] + 0.005
    result = LEARNED.result(state)
    assert result.about["method"] == "latent_mapper" and result.about["mapper"] == "red"
    assert state.chosen == "red"
    assert state.notices == ["The edit is red's."]


def test_levels_have_their_own_strength(mapper: Trainer, inputs: Inputs, starter: Models) -> None:
    params = latent_mapper.Params("a red apple", steps=2)
    state = begun(LEARNED, params, inputs, starter)
    plain = state.portrait.generator.styles(state.portrait.w)

    def moved(**levels: float) -> list[int]:
        LEARNED.show(state, replace(params, **levels))
        rows = zip(plain, LEARNED.edited(state), strict=True)
        layers = state.portrait.generator.config.style_layers
        return sorted({layers[k].latent for k, (a, b) in enumerate(rows) if not torch.equal(a, b)})

    assert moved() == [0, 1, 2, 3, 4, 5]
    assert moved(coarse=0.0) == [4, 5] and moved(medium=0.0) == [0, 1, 2, 3]
    assert moved(strength=0.0) == []


def test_the_nearest_mapper_is_taken_or_the_named_one(starter: Models) -> None:
    texts = ["a red apple", "the sea", "a dog"]
    assert nearest("The sea", texts, starter.clips) == 1
    assert nearest("an apple", texts, starter.clips) == 0
    assert nearest("a puppy", texts, ()) == 0


def test_a_mapper_that_is_not_there(
    mapper: Trainer, inputs: Inputs, starter: Models, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    params = latent_mapper.Params("a red apple", steps=2)
    with pytest.raises(LimnerError, match="There are: red"):
        LEARNED.setup(replace(params, mapper="blue"), inputs, starter, CPU)
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path))
    studios.install(tmp_path)
    with pytest.raises(LimnerError, match="no mapper for small"):
        LEARNED.setup(params, inputs, starter, CPU)


@pytest.mark.parametrize(
    "changes", [{}, {"parts": ("style.00", "style.03")}, {"neutral": "a picture"}]
)
def test_training_goes_on_bit_for_bit(
    changes: dict[str, Any], tmp_path: Path, starter: Models
) -> None:
    whole = trained(tmp_path / "whole", starter, 6, **changes)
    trained(tmp_path / "part", starter, 3, **changes).run.save()
    again = trained(tmp_path / "part", starter, 0, **changes)
    assert again.run.resume() and again.run.step == 3
    for _ in range(3):
        again.advance()
    for name, value in whole.run.averaged_state().items():
        assert torch.equal(value, again.run.averaged_state()[name]), name


def test_a_mapper_tells_what_it_was_trained_for(mapper: Trainer) -> None:
    found = networks.find("mapper", "red")
    assert latent_mapper.words_of(found) == "a red apple"
    assert found.config["normalizes"] == "channels" and found.card["clip"] == "starter"
    assert networks.belonging("mapper", "small")[0].name == "red"
