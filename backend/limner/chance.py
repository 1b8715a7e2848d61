"""Random numbers that are the same on every machine."""

from __future__ import annotations

import torch


def random_of(seed: int, step: int) -> torch.Generator:
    """What a step draws from, on the CPU: whoever knows the seed and the step draws the same."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)
