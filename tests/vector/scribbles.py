"""Random drawings for the rasterizer's tests."""

from __future__ import annotations

import torch
from torch import Tensor

from limner.vector.strokes import Strokes


def scribble(
    count: int,
    seed: int,
    size: tuple[int, int],
    width: tuple[float, float] = (1.0, 12.0),
    segments: int = 2,
    step: float = 0.3,
) -> Strokes:
    """Random walks that bend, cross, and leave a canvas of (height, width) px."""
    print(f"scribble seed {seed}")
    generator = torch.Generator().manual_seed(seed)
    extent = torch.tensor([size[1], size[0]], dtype=torch.float32)
    start = torch.rand(count, 1, 2, generator=generator) * 1.2 - 0.1
    walk = (torch.rand(count, 3 * segments + 1, 2, generator=generator) - 0.5) * 2 * step
    low, high = width
    return Strokes(
        ((start + walk.cumsum(1)) * extent).reshape(-1, 2),
        torch.arange(count + 1) * (3 * segments + 1),
        torch.rand(count, generator=generator) * (high - low) + low,
        torch.rand(count, 4, generator=generator),
    )


def line(
    *xy: float, width: float = 6.0, rgba: tuple[float, float, float, float] = (1, 0, 0, 1)
) -> Strokes:
    """One straight stroke from (x, y) to (x, y)."""
    a, b = torch.tensor(xy, dtype=torch.float32).view(2, 2)
    t = torch.linspace(0, 1, 4)[:, None]
    return Strokes(
        a + t * (b - a), torch.tensor([0, 4]), torch.tensor([width]), torch.tensor([rgba])
    )


def leaves(strokes: Strokes, dtype: torch.dtype = torch.float32) -> Strokes:
    """A copy whose points, width and rgba want gradients."""
    return Strokes(
        strokes.points.detach().to(dtype, copy=True).requires_grad_(),
        strokes.offsets,
        strokes.width.detach().to(dtype, copy=True).requires_grad_(),
        strokes.rgba.detach().to(dtype, copy=True).requires_grad_(),
    )


def gradients(strokes: Strokes) -> tuple[Tensor, Tensor, Tensor]:
    """What a backward pass left on points, width and rgba."""
    found = strokes.points.grad, strokes.width.grad, strokes.rgba.grad
    assert all(g is not None for g in found)
    return found  # type: ignore[return-value]


def smooth_noise(size: tuple[int, int], seed: int, scenes: int = 1) -> Tensor:
    """(B, 3, H, W): an upstream gradient as a network gives it, without pixel noise."""
    coarse = torch.randn(scenes, 3, 7, 9, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic", align_corners=True)
