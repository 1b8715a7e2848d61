"""Halftone: a picture as rows of dots, the darker the larger.

A whole method of Limner in one file. Copy it into the folder that `limner doctor` names (or name
its folder: LIMNER_METHODS=docs), start the backend again, and the page, Krita and Blender have its
form; `limner run halftone --help` has its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.methods.base import DRAW, Inputs, Models, Preview, Result
from limner.methods.params import Adjustable, Essential, Help, Range, check
from limner.vector.strokes import Strokes
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

GREY = (0.299, 0.587, 0.114)  # how bright red, green and blue are (ITU-R BT.601)
INK = (0.1, 0.1, 0.12, 1.0)


@dataclass(frozen=True, slots=True)
class Params:
    """What an artist can set: each front end makes a form of it, the command line options."""

    rows: Annotated[int, Range(2, 60), Essential(), Help("rows of dots")] = 40
    ink: Annotated[
        float, Range(0.1, 2), Adjustable(), Essential(), Help("how large the dots are")
    ] = 1.0
    seed: Annotated[int, Range(0, limits.SEED_MAX), Help("how the dots are shaken")] = 0
    shake: Annotated[float, Range(0, 1), Help("how far off their places they may lie")] = 0.1
    steps: Annotated[int, Range(1, 1000), Help("it takes one for each row at most")] = 1000


@dataclass(slots=True)
class State:
    """A run between two steps; `total` is how many there are."""

    params: Params
    size: tuple[int, int]
    dark: Tensor
    shaken: Tensor
    total: int
    dots: Tensor
    step: int = 0


class Halftone:
    """A row of dots at a step."""

    name: ClassVar[str] = "halftone"
    title: ClassVar[str] = "Halftone"
    family: ClassVar[str] = DRAW
    about: ClassVar[str] = "A picture as rows of dots, the darker the larger."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = ("init",)
    needs: ClassVar[tuple[str, ...]] = ("init",)
    needs_models: ClassVar[bool] = False

    def setup(self, params: Params, inputs: Inputs, models: Models, device: torch.device) -> State:
        """Measure how dark the picture is at each dot's place."""
        check(params)
        if inputs.picture is None:
            raise LimnerError(ErrorCode.BAD_INPUT, "There is no picture.", "Give one.")
        height, width = inputs.size
        most = limits.STROKES_MAX // params.rows
        columns = min(most, max(1, round(params.rows * width / height)))
        grey = (inputs.picture * torch.tensor(GREY)[:, None, None]).sum(0, keepdim=True)
        dark = 1 - F.adaptive_avg_pool2d(grey[None], (params.rows, columns))[0, 0]
        chance = torch.Generator().manual_seed(params.seed)
        shaken = params.shake * (torch.rand(params.rows, columns, 2, generator=chance) - 0.5)
        total = min(params.rows, params.steps)
        return State(params, inputs.size, dark, shaken, total, torch.zeros(0, 3))

    def step(self, state: State, params: Params) -> Preview:
        """The next row; its dots are (x, y, diameter) in pixels."""
        height, width = state.size
        rows, columns = state.dark.shape
        places = torch.stack(
            [torch.arange(columns) + 0.5, torch.full((columns,), state.step + 0.5)], 1
        )
        places = (places + state.shaken[state.step]) * torch.tensor(
            [width / columns, height / rows]
        )
        widths = state.dark[state.step].clamp(min=0).sqrt() * params.ink * height / rows
        row = torch.cat([places, widths[:, None]], 1)
        state.dots = torch.cat([state.dots, row[widths > 0.1]])
        state.params, state.step = params, state.step + 1
        return Preview(state.step, state.total, strokes_of(state.dots))

    def result(self, state: State) -> Result:
        """The dots; how much of the paper is inked is all that there is to score."""
        about = asdict(state.params) | {"method": self.name, "steps_done": state.step}
        covered = float(state.dots[:, 2].square().sum()) / (state.size[0] * state.size[1])
        return Result(strokes_of(state.dots), state.size, None, covered, about)

    def save(self, state: State) -> dict[str, Tensor]:
        """What `setup` would not make again."""
        return {"dots": state.dots.clone(), "step": torch.tensor(state.step)}

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        state.dots, state.step = saved["dots"].clone(), int(saved["step"])


def strokes_of(dots: Tensor) -> Strokes:
    """A dot is a stroke with round caps that goes nowhere."""
    count = len(dots)
    points = dots[:, None, :2].repeat(1, 4, 1).reshape(-1, 2)
    return Strokes(
        points, torch.arange(0, 4 * count + 1, 4), dots[:, 2], torch.tensor(INK).repeat(count, 1)
    )


METHOD = Halftone()
