"""How small pictures are spoilt: against sums by hand, and the same for the same seed."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.training.degradation import blurred, degraded, filtered, gaussian, reduced

SEEDS = range(24)


def pictures(count: int, side: int) -> Tensor:
    noise = torch.Generator().manual_seed(side)
    return torch.rand(count, 3, side, side, generator=noise) * 2 - 1


def convolved(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """(H, W) in double precision, pixel by pixel; its border goes on beyond it."""
    height, width = picture.shape
    reach = len(kernel) // 2
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for i in range(-reach, reach + 1):
                for j in range(-reach, reach + 1):
                    row, column = min(max(y + i, 0), height - 1), min(max(x + j, 0), width - 1)
                    out[y, x] += kernel[reach + i, reach + j] * picture[row, column]
    return out


def test_the_blur_is_a_gaussian_of_three_pixels() -> None:
    taps = np.exp(-0.5 * np.arange(-1, 2) ** 2 / 0.6**2)
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    some = pictures(6, 9)
    out = blurred(some, random.Random(1))
    soft = [not torch.equal(a, b) for a, b in zip(out, some, strict=True)]
    assert any(soft) and not all(soft)
    for was, now in zip(some[soft].flatten(0, 1), out[soft].flatten(0, 1), strict=True):
        right = convolved(was.double().numpy(), kernel)
        np.testing.assert_allclose(now.numpy(), right, atol=1e-6)  # single precision, below 1


def test_one_in_two_is_blurred() -> None:
    some = pictures(1, 4).expand(400, -1, -1, -1)
    out = blurred(some, random.Random(0))
    share = (out != some).flatten(1).any(1).float().mean()
    assert 0.4 < share < 0.6  # four standard deviations
    assert torch.equal(out, blurred(some, random.Random(0)))


@pytest.mark.parametrize("turn", [0.0, 0.7, math.pi / 2])
def test_a_kernel_spreads_as_it_is_told(turn: float) -> None:
    kernel = gaussian(2.0, 0.5, turn, 12).double()
    offsets = torch.arange(-12.0, 13.0, dtype=torch.float64)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    found = [(kernel * a * b).sum().item() for a, b in ((x, x), (x, y), (y, y))]
    c, s = math.cos(turn), math.sin(turn)
    right = [2 * c * c + 0.5 * s * s, 1.5 * c * s, 2 * s * s + 0.5 * c * c]
    # what a grid makes of so narrow a Gaussian
    assert found == pytest.approx(right, abs=0.01) and kernel.sum().item() == pytest.approx(1)


def test_an_uneven_kernel_is_not_turned_round() -> None:
    kernel = gaussian(2.0, 0.3, 0.7, 2)
    dot = torch.zeros(1, 3, 9, 9)
    dot[:, :, 4, 4] = 1.0
    torch.testing.assert_close(filtered(dot, kernel)[0, 1, 2:7, 2:7], kernel)


def test_made_small_each_pixel_is_the_mean_of_a_square() -> None:
    some = pictures(2, 8)
    out = reduced(some, 4)
    assert out.shape == (2, 3, 2, 2)
    torch.testing.assert_close(out[1, 2, 0, 1], some[1, 2, :4, 4:].mean())


@pytest.mark.parametrize("side", [8, 64])
def test_degraded_is_the_same_for_the_same_seed(side: int) -> None:
    some = pictures(2, side)
    kept = some.clone()
    outs = [degraded(some, 4, random.Random(seed)) for seed in SEEDS]
    for seed, out in zip(SEEDS, outs, strict=True):
        assert out.shape == (2, 3, side // 4, side // 4) and out.abs().max() <= 1, seed
        assert torch.equal(out, degraded(some, 4, random.Random(seed))), seed
    assert len({out.numpy().tobytes() for out in outs}) == len(SEEDS)
    assert torch.equal(some, kept)


def test_degraded_stays_in_its_place() -> None:
    """A soft spot off the middle: it is worn, but neither moved nor lighter nor darker."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    spot = 2 * (-((x - 25) ** 2 + (y - 38) ** 2) / 120).exp() - 1
    picture = spot.expand(1, 3, -1, -1)
    whole = reduced(picture, 4)
    outs = torch.cat([degraded(picture, 4, random.Random(seed)) for seed in SEEDS])
    assert (outs - whole).abs().mean((1, 2, 3)).min() > 0.001
    weight = (outs.mean(1) + 1 - 0.05).clamp_min(0)  # without the ground's noise
    offsets = torch.arange(16.0) * 4 + 1.5  # where their middles lie in the large picture
    for axis, right in ((1, 25), (2, 38)):
        found = (weight.sum(axis) * offsets).sum(1) / weight.sum((1, 2))
        # what few pixels tell of a middle; half a pixel of the large picture left or right shows
        assert (found - right).abs().max() < 1 and abs(found.mean().item() - right) < 0.1, found
    assert outs.mean().item() == pytest.approx(whole.mean().item(), abs=0.02)
