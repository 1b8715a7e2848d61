"""Hypercolumns: what all layers of a network see at one place of a picture, as one vector.

STROTSS (Kolkin, Salavon & Shakhnarovich 2019, arXiv 1904.12785, section 2.1) compares pictures by
sets of them. A layer whose map is smaller is read between its pixels, at the place divided by two
for every halving on the way, as the authors' code does (StyleCLIPDraw 3f2c425 has it too): the
pixel (x, y) of the picture lies at (x / 2, y / 2) of a map of half the size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

GRID_SIDE = 128  # a drawing is looked at on a grid of about so many places a side
DRAWS = 5  # of a style picture's places, with `count` in each


def columns(maps: Sequence[Tensor], places: Tensor) -> Tensor:
    """(N, C) the hypercolumns at N places; differentiable in the maps.

    Args:
        maps: L maps (1, C_l, h_l, w_l), the first as large as the picture, each of the others as
            large as the one before or smaller; C is the sum of all C_l.
        places: (N, 2) x, y in pixels of the first map, from 0 to its size less one.
    """
    out, at = [], places
    for k, map_ in enumerate(maps):
        if k and map_.shape[2] < maps[k - 1].shape[2]:
            at = at / _halvings(maps[k - 1], map_)
        out.append(_between(map_, at))
    return torch.cat(out, 1)


def _halvings(larger: Tensor, smaller: Tensor) -> int:
    """The power of two by which a map is smaller than another."""
    ratio: int = 2 ** round(math.log2(larger.shape[2] / smaller.shape[2]))
    return ratio


def _between(map_: Tensor, places: Tensor) -> Tensor:
    """(N, C) a map's values at places between its pixels, beyond its edge those of the edge."""
    side = places.new_tensor([max(map_.shape[3] - 1, 1), max(map_.shape[2] - 1, 1)])
    grid = (places / side * 2 - 1)[None, :, None]
    seen = F.grid_sample(map_, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return seen[0, :, :, 0].T


def drawing_places(
    size: tuple[int, int], count: int, noise: torch.Generator, mask: Tensor | None = None
) -> Tensor:
    """(N, 2) x, y: at most `count` places of a regular grid that begins somewhere at random.

    Args:
        size: (height, width) of the picture in pixels.
        mask: (H, W); only places where it is above a half, if there are any.
    """
    height, width = size
    stride = max(1, int(math.sqrt(height * width / GRID_SIDE**2)))
    first = torch.randint(stride, (2,), generator=noise).tolist()
    rows, lines = torch.arange(first[0], height, stride), torch.arange(first[1], width, stride)
    y, x = torch.meshgrid(rows, lines, indexing="ij")
    grid = torch.stack([x.flatten(), y.flatten()], 1)
    if mask is not None:
        inside = grid[(mask.cpu() > 0.5)[grid[:, 1], grid[:, 0]]]
        grid = inside if len(inside) else grid
    chosen = torch.randperm(len(grid), generator=noise)[:count]
    return grid[chosen].float()


def style_places(size: tuple[int, int], count: int, noise: torch.Generator) -> Tensor:
    """(DRAWS * count, 2) x, y: pixels at random, those of one draw all different.

    A picture with fewer than `count` pixels gives all that it has, in each draw.
    """
    height, width = size
    drawn = [torch.randperm(height * width, generator=noise)[:count] for _ in range(DRAWS)]
    chosen = torch.cat(drawn)
    return torch.stack([chosen % width, chosen // width], 1).float()
