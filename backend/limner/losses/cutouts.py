"""CLIPDraw's augmentation: a random perspective, then a random crop, as one resampling.

Frans et al. 2021 (arXiv 2106.14843) look at the drawing through four random cutouts a step:
torchvision's `RandomPerspective(0.5, p=1, fill=1)`, then `RandomResizedCrop(scale=(0.7, 0.9))`.
Both are projective maps, so they are multiplied here and the picture is sampled once; that is
twice as fast as sampling twice, and sharper.

A cutout's random numbers depend on nothing but the generator, so a run can be repeated.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

DISTORTION = 0.5
CROP_AREA = (0.7, 0.9)
CROP_RATIO = (3 / 4, 4 / 3)
FROM_MINUS_ONE = ((2.0, 0.0, -1.0), (0.0, 2.0, -1.0), (0.0, 0.0, 1.0))  # of [0, 1]: [-1, 1]

Box = tuple[float, float, float, float]  # left, top, width, height, in parts of the picture
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def cutouts(picture: Tensor, maps: Tensor, size_px: int, fill: Tensor | float = 1.0) -> Tensor:
    """Views of one picture, or one of each of many, all in one resampling.

    Args:
        picture: (3, H, W), or (B, 3, H, W).
        maps: (B, 3, 3) homographies from the view's square to the picture's, both [0, 1]².
        size_px: the side of the square views.
        fill: what lies outside the picture; a number or (3,).

    Returns:
        (B, 3, size_px, size_px), differentiable in `picture`.
    """
    grid = sampling_grid(maps, size_px)
    ground = fill[:, None, None] if isinstance(fill, Tensor) else fill
    if picture.ndim == 4:
        source = picture - ground
    else:  # two tall views, for two threads: the picture has two gradients to sum, not B
        tall = 2 - len(maps) % 2
        source, grid = (
            (picture - ground).expand(tall, -1, -1, -1),
            grid.reshape(tall, -1, size_px, 2),
        )
    seen = F.grid_sample(source, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if picture.ndim == 3:
        seen = seen.unflatten(2, (-1, size_px)).transpose(1, 2).flatten(0, 1)
    return seen + ground


def sampling_grid(maps: Tensor, size_px: int) -> Tensor:
    """(B, size_px, size_px, 2): where each pixel centre lies in the picture, from -1 to 1."""
    ticks = (torch.arange(size_px, device=maps.device, dtype=maps.dtype) + 0.5) / size_px
    m = (maps.new_tensor(FROM_MINUS_ONE) @ maps)[..., None, None]
    across, down = ticks, ticks[:, None]
    x, y, w = (m[:, k, 0] * across + (m[:, k, 1] * down + m[:, k, 2]) for k in range(3))
    return torch.stack([x, y], -1) / w.clamp_min(1e-3)[..., None]


def random_maps(count: int, noise: torch.Generator, box: Box = WHOLE) -> Tensor:
    """(B, 3, 3): a random perspective and crop for each cutout, of a part of the picture."""
    crop = random_crops(count, noise)
    bend = random_perspectives(count, noise)
    return box_map(box) @ bend @ crop


def random_perspectives(count: int, noise: torch.Generator) -> Tensor:
    """(B, 3, 3): from the bent view to the picture, as torchvision draws them.

    Every corner of the picture moves inwards by up to `DISTORTION` / 2 of each side.
    """
    inward = torch.rand(count, 4, 2, generator=noise) * DISTORTION / 2
    corners = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    moved = corners + inward * (1 - 2 * corners)
    return onto_square(moved)


def random_crops(count: int, noise: torch.Generator) -> Tensor:
    """(B, 3, 3): from the crop's square to the picture, as `RandomResizedCrop` draws them.

    torchvision draws again, up to ten times, when a crop doesn't fit; here the ratio is narrowed
    to what fits, so that no draw is thrown away.
    """
    area = torch.empty(count).uniform_(*CROP_AREA, generator=noise).double().numpy()
    drawn = (torch.rand(count, generator=noise).double().numpy() for _ in range(3))
    limit = np.minimum(-np.log(area), math.log(CROP_RATIO[1]))  # wider would stick out
    ratio = np.exp((next(drawn) * 2 - 1) * limit)
    width, height = np.sqrt(area * ratio), np.sqrt(area / ratio)
    maps = np.zeros((count, 3, 3))
    maps[:, 0, 0], maps[:, 0, 2] = width, next(drawn) * (1 - width)
    maps[:, 1, 1], maps[:, 1, 2] = height, next(drawn) * (1 - height)
    maps[:, 2, 2] = 1
    return torch.from_numpy(maps).float()


def box_map(box: Box) -> Tensor:
    """(3, 3): from the unit square to a part of the picture."""
    left, top, width, height = box
    return torch.tensor([[width, 0, left], [0, height, top], [0, 0, 1]])


def fixed_maps(count: int, box: Box = WHOLE) -> Tensor:
    """(B, 3, 3) cutouts to judge by: the same for every drawing; the first is the whole box."""
    noise = torch.Generator().manual_seed(2106_14843)
    maps = random_maps(count, noise, box)
    maps[0] = box_map(box)
    return maps


def onto_square(corners: Tensor) -> Tensor:
    """(B, 3, 3): the projective map that takes four points to the corners of the unit square, in
    the order (0, 0), (1, 0), (1, 1), (0, 1) (Heckbert 1989, "Fundamentals of Texture Mapping and
    Image Warping", section 2.2.3: the adjoint of the map from the square).

    Args:
        corners: (B, 4, 2). No three of the points may lie on a line.
    """
    (x0, x1, x2, x3), (y0, y1, y2, y3) = corners.double().numpy().transpose(2, 1, 0)
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    det = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / det, (dx1 * sy - sx * dy1) / det
    a, b, d, e = x1 - x0 + g * x1, x3 - x0 + h * x3, y1 - y0 + g * y1, y3 - y0 + h * y3
    adjoint = np.array([
        e - y0 * h, x0 * h - b, b * y0 - x0 * e,
        y0 * g - d, a - x0 * g, x0 * d - a * y0,
        d * h - e * g, b * g - a * h, a * e - b * d,
    ])  # fmt: skip
    return torch.from_numpy((adjoint / adjoint[8]).T.reshape(-1, 3, 3)).to(corners)
