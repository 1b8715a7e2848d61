"""How far a face is from being the same person's (Richardson et al. 2021, arXiv 2008.00951, eq. 3;
Patashnik et al. 2021, arXiv 2103.17249, eq. 2):  1 - cos(ArcFace(x), ArcFace(y)).
"""

from __future__ import annotations

import torch
from torch import Tensor

from limner.models.arcface import ArcFace


class Identity:
    """The person in a portrait, whom others are compared with.

    Args:
        portraits: (B, 3, H, W) in [-1, 1], aligned as the network's training faces.
    """

    def __init__(self, network: ArcFace, portraits: Tensor) -> None:
        self._network = network
        with torch.no_grad():
            self._who = network.identify(portraits)

    def far(self, portraits: Tensor) -> Tensor:
        """() in [0, 2], the mean over (B, 3, H, W) in [-1, 1]; differentiable."""
        return (1 - (self._network.identify(portraits) * self._who).sum(1)).mean()
