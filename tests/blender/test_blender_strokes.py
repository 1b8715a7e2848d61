"""Strokes as arrays, and their colours for Blender's blending; no Blender needed."""

from __future__ import annotations

import random

import numpy as np
import pytest

from limner_blender import blending
from limner_blender import strokes as rooms
from limner_wire.strokes import Stroke, Strokes

CANVAS = (400, 300)


def drawing(seed: int, *segments: int, deep: bool = False) -> Strokes:
    """Random strokes of so many segments each."""
    rng = random.Random(seed)
    return Strokes.of([_stroke(rng, n, deep) for n in segments], CANVAS)


def _stroke(rng: random.Random, segments: int, deep: bool) -> Stroke:
    count = 3 * segments + 1
    points = [(rng.uniform(-90, 490), rng.uniform(-70, 370)) for _ in range(count)]
    rgba = rng.randrange(256), rng.randrange(256), rng.randrange(256), rng.randrange(256)
    depth = [rng.uniform(-200, 200) for _ in points] if deep else None
    return Stroke(points, rng.uniform(0.5, 40), rgba, depth)


@pytest.mark.parametrize("deep", [False, True])
def test_anchors_and_handles_are_the_control_points(deep: bool) -> None:
    """Against the wire's own reading of them, stroke by stroke."""
    given = drawing(1, 1, 3, 2, 1, 5, deep=deep)
    made, begin = rooms.curves(given), 0
    for s, stroke in enumerate(given):
        depth = stroke.depth or [0.0] * len(stroke.points)
        points = np.array([(*p, d) for p, d in zip(stroke.points, depth, strict=True)])
        here = slice(begin, begin + len(points[0::3]))
        near = pytest.approx  # single precision, on coordinates of some hundred pixels
        assert made.position[here] == near(points[0::3], abs=1e-4)
        assert made.handle_right[here][:-1] == near(points[1::3], abs=1e-4)
        assert made.handle_left[here][1:] == near(points[2::3], abs=1e-4)
        assert made.handle_left[begin] == near(2 * points[0] - points[1], abs=2e-4)
        assert made.handle_right[here][-1] == near(2 * points[-1] - points[-2], abs=2e-4)
        assert made.radius[here] == near(stroke.width / 2, rel=1e-6)
        assert made.colour[s] == near(np.array(stroke.rgba) / 255, abs=1e-7)
        begin = here.stop
    assert made.sizes.tolist() == [2, 4, 3, 2, 6] and begin == len(made.position)


@pytest.mark.parametrize("deep", [False, True])
def test_the_way_back_gives_the_same_strokes(deep: bool) -> None:
    given = drawing(2, *[1, 2, 3] * 40, deep=deep)
    assert rooms.control_points(rooms.curves(given), CANVAS, is_flat=not deep) == given


def test_strokes_of_one_point_are_left_out_and_none_at_all_are_fine() -> None:
    dot = Stroke([(5, 5)], 3, (0, 0, 0, 255))
    line = Stroke([(0, 0), (10, 20), (30, 40), (50, 60)], 3, (9, 9, 9, 255))
    both = rooms.curves(Strokes.of([dot, line, dot], CANVAS))
    assert both.sizes.tolist() == [2]
    assert both.position[1].tolist() == pytest.approx([50, 60, 0], abs=0.005)  # a wire's half step
    none = Strokes.of([], CANVAS)
    assert rooms.control_points(rooms.curves(none), CANVAS) == none
    assert len(rooms.spread(rooms.curves(none), "SIZE", 9.0).sizes) == 0


