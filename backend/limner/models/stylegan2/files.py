"""Generators that lie on this machine."""

from __future__ import annotations

import torch

from limner.models.networks import find, frozen
from limner.models.stylegan2.config import Config
from limner.models.stylegan2.generator import Generator


def load(name: str | None = None, device: torch.device | None = None) -> Generator:
    """A generator on this machine, frozen; the first if none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that name, or its weights are not its own.
    """
    found = find("generator", name)
    return frozen(found, Generator(Config.from_json(found.config)), device)
