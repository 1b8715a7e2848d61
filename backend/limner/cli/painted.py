"""What commands share that make one picture of another: the PNG, the inputs, the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from torch import Tensor

from limner.cli.wish import Drawn
from limner.files import check_writable
from limner.methods.base import Inputs
from limner.methods.params import settings
from limner.pictures import read_mask, read_picture
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError


def png_path(out: Path) -> Path:
    """Where the PNG goes.

    Raises:
        LimnerError: BAD_INPUT if it is to be another kind of file, or can't be written.
    """
    if out.suffix.lower() not in ("", ".png"):
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"A picture can't be a {out.suffix} file.", "Write a .png."
        )
    png = out if out.suffix else out.with_suffix(".png")
    check_writable(png)
    return png


def inputs_of(
    image: Path, mask: Path | None, latent: Tensor | None = None, others: tuple[Tensor, ...] = ()
) -> Inputs:
    """A picture from a file, within what a canvas can be, and what goes with it."""
    picture = read_picture(image)
    low, high = limits.CANVAS_MIN_PX, limits.CANVAS_MAX_PX
    height, width = (min(high, max(low, int(side))) for side in picture.shape[1:])
    size = (height, width)
    if picture.shape[1:] != size:
        picture = read_picture(image, size=size)
    opened = read_mask(mask, size) if mask else None
    return Inputs(size, picture=picture, mask=opened, latent=latent, others=others)


def check_names(
    ways: Mapping[str, type[Any]], way: str, given: Mapping[str, Any], asked: str
) -> None:
    """Pass if one of several methods has all settings that were given.

    Args:
        ways: the methods' settings, by the names that the command has for them.
        asked: how the command line names the one.

    Raises:
        LimnerError: BAD_INPUT, naming the methods that have them.
    """
    has = {name: {s.name for s in settings(params)} for name, params in ways.items()}
    for name in given:
        if name not in has[way]:
            others = " and ".join(other for other, names in has.items() if name in names)
            words = f"--{name.replace('_', '-')} says nothing to {asked}."
            raise LimnerError(ErrorCode.BAD_INPUT, words, f"It belongs to {others}.")


def report(drawn: Drawn, png: Path, by: str, seconds: float, *, as_json: bool) -> None:
    """Tell what was made, and by what."""
    about = drawn.about
    if not as_json:
        typer.echo(f"{png}: by {by}, score {about['score']:.3f}, {seconds:.1f} s")
        return
    told = {
        "png": str(png), "score": about["score"], "stopped": drawn.stopped,
        "notices": drawn.notices, "settings": about["settings"], "seconds": round(seconds, 3),
    }  # fmt: skip
    typer.echo(json.dumps(told, ensure_ascii=False))
