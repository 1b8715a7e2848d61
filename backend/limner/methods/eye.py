"""Looking at a drawing for its style: one network, and what it saw in the style pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.losses.hypercolumns import DRAWS, columns, drawing_places, style_places
from limner.losses.style import Look, distance, gram_distance, grams, look
from limner.models.features import SMALLEST_PX, Features

JUDGED_COLUMNS = 2048  # of a drawing, when it is judged and not only drawn
STROTSS, GRAM = "strotss", "gram"


class Eye:
    """A network and the looks of the style pictures, each made once.

    Args:
        features: the network.
        pictures: (3, H, W) in [0, 1], of any sizes, one or more.
        side_px: the longer side of the drawings that are looked at, to which the style pictures
            are brought; the network's own if None.
        seed: which places of the style pictures are kept.
    """

    def __init__(
        self,
        features: Features,
        pictures: Sequence[Tensor],
        device: torch.device,
        side_px: int | None = None,
        seed: int = 0,
    ) -> None:
        self.features = features
        side_px = side_px or features.side_px
        self._looks: list[Look] = []
        self._grams: list[list[Tensor]] = []
        noise = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for picture in pictures:
                small = fitted(picture.to(device), side_px)
                maps = features.maps(small)
                size = (small.shape[1], small.shape[2])
                places = style_places(size, features.style_columns // DRAWS, noise)
                self._looks.append(look(columns(maps, places.to(device))))
                self._grams.append(grams(maps[1:]))

    def far(
        self,
        image: Tensor,
        weights: Sequence[float],
        noise: torch.Generator,
        *,
        measure: str = STROTSS,
        mask: Tensor | None = None,
        count: int | None = None,
    ) -> Tensor:
        """() how far a drawing is from the style pictures; differentiable in the image.

        Args:
            image: (3, h, w) in [0, 1], its longer side `side_px`.
            weights: how much each style picture counts; only their proportions matter.
            noise: where the places that are looked at come from.
            measure: "strotss" or "gram".
            mask: (h, w); only what is inside it is looked at.
            count: how many places; the network's own number if None.
        """
        maps = self.features.maps(image)
        if measure == GRAM:
            seen = grams(maps[1:], mask)
            return weighed([gram_distance(seen, theirs) for theirs in self._grams], weights)
        size = (image.shape[1], image.shape[2])
        places = drawing_places(size, count or self.features.columns, noise, mask)
        ours = columns(maps, places.to(image.device))
        return weighed([distance(ours, theirs).total for theirs in self._looks], weights)

    @torch.no_grad()
    def judged(
        self,
        image: Tensor,
        weights: Sequence[float],
        *,
        measure: str = STROTSS,
        mask: Tensor | None = None,
        count: int | None = JUDGED_COLUMNS,
    ) -> float:
        """How far a drawing is, by places that are the same for every drawing."""
        noise = torch.Generator().manual_seed(1904_12785)
        return float(self.far(image, weights, noise, measure=measure, mask=mask, count=count))

    def each(
        self, image: Tensor, *, measure: str = STROTSS, mask: Tensor | None = None
    ) -> list[float]:
        """How far a drawing is from each of the style pictures, by as many places as in a step."""
        only = torch.eye(len(self._looks)).tolist()
        return [self.judged(image, one, measure=measure, mask=mask, count=None) for one in only]


def weighed(each: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """() the mean of what is said of each style picture, by their weights."""
    total = sum(weights)
    return torch.stack([e * (w / total) for e, w in zip(each, weights, strict=True)]).sum()


def fitted(picture: Tensor, side_px: int) -> Tensor:
    """(3, h, w) with a longer side of `side_px`, none shorter than the networks can see."""
    scale = side_px / max(picture.shape[1:])
    size = [max(SMALLEST_PX, round(side * scale)) for side in picture.shape[1:]]
    if size == list(picture.shape[1:]):
        return picture
    return F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
