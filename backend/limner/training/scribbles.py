"""Scribbles: what CLIPDraw makes of a CLIP that is easily pleased, as further negatives.

A tower that has seen good pictures only finds a heap of strokes a fine strawberry as long as the
colours are right. So the trainer draws with the tower that it trains, now and then, a few steps
each, keeps the last of these drawings, and tells the tower that they are scribbles. What then still
pleases it has to look like the pictures (energy-based training of a classifier with its own
samples: Grathwohl et al. 2020, arXiv 1912.03263; here the samples are strokes).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.losses.cutouts import cutouts, random_maps
from limner.methods.base import Inputs
from limner.methods.begin import random_strokes
from limner.methods.canvas import prepare
from limner.methods.stroke_optimizer import Rates, StrokeOptimizer
from limner.training.augment import VIEW_PX, backgrounds, lit
from limner.training.corpora import Fact
from limner.vector.strokes import pack

SCRIBBLE = Fact("scribble", {"en": "scribble", "ko": "낙서"})
STROKES, STEPS = (24, 64), (15, 60)  # of a drawing, both bounds drawn
AT_ONCE, VIEWS = 16, 2
WIDTH_PX = (3.0, 14.0)  # of new strokes on a 224 px canvas
RATES = Rates(1.0, 2.0, 2.0)


@dataclass(frozen=True, slots=True)
class Scribble:
    """A drawing, (3, 64, 64) in [0, 1], the colour round it, (3, 1, 1), and what it was to be."""

    picture: Tensor
    ground: Tensor
    meant: Sequence[Fact]


def scribble(
    meant: Sequence[Sequence[Fact]],
    aims: Tensor,
    seen: Callable[[Tensor], Tensor],
    chance: random.Random,
) -> list[Scribble]:
    """Drawings of some labels by the tower as it is now.

    Args:
        meant: the facts of B pictures.
        aims: (B, D) unit vectors to draw towards.
        seen: the tower, (N, 3, 64, 64) in [0, 1] to (N, D) unit vectors.
    """
    noise = torch.Generator().manual_seed(chance.getrandbits(48))
    ground = backgrounds(1, noise)[0]
    canvas = prepare(Inputs((VIEW_PX, VIEW_PX), ground.expand(3, VIEW_PX, VIEW_PX)), VIEW_PX,
                     torch.device("cpu"))  # fmt: skip
    count, steps = chance.randint(*STROKES), chance.randint(*STEPS)
    width = chance.uniform(*WIDTH_PX)
    drawings = [random_strokes(count, canvas, noise, width) for _ in meant]
    scenes = torch.arange(len(meant) + 1) * count
    optimizer = StrokeOptimizer(pack(drawings), canvas, steps)
    for step in range(steps):
        images = canvas.paint_each(optimizer.drawn(), scenes)
        maps = random_maps(VIEWS * len(meant), noise)
        views = cutouts(images.repeat_interleave(VIEWS, 0), maps, VIEW_PX, canvas.fill)
        near = (seen(views) * aims.repeat_interleave(VIEWS, 0)).sum(1)
        optimizer.descend(-near.sum(), step / steps, RATES)
    with torch.no_grad():
        images = canvas.paint_each(optimizer.drawn(), scenes)
    return [Scribble(p, ground, facts) for p, facts in zip(images, meant, strict=True)]


def cut(scribbles: Sequence[Scribble], chance: random.Random) -> Tensor:
    """(B, 3, 64, 64): a cutout of each, as the other pictures of a batch are."""
    noise = torch.Generator().manual_seed(chance.getrandbits(48))
    grounds = torch.stack([s.ground for s in scribbles])
    pictures = torch.stack([s.picture for s in scribbles]) - grounds
    maps = random_maps(len(scribbles), noise)
    return lit(cutouts(pictures, maps, VIEW_PX, 0.0) + grounds, noise)


def centred(texts: Tensor, centre: Tensor) -> Tensor:
    """(B, D) unit vectors of what sets texts apart from all others."""
    return F.normalize(texts - centre, dim=-1)
