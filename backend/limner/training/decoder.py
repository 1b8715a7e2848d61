"""Training unCLIP's decoder on captioned pictures (arXiv 2204.06125, section 2.1 and appendix C).

The loss is the squared error of what the network predicts, weighted as the clean picture's error is
by the ratio of signal to noise, at least 1 (Salimans and Ho 2022, arXiv 2202.00512: where little is
seen of the picture, what is told decides what becomes of it), at most 5 (min-SNR: Hang et al. 2023,
arXiv 2303.09556). In a tenth of the pictures
the embedding is dropped, in a half the caption, so that guidance has something to lead away from.
All randomness comes from (seed, step).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from limner.chance import random_of
from limner.models.clip import Words
from limner.models.networks import leave
from limner.models.unclip.decoder import Config, Decoder
from limner.models.unclip.prior import each
from limner.models.unclip.sampling import target_of
from limner.training.captioned import Captioned
from limner.training.crew import shared
from limner.training.loop import Figures, Run, course, descend, set_rate
from limner.training.muon import optimizers

LEAST_WEIGHT, MOST_WEIGHT = 1.0, 5.0
MOST_NORM = 1.0  # of a step's gradient
WEIGHT_DECAY = 0.01
# the CPU's flash kernel has a slow backward pass for as few tokens as a decoder has
FASTEST = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        drop_picture, drop_caption: how often the embedding and the caption are left out.
        decay: of the moving average that is kept.
    """

    steps: int = 40_000
    batch: int = 32
    rate: float = 8e-4
    warmup: int = 500
    cooldown: float = 0.3
    drop_picture: float = 0.1
    drop_caption: float = 0.5
    decay: float = 0.999
    seed: int = 0
    bf16: bool = False


class Trainer:
    """One run."""

    def __init__(
        self, settings: Settings, config: Config, data: Captioned, folder: Path,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.settings, self.data, self.device = settings, data, device
        torch.manual_seed(settings.seed)
        self.decoder = Decoder(config).to(device).to(memory_format=torch.channels_last).train()
        kinds = optimizers(self.decoder, settings.rate, WEIGHT_DECAY)
        self.run = Run(folder, settings, {"decoder": self.decoder}, kinds, "decoder")

    def advance(self) -> Figures:
        """One step."""
        s, step = self.settings, self.run.step
        several = list(self.run.optimizers.values())
        for one in several:
            set_rate(one, s.rate * course(step, s.steps, s.warmup, s.cooldown))
        chance = random_of(s.seed, step)
        rows = torch.randint(len(self.data), (s.batch,), generator=chance).tolist()
        loss = self.loss(rows, chance)
        descend(several, loss, MOST_NORM)
        self.run.step += 1
        self.run.follow(s.decay)
        return {"loss": loss.item()}

    def loss(self, rows: Sequence[int], chance: torch.Generator) -> Tensor:
        """(), of some pictures, each with noise of its own at a time of its own."""
        s, device, schedule = self.settings, self.device, self.decoder.schedule
        clean = self.data.pictures(rows).to(device)
        times = torch.randint(len(schedule), (len(rows),), generator=chance)
        noise = torch.randn(clean.shape, generator=chance).to(device)
        left_out = torch.rand(2, len(rows), generator=chance).to(device)
        without, silent = left_out[0] < s.drop_picture, left_out[1] < s.drop_caption
        words = self.read(rows, silent, int(torch.randint(2**31, (), generator=chance)))
        noisy = schedule.noised(clean, noise, times)
        embedded = self.decoder.embedded(self.data.embeddings[rows].to(device), without)

        def look(part: slice) -> Tensor:
            told = each(words, lambda t: t[part])
            out: Tensor
            out, share = self.decoder(noisy[part], times[part].to(device), embedded[part], told)
            assert share is None, "a learned variance is for published weights"  # noqa: S101
            return out.float()

        quick = sdpa_kernel(SDPBackend.MATH if device.type == "cpu" else FASTEST)
        with quick, torch.autocast(device.type, torch.bfloat16, enabled=s.bf16):
            out = shared(look, len(rows))
        kept, prediction = schedule.kept[times], self.decoder.config.prediction
        wanted = target_of(prediction, clean, noise, kept[:, None, None, None])
        error = (out - wanted).square().mean((1, 2, 3))
        loss: Tensor = (error * weights(prediction, kept).to(error)).mean()
        return loss

    def read(self, rows: Sequence[int], silent: Tensor, seed: int) -> Words:
        """Captions of pictures, empty where silent."""
        captions = self.data.captions(rows, random.Random(seed))
        return self.data.clip.read(
            ["" if s else text for text, s in zip(captions, silent.tolist(), strict=True)]
        )

    def export(self) -> Path:
        """The averaged decoder."""
        card = {"name": self.run.folder.name, "made": "by `limner train decoder`",
                "pictures": len(self.data), "steps": self.run.step,
                "settings": self.settings}  # fmt: skip
        config = self.decoder.config.to_json()
        state = self.run.averaged_state()
        return leave(self.run.folder, "decoder", config, state, card, is_small=True)


def weights(prediction: str, kept: Tensor) -> Tensor:
    """(B,), what errors of a prediction count at (B,) parts that are kept: the same for all kinds,
    SNR of the clean picture's error, from 1 to 5."""
    ratio = kept / (1 - kept)
    of_clean = ratio.clamp(LEAST_WEIGHT, MOST_WEIGHT)
    return {"sample": of_clean, "epsilon": of_clean / ratio, "v": of_clean / (ratio + 1)}[
        prediction
    ]
