"""Weights in eight bits: half the room of half precision, for what ships with Limner.

A matrix, or kernels, keeps whole numbers from -127 to 127, in parts of the largest of their row,
which is what one of its outputs gathers: a weight is off by 1/254 of that at most.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

LARGEST = "/largest"  # behind a name: that of each row
MOST = 127
FEWEST = 4096  # numbers of a tensor that is worth it


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's state, its large tensors in eight bits: (O, …) int8, and (O,) the largest."""
    out: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if not value.is_floating_point() or value.ndim < 2 or value.numel() < FEWEST:
            out[name] = value
            continue
        rows = value.detach().float().flatten(1)
        largest = rows.abs().amax(1).clamp_min(torch.finfo(torch.half).tiny)
        out[name] = (rows * (MOST / largest[:, None])).round().to(torch.int8).view(value.shape)
        out[name + LARGEST] = largest
    return out


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` was given, about; other states as they are."""
    out = dict(tensors)
    for name, value in tensors.items():
        largest = tensors.get(name + LARGEST)
        if value.dtype == torch.int8 and largest is not None and largest.shape == value.shape[:1]:
            out[name] = value * (largest.float() / MOST).view(-1, *[1] * (value.ndim - 1))
            del out[name + LARGEST]
    return out
