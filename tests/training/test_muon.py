"""Muon beside AdamW: every weight has one of them, and a matrix's step goes every way alike far."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from limner.training.loop import descend
from limner.training.muon import optimizers

RATE = 0.01


@pytest.mark.parametrize("laid_out", [torch.contiguous_format, torch.channels_last])
def test_a_step(laid_out: torch.memory_format) -> None:
    torch.manual_seed(0)
    kernels, norm, linear = nn.Conv2d(8, 16, 3), nn.GroupNorm(4, 16), nn.Linear(16, 12)
    network = nn.Sequential(kernels, norm, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)
    network = network.to(memory_format=laid_out)
    kinds = optimizers(network, RATE, 0.0)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    seen = torch.randn(32, 8, 6, 6).to(memory_format=laid_out)
    descend(list(kinds.values()), (network(seen) * torch.randn(32, 12)).sum())
    moved = {name: before[name] - p.detach() for name, p in network.named_parameters()}
    for name in ("0.weight", "4.weight"):
        step: Tensor = moved[name].flatten(1)
        rank = min(step.shape) - (name == "0.weight")  # the norm takes one way from the kernels
        lengths = torch.linalg.svdvals(step)[:rank] / (RATE * 0.2 * max(step.shape) ** 0.5)
        assert 0.5 < lengths.min() <= lengths.max() < 1.4, name
    for name in ("0.bias", "1.weight", "1.bias", "4.bias"):  # AdamW's first: its rate, by the sign
        assert moved[name].abs().max() == pytest.approx(RATE, rel=1e-3), name