def seen(made: rooms.Curves, eye: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Where anchors and handles are seen from the eye on the canvas, and how wide, in pixels."""
    at = np.array(eye)
    points = np.stack([made.position, made.handle_left, made.handle_right])
    scale = -at[2] / (points[..., 2] - at[2])
    return at[:2] + (points[..., :2] - at[:2]) * scale[..., None], made.radius * scale[0]


@pytest.mark.parametrize("how", ["ORDER", "SIZE"])
def test_what_is_spread_looks_the_same_from_the_eye(how: str) -> None:
    flat, eye = rooms.curves(drawing(3, *[1, 2, 3] * 10)), (180.0, 210.0, -600.0)
    made = rooms.spread(flat, how, 200.0, eye)
    depths = made.position[made.first, 2]
    assert depths[0] == pytest.approx(100) and depths[-1] == pytest.approx(-100)
    assert (np.diff(depths) < 0).all(), "what is painted later is nearer"
    assert made.is_parallel
    back = rooms.flattened(made, eye)
    assert not back.position[:, 2].any()
    assert seen(made, eye)[0] == pytest.approx(seen(back, eye)[0], abs=1e-3)
    assert seen(made, eye)[1] == pytest.approx(seen(back, eye)[1], rel=1e-5)
    if how == "ORDER":
        assert back.position == pytest.approx(flat.position, abs=1e-3)
        assert back.radius == pytest.approx(flat.radius, rel=1e-5)


def test_by_size_what_takes_more_paint_is_farther() -> None:
    def line(length: float, width: float) -> Stroke:
        points = [(10 + length * t / 3, 20.0) for t in range(4)]
        return Stroke(points, width, (int(width), 0, 0, 255))

    lines = [line(20, 2), line(300, 8), line(100, 4), line(10, 100)]
    made = rooms.spread(rooms.curves(Strokes.of(lines, CANVAS)), "SIZE", 90.0)
    assert (made.colour[:, 0] * 255).round().tolist() == [8, 100, 4, 2]
    assert made.position[made.first, 2].tolist() == pytest.approx([45, 15, -15, -45])


def test_spreading_without_an_eye_moves_nothing_across() -> None:
    flat = rooms.curves(drawing(4, 2, 2, 2))
    made = rooms.spread(flat, "ORDER", 30.0)
    assert (made.position[:, :2] == flat.position[:, :2]).all()
    assert (made.radius == flat.radius).all()
    assert rooms.spread(flat, "FLAT", 30.0) is flat


# --- colours ---------------------------------------------------------------------------------


def test_srgb_is_that_of_the_standard() -> None:
    """IEC 61966-2-1: 0.5 is 0.2140 in linear light; the two parts meet at 0.04045."""
    values = blending.linear([0, 0.04045, 0.5, 1])
    assert values.tolist() == pytest.approx([0, 0.0031308, 0.2140411, 1], abs=1e-7)
    every = np.arange(256) / 255
    assert blending.srgb(blending.linear(every)) == pytest.approx(every, abs=1e-6)


def test_opaque_colours_are_exact() -> None:
    rng = np.random.default_rng(5)
    rgba = np.column_stack([rng.random((500, 3)), np.ones(500)]).astype(np.float32)
    mixed = blending.to_blender(rgba)
    assert (mixed[:, 3] == 1).all()
    assert mixed[:, :3] == pytest.approx(blending.linear(rgba[:, :3]), abs=1e-6)
    assert blending.from_blender(mixed) == pytest.approx(rgba, abs=1e-6)


def blended(rgba: np.ndarray, backdrops: np.ndarray) -> tuple[np.ndarray, ...]:
    """Strokes on a backdrop as an SVG's viewer shows them, as Blender shows them with what we give
    it, and with the same numbers in linear light; sRGB, 0 to 255."""
    alpha, mixed = rgba[:, 3:], blending.to_blender(rgba)
    cover = mixed[:, 3:]
    svg = alpha * rgba[:, :3] + (1 - alpha) * backdrops
    ours = cover * mixed[:, :3] + (1 - cover) * blending.linear(backdrops)
    plain = alpha * blending.linear(rgba[:, :3]) + (1 - alpha) * blending.linear(backdrops)
    return 255 * svg, 255 * blending.srgb(ours), 255 * blending.srgb(plain)


@pytest.mark.parametrize(("backdrop", "worst"), [("paper", 0.7), ("strokes on paper", 0.8)])
def test_translucent_strokes_look_more_like_the_svg(backdrop: str, worst: float) -> None:
    """On paper, and on as many strokes as leave half of it: the mean error against that of
    Blender's own blending of the same opacity."""
    rng = np.random.default_rng(6)
    rgba = rng.random((4000, 4)).astype(np.float32)
    under = np.ones((4000, 3))
    if backdrop != "paper":
        under = 0.5 + 0.5 * rng.random((4000, 3))
    svg, ours, plain = blended(rgba, under)
    error, before = np.abs(ours - svg).mean(), np.abs(plain - svg).mean()
    assert error < worst * before, f"{error:.1f} of 255, and {before:.1f} without"


def test_black_at_half_is_grey_on_paper() -> None:
    rgba = np.array([[0, 0, 0, 0.5]], np.float32)
    svg, ours, plain = blended(rgba, np.ones((1, 3)))
    assert svg[0] == pytest.approx(127.5) and plain[0] == pytest.approx(187.5, abs=0.5)
    assert ours[0] == pytest.approx(127.5, abs=2)


def test_a_painted_colour_comes_back_as_what_it_looks_like() -> None:
    """What Blender shows over paper, and over grey, as an SVG would show it."""
    rng = np.random.default_rng(7)
    mixed = rng.random((500, 4)).astype(np.float32)
    rgba = blending.from_blender(mixed)
    for backdrop in (1.0, 0.7):
        cover = mixed[:, 3:]
        shown = blending.srgb(cover * mixed[:, :3] + (1 - cover) * blending.linear(backdrop))
        svg = rgba[:, 3:] * rgba[:, :3] + (1 - rgba[:, 3:]) * backdrop
        assert np.abs(255 * (shown - svg)).mean() < 12
