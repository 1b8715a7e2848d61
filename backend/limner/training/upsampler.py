"""Training unCLIP's upsamplers on pictures alone (arXiv 2204.06125, section 2.1 and appendix C).

From crops of a quarter of the side: each is made small and spoilt (`training.degradation`), and the
network learns to find the crop in noise again. All randomness comes from (seed, step).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.chance import random_of
from limner.models.networks import leave
from limner.models.unclip.sampling import target_of
from limner.models.unclip.upsampler import Config, Sampling, Upsampler, blank
from limner.training.crew import shared
from limner.training.degradation import blurred, degraded, reduced
from limner.training.generator import psnr
from limner.training.loop import Figures, Run, course, descend, set_rate
from limner_wire.errors import ErrorCode, LimnerError

DEGRADATIONS = ("blur", "bsr")
MEASURED_STEPS = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        crop: the side of what is learned from, in pixels of the large pictures.
        degradation: of `DEGRADATIONS`: what the first upsampler learns from, or the second.
        decay: of the moving average that is kept.
        held_out: how many pictures it is measured on at the end, at most a tenth of them.
    """

    steps: int = 20_000
    batch: int = 16
    rate: float = 5e-4
    warmup: int = 200
    cooldown: float = 0.3
    crop: int = 64
    degradation: str = "blur"
    decay: float = 0.999
    held_out: int = 32
    seed: int = 0
    bf16: bool = False


