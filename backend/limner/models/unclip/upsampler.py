"""unCLIP's upsamplers: from a small picture to one four times as large (arXiv 2204.06125, 2.1).

A diffusion UNet that sees the small picture, enlarged, beside the noisy large one, and neither a
caption nor an embedding. It has no attention: it learns from crops and is run on whole pictures
(appendix C). The layers are diffusers', under the names that Karlo's published weights have.

The starter's works on patches, as the decoder does: a 256 x 256 picture is a grid of 64 x 64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.chance import random_of
from limner.models.networks import find, frozen, whole
from limner.models.unclip.sampling import PREDICTIONS, clean_of, ddim
from limner.models.unclip.schedule import KINDS, Schedule
from limner_wire.errors import ErrorCode, LimnerError

MOST = {"layers": 16, "groups": 256, "patch": 16, "scale": 8}  # in a config
LEVELS_MOST, WIDTH_MOST = 8, 4096


@dataclass(frozen=True, slots=True)
class Config:
    """What an upsampler is built from, and how it is run.

    Attributes:
        widths: channels at each size of its grid, the finest first.
        layers: residual blocks at each size.
        groups: of each group norm.
        patch: the side of the square of pixels that the network takes for one.
        scale: how much larger what it makes is.
        prediction: of `sampling.PREDICTIONS`; "sample" is what the enlarged picture lacks.
        schedule: of `schedule.KINDS`.
        eta: how random its steps are: 0 is DDIM, 1 ancestral.
        last: whether a second network makes the last step.
    """

    widths: tuple[int, ...] = (64, 96, 96)
    layers: int = 1
    groups: int = 8
    patch: int = 4
    scale: int = 4
    prediction: str = "sample"
    schedule: str = "cosine"
    eta: float = 0.0
    last: bool = False

    def __post_init__(self) -> None:
        if any(width % self.groups for width in self.widths):
            raise LimnerError(
                ErrorCode.UNREADABLE,
                f"There is no upsampler of widths {self.widths} in {self.groups} groups.",
            )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """The inverse of `to_json`.

        Raises:
            LimnerError: UNREADABLE if something is missing or out of bounds.
        """
        widths, eta = content.get("widths"), content.get("eta")
        if (
            not isinstance(widths, list)
            or not 1 <= len(widths) <= LEVELS_MOST
            or content.get("prediction") not in PREDICTIONS
            or content.get("schedule") not in KINDS
            or not isinstance(eta, (int, float))
            or not 0 <= eta <= 1
        ):
            raise LimnerError(ErrorCode.UNREADABLE, "An upsampler's config is incomplete.")
        widths = tuple(whole({"widths": width}, "widths", WIDTH_MOST) for width in widths)
        sizes = {name: whole(content, name, most) for name, most in MOST.items()}
        return cls(
            widths=widths, eta=float(eta), prediction=content["prediction"],
            schedule=content["schedule"], last=content.get("last") is True, **sizes,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for config.json."""
        return asdict(self)

    @property
    def step_px(self) -> int:
        """The sides of what it makes are multiples of this."""
        return math.lcm(self.patch << (len(self.widths) - 1), self.scale)


# Karlo's `super_res_first` and `super_res_last` (kakaobrain/karlo, improved_sr_64_256_1.4B.yaml):
# seven ancestral steps, the last of them by the second network. Their variance is not learned.
KARLO = Config((320, 640, 960, 1280), 3, 32, patch=1, prediction="epsilon", eta=1.0, last=True)
KARLO_STEPS = 7


