"""StyleCLIP's global directions (Patashnik et al. 2021, arXiv 2103.17249, section 6).

    s' = s + strength * boundary(text change, threshold)          (figure 4; `models.directions`)

The change from a neutral text to the prompt becomes one direction in style space, the same for
every picture. Nothing is optimised but the picture's code, so both sliders answer with a picture at
once. Several changes add up.

With a threshold of 0 one is chosen, as the authors choose theirs; where no channel is above it, it
comes down to the best one's (theirs divides by zero then).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from limner.losses.words import Wish, check_wishes
from limner.methods import editing
from limner.methods.base import Models
from limner.methods.editing import Edit, Portrait, of_generator
from limner.methods.params import Adjustable, Essential, Help, Range
from limner.models import clip, directions
from limner.models.clip import Clip, Weighted, split_weight
from limner.models.directions import TEMPLATES, Directions, chosen_threshold, reachable, text_change
from limner_wire.errors import ErrorCode, LimnerError

NEUTRAL = "a picture"


@dataclass(frozen=True, slots=True)
class Params(editing.Params):
    """An edit along a direction."""

    strength: Annotated[
        float, Range(-15, 25), Adjustable(), Essential(),
        Help("how far it goes; below 0 the other way"),
    ] = 4.0  # fmt: skip
    threshold: Annotated[
        float, Range(0, 0.5), Adjustable(), Essential(),
        Help("how well a channel must agree to move: higher changes less else; 0 chooses"),
    ] = 0.0  # fmt: skip
    neutral: Annotated[
        str, Adjustable(), Essential(),
        Help('what it is without the change, such as "a person with hair"'),
    ] = ""  # fmt: skip
    also: Annotated[
        tuple[str, ...], Adjustable(),
        Help('further changes, as "a person with glasses@3": what, and how strongly'),
    ] = ()  # fmt: skip
    channels: Annotated[
        int, Range(1, 1000), Adjustable(),
        Help("of a threshold that is chosen: more than so many channels move"),
    ] = 20  # fmt: skip
    sentences: Annotated[
        bool, Adjustable(), Help("read the texts in several sentences, as the authors do")
    ] = False


@dataclass(slots=True)
class State(editing.State):
    """An edit along directions.

    Attributes:
        directions: what the generator's channels mean to `clip`.
        agreements: (C,) for each change of text that was asked for.
        step_styles: what is added to style space, (channels,) for each layer.
        moved, threshold: how many channels the prompt moves, and from which agreement on.
    """

    directions: Directions | None = None
    clip: Clip | None = None
    agreements: dict[tuple[str, str, bool], Tensor] = field(default_factory=dict)
    step_styles: list[Tensor] = field(default_factory=list)
    moved: int = 0
    threshold: float = 0.0


class GlobalDirections(Edit[Params, State]):
    """The method; see the module's text."""

    name: ClassVar[str] = "global_directions"
    title: ClassVar[str] = "Edit along a direction"
    about: ClassVar[str] = "A picture moves from one text to another; sliders answer at once."
    params: ClassVar[type[Params]] = Params
    networks: ClassVar[tuple[str, ...]] = ("generator", "directions")

    def begin(
        self, params: Params, portrait: Portrait, models: Models, notices: list[str]
    ) -> State:
        """Find what the generator's channels mean.

        Raises:
            LimnerError: UNKNOWN_MODEL if nobody has measured that.
        """
        found = of_generator("directions", portrait)
        if not found:
            name = portrait.network.name
            raise LimnerError(
                ErrorCode.UNKNOWN_MODEL,
                f"There are no directions for {name} here.",
                f"Measure them once: limner train directions --generator {name}",
            )
        given = {w.clip.name: w.clip for w in models.clips}
        loaded = [directions.load(n, portrait.generator) for n in found]
        known = next((d for d in loaded if d.clip in given), loaded[0])
        reader = given.get(known.clip) or _reader(known, models.clips, portrait)
        if given and known.clip and known.clip not in given:
            notices.append(f"The directions were measured with {known.clip}: it reads the words.")
        return State(params, portrait, [Weighted(reader)], notices=notices, directions=known,
                     clip=reader)  # fmt: skip

    def aim(self, state: State, params: Params) -> None:
        """The change of words as a change of styles."""
        changes = wanted(params)
        check_wishes([Wish(text) for text, _ in changes])
        known = state.directions
        assert known is not None  # noqa: S101
        neutral = params.neutral.strip() or known.neutral or NEUTRAL
        total: list[Tensor] = []
        for k, (text, strength) in enumerate(changes):
            agreement = self._agreement(state, text, neutral, sentences=params.sentences)
            aimed = params.threshold or chosen_threshold(agreement, params.channels)
            threshold = reachable(agreement, aimed)
            step = [strength * s for s in known.boundary(agreement, threshold)]
            total = [a + b for a, b in zip(total, step, strict=True)] if total else step
            if k == 0:
                state.threshold = threshold
                state.moved = int((agreement.abs() >= threshold).sum())
        state.step_styles, state.params = total, params

    def edited(self, state: State) -> list[Tensor]:
        """s + strength * boundary."""
        styles = state.portrait.generator.styles(state.portrait.w)
        return [s + step for s, step in zip(styles, state.step_styles, strict=True)]

    def figures(self, state: State) -> dict[str, Tensor]:
        """How many channels move, and from which threshold on."""
        return {
            "channels_moved": torch.tensor(float(state.moved)),
            "threshold_used": torch.tensor(state.threshold),
        }

    def _agreement(self, state: State, text: str, neutral: str, *, sentences: bool) -> Tensor:
        asked = (text, neutral, sentences)
        if asked not in state.agreements:
            assert state.directions is not None and state.clip is not None  # noqa: S101
            templates = TEMPLATES if sentences else ("{}",)
            change = text_change(state.clip, text, neutral, templates)
            state.agreements[asked] = state.directions.agreement(change)
        return state.agreements[asked]


def wanted(params: Params) -> list[tuple[str, float]]:
    """Every text and how strongly it is wanted: the prompt first."""
    also = [split_weight(text, params.strength) for text in params.also]
    return [(params.prompt.strip(), params.strength), *also]


def _reader(known: Directions, given: Sequence[Weighted], portrait: Portrait) -> Clip:
    """The CLIP that directions were measured with; the first that is there if they don't say."""
    if known.clip:
        return clip.load([known.clip], portrait.w.device)[0].clip
    return given[0].clip if given else clip.load((), portrait.w.device)[0].clip
