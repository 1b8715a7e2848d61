"""What a generator's own pictures say of where words lie.

Where a CLIP finds them further along the words, their codes lie elsewhere: so a way through the
codes is found that stays among those that the generator knows, without any slope being followed (as
Shen et al. 2020, arXiv 1907.10786, find one from pictures that people have labelled).
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from limner.losses.words import seen
from limner.models.clip import Clip
from limner.models.stylegan2 import Generator

SEED = 5
AT_ONCE_PX = 2**18  # that are painted at a time
SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)  # of them that are furthest along

_SEEN: WeakKeyDictionary[Generator, dict[tuple[str, int], Tensor]] = WeakKeyDictionary()


@torch.no_grad()
def crowd(generator: Generator, clip: Clip, count: int) -> tuple[Tensor, Tensor]:
    """(N, L, w_dim) codes of random pictures, and (N, D) unit vectors, what a CLIP sees of them.

    They are looked at once: who asks again for as many of a generator does not wait.
    """
    codes, known = generator.random(count, SEED), _SEEN.setdefault(generator, {})
    key = (clip.name, count)
    if key not in known:
        some = codes.split(max(1, AT_ONCE_PX // generator.config.size**2))
        known[key] = torch.cat([seen(clip, generator(w)) for w in some])
    return codes, known[key]


def slope(codes: Tensor, along: Tensor) -> Tensor:
    """(...), by how much codes change where their pictures lie 1 further along something: the line
    of least squares.

    Args:
        codes: (N, ...).
        along: (N,).
    """
    off = along - along.mean()
    moved: Tensor = torch.tensordot(off, codes - codes.mean(0), 1)
    return moved.div_(off.square().sum().clamp_min(1e-12))


def toward(codes: Tensor, along: Tensor) -> Tensor:
    """(W, ...), ways from the mean of all codes to that of those furthest along something, for each
    of `SHARES`: how rare it is, nobody knows.

    Args:
        codes: (N, ...).
        along: (N,).
    """
    order = along.argsort(descending=True)
    best = [codes[order[: max(1, round(share * len(codes)))]].mean(0) for share in SHARES]
    return torch.stack(best) - codes.mean(0)
