"""unCLIP's variations: other pictures of the same thing (Ramesh et al. 2022, arXiv 2204.06125,
section 3.1).

What a CLIP sees of the picture stays; what it does not see is drawn again, the more of it the
higher eta: the decoder begins with the noise that would paint the very picture, and at 0 it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from limner.methods import imagining
from limner.methods.base import Inputs
from limner.methods.imagining import Imagining, Part, alone, seen
from limner.methods.params import Adjustable, Essential, Help, Range
from limner.models.unclip.drawing import Drawing, Noising, Told

EMBEDDING, NOISE = "embedding", "noise"


@dataclass(frozen=True, slots=True)
class Inverting(imagining.Params):
    """What is told to who begins with a picture's own noise."""

    guidance: Annotated[
        float, Range(0, 20), Adjustable(),
        Help("above 1 it is held more to what is seen, and less to the picture"),
    ] = 1.0  # fmt: skip
    looks: Annotated[
        int, Range(2, 1000), Help("steps back to the noise that the picture comes from")
    ] = 25  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params(Inverting):
    """Variations of a picture."""

    eta: Annotated[
        float, Range(0, 1), Adjustable(), Essential(),
        Help("how much is drawn again of what is not seen; 0 is the picture itself"),
    ] = 1.0  # fmt: skip


def noising(state: imagining.State, pictures: Tensor) -> Part:
    """The noise of pictures is looked for; their embeddings are among what was found."""
    looks = state.params.looks
    told = alone(state.teller, state.found[EMBEDDING])
    return Part(NOISE, looks, lambda: Noising(state.decoder, pictures, told, steps=looks),
                lambda s: s.noise)  # fmt: skip


class Variations(Imagining[Params]):
    """The method; see the module's text."""

    name: ClassVar[str] = "variations"
    title: ClassVar[str] = "Variations"
    about: ClassVar[str] = "Other pictures of the same thing: what is not seen is drawn again."
    params: ClassVar[type[Params]] = Params
    repaints: ClassVar[tuple[str, ...]] = ("guidance", "eta")

    def begin(self, state: imagining.State, inputs: Inputs) -> None:
        """See what the picture shows."""
        picture = state.patch.cut(state.decoder.config.size)
        state.found[EMBEDDING] = seen(state.reader, picture)

    def first(self, state: imagining.State) -> list[Part]:
        """The picture's own noise."""
        return [noising(state, state.patch.cut(state.decoder.config.size))]

    def told(self, state: imagining.State) -> Told:
        """The embedding alone."""
        return alone(state.teller, state.found[EMBEDDING])

    def drawing(self, state: imagining.State) -> Drawing:
        """From that noise, with as much drawn at random."""
        params = state.params
        return Drawing(
            state.decoder, self.told(state), seed=params.seed, steps=params.steps,
            guidance=params.guidance, eta=params.eta, start=state.found[NOISE],
        )  # fmt: skip
