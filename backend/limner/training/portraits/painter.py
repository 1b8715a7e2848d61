"""The painter: a portrait's attributes in, its picture out.

Everything that is painted is a function of the portrait; paper and hatching are the same in all.
The same portrait gives the same picture, pixel for pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.media import MEDIA

SIDE_PX = 64


def paint(portrait: Portrait, side_px: int = SIDE_PX) -> NDArray[np.uint8]:
    """(3, side, side) uint8: the portrait in its medium."""
    picture = MEDIA[portrait.medium](portrait, side_px)
    return np.ascontiguousarray(
        (picture * 255 + 0.5).clip(0, 255).astype(np.uint8).transpose(2, 0, 1)
    )


def paint_all(portraits: Sequence[Portrait], side_px: int = SIDE_PX) -> NDArray[np.uint8]:
    """(N, 3, side, side) uint8."""
    out = np.empty((len(portraits), 3, side_px, side_px), np.uint8)
    for row, portrait in zip(out, portraits, strict=True):
        row[:] = paint(portrait, side_px)
    return out


def as_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """The same as float32 in [0, 1]."""
    return torch.from_numpy(pictures).float() / 255
