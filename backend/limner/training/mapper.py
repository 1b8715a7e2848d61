"""Training a latent mapper (Patashnik et al. 2021, arXiv 2103.17249, section 5, eq. 4):

    min_M  clip * D_CLIP(G(w'), t) + latents * |w' - w|^2 + identity * L_ID(G(w'), G(w))
    w' = w + step * M(w)

over latent codes of many pictures: those that are given (inverted pictures), or random ones. The
weights and the rate are the authors'; their optimiser is Ranger, here it is Adam.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.chance import random_of
from limner.losses.domain import directional
from limner.losses.words import seen, set_apart
from limner.models.arcface import ArcFace
from limner.models.clip import Clip
from limner.models.mapper import RATE, STEP, Mapper
from limner.models.networks import leave
from limner.models.stylegan2 import Generator
from limner.training.crew import shared
from limner.training.loop import Figures, Run, course, descend, set_rate
from limner_wire.errors import ErrorCode, LimnerError


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        prompt: what a picture should become.
        neutral: what it is before; then the change of pictures is held to the change of words
            (directional, Gal et al. 2022, arXiv 2108.00946, eq. 2) instead of the picture to the
            prompt. Nothing for the paper's loss.
        parts: levels of W+ ("coarse", "medium", "fine", "all"), or of style space ("style.03").
        further: how many times as far as it has learned a mapper goes at strength 1: the change of
            words says where to, not how far.
        clip, identity, latents: weights of the terms.
        contrast: as `losses.words.set_apart`.
        truncation: of random codes.
    """

    prompt: str
    neutral: str = ""
    parts: tuple[str, ...] = ("coarse", "medium", "fine")
    further: float = 1.0
    steps: int = 5000
    batch: int = 4
    rate: float = 0.5
    warmup: int = 50
    cooldown: float = 0.3
    clip: float = 1.0
    identity: float = 0.1
    latents: float = 0.8
    contrast: float = 0.0
    truncation: float = 0.7
    decay: float = 0.99
    seed: int = 11


class Trainer:
    """One run for one prompt.

    Args:
        codes: (N, L, w_dim) to learn on; random ones if None.
        name: of the generator, for the mapper's config.
    """

    def __init__(
        self, settings: Settings, generator: Generator, clip: Clip, folder: Path,
        identity: ArcFace | None = None, codes: Tensor | None = None, name: str = "",
    ) -> None:  # fmt: skip
        if not settings.prompt.strip() or not settings.parts:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "A mapper needs a prompt and a part.", "Say what it learns."
            )
        self.settings, self.generator, self.clip = settings, generator, clip
        self._identity, self._codes, self._name = identity, codes, name
        in_styles = settings.parts[0].startswith("style.")
        self.config = {
            "space": "s" if in_styles else "w_plus", "parts": sorted(settings.parts),
            "rate": RATE, "step": STEP, "normalizes": "channels", "prompt": settings.prompt,
            "generator": name or None,
        }  # fmt: skip
        torch.manual_seed(settings.seed)
        device = generator.w_avg.device
        self.mapper = Mapper(self.config, generator.config).to(device)
        self.adam = torch.optim.Adam(self.mapper.parameters(), lr=settings.rate)
        self._text = set_apart(clip, [settings.prompt], settings.contrast)[0]
        if settings.neutral:
            change = self._text - set_apart(clip, [settings.neutral], settings.contrast)[0]
            self._text = F.normalize(change, dim=0)
        self.run = Run(folder, settings, {"mapper": self.mapper}, {"adam": self.adam}, "mapper")

    @torch.no_grad()
    def batch(self, chance: torch.Generator) -> Tensor:
        """(B, L, w_dim) codes to learn on."""
        s = self.settings
        if self._codes is not None:
            rows = torch.randint(len(self._codes), (s.batch,), generator=chance)
            return self._codes[rows].to(self.generator.w_avg)
        return self.generator.random(s.batch, chance, s.truncation)

    def advance(self) -> Figures:
        """One step."""
        s, step = self.settings, self.run.step
        set_rate(self.adam, s.rate * course(step, s.steps, s.warmup, s.cooldown))
        w = self.batch(random_of(s.seed, step))
        names: list[str] = []

        def look(part: slice) -> Tensor:
            losses = self.losses(w[part])
            names[:] = losses
            return torch.stack(list(losses.values())).expand(len(w[part]), -1)

        each = shared(look, len(w)).mean(0)
        descend(self.adam, each.sum())
        self.run.step += 1
        self.run.follow(s.decay)
        return dict(zip(names, each.tolist(), strict=True))

    def losses(self, w: Tensor) -> dict[str, Tensor]:
        """What is to fall, by name: each the mean of (B, L, w_dim) codes' edits."""
        s, styles = self.settings, self.generator.styles(w)
        with torch.no_grad():
            before = self.generator.render(styles)
        after, moved = self._edited(w, styles)
        losses = {"words": s.clip * self._far(before, after), "latents": s.latents * moved}
        if self._identity is not None and s.identity:
            with torch.no_grad():
                who = self._identity.identify(before)
            same = (self._identity.identify(after) * who).sum(1)
            losses["identity"] = s.identity * (1 - same).mean()
        return losses

    def _edited(self, w: Tensor, styles: list[Tensor]) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) the edited pictures, and () how far their codes are."""
        if self.mapper.in_styles:
            changes = [self.mapper.step * c for c in self.mapper.on_styles(styles)]
            moved = torch.stack([c.square().mean() for c in changes]).sum()
            rows = zip(styles, changes, strict=True)
            return self.generator.render([s + c for s, c in rows]), moved
        change = self.mapper.step * self.mapper(w)
        return self.generator(w + change), change.square().mean()

    def _far(self, before: Tensor, after: Tensor) -> Tensor:
        """() how far the edited pictures are from the words."""
        now = seen(self.clip, after)
        if not self.settings.neutral:
            return 1 - (now @ self._text).mean()
        with torch.no_grad():
            was = seen(self.clip, before)
        return directional(was, now, self._text)

    def export(self) -> Path:
        """The averaged mapper."""
        best = Mapper(self.config, self.generator.config)
        best.load_state_dict(self.run.averaged_state())
        card = {"note": f"mapper: {self.settings.prompt}", "prompt": self.settings.prompt,
                "licence": "GPL-3.0-or-later", "made": "by `limner train mapper`",
                "clip": self.clip.name, "steps": self.run.step,
                "settings": self.settings}  # fmt: skip
        config = {**self.config, "step": STEP * self.settings.further}
        return leave(self.run.folder, "mapper", config, best.tensors(), card)
