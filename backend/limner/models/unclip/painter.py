"""What the decoders of unCLIP have in common (Ramesh et al. 2022, arXiv 2204.06125, section 2.1):
from a CLIP's image embedding they paint a picture, in its pixels or in a smaller space.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from limner.models.clip import Words
from limner.models.unclip.sampling import clean_of
from limner.models.unclip.schedule import Schedule


class Painter(nn.Module):
    """A decoder; `drawing` makes pictures with it.

    Attributes:
        config: with `clip`, `size` (the side of its pictures in pixels), `unit`, `eta` and
            `prediction`.
        schedule: of the noise.
        shape: (channels, side, side) of what is diffused.
        is_latent: whether that is something else than the picture itself.
    """

    config: Any
    schedule: Schedule
    shape: tuple[int, int, int]
    is_latent = False

    def embedded(self, embedding: Tensor, dropped: Tensor | None = None) -> Tensor:
        """(B, D) image embeddings as the network takes them; where `dropped`, (B,) bool, none."""
        raise NotImplementedError

    def encoded(self, pictures: Tensor) -> Tensor:
        """(B, *shape), what is diffused, of (B, 3, S, S) pictures in [-1, 1]."""
        return pictures

    def pictures(self, diffused: Tensor) -> Tensor:
        """The inverse of `encoded`, as far as there is one; a little beyond [-1, 1] perhaps."""
        return diffused

    def clean(
        self, noisy: Tensor, time: int, embedded: Tensor, words: Words
    ) -> tuple[Tensor, Tensor | None]:
        """What is clean in (B, *shape), noisy, by one look, and the share of a learned variance or
        None."""
        times = torch.full((len(noisy),), time, device=noisy.device)
        out, share = self(noisy, times, embedded, words)
        return clean_of(self.config.prediction, out, noisy, float(self.schedule.kept[time])), share
