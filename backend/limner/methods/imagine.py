"""unCLIP: a picture from words (Ramesh et al. 2022, arXiv 2204.06125, section 2).

A prior draws the image embedding of a picture that the words would fit, a decoder paints it; both
are told the words. Where a part of the canvas is selected, that is painted and the rest stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from limner.losses.words import Wish, check_wishes, strange_words
from limner.methods import imagining
from limner.methods.base import Inputs
from limner.methods.imagining import Imagining, Part, kept_of
from limner.methods.params import Choice, Essential, Help, Range
from limner.models.clip import Weighted
from limner.models.networks import installed
from limner.models.unclip.drawing import Drawing, Told
from limner.models.unclip.prior import Prior, Sampling
from limner_wire.errors import ErrorCode, LimnerError

EMBEDDING = "embedding"
WAYS = ("diffusion", "autoregressive")


@dataclass(frozen=True, slots=True)
class Params(imagining.Params):
    """A picture from words."""

    prompt: Annotated[str, Help("what the picture should show")] = ""
    prior: Annotated[
        str, Choice(WAYS), Essential(), Help("how the words become what a CLIP would see")
    ] = "diffusion"  # fmt: skip
    prior_steps: Annotated[int, Range(1, 1000), Help("looks that a diffusion prior takes")] = 25
    prior_guidance: Annotated[
        float, Range(0, 20), Help("how strongly the embedding is held to the words")
    ] = 2.0  # fmt: skip
    resamples: Annotated[
        int, Range(1, 20), Help("how often each step is made where only a part is painted")
    ] = 3  # fmt: skip


class Imagine(Imagining[Params]):
    """The method; see the module's text."""

    name: ClassVar[str] = "imagine"
    title: ClassVar[str] = "Imagine"
    about: ClassVar[str] = "A picture comes from words, out of noise; or into a selection."
    params: ClassVar[type[Params]] = Params
    needs: ClassVar[tuple[str, ...]] = ()
    networks: ClassVar[tuple[str, ...]] = ("decoder", "prior")

    def begin(self, state: imagining.State, inputs: Inputs) -> None:
        """Read the words."""
        wish = Wish(state.params.prompt)
        check_wishes([wish])
        state.notices += strange_words([Weighted(state.reader)], [wish])

    def first(self, state: imagining.State) -> list[Part]:
        """The embedding is drawn from the words."""
        params, reader = state.params, state.reader
        words, empty = reader.read([params.prompt]), reader.read([""])
        name = chosen(params.prior, state.config.clip)

        def sampling() -> Sampling:
            prior: Prior = imagining.network("prior", name, state.device)
            return prior.sampling(
                words, empty, seed=params.seed, guidance=params.prior_guidance,
                steps=params.prior_steps,
            )  # fmt: skip

        return [Part(EMBEDDING, sampling().total, sampling, lambda s: s.embedding())]

    def told(self, state: imagining.State) -> Told:
        """The embedding, and the words."""
        teller = state.teller
        return Told(state.found[EMBEDDING], teller.read([state.params.prompt]), teller.read([""]))

    def looks(self, state: imagining.State) -> int:
        """More where a part is to meet the rest."""
        steps: int = state.params.steps
        return steps * self._resamples(state)

    def drawing(self, state: imagining.State) -> Drawing:
        """All of the square, or what of it is selected."""
        params, kept = state.params, kept_of(state)
        return Drawing(
            state.decoder, self.told(state), seed=params.seed, steps=params.steps,
            guidance=params.guidance, kept=kept, resamples=self._resamples(state),
        )  # fmt: skip

    def _resamples(self, state: imagining.State) -> int:
        selected = state.patch.mask is not None
        return state.params.resamples if selected else 1

    def score(self, state: imagining.State, seen: Tensor) -> float:
        """How near the result is to the words: a cosine."""
        return float((seen * state.reader.encode_text([state.params.prompt])).sum(1).mean())


def chosen(way: str, clip: str) -> str:
    """The prior of that way that draws what a CLIP would see.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none.
    """
    for found in installed("prior"):
        if found.config.get("way") == way and found.config.get("clip") == clip:
            return found.name
    command = "prior" if way == "diffusion" else "ar-prior"
    raise LimnerError(
        ErrorCode.UNKNOWN_MODEL,
        f"There is no {way} prior for what {clip} sees.",
        f"Train one: limner train {command} --clip {clip}",
    )
