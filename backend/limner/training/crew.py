"""Several processes that train one model together, as `accelerate launch` starts them.

Every process draws the same batch from (seed, step) and computes the same loss; only what is dear,
a network's look at the batch, is divided among them:

    out = shared(lambda part: network(pictures[part]), len(pictures))

is the whole output in each of them, and its gradient is that of the part. `together` then makes the
weights' gradients one. So a run of several processes makes the steps of a run of one, but for the
order of sums (and for layers that look at a whole batch at once, as batch norms do).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from limner_wire.errors import ErrorCode, LimnerError


def join() -> None:
    """Meet the others, if a launcher has started some; by what they talk is accelerate's affair."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this one writes files and tells how it goes."""
    return not dist.is_initialized() or dist.get_rank() == 0


def wait() -> None:
    """Return when all have come so far."""
    if count() > 1:
        dist.barrier()


def shared(look: Callable[[slice], Tensor], rows: int) -> Tensor:
    """(rows, …): what comes of all rows of a batch, each process looking at some.

    Args:
        look: (part, …) of a part of the rows.

    Raises:
        LimnerError: BAD_INPUT if there are fewer rows than processes.
    """
    several = count()
    if several == 1:
        return look(slice(0, rows))
    if rows < several:
        words = f"A batch of {rows} can't be divided among {several} processes."
        raise LimnerError(ErrorCode.BAD_INPUT, words, f"Let --batch be {several} at least.")
    cuts = [rows * k // several for k in range(several + 1)]
    begin, end = cuts[dist.get_rank()], cuts[dist.get_rank() + 1]
    whole: Tensor = _Gathered.apply(look(slice(begin, end)), cuts)
    return whole


@torch.no_grad()
def together(parameters: Iterable[Tensor]) -> None:
    """Give all processes the mean of their gradients."""
    if count() == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(flat)
    flat /= count()
    for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        grad.copy_(part.view_as(grad))


class _Gathered(torch.autograd.Function):
    """The parts of all processes, one after the other."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, cuts: list[int]) -> Tensor:
        ctx.begin, ctx.end = cuts[dist.get_rank()], cuts[dist.get_rank() + 1]
        sizes = [end - begin for begin, end in pairwise(cuts)]
        padded = part.new_zeros(max(sizes), *part.shape[1:])
        padded[: len(part)] = part
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([one[:size] for one, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        # the loss is the same everywhere; `together` takes the mean of all parts' gradients, and
        # each part counts in one process alone
        return grads[0][ctx.begin : ctx.end] * count(), None
