"""unCLIP's text diffs: a picture moves as its words do (Ramesh et al. 2022, arXiv 2204.06125,
section 3.3).

    z(theta) = slerp(z, norm(z_t - z_t0), theta)          from the picture's own noise

At 0 it is the picture itself; the paper ends between 0.25 and 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from limner.losses.words import Wish, check_wishes, strange_words
from limner.methods import imagining
from limner.methods.base import Inputs
from limner.methods.imagining import Imagining, Part, alone, seen
from limner.methods.params import Adjustable, Essential, Help, Range
from limner.methods.variations import EMBEDDING, NOISE, Inverting, noising
from limner.models.clip import Weighted
from limner.models.unclip.drawing import Told
from limner.models.unclip.embeddings import text_diff


@dataclass(frozen=True, slots=True)
class Params(Inverting):
    """A picture that moves as its words do."""

    prompt: Annotated[str, Adjustable(), Help("what the picture should show")] = ""
    neutral: Annotated[
        str, Adjustable(), Essential(),
        Help('what it shows now, such as "a person with hair"; nothing for the prompt alone'),
    ] = "a picture"  # fmt: skip
    theta: Annotated[
        float, Range(0, 1), Adjustable(), Essential(),
        Help("how far from the picture to the words; 0 is the picture"),
    ] = 0.35  # fmt: skip


class TextDiff(Imagining[Params]):
    """The method; see the module's text."""

    name: ClassVar[str] = "text_diff"
    title: ClassVar[str] = "Edit by a text diff"
    about: ClassVar[str] = "A picture moves from what it shows to what the words say."
    params: ClassVar[type[Params]] = Params
    repaints: ClassVar[tuple[str, ...]] = ("guidance", "prompt", "neutral", "theta")

    def begin(self, state: imagining.State, inputs: Inputs) -> None:
        """See what the picture shows, and read the words."""
        wish = Wish(state.params.prompt)
        check_wishes([wish])
        state.notices += strange_words([Weighted(state.reader)], [wish])
        picture = state.patch.cut(state.decoder.config.size)
        state.found[EMBEDDING] = seen(state.reader, picture)
        self.told(state)  # words that mean the same are refused at once

    def first(self, state: imagining.State) -> list[Part]:
        """The picture's own noise."""
        return [noising(state, state.patch.cut(state.decoder.config.size))]

    def told(self, state: imagining.State) -> Told:
        """The picture's embedding, turned."""
        params, read = state.params, state.reader.encode_text
        neutral = read([params.neutral]) if params.neutral.strip() else None
        at = text_diff(state.found[EMBEDDING], read([params.prompt]), neutral, params.theta)
        return alone(state.teller, at)

    def start(self, state: imagining.State) -> Tensor:
        """The picture's own noise."""
        return state.found[NOISE]
