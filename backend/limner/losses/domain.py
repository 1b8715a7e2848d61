"""What holds a generator to a domain that exists only in words (StyleGAN-NADA, Gal et al. 2022,
arXiv 2108.00946): how what a CLIP sees of its pictures should move, away from what it saw of them
before the generator was changed.

All take embeddings, (B, D) unit vectors, of the same latents painted `before` and `after`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.clip import Clip
from limner_wire.errors import ErrorCode, LimnerError

LEAST = 1e-2  # the length of a move below which its direction counts for less
LEAST_OWN = 0.1  # of a difference squared is taken to be more than chance
# Sentences of the object are what the authors average over; these are our own.
TEMPLATES = (
    "{}", "a picture of {}", "a photo of {}", "a drawing of {}", "a painting of {}",
    "a small picture of {}", "a good picture of {}", "a portrait of {}", "an image of {}",
    "a cropped picture of {}", "a close-up of {}", "art in the style of {}",
)  # fmt: skip
# What a patch of a portrait may show; "{}" is the domain.
PARTS = (
    "the hair of {}", "the eyes of {}", "the mouth of {}", "the nose of {}", "the face of {}",
    "the skin of {}", "the clothes of {}", "the background of {}", "a part of {}",
)  # fmt: skip


def change(clip: Clip, source: str, target: str, templates: Sequence[str] = TEMPLATES) -> Tensor:
    """(D,) the way from one text to the other: the mean over the sentences of the difference of
    their unit embeddings (section 3.1). Its length is how far it is.

    Raises:
        LimnerError: BAD_INPUT if the texts mean the same.
    """
    ends = [
        F.normalize(clip.encode_text([t.replace("{}", text) for t in templates]), dim=-1)
        for text in (source, target)
    ]
    return _apart((ends[1] - ends[0]).mean(0))


def change_of_pictures(before: Tensor, after: Tensor) -> Tensor:
    """(D,) the way from the mean of some (N, D) embeddings to that of (M, D) others (section 4.4,
    "image-guided"), with what chance brings taken off.

    Three pictures are of three people, who take a part in the difference of the means as large as
    their style's. How people differ the first embeddings tell: this is the change's expected value
    if it may go anywhere alike, and the difference strays from it by their covariance over M and
    over N (a Wiener filter; our own).

    Raises:
        LimnerError: BAD_INPUT if they are the same.
    """
    change = after.mean(0) - before.mean(0)
    if len(before) < 2:
        return _apart(change)
    chance = torch.cov(before.T) * (1 / len(after) + 1 / len(before))
    whole = change.square().sum()
    own = (whole - chance.trace()).clamp_min(LEAST_OWN * whole) / len(change)
    return _apart(
        own * torch.linalg.solve(own * torch.eye(len(change)).to(chance) + chance, change)
    )


def _apart(change: Tensor) -> Tensor:
    if float(change.norm()) < 1e-4:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            "The two domains mean the same.",
            "Name a target that differs from the source.",
        )
    return change


def directional(before: Tensor, after: Tensor, to: Tensor) -> Tensor:
    """() the mean of how far each is `astray` (eq. 2)."""
    return astray(before, after, to).mean()


def astray(before: Tensor, after: Tensor, to: Tensor) -> Tensor:
    """(B,) 1 - cos(after - before, to), where `to` is (D,), or (B, D).

    A move shorter than `LEAST` counts in proportion to its length, so that pictures that have not
    changed at all, as those of the first step, have a gradient, and not too great a one.
    """
    moved = after - before
    toward: Tensor = (moved * to).sum(-1) / moved.norm(dim=-1).clamp_min(LEAST)
    return 1 - toward


def reached(before: Tensor, after: Tensor, to: Tensor) -> Tensor:
    """() how much too short or too long pictures have moved along a way, (D,), in parts of its
    length; the mean of the sizes. Ours: a direction alone says where to, not how far."""
    gone: Tensor = (after - before) @ to / to.square().sum()
    return (gone - 1).abs().mean()


def whole(after: Tensor, text: Tensor) -> Tensor:
    """() the mean of 1 - cos(after, text) (eq. 1, "global"); the text is (D,)."""
    loss: Tensor = (1 - after @ text).mean()
    return loss


def manifold(before: Tensor, after: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """() how far the cosines of pictures before and after are from that of the two texts, (D,)
    each: the mean of the differences' sizes."""
    loss: Tensor = ((before * after).sum(-1) - source @ target).abs().mean()
    return loss


def patches(before: Tensor, after: Tensor, ways: Tensor) -> Tensor:
    """() for patches, (B, D) before and after, and (P, D) the directions of parts of the object:
    1 - cos of each patch's move and each part's direction, weighted by how well the patch goes
    along with the part (the softmax of the cosines over the parts); the mean over both."""
    moved = after - before
    moved = moved / moved.norm(dim=-1, keepdim=True).clamp_min(LEAST)
    along = moved @ ways.T
    loss: Tensor = ((1 - along) * along.softmax(-1)).mean()
    return loss


def texture(after: Tensor, like: Tensor) -> Tensor:
    """() the mean square of the difference from a texture's (D,) embedding."""
    return F.mse_loss(after, like.expand_as(after))


def cropped(pictures: Tensor, corners: Tensor, side: int) -> Tensor:
    """(B·n, C, side, side): n squares of each of (B, C, H, W) pictures, the same of all.

    Args:
        corners: (n, 2) int, top and left.
    """
    cut = [pictures[:, :, y : y + side, x : x + side] for y, x in corners.tolist()]
    return torch.stack(cut, 1).flatten(0, 1)
