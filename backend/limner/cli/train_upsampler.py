"""`limner train upsampler`: the network that makes unCLIP's small pictures large.

It goes on from the checkpoint in --out if there is one, and leaves the model there at the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limner.models.device import best_device
from limner_wire.errors import ErrorCode, LimnerError


def register(group: typer.Typer) -> None:
    """Put the command beside the others of `limner train`."""
    group.command("upsampler")(upsampler)


def upsampler(
    folder: Annotated[Path | None, typer.Option("--folder", help="pictures to learn from")] = None,
    pictures: Annotated[
        list[Path] | None, typer.Option("--pictures", help="packed as .npy; may be repeated")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="checkpoint and model")] = Path(
        ".cache/train/upsampler"
    ),
    steps: Annotated[int, typer.Option("--steps", min=1)] = 20_000,
    batch: Annotated[int, typer.Option("--batch", min=1)] = 16,
    rate: Annotated[float, typer.Option("--rate", min=1e-6, max=1.0, help="learning rate")] = 5e-4,
    bf16: Annotated[bool, typer.Option("--bf16", help="compute in bfloat16")] = False,
    size: Annotated[
        int, typer.Option("--size", min=16, help="side of the large pictures in pixels")
    ] = 256,
    degradation: Annotated[
        str, typer.Option("--degradation", help="blur | bsr: how the small ones are spoilt")
    ] = "blur",
    widths: Annotated[
        list[int] | None,
        typer.Option("--width", min=8, help="channels at each size of its grid; repeated"),
    ] = None,
) -> None:
    """Train an upsampler, to pictures four times as large, on a folder or on packed pictures."""
    from limner.models.unclip.upsampler import Config
    from limner.training.adversarial import read_pictures
    from limner.training.clip import timed_report
    from limner.training.loop import train
    from limner.training.upsampler import Settings, Trainer, read_packed

    large = [picture for path in pictures or () for picture in read_packed(path)]
    large += list(read_pictures(folder, size)) if folder else []
    if not large:
        raise LimnerError(ErrorCode.BAD_INPUT, "Name pictures: --folder or --pictures.")
    settings = Settings(steps, batch, rate, crop=size // 4, degradation=degradation, bf16=bf16)
    config = Config(tuple(widths)) if widths else Config()
    trainer = Trainer(settings, config, large, out, best_device())
    if trainer.run.resume():
        typer.echo(f"going on from step {trainer.run.step}", err=True)
    typer.echo(f"{train(trainer, steps, timed_report(steps))}")
