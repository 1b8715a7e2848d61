"""Where the networks run."""

from __future__ import annotations

import functools

import torch


@functools.cache
def best_device() -> torch.device:
    """CUDA if there is a working GPU, then Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
