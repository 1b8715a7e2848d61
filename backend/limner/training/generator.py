"""The starter's generator of portraits, trained by regression: code in, painted portrait out.

The painter is a fixed map from codes to portraits (`portraits.latent`), so no discriminator is
needed: the loss compares pictures, pixel by pixel and edge by edge, which a CPU can afford. Three
things keep its latent spaces as editable as an adversarially trained one's:

1. The mapping network is written, not learned (`portrait_mapping`): in W an attribute is a few
   coordinates of its own.
2. In part of each batch these coordinates are softened towards another portrait's. The same picture
   is asked for, so classes are wide in W and what lies between them is clean.
3. A group lasso (Yuan & Lin 2006) on the affine maps from W to S: a channel of style space should
   be driven by few attributes (Wu et al. 2021, arXiv 2011.12799, find such channels in StyleGAN2).

Noise stays off: a portrait has nothing that its code does not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.chance import random_of
from limner.models import stylegan2
from limner.models.catalog import PORTRAITS
from limner.models.networks import leave
from limner.models.stylegan2 import Config, Generator
from limner.training.crew import shared
from limner.training.loop import Figures, Run, course, descend, set_rate
from limner.training.paintings import HELD_OUT, Paintings
from limner.training.portrait_mapping import JUMPING, LAYERS, coordinates, softened, write
from limner.training.portraits.attributes import ATTRIBUTES
from limner.training.portraits.latent import LATENT
from limner.training.portraits.painter import SIDE_PX
from limner_wire.errors import ErrorCode, LimnerError

CHANNELS = (256, 256, 192, 96, 48)  # at 4, 8, 16, 32, 64 pixels
W_DIM = 112
MEAN_OF = 10_000  # codes, for W's mean


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        pool: how many portraits are painted; steps go through them in another order every time.
        cooldown: the part of the steps, at the end, over which the rate falls to zero.
        edges: weight of the edges beside the pixels.
        lasso: weight of the group lasso.
        soft: the part of a batch whose W is softened; `softest`, how far at most, below 0.5.
        decay: of the moving average of the weights.
        held_out: how many portraits it is measured on at the end.
        bf16: compute in bfloat16, almost twice as fast on CPUs that multiply it.
    """

    steps: int = 100_000
    batch: int = 8
    rate: float = 2e-2
    warmup: int = 200
    cooldown: float = 0.3
    pool: int = 200_000
    edges: float = 1.0
    lasso: float = 0.1
    soft: float = 0.25
    softest: float = 0.35
    decay: float = 0.999
    seed: int = 0
    held_out: int = 512
    bf16: bool = False
    channels: tuple[int, ...] = CHANNELS


class Trainer:
    """One run of the regression."""

    def __init__(
        self, settings: Settings, paintings: Paintings, folder: Path, device: torch.device
    ) -> None:
        self.settings, self.paintings, self.device = settings, paintings, device
        torch.manual_seed(settings.seed)
        self.generator = blank(settings.channels).to(device)
        for layer in self.generator.convolutions():
            layer.noise_strength.requires_grad_(False)
        self.generator.mapping.requires_grad_(False)
        learned = [p for p in self.generator.parameters() if p.requires_grad]
        self.adam = torch.optim.Adam(learned, lr=settings.rate, betas=(0.9, 0.99), fused=True)
        networks, optimizers = {"generator": self.generator}, {"adam": self.adam}
        self.run = Run(folder, settings, networks, optimizers, "generator")
        self.groups = _groups().to(device)

    def batch(self, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, w_dim) and the (B, 3, 64, 64) pictures that they should become."""
        s = self.settings
        rows = torch.randint(len(self.paintings), (s.batch,), generator=chance).tolist()
        shuffle = torch.rand(s.batch, len(JUMPING), 2, generator=chance)
        codes = torch.from_numpy(self.paintings.codes[rows]).to(self.device)
        with torch.no_grad():
            w = self.generator.mapping(codes)
            soft = round(s.batch * s.soft)
            between = softened(w, shuffle.to(self.device), s.softest)
            w = torch.cat([between[:soft], w[soft:]])
        return w, self.paintings.pictures(rows).to(self.device)

    def advance(self) -> Figures:
        """One step."""
        s, step = self.settings, self.run.step
        set_rate(self.adam, s.rate * course(step, s.steps, s.warmup, s.cooldown))
        w, aims = self.batch(random_of(s.seed, step))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=s.bf16):
            w_plus = w[:, None].expand(-1, self.generator.config.latents, -1)
            made = shared(lambda part: self.generator(w_plus[part], "none").float(), len(w))
        pixels, edges, spread = F.l1_loss(made, aims), edge_loss(made, aims), self.spread()
        loss = pixels + s.edges * edges + s.lasso * spread
        descend(self.adam, loss)
        self.run.step += 1
        self.run.follow(s.decay)
        return {
            "pixels": pixels.item(), "edges": edges.item(), "spread": spread.item(),
            "psnr": psnr(made.detach(), aims).mean().item(),
        }  # fmt: skip

    def spread(self) -> Tensor:
        """How much each channel of S is driven by each attribute: the mean of the lengths of that
        attribute's weights."""
        weights = torch.cat([
            p for name, p in self.generator.named_parameters() if name.endswith("style.weight")
        ])  # fmt: skip
        return (weights.square() @ self.groups + 1e-8).sqrt().mean()

    def export(self) -> Path:
        """The averaged generator, with its figures on its card."""
        best = blank(self.settings.channels).to(self.device)
        best.load_state_dict(self.run.averaged_state())
        figures = evaluate(best, self.settings.held_out)
        card = {"name": PORTRAITS, "licence": "GPL-3.0-or-later",
                "made": "by `limner train generator`, from nothing, on painted portraits",
                "steps": self.run.step, "settings": self.settings, "measured": figures}  # fmt: skip
        config, state = best.config.to_json(), best.state_dict()
        return leave(self.run.folder, "generator", config, state, card, ("mapping.", "w_avg"))


