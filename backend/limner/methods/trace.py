"""A picture made into strokes: fitted by pixels, coarse to fine, placed where the error is.

Strokes come in rounds. Each round lays a share of them where the drawing so far is most wrong, in
the picture's own colour there, wide at first and finer later, along the picture's edges; then all
strokes laid so far move together down the squared error. Earlier rounds look at a smaller picture,
so that large shapes settle first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.methods.base import DRAW, Inputs, Models, Preview, Result, adam_state, restore_adam
from limner.methods.canvas import resized
from limner.methods.params import Essential, Help, Range, check
from limner.vector.rasterizer import render
from limner.vector.strokes import Strokes, empty, pack
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

ROUNDS = ((0.25, 48, 0.12), (0.35, 96, 0.06), (0.4, 160, 0.03))  # share, side, width/side
STEPS_A_ROUND = 60
ALPHA = 0.9
POINT_RATE, WIDTH_RATE = 0.012, 0.004  # in sides of the picture
COLOUR_RATE = 0.03


@dataclass(frozen=True, slots=True)
class Params:
    """Trace's settings."""

    strokes: Annotated[
        int, Range(limits.STROKES_MIN, limits.STROKES_MAX), Essential(), Help("how many strokes")
    ] = 256
    steps: Annotated[
        int,
        Range(limits.STEPS_MIN, limits.STEPS_MAX),
        Essential(),
        Help("iterations, over all rounds"),
    ] = 240
    seed: Annotated[
        int, Range(0, limits.SEED_MAX), Essential(), Help("the same seed, the same drawing")
    ] = 0


@dataclass(slots=True)
class State:
    """A run between two steps."""

    params: Params
    inputs: Inputs
    noise: torch.Generator
    stages: list[Stage]
    ends: list[int]  # the step after which each round is over
    settling: Settling | None = None
    drawing: Strokes | None = None
    step: int = 0


class Trace:
    """The method; see the module's text."""

    name: ClassVar[str] = "trace"
    title: ClassVar[str] = "Trace a picture"
    family: ClassVar[str] = DRAW
    about: ClassVar[str] = "A picture made into strokes, coarse to fine."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = ("init",)
    needs: ClassVar[tuple[str, ...]] = ("init",)
    needs_models: ClassVar[bool] = False

    def setup(self, params: Params, inputs: Inputs, models: Models, device: torch.device) -> State:
        """Plan the rounds.

        Raises:
            LimnerError: BAD_INPUT if there is no picture or a setting is out of bounds.
        """
        check(params)
        if inputs.picture is None:
            raise LimnerError(ErrorCode.BAD_INPUT, "There is no picture to trace.")
        plan = stages(inputs.picture, params.strokes, inputs.size, inputs.background, device)
        ends = [round(params.steps * (k + 1) / len(plan)) for k in range(len(plan))]
        noise = torch.Generator().manual_seed(params.seed)
        return State(params, inputs, noise, plan, ends)

    def step(self, state: State, params: Params) -> Preview:
        """One Adam step; a round's first step lays its strokes."""
        index = next(k for k, end in enumerate(state.ends) if state.step < end)
        stage, first = state.stages[index], state.ends[index - 1] if index else 0
        if state.settling is None or state.step == first:
            state.drawing = lay(state.drawing, stage, state.inputs.size, state.noise)
            state.settling = Settling(state.drawing, stage, state.inputs.size)
        error = state.settling.advance((state.step - first) / (state.ends[index] - first))
        state.drawing = state.settling.drawing
        state.step += 1
        return Preview(state.step, params.steps, state.drawing, {"loss": error})

    def result(self, state: State) -> Result:
        """The strokes; the score is the negative mean squared error at the last round's size."""
        drawing = (state.drawing or empty()).detach()
        stage, size = state.stages[-1], state.inputs.size
        error = (_seen(drawing, stage, size)[0] - stage.target).square().mean()
        about = asdict(state.params) | {"method": self.name, "steps_done": state.step}
        return Result(drawing, size, state.inputs.background, -float(error), about)

    def save(self, state: State) -> dict[str, Tensor]:
        """The strokes, their optimiser, and the noise."""
        out = {"step": torch.tensor(state.step), "noise": state.noise.get_state()}
        if state.settling is not None:
            out |= state.settling.saved()
        return out

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        state.step = int(saved["step"])
        state.noise.set_state(saved["noise"].cpu())
        if "points" not in saved:
            return
        index = next((k for k, end in enumerate(state.ends) if state.step <= end), -1)
        drawing = Strokes(*(saved[n].clone() for n in ("points", "offsets", "width", "rgba")))
        state.settling = Settling(drawing, state.stages[index], state.inputs.size)
        state.settling.restore(saved)
        state.drawing = state.settling.drawing


def fit(
    picture: Tensor,
    count: int,
    size: tuple[int, int],
    noise: torch.Generator,
    *,
    background: Tensor | None = None,
    steps: int = STEPS_A_ROUND,
    device: torch.device | None = None,
) -> Strokes:
    """`count` strokes that look like the picture.

    Args:
        picture: (3, H, W) in [0, 1]; brought to `size`.
        size: (height, width) of the canvas in pixels.
        background: (3, H, W) under the strokes; white if None.
        steps: Adam steps in each round.
    """
    drawing: Strokes | None = None
    for stage in stages(picture, count, size, background, device):
        settling = Settling(lay(drawing, stage, size, noise), stage, size)
        for step in range(steps):
            settling.advance(step / steps)
        drawing = settling.drawing.detach()
    return drawing or empty()


