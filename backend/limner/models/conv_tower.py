"""The image towers of Limner's own small CLIPs, on 64x64 pictures.

Registered with timm, where open_clip looks for image towers; it builds the rest. The starter's is
a residual network made for drawing on a CPU: plain 3x3 convolutions (the fastest there), group
norm (the same result for one cutout as for eight), and SiLU (a smooth activation; Xie et al. 2020,
arXiv 2006.14536, show that adversarial training, which gives the tower gradients that follow
shapes, gains from one).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import timm
from torch import Tensor, nn

WIDTHS = (32, 80, 160, 320)


class Residual(nn.Module):
    """Two 3x3 convolutions at half the size, beside an averaged shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
            nn.GroupNorm(8, outputs),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.GroupNorm(8, outputs),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.body(x) + self.shortcut(x))
        return out

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What lies between its two convolutions, and what it puts out."""
        within = self.body[:3](x)
        return within, self.act(self.body[3:](within) + self.shortcut(x))


class ConvTower(nn.Module):
    """(B, 3, 64, 64), normalised → (B, 320). What open_clip asks of a timm model, no more."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.num_features = widths[-1]
        self.default_cfg: dict[str, Any] = {}
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 5, 2, 2), nn.SiLU())
        pairs = pairwise(widths)
        self.blocks = nn.Sequential(*[Residual(a, b) for a, b in pairs])

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """There is no classifier to take off: open_clip puts its projection behind the tower."""

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.blocks(self.stem(x)).mean((2, 3))
        return features

    def maps(self, x: Tensor, depth: int) -> list[Tensor]:
        """What the stem and the first `depth` blocks make of (B, 3, H, W), normalised, of any size:
        a map of half the size, then for each block two of half the size again."""
        out = [self.stem(x)]
        for block in list(self.blocks)[:depth]:
            assert isinstance(block, Residual)  # noqa: S101
            out += block.maps(out[-1])
        return out


class PlainTower(nn.Module):
    """The judge's tower: no shortcuts, batch norm, ReLU, max pooling. (B, 3, 64, 64) → (B, 384).

    It ranks drawings that another tower's gradient made; it must not share that tower's blind
    spots, so it is built (and trained) as differently as a network of its size can be. Who judges
    where things lie too ends with the map of 4 x 4, not with its mean.
    """

    def __init__(
        self, widths: tuple[int, ...] = (24, 48, 96, 192, 384), *, mean: bool = True
    ) -> None:
        super().__init__()
        self.mean = mean
        self.num_features = widths[-1] * (1 if mean else 16)
        self.default_cfg: dict[str, Any] = {}
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 5, 2, 2), nn.ReLU()]
        for index, (inputs, outputs) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)]
            layers += [nn.ReLU()] + ([nn.MaxPool2d(2)] if index < len(widths) - 2 else [])
        self.layers = nn.Sequential(*layers)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """There is no classifier to take off."""

    def forward(self, x: Tensor) -> Tensor:
        seen: Tensor = self.layers(x)
        return seen.mean((2, 3)) if self.mean else seen.flatten(1)

    def maps(self, x: Tensor, depth: int) -> list[Tensor]:
        """What the first convolution and `depth` more make of (B, 3, H, W), normalised."""
        out: list[Tensor] = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                out.append(x)
            if len(out) > depth:
                break
        return out


class DetailTower(nn.Module):
    """(B, 3, 64, 64), normalised → (B, `num_features`), for pictures in which everything has its
    place.

    A mouth is ten pixels of a portrait, and is lost in the mean of a whole picture. So this one
    ends with a map instead of a mean, and begins at full size unless its `stride` is 2.
    """

    def __init__(
        self, widths: tuple[int, ...] = (32, 64, 112, 160), left: int = 24, stride: int = 1
    ) -> None:
        super().__init__()
        self.num_features = left * (64 // stride >> len(widths) - 1) ** 2
        self.default_cfg: dict[str, Any] = {}
        reach = 1 + 2 * stride  # 3 x 3, or 5 x 5 where every second pixel is left out
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], reach, stride, stride), nn.SiLU())
        self.blocks = nn.Sequential(*[Residual(a, b) for a, b in pairwise(widths)])
        self.last = nn.Sequential(nn.Conv2d(widths[-1], left, 1), nn.SiLU())

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """There is no classifier to take off."""

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.last(self.blocks(self.stem(x))).flatten(1)
        return features


def limner_conv64(pretrained: bool = False, **_: Any) -> ConvTower:
    """The starter's tower, by the name that its open_clip config gives."""
    return ConvTower()


def limner_plain64(pretrained: bool = False, **_: Any) -> PlainTower:
    """The judge's tower, by the name that its open_clip config gives."""
    return PlainTower()


def limner_placed64(pretrained: bool = False, **_: Any) -> PlainTower:
    """The tower of the judge of scenes, by the name that its open_clip config gives."""
    return PlainTower((24, 48, 96, 160, 160), mean=False)


def limner_detail64(pretrained: bool = False, **_: Any) -> DetailTower:
    """The portraits' tower, by the name that its open_clip config gives."""
    return DetailTower()


def limner_scene64(pretrained: bool = False, **_: Any) -> DetailTower:
    """The tower that unCLIP paints from, by the name that its open_clip config gives."""
    return DetailTower((40, 96, 192, 320), left=64, stride=2)


timm.models.register_model(limner_conv64)
timm.models.register_model(limner_detail64)
timm.models.register_model(limner_placed64)
timm.models.register_model(limner_plain64)
timm.models.register_model(limner_scene64)
