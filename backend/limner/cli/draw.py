"""`limner draw`, `style`, `draw3d` and `trace`: a prompt, or a picture, becomes strokes."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor

from limner import replay, turntable
from limner.cli.app import INTERRUPTED
from limner.cli.options import with_settings
from limner.cli.progress import shown, stopping
from limner.cli.wish import Drawn, Wish, draw_anywhere
from limner.files import check_writable, svg_and_png, write_atomic
from limner.film import check_kind
from limner.methods import clipdraw, clipdraw3d, styleclipdraw, trace
from limner.methods.base import STYLES, Inputs, Result
from limner.methods.params import check
from limner.models.clip import split_weight
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
Turntable = Annotated[
    Path | None, typer.Option("--turntable", help="also write it from all round: turning, as "
                              ".gif or .mp4, or eight views, as .png")]  # fmt: skip
Models = Annotated[
    list[str] | None, typer.Option("--model", help="NAME or NAME@WEIGHT; may be repeated")
]
Init = Annotated[Path | None, typer.Option("--init", help="an SVG or a picture to begin from")]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else")]


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    if name == "draw":
        app.command(name)(with_settings(draw, clipdraw.Params, skip=("prompt",)))
    elif name == "style":
        app.command(name)(with_settings(draw_in_style, styleclipdraw.Params, skip=("prompt",)))
    elif name == "draw3d":
        app.command(name)(with_settings(draw_in_space, clipdraw3d.Params, skip=("prompt",)))
    else:
        app.command(name)(with_settings(trace_picture, trace.Params))


def draw(
    prompt: Annotated[str, typer.Argument(help="what to draw")],
    given: dict[str, Any],
    out: Out = Path("drawing.svg"),
    canvas: Canvas = None,
    model: Models = None,
    init: Init = None,
    over: Over = None,
    mask: Mask = None,
    replay_to: Replay = None,
    as_json: Json = False,
) -> int:
    """Draw a prompt with strokes: writes an SVG, and a PNG beside it."""
    started = time.monotonic()
    params = clipdraw.Params(prompt=prompt, **given)
    clipdraw.validate(params)  # what costs nothing is checked before anything is loaded
    files = _files(out, replay_to)
    inputs = _inputs(canvas, init, over, mask)
    named = {"init": init, "over": over, "mask": mask}
    paths = {role: path for role, path in named.items() if path is not None}
    settings = {"prompt": prompt, **given}
    wish = Wish("clipdraw", settings, inputs, paths, tuple(model or ()))
    return _run(wish, files, as_json, started)


def draw_in_style(
    prompt: Annotated[str, typer.Argument(help="what to draw")],
    given: dict[str, Any],
    style: Annotated[
        list[str],
        typer.Option(
            "--style",
            help="a picture whose look is wanted: IMAGE or IMAGE@WEIGHT; up to three times",
        ),
    ],
    out: Out = Path("drawing.svg"),
    canvas: Canvas = None,
    model: Models = None,
    init: Init = None,
    over: Over = None,
    mask: Mask = None,
    replay_to: Replay = None,
    as_json: Json = False,
) -> int:
    """Draw a prompt in the style of pictures: writes an SVG, and a PNG beside it."""
    started = time.monotonic()
    styles, weights = _styles(style)
    settings = {"prompt": prompt, **given, **weights}
    clipdraw.validate(styleclipdraw.Params(**settings))
    files = _files(out, replay_to)
    inputs = _inputs(canvas, init, over, mask)
    inputs = dataclasses.replace(inputs, styles=tuple(read_picture(p) for p in styles.values()))
    named = {**styles, "init": init, "over": over, "mask": mask}
    paths = {role: path for role, path in named.items() if path is not None}
    wish = Wish("styleclipdraw", settings, inputs, paths, tuple(model or ()))
    return _run(wish, files, as_json, started)


def _styles(named: list[str]) -> tuple[dict[str, Path], dict[str, float]]:
    """The style pictures by role, and the settings that weigh them against the first."""
    parsed = [split_weight(text) for text in named]
    if len(parsed) > len(STYLES):
        raise LimnerError(ErrorCode.BAD_INPUT, f"--style takes up to {len(STYLES)} pictures.")
    if any(not 0 < weight < math.inf for _, weight in parsed):
        raise LimnerError(ErrorCode.BAD_INPUT, "A style's weight must be above 0.")
    paths = {role: Path(path) for role, (path, _) in zip(STYLES, parsed, strict=False)}
    others = zip(("second_style", "third_style"), parsed[1:], strict=False)
    return paths, {name: weight / parsed[0][1] for name, (_, weight) in others}


def draw_in_space(
    prompt: Annotated[str, typer.Argument(help="what to draw")],
    given: dict[str, Any],
    out: Out = Path("drawing.svg"),
    canvas: Canvas = None,
    model: Models = None,
    init: Init = None,
    turntable_to: Turntable = None,
    as_json: Json = False,
) -> int:
    """Draw a prompt in space: the SVG shows the front view, and keeps the depth."""
    started = time.monotonic()
    clipdraw3d.validate(clipdraw3d.Params(prompt=prompt, **given))
    files = _files(out, turntable_to=turntable_to)
    inputs = _inputs(canvas, init, None, None)
    paths = {} if init is None else {"init": init}
    settings = {"prompt": prompt, **given}
    wish = Wish("clipdraw3d", settings, inputs, paths, tuple(model or ()))
    return _run(wish, files, as_json, started)


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
    return _run(Wish("trace", given, inputs, {"init": image}), files, as_json, started)


@dataclasses.dataclass(frozen=True, slots=True)
class _Files:
    svg: Path
    png: Path
    replay: Path | None
    turntable: Path | None


def _files(out: Path, replay_to: Path | None = None, turntable_to: Path | None = None) -> _Files:
    svg, png = svg_and_png(out)
    for path, what, kinds in (
        (replay_to, "A replay", replay.KINDS),
        (turntable_to, "A turntable", turntable.KINDS),
    ):
        if path is not None:
            check_kind(path, what, kinds)
            if path.absolute() in (svg.absolute(), png.absolute()):
                words = f"{what} can't have the drawing's own name, {path.name}."
                raise LimnerError(ErrorCode.BAD_INPUT, words, "Give it another.")
            check_writable(path)
    return _Files(svg, png, replay_to, turntable_to)


def _run(wish: Wish, files: _Files, as_json: bool, started: float) -> int:
    with stopping() as stop, shown(quiet=as_json) as bar:
        drawn = draw_anywhere(wish, bar, stop)
    write_atomic(files.svg, drawn.svg)
    write_atomic(files.png, drawn.png)
    for path, write in ((files.replay, replay.write), (files.turntable, turntable.write)):
        if path is not None:
            strokes, inputs = read_svg(drawn.svg, wish.inputs.size), wish.inputs
            write(Result(strokes, inputs.size, inputs.background, 0.0, {}), path)
    _report(drawn, files, as_json, time.monotonic() - started)
    return INTERRUPTED if drawn.stopped else 0


def _report(drawn: Drawn, files: _Files, as_json: bool, seconds: float) -> None:
    about = drawn.about
    if as_json:
        typer.echo(json.dumps({
            "svg": str(files.svg), "png": str(files.png),
            "replay": str(files.replay) if files.replay else None,
            "turntable": str(files.turntable) if files.turntable else None,
            "score": about["score"], "seed": about["seed"],
            "stopped": drawn.stopped, "notices": drawn.notices,
            "settings": about["settings"], "seconds": round(seconds, 3),
        }, ensure_ascii=False))  # fmt: skip
        return
    tried = about["settings"].get("seeds_tried", 1)
    kept = f", seed {about['seed']} of {tried}" if tried > 1 else ""
    typer.echo(f"{files.svg} and {files.png.name}: {about['strokes']} strokes{kept}, "
               f"score {about['score']:.3f}, {seconds:.1f} s")  # fmt: skip


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
