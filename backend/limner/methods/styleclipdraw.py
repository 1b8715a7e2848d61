"""StyleCLIPDraw (Schaldenbrand, Liu & Oh 2022, arXiv 2202.12362): a prompt in a picture's style.

    argmin over strokes of  - sum over cutouts a of  cos(CLIP(a(render(strokes))), CLIP(prompt))
                            + style * max(0, STROTSS(render(strokes), style pictures) - target)
                            + hand * (how far the strokes' shapes are from the style's)

The words pull exactly as in CLIPDraw, whose settings, inputs and code this has; the style pulls at
the same strokes, so that they take its shape as well as its texture and colours. Three ways to
couple the two: jointly in every step (the authors' fast version), in turns (their paper), or the
style afterwards, on the finished picture's pixels (the baseline that the paper beats).

Ours is the target, below which the style lets go. The words begin alone; when the style comes in,
it is measured how far from it the drawing is by itself, and from there the target falls to the
part of that way which the strength leaves. So the strength means the same with any picture, and
what the style does not need is left to the words (the authors have a fixed weight, and no words
over the last tenth of the steps). Ours are also a first stroke in the colour of the style's paper,
and the last term, for which see `methods.shaped`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from limner.chance import random_of
from limner.methods import clipdraw
from limner.methods.base import DRAW, STYLES, Inputs, Models, Preview, Result
from limner.methods.canvas import DETAIL, Canvas, prepare
from limner.methods.clipdraw import ClipDraw
from limner.methods.eye import GRAM, STROTSS, Eye, weighed
from limner.methods.hand import paper, read_hand
from limner.methods.params import Adjustable, Choice, Essential, Help, OfRole, Range
from limner.methods.shaped import apart
from limner.methods.stroke_optimizer import Rates, StrokeOptimizer
from limner.methods.tidy import Score
from limner.methods.transfer import transfer
from limner.models.features import NAMES, load
from limner.vector.shape import Shape
from limner.vector.strokes import Strokes
from limner_wire.errors import ErrorCode, LimnerError

JOINT, IN_TURNS, AFTERWARDS = "joint", "in turns", "afterwards"
STYLE_WEIGHT = 1.0  # of STROTSS beside the words' cosine
HAND_WEIGHT = 0.05  # of the strokes' shapes beside it, when they keep to the hand entirely
STYLE_FROM, STYLE_WHOLE = 0.25, 0.75  # of the steps: a thing comes before its look
NEARLY_WHITE = 0.97
TURN_RATES = Rates(points=0.1, width=1.0, colour=1.0)  # RMSprop's, times Adam's: 0.1, 0.2, 0.01


@dataclass(frozen=True, slots=True)
class Params(clipdraw.Params):
    """CLIPDraw's settings, and what is asked of the style."""

    strength: Annotated[
        float, Range(0, 100), Adjustable(), Essential(),
        Help("how much of its way to the style the drawing goes; 100 is as near as it can", "%"),
    ] = 60.0  # fmt: skip
    hand: Annotated[
        float, Range(0, 100), Adjustable(), Essential(),
        Help("how closely strokes keep to the lengths, widths and bends of the style's", "%"),
    ] = 30.0  # fmt: skip
    second_style: Annotated[
        float, Range(0, 10), Adjustable(), OfRole("style2"),
        Help("the second style picture, times the first"),
    ] = 1.0  # fmt: skip
    third_style: Annotated[
        float, Range(0, 10), Adjustable(), OfRole("style3"),
        Help("the third style picture, times the first"),
    ] = 1.0  # fmt: skip
    coupling: Annotated[
        str, Choice((JOINT, IN_TURNS, AFTERWARDS)),
        Help("words and style in every step, in turns as in the paper, or the style afterwards on "
             "the picture, which leaves the strokes as they are"),
    ] = JOINT  # fmt: skip
    turn_every: Annotated[int, Range(1, 1000), Help("in turns: steps between two turns")] = 5
    turn_steps: Annotated[
        int, Range(1, 200), Adjustable(), Help("in turns: steps of the style's turn")
    ] = 20
    measure: Annotated[
        str, Choice((STROTSS, GRAM)), Help("how looks are compared: gram is the older way")
    ] = STROTSS
    features: Annotated[
        str, Choice(NAMES), Help("the network that looks at styles; best: VGG16 if it is here")
    ] = "best"


@dataclass(slots=True)
class State:
    """A run between two steps.

    Attributes:
        drawing: what CLIPDraw keeps.
        sheet: the canvas at the size at which the style is looked at.
        hands: the shapes of each style picture's strokes, None where there is nothing to read.
        turns: what moves the strokes when it is the style's turn.
        alone: for each style picture, how far from it the words alone had come when the style
            came in; None before.
    """

    drawing: clipdraw.State
    sheet: Canvas
    eye: Eye
    hands: Sequence[Shape | None]
    turns: StyleTurns
    notices: list[str]
    alone: list[float] | None = None


