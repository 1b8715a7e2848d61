"""`limner draw` and `limner trace`: a prompt, or a picture, becomes strokes."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor

from limner import output, replay, session
from limner.cli.app import INTERRUPTED
from limner.cli.options import with_settings
from limner.cli.progress import shown, stopping
from limner.files import check_writable
from limner.methods import clipdraw, trace
from limner.methods.base import Inputs, Models
from limner.methods.params import check
from limner.methods.registry import METHODS
from limner.methods.schema import with_recipe
from limner.models import clip
from limner.models.device import best_device
from limner.pictures import read_mask, read_picture
from limner.vector.svg import read_svg
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

CANVAS_PX = 224

Out = Annotated[Path, typer.Option("--out", help="the SVG to write; a PNG goes beside it")]
Canvas = Annotated[
    str | None, typer.Option("--canvas", help="its side, or WIDTHxHEIGHT, in pixels; default 224")
]
Over = Annotated[Path | None, typer.Option("--over", help="a picture to draw over")]
Mask = Annotated[Path | None, typer.Option("--mask", help="a picture, white where strokes may go")]
Replay = Annotated[
    Path | None, typer.Option("--replay", help="also write the drawing drawing itself: "
                              ".gif, .mp4 or .svg")]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else")]


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    if name == "draw":
        app.command(name)(with_settings(draw, clipdraw.Params, skip=("prompt",)))
    else:
        app.command(name)(with_settings(trace_picture, trace.Params))


def draw(
    prompt: Annotated[str, typer.Argument(help="what to draw")],
    given: dict[str, Any],
    out: Out = Path("drawing.svg"),
    canvas: Canvas = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="NAME or NAME@WEIGHT; may be repeated")
    ] = None,
    init: Annotated[
        Path | None, typer.Option("--init", help="an SVG or a picture to begin from")
    ] = None,
    over: Over = None,
    mask: Mask = None,
    best_of: Annotated[
        int, typer.Option("--best-of", help="draw with this many seeds and keep the best")
    ] = 1,
    replay_to: Replay = None,
    as_json: Json = False,
) -> int:
    """Draw a prompt with strokes: writes an SVG, and a PNG beside it."""
    started = time.monotonic()
    if not 1 <= best_of <= 64:
        raise LimnerError(ErrorCode.BAD_INPUT, f"--best-of takes 1 to 64, not {best_of}.")
    params = clipdraw.Params(prompt=prompt, **given)
    clipdraw.validate(params)  # what costs nothing is checked before anything is loaded
    files = _files(out, replay_to)
    inputs = _inputs(canvas, init, over, mask)
    models = clip.load(model or (), best_device())
    params = with_recipe(clipdraw.Params, models[0].clip.recipe, {"prompt": prompt, **given})
    job = _Job("clipdraw", params, inputs, Models(models), best_of)
    return _run(job, files, as_json, started)


def trace_picture(
    image: Annotated[Path, typer.Argument(help="the picture")],
    given: dict[str, Any],
    out: Out = Path("drawing.svg"),
    canvas: Canvas = None,
    replay_to: Replay = None,
    as_json: Json = False,
) -> int:
    """Make a picture into strokes: writes an SVG, and a PNG beside it."""
    started = time.monotonic()
    params = trace.Params(**given)
    check(params)
    files = _files(out, replay_to)
    picture = read_picture(image)
    size = read_size(canvas) if canvas else _drawable(picture)
    inputs = Inputs(size, picture=picture)
    return _run(_Job("trace", params, inputs, Models(), 1), files, as_json, started)


@dataclasses.dataclass(frozen=True, slots=True)
class _Files:
    svg: Path
    png: Path
    replay: Path | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Job:
    method: str
    params: Any
    inputs: Inputs
    models: Models
    best_of: int


def _files(out: Path, replay_to: Path | None) -> _Files:
    svg, png = output.paths(out)
    if replay_to is not None:
        replay.check_kind(replay_to)
        check_writable(replay_to)
    return _Files(svg, png, replay_to)


def _run(job: _Job, files: _Files, as_json: bool, started: float) -> int:
    names = ", ".join(m.clip.name for m in job.models.clips)
    headline = f"{job.method}{' with ' + names if names else ''} on {best_device().type}"
    with stopping() as stop, shown(headline, quiet=as_json, runs=job.best_of) as bar:
        outcome = session.run(
            METHODS[job.method], job.params, job.inputs, job.models,
            device=best_device(), best_of=job.best_of, watch=bar, stop=stop,
        )  # fmt: skip
    if job.inputs.background is not None:
        result = dataclasses.replace(outcome.result, background=job.inputs.background)
        outcome = dataclasses.replace(outcome, result=result)
    output.save(outcome, job.inputs.mask, files.svg, files.png)
    if files.replay is not None:
        replay.write(outcome.result, files.replay)
    _report(outcome, files, as_json, time.monotonic() - started)
    return INTERRUPTED if outcome.stopped else 0


def _report(outcome: session.Outcome, files: _Files, as_json: bool, seconds: float) -> None:
    if as_json:
        typer.echo(json.dumps({
            "svg": str(files.svg), "png": str(files.png),
            "replay": str(files.replay) if files.replay else None,
            "score": outcome.result.score, "seed": outcome.seed, "scores": outcome.scores,
            "stopped": outcome.stopped, "notices": outcome.notices,
            "settings": dict(outcome.result.about), "seconds": round(seconds, 3),
        }, ensure_ascii=False))  # fmt: skip
        return
    for notice in outcome.notices:
        typer.echo(f"limner: {notice}", err=True)
    count = outcome.result.strokes.count
    kept = f", seed {outcome.seed} of {len(outcome.scores)}" if len(outcome.scores) > 1 else ""
    typer.echo(f"{files.svg} and {files.png.name}: {count} strokes{kept}, "
               f"score {outcome.result.score:.3f}, {seconds:.1f} s")  # fmt: skip


def _inputs(canvas: str | None, init: Path | None, over: Path | None, mask: Path | None) -> Inputs:
    size = read_size(canvas) if canvas else (CANVAS_PX, CANVAS_PX)
    background = None
    if over is not None:
        if not canvas:
            size = _drawable(read_picture(over))
        background = read_picture(over, size=size)
    strokes, picture = None, None
    if init is not None and init.suffix.lower() == ".svg":
        strokes = read_svg(init, size)
    elif init is not None:
        picture = read_picture(init)
    opened = read_mask(mask, size) if mask else None
    return Inputs(size, background, picture, strokes, opened)


def read_size(text: str) -> tuple[int, int]:
    """ "224" or "320x240" (width first) as (height, width) in pixels.

    Raises:
        LimnerError: BAD_INPUT.
    """
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(s.strip().isdecimal() for s in sides):
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"{text!r} is no canvas size.", "Write 224, or 320x240."
        )
    width, height = int(sides[0]), int(sides[-1])
    low, high = limits.CANVAS_MIN_PX, limits.CANVAS_MAX_PX
    if not (low <= width <= high and low <= height <= high):
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"A canvas side must lie between {low} and {high} pixels."
        )
    return height, width


def _drawable(picture: Tensor) -> tuple[int, int]:
    """The picture's own size, held to the bounds of a canvas."""
    low, high = limits.CANVAS_MIN_PX, limits.CANVAS_MAX_PX
    height, width = (min(high, max(low, int(side))) for side in picture.shape[1:])
    return height, width
