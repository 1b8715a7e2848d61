"""Flattening is near enough to the curve, its transpose is one, and boxes miss no pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scribbles import line, scribble

from limner.vector import boxes, flatten
from limner.vector.strokes import Strokes

ONE = np.float32(1)


def flat(strokes: Strokes, size: tuple[int, int], scale: float = 1.0, tolerance: float = 0.25):  # type: ignore[no-untyped-def]
    """(steps, first, paint, lines, owner) as the kernels make them."""
    given = [t.numpy() for t in (strokes.points, strokes.offsets, strokes.width, strokes.rgba)]
    points, offsets, width, rgba = given
    by = np.float32(scale)
    steps, first, paint = flatten.survey(
        points, offsets, width, rgba, by, *size, np.float32(tolerance)
    )
    lines, owner = flatten.draw_all(points, offsets, by, steps, first)
    return steps, first, paint, lines, owner


def curve(cubic: np.ndarray, t: np.ndarray) -> np.ndarray:
    u = 1 - t
    basis = np.stack([u**3, 3 * u * u * t, 3 * u * t * t, t**3], 1)
    return basis @ cubic


def distances(points: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """(N,): of each point from the nearest of some segments."""
    a, e = lines[:, :2].astype(float), lines[:, 2:4].astype(float)
    away = points[:, None] - a[None]
    t = np.clip((away * e).sum(-1) / np.maximum((e * e).sum(-1), 1e-12), 0, 1)
    return np.sqrt(((away - t[..., None] * e) ** 2).sum(-1)).min(1)


@pytest.mark.parametrize("tolerance", [0.05, 0.25, 1.0])
def test_the_polyline_stays_within_its_tolerance(tolerance: float) -> None:
    strokes = scribble(60, 1, (200, 200), segments=1)
    _, first, _, lines, _ = flat(strokes, (200, 200), tolerance=tolerance)
    worst, drawn = 0.0, 0
    for s in range(strokes.count):
        own = lines[first[s] : first[s + 1]]
        if len(own):
            drawn += 1
            cubic = strokes.points[4 * s : 4 * s + 4].numpy().astype(float)
            far = distances(curve(cubic, np.linspace(0, 1, 200)), own)
            worst = max(worst, far.max())
    assert drawn > 40
    # the vertices lie outside by 2/3 of Wang's bound, the chords' middles inside by 1/3
    assert tolerance * 0.3 < worst <= tolerance * 2 / 3 * 1.02


def test_a_straight_stroke_is_one_segment() -> None:
    steps, first, _, lines, owner = flat(line(3, 4, 30, 40), (64, 64))
    assert steps.tolist() == [1] and first.tolist() == [0, 1] and owner.tolist() == [0]
    np.testing.assert_allclose(lines[0, :4], [3, 4, 27, 36], rtol=1e-6)  # float32


def test_a_cubic_never_makes_more_than_its_cap() -> None:
    wild = line(0, 0, 64, 64)
    wild.points[1] = torch.tensor([9e5, -9e5])
    steps, *_ = flat(wild, (64, 64))
    assert steps.tolist() == [flatten.MAX_STEPS]


def test_ends_and_joints_are_exact() -> None:
    """Caps and joints lie where the artist put them: only inner vertices are moved."""
    strokes = scribble(1, 2, (64, 64), segments=3)
    steps, _, _, lines, _ = flat(strokes, (64, 64))
    joints = np.concatenate([[0], np.cumsum(steps)])[:-1]
    np.testing.assert_allclose(lines[joints, :2], strokes.points[0:9:3], rtol=1e-6)
    np.testing.assert_allclose(lines[-1, :2] + lines[-1, 2:4], strokes.points[9], rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_the_gradient_is_the_transpose(scale: float) -> None:
    """<V(P), g> = <P, V'(g)> for a linear V, whatever g is."""
    strokes = scribble(20, 3, (100, 100), segments=3)
    steps, first, _, lines, _ = flat(strokes, (100, 100), scale)
    ends = np.random.default_rng(3).standard_normal((len(lines), 4)).astype(np.float32)
    found = flatten.control_gradients(
        ends, strokes.offsets.numpy(), np.float32(scale), steps, first, len(strokes.points)
    )
    drawn = np.repeat(np.diff(first) > 0, 10)
    assert drawn.any() and not drawn.all() and not found[~drawn].any()
    vertices = np.concatenate([lines[:, :2], lines[:, :2] + lines[:, 2:4]], 1)
    forward = (vertices.astype(float) * ends).sum()
    back = (strokes.points.numpy().astype(float) * found).sum()
    assert forward == pytest.approx(back, rel=1e-4)  # float32 sums of a few hundred terms


def test_a_pixel_near_a_stroke_finds_its_nearest_segment() -> None:
    """Boxes are cut close to each segment, yet every covered pixel is in its nearest one's."""
    size = (70, 90)
    strokes = scribble(12, 4, size, width=(1, 30))
    _, first, paint, lines, owner = flat(strokes, size)
    items, start = boxes.sort(lines, first, paint, np.array([0, strokes.count]), *size)
    looks = np.zeros((len(lines), *size), bool)
    for strip in range(len(start) - 1):
        for k, left, right, pixels in items[start[strip] : start[strip + 1]]:
            rows = slice(strip * 8 + (pixels & 255) // 8, strip * 8 + (pixels >> 8) // 8)
            looks[k, rows, left * 8 : right * 8] = True
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    pixels = np.stack([x.ravel(), y.ravel()], 1)
    seen = 0
    for s in range(strokes.count):
        own = np.flatnonzero(owner == s)
        if not len(own):
            continue
        each = np.stack([distances(pixels, lines[k : k + 1]) for k in own])
        near = np.flatnonzero(each.min(0) < paint[s, 4] + flatten.BAND_PX)
        best = each[:, near]
        watched = looks[own].reshape(len(own), -1)[:, near]
        # a segment as near as the nearest, within float32's rounding, must look
        assert (watched & (best <= best.min(0) + 1e-4)).any(0).all()
        seen += len(near)
    assert seen > 2000


def test_what_cannot_draw_has_no_segments() -> None:
    good = scribble(1, 5, (64, 64), segments=1)
    for number in (float("nan"), float("inf"), -float("inf"), 1e30, 2e6):
        for which in range(2):
            bad = Strokes(good.points.clone(), good.offsets, good.width, good.rgba)
            bad.points[2, which] = number
            assert flat(bad, (64, 64))[1].tolist() == [0, 0], number
    for width in (0.0, -3.0, float("nan"), float("inf")):
        bad = Strokes(good.points, good.offsets, torch.tensor([width]), good.rgba)
        assert flat(bad, (64, 64))[1].tolist() == [0, 0], width
    assert flat(line(-20, 5, -8, 50, width=6), (64, 64))[1].tolist() == [0, 0]
    assert flat(line(-20, 5, -2, 50, width=6), (64, 64))[1].tolist() == [0, 1]
