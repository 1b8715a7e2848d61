"""unCLIP's look at what a CLIP sees (Ramesh et al. 2022, arXiv 2204.06125, section 4).

A picture's embedding is painted from its first principal components alone, from few to all, all
with the same noise: what comes first is what the CLIP sees first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torchvision.utils import make_grid  # type: ignore[import-untyped]

from limner.chance import random_of
from limner.methods import imagine, imagining
from limner.methods.base import Inputs
from limner.methods.imagining import Imagining, alone, seen
from limner.methods.nada import columns, padded
from limner.methods.params import Essential, Help
from limner.models.unclip.autoregressive_prior import AutoregressivePrior
from limner.models.unclip.drawing import Told
from limner.models.unclip.embeddings import probed
from limner_wire.errors import ErrorCode, LimnerError

EMBEDDING = "embedding"
MOST = 15  # pictures before the whole


@dataclass(frozen=True, slots=True)
class Params(imagining.Params):
    """What a CLIP sees of a picture."""

    dimensions: Annotated[
        str, Essential(),
        Help("how many principal components are painted, one after the other; then the whole"),
    ] = "3 6 12 24 48"  # fmt: skip


class Probe(Imagining[Params]):
    """The method; see the module's text."""

    name: ClassVar[str] = "probe"
    title: ClassVar[str] = "What CLIP sees"
    about: ClassVar[str] = "A strip of what is left of a picture in ever more dimensions."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = ("picture",)
    networks: ClassVar[tuple[str, ...]] = ("decoder", "prior")

    def begin(self, state: imagining.State, inputs: Inputs) -> None:
        """See the picture, in few dimensions and in more."""
        z = seen(state.reader, state.patch.cut(state.decoder.config.size))
        name = imagine.chosen("autoregressive", state.config.clip)
        prior: AutoregressivePrior = imagining.network("prior", name, state.device)
        asked = counted(state.params.dimensions)
        counts = [n for n in asked if n <= len(prior.pca.components)]
        if len(counts) < len(asked):
            most = len(prior.pca.components)
            state.notices.append(f"{most} components are nearly all of it; more are not shown.")
        state.found[EMBEDDING] = torch.cat([*(probed(z, prior.pca, n) for n in counts), z])

    def told(self, state: imagining.State) -> Told:
        """The embeddings alone."""
        return alone(state.teller, state.found[EMBEDDING])

    def start(self, state: imagining.State) -> Tensor:
        """The same noise for all."""
        shape = state.decoder.shape
        noise = torch.randn((1, *shape), generator=random_of(state.params.seed, 0))
        return noise.to(state.device).expand(len(state.found[EMBEDDING]), -1, -1, -1)

    def put(self, state: imagining.State, pictures: Tensor) -> Tensor:
        """A sheet of them, few dimensions first, of the canvas's shape."""
        height, width = state.patch.canvas.shape[1:]
        size = (height, width)
        painted = (pictures.clamp(-1, 1) + 1) / 2
        sheet = make_grid(painted, columns(len(painted), size), padding=0, pad_value=1.0)
        return padded(sheet, size)


def counted(text: str) -> list[int]:
    """The numbers of a text such as "20 30 40".

    Raises:
        LimnerError: BAD_INPUT if it is none, or too many to be seen beside each other.
    """
    words = text.replace(",", " ").split()
    if not 1 <= len(words) <= MOST or not all(w.isdecimal() and 0 < int(w) <= 10**4 for w in words):
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            f"{text[:60]!r} are no dimensions.",
            f'Give up to {MOST} whole numbers, as "20 30 40 80".',
        )
    return [int(word) for word in words]
