"""What is cut out of a canvas and put back."""

from __future__ import annotations

import math
import time

import pytest
import torch

from limner.methods.patch import Patch, membrane, resized
from limner.models.faces import Square


def picture(height: int, width: int) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(5))


def test_without_a_mask_a_square_canvas_is_what_was_painted() -> None:
    patch = Patch.of(picture(32, 32))
    assert torch.equal(patch.cut(32), patch.canvas[None] * 2 - 1)
    painted = picture(32, 32)[None] * 2 - 1
    torch.testing.assert_close(patch.put(painted), (painted[0] + 1) / 2)
    assert patch.put(painted * 5).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(48, 32), (32, 48), (33, 57)])
def test_beside_the_square_the_canvas_stays(height: int, width: int) -> None:
    canvas = picture(height, width)
    patch = Patch.of(canvas)
    assert patch.side == min(height, width)
    out = patch.put(torch.zeros(1, 3, 16, 16))
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[patch.rows, patch.columns] = True
    assert torch.equal(out[:, ~inside], canvas[:, ~inside])
    assert not torch.equal(out[:, inside], canvas[:, inside])


TURNED = Square(30.5, 26.0, 24.0, 0.5)


def axes(square: Square, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """How far right and down every pixel lies in a turned square, in halves of its side."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5 - square.y,
                          torch.arange(width) + 0.5 - square.x, indexing="ij")  # fmt: skip
    cos, sin = math.cos(square.turn), math.sin(square.turn)
    return (x * cos + y * sin) * 2 / square.side, (y * cos - x * sin) * 2 / square.side


@pytest.mark.parametrize("size", [12, 24, 48])
def test_a_turned_square_is_seen_upright(size: int) -> None:
    right, down = axes(TURNED, 56, 60)
    canvas = torch.stack([right, down, torch.zeros_like(down)]) / 8 + 0.5  # within [0, 1]
    steps = (torch.arange(size) + 0.5) * 2 / size - 1
    seen = Patch.of(canvas, None, TURNED).cut(size)[0] * 4
    edge = 3 * size // 24  # what is enlarged is not extended beyond its edge
    inner = (slice(edge, size - edge),) * 2
    torch.testing.assert_close(seen[0][inner], steps.expand(size, -1)[inner], atol=0.01, rtol=0)
    torch.testing.assert_close(seen[1][inner], steps[:, None].expand(-1, size)[inner], atol=0.01,
                               rtol=0)  # fmt: skip


def test_what_is_put_into_a_turned_square_lies_as_it_was_cut() -> None:
    right, down = axes(TURNED, 56, 60)
    canvas = torch.stack([right, down, right * down]) / 20 + 0.5
    patch = Patch.of(canvas, None, TURNED)
    inside = (right.abs() < 1) & (down.abs() < 1)
    same = patch.put(patch.cut(24))
    torch.testing.assert_close(same, canvas, atol=3e-3, rtol=0)
    other = patch.put(torch.rand(1, 3, 24, 24) * 2 - 1)
    assert torch.equal(other[:, ~inside], canvas[:, ~inside])
    changed = (other != canvas).any(0)
    assert changed.sum() > 0.75 * inside.sum()
    mask = torch.zeros(56, 60)
    mask[:26] = 1
    half = Patch.of(canvas, mask, TURNED).put(torch.rand(1, 3, 24, 24) * 2 - 1)
    assert torch.equal(half[:, 26:], canvas[:, 26:]) and not torch.equal(half, canvas)


def test_a_square_may_reach_beyond_the_canvas() -> None:
    canvas = picture(40, 40)
    patch = Patch.of(canvas, None, Square(20, 20, 90, 0.3))
    assert patch.cut(16).isfinite().all() and patch.cut(16).abs().max() <= 1
    out = patch.put(torch.zeros(1, 3, 16, 16))
    assert out.shape == canvas.shape and out.isfinite().all()


@pytest.mark.parametrize("soft", [False, True])
def test_outside_the_mask_every_number_stays(soft: bool) -> None:
    canvas, mask = picture(40, 40), torch.zeros(40, 40)
    mask[10:30, 5:35] = 1
    if soft:
        mask = torch.nn.functional.avg_pool2d(mask[None], 5, 1, 2)[0]
    out = Patch.of(canvas, mask).put(torch.rand(1, 3, 16, 16) * 2 - 1)
    assert torch.equal(out[:, mask == 0], canvas[:, mask == 0])
    assert not torch.equal(out[:, mask == 1], canvas[:, mask == 1])


def test_another_brightness_leaves_no_seam() -> None:
    """The same picture, darker: seamlessly put back, it is the picture again."""
    ramp = torch.linspace(0.3, 0.7, 64)
    canvas = torch.stack([ramp.expand(64, 64), ramp[:, None].expand(64, 64), ramp.expand(64, 64)])
    mask = torch.zeros(64, 64)
    mask[12:50, 20:60] = 1
    out = Patch.of(canvas, mask).put((canvas[None] - 0.2) * 2 - 1)
    torch.testing.assert_close(out, canvas, atol=1e-3, rtol=0)  # a quarter of an 8-bit level


def test_a_membrane_is_as_flat_as_its_border_allows() -> None:
    """A plane solves Laplace's equation, and so is the only solution between its own values."""
    for height, width in ((32, 32), (61, 45)):
        y = torch.linspace(0, 1, height)[:, None].expand(height, width)
        x = torch.linspace(0, 1, width).expand(height, width)
        plane = torch.stack([x, y, 1 - x - y])
        known = torch.ones(height, width, dtype=torch.bool)
        known[3:-3, 4:-4] = False
        found = membrane(plane, known)
        torch.testing.assert_close(found, plane, atol=0.02, rtol=0)  # of a range of 1
        assert torch.equal(found[:, known], plane[:, known])


def test_a_membrane_stays_between_its_borders_values() -> None:
    known = torch.rand(37, 50, generator=torch.Generator().manual_seed(1)) < 0.05
    values = picture(37, 50)
    found = membrane(values, known)
    assert found.min() >= values[:, known].min() and found.max() <= values[:, known].max()
    assert torch.equal(membrane(values, torch.zeros_like(known)), torch.zeros_like(values))


def test_it_is_quick_enough_to_be_watched() -> None:
    canvas, mask = picture(512, 512), torch.zeros(512, 512)
    mask[50:450, 50:450] = 1
    patch, painted = Patch.of(canvas, mask), torch.zeros(1, 3, 64, 64)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        patch.put(painted)
        took.append(time.perf_counter() - began)
    print(f"{min(took) * 1e3:.0f} ms at 512 pixels")
    assert min(took) < 2.0


def test_sizes_are_changed_without_shifting() -> None:
    flat = torch.full((1, 3, 48, 48), 0.25)
    for side in (16, 48, 64):
        torch.testing.assert_close(resized(flat, side), torch.full((1, 3, side, side), 0.25))
