"""What small pictures go through before an upsampler learns to make large ones of them.

An upsampler is given what a decoder painted, which is never quite the large picture made small. So
the first learns from blurred pictures, the second from such as have been through much (arXiv
2204.06125, section 2.1): "BSR" (Zhang et al. 2021, arXiv 2103.14006), in the light form of latent
diffusion's super-resolution (arXiv 2112.10752; the bounds are those of its code,
CompVis/latent-diffusion, `bsrgan_light.py`), which has no camera, and less of everything.

Pictures are in [-1, 1].
"""

from __future__ import annotations

import io
import math
import random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

SIGMA, REACH = 0.6, 1  # of the first upsampler's blur: a kernel of 3 x 3
WIDE_REACH = 7
INTERPOLATIONS = ("bilinear", "bicubic", "area")
QUALITY = (80, 95)  # of a JPEG
NOISE = (1, 2)  # deviation, of 255


def reduced(pictures: Tensor, scale: int) -> Tensor:
    """(B, 3, H, W) made so many times smaller, each pixel the mean of a square."""
    return F.avg_pool2d(pictures, scale)


def blurred(pictures: Tensor, chance: random.Random) -> Tensor:
    """(B, 3, H, W), one in two of them blurred."""
    kernel = gaussian(SIGMA**2, SIGMA**2, 0.0, REACH)
    soft = torch.tensor([chance.random() < 0.5 for _ in pictures])[:, None, None, None]
    return torch.where(soft, filtered(pictures, kernel), pictures)


def degraded(pictures: Tensor, scale: int, chance: random.Random) -> Tensor:
    """(B, 3, H, W) to (B, 3, H / scale, W / scale), each in its own way."""
    return torch.cat([_degraded(picture[None], scale, chance) for picture in pictures])


def _degraded(picture: Tensor, scale: int, chance: random.Random) -> Tensor:
    """Blur, two reductions, noise and JPEG in any order, but the second reduction, which comes to
    the size that is wanted, after the first; then JPEG again."""
    size = (picture.shape[2] // scale, picture.shape[3] // scale)
    order = chance.sample(("blur", "reduce", "fit", "noise", "jpeg"), 5)
    first, second = sorted((order.index("reduce"), order.index("fit")))
    order[first], order[second] = "reduce", "fit"
    for what in order:
        if what == "blur":
            picture = filtered(picture, _kernel(scale, chance))
        elif what == "reduce":
            picture = _reduced(picture, scale, chance)
        elif what == "fit":
            picture = _resized(picture, size, chance)
        elif what == "noise":
            picture = _noisy(picture, chance)
        elif chance.random() < 0.9:
            picture = _as_jpeg(picture, chance)
    return _as_jpeg(picture, chance)


def gaussian(along: float, across: float, turn: float, reach: int) -> Tensor:
    """(2 reach + 1, 2 reach + 1), of sum 1: a Gaussian with these variances in square pixels, the
    first along a line that is turned by so many radians from x."""
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    kernel = (-0.5 * (u.square() / along + v.square() / across)).exp()
    return kernel / kernel.sum()


def filtered(pictures: Tensor, kernel: Tensor) -> Tensor:
    """(B, 3, H, W) with a kernel of odd sides; beyond the border its pixels go on."""
    reach, channels = len(kernel) // 2, pictures.shape[1]
    padded = F.pad(pictures, (reach,) * 4, mode="replicate")
    return F.conv2d(padded, kernel.expand(channels, 1, -1, -1).to(padded), groups=channels)


def _kernel(scale: int, chance: random.Random) -> Tensor:
    """Long or round by halves."""
    if chance.random() < 0.5:
        along, across = (max(0.01, (1 + scale / 4) * chance.random()) for _ in range(2))
        return gaussian(along, across, chance.random() * math.pi, WIDE_REACH)
    variance = max(0.01, ((0.5 + 0.05 * scale) * chance.random()) ** 2)
    return gaussian(variance, variance, 0.0, WIDE_REACH)


def _reduced(picture: Tensor, scale: int, chance: random.Random) -> Tensor:
    """By a factor of up to twice the scale; or, one in five, by the scale, widely blurred, with the
    pixels between left out."""
    if chance.random() < 0.8:
        return _resized(picture, _shorter(picture, chance.uniform(1, 2 * scale)), chance)
    variance = chance.uniform(0.1, 0.6 * scale) ** 2
    soft = filtered(picture, gaussian(variance, variance, 0.0, 3 * scale))
    return F.interpolate(soft, _shorter(picture, scale), mode="bilinear")


def _shorter(picture: Tensor, factor: float) -> tuple[int, int]:
    height, width = (max(1, int(side / factor)) for side in picture.shape[2:])
    return height, width


def _resized(picture: Tensor, size: tuple[int, int], chance: random.Random) -> Tensor:
    mode = chance.choice(INTERPOLATIONS)
    return F.interpolate(picture, size, mode=mode).clamp(-1, 1)


def _noisy(picture: Tensor, chance: random.Random) -> Tensor:
    """The same in all colours, or its own in each."""
    channels = chance.choice((1, 3))
    noise = torch.Generator().manual_seed(chance.getrandbits(48))
    grain = torch.randn(1, channels, *picture.shape[2:], generator=noise)
    return (picture + grain * (2 * chance.uniform(*NOISE) / 255)).clamp(-1, 1)


def _as_jpeg(picture: Tensor, chance: random.Random) -> Tensor:
    levels = ((picture[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    file = io.BytesIO()
    Image.fromarray(levels.permute(1, 2, 0).numpy()).save(
        file, "JPEG", quality=chance.randint(*QUALITY)
    )
    pixels = np.array(Image.open(file))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