@dataclass(frozen=True, slots=True)
class Stage:
    """One round: how many strokes it lays, how wide, and what it compares with."""

    count: int
    width: float  # of new strokes, in canvas pixels
    scale: float
    target: Tensor
    ground: Tensor


def stages(
    picture: Tensor,
    count: int,
    size: tuple[int, int],
    background: Tensor | None,
    device: torch.device | None,
) -> list[Stage]:
    """The rounds that lay `count` strokes in all."""
    out, left = [], count
    longest = max(size)
    for index, (share, side, width) in enumerate(ROUNDS):
        fresh = left if index == len(ROUNDS) - 1 else min(left, math.ceil(share * count))
        left -= fresh
        if not fresh:
            continue
        scale = min(1.0, side / longest)
        small = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        ground = torch.ones(3, *small) if background is None else resized(background.cpu(), small)
        target = resized(picture.cpu(), small).to(device)
        out.append(Stage(fresh, width * longest, scale, target, ground.to(device)))
    return out


def lay(
    drawing: Strokes | None, stage: Stage, size: tuple[int, int], noise: torch.Generator
) -> Strokes:
    """The drawing and the round's new strokes on it, most where the error is greatest."""
    seen = stage.ground[None] if drawing is None else _seen(drawing, stage, size)
    error = (seen[0] - stage.target).square().sum(0)
    width = error.shape[1]
    blurred = F.avg_pool2d(error[None, None], 3, 1, 1)[0, 0].flatten().cpu()
    cells = torch.multinomial(blurred + 1e-6, stage.count, True, generator=noise)
    rows, columns = cells // width, cells % width
    along = edge_direction(stage.target)[:, rows, columns].T.cpu()
    middle = torch.stack([columns + 0.5, rows + 0.5], 1) / stage.scale
    reach = stage.width * 1.5
    ticks = torch.linspace(-1, 1, 4)[None, :, None]
    points = middle[:, None] + ticks * along[:, None] * reach
    points = points + (torch.rand(points.shape, generator=noise) - 0.5) * reach * 0.3
    colour = stage.target[:, rows, columns].T.cpu()
    device = stage.target.device
    fresh = Strokes(
        points.reshape(-1, 2),
        torch.arange(stage.count + 1) * 4,
        torch.full((stage.count,), stage.width),
        torch.cat([colour, torch.full((stage.count, 1), ALPHA)], 1),
    ).to(device)
    return fresh if drawing is None else pack([drawing, fresh])


class Settling:
    """The strokes laid so far, moving together down the squared error."""

    def __init__(self, drawing: Strokes, stage: Stage, size: tuple[int, int]) -> None:
        self.drawing, self._stage, self._size = drawing.detach(), stage, size
        out, side = self.drawing, float(max(size))
        leaves = ((out.points, POINT_RATE * side), (out.width, WIDTH_RATE * side),
                  (out.rgba, COLOUR_RATE))  # fmt: skip
        self._rates = [rate for _, rate in leaves]
        self._adam = torch.optim.Adam([{"params": [p.requires_grad_(True)]} for p, _ in leaves])

    def saved(self) -> dict[str, Tensor]:
        """Copies of the strokes and of Adam's moments."""
        d = self.drawing
        tensors = {"points": d.points, "offsets": d.offsets, "width": d.width, "rgba": d.rgba}
        return {n: t.detach().clone() for n, t in tensors.items()} | adam_state(self._adam)

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Give Adam its moments back."""
        restore_adam(self._adam, saved)

    def advance(self, progress: float) -> Tensor:
        """One Adam step at `progress` in [0, 1] of the round; returns the () error before it."""
        for group, rate in zip(self._adam.param_groups, self._rates, strict=True):
            group["lr"] = rate * (1 - 0.9 * progress)
        error = (
            (_seen(self.drawing, self._stage, self._size)[0] - self._stage.target).square().mean()
        )
        self._adam.zero_grad()
        error.backward()
        self._adam.step()
        with torch.no_grad():
            self.drawing.width.clamp_(0.5 / self._stage.scale, max(self._size) / 2)
            self.drawing.rgba.clamp_(0, 1)
        return error.detach()


def _seen(drawing: Strokes, stage: Stage, size: tuple[int, int]) -> Tensor:
    return render(drawing, size, background=stage.ground, scale=stage.scale)


def edge_direction(picture: Tensor) -> Tensor:
    """(2, h, w) unit x, y along the edges: across the smoothed structure tensor's main axis."""
    grey = picture.mean(0, keepdim=True)[None]
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    smooth = [F.avg_pool2d(t, 5, 1, 2)[0, 0] for t in (dx * dx, dx * dy, dy * dy)]
    angle = 0.5 * torch.atan2(2 * smooth[1], smooth[0] - smooth[2]) + math.pi / 2
    return torch.stack([angle.cos(), angle.sin()])