class Trainer:
    """One run.

    Args:
        pictures: (3, H, W) uint8 each, no side smaller than a crop.

    Raises:
        LimnerError: BAD_INPUT if they are, or a crop is of no size that the network can work on.
    """

    def __init__(
        self, settings: Settings, config: Config, pictures: Sequence[np.ndarray], folder: Path,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.settings, self.device = settings, device
        _check(settings, config, pictures)
        torch.manual_seed(settings.seed)
        self.upsampler = Upsampler(config, blank(config).to(device))
        network = self.upsampler.network
        self.adam = torch.optim.AdamW(network.parameters(), settings.rate, (0.9, 0.999), fused=True)
        self.run = Run(folder, settings, {"network": network}, {"adam": self.adam}, "network")
        order = torch.randperm(len(pictures), generator=random_of(settings.seed, 0)).tolist()
        kept = min(settings.held_out, len(pictures) // 10)
        self.held_out = [pictures[row] for row in order[:kept]]
        self.pictures = [pictures[row] for row in order[kept:]]

    def advance(self) -> Figures:
        """One step."""
        s, step = self.settings, self.run.step
        set_rate(self.adam, s.rate * course(step, s.steps, s.warmup, s.cooldown))
        loss = self.loss(step)
        descend(self.adam, loss, 1.0)
        self.run.step += 1
        self.run.follow(s.decay)
        return {"loss": loss.item()}

    def loss(self, step: int) -> Tensor:
        """(), of some crops, each with noise of its own at a time of its own."""
        s, config, schedule = self.settings, self.upsampler.config, self.upsampler.schedule
        chance = random_of(s.seed, step)
        clean = self.crops(chance)
        low = small(clean, config.scale, s.degradation, random.Random(chance.initial_seed()))
        times = torch.randint(len(schedule), (s.batch,), generator=chance)
        noise = torch.randn(clean.shape, generator=chance).to(self.device)
        clean, low = clean.to(self.device), low.to(self.device)
        noisy = schedule.noised(clean, noise, times)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=s.bf16):
            out = shared(
                lambda part: self.upsampler(
                    noisy[part], low[part], times[part].to(self.device)
                ).float(),
                s.batch,
            )
        kept = schedule.kept[times].float().to(self.device)[:, None, None, None]
        return F.mse_loss(out, target_of(config.prediction, clean, noise, kept))

    def crops(self, chance: torch.Generator) -> Tensor:
        """(B, 3, crop, crop) in [-1, 1], half of them mirrored."""
        s = self.settings
        out = torch.empty(s.batch, 3, s.crop, s.crop)
        for crop in out:
            picture = self.pictures[int(torch.randint(len(self.pictures), (), generator=chance))]
            top, left = (int(torch.randint(side - s.crop + 1, (), generator=chance))
                         for side in picture.shape[1:])  # fmt: skip
            part = picture[:, top : top + s.crop, left : left + s.crop]
            crop.copy_(torch.from_numpy(np.array(part)))
        mirrored = torch.rand(s.batch, generator=chance) < 0.5
        out[mirrored] = out[mirrored].flip(3)
        return out / 127.5 - 1

    def export(self) -> Path:
        """The averaged upsampler, with its figures on its card."""
        config, state = self.upsampler.config, self.run.averaged_state()
        best = Upsampler(config, blank(config).to(self.device))
        best.network.load_state_dict(state)
        card = {"name": self.run.folder.name, "made": "by `limner train upsampler`",
                "pictures": len(self.pictures), "steps": self.run.step, "settings": self.settings,
                "measured": evaluate(best, self.held_out)}  # fmt: skip
        return leave(self.run.folder, "upsampler", config.to_json(), state, card, is_small=True)


def small(clean: Tensor, scale: int, degradation: str, chance: random.Random) -> Tensor:
    """(B, 3, H / scale, W / scale) of (B, 3, H, W), spoilt as one of `DEGRADATIONS` says."""
    if degradation == "bsr":
        return degraded(clean, scale, chance)
    return blurred(reduced(clean, scale), chance)


def _check(settings: Settings, config: Config, pictures: Sequence[np.ndarray]) -> None:
    crop = settings.crop
    if crop % config.step_px:
        message = f"A crop's side is a multiple of {config.step_px} px, not {crop} px."
        raise LimnerError(ErrorCode.BAD_INPUT, message)
    if not pictures or min(min(p.shape[1:]) for p in pictures) < crop:
        message = f"Every picture's sides must be at least {crop} px, a crop's."
        raise LimnerError(ErrorCode.BAD_INPUT, message)
    if settings.degradation not in DEGRADATIONS:
        message = f"There is no degradation {settings.degradation!r:.40}."
        raise LimnerError(ErrorCode.BAD_INPUT, message, f"One of: {', '.join(DEGRADATIONS)}.")


def evaluate(upsampler: Upsampler, pictures: Sequence[np.ndarray]) -> Figures:
    """Pictures made small, and large again: PSNR in dB of that, and of bicubic interpolation."""
    found: dict[str, list[float]] = {"PSNR": [], "bicubic": []}
    for picture in pictures:
        clean = _whole(picture, upsampler.config).to(upsampler.device)
        low = reduced(clean, upsampler.config.scale)
        sampling = Sampling(upsampler, low, MEASURED_STEPS, seed=0)
        found["bicubic"] += psnr(sampling.picture(), clean).tolist()
        while sampling.step < sampling.total:
            sampling.advance()
        found["PSNR"] += psnr(sampling.picture(), clean).tolist()
    return {name: round(float(np.mean(each)), 2) for name, each in found.items() if each}


def _whole(picture: np.ndarray, config: Config) -> Tensor:
    """(1, 3, H, W) in [-1, 1], as much of it as the network can work on."""
    height, width = (side - side % config.step_px for side in picture.shape[1:])
    return torch.from_numpy(np.array(picture[None, :, :height, :width])).float() / 127.5 - 1


def read_packed(path: Path) -> list[np.ndarray]:
    """The pictures of an .npy, (N, 3, H, W) uint8, each read when it is looked at.

    Raises:
        LimnerError: UNREADABLE if it is no such file.
    """
    try:
        packed = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as problem:
        raise LimnerError(ErrorCode.UNREADABLE, f"{path} can't be read.") from problem
    if packed.ndim != 4 or packed.shape[1] != 3 or packed.dtype != np.uint8:
        raise LimnerError(ErrorCode.UNREADABLE, f"{path} holds no pictures.")
    return list(packed)
