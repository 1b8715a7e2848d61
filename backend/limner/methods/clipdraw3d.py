"""CLIPDraw in space: strokes that are the prompt from all round, or another thing from each side.

    argmax over strokes of  mean over cameras c and cutouts a of
        cos(CLIP(a(render(strokes seen by c))), CLIP(the prompt of c))

CLIPDraw's authors have a notebook that draws so (kvfrans/clipdraw 145dcc0, CLIPDraw_3DStrokes):
chains of blurred discs in a cube, one camera that stays and others at random, a prompt for each
third of the turn. Here the strokes are CLIPDraw's own with a depth at each control point
(`vector.space`): every camera's picture is drawn exactly, by the one rasterizer, and the drawing
remains an SVG. In each step some cameras stand at the views that have a prompt and the others
anywhere round the drawing, where the prompt of the nearest view holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from limner.chance import random_of
from limner.losses.cutouts import fixed_maps, random_maps
from limner.losses.words import Target, Wish, check_wishes, nearness_each, strange_words, targets
from limner.methods.base import DRAW, Inputs, Models, Preview, Result
from limner.methods.begin import COLUMN, FIRST_WIDTH_PX, random_strokes_in_space
from limner.methods.canvas import Canvas, prepare
from limner.methods.clipdraw import read_palette
from limner.methods.params import Adjustable, Colour, Essential, Help, Memory, Range, check
from limner.methods.race import BestOf
from limner.methods.stroke_optimizer import Rates, StrokeOptimizer
from limner.methods.tidy import tidy
from limner.methods.trace import fit
from limner.vector.space import painted, spread, turns, views
from limner.vector.strokes import Strokes
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

NAMED = {"right": (90.0, 0.0), "back": (180.0, 0.0), "left": (-90.0, 0.0),
         "above": (0.0, 90.0), "below": (0.0, -90.0)}  # fmt: skip
AT_VIEWS = 0.5  # of the cameras stand at the views that have a prompt
JUDGED_AZIMUTHS = 6  # the score is taken from so many sides, and from each view that has a prompt


@dataclass(frozen=True, slots=True)
class Params:
    """The settings; as CLIPDraw's where they have the same name."""

    prompt: Annotated[str, Adjustable(), Help("what to draw")]
    views: Annotated[
        tuple[str, ...],
        Adjustable(),
        Essential(),
        Help("another side's own prompt, as 90: a green leaf (degrees to the right), 90,30: … "
             "(and up), or right, back, left, above, below: …"),
    ] = ()  # fmt: skip
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
    cameras: Annotated[
        int, Range(1, 64), Adjustable(), Memory(), Help("sides looked at in each step")
    ] = 4
    cutouts: Annotated[
        int, Range(1, 64), Adjustable(), Memory(),
        Help("cutouts looked at in each step, shared out among the cameras"),
    ] = 4  # fmt: skip
    elevation: Annotated[
        float, Range(0, 90), Adjustable(), Help("how far cameras rise and sink", "degrees")
    ] = 15.0
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
    black: Annotated[bool, Help("black strokes only")] = False
    palette: Annotated[tuple[str, ...], Colour(), Help("the only colours allowed, as #rrggbb")] = ()
    tidy: Annotated[
        bool, Help("take away, at the end, strokes that the drawing is no worse without")
    ] = True


@dataclass(frozen=True, slots=True)
class Views:
    """The views that have a prompt, the front first.

    Attributes:
        cameras: (V, 2) azimuth and elevation in degrees.
        wishes: V texts.
    """

    cameras: Tensor
    wishes: Sequence[Wish]

    def nearest(self, cameras: Tensor) -> Tensor:
        """(C,) int64: for each camera (C, 2) the view that looks most its way."""
        return (turns(cameras)[:, 2] @ turns(self.cameras)[:, 2].T).argmax(1)


@dataclass(slots=True)
class State:
    """A run between two steps."""

    params: Params
    canvas: Canvas
    models: Models
    views: Views
    aims: Sequence[Target]
    optimizer: StrokeOptimizer
    step: int = 0
    notices: list[str] | None = None


