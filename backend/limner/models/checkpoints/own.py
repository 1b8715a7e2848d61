"""Limner's own layout, read back: a kind, a config, and tensors by Limner's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from limner.models import arcface, encoders, stylegan2
from limner.models.checkpoints.faces import ARCFACE, ENCODER
from limner.models.checkpoints.found import Found, checked, finite
from limner.models.checkpoints.generators import STYLEGAN2
from limner.models.networks import KINDS
from limner.models.unclip import decoder, prior, upsampler


def own(
    kind: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> Found:
    """What such a folder holds, its weights tried in the network that its config tells.

    Raises:
        LimnerError: UNREADABLE if the config tells none, UNKNOWN_MODEL if the weights are not its.
    """
    if kind not in NETWORKS:
        return Found(kind, config, finite(tensors, KINDS[kind]), facts)
    with torch.device("meta"):
        network = NETWORKS[kind](config)
    return Found(kind, config, checked(network, tensors, SAID.get(kind, KINDS[kind])), facts)


SAID = {"generator": STYLEGAN2, "identity": ARCFACE, "encoder": ENCODER}
NETWORKS: dict[str, Callable[[Mapping[str, Any]], nn.Module]] = {
    "generator": lambda config: stylegan2.Generator(stylegan2.Config.from_json(config)),
    "identity": lambda config: arcface.ArcFace(arcface.Config.from_json(config)),
    "encoder": lambda config: encoders.Encoder(encoders.Config.from_json(config)),
    "decoder": decoder.blank,
    "prior": prior.blank,
    "upsampler": lambda config: upsampler.whole_of(upsampler.Config.from_json(config)),
}