class StyleTurns(StrokeOptimizer):
    """The same strokes, moved by the style alone, with the paper's RMSprop."""

    descent = torch.optim.RMSprop

    def __init__(self, drawing: clipdraw.State) -> None:
        words, params = drawing.optimizer, drawing.params
        super().__init__(words.strokes, drawing.canvas, params.steps, freeze=params.freeze,
                         locked=words.locked, palette=words.palette)  # fmt: skip
        self.strokes = words.strokes
        self.adam = self.descent(self._groups(), lr=0.0)


class StyleClipDraw:
    """The method; see the module's text."""

    name: ClassVar[str] = "styleclipdraw"
    title: ClassVar[str] = "Draw in a style"
    family: ClassVar[str] = DRAW
    about: ClassVar[str] = "Strokes that are the prompt, in the style of a picture (StyleCLIPDraw)."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = (*STYLES, "over", "init", "mask")
    needs: ClassVar[tuple[str, ...]] = STYLES[:1]
    needs_models: ClassVar[bool] = True

    def __init__(self) -> None:
        self._words = ClipDraw()

    def setup(self, params: Params, inputs: Inputs, models: Models, device: torch.device) -> State:
        """Look at the style pictures, read their strokes, and set CLIPDraw up.

        Raises:
            LimnerError: BAD_INPUT as CLIPDraw, and if there is no style picture; UNKNOWN_MODEL if
                VGG16 is asked for and not on this machine.
        """
        clipdraw.validate(params)
        if not inputs.styles:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "There is no style picture.", "Give one: --style IMAGE."
            )
        features = models.features or load(params.features, device)
        sheet = prepare(inputs, round(features.side_px / DETAIL), device)
        eye = Eye(features, inputs.styles, device, max(sheet.ground.shape[1:]), params.seed)
        hands = [read_hand(p, max(inputs.size), params.seed) for p in inputs.styles]
        begun, inputs = self._washed(params, inputs)
        drawing = self._words.setup(begun, inputs, models, device)
        drawing.params = params
        notices = [
            *(drawing.notices or ()), f"The style is looked at with {features.name}."
        ]  # fmt: skip
        return State(drawing, sheet, eye, hands, StyleTurns(drawing), notices)

    def step(self, state: State, params: Params) -> Preview:
        """One step of both together, or CLIPDraw's own and then, now and again, the style's turn.

        Raises:
            LimnerError: as CLIPDraw's step.
        """
        drawing = state.drawing
        if params != drawing.params:
            self._words.adjust(drawing, params)
        if params.coupling == JOINT:
            return self._together(state, params)
        is_turn = drawing.step % params.turn_every == 0 or drawing.step == params.steps - 1
        preview = self._words.step(drawing, params)
        if params.coupling == AFTERWARDS or not is_turn:
            return preview
        return self._turn(state, params, preview)

    def result(self, state: State) -> Result:
        """The drawing, finished as CLIPDraw finishes its own, with an eye on the style; what comes
        afterwards comes here."""
        drawing, params, weights = state.drawing, _params(state), _weights(state)
        is_after = params.coupling == AFTERWARDS
        result = self._words.result(drawing, None if is_after else self._scorer(state))
        image = state.sheet.paint(result.drawing).detach()
        if is_after:
            image = transfer(image, state.eye, weights, measure=params.measure,
                             mask=state.sheet.mask, seed=params.seed)  # fmt: skip
        far = state.eye.judged(image, weights, mask=state.sheet.mask)
        about = {**result.about, "method": self.name, "looked_at_with": state.eye.features.name,
                 "style_distance": round(far, 4)}  # fmt: skip
        return replace(result, about=about, picture=image if is_after else None)

    def save(self, state: State) -> dict[str, Tensor]:
        """CLIPDraw's tensors, and those of the style's turns."""
        turns = {f"turns.{name}": t for name, t in state.turns.saved().items()}
        alone = {} if state.alone is None else {"alone": torch.tensor(state.alone)}
        return {**self._words.save(state.drawing), **turns, **alone}

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        self._words.restore(state.drawing, saved)
        start = "turns."
        state.turns.restore({n[len(start) :]: t for n, t in saved.items() if n.startswith(start)})
        state.alone = saved["alone"].tolist() if "alone" in saved else None

    def _washed(self, params: Params, inputs: Inputs) -> tuple[Params, Inputs]:
        """Where there is nothing to begin from or to draw over: as if the artist had laid the
        colour of the style's paper, and locked it."""
        given = (inputs.strokes, inputs.picture, inputs.background, inputs.mask)
        is_fixed = params.lock or params.black or params.palette or params.coupling == AFTERWARDS
        colour = paper(inputs.styles[0])
        if is_fixed or any(g is not None for g in given) or bool((colour > NEARLY_WHITE).all()):
            return params, inputs
        return replace(params, lock=True), replace(inputs, strokes=wash(inputs.size, colour))

    def _together(self, state: State, params: Params) -> Preview:
        """One step down the words' loss and the style's."""
        noise = state.drawing.noise()
        pulled = self._words.look(state.drawing)
        image = pulled.image if state.sheet.scale == state.drawing.canvas.scale else None
        far, loss = self._style(state, params, noise, image)
        return self._words.move(
            state.drawing, pulled.loss + loss, {"nearness": pulled.near, "style": far}
        )

    def _turn(self, state: State, params: Params, preview: Preview) -> Preview:
        """A few steps down the style's loss alone."""
        step, optimizer = state.drawing.step, state.drawing.optimizer
        rates = Rates(TURN_RATES.points * params.point_rate, TURN_RATES.width * params.width_rate,
                      TURN_RATES.colour * params.colour_rate)  # fmt: skip
        notice, far = preview.notice, preview.losses["loss"]
        for turn in range(params.turn_steps):
            noise = random_of(params.seed, step * 1009 + turn)
            far, loss = self._style(state, params, noise)
            if not state.turns.descend(loss, step / params.steps, rates):
                notice = state.turns.stumbled(step)
        losses = {**preview.losses, "style": far.detach()}
        return replace(preview, strokes=optimizer.drawn(), losses=losses, notice=notice)

    def _style(
        self, state: State, params: Params, noise: torch.Generator, image: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """() how far the strokes are from the style, and () what that costs.

        Args:
            image: what they look like on the sheet, if that is known.
        """
        strokes, sheet = state.drawing.optimizer.drawn(), state.sheet
        weights = _weights(state)
        image = sheet.paint(strokes) if image is None else image
        if state.alone is None and state.drawing.step >= STYLE_FROM * params.steps:
            state.alone = state.eye.each(image, measure=params.measure, mask=sheet.mask)
        far = state.eye.far(image, weights, noise, measure=params.measure, mask=sheet.mask)
        loss = params.cutouts * self._cost(state, params, far)
        hand, locked = _joined(state.hands, weights), state.drawing.optimizer.locked
        if hand is not None and params.hand:
            free = strokes if locked is None else strokes.select(~locked)
            shapes = apart(free, hand, sheet.unit_px)
            loss = loss + params.cutouts * HAND_WEIGHT * params.hand / 100 * shapes
        return far, loss

    def _cost(self, state: State, params: Params, far: Tensor) -> Tensor:
        """What a distance from the style costs beside the words' cosine, like `far`."""
        grown = (state.drawing.step / params.steps - STYLE_FROM) / (STYLE_WHOLE - STYLE_FROM)
        if state.alone is None or grown < 0 or not params.strength:
            return 0 * far
        alone = weighed([far.new_tensor(a) for a in state.alone], _weights(state))
        target = (1 - params.strength / 100 * min(1.0, grown)) * alone
        return STYLE_WEIGHT * (far - target).clamp_min(0)

    def _scorer(self, state: State) -> Score:
        """What scores drawings by the wishes and the style in their proportion."""
        params, weights, sheet = _params(state), _weights(state), state.sheet
        near = self._words.scorer(state.drawing)

        @torch.no_grad()
        def score(drawings: Strokes, scenes: Tensor) -> Tensor:
            images = sheet.paint_each(drawings, scenes)
            far = [state.eye.judged(i, weights, measure=params.measure, mask=sheet.mask, count=None)
                   for i in images]  # fmt: skip
            cost = self._cost(state, params, torch.tensor(far, device=images.device))
            return near(drawings, scenes) - cost

        return score


def wash(size: tuple[int, int], colour: Tensor) -> Strokes:
    """One stroke that covers a canvas of (height, width) pixels: its middle line, as wide as the
    canvas is high or, if it is upright, as long as it is high."""
    height, width = (float(side) for side in size)
    ends = torch.tensor([[0.0, height / 2], [width, height / 2]])
    if height > width:
        ends = torch.tensor([[width / 2, 0.0], [width / 2, height]])
    at = torch.linspace(0, 1, 4)[:, None]
    return Strokes(
        ends[0] + at * (ends[1] - ends[0]),
        torch.tensor([0, 4]),
        torch.tensor([min(height, width) + 4.0]),  # no edge within the canvas
        torch.cat([colour.cpu(), torch.ones(1)])[None],
    )


def _params(state: State) -> Params:
    assert isinstance(state.drawing.params, Params)  # noqa: S101
    return state.drawing.params


def _weights(state: State) -> list[float]:
    return _shares(_params(state), len(state.hands))


def _shares(params: Params, count: int) -> list[float]:
    """How much each of the style pictures counts."""
    return [1.0, params.second_style, params.third_style][:count]


def _joined(hands: Sequence[Shape | None], weights: Sequence[float]) -> Shape | None:
    """Several pictures' strokes as one set, each picture counted by its weight."""
    known = [(h, w) for h, w in zip(hands, weights, strict=True) if h is not None and w]
    if len(known) < 2:
        return known[0][0] if known else None
    return Shape(
        torch.cat([h.length for h, _ in known]),
        torch.cat([h.width for h, _ in known]),
        torch.cat([h.bend for h, _ in known]),
        torch.cat([h.weight / h.weight.sum() * w for h, w in known]),
    )
