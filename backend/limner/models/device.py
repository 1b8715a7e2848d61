"""Where the networks run."""

from __future__ import annotations

import contextlib
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


def memory(device: torch.device) -> int:
    """How many bytes a device has in all; 0 where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0
