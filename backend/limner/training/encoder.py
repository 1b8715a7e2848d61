"""The starter's encoder: a picture to the code in W+ from which the generator paints it again.

The network of e4e (`models.encoders`), small. Other than for photographs, the right answer is
known for every portrait: the mapping network says the W of its code. So the loss is the distance to
it, in every layer of W+, and how far the repainted picture is from the one that was seen. Half of
the pictures are painted, half generated, the latter from softened codes: what an encoder is asked
for need not be a portrait that the painter would paint.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.chance import random_of
from limner.models.arcface import Body
from limner.models.encoders import Config, Encoder
from limner.models.networks import at, frozen, leave
from limner.models.stylegan2 import Config as GeneratorConfig
from limner.models.stylegan2 import Generator
from limner.training.crew import shared
from limner.training.generator import edge_loss, psnr
from limner.training.loop import Figures, Run, course, descend, set_rate
from limner.training.paintings import HELD_OUT, Paintings
from limner.training.portrait_mapping import JUMPING, softened
from limner.training.portraits.painter import SIDE_PX
from limner_wire.errors import ErrorCode, LimnerError

BODY = Body((16, 32, 96, 160, 160), (1, 1, 2, 2))


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        pixels, edges, latents: weights of the picture's and of W+'s distances.
        seeing_from: the part of the steps from which on pictures are compared too: before, what the
            generator would paint has nothing to do with the portrait.
        held_out: how many portraits it is measured on at the end.
        generated: the part of a batch that the generator paints; `softest` as in its training.
    """

    steps: int = 12_000
    batch: int = 16
    rate: float = 1e-3
    warmup: int = 200
    cooldown: float = 0.5
    pool: int = 200_000
    pixels: float = 1.0
    edges: float = 1.0
    latents: float = 1.0
    seeing_from: float = 0.3
    generated: float = 0.5
    softest: float = 0.35
    decay: float = 0.999
    seed: int = 3
    held_out: int = 512
    bf16: bool = False


class Trainer:
    """One run, towards a generator, which stays as it is.

    Args:
        name: the generator's, for the encoder's config.
    """

    def __init__(
        self,
        settings: Settings,
        generator: Generator,
        paintings: Paintings,
        folder: Path,
        device: torch.device,
        name: str = "",
    ) -> None:
        self.settings, self.paintings, self.device = settings, paintings, device
        self._name = name
        self.generator = generator.to(device).eval().requires_grad_(False)
        torch.manual_seed(settings.seed)
        self.encoder = blank(self.generator).to(device)
        self.adam = torch.optim.Adam(self.encoder.parameters(), lr=settings.rate, fused=True)
        networks, optimizers = {"encoder": self.encoder}, {"adam": self.adam}
        self.run = Run(folder, settings, networks, optimizers, "encoder")

    @torch.no_grad()
    def batch(self, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, 3, 64, 64) pictures, generated ones first, and the (B, w_dim) that they come from."""
        s = self.settings
        rows = torch.randint(len(self.paintings), (s.batch,), generator=chance).tolist()
        shuffle = torch.rand(s.batch, len(JUMPING), 2, generator=chance).to(self.device)
        w = self.generator.mapping(torch.from_numpy(self.paintings.codes[rows]).to(self.device))
        own = round(s.batch * s.generated)
        painted = self.paintings.pictures(rows[own:]).to(self.device)
        if own == 0:
            return painted, w
        w = torch.cat([softened(w, shuffle, s.softest)[:own], w[own:]])
        made = self.generator(self._plus(w[:own]), "none").clamp(-1, 1)
        return torch.cat([made, painted]), w

    def _plus(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, self.generator.config.latents, -1)

    def advance(self) -> Figures:
        """One step."""
        s, step = self.settings, self.run.step
        set_rate(self.adam, s.rate * course(step, s.steps, s.warmup, s.cooldown))
        pictures, w = self.batch(random_of(s.seed, step))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=s.bf16):
            found = shared(lambda part: self.encoder(pictures[part]).float(), len(pictures))
        latents = F.smooth_l1_loss(found, self._plus(w))
        loss, figures = s.latents * latents, {"latents": latents.item()}
        if step >= s.seeing_from * s.steps:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=s.bf16):
                again = shared(lambda part: self.generator(found[part], "none").float(), len(w))
            pixels, edges = F.l1_loss(again, pictures), edge_loss(again, pictures)
            loss = loss + s.pixels * pixels + s.edges * edges
            figures |= {"pixels": pixels.item(), "edges": edges.item()}
        descend(self.adam, loss)
        self.run.step += 1
        self.run.follow(s.decay)
        return figures

    def export(self) -> Path:
        """The averaged encoder, with its figures on its card."""
        best = blank(self.generator).to(self.device)
        best.load_state_dict(self.run.averaged_state())
        measured = evaluate(best.eval(), self.generator, self.settings.held_out)
        card = {"name": "portraits-encoder", "licence": "GPL-3.0-or-later",
                "made": "by `limner train encoder`, from nothing, for the generator of portraits",
                "steps": self.run.step, "settings": self.settings,
                "measured": measured}  # fmt: skip
        config = {**best.config.to_json(), "generator": self._name or None}
        return leave(self.run.folder, "encoder", config, best.state_dict(), card)


def blank(generator: Generator) -> Encoder:
    """An encoder for a generator, which finds its mean in every picture so far."""
    room = generator.config
    encoder = Encoder(Config(BODY, room.latents, room.w_dim, SIDE_PX))
    encoder.latent_avg.copy_(generator.w_avg.expand(room.latents, -1))
    return encoder


def generator_in(folder: Path, device: torch.device | None = None) -> Generator:
    """The generator that lies in a folder.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none.
    """
    found = at(folder)
    if found is None or found.kind != "generator":
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"There is no generator in {folder}.",
            "Train one: limner train generator.",
        )
    return frozen(found, Generator(GeneratorConfig.from_json(found.config)), device)


@torch.no_grad()
def evaluate(encoder: Encoder, generator: Generator, count: int) -> Figures:
    """Held-out painted portraits, encoded and generated again: PSNR in dB."""
    held_out = Paintings(count, HELD_OUT)
    device, found = generator.w_avg.device, []
    for first in range(0, count, 64):
        pictures = held_out.pictures(range(first, min(first + 64, count))).to(device)
        found.append(psnr(generator(encoder.encode(pictures), "none"), pictures).cpu())
    each = torch.cat(found)
    return {
        "PSNR": round(each.mean().item(), 2),
        "the worst twentieth": round(each.quantile(0.05).item(), 2),
    }
