"""StyleGAN2 trained on a folder of pictures, as its authors train it (Karras et al. 2020, arXiv
1912.04958): a generator against a discriminator.

    L_D = softplus(D(G(z))) + softplus(-D(x))                    non-saturating logistic loss
          + gamma / 2 · ||grad_x D(x)||²                         R1 (Mescheder et al. 2018)
    L_G = softplus(-D(G(z))) + 2 · (||J_w^T y|| - a)²            path length (eq. 4), a its mean

Both regularisers are lazy (appendix B): made every few steps only, weighted up by as much, with
Adam's constants adjusted. Codes of two portraits are mixed in 9 of 10 pictures (Karras et al. 2019,
section 3.1). It wants a GPU; on a CPU it is right, but slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.chance import random_of
from limner.models.networks import leave
from limner.models.stylegan2 import Config, Discriminator, Generator, mix
from limner.pictures import read_with_alpha
from limner.training import crew
from limner.training.crew import shared
from limner.training.folders import ENDINGS
from limner.training.loop import Figures, Run, descend
from limner_wire.errors import ErrorCode, LimnerError

MIXED = 0.9
PATH_WEIGHT, PATH_DECAY, PATH_PART = 2.0, 0.01, 2  # pictures of a step over those of a path step
W_DECAY = 0.998  # of W's mean


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        size: of the pictures made, in pixels, a power of two.
        base, widest: the widths, as `stylegan2.Config.of` has them.
        gamma: of R1; 0 asks for 0.0002 · size² / batch (Karras et al. 2020a, arXiv 2006.06676).
        r1_every, path_every: steps from one regularisation to the next; path 0 leaves it out.
        half_life: of the generator's moving average, in thousands of pictures.
    """

    steps: int = 100_000
    batch: int = 32
    size: int = 64
    base: int = 16384
    widest: int = 512
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    rate: float = 2e-3
    gamma: float = 0.0
    r1_every: int = 16
    path_every: int = 4
    half_life: float = 10.0
    mirror: bool = True
    seed: int = 0

    @property
    def r1(self) -> float:
        return self.gamma or 0.0002 * self.size**2 / self.batch


