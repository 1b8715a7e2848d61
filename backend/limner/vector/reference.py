"""The rasterizer in plain PyTorch: the model of `kernels_cpu`, told so that it can be read.

Autograd differentiates it; a test holds the kernels to it, image and gradients. It draws on any
device and is the last resort where no kernels run. It is hundreds of times slower than those: every
stroke is laid over the whole canvas, segment by segment.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from limner.vector.canvas import Canvas, Differentiated

TOLERANCE_PX = 0.25
MAX_STEPS = 64
BAND_PX = 0.70710678
LIMIT_PX = 1e6
THIN_PX = 0.7072
NORMAL_EPS = 1e-3
LEAST_COMPONENT = 1e-3


def render(
    points: Tensor, width: Tensor, rgba: Tensor, background: Tensor, canvas: Canvas
) -> Tensor:
    """As `rasterizer.render`, on packed tensors: (B, 3, H, W), differentiable."""
    rgba = rgba.clamp(0, 1)
    images = []
    for scene in range(len(canvas.scenes) - 1):
        image = background[min(scene, len(background) - 1)].expand(3, canvas.height, canvas.width)
        for s in range(int(canvas.scenes[scene]), int(canvas.scenes[scene + 1])):
            control = points[int(canvas.offsets[s]) : int(canvas.offsets[s + 1])] * canvas.scale
            radius = width[s] * canvas.scale / 2
            if not draws(control, radius, rgba[s], canvas):
                continue
            covered = coverage(polyline(control), radius.clamp(max=LIMIT_PX), canvas)
            alpha = rgba[s, 3] * covered
            image = image + alpha * (rgba[s, :3, None, None] - image)
        images.append(image)
    return torch.stack(images)


def draws(control: Tensor, radius: Tensor, rgba: Tensor, canvas: Canvas) -> bool:
    """Whether a stroke draws at all: finite numbers, a width, and something near the canvas."""
    numbers = torch.cat([control.flatten(), radius[None], rgba])
    if not bool(numbers.isfinite().all()) or radius <= 0 or control.abs().max() > LIMIT_PX:
        return False
    low, high = control.amin(0) - radius - BAND_PX, control.amax(0) + radius + BAND_PX
    end = control.new_tensor([canvas.width, canvas.height])
    return bool((high > 0).all() and (low < end).all())


def polyline(control: Tensor) -> Tensor:
    """(V, 2): the vertices of a stroke of 3n+1 control points; see `flatten`."""
    vertices = [control[:1]]
    for start in range(0, len(control) - 1, 3):
        cubic = control[start : start + 4]
        bend = (cubic[:-2] - 2 * cubic[1:-1] + cubic[2:]).norm(dim=1).max()
        wang = (0.75 * bend.detach() / TOLERANCE_PX).sqrt().ceil()
        steps = min(max(int(wang), 1), MAX_STEPS)
        t = torch.arange(1, steps, device=control.device, dtype=control.dtype)[:, None] / steps
        u = 1 - t
        basis = torch.cat([u**3, 3 * u * u * t, 3 * u * t * t, t**3], 1)
        second = torch.cat([6 * u, 6 * t - 12 * u, 6 * u - 12 * t, 6 * t], 1)
        vertices += [(basis - second / (12 * steps * steps)) @ cubic, cubic[-1:]]
    return torch.cat(vertices)


def coverage(vertices: Tensor, radius: Tensor, canvas: Canvas) -> Tensor:
    """(H, W): how much of each pixel a stroke covers.

    The nearest point is that of the nearest segment; its normal is not differentiated.
    """
    y = torch.arange(canvas.height, device=vertices.device, dtype=vertices.dtype) + 0.5
    x = torch.arange(canvas.width, device=vertices.device, dtype=vertices.dtype) + 0.5
    pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    nearest = torch.full_like(pixels[..., 0], torch.inf)
    offset = torch.zeros_like(pixels)
    side = torch.zeros_like(pixels)
    for a, b in itertools.pairwise(vertices):
        e, square = b - a, (b - a).square().sum().detach()
        t = ((pixels - a) @ e / square).clamp(0, 1) if square > 1e-10 else torch.zeros_like(nearest)
        away = pixels - a - t.detach()[..., None] * e  # t moves q along the segment only
        normal = torch.full_like(a, 0.5).sqrt()
        if square > 1e-10:
            normal = (e.detach().abs() / square.sqrt()).flip(0)
        closer = away.detach().square().sum(-1) < nearest
        nearest = torch.where(closer, away.detach().square().sum(-1), nearest)
        offset = torch.where(closer[..., None], away, offset)
        side = torch.where(closer[..., None], normal, side)
    distance = _Length.apply(offset)
    size = offset.detach().abs() + NORMAL_EPS * side
    normal = size / (distance.detach() + NORMAL_EPS)[..., None]
    covered = half_plane(radius - distance, normal)
    if radius < THIN_PX:
        covered = covered - half_plane(-radius - distance, normal)
    return covered


class _Length(torch.autograd.Function):
    """|offset|, with the gradient offset / (|offset| + NORMAL_EPS), finite at 0."""

    @staticmethod
    def forward(ctx: Any, offset: Tensor) -> Tensor:
        distance: Tensor = offset.norm(dim=-1)
        ctx.save_for_backward(offset, distance)
        return distance

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        offset, distance = ctx.saved_tensors
        pull: Tensor = (grad / (distance + NORMAL_EPS))[..., None] * offset
        return pull


def half_plane(u: Tensor, normal: Tensor) -> Tensor:
    """Area of the unit square around 0 on the inner side of a line at signed distance u.

    Two boxes of width m and k, the components of the normal, convolved and integrated.
    """
    m = normal.amax(-1)
    k = normal.amin(-1).clamp(min=LEAST_COMPONENT)
    a = u.abs()
    z = ((m + k) / 2 - a).clamp(min=0).minimum(k)
    tail = z * (z / 2 + ((m - k) / 2 - a).clamp(min=0)) / (m * k)
    return torch.where(u >= 0, 1 - tail, tail)


def rasterizer() -> Differentiated:
    """`render` as a `canvas.Rasterizer`."""
    return Differentiated("reference", render)
