"""What every method is: set up once, stepped until done, asked for its result; saved at any step.

Whoever runs a method (a command, a worker) does what is the same for all of them: stopping,
pausing, changing the settings between steps, throttling what is shown. A method does one
iteration at a time and knows nothing of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from limner.models.clip import Weighted
from limner.models.features import Features
from limner.vector.strokes import Strokes

P = TypeVar("P", contravariant=True)
S = TypeVar("S")

WHITE = (1.0, 1.0, 1.0)
STYLES = ("style", "style2", "style3")  # the roles of `Inputs.styles`, in their order
OTHERS = ("other", "other2", "other3")  # and of `Inputs.others`
ROLES = ("picture", "over", "init", "mask", *STYLES, *OTHERS)  # all that a method may take
DRAW, EDIT, IMAGINE = "Drawing", "Editing", "Imagining"  # families of methods, for people


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the artist gives beside the settings.

    Attributes:
        size: (height, width) of the canvas in pixels.
        background: (3, H, W) in [0, 1] to draw over, or None for white paper.
        picture: (3, H, W) to begin from: strokes are first fitted to it; or the one to edit.
        strokes: strokes to begin from, in canvas pixels.
        mask: (H, W) in [0, 1]; where it is 0 the background stays as it is.
        styles: pictures (3, h, w) in [0, 1] of any sizes, whose look is wanted.
        latent: (L, w_dim), a generator's code of the picture, where that is known.
        others: pictures as `styles`, that are wanted beside the one to edit.
    """

    size: tuple[int, int]
    background: Tensor | None = None
    picture: Tensor | None = None
    strokes: Strokes | None = None
    mask: Tensor | None = None
    styles: tuple[Tensor, ...] = ()
    latent: Tensor | None = None
    others: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Models:
    """The networks that a method may use.

    Attributes:
        features: what looks at styles; None for the best on the machine.
    """

    clips: Sequence[Weighted] = ()
    features: Features | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """Where a run stands after a step. Nothing is copied off the device before someone looks.

    Attributes:
        strokes: the drawing so far; the tensors change with the next step. None if the method
            makes pictures of pixels.
        losses: by name; 0-d tensors.
        notice: something that the artist should know, in words.
        paint: makes `image`; to be called before the next step.
    """

    step: int
    total: int
    strokes: Strokes | None = None
    losses: Mapping[str, Tensor] = field(default_factory=dict)
    notice: str = ""
    paint: Callable[[], Tensor] | None = None

    @property
    def image(self) -> Tensor | None:
        """(3, H, W) in [0, 1] on the device: the picture so far, made when it is asked for; None
        if the method draws strokes."""
        return None if self.paint is None else self.paint()


@dataclass(frozen=True, slots=True)
class Result:
    """What a run ends with.

    Attributes:
        strokes: the drawing, in canvas pixels; None if it has none, and then `picture` is all.
        size: (height, width) of the canvas in pixels.
        background: (3, H, W), or None for white paper.
        score: how near it is to what was asked; higher is nearer.
        about: settings, figures and notices to be kept with the drawing; JSON values.
        picture: (3, h, w) in [0, 1], where the finished picture is more than its strokes.
        leave: puts the model that was made into a new folder, if one was made.
    """

    strokes: Strokes | None
    size: tuple[int, int]
    background: Tensor | None
    score: float
    about: Mapping[str, Any]
    picture: Tensor | None = None
    leave: Callable[[Path], object] | None = None

    @property
    def drawing(self) -> Strokes:
        """The strokes of a method that draws some."""
        if self.strokes is None:
            raise ValueError("this result is a picture without strokes")
        return self.strokes


class Method(Protocol[P, S]):
    """One way of making a picture; see the module's text."""

    name: ClassVar[str]
    title: ClassVar[str]  # for people, two or three words
    family: ClassVar[str]  # `DRAW`, `EDIT` or `IMAGINE`: where people look for it
    about: ClassVar[str]  # for people, one line
    params: ClassVar[type[Any]]
    inputs: ClassVar[tuple[str, ...]]  # of `ROLES`
    needs: ClassVar[tuple[str, ...]]  # and which of those it can't do without
    needs_models: ClassVar[bool]

    def setup(self, params: P, inputs: Inputs, models: Models, device: torch.device) -> S:
        """Check the settings and make the state before the first step. A state has `total` where
        it takes other steps than the settings' `steps`: how many there are by now.

        Raises:
            LimnerError: BAD_INPUT if a setting is out of bounds or the inputs don't fit it.
        """
        ...

    def step(self, state: S, params: P) -> Preview:
        """ONE iteration; the settings may have changed since the last.

        Raises:
            LimnerError: NOT_FINITE if the run can't go on.
        """
        ...

    def result(self, state: S) -> Result:
        """The drawing as it stands, finished as the method finishes drawings."""
        ...

    def save(self, state: S) -> dict[str, Tensor]:
        """All that `setup`, given the same, would not make again; the tensors are copies."""
        ...

    def restore(self, state: S, saved: Mapping[str, Tensor]) -> None:
        """Bring a state that `setup` has just made to where it was saved: what follows is bit for
        bit what would have followed."""
        ...


@runtime_checkable
class Interactive(Protocol):
    """A method whose sliders answer after its last step: whoever runs it goes on showing what
    comes of them until the picture is kept. Its settings have `stay`, whether it is to be so.

    `result` then is of the settings that were shown last.
    """

    def show(self, state: Any, params: Any) -> Preview:
        """The picture with these settings, at once and without a step; or a look nearer to it,
        where it takes several: this is called again, until the preview's step is its total.

        Raises:
            LimnerError: BAD_INPUT if there is none.
        """
        ...


def adam_state(adam: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of the moments of an Adam or its like, by group and name; its rates are the method's
    own affair."""
    return {
        f"adam.{k}.{name}": value.detach().clone()
        for k, group in enumerate(adam.param_groups)
        for name, value in adam.state.get(group["params"][0], {}).items()
    }


def restore_adam(adam: torch.optim.Optimizer, saved: Mapping[str, Tensor]) -> None:
    """Give an optimiser the moments that `adam_state` took; each of its groups has one tensor."""
    for k, group in enumerate(adam.param_groups):
        start = f"adam.{k}."
        moments = {n[len(start) :]: v.clone() for n, v in saved.items() if n.startswith(start)}
        if moments:
            adam.state[group["params"][0]] = moments
