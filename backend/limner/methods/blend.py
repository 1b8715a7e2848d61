"""unCLIP's interpolations: what lies between pictures (Ramesh et al. 2022, arXiv 2204.06125,
section 3.2).

Embeddings and noise are both turned from one picture's to the other's along the sphere on which
they lie, so each end is its picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from limner.methods import imagining
from limner.methods.base import OTHERS, Inputs
from limner.methods.imagining import Imagining, Part, alone, seen
from limner.methods.params import Adjustable, Essential, Help, OfRole, Range
from limner.methods.patch import Patch
from limner.methods.variations import EMBEDDING, NOISE, Inverting, noising
from limner.models.unclip.drawing import Told
from limner.models.unclip.embeddings import blended, slerp_pictures
from limner_wire.errors import ErrorCode, LimnerError

PICTURES = "pictures"


@dataclass(frozen=True, slots=True)
class Params(Inverting):
    """What lies between pictures."""

    at: Annotated[
        float, Range(0, 1), Adjustable(), Essential(),
        Help("how far from the first picture to the others; in the middle of all at 0.5"),
    ] = 0.5  # fmt: skip
    second: Annotated[
        float, Range(0, 1), Adjustable(), Essential(), OfRole("other2"),
        Help("the third picture's weight"),
    ] = 0.5  # fmt: skip
    third: Annotated[
        float, Range(0, 1), Adjustable(), Essential(), OfRole("other3"),
        Help("the fourth picture's weight"),
    ] = 0.5  # fmt: skip


class Blend(Imagining[Params]):
    """The method; see the module's text."""

    name: ClassVar[str] = "blend"
    title: ClassVar[str] = "Blend pictures"
    about: ClassVar[str] = "What lies between two pictures or more, wherever you stop on the way."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = ("picture", *OTHERS, "mask")
    needs: ClassVar[tuple[str, ...]] = ("picture", OTHERS[0])
    repaints: ClassVar[tuple[str, ...]] = ("guidance", "at", "second", "third")

    def begin(self, state: imagining.State, inputs: Inputs) -> None:
        """See what the pictures show."""
        if not inputs.others:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "There is only one picture.", "Give another to blend it with."
            )
        size = state.decoder.config.size
        others = [Patch.of(picture.to(state.device)).cut(size) for picture in inputs.others]
        pictures = torch.cat([state.patch.cut(size), *others])
        state.found |= {PICTURES: pictures, EMBEDDING: seen(state.reader, pictures)}

    def first(self, state: imagining.State) -> list[Part]:
        """The noise of each."""
        return [noising(state, state.found[PICTURES])]

    def told(self, state: imagining.State) -> Told:
        """The embedding between theirs."""
        between = blended(state.found[EMBEDDING], self._weights(state))
        return alone(state.teller, between[None])

    def start(self, state: imagining.State) -> Tensor:
        """The noise between theirs."""
        noise, weights = state.found[NOISE], self._weights(state)
        out, sum_ = noise[:1], float(weights[0])
        for row, weight in zip(noise[1:], weights[1:].tolist(), strict=True):
            sum_ += weight
            out = slerp_pictures(out, row[None], weight / sum_ if sum_ else 0.0)
        return out

    def _weights(self, state: imagining.State) -> Tensor:
        """(N,) of all pictures, which come to 1."""
        params, count = state.params, len(state.found[EMBEDDING])
        shares = torch.tensor([0.5, params.second, params.third][: count - 1]).to(state.device)
        shares = shares / shares.sum()
        # in the middle of all, the first counts as much as one of the others
        first = (
            2 * (1 - params.at) / count
            if params.at >= 0.5
            else 1 - 2 * params.at * (count - 1) / count
        )
        return torch.cat([shares.new_tensor([first]), (1 - first) * shares])
