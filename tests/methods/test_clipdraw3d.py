"""CLIPDraw in space on the starter model: each side is drawn as what it was asked to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from limner import session
from limner.methods.base import Inputs, Models, Preview, Result
from limner.methods.clipdraw import ClipDraw
from limner.methods.clipdraw import Params as FlatParams
from limner.methods.clipdraw3d import ClipDraw3D, Params, State, read_views
from limner.vector.rasterizer import render
from limner.vector.space import spread, views
from limner.vector.strokes import Strokes
from limner.vector.svg import read_svg, svg_text
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.strokes import MARGIN, NEAREST

CPU = torch.device("cpu")
SMALL = Params(prompt="a red apple", steps=12, strokes=10, cutouts=4, seed=3, tidy=False)
LONGER = replace(
    SMALL, steps=60, strokes=32, contrast=1.0, first_width=10.0, width_rate=2.0, colour_rate=2.0
)
SIZE = (80, 96)


def start(models: Models, params: Params = SMALL, **inputs: Any) -> State:
    return ClipDraw3D().setup(params, Inputs(SIZE, **inputs), models, CPU)


def drawn(models: Models, params: Params = SMALL, **inputs: Any) -> Result:
    return session.run(ClipDraw3D(), params, Inputs(SIZE, **inputs), models, device=CPU).result


def likeness(
    models: Models, strokes: Strokes, camera: tuple[float, float], text: str, other: str
) -> float:
    """How much more one side looks like `text` than like `other`, to the starter."""
    flat, _ = views(strokes, torch.tensor([camera]), SIZE)
    network = models.clips[0].clip
    seen = network.encode_image(
        torch.nn.functional.interpolate(render(flat, SIZE), (network.size_px, network.size_px))
    )
    one, two = network.encode_text([text, other])
    return float((seen @ (one - two)).mean())


def line(y: float, rgb: tuple[float, float, float]) -> Strokes:
    points = torch.tensor([[10.0, y], [30, y], [60, y], [80, y]])
    return Strokes(points, torch.tensor([0, 4]), torch.tensor([6.0]), torch.tensor([[*rgb, 1.0]]))


def test_the_drawing_comes_nearer_to_the_prompt(starter: Models) -> None:
    seen: list[float] = []

    def watch(preview: Preview) -> None:
        seen.append(float(preview.losses["nearness"]))

    session.run(ClipDraw3D(), LONGER, Inputs(SIZE), starter, device=CPU, watch=watch)
    first, last = sum(seen[:5]) / 5, sum(seen[-5:]) / 5
    assert last > first + 0.1, f"nearness went from {first:.3f} to {last:.3f}"


def test_each_side_is_what_it_was_asked_to_be(starter: Models) -> None:
    params = replace(LONGER, steps=80, cutouts=8, seed=0, views=("90: a blue fish",))
    strokes = drawn(starter, params).strokes
    texts = ("a red apple", "a blue fish")
    front = likeness(starter, strokes, (0.0, 0.0), *texts)
    side = likeness(starter, strokes, (90.0, 0.0), *texts)
    assert front > 0.05 and side < -0.03, f"front {front:.3f}, side {side:.3f}"


def test_the_same_seed_gives_the_same_strokes_and_another_gives_others(starter: Models) -> None:
    one, again = drawn(starter), drawn(starter)
    assert svg_text(one.strokes, SIZE) == svg_text(again.strokes, SIZE)
    assert svg_text(drawn(starter, replace(SMALL, seed=4)).strokes, SIZE) != svg_text(
        one.strokes, SIZE
    )


def test_what_is_shown_lies_in_space_far_to_near(starter: Models) -> None:
    state = start(starter)
    for _ in range(3):
        strokes = ClipDraw3D().step(state, SMALL).strokes
        assert strokes.depth is not None
        depths = strokes.depth.detach().split(strokes.offsets.diff().tolist())
        means = [float(d.mean()) for d in depths]
        assert means == sorted(means, reverse=True) and len(set(means)) == SMALL.strokes


def test_points_and_depths_stay_where_the_wire_can_carry_them(starter: Models) -> None:
    state = start(starter, replace(SMALL, point_rate=100.0))
    for _ in range(4):
        strokes = ClipDraw3D().step(state, state.params).strokes
    side = torch.tensor([96.0, 80.0])
    assert strokes.depth is not None and strokes.depth.abs().max() <= NEAREST * 96
    assert bool((strokes.points >= -MARGIN * side).all())
    assert bool((strokes.points <= (1 + MARGIN) * side).all())
    reach = (strokes.points / side - 0.5).abs().max()
    assert reach > 0.6, "nothing came near the bounds, so they were not tried"


def test_a_drawing_goes_on_from_its_svg(starter: Models) -> None:
    result = drawn(starter)
    given = read_svg(svg_text(result.strokes, SIZE).encode(), SIZE)
    state = start(starter, strokes=given)
    strokes = state.optimizer.strokes
    assert given.depth is not None and strokes.depth is not None
    assert torch.equal(strokes.points, given.points) and torch.equal(strokes.depth, given.depth)
    ClipDraw3D().step(state, SMALL)
    assert not torch.equal(strokes.depth, given.depth)


def test_begun_from_a_flat_drawing_it_looks_the_same_from_the_front(starter: Models) -> None:
    both = torch.cat([line(40, (1, 0, 0)).points, line(42, (0, 0, 1)).points])
    rgba = torch.tensor([[1.0, 0, 0, 1], [0, 0, 1, 1]])
    given = Strokes(both, torch.tensor([0, 4, 8]), torch.tensor([6.0, 6.0]), rgba)
    state = start(starter, strokes=given)
    flat, _ = views(state.optimizer.strokes.detach(), torch.tensor([[0.0, 0.0]]), SIZE)
    assert torch.equal(render(flat, SIZE), render(given, SIZE))
    depth = state.optimizer.strokes.depth
    assert depth is not None and depth[0] > depth[4], "what lay on top comes nearest"


def test_begun_from_a_picture_it_looks_like_it_from_the_front(starter: Models) -> None:
    picture = torch.ones(3, *SIZE)
    picture[1:, 20:60, 24:72] = 0.1
    state = start(starter, replace(SMALL, strokes=40), picture=picture)
    flat, _ = views(state.optimizer.strokes.detach(), torch.tensor([[0.0, 0.0]]), SIZE)
    seen = render(flat, SIZE)[0]
    assert float((seen - picture).square().mean()) < 0.01  # a white canvas would be 0.13


def test_drawn_flat_it_loses_its_depth(starter: Models) -> None:
    given = spread(line(40, (1, 0, 0)), 5.0)
    params = FlatParams("a cat", steps=2, strokes=3, tidy=False)
    state = ClipDraw().setup(params, Inputs(SIZE, strokes=given), starter, CPU)
    assert ClipDraw().step(state, params).strokes.depth is None


def test_settings_may_change_while_it_runs(starter: Models) -> None:
    method, state = ClipDraw3D(), start(starter)
    method.step(state, SMALL)
    before = state.aims[0].texts
    changed = replace(SMALL, prompt="a tree", views=("left: a dog",), cameras=3, point_rate=0.0)
    preview = method.step(state, changed)
    assert preview.step == 2 and len(before) == 1 and len(state.aims[0].texts) == 2
    assert state.views.cameras.tolist() == [[0, 0], [-90, 0]]
    strokes = state.optimizer.strokes.detach()
    method.step(state, changed)
    assert torch.equal(strokes.points, state.optimizer.strokes.points)
    assert strokes.depth is not None and state.optimizer.strokes.depth is not None
    assert torch.equal(strokes.depth, state.optimizer.strokes.depth), "a rate of 0 moved depth"
    with pytest.raises(LimnerError, match="is no view"):
        method.step(state, replace(changed, views=("somewhere",)))


def test_views_are_read_as_they_are_written() -> None:
    written = ("90: a leaf", "-45, 30 : a cat: asleep", "Back: 개", "above:the sun")
    found = read_views(Params("an apple", views=written))
    assert [w.text for w in found.wishes] == [
        "an apple",
        "a leaf",
        "a cat: asleep",
        "개",
        "the sun",
    ]
    assert found.cameras.tolist() == [[0, 0], [90, 0], [-45, 30], [180, 0], [0, 90]]
    at = torch.tensor([[10.0, 0], [80, 10], [-170, 5], [-44, 0], [123, 80], [350, 0]])
    assert found.nearest(at).tolist() == [0, 1, 3, 2, 4, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": " "}, "empty"),
        ({"views": ("90: ",)}, "empty"),
        ({"views": ("a leaf",)}, "is no view"),
        ({"views": ("east: a leaf",)}, "is no view"),
        ({"views": ("1e9: a leaf",)}, "is no view"),
        ({"views": ("nan: a leaf",)}, "is no view"),
        ({"views": ("0,91: a leaf",)}, "is no view"),
        ({"views": ("0,1,2: a leaf",)}, "is no view"),
        ({"views": ("90: a",) * 16}, "16 wishes"),
        ({"cameras": 0}, "between 1 and 64"),
        ({"elevation": 91.0}, "between 0 and 90 degrees"),
        ({"palette": ("red",)}, "#rrggbb"),
    ],
)
def test_settings_that_make_no_sense_are_told_in_words(
    starter: Models, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(LimnerError, match=words) as caught:
        start(starter, replace(SMALL, **change))
    assert caught.value.code is ErrorCode.BAD_INPUT


def test_more_cameras_than_cutouts_and_one_camera_alone(starter: Models) -> None:
    for cameras, cutouts in ((7, 2), (1, 3)):
        params = replace(SMALL, cameras=cameras, cutouts=cutouts, steps=2)
        assert drawn(starter, params).strokes.count == SMALL.strokes


def test_only_the_palettes_colours_are_used(starter: Models) -> None:
    strokes = drawn(starter, replace(SMALL, palette=("#ff0000", "#0000ff"))).strokes
    allowed = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    assert torch.cdist(strokes.rgba[:, :3], allowed).min(1).values.max() < 1e-6
    assert strokes.depth is not None


def test_tidying_never_lowers_the_score_and_takes_loose_strokes(starter: Models) -> None:
    plain = drawn(starter, replace(LONGER, steps=30))
    tidied = drawn(starter, replace(LONGER, steps=30, tidy=True))
    assert tidied.score >= plain.score - 1e-6
    assert 1 <= tidied.strokes.count < plain.strokes.count
    assert tidied.strokes.depth is not None


def test_a_step_that_is_not_finite_is_taken_back(starter: Models) -> None:
    method, state = ClipDraw3D(), start(starter)
    method.step(state, SMALL)
    strokes = state.optimizer.strokes
    assert strokes.depth is not None
    with torch.no_grad():
        strokes.depth[:] = torch.inf
    assert "back to the last good one" in method.step(state, SMALL).notice
    assert bool(strokes.depth.isfinite().all()) and bool(strokes.points.isfinite().all())
    assert method.step(state, SMALL).notice == "", "it did not go on"


def test_a_run_that_is_stopped_at_once_has_a_drawing(starter: Models) -> None:
    state = start(starter, replace(SMALL, tidy=True))
    result = ClipDraw3D().result(state)
    assert result.strokes.count >= 1 and result.strokes.depth is not None
    assert result.about["method"] == "clipdraw3d" and result.about["steps_done"] == 0


def test_words_the_starter_never_saw_are_named(starter: Models) -> None:
    state = start(starter, replace(SMALL, views=("back: a zorblax",)))
    assert state.notices == ["starter has never seen the words: zorblax."]
