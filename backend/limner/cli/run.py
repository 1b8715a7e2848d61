"""`limner run`: any method by its name, those of one's own too, with options for all it has."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from limner.batch import canvas_of
from limner.cli.app import INTERRUPTED
from limner.cli.options import with_settings
from limner.cli.progress import shown, stopping
from limner.cli.wish import Wish, draw_anywhere, kind
from limner.files import read_bounded, svg_and_png, write_atomic
from limner.methods.base import Method
from limner.methods.params import settings
from limner.methods.registry import METHODS
from limner.worker.orders import inputs_of
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import IMAGE_BYTES

Out = Annotated[Path, typer.Option("--out", help="the SVG; a PNG goes beside it, or alone")]
Size = Annotated[str | None, typer.Option("--size", help="of the canvas: 320x240")]
Model = Annotated[list[str] | None, typer.Option("--model", help="a CLIP; may be repeated")]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else")]


def register(app: typer.Typer, name: str) -> None:
    """Put a command for each method into the program."""
    group = typer.Typer(no_args_is_help=True)
    for method in METHODS.values():
        command = with_settings(_command(method), method.params, skip=("stay",))
        group.command(method.name.replace("_", "-"), help=method.about)(command)
    app.add_typer(group, name=name, help="Run any method by its name, yours too.")


def _command(method: Method[Any, Any]) -> Callable[..., int]:
    """What runs a method: a function with a parameter for each of its pictures."""

    def command(
        *, given: dict[str, Any], out: Path, size: str | None, model: list[str] | None,
        as_json: bool, **pictures: Path | None,
    ) -> int:  # fmt: skip
        begun = time.monotonic()
        files = {role: path for role, path in pictures.items() if path is not None}
        if missing := [role for role in method.needs if role not in files]:
            words = f"{method.name} needs a picture: --{missing[0]} FILE."
            raise LimnerError(ErrorCode.BAD_INPUT, words)
        svg, png = svg_and_png(out)
        data = {role: read_bounded(path, IMAGE_BYTES) for role, path in files.items()}
        blobs = {role: (kind(read), read) for role, read in data.items()}
        inputs = inputs_of(blobs, canvas_of(size, data))
        if any(setting.name == "stay" for setting in settings(method.params)):
            given |= {"stay": False}
        wish = Wish(method.name, given, inputs, files, tuple(model or ()))
        with stopping() as stop, shown(quiet=as_json) as bar:
            drawn = draw_anywhere(wish, bar, stop)
        write_atomic(png, drawn.png)
        if drawn.svg:
            write_atomic(svg, drawn.svg)
        written = [svg, png] if drawn.svg else [png]
        _report(drawn, written, time.monotonic() - begun, as_json=as_json)
        return INTERRUPTED if drawn.stopped else 0

    only = inspect.Parameter.KEYWORD_ONLY
    roles = [
        inspect.Parameter(role, only, default=None, annotation=_picture(role, method))
        for role in method.inputs
    ]
    rest = [
        inspect.Parameter("out", only, default=Path("drawing.svg"), annotation=Out),
        inspect.Parameter("size", only, default=None, annotation=Size),
        inspect.Parameter("model", only, default=None, annotation=Model),
        inspect.Parameter("as_json", only, default=False, annotation=Json),
    ]
    command.__signature__ = inspect.Signature([*roles, *rest])  # type: ignore[attr-defined]
    return command


def _picture(role: str, method: Method[Any, Any]) -> Any:
    need = "a picture; needed" if role in method.needs else "a picture"
    return Annotated[Path | None, typer.Option(f"--{role}", help=need)]


def _report(drawn: Any, written: list[Path], seconds: float, *, as_json: bool) -> None:
    score = drawn.about["score"]
    if as_json:
        told = {
            "files": [str(path) for path in written], "score": score, "notices": drawn.notices,
            "settings": drawn.about["settings"], "seconds": round(seconds, 3),
        }  # fmt: skip
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo(f"{' and '.join(p.name for p in written)}: score {score:.3f}, {seconds:.1f} s")
