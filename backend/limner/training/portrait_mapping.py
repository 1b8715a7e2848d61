"""A mapping network that is written down instead of learned: from a portrait's code to its traits.

What a code's portrait is stands in `portraits.latent`: 25 readings, each compared with thresholds.
A network learns that slowly; but leaky ReLUs can say it exactly, and then the generator only has to
learn to paint. Four layers:

1. A jumping attribute's reading (of glasses, hats) becomes a steep ramp at each threshold: the
   difference of two leaky ReLUs. All other readings pass.
2. A graded attribute's reading (of skin, mouth) becomes ramps as wide as the painter's transitions.
3. The steep ramps are made 20 times as steep.
4. Ramps become classes: each coordinate of W is above 0 where the portrait has one class of one
   attribute, and 0 where it has not. The pose takes two coordinates a number, one for either way.

So W is disentangled by construction: an attribute is a few coordinates, and no other attribute
moves them. Coordinates that are left over say the first ones again, below 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from limner.models.stylegan2.generator import Linear, Mapping
from limner.models.stylegan2.ops import GAIN, SLOPE
from limner.training.portraits.attributes import ATTRIBUTES, POSE, Attribute
from limner.training.portraits.latent import LATENT, NAMES, directions
from limner.training.portraits.palette import COLOUR_PLATEAU, FORM_PLATEAU, TABLES

LAYERS, NARROWEST = 4, 112
CLASS, POSED = 2.5, 1.0  # how far a class, and one deviation of the pose, reach in W
STEEP, STEEPER = 16.0, 20.0  # a jump is 1/16 of a deviation wide behind layer 1, then 1/320
LIFT = 8.0  # brings every reading above 0: a code's length is 8
JUMPING = tuple(name for name, a in ATTRIBUTES.items() if not a.graded)


@lru_cache(maxsize=4)
def coordinates(w_dim: int) -> dict[str, tuple[int, ...]]:
    """Which coordinates of W say each attribute, and each number of the pose.

    Raises:
        ValueError: if W is too small for what lies between the layers.
    """
    if w_dim < NARROWEST:
        raise ValueError(f"portraits need {NARROWEST} numbers in W, not {w_dim}")
    owners = [name for name, a in ATTRIBUTES.items() for _ in a.classes]
    owners += [name for name in POSE for _ in range(2)]
    owners = [owners[k % len(owners)] for k in range(w_dim)]
    return {n: tuple(k for k, owner in enumerate(owners) if owner == n) for n in NAMES}


@dataclass(frozen=True, slots=True)
class _Sum:
    """A weighted sum of what comes into a layer."""

    weights: Tensor  # (inputs,) float64
    bias: float = 0.0

    def scaled(self, by: float, shift: float = 0.0) -> _Sum:
        return _Sum(self.weights * by, self.bias * by + shift)

    def less(self, other: _Sum) -> _Sum:
        return _Sum(self.weights - other.weights, self.bias - other.bias)

    def between(self, low: float, high: float) -> _Sum:
        """Rising from 0 to 1 between two of its values."""
        return self.scaled(1 / (high - low), -low / (high - low))


class _Layer:
    """A layer whose units are written one after the other."""

    def __init__(self, layer: Linear) -> None:
        self.layer, self.units = layer, list[_Sum]()

    def unit(self, value: _Sum) -> _Sum:
        """leaky_relu(value), as what comes into the next layer."""
        k = len(self.units)
        self.units.append(value.scaled(1 / GAIN))
        out = torch.zeros(len(self.layer.bias), dtype=torch.float64)
        out[k] = 1
        return _Sum(out)

    def passed(self, value: _Sum, lift: float = 0.0) -> _Sum:
        """The value as it is, for values that are never below -lift."""
        return self.unit(value.scaled(1, lift)).scaled(1, -lift)

    def ramp(self, value: _Sum) -> _Sum:
        """The value where it is in (0, 1), else 0 or 1."""
        apart = self.unit(value).less(self.unit(value.scaled(1, -1)))
        return apart.scaled(1 / (1 - SLOPE), -SLOPE / (1 - SLOPE))

    def write(self) -> None:
        """Put the units into the layer; there may be no more than it has."""
        self.layer.weight.zero_()
        self.layer.bias.zero_()
        for k, unit in enumerate(self.units):
            self.layer.weight[k] = unit.weights / self.layer.gain
            self.layer.bias[k] = unit.bias / self.layer.rate


@torch.no_grad()
def write(mapping: Mapping) -> None:
    """Set the weights of a mapping network of `LAYERS` layers, from 64 numbers to `NARROWEST` or
    more.

    Raises:
        ValueError: if it is built otherwise.
    """
    linears = [layer for layer in mapping.layers if isinstance(layer, Linear)]
    w_dim = len(linears[-1].bias)
    coordinates(w_dim)  # or it is too small
    if len(linears) != LAYERS or linears[0].weight.shape[1] != LATENT:
        raise ValueError(f"this mapping has {LAYERS} layers from {LATENT} numbers")
    first, second, third, last = layers = [_Layer(linear) for linear in linears]
    rows = torch.from_numpy(directions()[: len(NAMES)].copy())
    said: list[_Sum] = []
    for name, row in zip(NAMES, rows, strict=True):
        a, reading = ATTRIBUTES.get(name), _Sum(row)
        if a is None:
            for layer in (first, second, third):
                reading = layer.passed(reading, LIFT)
            said += [reading.scaled(POSED), reading.scaled(-POSED)]
        else:
            steps = _graded(a, reading, layers) if a.graded else _jumping(a, reading, layers)
            said += _classes(steps)
    for k in range(w_dim):
        again = -1 / SLOPE if k >= len(said) else 1.0
        last.unit(said[k % len(said)].scaled(again))
    for layer in layers:
        layer.write()


def _jumping(a: Attribute, reading: _Sum, layers: list[_Layer]) -> list[_Sum]:
    """A step of width 1 / (`STEEP` `STEEPER`) at each threshold."""
    cuts = torch.special.ndtri(torch.tensor(a.shares, dtype=torch.float64).cumsum(0)[:-1])
    ramps = [layers[0].ramp(reading.scaled(STEEP, 0.5 - STEEP * cut)) for cut in cuts.tolist()]
    passed = [layers[1].passed(ramp) for ramp in ramps]
    return [layers[2].ramp(r.scaled(STEEPER, 0.5 - STEEPER / 2)) for r in passed]


def _graded(a: Attribute, reading: _Sum, layers: list[_Layer]) -> list[_Sum]:
    """A ramp at each threshold from where one class is purely itself to where the next one is."""
    plateau = COLOUR_PLATEAU if a.name in TABLES else FORM_PLATEAU
    shares = torch.tensor(a.shares, dtype=torch.float64)
    ends, half = shares.cumsum(0)[:-1], shares * (1 - plateau) / 2
    lows = torch.special.ndtri(ends - half[:-1]).tolist()
    highs = torch.special.ndtri(ends + half[1:]).tolist()
    reading = layers[0].passed(reading, LIFT)
    ramps = [layers[1].ramp(reading.between(*e)) for e in zip(lows, highs, strict=True)]
    return [layers[2].passed(ramp) for ramp in ramps]


def _classes(steps: list[_Sum]) -> list[_Sum]:
    """One for each class, `CLASS` high: between the step into it and the step out of it."""
    always = _Sum(torch.zeros_like(steps[0].weights), 1.0)
    never = always.scaled(0)
    edges = [always, *steps, never]
    return [into.less(out).scaled(CLASS) for into, out in pairwise(edges)]


def softened(w: Tensor, shuffle: Tensor, most: float) -> Tensor:
    """W in which jumping attributes are partly those of another row, but still more their own.

    A generator that is taught to paint the same from it has wide classes in W, so what lies between
    two codes, truncated codes and edits are as clean as codes.

    Args:
        w: (B, w_dim).
        shuffle: (B, attributes, 2) in [0, 1): which other row, and how much of it.
        most: below 0.5.
    """
    out, rows = w.clone(), torch.arange(len(w), device=w.device)
    found = coordinates(w.shape[1])
    for k, name in enumerate(JUMPING):
        other = (rows + 1 + (shuffle[:, k, 0] * (len(w) - 1)).long()) % len(w)
        share = most * shuffle[:, k, 1:]
        at = list(found[name])
        out[:, at] = torch.lerp(w[:, at], w[other][:, at], share)
    return out