def blank(channels: Sequence[int] = CHANNELS) -> Generator:
    """A generator that reads portraits' codes and can't paint yet."""
    config = Config(
        SIDE_PX, tuple(channels), LATENT, W_DIM, mapping_layers=LAYERS, mapping_rate=1.0
    )
    generator = Generator(config)
    write(generator.mapping)
    generator.w_avg.copy_(generator.mean_w(MEAN_OF, torch.Generator().manual_seed(0)))
    return generator


def _groups() -> Tensor:
    """(w_dim, attributes): 1 where a coordinate of W says something of an attribute."""
    found = coordinates(W_DIM)
    out = torch.zeros(W_DIM, len(found))
    for k, at in enumerate(found.values()):
        out[list(at), k] = 1
    return out


def edge_loss(made: Tensor, aims: Tensor) -> Tensor:
    """How far differences of neighbouring pixels are apart, at full and at half size: a line that
    is a little soft costs few pixels, but much of its edge."""
    apart, total = made - aims, made.new_zeros(())
    for _ in range(2):
        total = total + apart.diff(dim=2).abs().mean() + apart.diff(dim=3).abs().mean()
        apart = F.avg_pool2d(apart, 2)
    return total / 2


def psnr(made: Tensor, aims: Tensor) -> Tensor:
    """(B,) in dB of pictures (B, 3, H, W) in [-1, 1], cut off as they are when they are shown."""
    error = (made.clamp(-1, 1) - aims).square().mean((1, 2, 3)) / 4
    return -10 * error.clamp_min(1e-10).log10()


@torch.no_grad()
def evaluate(generator: Generator, count: int) -> Figures:
    """How near it comes to portraits that it has not seen: PSNR in dB, over all and by medium."""
    held_out = Paintings(count, HELD_OUT)
    device, rows = generator.w_avg.device, list(range(count))
    found = []
    for first in range(0, count, 64):
        some = rows[first : first + 64]
        codes = torch.from_numpy(held_out.codes[some]).to(device)
        made = generator(generator.map(codes), "none")
        found.append(psnr(made, held_out.pictures(some).to(device)).cpu())
    each, media = torch.cat(found), [p.medium for p in held_out.portraits(rows)]
    figures = {"PSNR": round(each.mean().item(), 2)}
    for medium in sorted(set(media)):
        mask = torch.tensor([m == medium for m in media])
        figures[f"PSNR, {medium}"] = round(each[mask].mean().item(), 2)
    return figures


@torch.no_grad()
def leave_latents(folder: Path, medium: str, count: int, seed: int) -> Path:
    """A model of (count, w_dim) codes of the starter's generator: portraits in one medium.

    Raises:
        LimnerError: BAD_INPUT if there is no such medium.
    """
    if medium not in ATTRIBUTES["medium"].classes:
        raise LimnerError(ErrorCode.BAD_INPUT, f"There is no medium {medium[:40]!r}.")
    some = Paintings(8 * count, seed)  # every medium is a fifth of all at least
    people = some.portraits(range(len(some)))
    rows = [k for k, p in enumerate(people) if p.medium == medium][:count]
    w = stylegan2.load(PORTRAITS, torch.device("cpu")).map(torch.from_numpy(some.codes[rows]))
    config = {"space": "w", "count": len(rows), "w_dim": w.shape[-1]}
    card = {
        "name": folder.name, "generator": PORTRAITS, "licence": "GPL-3.0-or-later",
        "note": f"{len(rows)} {medium} portraits", "made": "by `limner train latents`",
        "settings": {"medium": medium, "count": count, "seed": seed},
    }  # fmt: skip
    return leave(folder, "latents", config, {"w": w[:, 0]}, card)
