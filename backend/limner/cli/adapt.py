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
from limner.cli.progress import Bar, shown, stopping
from limner.files import check_writable, write_atomic
from limner.methods.base import STYLES, Inputs, Models, Preview
from limner.methods.nada import SAMPLES, Nada
from limner.methods.schema import with_recipe
from limner.models.adaptation import PHASES
from limner.pictures import encode_png, read_picture
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

SHEET_EVERY_S = 3.0
CANVAS = (512, 512)


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(adapt)


def adapt(
    target: Annotated[str, typer.Option("--target", help="what its pictures should become")],
    source: Annotated[
        str | None, typer.Option("--source", help="what they are; default a picture")
    ] = None,
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
    steps: Annotated[
        int | None, typer.Option("--steps", min=limits.STEPS_MIN, max=limits.STEPS_MAX)
    ] = None,
    generator: Annotated[
        str | None, typer.Option("--generator", help="which one learns; default the first")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="learning rate")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="pictures in a step")] = None,
    layers: Annotated[
        int | None,
        typer.Option("--layers", help="how many learn at a time, chosen anew; 0 for all"),
    ] = None,
    phase: Annotated[
        str | None, typer.Option("--phase", help=f"which learn at all: {', '.join(PHASES)}")
    ] = None,
    direction: Annotated[
        float | None, typer.Option("--direction", help="weight: they move as the words do")
    ] = None,
    whole: Annotated[
        float | None, typer.Option("--global", help="weight: they are near the target")
    ] = None,
    patches: Annotated[
        float | None, typer.Option("--patches", help="weight: their parts move as the words do")
    ] = None,
    manifold: Annotated[
        float | None, typer.Option("--manifold", help="weight: they move as far as the words do")
    ] = None,
    distance: Annotated[
        float | None, typer.Option("--distance", help="weight: they move as far as they should")
    ] = None,
    reach: Annotated[
        float | None, typer.Option("--reach", help="how far: in parts of the words' own distance")
    ] = None,
    views: Annotated[
        int | None, typer.Option("--views", help="cutouts of each picture that are looked at")
    ] = None,
    cooldown: Annotated[
        float | None, typer.Option("--cooldown", help="the part of the steps when the rate falls")
    ] = None,
    texture: Annotated[
        float | None, typer.Option("--texture", help="weight: they look like the style pictures")
    ] = None,
    mixing: Annotated[
        float | None, typer.Option("--mixing", help="the part of latents mixed of two")
    ] = None,
    truncation: Annotated[
        float | None, typer.Option("--truncation", help="how far from the mean it learns")
    ] = None,
    latents: Annotated[
        str | None, typer.Option("--latents", help="latents to learn on, by name")
    ] = None,
    amount: Annotated[
        float | None, typer.Option("--amount", help="0 to 150 %: how much of it is kept")
    ] = None,
    keep_px: Annotated[
        int | None, typer.Option("--keep-px", help="layers coarser than this stay as they were")
    ] = None,
    as_published: Annotated[
        bool, typer.Option("--as-published", help="choose layers as the authors' code does")
    ] = False,
    samples: Annotated[int | None, typer.Option("--samples", help="on the sheet")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="NAME or NAME@WEIGHT; may be repeated")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=limits.SEED_MAX)] = 0,
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
    named: dict[str, Any] = {
        "source": source, "steps": steps, "generator": generator, "rate": rate, "batch": batch,
        "layers": layers, "phase": phase, "direction": direction, "whole": whole,
        "patches": patches, "manifold": manifold, "texture": texture, "mixing": mixing,
        "distance": distance, "reach": reach, "views": views, "cooldown": cooldown,
        "truncation": truncation, "latents": latents, "amount": amount, "keep_px": keep_px,
        "as_published": as_published or None, "samples": samples,
    }  # fmt: skip
    given = {name: value for name, value in named.items() if value is not None}
    asked = {"prompt": target, **given, "seed": seed, "stay": False}
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

    def __call__(self, turn: int, preview: Preview) -> None:
        """After a step."""
        self._bar(turn, preview)
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
