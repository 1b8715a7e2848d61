"""Latent mappers (Patashnik et al. 2021, arXiv 2103.17249, section 5): an edit that was learned.

    w + step * M(w)          coarse, medium and fine rows of W+ by a network each (figure 3)
    s + step * M(s)          or each layer of style space by one of its own

A network is a normalisation and four fully connected layers. The published ones for W+ normalise
across the rows instead of the channels ("layers"), because theirs is over the first dimension after
the batch; a checkpoint works only with what it was trained with, so its config says which
(`normalizes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from limner.models.loading import read_weights
from limner.models.networks import Network, loaded
from limner.models.stylegan2 import Config, Generator
from limner.models.stylegan2.generator import Linear
from limner_wire.errors import ErrorCode, LimnerError

COARSE, MEDIUM = 4, 8  # where the rows of a level end
LEVELS = {"coarse": slice(0, COARSE), "medium": slice(COARSE, MEDIUM), "fine": slice(MEDIUM, None),
          "all": slice(None)}  # fmt: skip
LAYERS, STEP, RATE = 4, 0.1, 0.01
EPSILON = 1e-8


class Part(nn.Module):
    """One network: (B, L, D) or (B, D) to the same.

    Args:
        axis: what is brought to a mean square of 1: 1 or -1, the rows or the channels.
    """

    def __init__(self, width: int, axis: int, layers: int = LAYERS, rate: float = RATE) -> None:
        super().__init__()
        self.axis = axis
        self.layers = nn.ModuleList(Linear(width, width, rate=rate) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        x = x * (x.square().mean(self.axis, keepdim=True) + EPSILON).rsqrt()
        rows = x.reshape(-1, x.shape[-1])
        for layer in self.layers:
            assert isinstance(layer, Linear)  # noqa: S101
            rows = layer.activated(rows)
        return rows.reshape(x.shape)


class Mapper(nn.Module):
    """A mapper for a generator.

    Args:
        config: "space": "w_plus" or "s"; "parts": of `LEVELS`, or "style.14" by a layer's index
            among all of style space; "normalizes": "layers" or "channels"; "step" and "rate".
        generator: whose latents it takes.

    Attributes:
        step: how much of what it says is added.
    """

    def __init__(self, config: Mapping[str, Any], generator: Config) -> None:
        super().__init__()
        names = [str(name) for name in config.get("parts", ())]
        self.in_styles = config.get("space") == "s"
        self.step = float(config.get("step", STEP))
        rate, layers = float(config.get("rate", RATE)), int(config.get("layers", LAYERS))
        axis = -1 if self.in_styles or config.get("normalizes") == "channels" else 1
        self.parts = nn.ModuleDict()
        for name in names:
            width = _width(name, generator, self.in_styles)
            self.parts[name.replace(".", "_")] = Part(width, axis, layers, rate)

    def forward(self, w_plus: Tensor) -> Tensor:
        """(B, L, w_dim), what is added to W+ but for the step; 0 where it has no part."""
        out = torch.zeros_like(w_plus)
        for name, part in self.parts.items():
            rows = LEVELS[name]
            out[:, rows] = out[:, rows] + part(w_plus[:, rows])
        return out

    def on_styles(self, styles: Sequence[Tensor]) -> list[Tensor]:
        """(B, channels) for each layer of style space; 0 where it has no part."""
        return [
            self.parts[name](s) if (name := f"style_{k:02d}") in self.parts else torch.zeros_like(s)
            for k, s in enumerate(styles)
        ]

    def applied(
        self, generator: Generator, w: Tensor, shares: Sequence[float] | None = None
    ) -> list[Tensor]:
        """Style space of w + share * step * M(w), row by row; (B, channels) for each layer.

        Args:
            w: (B, L, w_dim).
            shares: how much of the change each of the L rows takes; all of it if None.
        """
        rows = self.step * w.new_tensor([1.0] * w.shape[1] if shares is None else shares)
        if not self.in_styles:
            return generator.styles(w + rows[:, None] * self(w))
        styles, layers = generator.styles(w), generator.config.style_layers
        changes = zip(styles, self.on_styles(styles), layers, strict=True)
        return [s + rows[layer.latent] * change for s, change, layer in changes]

    def tensors(self) -> dict[str, Tensor]:
        """Its weights as they are kept: "coarse.0.weight", "style.14.3.bias"."""
        return {_kept(name): value for name, value in self.state_dict().items()}


def _width(name: str, generator: Config, in_styles: bool) -> int:
    """How many numbers a part takes.

    Raises:
        LimnerError: UNKNOWN_MODEL if the generator has no such part.
    """
    if not in_styles and name in LEVELS:
        return generator.w_dim
    index = name.removeprefix("style.")
    layers = generator.style_layers
    if in_styles and index.isdecimal() and int(index) < len(layers):
        return layers[int(index)].channels
    raise LimnerError(
        ErrorCode.UNKNOWN_MODEL,
        f"The mapper has a part {name[:40]!r} that this generator has not.",
        "Use it with the generator that it was trained for.",
    )


def _kept(name: str) -> str:
    part, layer, kind = name.removeprefix("parts.").replace(".layers.", ".").rsplit(".", 2)
    return f"{part.replace('_', '.')}.{layer}.{kind}"


def _own(name: str) -> str:
    part, layer, kind = name.rsplit(".", 2)
    return f"parts.{part.replace('.', '_')}.layers.{layer}.{kind}"


def load(found: Network, generator: Config, device: torch.device) -> Mapper:
    """A mapper on this machine, frozen.

    Raises:
        LimnerError: UNKNOWN_MODEL if its weights are not its own, or another generator's.
    """
    tensors = read_weights(found.weights)
    parts = {name.rsplit(".", 2)[0]: 0 for name in tensors}
    counts = [int(name.rsplit(".", 2)[1]) for name in tensors] or [LAYERS - 1]
    config = {**found.config, "parts": sorted(parts), "layers": max(counts) + 1}
    network = Mapper(config, generator)
    loaded(network, {_own(name): value for name, value in tensors.items()}, found.name)
    return network.to(device).eval().requires_grad_(False)