class PathLength(nn.Module):
    """The mean path length so far, kept with the networks.

    Attributes:
        mean: a scalar, 0 before the first step.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, lengths: Tensor) -> Tensor:
        """() how far (B,) path lengths are from the mean, squared (eq. 4)."""
        self.mean.lerp_(lengths.detach().mean(), PATH_DECAY)
        out: Tensor = (lengths - self.mean).square().mean()
        return out


def path_lengths(pictures: Tensor, w_plus: Tensor, noise: Tensor) -> Tensor:
    """(B,) how much pictures, seen along noise, change with their codes (eq. 4)."""
    y = noise / (pictures.shape[2] * pictures.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((pictures * y).sum(), w_plus, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


class Trainer:
    """One run.

    Args:
        pictures: (N, 3, size, size) uint8.
    """

    def __init__(
        self, settings: Settings, pictures: np.ndarray, folder: Path, device: torch.device
    ) -> None:
        self.settings, self.pictures, self.device = settings, pictures, device
        s = settings
        torch.manual_seed(s.seed)
        self.config = Config.of(
            s.size, s.base, s.widest, z_dim=s.z_dim, w_dim=s.w_dim, mapping_layers=s.mapping_layers
        )
        self.generator = Generator(self.config).to(device)
        self.discriminator = Discriminator(self.config).to(device)
        self.path = PathLength().to(device)
        self.g_adam = _lazy_adam(self.generator, s.rate, s.path_every)
        self.d_adam = _lazy_adam(self.discriminator, s.rate, s.r1_every)
        networks = {"generator": self.generator, "discriminator": self.discriminator,
                    "path": self.path}  # fmt: skip
        optimizers = {"generator": self.g_adam, "discriminator": self.d_adam}
        self.run = Run(folder, s, networks, optimizers, "generator")

    def advance(self) -> Figures:
        """One step of the discriminator, one of the generator, and what regularisation is due."""
        s, step = self.settings, self.run.step
        chance = random_of(s.seed, step)
        real = self.real(chance)
        figures = self.teach_discriminator(real, chance)
        if step % s.r1_every == 0:
            figures["r1"] = self.regularise_discriminator(real)
        figures["generator"] = self.teach_generator(chance)
        if s.path_every and step % s.path_every == 0:
            figures["path"] = self.regularise_generator(chance)
        self.run.step += 1
        self.run.follow(0.5 ** (s.batch / (s.half_life * 1000)))
        return figures

    def real(self, chance: torch.Generator) -> Tensor:
        """(B, 3, size, size) in [-1, 1], half of them mirrored if that is wanted."""
        rows = torch.randint(len(self.pictures), (self.settings.batch,), generator=chance)
        pictures = torch.from_numpy(self.pictures[rows.numpy()]).float() / 127.5 - 1
        if self.settings.mirror:
            turned = torch.rand(len(rows), generator=chance) < 0.5
            pictures[turned] = pictures[turned].flip(3)
        return pictures.to(self.device)

    def codes(self, count: int, chance: torch.Generator) -> Tensor:
        """(B, L, w_dim), of two random codes where they are mixed; W's mean follows."""
        z = torch.randn(2, count, self.settings.z_dim, generator=chance).to(self.device)
        first, second = self.generator.map(z[0]), self.generator.map(z[1])
        with torch.no_grad():
            self.generator.w_avg.lerp_(first[:, 0].mean(0), 1 - W_DECAY)
        if float(torch.rand((), generator=chance)) >= MIXED:
            return first
        crossover = int(torch.randint(1, self.config.latents, (), generator=chance))
        return mix(first, second, crossover)

    def made(self, w_plus: Tensor, chance: torch.Generator) -> Tensor:
        """Pictures with noise of their own."""
        noise = self.noise(len(w_plus), chance)
        return shared(
            lambda part: self.generator(w_plus[part], [n[part] for n in noise]), len(w_plus)
        )

    def noise(self, count: int, chance: torch.Generator) -> list[Tensor]:
        """(B, 1, size, size) for each layer."""
        sizes = [layer.size for layer in self.generator.convolutions()]
        drawn = [torch.randn(count, 1, size, size, generator=chance) for size in sizes]
        return [noise.to(self.device) for noise in drawn]

    def scores(self, pictures: Tensor) -> Tensor:
        """(B, 1) of the discriminator; its groups for the deviation in a batch are of the part that
        a process looks at."""
        return shared(lambda part: self.discriminator(pictures[part]), len(pictures))

    def teach_discriminator(self, real: Tensor, chance: torch.Generator) -> Figures:
        with torch.no_grad():
            fake = self.made(self.codes(len(real), chance), chance)
        of_real, of_fake = (self.scores(pictures) for pictures in (real, fake))
        loss = F.softplus(of_fake).mean() + F.softplus(-of_real).mean()
        descend(self.d_adam, loss)
        signs = of_real.detach().sign().mean().item()
        return {"discriminator": loss.item(), "sign of real": signs}

    def regularise_discriminator(self, real: Tensor) -> float:
        def look(part: slice) -> Tensor:
            seen = real[part].clone().requires_grad_(True)
            scores = self.discriminator(seen)
            (gradient,) = torch.autograd.grad(scores.sum(), seen, create_graph=True)
            return gradient.square().sum((1, 2, 3))

        penalty = shared(look, len(real)).mean()
        lazily = self.settings.r1 / 2 * self.settings.r1_every
        descend(self.d_adam, penalty * lazily)
        return penalty.item()

    def teach_generator(self, chance: torch.Generator) -> float:
        fake = self.made(self.codes(self.settings.batch, chance), chance)
        self.discriminator.requires_grad_(False)
        loss = F.softplus(-self.scores(fake)).mean()
        descend(self.g_adam, loss)
        self.discriminator.requires_grad_(True)
        return loss.item()

    def regularise_generator(self, chance: torch.Generator) -> float:
        w_plus = self.codes(max(crew.count(), self.settings.batch // PATH_PART), chance)
        noise, side = self.noise(len(w_plus), chance), self.config.size
        along = torch.randn(len(w_plus), 3, side, side, generator=chance).to(self.device)

        def look(part: slice) -> Tensor:
            codes = w_plus[part]
            return path_lengths(self.generator(codes, [n[part] for n in noise]), codes, along[part])

        penalty: Tensor = self.path(shared(look, len(w_plus)))
        lazily = PATH_WEIGHT * self.settings.path_every
        descend(self.g_adam, penalty * lazily)
        return penalty.item()

    def export(self) -> Path:
        """The averaged generator."""
        card = {"name": self.run.folder.name, "made": "by `limner train generator --folder`",
                "pictures": len(self.pictures), "steps": self.run.step,
                "settings": self.settings}  # fmt: skip
        config, state = self.config.to_json(), self.run.averaged_state()
        return leave(self.run.folder, "generator", config, state, card)


def _lazy_adam(network: nn.Module, rate: float, every: int) -> torch.optim.Adam:
    """Adam for a loss that is regularised every so many steps (appendix B)."""
    c = every / (every + 1) if every else 1.0
    return torch.optim.Adam(network.parameters(), lr=rate * c, betas=(0.0, 0.99**c), eps=1e-8)


def read_pictures(folder: Path, size: int) -> np.ndarray:
    """(N, 3, size, size) uint8 of every picture in a folder and the folders in it: the square in
    the middle of each, on white where it is clear.

    Raises:
        LimnerError: UNREADABLE if there is none, or if one can't be read.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)
    if not paths:
        raise LimnerError(ErrorCode.UNREADABLE, f"{folder} holds no pictures.")
    return np.stack([_square(path, size) for path in paths])


def _square(path: Path, size: int) -> np.ndarray:
    rgba = read_with_alpha(path)
    picture = rgba[:3] * rgba[3:] + 1 - rgba[3:]
    height, width = picture.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[None, :, top : top + side, left : left + side]
    small = F.interpolate(square, (size, size), mode="bilinear", antialias=True)[0]
    out: np.ndarray = (small.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return out
