"""The tidy pass: strokes whose removal does not lower the score go.

Loose strokes round the subject cost CLIP little and the eye much. Each stroke is left out in turn
and the drawing is scored without it; those that were in the way go, as many at once as together
still do no harm; then again, until none is left or `ROUNDS` is reached.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from limner.vector.strokes import Strokes, pack

ROUNDS = 3
TRIED = 96  # strokes left out in turn in one round, those with the least ink first

Score = Callable[[Strokes, Tensor], Tensor]


def tidy(strokes: Strokes, score: Score, locked: Tensor | None) -> Strokes:
    """The drawing without the strokes that it is better off without.

    Args:
        score: (packed drawings, scene offsets (B+1,)) to (B,) scores; higher is better.
        locked: (S,) bool, strokes that must stay; or None.
    """
    keep = torch.ones(strokes.count, dtype=torch.bool)
    fixed = torch.zeros(strokes.count, dtype=torch.bool) if locked is None else locked.cpu()
    for _ in range(ROUNDS):
        worse = [keep]
        useless = _useless(strokes, keep, fixed, score)
        while len(useless):
            trial = keep.clone()
            trial[useless] = False
            base, without = _scores(strokes, [keep, trial], score).tolist()
            if without >= base:
                worse.append(trial)
                break
            useless = useless[: len(useless) // 2]  # together they did harm: the surer half alone
        if worse[-1] is keep:
            break
        keep = worse[-1]
    return strokes.select(keep)


def _useless(strokes: Strokes, keep: Tensor, fixed: Tensor, score: Score) -> Tensor:
    """The strokes without which the score is no lower, the most disturbing first."""
    order = ink(strokes).cpu().argsort()
    tried = [int(i) for i in order if keep[i] and not fixed[i]][:TRIED]
    if not tried or int(keep.sum()) <= 1:
        return torch.zeros(0, dtype=torch.int64)
    trials = [keep]
    for index in tried:
        without = keep.clone()
        without[index] = False
        trials.append(without)
    scores = _scores(strokes, trials, score).cpu()
    gain = scores[1:] - scores[0]
    best = gain.argsort(descending=True)
    return torch.tensor(tried)[best[gain[best] >= 0]][: int(keep.sum()) - 1]


def _scores(strokes: Strokes, keeps: list[Tensor], score: Score) -> Tensor:
    drawings = [strokes.select(keep) for keep in keeps]
    counts = torch.tensor([0] + [d.count for d in drawings])
    return score(pack(drawings), counts.cumsum(0))


def ink(strokes: Strokes) -> Tensor:
    """(S,) roughly how much of the canvas each stroke covers: alpha x width x (length + width)."""
    steps = (strokes.points[1:] - strokes.points[:-1]).norm(dim=1)
    joins = strokes.owner[1:] == strokes.owner[:-1]
    length = torch.zeros_like(strokes.width).index_add_(0, strokes.owner[1:], steps * joins)
    return strokes.rgba[:, 3] * strokes.width * (length + strokes.width)
