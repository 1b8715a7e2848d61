"""`limner train prior | ar-prior | decoder | upsampler`: unCLIP, from words to a CLIP's embedding
of a picture, from that to the picture, and to a larger one.

Each goes on from the checkpoint in --out if there is one, and leaves its model there at the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.models.catalog import SCENES_CLIP
from limner.models.device import best_device
from limner_wire.errors import ErrorCode, LimnerError

if TYPE_CHECKING:
    from limner.training.captioned import Captioned
    from limner.training.loop import Trainer

CORPUS, KEPT, RUNS = Path(".cache/corpus"), Path(".cache/unclip"), Path(".cache/train")
USUAL = ("icons", "compositions", "scenes", "portraits")
SIDE_PX = 64
HEAD = 64

Corpora = Annotated[
    list[Path] | None, typer.Option("--corpus", help="a packed corpus; may be repeated")
]
Model = Annotated[str | None, typer.Option("--clip", help="the CLIP whose embeddings these are")]
Out = Annotated[Path, typer.Option("--out", help="checkpoint and model")]
Steps = Annotated[int, typer.Option("--steps", min=1)]
Batch = Annotated[int, typer.Option("--batch", min=1)]
Rate = Annotated[float, typer.Option("--rate", min=1e-6, max=1.0, help="learning rate")]
Bf16 = Annotated[bool, typer.Option("--bf16", help="compute in bfloat16")]
Width = Annotated[int, typer.Option("--width", min=HEAD, help=f"a multiple of {HEAD}")]
Layers = Annotated[int, typer.Option("--layers", min=1)]


def register(group: typer.Typer) -> None:
    """Put the commands beside the others of `limner train`."""
    group.command("prior")(prior)
    group.command("ar-prior")(ar_prior)
    group.command("decoder")(decoder)
    group.command("upsampler")(upsampler)


def prior(
    corpora: Corpora = None,
    clip: Model = None,
    out: Out = RUNS / "prior",
    steps: Steps = 20_000,
    batch: Batch = 64,
    rate: Rate = 5e-4,
    bf16: Bf16 = False,
    width: Width = 256,
    layers: Layers = 5,
) -> None:
    """Train the diffusion prior: a CLIP's embedding of a picture, by its caption."""
    from limner.models.unclip.diffusion_prior import Config
    from limner.training import priors

    heads, data = _heads(width), _read(corpora, clip)
    config = Config(**priors.sizes(data.clip), heads=heads, head=HEAD, layers=layers)
    settings = priors.Settings(steps, batch, rate, bf16=bf16)
    _go(priors.DiffusionTrainer(settings, config, data, out, best_device()), steps)


def ar_prior(
    corpora: Corpora = None,
    clip: Model = None,
    out: Out = RUNS / "ar-prior",
    steps: Steps = 20_000,
    batch: Batch = 64,
    rate: Rate = 5e-4,
    bf16: Bf16 = False,
    width: Width = 256,
    layers: Layers = 5,
    components: Annotated[
        int, typer.Option("--components", min=1, help="principal components, at most")
    ] = 64,
    buckets: Annotated[int, typer.Option("--buckets", min=2, help="for each component")] = 256,
) -> None:
    """Train the autoregressive prior: the same, one principal component after the other."""
    from limner.models.unclip.autoregressive_prior import Config
    from limner.training import priors

    heads, data = _heads(width), _read(corpora, clip)
    config = Config(
        **priors.sizes(data.clip), width=width, heads=heads, layers=layers,
        kept=components, buckets=buckets,
    )  # fmt: skip
    settings = priors.TokenSettings(steps, batch, rate, bf16=bf16)
    trainer = priors.TokenTrainer(settings, config, data, out, best_device())
    kept = trainer.prior.config.kept
    typer.echo(f"{kept} components leave out {trainer.lost:.1%} of the variance", err=True)
    _go(trainer, steps)


def decoder(
    corpora: Corpora = None,
    clip: Model = None,
    out: Out = RUNS / "decoder",
    steps: Steps = 40_000,
    batch: Batch = 32,
    rate: Rate = 4e-4,
    bf16: Bf16 = False,
    widths: Annotated[
        list[int], typer.Option("--width", min=16, help="channels at each size; repeated")
    ] = [128, 256],  # noqa: B006 (typer takes no tuple of any length)
) -> None:
    """Train the decoder: a picture of 64 pixels from a CLIP's embedding, and perhaps a caption."""
    from limner.models.unclip.decoder import Config
    from limner.training.decoder import Settings, Trainer

    data = _read(corpora, clip)
    embedding, states = data.embeddings.shape[1], data.clip.read([""]).states.shape[-1]
    config = Config(
        data.clip.name, SIDE_PX, widths=tuple(widths),
        attends=(len(widths) == 1, *[True] * (len(widths) - 1)),
        embedding=embedding, states=states, gain=embedding**0.5,
    )  # fmt: skip
    settings = Settings(steps, batch, rate, bf16=bf16)
    _go(Trainer(settings, config, data, out, best_device()), steps)


def upsampler(
    folder: Annotated[Path | None, typer.Option("--folder", help="pictures to learn from")] = None,
    pictures: Annotated[
        list[Path] | None, typer.Option("--pictures", help="packed as .npy; may be repeated")
    ] = None,
    out: Out = RUNS / "upsampler",
    steps: Steps = 20_000,
    batch: Batch = 16,
    rate: Rate = 5e-4,
    bf16: Bf16 = False,
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
    from limner.training.upsampler import Settings, Trainer, read_packed

    large = [picture for path in pictures or () for picture in read_packed(path)]
    large += list(read_pictures(folder, size)) if folder else []
    if not large:
        raise LimnerError(ErrorCode.BAD_INPUT, "Name pictures: --folder or --pictures.")
    settings = Settings(steps, batch, rate, crop=size // 4, degradation=degradation, bf16=bf16)
    config = Config(tuple(widths)) if widths else Config()
    _go(Trainer(settings, config, large, out, best_device()), steps)


def _heads(width: int) -> int:
    if width % HEAD:
        raise LimnerError(ErrorCode.BAD_INPUT, f"--width must be a multiple of {HEAD}.")
    return width // HEAD


def _read(corpora: list[Path] | None, clip: str | None) -> Captioned:
    from limner.models.clip import load as load_clips
    from limner.training.captioned import Captioned
    from limner.training.compositions import trainable
    from limner.training.corpora import join, load

    named = corpora or [CORPUS / name for name in USUAL]
    looker = load_clips([clip or SCENES_CLIP], best_device())[0].clip
    return Captioned(trainable(join([load(path) for path in named])), looker, SIDE_PX, KEPT)


def _go(trainer: Trainer, steps: int) -> None:
    from limner.training.clip import timed_report
    from limner.training.loop import train

    if trainer.run.resume():
        typer.echo(f"going on from step {trainer.run.step}", err=True)
    typer.echo(f"{train(trainer, steps, timed_report(steps))}")
