"""`limner imagine`: a picture from words, or what only a CLIP's embedding can do with one: other
pictures of the same thing, what lies between two, a move from words to words, a look at what is
seen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from limner.cli.app import INTERRUPTED
from limner.cli.options import with_settings
from limner.cli.painted import check_names, inputs_of, png_path, report
from limner.cli.progress import shown, stopping
from limner.cli.wish import Wish, draw_anywhere
from limner.files import write_atomic
from limner.methods.base import OTHERS, Inputs
from limner.methods.registry import METHODS
from limner.pictures import read_picture
from limner_wire.errors import ErrorCode, LimnerError

WAYS = {"words": "imagine", "--variations": "variations", "--blend": "blend",
        "--text-diff": "text_diff", "--probe": "probe"}  # fmt: skip
SIDE_PX = 256  # of a picture from words


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(with_settings(imagine, _params(), skip=("prompt", "neutral", "stay")))


def imagine(
    given: dict[str, Any],
    prompt: Annotated[str | None, typer.Argument(help="what the picture should show")] = None,
    variations: Annotated[
        Path | None, typer.Option("--variations", help="other pictures of what this one shows")
    ] = None,
    blend: Annotated[
        tuple[Path, Path] | None, typer.Option("--blend", help="what lies between two pictures")
    ] = None,
    also: Annotated[
        list[Path] | None, typer.Option("--also", help="blend: a third picture, and a fourth")
    ] = None,
    text_diff: Annotated[
        Path | None, typer.Option("--text-diff", help="move this picture --from words --to others")
    ] = None,
    neutral: Annotated[
        str | None, typer.Option("--from", help="text-diff: what the picture shows now")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", help="text-diff: what it should show")
    ] = None,
    probe: Annotated[
        Path | None, typer.Option("--probe", help="what a CLIP sees of this picture, as a strip")
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--into", help="words: paint into this picture")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="a picture, white where it may change")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="the PNG to write")] = Path("picture.png"),
    as_json: Annotated[
        bool, typer.Option("--json", help="print the result as JSON, and nothing else")
    ] = False,
) -> int:
    """Paint a picture from words, or from other pictures: writes a PNG."""
    started = time.monotonic()
    asked = {"words": prompt, "--variations": variations, "--blend": blend,
             "--text-diff": text_diff, "--probe": probe}  # fmt: skip
    (way,) = _only([name for name, value in asked.items() if value is not None])
    check_names(_params(), way, given, way)
    png = png_path(out)
    if way == "--text-diff":
        if target is None:
            raise LimnerError(ErrorCode.BAD_INPUT, "--text-diff needs words to move --to.")
        given |= {"prompt": target, **({} if neutral is None else {"neutral": neutral})}
    elif way == "words":
        given |= {"prompt": prompt}
    first = {"words": into, "--variations": variations, "--text-diff": text_diff,
             "--probe": probe, "--blend": blend[0] if blend else None}[way]  # fmt: skip
    others = [blend[1], *(also or [])] if blend and way == "--blend" else []
    wish = Wish(WAYS[way], {**given, "stay": False}, *_pictures(first, mask, others))
    with stopping() as stop, shown(quiet=as_json) as bar:
        drawn = draw_anywhere(wish, bar, stop)
    write_atomic(png, drawn.png)
    by = drawn.about["settings"]["decoder"]
    report(drawn, png, by, time.monotonic() - started, as_json=as_json)
    return INTERRUPTED if drawn.stopped else 0


def _only(ways: list[str]) -> list[str]:
    """The one thing that was asked for.

    Raises:
        LimnerError: BAD_INPUT if it is not one.
    """
    if len(ways) != 1:
        words = f"Ask for one of these, not {' and '.join(ways)}." if ways else "Ask for something."
        hint = 'Words: limner imagine "a red apple". Or one of ' + ", ".join(list(WAYS)[1:]) + "."
        raise LimnerError(ErrorCode.BAD_INPUT, words, hint)
    return ways


def _params() -> dict[str, type[Any]]:
    return {way: METHODS[name].params for way, name in WAYS.items()}


def _pictures(
    first: Path | None, mask: Path | None, others: list[Path]
) -> tuple[Inputs, dict[str, Path]]:
    """What was read, and where from by role."""
    if len(others) > len(OTHERS):
        raise LimnerError(ErrorCode.BAD_INPUT, f"At most {len(OTHERS) + 1} pictures are blended.")
    files = dict(zip(OTHERS, others, strict=False))
    read = tuple(read_picture(path) for path in others)
    if first is None:
        if mask is not None:
            raise LimnerError(ErrorCode.BAD_INPUT, "--mask needs a picture: --into IMAGE.")
        return Inputs((SIDE_PX, SIDE_PX), others=read), files
    files |= {"picture": first} | ({} if mask is None else {"mask": mask})
    return inputs_of(first, mask, others=read), files
