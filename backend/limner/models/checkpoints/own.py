"""Limner's own layout, read back: a kind, a config, and tensors by Limner's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from limner.models import arcface, encoders, stylegan2
from limner.models.checkpoints.faces import ARCFACE, ENCODER
from limner.models.checkpoints.found import Found, checked, finite
from limner.models.checkpoints.generators import STYLEGAN2
from limner.models.networks import KINDS


def own(
    kind: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> Found:
    """What such a folder holds, its weights tried in the network that its config tells.

    Raises:
        LimnerError: UNREADABLE if the config tells none, UNKNOWN_MODEL if the weights are not its.
    """
    if kind in ("generator", "identity", "encoder"):
        with torch.device("meta"):
            network, what = _network(kind, config)
        return Found(kind, config, checked(network, tensors, what), facts)
    return Found(kind, config, finite(tensors, KINDS[kind]), facts)


def _network(kind: str, config: Mapping[str, Any]) -> tuple[nn.Module, str]:
    if kind == "generator":
        return stylegan2.Generator(stylegan2.Config.from_json(config)), STYLEGAN2
    if kind == "identity":
        return arcface.ArcFace(arcface.Config.from_json(config)), ARCFACE
    return encoders.Encoder(encoders.Config.from_json(config)), ENCODER
