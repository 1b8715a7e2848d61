"""Where the networks run."""

from __future__ import annotations

import functools
import os

import torch


@functools.cache
def best_device() -> torch.device:
    """CUDA if there is a working GPU, then Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        mine = os.environ.get("LOCAL_RANK")  # of several processes on this machine
        return torch.device("cuda", int(mine)) if mine else torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
