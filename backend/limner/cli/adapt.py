"""`limner adapt`: a generator learns a domain from words, or from pictures.

It runs in this process, and puts its sheet of samples beside the model every few seconds, so that
it can be watched in any viewer; Ctrl-C stops it, and keeps what it has become.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from limner import session
from limner.cli.app import INTERRUPTED
from limner.cli.options import with_settings
from limner.cli.progress import Bar, shown, stopping
from limner.files import check_writable, write_atomic
from limner.methods.base import STYLES, Inputs, Models, Preview
from limner.methods.nada import SAMPLES, Nada, Params
from limner.methods.schema import with_recipe
from limner.pictures import encode_png, read_picture
from limner_wire.errors import ErrorCode, LimnerError

SHEET_EVERY_S = 3.0
CANVAS = (512, 512)


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(with_settings(adapt, Params, skip=("prompt", "stay")))


def adapt(
    target: Annotated[str, typer.Option("--target", help="what its pictures should become")],
    given: dict[str, Any],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="the folder for the model; default among your models"),
    ] = None,
    style: Annotated[
        list[Path] | None,
        typer.Option("--style", help="a picture of the new domain; up to three"),
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", help="a picture of yours, shown in the new domain")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="NAME or NAME@WEIGHT; may be repeated")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the result as JSON, and nothing else")
    ] = False,
) -> int:
    """Teach a generator a domain: leaves a model like any other, its card and its samples."""
    from limner.methods.editing import own_clips
    from limner.models import clip, networks
    from limner.models.catalog import models_folder
    from limner.models.device import best_device

    started = time.monotonic()
    asked = {"prompt": target, **given, "stay": False}
    method, device = Nada(), best_device()
    inputs = _inputs(image, style or [])
    if out is not None:
        _check_new(out)
    models = Models(clip.load(tuple(model or ()) or own_clips(method, asked), device))
    params = with_recipe(method, models.clips[0].clip.recipe, asked)
    with stopping() as stop, shown(quiet=as_json) as bar:
        names = ", ".join(w.clip.name for w in models.clips)
        bar.headline = f"adapt with {names} on {device.type}"
        watch = Watch(bar, out)
        outcome = session.run(
            method, params, inputs, models, device=device, watch=watch, stop=stop, say=bar.say
        )
    leave, about = outcome.result.leave, dict(outcome.result.about)
    assert leave is not None  # noqa: S101
    if out is None:
        folder = models_folder() / networks.kept(about["called"], leave)
    else:
        leave(out)
        folder = out
    _report(folder, outcome, as_json, time.monotonic() - started, is_among_models=out is None)
    return INTERRUPTED if outcome.stopped else 0


class Watch:
    """Shows where a run stands: on the bar, and as a sheet in the folder if there is one."""

    def __init__(self, bar: Bar, folder: Path | None) -> None:
        self._bar, self._folder, self._last = bar, folder, 0.0

    def __call__(self, preview: Preview) -> None:
        """After a step."""
        self._bar(preview)
        now = time.monotonic()
        if self._folder is None or now - self._last < SHEET_EVERY_S:
            return
        self._last, sheet = now, preview.image
        if sheet is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._folder / SAMPLES, encode_png(sheet.cpu()))


def _inputs(image: Path | None, styles: list[Path]) -> Inputs:
    if len(styles) > len(STYLES):
        words = f"{len(styles)} style pictures are too many: up to {len(STYLES)}."
        raise LimnerError(ErrorCode.BAD_INPUT, words)
    pictures = tuple(read_picture(path) for path in styles)
    if image is None:
        return Inputs(CANVAS, styles=pictures)
    own = read_picture(image)
    return Inputs((own.shape[1], own.shape[2]), picture=own, styles=pictures)


def _check_new(out: Path) -> None:
    """Pass if a model can be put into that folder, and none is there.

    Raises:
        LimnerError: BAD_INPUT.
    """
    from limner.models.networks import WEIGHTS

    if out.is_file() or (out / WEIGHTS).exists():
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"{out} holds something already.", "Name another folder."
        )
    check_writable(out / WEIGHTS)


def _report(
    folder: Path, outcome: session.Outcome, as_json: bool, seconds: float, *, is_among_models: bool
) -> None:
    if as_json:
        typer.echo(json.dumps({
            "folder": str(folder), "score": round(outcome.result.score, 6),
            "stopped": outcome.stopped, "notices": outcome.notices,
            "settings": outcome.result.about, "seconds": round(seconds, 3),
        }, ensure_ascii=False))  # fmt: skip
        return
    typer.echo(f"{folder}: score {outcome.result.score:.3f}, {seconds:.1f} s")
    way = "limner sample --generator " + folder.name
    typer.echo(f"Its pictures: {way}" if is_among_models else
               f"To use it: limner models add {folder}", err=True)  # fmt: skip
