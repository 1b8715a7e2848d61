"""Portraits as a training corpus, beside icons and scenes."""

from __future__ import annotations

import random

import numpy as np

from limner.training.corpora import SIDE_PX, Corpus
from limner.training.portraits.captions import facts
from limner.training.portraits.latent import portraits_of, sample
from limner.training.portraits.painter import paint_all


def portraits(count: int, seed: int) -> Corpus:
    """`count` portraits, opaque, with what is true of them."""
    chance = random.Random(seed)
    people = portraits_of(sample(count, seed))
    pictures = np.full((count, 4, SIDE_PX, SIDE_PX), 255, np.uint8)
    pictures[:, :3] = paint_all(people, SIDE_PX)
    return Corpus(pictures, [facts(p, chance) for p in people], ["portraits"] * count)
