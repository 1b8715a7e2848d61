"""`limner score`: how well each text fits a picture, beside the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from limner.models import clip
from limner.models.device import best_device
from limner.pictures import read_picture
from limner_wire.errors import ErrorCode, LimnerError


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(score)


def score(
    image: Annotated[Path, typer.Argument(help="the picture")],
    texts: Annotated[list[str], typer.Argument(help="the texts to compare")],
    model: Annotated[list[str] | None, typer.Option("--model", help="NAME or NAME@WEIGHT")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Say how well each text fits a picture: probabilities over the texts given."""
    if not all(text.strip() for text in texts):
        raise LimnerError(ErrorCode.BAD_INPUT, "A text is empty.")
    picture = read_picture(image)
    models = clip.load(model or (), best_device())
    total = sum(m.weight for m in models)
    shares = [m.clip.probabilities(picture.to(m.clip.device), texts) * m.weight for m in models]
    chances = (sum(s.cpu() for s in shares) / total).tolist()  # type: ignore[union-attr]
    if as_json:
        typer.echo(json.dumps(dict(zip(texts, chances, strict=True)), ensure_ascii=False))
        return
    for chance, text in sorted(zip(chances, texts, strict=True), reverse=True):
        typer.echo(f"{chance:7.2%}  {text}")