class ClipDraw3D:
    """The method; see the module's text."""

    name: ClassVar[str] = "clipdraw3d"
    title: ClassVar[str] = "Draw in space"
    family: ClassVar[str] = DRAW
    about: ClassVar[str] = "Strokes in space that CLIP calls the prompt from all round."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = ("init",)
    needs: ClassVar[tuple[str, ...]] = ()
    needs_models: ClassVar[bool] = True

    def setup(self, params: Params, inputs: Inputs, models: Models, device: torch.device) -> State:
        """Check the settings, embed the prompts, and lay the first strokes.

        Raises:
            LimnerError: BAD_INPUT.
        """
        asked, palette = validate(params)
        canvas = prepare(inputs, max(m.clip.size_px for m in models.clips), device)
        optimizer = StrokeOptimizer(
            first_strokes(params, inputs, canvas, device).to(device),
            canvas,
            params.steps,
            palette=None if palette is None else palette.to(device),
        )
        aims = targets(models.clips, asked.wishes, params.contrast)
        notices = strange_words(models.clips, asked.wishes)
        return State(params, canvas, models, asked, aims, optimizer, 0, notices)

    def step(self, state: State, params: Params) -> Preview:
        """One step up the gradient.

        Raises:
            LimnerError: NOT_FINITE if two steps in a row left the numbers; BAD_INPUT if a changed
                setting is out of bounds.
        """
        if params != state.params:
            self._adjust(state, params)
        canvas, optimizer = state.canvas, state.optimizer
        noise = random_of(params.seed, state.step)
        # 1. where the cameras stand, and what each should see
        cameras = self._cameras(state, params, noise)
        asked = state.views.nearest(cameras)
        # 2. what each does see, through a few random cutouts
        each = max(1, params.cutouts // params.cameras)
        maps = random_maps(params.cameras * each, noise, canvas.box).to(canvas.ground.device)
        flat, scenes = views(optimizer.drawn(), cameras, canvas.size)
        images = canvas.paint_each(flat, scenes)
        near = nearness_each(
            images, maps.unflatten(0, (params.cameras, each)), state.aims, asked, canvas.fill
        ).mean()
        # 3. move
        rates = Rates(params.point_rate, params.width_rate, params.colour_rate)
        went = optimizer.descend(-near, state.step / params.steps, rates)
        state.step += 1
        notice = "" if went else optimizer.stumbled(state.step)
        losses = {"loss": -near.detach(), "nearness": near.detach()}
        return Preview(state.step, params.steps, painted(optimizer.drawn()), losses, notice)

    def result(self, state: State) -> Result:
        """The drawing, tidied if that was asked for, and its score from fixed sides."""
        strokes = state.optimizer.drawn().detach()
        if state.params.tidy and strokes.count:
            strokes = tidy(strokes, lambda d, scenes: self._score(state, d, scenes), None)
        score = self._score(state, strokes, torch.tensor([0, strokes.count]))
        about = asdict(state.params) | {
            "method": self.name,
            "models": [m.clip.name for m in state.models.clips],
            "steps_done": state.step,
            "strokes_kept": strokes.count,
        }
        return Result(painted(strokes), state.canvas.size, None, float(score[0]), about)

    def save(self, state: State) -> dict[str, Tensor]:
        """The strokes and their optimiser; all randomness comes from (seed, step)."""
        return state.optimizer.saved() | {"step": torch.tensor(state.step)}

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        state.optimizer.restore(saved)
        state.step = int(saved["step"])

    def _cameras(self, state: State, params: Params, noise: torch.Generator) -> Tensor:
        """(C, 2): some at the views that have a prompt, in turn; the others anywhere round it."""
        fixed = round(params.cameras * AT_VIEWS)
        known = state.views.cameras
        at_views = known[(state.step * fixed + torch.arange(fixed)) % len(known)]
        anywhere = torch.rand(params.cameras - fixed, 2, generator=noise) * 2 - 1
        return torch.cat([at_views, anywhere * torch.tensor([180.0, params.elevation])])

    @torch.no_grad()
    def _score(self, state: State, drawings: Strokes, scenes: Tensor) -> Tensor:
        """(B,) the mean nearness of drawings, packed, over the judged cameras."""
        canvas, count = state.canvas, len(scenes) - 1
        azimuths = torch.arange(JUDGED_AZIMUTHS) * 360 / JUDGED_AZIMUTHS
        cameras = torch.stack([azimuths, torch.zeros_like(azimuths)], 1)
        cameras = torch.cat([state.views.cameras, cameras[1:]])  # the front is a view already
        flat, scenes = views(drawings, cameras, canvas.size, scenes)
        images = canvas.paint_each(flat, scenes)
        asked = state.views.nearest(cameras).repeat_interleave(count)
        whole = fixed_maps(1, canvas.box).to(images.device).expand(len(images), 1, 3, 3)
        near = nearness_each(images, whole, state.aims, asked, canvas.fill)
        return near.view(len(cameras), count).mean(0)

    def _adjust(self, state: State, params: Params) -> None:
        asked, _ = validate(params)
        state.views, state.params = asked, params
        state.aims = targets(state.models.clips, asked.wishes, params.contrast)


def validate(params: Params) -> tuple[Views, Tensor | None]:
    """The views and the palette of settings that are all in bounds.

    Raises:
        LimnerError: BAD_INPUT.
    """
    check(params)
    return read_views(params), read_palette(params.black, params.palette)


def read_views(params: Params) -> Views:
    """The front with the prompt, and the other views with theirs.

    Raises:
        LimnerError: BAD_INPUT for a view that is not as it should be, or too many.
    """
    cameras, wishes = [(0.0, 0.0)], [Wish(params.prompt.strip())]
    for view in params.views:
        where, colon, text = view.partition(":")
        camera = _camera(where) if colon else None
        if camera is None:
            raise LimnerError(
                ErrorCode.BAD_INPUT, f"{view[:80]!r} is no view.",
                "Write AZIMUTH: TEXT, as 90: a green leaf, which is seen from the right.",
            )  # fmt: skip
        cameras.append(camera)
        wishes.append(Wish(text.strip()))
    check_wishes(wishes)
    return Views(torch.tensor(cameras), wishes)


def _camera(where: str) -> tuple[float, float] | None:
    """Azimuth and elevation in degrees; None if the text names none."""
    if (known := NAMED.get(where.strip().lower())) is not None:
        return known
    azimuth, _, elevation = where.partition(",")
    try:
        camera = (float(azimuth), float(elevation or 0))
    except ValueError:
        return None
    return camera if abs(camera[0]) <= 360 and abs(camera[1]) <= 90 else None


def first_strokes(params: Params, inputs: Inputs, canvas: Canvas, device: torch.device) -> Strokes:
    """Where the run begins: strokes in space.

    A flat drawing to begin from, or a picture made into one, is spread in depth: what lay on top
    comes nearest, so that from the front it looks as before.
    """
    noise = torch.Generator().manual_seed(params.seed)
    given = inputs.strokes
    if given is None and inputs.picture is not None:
        given = fit(inputs.picture, params.strokes, inputs.size, noise, device=device).to(
            torch.device("cpu")
        )
    if given is None:
        return random_strokes_in_space(params.strokes, canvas, noise, params.first_width)
    return given if given.depth is not None else spread(given, COLUMN * canvas.size[1])
