"""`limner train directions | mapper`: what edits of a generator's pictures are made of.

Each goes on from the checkpoint in --out if there is one, and leaves its model there at the end;
`limner models add` puts that where `limner edit` finds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

from limner.models.device import best_device
from limner.models.stylegan2 import Generator
from limner_wire.errors import ErrorCode, LimnerError

RUNS = Path(".cache/train")
LEVELS = ("coarse", "medium", "fine")
REPORT_EVERY = 50  # channels

Out = Annotated[Path | None, typer.Option("--out", help="checkpoint and model")]
Of = Annotated[
    str | None, typer.Option("--generator", help="its name, or its folder; default the first")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="the CLIP that looks; default the generator's own, or the best here"
    ),
]


def register(group: typer.Typer) -> None:
    """Put the commands beside the others of `limner train`."""
    for command in (directions, mapper):
        group.command(command.__name__)(command)


def directions(
    generator: Of = None,
    model: Model = None,
    out: Out = None,
    neutral: Annotated[
        str, typer.Option("--neutral", help='what its pictures are anyway, as "a person"')
    ] = "",
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="pictures on which each channel is tried")
    ] = 100,
    shift: Annotated[
        float, typer.Option("--shift", min=0.1, help="how far a channel is moved, in deviations")
    ] = 5.0,
    batch: Annotated[int, typer.Option("--batch", min=2, help="pictures at a time")] = 64,
    colours: Annotated[
        bool, typer.Option("--colours", help="the layers of colours too, and however fine")
    ] = False,
    as_published: Annotated[
        bool, typer.Option("--as-published", help="with the slip of the authors' code")
    ] = False,
) -> None:
    """Measure what each channel of a generator's style space means to a CLIP."""
    from limner.models import clip, networks
    from limner.training.directions import Measurement, Settings

    name, network = _generator(generator)
    looker = clip.load([model] if model else networks.readers(name), best_device())[0].clip
    settings = Settings(
        samples, shift, colours=colours, batch=batch, as_published=as_published
    )  # fmt: skip
    folder = out or RUNS / f"{name}-directions"
    measurement = Measurement(network, looker, folder, settings)
    if measurement.resume():
        typer.echo(f"going on from channel {measurement.done}", err=True)
    measurement.run(_report)
    _left(measurement.export(name, neutral))


def mapper(
    prompt: Annotated[str, typer.Argument(help="what a picture should become")],
    generator: Of = None,
    model: Model = None,
    out: Out = None,
    neutral: Annotated[
        str,
        typer.Option("--neutral", help="what it is before: then it is the change that is learned"),
    ] = "",
    part: Annotated[
        list[str] | None,
        typer.Option("--part", help="coarse | medium | fine | all, or style.03; may be repeated"),
    ] = None,
    latents: Annotated[
        str | None, typer.Option("--latents", help="codes to learn on, by name; default random")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1)] = 5000,
    batch: Annotated[int, typer.Option("--batch", min=1)] = 4,
    rate: Annotated[float, typer.Option("--rate", min=1e-6, max=10, help="learning rate")] = 0.5,
    identity: Annotated[
        float, typer.Option("--identity", min=0, help="how strongly the face stays")
    ] = 0.1,
    further: Annotated[
        float,
        typer.Option("--further", min=0.1, max=10, help="how many times as far as learned it goes"),
    ] = 1.0,
    stay: Annotated[float, typer.Option("--l2", min=0, help="how strongly the code stays")] = 0.8,
    contrast: Annotated[
        float, typer.Option("--contrast", min=0, max=1, help="as `limner draw` has it")
    ] = 0.0,
) -> None:
    """Train a network that makes one edit of any picture of a generator."""
    from limner.models import arcface, clip, networks
    from limner.training.clip import timed_report
    from limner.training.loop import train
    from limner.training.mapper import Settings, Trainer

    name, network = _generator(generator)
    looker = clip.load([model] if model else networks.readers(name), best_device())[0].clip
    settings = Settings(
        prompt, neutral, tuple(part or LEVELS), further, steps, batch, rate, identity=identity,
        latents=stay, contrast=contrast,
    )  # fmt: skip
    known = networks.belonging("identity", name) if identity else []
    who = arcface.load(known[0].name, best_device()) if known else None
    codes = None if latents is None else _codes(latents)
    folder = out or RUNS / f"{name}-{'-'.join(prompt.lower().split())[:40]}"
    trainer = Trainer(settings, network, looker, folder, who, codes, name)
    if trainer.run.resume():
        typer.echo(f"going on from step {trainer.run.step}", err=True)
    _left(train(trainer, steps, timed_report(steps)))


def _generator(named: str | None) -> tuple[str, Generator]:
    """The generator of that name, or in that folder."""
    from limner.models import networks, stylegan2
    from limner.training.encoder import generator_in

    device = best_device()
    if named is not None and Path(named).is_dir():
        network = generator_in(Path(named), device)
        return Path(named).name, network
    name = networks.find("generator", named).name
    return name, stylegan2.load(name, device)


def _codes(name: str) -> Tensor:
    """(N, L, w_dim) of latents on this machine.

    Raises:
        LimnerError: UNKNOWN_MODEL if there are none of W+.
    """
    from limner.models import networks
    from limner.models.loading import read_weights

    rows = read_weights(networks.find("latents", name).weights).get("w_plus")
    if rows is None:
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL, f"{name} holds no codes of W+.", "Name others, or none."
        )
    return rows


def _left(weights: Path) -> None:
    typer.echo(f"{weights}")
    typer.echo(f"To edit with it: limner models add {weights.parent}", err=True)


def _report(done: int, count: int) -> None:
    if done % REPORT_EVERY == 0 or done == count:
        typer.echo(f"{done} of {count} channels", err=True)
