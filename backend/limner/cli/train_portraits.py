"""`limner train generator | attributes | identity | encoder | latents`: the portraits' networks.

Each goes on from the checkpoint in --out if there is one, and leaves its model there at the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limner.models.catalog import PORTRAITS, STARTER_FOLDER
from limner.models.device import best_device
from limner.training.loop import Trainer, train

POOL, RUNS = Path(".cache/portraits"), Path(".cache/train")
PAINTER = STARTER_FOLDER.with_name(PORTRAITS)

Out = Annotated[Path, typer.Option("--out", help="checkpoint and model")]
Pool = Annotated[Path, typer.Option("--pool", help="where painted portraits are kept")]
Steps = Annotated[int, typer.Option("--steps", min=1)]
Batch = Annotated[int, typer.Option("--batch", min=1)]
Rate = Annotated[float, typer.Option("--rate", min=1e-6, max=1.0, help="learning rate")]
Bf16 = Annotated[bool, typer.Option("--bf16", help="compute in bfloat16")]


def register(group: typer.Typer) -> None:
    """Put the commands beside the others of `limner train`."""
    for command in (generator, attributes, identity, encoder, latents):
        group.command(command.__name__)(command)


def generator(
    out: Out = RUNS / PORTRAITS,
    steps: Steps = 100_000,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="8; 32 for a folder of pictures")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=1e-6, max=1.0, help="0.02; 0.002 for a folder of pictures"),
    ] = None,
    bf16: Bf16 = False,
    pool: Pool = POOL,
    painters: Annotated[
        int, typer.Option("--painters", min=0, help="processes that paint the whole pool first")
    ] = 0,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="train adversarially, on these pictures instead"),
    ] = None,
    size: Annotated[int, typer.Option("--size", help="with --folder: pixels a side")] = 64,
    gamma: Annotated[
        float, typer.Option("--gamma", min=0, help="with --folder: R1's weight; 0 for the usual")
    ] = 0.0,
) -> None:
    """Train a generator: the starter's, on painted portraits, or one on pictures of yours."""
    from limner.training import adversarial, paintings
    from limner.training import generator as regression

    trainer: Trainer
    if folder is None:
        settings = regression.Settings(steps=steps, batch=batch or 8, rate=rate or 2e-2, bf16=bf16)
        painted = paintings.Paintings(settings.pool, settings.seed, pool)
        if painters:
            painted.paint(painters)
        trainer = regression.Trainer(settings, painted, out, best_device())
    else:
        taught = adversarial.Settings(
            steps=steps, batch=batch or 32, rate=rate or 2e-3, size=size, gamma=gamma
        )
        pictures = adversarial.read_pictures(folder, size)
        trainer = adversarial.Trainer(taught, pictures, out, best_device())
    _go(trainer, steps)


def attributes(
    out: Out = RUNS / "attributes",
    steps: Steps = 16_000,
    batch: Batch = 32,
    rate: Rate = 1e-3,
    bf16: Bf16 = False,
    pool: Pool = POOL,
) -> None:
    """Train the judge that counts what edits of portraits change."""
    from limner.training import attribute_judge
    from limner.training.paintings import Paintings

    settings = attribute_judge.Settings(steps=steps, batch=batch, rate=rate, bf16=bf16)
    painted = Paintings(settings.pool, 0, pool)
    _go(attribute_judge.Trainer(settings, painted, out, best_device()), steps)


def identity(
    out: Out = RUNS / "identity",
    steps: Steps = 8000,
    rate: Rate = 1e-3,
    bf16: Bf16 = False,
    pool: Pool = POOL,
) -> None:
    """Train the network that tells one portrait's person from another's."""
    from limner.training import identity as training
    from limner.training.paintings import People

    settings = training.Settings(steps=steps, rate=rate, bf16=bf16)
    people = People(settings.pool, settings.views, settings.seed, pool)
    _go(training.Trainer(settings, people, out, best_device()), steps)


def encoder(
    out: Out = RUNS / "encoder",
    steps: Steps = 12_000,
    batch: Batch = 16,
    rate: Rate = 1e-3,
    bf16: Bf16 = False,
    pool: Pool = POOL,
    of: Annotated[
        Path,
        typer.Option(
            "--generator",
            help="the folder of the generator of portraits",
            show_default="starter/portraits-64",
        ),
    ] = PAINTER,
) -> None:
    """Train the encoder of a generator of portraits: from a picture to its latent code."""
    from limner.training import encoder as training
    from limner.training.paintings import Paintings

    network = training.generator_in(of)
    settings = training.Settings(steps=steps, batch=batch, rate=rate, bf16=bf16)
    painted = Paintings(settings.pool, 0, pool)
    _go(training.Trainer(settings, network, painted, out, best_device(), of.name), steps)


def _go(trainer: Trainer, steps: int) -> None:
    from limner.training.clip import timed_report

    if trainer.run.resume():
        typer.echo(f"going on from step {trainer.run.step}", err=True)
    typer.echo(f"{train(trainer, steps, timed_report(steps))}")


def latents(
    out: Annotated[Path, typer.Option("--out", help="the model")] = RUNS / "flat-portraits",
    medium: Annotated[
        str, typer.Option("--medium", help="flat | watercolour | pencil | pixel art")
    ] = "flat",
    count: Annotated[int, typer.Option("--count", min=1, max=10_000)] = 512,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 7,
) -> None:
    """Leave the starter's codes of portraits in one medium, for `limner adapt --latents`."""
    from limner.training import generator as regression

    typer.echo(f"{regression.leave_latents(out, medium, count, seed)}")
