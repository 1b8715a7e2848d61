"""Inversion: the latent code from which a generator paints a given picture again.

    argmin over w, n of  |features(G(w, n)) - features(x)|^2 + |G(w, n) - x|^2
                         + noise * (what n tells of its neighbours)
                         + spread * |w - mean of its rows|^2

as StyleGAN2's projection (Karras et al. 2020, arXiv 1912.04958, appendix D) does it, in W+ (Abdal
et al. 2019, arXiv 1904.03189), where pictures are found that no random code gives. The noise is
optimised too, and kept from carrying the picture. The last term is e4e's (Tov et al. 2021, arXiv
2102.02766, section 4): codes whose rows are alike can be edited better.

`Tuning` then moves the generator instead, so that it paints the very picture from the code that was
found (pivotal tuning, Roich et al. 2021, arXiv 2106.05744).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.features import SMALLEST_PX, Features
from limner.models.stylegan2 import Generator

RATE = 0.1  # of the code, in its own deviations; the projection's
NOISE_RATE = 0.05
RAMP_UP, RAMP_DOWN = 0.05, 0.25  # parts of the steps in which the rate rises and falls
TUNING_RATE, GOOD_ENOUGH = 3e-4, 0.005  # Adam's; the squared error at which tuning ends
SAMPLES = 1000  # latents from which W's deviation is measured


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much.

    Attributes:
        noise: of the projection's paper, for noise of unit variance.
    """

    features: float = 1.0
    pixels: float = 1.0
    noise: float = 1e3
    spread: float = 1e-3


def ramp(progress: float) -> float:
    """The learning rate's factor at a part of the steps: up, level, down with a cosine (Karras et
    al. 2020, appendix D)."""
    down = min(1.0, (1 - progress) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, progress / RAMP_UP)


class Inversion:
    """A code that is on its way to a picture.

    Args:
        generator: frozen.
        target: (B, 3, S, S) in [-1, 1], as large as the generator paints.
        start: (B, L, w_dim), where to begin; the mean of W if None.
        features: what compares pictures besides their pixels.

    Attributes:
        w: (B, L, w_dim).
        noise: one (S_k, S_k) for each convolution.
    """

    def __init__(
        self,
        generator: Generator,
        target: Tensor,
        start: Tensor | None = None,
        features: Features | None = None,
        weights: Weights | None = None,
    ) -> None:
        self.generator, self.target = generator, target
        self.weights = weights or Weights()
        mean = generator.w_avg.expand(len(target), generator.config.latents, -1)
        self.w = (mean if start is None else start).detach().clone().requires_grad_(True)
        self.noise = [c.noise.clone().requires_grad_(True) for c in generator.convolutions()]
        self._takes_noise = any(float(c.noise_strength.detach()) for c in generator.convolutions())
        self._deviation = deviation(generator)
        leaves = [self.w, *(self.noise if self._takes_noise else [])]
        self._adam = torch.optim.Adam([{"params": [leaf]} for leaf in leaves])
        usable = features is not None and target.shape[-1] >= SMALLEST_PX
        self._features = features if usable else None
        self._seen = [self._maps(x) for x in target] if usable else []

    def advance(self, progress: float) -> dict[str, Tensor]:
        """One Adam step, at `progress` in [0, 1) of them; the losses before it, each ()."""
        rates = [RATE * self._deviation, *[NOISE_RATE] * len(self.noise)]
        for group, rate in zip(self._adam.param_groups, rates, strict=False):
            group["lr"] = rate * max(ramp(progress), 0.02)
        image = self.generator(self.w, self.noise)
        losses = {"pixels": (image - self.target).square().mean()}
        loss = self.weights.pixels * losses["pixels"]
        if self._features is not None:
            losses["features"] = self._apart(image)
            loss = loss + self.weights.features * losses["features"]
        if self._takes_noise:
            loss = loss + self.weights.noise * sum(correlation(n) for n in self.noise)
        spread = (self.w - self.w.mean(1, keepdim=True)).square().mean() / self._deviation**2
        self._adam.zero_grad()
        (loss + self.weights.spread * spread).backward()
        self._adam.step()
        self._whiten()
        return {name: value.detach() for name, value in losses.items()}

    @torch.no_grad()
    def image(self, generator: Generator | None = None) -> Tensor:
        """(B, 3, S, S), about [-1, 1]: the picture as it is painted again."""
        out: Tensor = (generator or self.generator)(self.w, self.noise)
        return out

    def saved(self) -> dict[str, Tensor]:
        """Copies of the code, the noise and Adam's moments."""
        out = {"w": self.w.detach().clone()}
        if self._takes_noise:
            out |= {f"noise.{k:02d}": n.detach().clone() for k, n in enumerate(self.noise)}
        for k, group in enumerate(self._adam.param_groups):
            state = self._adam.state.get(group["params"][0], {})
            out |= {f"adam.{k}.{n}": v.detach().clone() for n, v in state.items()}
        return out

    @torch.no_grad()
    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what `saved` was."""
        self.w.copy_(saved["w"])
        for k, noise in enumerate(self.noise):
            if f"noise.{k:02d}" in saved:
                noise.copy_(saved[f"noise.{k:02d}"])
        for k, group in enumerate(self._adam.param_groups):
            start = f"adam.{k}."
            state = {n[len(start) :]: v.clone() for n, v in saved.items() if n.startswith(start)}
            if state:
                self._adam.state[group["params"][0]] = state

    def _maps(self, image: Tensor) -> list[Tensor]:
        """What the features' layers make of (3, S, S) in [-1, 1], each place of unit length."""
        assert self._features is not None  # noqa: S101
        maps = self._features.maps((image + 1) / 2)[1:]
        return [F.normalize(m, dim=1) for m in maps]

    def _apart(self, image: Tensor) -> Tensor:
        """() the mean squared distance of the features, layer by layer (Zhang et al. 2018, arXiv
        1801.03924, eq. 1, all channels alike)."""
        rows = zip(image, self._seen, strict=True)
        each = [
            (a - b).square().sum(1).mean()
            for x, seen in rows
            for a, b in zip(self._maps(x), seen, strict=True)
        ]
        return torch.stack(each).mean()

    @torch.no_grad()
    def _whiten(self) -> None:
        """Noise of zero mean and unit variance, as the generator was trained with."""
        if self._takes_noise:
            for noise in self.noise:
                noise.sub_(noise.mean()).mul_(noise.square().mean().clamp_min(1e-8).rsqrt())


