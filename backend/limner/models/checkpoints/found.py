"""What a file turned out to hold, ready to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from limner.models.pickles import shown
from limner_wire.errors import ErrorCode, LimnerError


@dataclass(frozen=True, slots=True)
class Found:
    """A network, or what belongs to one, in Limner's own layout.

    Attributes:
        kind: one of `networks.KINDS`.
        config: plain numbers, for config.json.
        tensors: by Limner's names, finite, on the CPU.
        facts: for its card.
        beside: what the file holds besides, by what to add to its name.
    """

    kind: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    beside: Mapping[str, Found] = field(default_factory=dict)


def other(what: str, reason: str) -> LimnerError:
    """The refusal of weights that are not those of what they seem to be."""
    return LimnerError(
        ErrorCode.UNKNOWN_MODEL,
        f"These are not the weights of {what}: {shown(reason)}.",
        "Check where they came from; `limner models list` shows what Limner knows.",
    )


def checked(network: nn.Module, tensors: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Tensors that are a network's, in float32 where they were narrower or wider.

    Args:
        network: made on the meta device, so that it has shapes and no numbers.

    Raises:
        LimnerError: UNKNOWN_MODEL if one is missing, too many, of another shape or not finite.
    """
    wanted = network.state_dict()
    if missing := sorted(set(wanted) - set(tensors)):
        raise other(what, f"{missing[0]} is missing")
    if strange := sorted(set(tensors) - set(wanted)):
        raise other(what, f"it has no {strange[0][:80]}")
    for name, value in tensors.items():
        if value.shape != wanted[name].shape:
            shapes = f"{tuple(value.shape)}, not {tuple(wanted[name].shape)}"
            raise other(what, f"{name} has the shape {shapes}")
    return finite(tensors, what)


def finite(tensors: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Tensors in float32, or as whole numbers.

    Raises:
        LimnerError: UNKNOWN_MODEL if a number is not finite.
    """
    out = {}
    for name, value in tensors.items():
        out[name] = value.float().contiguous() if value.is_floating_point() else value.contiguous()
        if not bool(torch.isfinite(out[name]).all()):
            raise other(what, f"{name} has numbers that are not finite")
    return out
