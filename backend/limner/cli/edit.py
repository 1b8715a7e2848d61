"""`limner edit` and `limner sample`: a picture becomes what the words say, or comes of itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor

from limner.cli.app import INTERRUPTED
from limner.cli.options import with_settings
from limner.cli.painted import check_names, inputs_of, png_path, report
from limner.cli.progress import shown, stopping
from limner.cli.wish import Drawn, Wish, draw_anywhere
from limner.files import check_writable, write_atomic
from limner.methods.registry import METHODS
from limner.pictures import encode_png
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

WAYS = {"direction": "global_directions", "mapper": "latent_mapper",
        "optimize": "latent_optimization"}  # fmt: skip
SAMPLES_MAX = 256

Generator = Annotated[
    str | None, typer.Option("--generator", help="which generator paints; default the first")
]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else")]


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    edit_ = with_settings(edit, _params(), skip=("prompt", "stay"))
    app.command(name)(edit_ if name == "edit" else sample)


def edit(
    image: Annotated[Path, typer.Argument(help="the picture")],
    prompt: Annotated[str, typer.Argument(help="what it should become")],
    given: dict[str, Any],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="direction: at once, with sliders | mapper: as it was "
            "learned | optimize: by a search",
        ),
    ] = "direction",
    out: Annotated[Path, typer.Option("--out", help="the PNG to write")] = Path("edited.png"),
    mask: Annotated[
        Path | None, typer.Option("--mask", help="a picture, white where it may change")
    ] = None,
    latent: Annotated[
        Path | None, typer.Option("--latent", help="a file with the picture's code, if it is known")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="NAME or NAME@WEIGHT; may be repeated")
    ] = None,
    as_json: Json = False,
) -> int:
    """Change a picture with words: writes a PNG."""
    started = time.monotonic()
    if method not in WAYS:
        ways = ", ".join(WAYS)
        raise LimnerError(ErrorCode.BAD_INPUT, f"There is no method {method!r}: {ways}.")
    check_names(_params(), method, given, f"--method {method}")
    png = png_path(out)
    inputs = inputs_of(image, mask, None if latent is None else _code(latent))
    files = {"picture": image, **({} if mask is None else {"mask": mask})}
    asked = {"prompt": prompt, **given, "stay": False}
    wish = Wish(WAYS[method], asked, inputs, files, tuple(model or ()))
    with stopping() as stop, shown(quiet=as_json) as bar:
        drawn = draw_anywhere(wish, bar, stop)
    write_atomic(png, drawn.png)
    report(drawn, png, _by(drawn), time.monotonic() - started, as_json=as_json)
    return INTERRUPTED if drawn.stopped else 0


def _params() -> dict[str, type[Any]]:
    return {way: METHODS[name].params for way, name in WAYS.items()}


def _code(path: Path) -> Tensor:
    """The first code in a file of latents.

    Raises:
        LimnerError: as `models.checkpoints.read`; UNKNOWN_MODEL if they are of style space.
    """
    from limner.models.checkpoints import read, rows_of

    rows = rows_of(read(path))
    if isinstance(rows, list):
        words = f"{path.name} holds codes of style space."
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, words, "Give one of W or W+.")
    return rows[0]


def _by(drawn: Drawn) -> str:
    told = drawn.about["settings"]
    by = f"{told['generator']}'s {told['mapper']}" if told.get("mapper") else told["generator"]
    near = f", found again with {told['inversion_db']:.1f} dB" if "inversion_db" in told else ""
    return f"{by}{near}"


def sample(
    out: Annotated[Path, typer.Option("--out", help="the PNG to write")] = Path("portrait.png"),
    count: Annotated[
        int, typer.Option("--count", min=1, max=SAMPLES_MAX, help="how many, with seeds one apart")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, max=limits.SEED_MAX - SAMPLES_MAX)] = 0,
    truncation: Annotated[
        float,
        typer.Option("--truncation", min=0, max=2, help="how far from the mean; 1 is as it comes"),
    ] = 0.7,
    generator: Generator = None,
    mapper: Annotated[
        str | None, typer.Option("--mapper", help="change each as this mapper has learned")
    ] = None,
    as_json: Json = False,
) -> None:
    """Paint random pictures with a generator: writes a PNG, or as many as --count says."""
    from limner.models import networks

    png = png_path(out)
    paths = [png] if count == 1 else [_numbered(png, seed + k) for k in range(count)]
    for path in paths:
        check_writable(path)
    found = networks.find("generator", generator)
    seeds = range(seed, seed + count)
    for k, picture in enumerate(_painted(found.name, seeds, truncation, mapper)):
        about = {"generator": found.name, "seed": seed + k, "truncation": truncation,
                 **({"mapper": mapper} if mapper else {})}  # fmt: skip
        write_atomic(paths[k], encode_png(picture, about))
    if as_json:
        typer.echo(json.dumps({"png": [str(p) for p in paths], "generator": found.name,
                               "seed": seed, "truncation": truncation}))  # fmt: skip
    else:
        rest = "" if count == 1 else f" to {paths[-1].name}"
        typer.echo(f"{paths[0]}{rest}: by {found.name}")


def _numbered(png: Path, seed: int) -> Path:
    return png.with_name(f"{png.stem}-{seed}.png")


def _painted(name: str, seeds: range, truncation: float, mapper: str | None) -> Any:
    """Each seed's picture, (3, S, S) in [0, 1], on the CPU."""
    import torch

    from limner.models import mapper as mappers
    from limner.models import networks, stylegan2
    from limner.models.device import best_device

    generator, device = stylegan2.load(name, best_device()), best_device()
    learned = None
    if mapper is not None:
        learned = mappers.load(networks.find("mapper", mapper), generator.config, device)
    for seed in seeds:
        with torch.no_grad():
            w = generator.random(1, seed, truncation)
            styles = learned.applied(generator, w) if learned else generator.styles(w)
            image = generator.render(styles)[0]
        yield ((image.clamp(-1, 1) + 1) / 2).cpu()
