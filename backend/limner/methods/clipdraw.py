"""CLIPDraw (Frans, Soros & Witkowski 2021, arXiv 2106.14843): strokes that CLIP calls the prompt.

    argmax over strokes of  mean over cutouts a of  cos(CLIP(a(render(strokes))), CLIP(prompt))

Each step renders the strokes, looks at the picture through a few random cutouts, and moves control
points, widths and colours up the gradient. Beside the paper: several weighted wishes, a contrast
with other things, a picture or an SVG to begin from, a background and a mask, frozen properties
and locked strokes, a palette, a price on ink, and a tidy pass at the end.

It does not choose among seeds, nor write files: `session` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor

from limner.chance import random_of
from limner.losses.cutouts import fixed_maps, random_maps
from limner.losses.words import (
    Target,
    Wish,
    check_wishes,
    nearness,
    rank,
    strange_words,
    targets,
)
from limner.methods.base import DRAW, Inputs, Models, Preview, Result
from limner.methods.begin import FIRST_WIDTH_PX, random_strokes
from limner.methods.canvas import Canvas, prepare
from limner.methods.params import (
    Adjustable,
    Choice,
    Colour,
    Essential,
    Help,
    Memory,
    Range,
    check,
)
from limner.methods.race import BestOf
from limner.methods.stroke_optimizer import Rates, StrokeOptimizer
from limner.methods.tidy import Score, tidy
from limner.methods.trace import fit
from limner.models.clip import split_weight
from limner.vector.strokes import Strokes, pack
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

AVOID_WEIGHT = 0.3  # of a negative prompt, in the authors' code
NEGATIVES = ("A badly drawn sketch.", "Many ugly, messy drawings.")  # theirs too
JUDGED_CUTOUTS = 4
SPILL_PRICE = 10.0  # on ink outside the mask
BLACK = ("#000000",)


@dataclass(frozen=True, slots=True)
class Params:
    """CLIPDraw's settings; the defaults are the paper's, but for how many steps and strokes."""

    prompt: Annotated[str, Adjustable(), Help("what to draw")]
    also: Annotated[tuple[str, ...], Adjustable(), Help("a further wish, TEXT or TEXT@WEIGHT")] = ()
    avoid: Annotated[
        tuple[str, ...], Adjustable(), Help("what not to draw, TEXT or TEXT@WEIGHT (0.3)")
    ] = ()
    negatives: Annotated[
        bool, Adjustable(), Help("also avoid the paper's two negative prompts")
    ] = False
    steps: Annotated[
        int, Range(limits.STEPS_MIN, limits.STEPS_MAX), Essential(), Help("iterations")
    ] = 250
    strokes: Annotated[
        int, Range(limits.STROKES_MIN, limits.STROKES_MAX), Essential(), Help("how many strokes")
    ] = 96
    seed: Annotated[
        int, Range(0, limits.SEED_MAX), Essential(), Help("the same seed, the same drawing")
    ] = 0
    best_of: BestOf = 1
    contrast: Annotated[
        float, Range(0, 1), Adjustable(), Help("draw what sets the prompt apart from other things")
    ] = 0.0
    cutouts: Annotated[
        int, Range(1, 64), Adjustable(), Memory(), Help("views looked at in each step")
    ] = 4
    first_width: Annotated[
        float, Range(0.1, 100), Help("width of new strokes on a 224 px canvas", "px")
    ] = FIRST_WIDTH_PX
    point_rate: Annotated[
        float, Range(0, 100), Adjustable(), Help("how fast points move, times the paper's")
    ] = 1.0
    width_rate: Annotated[
        float, Range(0, 100), Adjustable(), Help("how fast widths change, times the paper's")
    ] = 1.0
    colour_rate: Annotated[
        float, Range(0, 100), Adjustable(), Help("how fast colours change, times the paper's")
    ] = 1.0
    freeze: Annotated[
        tuple[str, ...], Choice(("position", "width", "colour")), Help("what strokes keep")
    ] = ()
    lock: Annotated[
        bool, Help("leave the strokes begun from as they are, and draw new ones over them")
    ] = False
    black: Annotated[bool, Help("black strokes only")] = False
    palette: Annotated[tuple[str, ...], Colour(), Help("the only colours allowed, as #rrggbb")] = ()
    ink: Annotated[
        float, Range(0, 10), Adjustable(), Help("price on ink: more leaves more paper bare")
    ] = 0.0
    tidy: Annotated[
        bool, Help("take away, at the end, strokes that the drawing is no worse without")
    ] = True


@dataclass(slots=True)
class State:
    """A run between two steps."""

    params: Params
    canvas: Canvas
    models: Models
    aims: Sequence[Target]
    optimizer: StrokeOptimizer
    step: int = 0
    notices: list[str] | None = None

    def noise(self) -> torch.Generator:
        """Where all randomness of the next step comes from."""
        return random_of(self.params.seed, self.step)


class Pull(NamedTuple):
    """What one look at a drawing gives.

    Attributes:
        image: (3, h, w) the drawing on its canvas, inside the mask.
        near: () how near it is to the wishes.
        loss: () what is to fall.
    """

    image: Tensor
    near: Tensor
    loss: Tensor


class ClipDraw:
    """The method; see the module's text."""

    name: ClassVar[str] = "clipdraw"
    title: ClassVar[str] = "Draw from words"
    family: ClassVar[str] = DRAW
    about: ClassVar[str] = "Strokes that CLIP calls the prompt (CLIPDraw, Frans et al. 2021)."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = ("over", "init", "mask")
    needs: ClassVar[tuple[str, ...]] = ()
    needs_models: ClassVar[bool] = True

    def setup(self, params: Params, inputs: Inputs, models: Models, device: torch.device) -> State:
        """Check the settings, embed the wishes, and lay the first strokes.

        Raises:
            LimnerError: BAD_INPUT.
        """
        wishes, palette = validate(params)
        canvas = prepare(inputs, max(m.clip.size_px for m in models.clips), device)
        aims = targets(models.clips, wishes, params.contrast)
        strokes, locked = first_strokes(params, inputs, canvas, device)
        optimizer = StrokeOptimizer(
            strokes.to(device),
            canvas,
            params.steps,
            freeze=params.freeze,
            locked=locked,
            palette=None if palette is None else palette.to(device),
        )
        notices = strange_words(models.clips, wishes)
        return State(params, canvas, models, aims, optimizer, 0, notices)

    def step(self, state: State, params: Params) -> Preview:
        """One step up the gradient.

        Raises:
            LimnerError: NOT_FINITE if two steps in a row left the numbers; BAD_INPUT if a changed
                setting is out of bounds.
        """
        if params != state.params:
            self.adjust(state, params)
        pulled = self.look(state)
        return self.move(state, pulled.loss, {"nearness": pulled.near})

    def look(self, state: State) -> Pull:
        """How near the strokes are to the wishes, and what they cost."""
        params, canvas, optimizer = state.params, state.canvas, state.optimizer
        # 1. what the strokes look like, through a few random cutouts
        maps = random_maps(params.cutouts, state.noise(), canvas.box).to(canvas.ground.device)
        raw = canvas.render(optimizer.drawn())
        image = canvas.within(raw)
        # 2. how near that is to the wishes, and what it cost
        near = nearness(image, maps, state.aims, canvas.fill)
        loss = -params.cutouts * near  # summed over cutouts, as the authors do
        if params.ink:
            loss = loss + params.ink * (image - canvas.ground).abs().mean()
        if canvas.mask is not None:
            spilt = (1 - canvas.mask) * (raw - canvas.ground)
            loss = loss + SPILL_PRICE * spilt.square().mean()
        return Pull(image, near, loss)

    def move(self, state: State, loss: Tensor, figures: Mapping[str, Tensor]) -> Preview:
        """One step down a loss, to be shown with further figures by name.

        Raises:
            LimnerError: NOT_FINITE if two steps in a row left the numbers.
        """
        params, optimizer = state.params, state.optimizer
        rates = Rates(params.point_rate, params.width_rate, params.colour_rate)
        went = optimizer.descend(loss, state.step / params.steps, rates)
        state.step += 1
        notice = "" if went else optimizer.stumbled(state.step)
        losses = {name: value.detach() for name, value in {"loss": loss, **figures}.items()}
        return Preview(state.step, params.steps, optimizer.drawn(), losses, notice)

    def scorer(self, state: State) -> Score:
        """What scores drawings by how near they are to the wishes, on fixed cutouts."""
        canvas = state.canvas
        maps = fixed_maps(JUDGED_CUTOUTS, canvas.box).to(canvas.ground.device)

        @torch.no_grad()
        def score(drawings: Strokes, scenes: Tensor) -> Tensor:
            images = canvas.paint_each(drawings, scenes)
            return rank(images, maps, state.aims, canvas.fill)

        return score

    def result(self, state: State, score: Score | None = None) -> Result:
        """The drawing, tidied if asked for, and its score: by the wishes if by nothing else."""
        canvas, optimizer = state.canvas, state.optimizer
        score = score or self.scorer(state)
        strokes = optimizer.drawn().detach()
        if state.params.tidy and strokes.count:
            strokes = tidy(strokes, score, optimizer.locked)
        scored = score(strokes, torch.tensor([0, strokes.count]))
        about = asdict(state.params) | {
            "method": self.name,
            "models": [m.clip.name for m in state.models.clips],
            "steps_done": state.step,
            "strokes_kept": strokes.count,
        }
        return Result(strokes, canvas.size, None, float(scored[0]), about)

    def save(self, state: State) -> dict[str, Tensor]:
        """The strokes and their optimiser; all randomness comes from (seed, step)."""
        return state.optimizer.saved() | {"step": torch.tensor(state.step)}

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        state.optimizer.restore(saved)
        state.step = int(saved["step"])

    def adjust(self, state: State, params: Params) -> None:
        """Go on with other settings.

        Raises:
            LimnerError: BAD_INPUT if one is out of bounds.
        """
        check(params)
        wishes = read_wishes(params)
        if (wishes, params.contrast) != (read_wishes(state.params), state.params.contrast):
            state.aims = targets(state.models.clips, wishes, params.contrast)
        state.params = params


