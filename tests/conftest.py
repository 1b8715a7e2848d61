from __future__ import annotations

import pytest
import torch

from limner.methods.base import Models
from limner.models import clip


@pytest.fixture(scope="session")
def starter() -> Models:
    """The starter CLIP that ships with Limner."""
    return Models(clip.load(["starter"], torch.device("cpu")))
