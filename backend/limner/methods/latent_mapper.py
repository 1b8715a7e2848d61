"""StyleCLIP's latent mapper (Patashnik et al. 2021, arXiv 2103.17249, section 5).

    w' = w + strength * step * M(w)          (`models.mapper`)

One edit, learned once for all pictures (`training.mapper`): a network says for each picture how its
code changes. Of the mappers on this machine, the one whose words are nearest to the prompt is
taken. Nothing is optimised but the picture's code, so the sliders answer with a picture at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from limner.losses.words import Wish, check_wishes
from limner.methods import editing
from limner.methods.base import Models
from limner.methods.editing import Edit, Portrait, of_generator
from limner.methods.params import Adjustable, Essential, Help, Names, Range
from limner.models import mapper
from limner.models.clip import Weighted
from limner.models.mapper import COARSE, MEDIUM, Mapper
from limner.models.networks import Network
from limner_wire.errors import ErrorCode, LimnerError


@dataclass(frozen=True, slots=True)
class Params(editing.Params):
    """An edit that was learned."""

    strength: Annotated[
        float, Range(-3, 5), Adjustable(), Essential(),
        Help("how much of the edit; 1 is as it was learned"),
    ] = 1.0  # fmt: skip
    coarse: Annotated[
        float, Range(0, 2), Adjustable(), Help("how much of it in shapes: pose, hair, face")
    ] = 1.0
    medium: Annotated[
        float, Range(0, 2), Adjustable(), Help("how much of it in features: eyes, mouth")
    ] = 1.0
    fine: Annotated[
        float, Range(0, 2), Adjustable(), Help("how much of it in colours and texture")
    ] = 1.0
    mapper: Annotated[
        str,
        Adjustable(),
        Names("mapper"),
        Help("which mapper; none for the one nearest to the prompt"),
    ] = ""


@dataclass(slots=True)
class State(editing.State):
    """An edit by a mapper.

    Attributes:
        there: the mappers of the generator.
        loaded: those that were used, by name.
        chosen: the name of the one that is used.
    """

    there: Sequence[Network] = ()
    loaded: dict[str, Mapper] = field(default_factory=dict)
    chosen: str = ""


class LatentMapper(Edit[Params, State]):
    """The method; see the module's text."""

    name: ClassVar[str] = "latent_mapper"
    title: ClassVar[str] = "Edit as learned"
    about: ClassVar[str] = "A picture is changed by a network that has learned one edit."
    params: ClassVar[type[Params]] = Params
    networks: ClassVar[tuple[str, ...]] = ("generator", "mapper")

    def begin(
        self, params: Params, portrait: Portrait, models: Models, notices: list[str]
    ) -> State:
        """See which mappers there are.

        Raises:
            LimnerError: UNKNOWN_MODEL if there is none.
        """
        there = of_generator("mapper", portrait)
        if not there:
            name = portrait.network.name
            raise LimnerError(
                ErrorCode.UNKNOWN_MODEL,
                f"There is no mapper for {name} here.",
                'Train one, limner train mapper "red hair", or add a file: limner models add FILE',
            )
        state = State(params, portrait, models.clips, notices=notices, there=there)
        notices.append(f"The edit is {self._named(state, params)}'s.")
        return state

    def aim(self, state: State, params: Params) -> None:
        """Find the mapper that is meant.

        Raises:
            LimnerError: UNKNOWN_MODEL if there is none of that name, or it is another generator's.
        """
        check_wishes([Wish(params.prompt)])
        name = self._named(state, params)
        if name not in state.loaded:
            found = next(n for n in state.there if n.name == name)
            config, device = state.portrait.generator.config, state.portrait.w.device
            state.loaded[name] = mapper.load(found, config, device)
        state.chosen, state.params = name, params

    @torch.no_grad()
    def edited(self, state: State) -> list[Tensor]:
        """Style space of w + strength * step * M(w), level by level."""
        network, portrait = state.loaded[state.chosen], state.portrait
        shares = _shares(state.params, portrait.generator.config.latents)
        return network.applied(portrait.generator, portrait.w, shares)

    def told(self, state: State) -> dict[str, Any]:
        """Which mapper was taken."""
        return {"mapper": state.chosen}

    def _named(self, state: State, params: Params) -> str:
        """The mapper that was named, or the nearest to the prompt."""
        names = [n.name for n in state.there]
        if params.mapper:
            if params.mapper not in names:
                raise LimnerError(
                    ErrorCode.UNKNOWN_MODEL,
                    f"There is no mapper {params.mapper[:40]!r} for this generator.",
                    f"There are: {', '.join(names)}.",
                )
            return params.mapper
        return names[nearest(params.prompt, [words_of(n) for n in state.there], state.clips)]


def words_of(found: Network) -> str:
    """What a mapper was trained for, in words; its name if nothing else tells."""
    words = found.config.get("prompt") or found.card.get("prompt")
    return str(words) if words else found.name.replace("_", " ").replace("-", " ")


def nearest(prompt: str, texts: Sequence[str], clips: Sequence[Weighted]) -> int:
    """The index of the text that means most nearly the same."""
    plain = [text.strip().lower() for text in texts]
    if prompt.strip().lower() in plain or not clips:
        return plain.index(prompt.strip().lower()) if prompt.strip().lower() in plain else 0
    near = torch.zeros(len(texts))
    for one in clips:
        found = one.clip.encode_text([prompt, *texts]).cpu()
        near += one.weight * (found[1:] @ found[0])
    return int(near.argmax())


def _shares(params: Params, latents: int) -> list[float]:
    """How much of the change each row of W+ takes."""
    levels = [params.coarse] * COARSE + [params.medium] * (MEDIUM - COARSE)
    levels += [params.fine] * max(0, latents - MEDIUM)
    return [params.strength * level for level in levels[:latents]]