class Upsampler:
    """See the module's text.

    Args:
        network: of that config; a `blank` one if None.
        last: the second network, if there is one.

    Attributes:
        network: diffusers' UNet2DModel.
        last: what makes the last step, if that is another.
    """

    def __init__(
        self, config: Config, network: nn.Module | None = None, last: nn.Module | None = None
    ) -> None:
        self.config, self.schedule = config, Schedule.of(config.schedule)
        self.network = blank(config) if network is None else network
        self.last = None if last is None else Upsampler(config, last)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def enlarged(self, low: Tensor) -> Tensor:
        """(B, 3, h, w) to the size of what is made of it, as Pillow's bicubic does.

        Raises:
            LimnerError: BAD_INPUT if that is no size that the network can work on.
        """
        size = [side * self.config.scale for side in low.shape[2:]]
        step = self.config.step_px
        if any(side % step for side in size):
            raise LimnerError(
                ErrorCode.BAD_INPUT,
                f"It makes pictures in steps of {step} px, not of {size[1]}×{size[0]} px.",
            )
        return F.interpolate(low, size, mode="bicubic", antialias=True)

    def __call__(self, noisy: Tensor, low: Tensor, times: Tensor) -> Tensor:
        """What the config's prediction says, (B, 3, H, W), of (B, 3, H, W) noisy pictures at (B,)
        timesteps, of which (B, 3, h, w) are the small ones; both in about [-1, 1]."""
        around, patch = self.enlarged(low), self.config.patch
        seen = F.pixel_unshuffle(torch.cat([noisy, around], 1), patch)
        out = F.pixel_shuffle(self.network(seen, times).sample, patch)
        return around + out if self.config.prediction == "sample" else out

    @torch.no_grad()
    def guess(self, noisy: Tensor, low: Tensor, time: int) -> Tensor:
        """The clean pictures in noisy ones by one look, within [-1, 1]; see `__call__`."""
        times = torch.full((len(noisy),), time, device=noisy.device)
        kept = float(self.schedule.kept[time])
        out = self(noisy, low, times)
        return clean_of(self.config.prediction, out, noisy, kept).clamp(-1, 1)


def blank(config: Config) -> nn.Module:
    """A network that has learned nothing yet, and puts out nothing."""
    from diffusers.models.unets.unet_2d import UNet2DModel  # takes seconds to import

    channels, levels = 3 * config.patch**2, len(config.widths)
    network: nn.Module = UNet2DModel(
        in_channels=2 * channels,
        out_channels=channels,
        down_block_types=("ResnetDownsampleBlock2D",) * levels,
        up_block_types=("ResnetUpsampleBlock2D",) * levels,
        block_out_channels=config.widths,
        layers_per_block=config.layers,
        norm_num_groups=config.groups,
        add_attention=False,
    )
    for parameter in network.get_submodule("conv_out").parameters():
        nn.init.zeros_(parameter)
    return network


def load(name: str | None = None, device: torch.device | None = None) -> Upsampler:
    """An upsampler on this machine, frozen; the first if none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that name, or its weights are not its own.
    """
    found = find("upsampler", name)
    config = Config.from_json(found.config)
    made = frozen(found, whole_of(config), device)
    if not config.last:
        return Upsampler(config, made)
    return Upsampler(config, made.get_submodule("first"), made.get_submodule("last"))


def whole_of(config: Config) -> nn.Module:
    """All that a config tells, which has learned nothing yet: a network, or two, `first` and
    `last`."""
    if not config.last:
        return blank(config)
    return nn.ModuleDict({"first": blank(config), "last": blank(config)})


class Sampling:
    """Pictures on their way to being large. What is drawn is drawn from (seed, step).

    Args:
        low: (B, 3, h, w) in [-1, 1].
        last: what makes the last step; the upsampler's own, or the same, if None.

    Attributes:
        total: how many steps there are.
        step: how many were made.

    Raises:
        LimnerError: BAD_INPUT if there are not so many steps, or it makes no such size.
    """

    def __init__(
        self, upsampler: Upsampler, low: Tensor, steps: int, seed: int,
        last: Upsampler | None = None,
    ) -> None:  # fmt: skip
        self.upsampler, self.total, self.step = upsampler, steps, 0
        self._last, self._seed = last or upsampler.last or upsampler, seed
        self._course = upsampler.schedule.respaced(steps)
        self._low = low.to(upsampler.device)
        self._clean = upsampler.enlarged(self._low).clamp(-1, 1)
        self._noisy = self._drawn()

    def _drawn(self) -> Tensor:
        chance = random_of(self._seed, self.step)
        return torch.randn(self._clean.shape, generator=chance).to(self._clean)

    def advance(self) -> None:
        """One step."""
        time, kept, to = self._course[self.step]
        self.step += 1
        network = self.upsampler if self.step < self.total else self._last
        self._clean = network.guess(self._noisy, self._low, time)
        eta = self.upsampler.config.eta
        noise = self._drawn() if eta else None
        self._noisy = ddim(self._noisy, self._clean, kept, to, eta, noise)

    def picture(self) -> Tensor:
        """(B, 3, H, W) in [-1, 1]: what it takes the large ones for by now; at the end, they."""
        return self._clean

    def save(self) -> dict[str, Tensor]:
        """Copies of all that `restore` needs."""
        step = torch.tensor(self.step)
        return {"step": step, "noisy": self._noisy.clone(), "clean": self._clean.clone()}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what was saved, bit for bit."""
        self.step = int(saved["step"])
        self._noisy, self._clean = (saved[k].to(self._low).clone() for k in ("noisy", "clean"))
