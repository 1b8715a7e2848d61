"""Encoders from pictures to W+: e4e (Tov et al. 2021, arXiv 2102.02766) and its forerunner pSp
(Richardson et al. 2021, arXiv 2008.00951).

An IR-SE body (`models.arcface`) whose last three stages feed a pyramid: coarse layers of W+ are
read off the smallest map, medium ones off the next, fine ones off the largest. In e4e each layer
is the first one's vector plus a difference of its own; in pSp each stands for itself. Parameters
have the published names, so that those files load as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.models.arcface import IR_SE50, Body, body_from_json, pooled, stem, units
from limner.models.networks import find, frozen, whole
from limner.models.stylegan2.generator import Linear

COARSE, MEDIUM = 3, 7  # the first layers of W+ that are read off the next larger map


@dataclass(frozen=True, slots=True)
class Config:
    """An encoder.

    Attributes:
        latents: L, how many vectors of W+ it gives.
        w_dim: their size.
        input_px: the side of the pictures that it takes.
        differences: whether it is e4e, whose vectors are the first one plus a difference.
    """

    body: Body = IR_SE50
    latents: int = 18
    w_dim: int = 512
    input_px: int = 256
    differences: bool = True

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """The inverse of `to_json`.

        Raises:
            LimnerError: UNREADABLE if it tells no encoder.
        """
        numbers = {name: whole(content, name, 4096) for name in ("latents", "w_dim", "input_px")}
        differences = content.get("differences") is not False
        return cls(body_from_json(content), **numbers, differences=differences)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for config.json."""
        names = ("latents", "w_dim", "input_px", "differences")
        return {"body": asdict(self.body), **{name: getattr(self, name) for name in names}}


class Style(nn.Module):
    """A square map to one vector: convolutions until one pixel is left ("GradualStyleBlock")."""

    def __init__(self, inputs: int, w_dim: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while side > 1 or not layers:
            layers += [nn.Conv2d(inputs, w_dim, 3, 2, 1), nn.LeakyReLU()]
            inputs, side = w_dim, (side + 1) // 2
        self.convs = nn.Sequential(*layers)
        self.linear = Linear(w_dim, w_dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.convs(x).flatten(1))
        return out


class Encoder(nn.Module):
    """Pictures (B, 3, input_px, input_px) in [-1, 1] to W+, (B, L, w_dim).

    Attributes:
        latent_avg: (L, w_dim), what is added to what the network says.
    """

    latent_avg: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, body = config, config.body
        self.input_layer, self.body = stem(body), units(body)
        smallest, width = config.input_px >> len(body.units), body.widths[-1]
        sides = [smallest << self._map_of(k) for k in range(config.latents)]
        self.styles = nn.ModuleList(Style(width, config.w_dim, side) for side in sides)
        self.latlayer1 = nn.Conv2d(body.widths[-2], width, 1)
        self.latlayer2 = nn.Conv2d(body.widths[-3], width, 1)
        self.register_buffer("latent_avg", torch.zeros(config.latents, config.w_dim))

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self._maps(pictures)
        vectors = [style(maps[self._map_of(k)]) for k, style in enumerate(self.styles)]
        if self.config.differences:
            vectors[1:] = [vectors[0] + difference for difference in vectors[1:]]
        return torch.stack(vectors, 1) + self.latent_avg

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1] of any size to W+."""
        side = self.config.input_px
        if min(pictures.shape[2:]) >= side:
            sized = pooled(pictures, side)
        else:
            sized = F.interpolate(pictures, (side, side), mode="bilinear", align_corners=False)
        out: Tensor = self(sized)
        return out

    @staticmethod
    def _map_of(latent: int) -> int:
        return 0 if latent < COARSE else 1 if latent < MEDIUM else 2

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        """The pyramid, smallest first."""
        x, taps = self.input_layer(pictures), []
        for k, unit in enumerate(self.body):
            x = unit(x)
            if k in self.config.body.ends[-3:]:
                taps.append(x)
        fine, medium, coarse = taps
        second = _enlarged_onto(coarse, self.latlayer1(medium))
        return [coarse, second, _enlarged_onto(second, self.latlayer2(fine))]


def _enlarged_onto(small: Tensor, large: Tensor) -> Tensor:
    size = large.shape[2:]
    return F.interpolate(small, size, mode="bilinear", align_corners=True) + large


def load(name: str | None = None, device: torch.device | None = None) -> Encoder:
    """An encoder on this machine, frozen; the best if none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that name, or its weights are not its own.
    """
    found = find("encoder", name)
    return frozen(found, Encoder(Config.from_json(found.config)), device)
