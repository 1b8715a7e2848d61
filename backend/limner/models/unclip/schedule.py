"""How much of a picture is kept at each step of diffusion, in float64.

Single precision costs 5e-4 of the finished picture: at the last step a float32 table's weight of
the clean picture is 0.99947, not 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from limner_wire.errors import ErrorCode, LimnerError

STEPS = 1000
WORST_BETA = 0.999  # the cosine's last step would keep nothing at all
KINDS = ("cosine", "linear", "latent-linear", "latent-scaled")
LATENT_BETAS = 0.00085, 0.012  # of latent diffusion (Rombach et al. 2022, arXiv 2112.10752)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noise of T timesteps, 0 the least.

    Attributes:
        kept: (T,) float64, the part of the picture's variance that is left at each timestep
            (alpha-bar); noise has the rest.
    """

    kept: Tensor

    @classmethod
    def of(cls, kind: str, steps: int = STEPS) -> Schedule:
        """One of `KINDS`.

        Raises:
            LimnerError: UNREADABLE if there is none of that name.
        """
        if kind not in KINDS:
            raise LimnerError(ErrorCode.UNREADABLE, f"There is no schedule {kind!r:.40}.")
        if kind == "cosine":
            return cls.cosine(steps)
        return cls.linear(steps) if kind == "linear" else cls.latent(kind == "latent-scaled", steps)

    @classmethod
    def cosine(cls, steps: int = STEPS) -> Schedule:
        """Nichol and Dhariwal 2021 (arXiv 2102.09672), eq. 17; beta at most 0.999."""

        def level(at: Tensor) -> Tensor:
            return torch.cos((at + 0.008) / 1.008 * math.pi / 2).square()

        at = torch.arange(steps + 1, dtype=torch.float64) / steps
        beta = (1 - level(at[1:]) / level(at[:-1])).clamp(max=WORST_BETA)
        return cls((1 - beta).cumprod(0))

    @classmethod
    def linear(cls, steps: int = STEPS) -> Schedule:
        """Ho et al. 2020 (arXiv 2006.11239), section 4: beta from 1e-4 to 0.02, scaled to T."""
        scale = STEPS / steps
        beta = torch.linspace(1e-4 * scale, 0.02 * scale, steps, dtype=torch.float64)
        return cls((1 - beta.clamp(max=WORST_BETA)).cumprod(0))

    @classmethod
    def latent(cls, is_scaled: bool, steps: int = STEPS) -> Schedule:
        """Beta between `LATENT_BETAS`, scaled to T: evenly, as Kandinsky 2.2 has it, or its root
        evenly, as Stable Diffusion has it."""
        power = 0.5 if is_scaled else 1.0
        first, last = ((beta * STEPS / steps) ** power for beta in LATENT_BETAS)
        roots = torch.linspace(first, last, steps, dtype=torch.float64)
        return cls((1 - roots ** (1 / power)).cumprod(0))

    def __len__(self) -> int:
        return len(self.kept)

    def respaced(self, count: int) -> list[tuple[int, float, float]]:
        """`count` of the timesteps, evenly from the noisiest to 0: (t, kept there, kept after the
        step that begins there). The last step ends at the clean picture.

        Raises:
            LimnerError: BAD_INPUT if there are not so many.
        """
        if not 1 <= count <= len(self):
            raise LimnerError(
                ErrorCode.BAD_INPUT, f"There are 1 to {len(self)} steps, not {count}."
            )
        last = len(self) - 1
        times = torch.linspace(last, 0, count, dtype=torch.float64).round().int().tolist()
        kept = [float(self.kept[t]) for t in times]
        return list(zip(times, kept, [*kept[1:], 1.0], strict=True))

    def noised(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """(B, ...) pictures as they are at (B,) timesteps, in their own precision."""
        kept = self.kept[times.cpu()].view(-1, *[1] * (clean.ndim - 1))  # MPS has no float64
        return kept.sqrt().to(clean) * clean + (1 - kept).sqrt().to(clean) * noise
