"""Reading a hand off a picture, and keeping to it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from limner.methods.hand import paper, read_hand
from limner.methods.shaped import apart
from limner.training.style_pictures import HANDS, Hand, draw, hand, strokes
from limner.vector.rasterizer import render
from limner.vector.shape import Shape, arc, distance, quantiles, shape
from limner.vector.strokes import Strokes, pack


def stroke(points: Tensor, width: float = 4.0) -> Strokes:
    rgba = torch.tensor([[0.1, 0.1, 0.2, 1.0]])
    return Strokes(points, torch.tensor([0, len(points)]), torch.tensor([width]), rgba)


def middle(values: Tensor, weights: Tensor) -> float:
    return float(quantiles(values, weights, 1)[0])


# --- figures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "bend"), [(50.0, 0.0), (80.0, 1.0), (120.0, -3.0), (90.0, 6.2), (0.4, 0.0)]
)
def test_an_arc_has_the_length_and_the_bend_that_it_was_drawn_with(
    length: float, bend: float
) -> None:
    figures = shape(stroke(arc(torch.tensor([100.0, 90.0]), 0.7, length, bend)))
    assert float(figures.length[0]) == pytest.approx(length, rel=0.01, abs=0.02)
    assert bool(figures.is_dot[0]) == (length < 2)
    if length > 2:
        assert float(figures.bend[0]) == pytest.approx(abs(bend), rel=0.08, abs=0.01)


def test_every_turn_counts() -> None:
    zigzag = torch.tensor([[0.0, 0], [0, 10], [0, 20], [0, 30], [10, 30], [20, 30], [30, 30],
                           [30, 20], [30, 10], [30, 0]])  # fmt: skip
    figures = shape(stroke(zigzag))
    assert float(figures.length[0]) == pytest.approx(90, abs=0.1)
    assert float(figures.bend[0]) == pytest.approx(math.pi)


def test_figures_are_differentiable_where_points_coincide() -> None:
    points = torch.tensor([[5.0, 5.0]] * 4 + [[5.0, 5.0], [9.0, 5.0], [9.0, 9.0]])
    points.requires_grad_(True)
    figures = shape(stroke(points))
    (figures.length.sum() + figures.bend.sum()).backward()
    assert points.grad is not None and bool(points.grad.isfinite().all())


def test_the_distance_of_two_sets_is_the_mean_way_between_them() -> None:
    assert distance(torch.tensor([0.0, 1, 2]), torch.tensor([2.0, 0, 1])) < 1e-6
    assert distance(torch.tensor([0.0, 1]), torch.tensor([5.0, 6])) == pytest.approx(5)
    assert distance(torch.tensor([0.0]), torch.tensor([1.0, 3])) == pytest.approx(2)
    weighted = distance(torch.tensor([0.0, 9]), torch.tensor([0.0]), torch.tensor([3.0, 1.0]))
    assert weighted == pytest.approx(9 / 4)


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", HANDS, ids=lambda h: h.name)
@pytest.mark.parametrize("content", [0, 1])
def test_a_hand_is_read_off_its_picture(style: Hand, content: int) -> None:
    """To half an octave of width and one of length: strokes lie over each other, end in each
    other, and leave the sheet; gouache's blocks hide each other most. Between the five hands lie
    four octaves of width and seven of length."""
    read = read_hand(draw(style, content, 300), 224)
    known = shape(strokes(style, content))
    assert read is not None
    ones = torch.ones_like(known.width)
    width = middle(read.width, read.weight) / middle(known.width, ones)
    assert abs(math.log2(width)) < (1.2 if style.name == "gouache" else 0.5), width
    length = (1 + middle(read.length, read.weight)) / (1 + middle(known.length, ones))
    assert abs(math.log2(length)) < 1.0, length


def test_bent_strokes_are_told_from_straight_ones() -> None:
    bends = {}
    for name in ("hatching", "line art"):
        read = read_hand(draw(hand(name)), 224)
        assert read is not None
        bends[name] = middle(read.bend, read.weight)
    assert bends["hatching"] < 0.3 and bends["line art"] > 0.8, bends


def test_a_reading_grows_with_the_picture() -> None:
    picture = draw(hand("dots"))
    small, large = (read_hand(picture, side) for side in (100.0, 400.0))
    assert small is not None and large is not None
    torch.testing.assert_close(large.width, 4 * small.width)
    torch.testing.assert_close(large.length, 4 * small.length)


def test_an_empty_picture_has_no_hand() -> None:
    assert read_hand(torch.ones(3, 80, 60), 224) is None
    assert read_hand(torch.full((3, 1, 1), 0.3), 224) is None


def test_the_paper_is_what_lies_along_the_edge() -> None:
    picture = torch.tensor([0.9, 0.85, 0.7])[:, None, None].repeat(1, 60, 80)
    picture[:, 10:50, 10:70] = 0.1  # most of the sheet is ink
    torch.testing.assert_close(paper(picture), torch.tensor([0.9, 0.85, 0.7]))


# --- keeping to it ------------------------------------------------------------------------------


def test_strokes_in_a_hand_are_near_it_and_others_are_not() -> None:
    for name in ("hatching", "line art"):
        own = shape(strokes(hand(name), 0))
        same = float(apart(strokes(hand(name), 1), own, 1.0))
        other = float(apart(strokes(hand("two-colour print"), 1), own, 1.0))
        assert same < 0.1 < other


def test_going_down_makes_strokes_long_thin_and_straight() -> None:
    """Crumpled strokes, by plain gradient steps on their points and widths alone."""
    noise = torch.Generator().manual_seed(0)
    drawing = pack([stroke(torch.rand(7, 2, generator=noise) * 20 + 40, 9.0) for _ in range(12)])
    points, width = drawing.points.requires_grad_(True), drawing.width.requires_grad_(True)
    wanted = Shape(torch.full((5,), 60.0), torch.full((5,), 3.0), torch.zeros(5), torch.ones(5))
    optimizer = torch.optim.Adam([points, width], 0.5)
    first = float(apart(drawing, wanted, 1.0).detach())
    for _ in range(400):
        optimizer.zero_grad()
        loss = apart(drawing, wanted, 1.0)
        loss.backward()
        optimizer.step()
    figures = shape(replace(drawing, points=points.detach(), width=width.detach()))
    assert float(loss.detach()) < 0.05 * first
    assert float((figures.length - 60).abs().median()) < 6
    assert float((figures.width - 3).abs().median()) < 0.5
    assert float(figures.bend.median()) < 0.6


def test_the_hands_pictures_are_always_the_same() -> None:
    for style in HANDS:
        assert torch.equal(draw(style), draw(style))
        assert not torch.equal(draw(style, 1), draw(style, 2))
        figures = shape(strokes(style))
        for values, (low, high) in ((figures.length, style.length), (figures.width, style.width)):
            assert low * 0.99 - 0.02 <= float(values.min())
            assert float(values.max()) <= high * 1.01 + 0.02
        assert float(render(strokes(style), (224, 224)).std()) > 0.05
