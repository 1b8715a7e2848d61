"""Networks whose layers tell one look of a picture from another.

The style losses (`losses.style`) compare what the layers of a network see. VGG16 trained on
ImageNet is what the papers look with, and is taken where its weights lie on this machine
(`models.vgg`); else the starter CLIP's image tower serves, which comes with Limner.
"""

from __future__ import annotations

import functools
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.catalog import STARTER, find, vgg16
from limner.models.clip import Clip
from limner.models.vgg import Vgg16Features

NAMES = ("best", "vgg16", "starter")


class Features(Protocol):
    """A frozen network that is looked into.

    Attributes:
        name: for people.
        side_px: the longer side to which pictures are brought before they are compared.
        columns: how many places of a drawing are compared in a step; `style_columns`, how many of
            a style picture are kept.
    """

    name: str
    side_px: int
    columns: int
    style_columns: int

    def maps(self, picture: Tensor) -> list[Tensor]:
        """What each layer makes of a picture; differentiable.

        Args:
            picture: (3, H, W) in [0, 1], at least `SMALLEST_PX` a side.

        Returns:
            Maps (1, C_l, h_l, w_l): the first the picture as the network takes it, each of the
            others as large as the one before or smaller by a power of two.
        """
        ...


SMALLEST_PX = 16  # a side, so that the last layer's map still has a pixel
DEPTH, STRIDE = 2, 8  # blocks of the starter's tower that are looked into; what they shrink it by


class StarterFeatures:
    """The starter CLIP's image tower, which was trained against adversarial steps: its layers'
    gradients follow shapes (see `models.conv_tower`)."""

    name = "the starter's image tower"
    side_px = 128
    columns, style_columns = 512, 1000

    def __init__(self, device: torch.device) -> None:
        self._clip, self._depth = Clip(find(STARTER), device), DEPTH

    def maps(self, picture: Tensor) -> list[Tensor]:
        """515 channels: the colours, the stem, and two blocks, each within and at its end."""
        height, width = picture.shape[1:]
        room = (0, -width % STRIDE, 0, -height % STRIDE)  # the tower's halvings leave no rest
        whole = F.pad(picture[None], room, mode="replicate")[0]
        return self._clip.maps(whole, self._depth)


@functools.lru_cache(maxsize=2)
def load(name: str, device: torch.device) -> Features:
    """The network of that name, one of `NAMES`; the last ones are kept.

    Raises:
        LimnerError: UNKNOWN_MODEL if VGG16 is named and not on this machine.
    """
    if name == "starter" or (name == "best" and vgg16() is None):
        return StarterFeatures(device)
    return Vgg16Features(device)
