"""CLIPDraw's augmentation: a random perspective, then a random crop, as one resampling.

Frans et al. 2021 (arXiv 2106.14843) look at the drawing through four random cutouts a step:
torchvision's `RandomPerspective(0.5, p=1, fill=1)`, then `RandomResizedCrop(scale=(0.7, 0.9))`.
Both are projective maps, so they are multiplied here and the picture is sampled once; that is
twice as fast as sampling twice, and sharper.

A cutout's random numbers depend on nothing but the generator, so a run can be repeated.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

DISTORTION = 0.5
CROP_AREA = (0.7, 0.9)
CROP_RATIO = (3 / 4, 4 / 3)

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
    count = len(maps)
    grid = sampling_grid(maps, size_px)
    ground = fill[:, None, None] if isinstance(fill, Tensor) else fill
    source = (picture - ground).expand(count, -1, -1, -1)
    seen = F.grid_sample(source, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return seen + ground


def sampling_grid(maps: Tensor, size_px: int) -> Tensor:
    """(B, size_px, size_px, 2): where each pixel centre lies in the picture, from -1 to 1."""
    ticks = (torch.arange(size_px, device=maps.device, dtype=maps.dtype) + 0.5) / size_px
    ones = torch.ones_like(ticks).expand(size_px, -1)
    square = torch.stack([ticks.expand(size_px, -1), ticks[:, None].expand(-1, size_px), ones], -1)
    seen = square.reshape(1, -1, 3) @ maps.transpose(1, 2)
    grid = seen[..., :2] / seen[..., 2:].clamp_min(1e-3)
    return (grid * 2 - 1).reshape(len(maps), size_px, size_px, 2)


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
    return homography(moved, corners.expand(count, -1, -1))


def random_crops(count: int, noise: torch.Generator) -> Tensor:
    """(B, 3, 3): from the crop's square to the picture, as `RandomResizedCrop` draws them.

    torchvision draws again, up to ten times, when a crop doesn't fit; here the ratio is narrowed
    to what fits, so that no draw is thrown away.
    """
    area = torch.empty(count).uniform_(*CROP_AREA, generator=noise)
    limit = (-area.log()).clamp_max(math.log(CROP_RATIO[1]))  # wider would stick out
    ratio = ((torch.rand(count, generator=noise) * 2 - 1) * limit).exp()
    width, height = (area * ratio).sqrt(), (area / ratio).sqrt()
    left = torch.rand(count, generator=noise) * (1 - width)
    top = torch.rand(count, generator=noise) * (1 - height)
    maps = torch.zeros(count, 3, 3)
    maps[:, 0, 0], maps[:, 0, 2] = width, left
    maps[:, 1, 1], maps[:, 1, 2] = height, top
    maps[:, 2, 2] = 1
    return maps


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


def homography(source: Tensor, target: Tensor) -> Tensor:
    """(B, 3, 3): the projective map that takes four points to four others.

    Args:
        source, target: (B, 4, 2). No three of the points may lie on a line.
    """
    x, y = source.unbind(-1)
    u, v = target.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    rows_u = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    rows_v = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    system = torch.cat([rows_u, rows_v], 1)
    solved = torch.linalg.solve(system, torch.cat([u, v], 1))
    return torch.cat([solved, torch.ones(len(solved), 1)], 1).reshape(-1, 3, 3)
