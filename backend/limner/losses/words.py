"""How near a picture is to what was asked for, and how far from what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.losses.cutouts import cutouts, fixed_maps
from limner.models.clip import Clip, Weighted
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

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


def check_wishes(wishes: Sequence[Wish]) -> None:
    """Pass if every wish says something, and there are not too many.

    Raises:
        LimnerError: BAD_INPUT.
    """
    for wish in wishes:
        if not any(c.isalnum() for c in wish.text):
            raise LimnerError(
                ErrorCode.BAD_INPUT, "The prompt is empty.", 'Say what to draw: "a red apple".'
            )
        if len(wish.text) > limits.PROMPT_CHARS:
            raise LimnerError(
                ErrorCode.BAD_INPUT, f"A prompt may have {limits.PROMPT_CHARS} characters."
            )
    if len(wishes) > limits.PROMPTS:
        raise LimnerError(ErrorCode.BAD_INPUT, f"There may be {limits.PROMPTS} wishes in all.")


def strange_words(models: Sequence[Weighted], wishes: Sequence[Wish]) -> list[str]:
    """What to tell the artist of words that a model has never seen: a line for each model."""
    return [
        f"{m.clip.name} has never seen the words: {', '.join(words)}."
        for m in models
        if (words := sorted({w for x in wishes for w in m.clip.unknown_words(x.text)}))
    ]


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


def seen(clip: Clip, pictures: Tensor, maps: Tensor | None = None) -> Tensor:
    """(B·V, D) unit vectors of (B, 3, H, W) pictures in about [-1, 1], each seen whole, or in all
    of (V, 3, 3) maps."""
    views = fixed_maps(1) if maps is None else maps
    each = views.to(pictures).repeat(len(pictures), 1, 1)
    shown = ((pictures + 1) / 2).repeat_interleave(len(views), 0)
    return clip.encode_image(cutouts(shown, each, clip.size_px))


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


def nearness_each(
    pictures: Tensor, maps: Tensor, aims: Sequence[Target], asked: Tensor, fill: Tensor
) -> Tensor:
    """(P,) how near each picture is to the one wish that is its own, averaged over its cutouts.

    Args:
        pictures: (P, 3, H, W) in [0, 1].
        maps: (P, B, 3, 3) cutouts of each.
        asked: (P,) int64, each picture's wish among those of the targets.
        fill: (3,) what lies round the pictures.
    """
    near = pictures.new_zeros(len(pictures))
    each = pictures.repeat_interleave(maps.shape[1], 0)
    for aim in aims:
        views = cutouts(each, maps.flatten(0, 1), aim.clip.size_px, fill)
        seen = aim.clip.encode_image(views).unflatten(0, maps.shape[:2])
        wishes = aim.texts[asked] * aim.weights[asked, None]
        near = near + aim.share * torch.einsum("pbd,pd->pb", seen, wishes).mean(1)
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
