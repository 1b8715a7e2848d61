"""Strokes in space: what a camera sees, held to plain geometry."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from limner.vector.rasterizer import render
from limner.vector.space import painted, spread, turns, views
from limner.vector.strokes import Strokes, pack

SIZE = (120, 160)  # height, width
FRONT = torch.tensor([[0.0, 0.0]])
ROUND = torch.tensor([[0.0, 0.0], [33.0, 0.0], [90.0, 20.0], [-140.0, -75.0], [10.0, 90.0]])


def scribbles(seed: int, count: int = 7) -> Strokes:
    """Strokes of one to three cubics anywhere in the box."""
    noise = torch.Generator().manual_seed(seed)
    sizes = 3 * torch.randint(1, 4, (count,), generator=noise) + 1
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    total = int(offsets[-1])
    return Strokes(
        torch.rand(total, 2, generator=noise) * torch.tensor([160.0, 120.0]),
        offsets,
        torch.rand(count, generator=noise) * 9 + 1,
        torch.rand(count, 4, generator=noise),
        (torch.rand(total, generator=noise) - 0.5) * 160,
    )


def dot(x: float, y: float, z: float, rgb: tuple[float, float, float]) -> Strokes:
    points = torch.tensor([[x, y]] * 4, dtype=torch.float32)
    rgba = torch.tensor([[*rgb, 1.0]])
    return Strokes(points, torch.tensor([0, 4]), torch.tensor([8.0]), rgba, torch.full((4,), z))


def test_cameras_are_right_handed_and_look_where_they_say() -> None:
    matrices = turns(ROUND)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), torch.eye(3).expand(5, 3, 3))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(5))
    named = torch.tensor([[0.0, 0], [90, 0], [180, 0], [-90, 0], [0, 90], [0, -90]])
    forward = torch.tensor([[0.0, 0, 1], [-1, 0, 0], [0, 0, -1], [1, 0, 0], [0, 1, 0], [0, -1, 0]])
    torch.testing.assert_close(turns(named)[:, 2], forward, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("camera", "seen"),
    [
        ((0.0, 0.0), (100.0, 50.0)),
        ((90.0, 0.0), (80 + 30.0, 50.0)),  # what was behind is on the right
        ((180.0, 0.0), (60.0, 50.0)),  # mirrored
        ((-90.0, 0.0), (80 - 30.0, 50.0)),
        ((0.0, 90.0), (100.0, 60 - 30.0)),  # from above, what was behind is at the top
        ((0.0, -90.0), (100.0, 60 + 30.0)),
    ],
)
def test_where_a_point_is_seen(camera: tuple[float, float], seen: tuple[float, float]) -> None:
    flat, _ = views(dot(100, 50, 30, (0, 0, 0)), torch.tensor([camera]), SIZE)
    torch.testing.assert_close(flat.points, torch.tensor([seen] * 4))


def test_a_view_of_a_bezier_is_the_bezier_of_the_view() -> None:
    """Points of the curves in space, seen by the camera, lie on the curves of the view."""
    strokes = scribbles(4, count=1)
    assert strokes.depth is not None
    middle = torch.tensor([80.0, 60.0, 0.0])
    in_space = torch.cat([strokes.points, strokes.depth[:, None]], 1)
    flat, scenes = views(strokes, ROUND, SIZE)
    for k, turn in enumerate(turns(ROUND)):
        seen = (curve(in_space) - middle) @ turn.T + middle
        first, last = int(flat.offsets[scenes[k]]), int(flat.offsets[scenes[k + 1]])
        torch.testing.assert_close(curve(flat.points[first:last]), seen[:, :2], atol=1e-3, rtol=0)


def curve(points: Tensor) -> Tensor:
    """Points of a chain of cubics, 20 a segment."""
    t = torch.linspace(0, 1, 20)[:, None, None]
    p = torch.stack([points[k : k + 4] for k in range(0, len(points) - 1, 3)], 1)
    bent = (1 - t) ** 3 * p[0] + 3 * (1 - t) ** 2 * t * p[1]
    bent = bent + 3 * (1 - t) * t**2 * p[2] + t**3 * p[3]
    return bent.flatten(0, 1)


def test_every_stroke_is_in_every_view_with_its_own_width_and_colour() -> None:
    strokes = scribbles(5)
    flat, scenes = views(strokes, ROUND, SIZE)
    assert scenes.tolist() == [7 * k for k in range(6)] and flat.depth is None
    for k in range(5):
        part = flat.select(torch.arange(7 * k, 7 * k + 7))
        by_width, own = part.width.argsort(), strokes.width.argsort()
        assert torch.equal(part.width[by_width], strokes.width[own])
        assert torch.equal(part.rgba[by_width], strokes.rgba[own])
        assert torch.equal(part.segments[by_width], strokes.segments[own])


def test_the_nearer_stroke_is_painted_last_from_either_side() -> None:
    red, blue = dot(80, 60, -20, (1, 0, 0)), dot(80, 60, 20, (0, 0, 1))
    for strokes in (pack([red, blue]), pack([blue, red])):
        flat, scenes = views(strokes, torch.tensor([[0.0, 0.0], [180.0, 0.0]]), SIZE)
        front, back = render(flat, SIZE, scenes=scenes)[:, :, 60, 80]
        assert front.tolist() == [1, 0, 0] and back.tolist() == [0, 0, 1]
        seen = render(painted(strokes), SIZE)[0, :, 60, 80]
        assert seen.tolist() == [1, 0, 0]


def test_many_drawings_are_seen_as_each_alone() -> None:
    drawings = [scribbles(1, 3), scribbles(2, 5), scribbles(3, 1)]
    scenes = torch.tensor([0, 3, 8, 9])
    flat, at = views(pack(drawings), ROUND, SIZE, scenes)
    together = render(flat, SIZE, scenes=at).unflatten(0, (5, 3))
    for k, alone in enumerate(drawings):
        one, its = views(alone, ROUND, SIZE)
        torch.testing.assert_close(together[:, k], render(one, SIZE, scenes=its))


def test_gradients_come_back_through_the_cameras() -> None:
    strokes = scribbles(6, 3)
    assert strokes.depth is not None
    leaves = [
        t.double().requires_grad_()
        for t in (strokes.points, strokes.depth, strokes.width, strokes.rgba)
    ]

    def seen(points: Tensor, depth: Tensor, width: Tensor, rgba: Tensor) -> tuple[Tensor, ...]:
        flat, _ = views(Strokes(points, strokes.offsets, width, rgba, depth), ROUND.double(), SIZE)
        return flat.points, flat.width, flat.rgba

    assert torch.autograd.gradcheck(seen, leaves)


def test_painted_leaves_a_flat_drawing_alone_and_sorts_one_in_space() -> None:
    strokes = scribbles(8)
    flat = replace(strokes, depth=None)
    assert painted(flat) is flat
    ordered = painted(strokes)
    assert ordered.depth is not None
    means = [float(s.mean()) for s in ordered.depth.split(ordered.offsets.diff().tolist())]
    assert means == sorted(means, reverse=True) and ordered.count == 7
    one, scenes = views(ordered, FRONT, SIZE)
    torch.testing.assert_close(one.points, ordered.points)
    assert torch.equal(one.offsets, ordered.offsets) and scenes.tolist() == [0, 7]


def test_a_flat_drawing_that_is_spread_looks_the_same_from_the_front() -> None:
    flat = replace(scribbles(9), depth=None)
    deep = spread(flat, 40.0)
    assert deep.depth is not None and float(deep.depth.abs().max()) == 40
    assert torch.equal(painted(deep).points, flat.points)
    with pytest.raises(ValueError, match="flat"):
        views(flat, FRONT, SIZE)
