"""Training unCLIP's priors on captions and image embeddings (Ramesh et al. 2022, arXiv 2204.06125,
section 2.2 and appendix C): optimisers, weight decay and the dropping of captions are the paper's.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from limner.chance import random_of
from limner.models.clip import Clip, Words
from limner.models.networks import leave
from limner.models.unclip import autoregressive_prior, diffusion_prior
from limner.models.unclip.autoregressive_prior import AutoregressivePrior
from limner.models.unclip.diffusion_prior import DiffusionPrior
from limner.models.unclip.prior import dropped, each
from limner.models.unclip.quantizer import PCA, Buckets
from limner.training.captioned import Captioned
from limner.training.crew import shared
from limner.training.loop import Figures, Run, course, descend, set_rate

CAPTIONED = 10_000  # pictures by which z_i . z_t is put in buckets
LOT = 512  # captions at a time
MOST_NORM = 1.0  # of a step's gradient


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train either.

    Attributes:
        drop: how often the caption is left out.
        decay: of the moving average that is kept.
        betas, eps, weight_decay: of AdamW.
    """

    steps: int = 20_000
    batch: int = 64
    rate: float = 5e-4
    warmup: int = 500
    cooldown: float = 0.3
    drop: float = 0.1
    decay: float = 0.9995
    betas: tuple[float, float] = (0.9, 0.96)
    eps: float = 1e-6
    weight_decay: float = 6e-2
    seed: int = 0
    bf16: bool = False


@dataclass(frozen=True, slots=True)
class TokenSettings(Settings):
    """How to train the autoregressive one."""

    betas: tuple[float, float] = (0.9, 0.91)
    eps: float = 1e-10
    weight_decay: float = 4e-2


class _Trainer:
    """One run; what both have in common."""

    def __init__(
        self, settings: Settings, prior: nn.Module, data: Captioned, folder: Path,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.settings, self.data, self.device = settings, data, device
        s, network = settings, prior.to(device).train()
        learning = [p for p in network.parameters() if p.requires_grad]
        self.adam = torch.optim.AdamW(
            learning, s.rate, s.betas, s.eps, weight_decay=s.weight_decay, fused=True
        )
        self.run = Run(folder, settings, {"prior": network}, {"adam": self.adam}, "prior")
        self.empty = self.read([""])

    def read(self, captions: Sequence[str]) -> Words:
        """What the CLIP makes of captions."""
        return each(self.data.clip.read(captions), lambda t: t.to(self.device))

    def batch(self, chance: torch.Generator) -> tuple[Tensor, Words, Words]:
        """(B, D) embeddings, their captions, and these as they are told: some left out."""
        s = self.settings
        rows = torch.randint(len(self.data), (s.batch,), generator=chance).tolist()
        teller = random.Random(int(torch.randint(2**31, (), generator=chance)))
        silent = (torch.rand(s.batch, generator=chance) < s.drop).to(self.device)
        words = self.read(self.data.captions(rows, teller))
        z = self.data.embeddings[rows].to(self.device)
        return z, words, dropped(words, self.empty, silent)

    def loss(self, chance: torch.Generator) -> Tensor:
        """() of a batch."""
        raise NotImplementedError

    def advance(self) -> Figures:
        """One step."""
        s, step = self.settings, self.run.step
        set_rate(self.adam, s.rate * course(step, s.steps, s.warmup, s.cooldown))
        loss = self.loss(random_of(s.seed, step))
        descend(self.adam, loss, MOST_NORM)
        self.run.step += 1
        self.run.follow(s.decay)
        return {"loss": loss.item()}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16)

    def _left(
        self, config: Mapping[str, Any], command: str, whole: tuple[str, ...], **facts: float
    ) -> Path:
        card = {"name": self.run.folder.name, "made": f"by `limner train {command}`",
                "pictures": len(self.data), "steps": self.run.step, "settings": self.settings,
                **facts}  # fmt: skip
        state = self.run.averaged_state()
        return leave(self.run.folder, "prior", config, state, card, whole, is_small=True)


class DiffusionTrainer(_Trainer):
    """One run of the diffusion prior: the squared error of the clean embedding, each at a time of
    its own."""

    def __init__(
        self, settings: Settings, config: diffusion_prior.Config, data: Captioned, folder: Path,
        device: torch.device,
    ) -> None:  # fmt: skip
        torch.manual_seed(settings.seed)
        self.prior = DiffusionPrior(config)
        super().__init__(settings, self.prior, data, folder, device)

    def loss(self, chance: torch.Generator) -> Tensor:
        """() of a batch."""
        z, _, told = self.batch(chance)
        times = torch.randint(len(self.prior.schedule), (len(z),), generator=chance)
        noise = torch.randn(z.shape, generator=chance).to(self.device)

        def look(part: slice) -> Tensor:
            words = each(told, lambda t: t[part])
            return self.prior.loss(z[part], words, times[part], noise[part]).expand(len(z[part]))

        with self._autocast():
            return shared(look, len(z)).mean()

    def export(self) -> Path:
        """The averaged prior."""
        return self._left(self.prior.config.to_json(), "prior", ("clip_",))


class TokenTrainer(_Trainer):
    """One run of the autoregressive prior: the cross entropy of its components.

    Args:
        config: `kept` is how many components there may be; fewer if fewer are enough.

    Attributes:
        lost: the part of the embeddings' variance that the components leave out.
    """

    def __init__(
        self, settings: TokenSettings, config: autoregressive_prior.Config, data: Captioned,
        folder: Path, device: torch.device,
    ) -> None:  # fmt: skip
        pca, self.lost = PCA.fit(data.embeddings, config.kept)
        torch.manual_seed(settings.seed)
        self.prior = AutoregressivePrior(replace(config, kept=len(pca.components)))
        self.prior.pca = pca
        self.prior.buckets = Buckets.fit(pca.project(data.embeddings), config.buckets)
        self.prior.dots = Buckets.fit(agreements(data, settings.seed)[:, None], config.buckets)
        super().__init__(settings, self.prior, data, folder, device)

    def loss(self, chance: torch.Generator) -> Tensor:
        """() of a batch. That a picture agrees with its caption is told even where the caption is
        left out: guidance then leads along the words, and not along how well they fit."""
        z, words, told = self.batch(chance)
        tokens, agreement = self.prior.tokens(z), self.prior.agreement(z, words)

        def look(part: slice) -> Tensor:
            words = each(told, lambda t: t[part])
            return self.prior.loss(words, agreement[part], tokens[part]).expand(len(tokens[part]))

        with self._autocast():
            return shared(look, len(z)).mean()

    def export(self) -> Path:
        """The averaged prior."""
        config = self.prior.config.to_json()
        return self._left(config, "ar-prior", autoregressive_prior.FITTED, lost=self.lost)


def agreements(data: Captioned, seed: int) -> Tensor:
    """(N,) z_i . z_t of some of the pictures, each with one of its captions."""
    chance = random_of(seed, 0)
    rows = torch.randperm(len(data), generator=chance)[:CAPTIONED]
    teller, found = random.Random(seed), []
    for lot in rows.split(LOT):
        texts = data.clip.read(data.captions(lot.tolist(), teller)).embedding
        found.append((data.embeddings[lot] * texts.cpu()).sum(1))
    return torch.cat(found)


def sizes(clip: Clip) -> dict[str, Any]:
    """What the config of a prior has of its CLIP."""
    empty = clip.read([""])
    _, length, states = empty.states.shape
    return {"clip": clip.name, "embedding": empty.embedding.shape[1], "states": states,
            "length": length}  # fmt: skip
