"""Generators that lie on this machine."""

from __future__ import annotations

import torch

from limner.models.loading import read_weights
from limner.models.networks import find, loaded
from limner.models.stylegan2.config import Config
from limner.models.stylegan2.generator import Generator


def load(name: str | None = None, device: torch.device | None = None) -> Generator:
    """A generator on this machine, frozen; the first if none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that name, or its weights are not its own.
    """
    found = find("generator", name)
    generator = Generator(Config.from_json(found.config))
    loaded(generator, read_weights(found.weights), found.name)
    return generator.to(device or torch.device("cpu")).eval().requires_grad_(False)
