"""Small generators and what belongs to them, as files in a models folder."""

from __future__ import annotations

from pathlib import Path

import torch

from limner.models import networks
from limner.models.clip import Clip
from limner.models.encoders import Config as EncoderConfig
from limner.models.encoders import Encoder
from limner.models.mapper import Mapper
from limner.models.networks import leave
from limner.models.stylegan2 import Config, Generator
from limner.training import directions, encoder

NAME = "small"
CONFIG = Config(16, (12, 12, 8), z_dim=16, w_dim=16, mapping_layers=2, mapping_rate=1.0)


def generator(seed: int = 3, noise: float = 0.0) -> Generator:
    """A generator of 16 x 16 pixels that nobody trained: its pictures are smooth patches."""
    torch.manual_seed(seed)
    made = Generator(CONFIG).eval().requires_grad_(False)
    for block in made.blocks.values():
        block.rgb.weight.mul_(0.35)
    for layer in made.convolutions():
        layer.noise_strength.fill_(noise)
    made.w_avg.copy_(made.mean_w(1000, torch.Generator().manual_seed(1)))
    return made


def install(folder: Path, *, noise: float = 0.0, clip: Clip | None = None) -> Generator:
    """The generator in a models folder; and its directions for a CLIP, if there is one."""
    made = generator(noise=noise)
    tensors = made.state_dict()
    leave(folder / NAME, "generator", CONFIG.to_json(), tensors, {"note": "small"}, whole=("",))
    if clip is not None:
        settings = directions.Settings(samples=4, batch=64)
        measured = directions.Measurement(made, clip, folder / f"{NAME}-directions", settings)
        while measured.done < len(measured.channels):
            measured.advance()
        measured.export(NAME, "a person")
    return made


def install_encoder(folder: Path, made: Generator) -> Encoder:
    """An encoder that finds every picture to be near the mean."""
    torch.manual_seed(5)
    config = EncoderConfig(encoder.BODY, CONFIG.latents, CONFIG.w_dim, 64)
    blank = Encoder(config).eval()
    blank.latent_avg.copy_(made.w_avg.expand(CONFIG.latents, -1))
    told = {**config.to_json(), "generator": NAME}
    leave(folder / f"{NAME}-encoder", "encoder", told, blank.state_dict(), {}, whole=("",))
    assert networks.find("encoder", f"{NAME}-encoder")
    return blank


def install_mapper(folder: Path, made: Generator, prompt: str) -> Mapper:
    """A mapper that nobody trained."""
    torch.manual_seed(9)
    told = {"parts": ["coarse", "medium"], "prompt": prompt, "generator": NAME}
    mapper = Mapper(told, made.config)
    leave(folder / f"{NAME}-mapper", "mapper", told, mapper.tensors(), {}, whole=("",))
    return mapper


def code(made: Generator, seed: int = 7) -> torch.Tensor:
    """(1, L, w_dim) of a random picture."""
    z = torch.randn(1, CONFIG.z_dim, generator=torch.Generator().manual_seed(seed))
    return made.map(z, truncation=0.7)


def picture(made: Generator, seed: int = 7) -> torch.Tensor:
    """(3, 16, 16) in [0, 1], one that it can paint."""
    return ((made(code(made, seed))[0].clamp(-1, 1) + 1) / 2).detach()
