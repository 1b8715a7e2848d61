"""How near a picture is to what was asked for, and how far from what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.losses.cutouts import cutouts
from limner.models.clip import Clip, Weighted

# What a prompt is set apart from: ordinary things of every kind.
ORDINARY = (
    "a dog", "a bird", "a fish", "a flower", "a tree", "a face", "a person", "a hand", "a house",
    "a city", "a car", "a boat", "a train", "an aeroplane", "the sky", "the sun", "a mountain",
    "the sea", "a fruit", "bread", "a cup of coffee", "a cake", "a ball", "a guitar", "a clock",
    "a book", "a lamp", "a chair", "a shirt", "a hat", "a key", "a hammer", "a phone",
    "a red circle", "a blue square", "a green triangle", "an arrow", "letters", "a sign",
    "scribbles",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """A text that pulls (weight above 0) or pushes away (below 0)."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """One model's embeddings of all wishes, made once.

    Attributes:
        texts: (N, D) unit vectors.
        weights: (N,).
    """

    clip: Clip
    share: float
    texts: Tensor
    weights: Tensor


def targets(
    models: Sequence[Weighted], wishes: Sequence[Wish], contrast: float = 0.0
) -> list[Target]:
    """What each model should see; the models' weights are scaled to sum to 1.

    Args:
        contrast: in [0, 1], how much of what all ordinary things have in common is taken from
            each wish. The texts of a CLIP lie in a narrow cone (Liang et al. 2022, arXiv
            2203.02053): a picture anywhere in it is near to any text, and what makes a strawberry
            a strawberry is the small rest.
    """
    total = sum(m.weight for m in models)
    return [
        Target(
            m.clip,
            m.weight / total,
            set_apart(m.clip, [w.text for w in wishes], contrast),
            torch.tensor([w.weight for w in wishes], device=m.clip.device),
        )
        for m in models
    ]


def set_apart(clip: Clip, texts: Sequence[str], contrast: float) -> Tensor:
    """(N, D) unit vectors of texts, less `contrast` times the mean of ordinary ones."""
    embedded = clip.encode_text(texts)
    if not contrast:
        return embedded
    return F.normalize(embedded - contrast * clip.encode_text(ORDINARY).mean(0), dim=-1)


def nearness(picture: Tensor, maps: Tensor, aims: Sequence[Target], fill: Tensor) -> Tensor:
    """() the weighted cosine between a picture's cutouts and the wishes, averaged over cutouts.

    CLIPDraw's loss is this with its sign turned, summed over the cutouts instead (Adam does not
    see the difference).

    Args:
        picture: (3, H, W) in [0, 1].
        maps: (B, 3, 3) cutouts.
        fill: (3,) what lies round the picture.
    """
    near = picture.new_zeros(())
    for aim in aims:
        views = cutouts(picture, maps, aim.clip.size_px, fill)
        near = near + aim.share * (aim.clip.encode_image(views) @ aim.texts.T @ aim.weights).mean()
    return near


@torch.no_grad()
def rank(pictures: Tensor, maps: Tensor, aims: Sequence[Target], fill: Tensor) -> Tensor:
    """(P,) the nearness of many pictures (P, 3, H, W), each by the same cutouts."""
    scores = pictures.new_zeros(len(pictures))
    for aim in aims:
        for start in range(0, len(pictures), 32):
            chunk = pictures[start : start + 32]
            views = torch.cat([cutouts(p, maps, aim.clip.size_px, fill) for p in chunk])
            near = aim.clip.encode_image(views) @ aim.texts.T @ aim.weights
            scores[start : start + len(chunk)] += aim.share * near.reshape(len(chunk), -1).mean(1)
    return scores
