"""What the priors of unCLIP have in common (Ramesh et al. 2022, arXiv 2204.06125, section 2.2):
from a caption they draw a CLIP's embedding of a picture that it fits, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from limner.models.clip import Words
from limner.models.networks import find, frozen
from limner_wire.errors import ErrorCode, LimnerError

STEPS = 25


class Sampling(Protocol):
    """A draw of image embeddings, one step at a time.

    Attributes:
        total: how many steps there are.
        step: how many were made.
    """

    total: int
    step: int

    def advance(self) -> None:
        """The next step."""
        ...

    def embedding(self) -> Tensor:
        """(B, D): the best guess so far, the drawn ones after the last step."""
        ...

    def save(self) -> dict[str, Tensor]:
        """All that `Prior.sampling`, given the same, would not make again; copies."""
        ...

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go to where it was saved: what follows is bit for bit what would have followed."""
        ...


class Prior(Protocol):
    """Something that draws image embeddings for captions."""

    def sampling(
        self, words: Words, empty: Words, *, seed: int, guidance: float = 1.0, steps: int = STEPS
    ) -> Sampling:
        """Begin to draw.

        Args:
            words: B captions.
            empty: the empty caption, which guidance leads away from.
            guidance: 1 is the captions alone, 0 the empty one alone.
            steps: how many steps to take at most.

        Raises:
            LimnerError: BAD_INPUT if it can't take so many.
        """
        ...


def load(name: str | None = None, device: torch.device | None = None) -> Prior:
    """A prior on this machine, frozen; the first if none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that name, or its weights are not its own;
            UNREADABLE if its config tells none.
    """
    found = find("prior", name)
    prior: Any = frozen(found, blank(found.config), device)
    return prior  # type: ignore[no-any-return]


def blank(config: Mapping[str, Any]) -> nn.Module:
    """The prior that a config tells, which has learned nothing yet.

    Raises:
        LimnerError: UNREADABLE if it tells none.
    """
    way = config.get("way")
    if way == "diffusion":
        from limner.models.unclip import diffusion_prior as diffusion

        return diffusion.DiffusionPrior(diffusion.Config.from_json(config))
    if way == "autoregressive":
        from limner.models.unclip import autoregressive_prior as autoregressive

        return autoregressive.AutoregressivePrior(autoregressive.Config.from_json(config))
    raise LimnerError(ErrorCode.UNREADABLE, f"There is no way {way!r:.40} of a prior.")


def each(words: Words, change: Callable[[Tensor], Tensor]) -> Words:
    """Words with every tensor changed alike."""
    return Words(change(words.embedding), change(words.states), change(words.known))


def expanded(empty: Words, count: int) -> Words:
    """One caption as `count` rows."""
    return each(empty, lambda t: t.expand(count, *t.shape[1:]))


def joined(first: Words, second: Words) -> Words:
    """The rows of both."""
    return Words(
        torch.cat([first.embedding, second.embedding]),
        torch.cat([first.states, second.states]),
        torch.cat([first.known, second.known]),
    )


def dropped(words: Words, empty: Words, who: Tensor) -> Words:
    """B captions with the empty one in place of those that (B,) `who` tells."""
    return Words(
        torch.where(who[:, None], empty.embedding, words.embedding),
        torch.where(who[:, None, None], empty.states, words.states),
        torch.where(who[:, None], empty.known, words.known),
    )
