"""CLIPDraw's first strokes: short random walks in random colours (Frans et al. 2021, section 3)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from limner.methods.canvas import Canvas
from limner.vector.strokes import Strokes

SEGMENTS = (1, 3)  # fewest and most cubic segments, both drawn, as the authors' code does
WALK = 0.1  # each control point lies within ±WALK/2 canvases of the last
COLUMN = 0.25  # strokes in space begin so near to their axis, in parts of the canvas' width
FIRST_WIDTH_PX = 2.0  # on the papers' canvas: diffvg's radius of 1


def random_strokes(count: int, canvas: Canvas, noise: torch.Generator, width: float) -> Strokes:
    """New strokes inside the part of the canvas that is looked at.

    Args:
        count: how many.
        canvas: where; with a mask, strokes begin where it is open.
        noise: where all randomness comes from.
        width: pixels on the papers' 224 px canvas.
    """
    segments = torch.randint(SEGMENTS[0], SEGMENTS[1] + 1, (count,), generator=noise)
    sizes = 3 * segments + 1
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    wide, high = canvas.box[2:]
    spread = torch.tensor([wide * canvas.size[1], high * canvas.size[0]])
    walk = (torch.rand(int(offsets[-1]), 2, generator=noise) - 0.5) * WALK * spread
    walk[offsets[:-1]] = 0
    total = walk.cumsum(0)
    owner = torch.repeat_interleave(torch.arange(count), sizes)
    points = first_points(count, canvas, noise)[owner] + total - total[offsets[:-1]][owner]
    return Strokes(
        points,
        offsets,
        torch.full((count,), width * canvas.unit_px),
        torch.rand(count, 4, generator=noise),
    )


def random_strokes_in_space(
    count: int, canvas: Canvas, noise: torch.Generator, width: float
) -> Strokes:
    """New strokes in a column as high as the canvas, round the axis that cameras turn about.

    They are `random_strokes`, which walk in depth as they do across the canvas. Strokes that begin
    further out lie at the edges of most views, and the drawing comes out worse.
    """
    flat, side = random_strokes(count, canvas, noise, width), canvas.size[1]
    begins, owner = flat.offsets[:-1], flat.owner
    inwards = (flat.points[begins, 0] - side / 2) * (2 * COLUMN - 1)
    points = flat.points + torch.stack([inwards, torch.zeros(count)], 1)[owner]
    walk = (torch.rand(len(points), generator=noise) - 0.5) * WALK * side
    walk[begins] = 0
    total = walk.cumsum(0)
    first = (torch.rand(count, generator=noise) * 2 - 1) * COLUMN * side
    return replace(flat, points=points, depth=(first - total[begins])[owner] + total)


def first_points(count: int, canvas: Canvas, noise: torch.Generator) -> Tensor:
    """(count, 2) uniform over the canvas, or over what its mask leaves open."""
    size = torch.tensor([canvas.size[1], canvas.size[0]], dtype=torch.float32)
    if canvas.mask is None:
        return torch.rand(count, 2, generator=noise) * size
    chosen = torch.multinomial(canvas.mask.flatten().cpu(), count, True, generator=noise)
    columns = canvas.mask.shape[1]
    cells = torch.stack([chosen % columns, chosen // columns], 1)
    return (cells + torch.rand(count, 2, generator=noise)) / canvas.scale