def validate(params: Params) -> tuple[list[Wish], Tensor | None]:
    """The wishes and the palette of settings that are all in bounds.

    Raises:
        LimnerError: BAD_INPUT.
    """
    check(params)
    return read_wishes(params), read_palette(params.black, params.palette)


def read_wishes(params: Params) -> list[Wish]:
    """All texts with their weights, the prompt first; those to avoid are negative.

    Raises:
        LimnerError: BAD_INPUT for an empty or endless text, or too many.
    """
    wishes = [Wish(params.prompt.strip())]
    wishes += [Wish(*split_weight(text)) for text in params.also]
    avoided = [split_weight(text, AVOID_WEIGHT) for text in params.avoid]
    if params.negatives:
        avoided += [(text, AVOID_WEIGHT) for text in NEGATIVES]
    wishes += [Wish(text, -weight) for text, weight in avoided]
    check_wishes(wishes)
    return wishes


def read_palette(black: bool, palette: Sequence[str]) -> Tensor | None:
    """(N, 3) the allowed colours: black, or those named as #rrggbb; None for all.

    Raises:
        LimnerError: BAD_INPUT if one is not #rrggbb.
    """
    names = BLACK if black else palette
    rows = []
    for name in names:
        digits = name.removeprefix("#")
        try:
            if len(digits) != 6:
                raise ValueError
            rows.append([byte / 255 for byte in bytes.fromhex(digits)])
        except ValueError:
            raise LimnerError(
                ErrorCode.BAD_INPUT, f"{name!r} is no colour.", "Write it as #rrggbb: #c0392b."
            ) from None
    return torch.tensor(rows) if rows else None


def first_strokes(
    params: Params, inputs: Inputs, canvas: Canvas, device: torch.device
) -> tuple[Strokes, Tensor | None]:
    """Where the run begins, and which strokes are locked: (S,) bool or None.

    Raises:
        LimnerError: BAD_INPUT if strokes should be locked and there are none.
    """
    noise = torch.Generator().manual_seed(params.seed)
    given = None if inputs.strokes is None else replace(inputs.strokes, depth=None)
    if given is None and inputs.picture is not None:
        given = fit(inputs.picture, params.strokes, inputs.size, noise, device=device).to(
            torch.device("cpu")
        )
    if given is None:
        if params.lock:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "There are no strokes to lock.", "Give some with --init."
            )
        return random_strokes(params.strokes, canvas, noise, params.first_width), None
    if not params.lock:
        return given, None
    fresh = random_strokes(params.strokes, canvas, noise, params.first_width)
    locked = torch.arange(given.count + fresh.count) < given.count
    return pack([given, fresh]), locked.to(device)
