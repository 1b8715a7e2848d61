"""What is done with CLIP's image embeddings before they are painted (Ramesh et al. 2022, arXiv
2204.06125, section 3): blends of pictures, changes in words, and what matters most of a picture.

A direction says what is seen, a length hardly anything, but a decoder knows only the lengths that
its CLIP makes. So everything here turns vectors along great circles and minds their lengths.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.unclip.quantizer import PCA
from limner_wire.errors import ErrorCode, LimnerError

ROUNDS = 64  # to rounding, where pictures lie within 80 degrees; those of one CLIP lie nearer
NEARLY = 1e-6  # lengths, against 1, below which directions are rounding


def slerp(a: Tensor, b: Tensor, share: float | Tensor) -> Tensor:
    """From a to b on the great circle at an even speed (Shoemake 1985).

    The length goes evenly from a's to b's: where both point the same way this is the straight line,
    and a vector of zeros has no logarithm. The way between opposite ones is not given: it leads
    past the axis that is nearest to a right angle with them, the same from both sides.

    Args:
        a, b: (..., D).
        share: of the way, in [0, 1]; the ends are a and b to the bit. A tensor (...) goes with the
            dimensions before D: F shares of two vectors (D,) give (F, D).
    """
    x, y = _precise(a), _precise(b)
    part = torch.as_tensor(share, dtype=x.dtype, device=x.device)[..., None]
    u = F.normalize(x, dim=-1)
    angle, aside = _turn(u, F.normalize(y, dim=-1))
    way = (part * angle).cos() * u + (part * angle).sin() * aside
    out = torch.lerp(_length(x), _length(y), part) * way
    return torch.where(part == 0, a, torch.where(part == 1, b, out.to(a.dtype)))


def slerp_pictures(a: Tensor, b: Tensor, share: float | Tensor) -> Tensor:
    """`slerp` of (B, ...) noise, each of the B as one vector: what is between is noise again."""
    return slerp(a.flatten(1), b.flatten(1), share).view_as(a)


def blended(embeddings: Tensor, weights: Tensor) -> Tensor:
    """The middle of N embeddings, (D,): from it the turns to them all, weighted, cancel out (the
    Karcher mean; of two it is `slerp`). Its length is the weighted mean of theirs.

    Args:
        embeddings: (N, D), in any order.
        weights: (N,), none below 0, of any sum; an embedding without weight does not count.

    Raises:
        LimnerError: BAD_INPUT if no weights go with them, or they have no middle.
    """
    if weights.shape != embeddings.shape[:1] or bool((weights < 0).any()) or not weights.sum() > 0:
        raise LimnerError(ErrorCode.BAD_INPUT, "Each picture needs a weight, and one more than 0.")
    embeddings, weights = embeddings[weights > 0], weights[weights > 0]
    if len(embeddings) == 1:
        return embeddings[0]
    if len(embeddings) == 2:
        return slerp(embeddings[0], embeddings[1], weights[1] / weights.sum())
    exact = _precise(embeddings)
    shares = (weights / weights.sum()).to(exact)
    middle = _middle(F.normalize(exact, dim=1), shares)
    return (shares @ _length(exact) * middle).to(embeddings.dtype)


def text_diff(
    picture: Tensor, target: Tensor, neutral: Tensor | None, theta: float | Tensor
) -> Tensor:
    """A picture's embedding turned towards a change in words (section 3.3), its length kept.

    Args:
        picture: (..., D) image embeddings.
        target: (..., D) the text embedding of what it should show.
        neutral: that of what it shows now, or of "a photo"; None for no such text, and the target
            itself is turned to (the paper's footnote 3).
        theta: of the way to the change; 0 is the picture to the bit. The paper goes to 0.25 to 0.5.

    Raises:
        LimnerError: BAD_INPUT if the texts mean the same.
    """
    end = _precise(target)
    change = end if neutral is None else end - _precise(neutral)
    if bool((_length(change) <= 1e-4 * _length(end)).any()):
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            "The prompt and the neutral text mean the same.",
            "Say in the prompt what should be different.",
        )
    return slerp(picture, F.normalize(change, dim=-1) * _length(_precise(picture)), theta)


def probed(z: Tensor, pca: PCA, count: int) -> Tensor:
    """What the first `count` principal components keep of (B, D) embeddings (section 3, "probing");
    unit vectors stay so.

    Raises:
        LimnerError: BAD_INPUT if there are not so many.
    """
    if not 0 <= count <= len(pca.components):
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"There are {len(pca.components)} components, not {count}."
        )
    rest = pca.restored(pca.project(z)[:, :count])
    return torch.where((_length(z) - 1).abs() < 1e-3, F.normalize(rest, dim=1), rest)


def _middle(points: Tensor, shares: Tensor) -> Tensor:
    """(D,) the Karcher mean of (N, D) unit vectors with (N,) shares of sum 1."""
    straight = shares @ points
    if float(straight.norm()) < NEARLY:
        raise LimnerError(ErrorCode.BAD_INPUT, "These pictures have no middle.")
    middle = F.normalize(straight, dim=0)
    for _ in range(ROUNDS):
        angle, aside = _turn(middle, points)
        move = shares @ (angle * aside)
        size = move.norm()
        middle = F.normalize(size.cos() * middle + size.sin() * F.normalize(move, dim=0), dim=0)
    return middle


def _turn(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 1) the angle from u to v, and (..., D) the direction at u in which v lies, at right
    angles to u; all of length 1."""
    apart, together = _length(u - v), _length(u + v)
    angle = 2 * torch.atan2(apart, together)  # exact at both ends, where acos is not (Kahan)
    axis = torch.zeros_like(u).scatter(-1, u.abs().argmin(-1, keepdim=True), 1)
    aside = torch.where(together < NEARLY, axis, v)
    for _ in range(2):  # the second time for what rounding left of u
        aside = F.normalize(aside - (u * aside).sum(-1, keepdim=True) * u, dim=-1)
    return angle, aside


def _length(x: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return length


def _precise(x: Tensor) -> Tensor:
    """At least in single precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