class Tuning:
    """A generator that learns one picture around its code; the original stays as it is."""

    def __init__(self, inversion: Inversion) -> None:
        self._inversion = inversion
        self.generator = copy.deepcopy(inversion.generator)
        taught = [p for n, p in self.generator.named_parameters() if not n.startswith("mapping.")]
        for parameter in taught:
            parameter.requires_grad_(True)
        self._taught = taught
        self._adam = torch.optim.Adam(taught, lr=TUNING_RATE)
        self.step, self.is_done = 0, False

    def advance(self) -> dict[str, Tensor]:
        """One step, unless it is good enough; the losses before it, each ()."""
        at = self._inversion
        image = self.generator(at.w.detach(), [n.detach() for n in at.noise])
        pixels = (image - at.target).square().mean()
        losses = {"pixels": pixels.detach()}
        self.step += 1
        self.is_done = self.is_done or float(pixels.detach()) <= GOOD_ENOUGH
        if self.is_done:
            return losses
        loss = pixels
        if at._features is not None:
            far = at._apart(image)
            loss, losses["features"] = loss + far, far.detach()
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        return losses

    def freeze(self) -> Generator:
        """The generator as it was taught."""
        for parameter in self._taught:
            parameter.requires_grad_(False)
        return self.generator


def correlation(noise: Tensor) -> Tensor:
    """() how much (S, S) noise tells of its neighbours, at every scale down to 8 pixels (Karras et
    al. 2020, appendix D)."""
    total, at = noise.new_zeros(()), noise[None, None]
    while True:
        total = total + sum((at * at.roll(1, axis)).mean().square() for axis in (2, 3))
        if at.shape[-1] <= 8:
            return total
        at = F.avg_pool2d(at, 2) * 2  # of unit variance again, if it is white


@torch.no_grad()
def deviation(generator: Generator, seed: int = 0) -> float:
    """How far W's numbers are from their mean: the root of the mean square."""
    w = generator.random(SAMPLES, seed)[:, 0]
    return max(1e-6, float((w - w.mean(0)).square().mean().sqrt()))


def psnr(first: Tensor, second: Tensor) -> float:
    """Peak signal-to-noise ratio of two pictures in [-1, 1], in dB, after cutting off beyond."""
    error = (first.clamp(-1, 1) - second.clamp(-1, 1)).square().mean() / 4
    return float(-10 * error.clamp_min(1e-10).log10())
