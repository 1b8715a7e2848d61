"""Large pictures for upsamplers to learn from: icons, painted portraits and plain shapes.

They are drawn afresh at their size, none is a small one made large, and packed in one .npy, which
is read a picture at a time. Icons lie on white or on a colour, and one in four is dyed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limner.training.augment import COLOURS, backgrounds, dyed
from limner.training.corpora import SIDE_PX
from limner.training.icons import TRAIN_SETS, icons, labels, render_svg
from limner.training.portraits.latent import portraits_of, sample
from limner.training.portraits.painter import paint
from limner.training.scenes import scene
from limner.vector.rasterizer import render

DYED = 0.25


def pack(
    path: Path, node_modules: Path, count: tuple[int, int, int] = (3000, 1500, 500),
    side_px: int = 256, seed: int = 0,
) -> None:  # fmt: skip
    """Leave (N, 3, side, side) uint8 in a file, in no order.

    Args:
        count: how many icons, portraits and pictures of shapes.
    """
    parts = (iconic(node_modules, count[0], side_px, seed), painted(count[1], side_px, seed),
             shapes(count[2], side_px, seed))  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (sum(count), 3, side_px, side_px)
    out = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    rows = iter(np.random.default_rng(seed).permutation(len(out)))
    for picture in (picture for part in parts for picture in part):
        out[next(rows)] = picture
    out.flush()


def iconic(node_modules: Path, count: int, side_px: int, seed: int) -> Iterator[np.ndarray]:
    """Icons of the sets that are trained on, each on a ground of its own."""
    chance, known = random.Random(seed), labels(node_modules)
    found = [svg for name in TRAIN_SETS for key, svg in icons(node_modules, name) if key in known]
    chance.shuffle(found)
    left = iter(found)
    for _ in range(count):
        yield _bytes(_on_ground(_rendered(left, side_px), chance))


def _rendered(left: Iterator[str], side_px: int) -> Tensor:
    """(4, side, side) in [0, 1] of the next that can be drawn."""
    for svg in left:
        try:
            return torch.from_numpy(render_svg(svg, side_px)).float() / 255
        except ValueError:
            continue  # a few icons use features that resvg refuses
    raise ValueError("there are not so many icons")


def _on_ground(rgba: Tensor, chance: random.Random) -> Tensor:
    rgb, alpha = rgba[:3], rgba[3:]
    if chance.random() < DYED:
        rgb = dyed(rgb, COLOURS[chance.choice(sorted(COLOURS))][1])
    ground = backgrounds(1, torch.Generator().manual_seed(chance.getrandbits(48)))[0]
    return rgb * alpha + ground * (1 - alpha)


def painted(count: int, side_px: int, seed: int) -> Iterator[np.ndarray]:
    """Portraits."""
    for portrait in portraits_of(sample(count, seed)):
        yield paint(portrait, side_px)


def shapes(count: int, side_px: int, seed: int) -> Iterator[np.ndarray]:
    """Plain shapes."""
    chance = random.Random(seed)
    for _ in range(count):
        drawing = scene(chance)[0]
        size, noise = (SIDE_PX, SIDE_PX), torch.Generator().manual_seed(chance.getrandbits(48))
        ground = tuple(backgrounds(1, noise).flatten().tolist())
        yield _bytes(render(drawing, size, background=ground, scale=side_px / SIDE_PX)[0].detach())


def _bytes(picture: Tensor) -> np.ndarray:
    out: np.ndarray = (picture * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return out
