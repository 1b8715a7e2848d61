"""Gaussian diffusion once more, as the papers say it and GLIDE numbers it: the oracle of the tests.

numpy in float64, tables over all timesteps made from betas; a respaced process is one of its own,
with betas of its own. Nothing here knows Limner's samplers. The same noise is handed to both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Network = Callable[[Array, int], Array]  # (x_t, timestep of the whole process) -> x_0


def cosine_betas(steps: int) -> Array:
    """Nichol and Dhariwal 2021, eq. 17: beta_t = 1 - f(t) / f(t - 1), at most 0.999."""

    def f(t: int) -> float:
        return math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2

    return np.array([min(0.999, 1 - f(t + 1) / f(t)) for t in range(steps)])


def linear_betas(steps: int) -> Array:
    """Ho et al. 2020, section 4, with the ends of 1000 steps scaled to as many as there are."""
    first, last = 0.1 / steps, 20 / steps
    return np.array([first + (last - first) * t / (steps - 1) for t in range(steps)])


def latent_betas(steps: int) -> Array:
    """From 0.85 / T to 12 / T, as Kandinsky 2.2's scheduler_config.json says for 1000 steps."""
    return np.array([(0.85 + (12 - 0.85) * t / (steps - 1)) / steps for t in range(steps)])


def scaled_latent_betas(steps: int) -> Array:
    """The roots go from that of the first to that of the last: Stable Diffusion's."""
    first, last = math.sqrt(0.85 / steps), math.sqrt(12 / steps)
    return np.array([(first + (last - first) * t / (steps - 1)) ** 2 for t in range(steps)])


class Diffusion:
    """One process with its tables, index 0 the least noisy."""

    def __init__(self, betas: Array, timesteps: Iterable[int] | None = None) -> None:
        self.betas = betas
        self.timesteps = list(range(len(betas)) if timesteps is None else timesteps)
        alphas = 1 - betas
        self.alphas_cumprod = np.cumprod(alphas)
        self.alphas_cumprod_prev = np.append(1.0, self.alphas_cumprod[:-1])
        self.alphas_cumprod_next = np.append(self.alphas_cumprod[1:], 0.0)
        self.sqrt_recip = np.sqrt(1 / self.alphas_cumprod)
        self.sqrt_recipm1 = np.sqrt(1 / self.alphas_cumprod - 1)
        # q(x_{t-1} | x_t, x_0): Ho et al. 2020, eq. 6 and 7
        rest, rest_prev = 1 - self.alphas_cumprod, 1 - self.alphas_cumprod_prev
        self.posterior_mean_coef1 = betas * np.sqrt(self.alphas_cumprod_prev) / rest
        self.posterior_mean_coef2 = rest_prev * np.sqrt(alphas) / rest
        variance = betas * rest_prev / rest
        self.posterior_log_variance_clipped = np.log(np.append(variance[1], variance[1:]))

    def respaced(self, timesteps: Iterable[int]) -> Diffusion:
        """The process that visits these alone: each beta spans what was left out before it."""
        betas, last, used = [], 1.0, sorted(timesteps)
        for t in used:
            betas.append(1 - self.alphas_cumprod[t] / last)
            last = self.alphas_cumprod[t]
        return Diffusion(np.array(betas), used)

    def x0_from_noise(self, x: Array, t: int, noise: Array) -> Array:
        return self.sqrt_recip[t] * x - self.sqrt_recipm1[t] * noise

    def noise_from_x0(self, x: Array, t: int, x0: Array) -> Array:
        return (self.sqrt_recip[t] * x - x0) / self.sqrt_recipm1[t]

    def p_sample(
        self, x: Array, t: int, x0: Array, noise: Array, share: Array | None = None
    ) -> Array:
        mean = self.posterior_mean_coef1[t] * x0 + self.posterior_mean_coef2[t] * x
        low, high = self.posterior_log_variance_clipped[t], math.log(self.betas[t])
        part = 0.0 if share is None else (share + 1) / 2
        log_variance = part * high + (1 - part) * low
        return mean + (t != 0) * np.exp(0.5 * log_variance) * noise

    def ddim_sample(self, x: Array, t: int, x0: Array, eta: float, noise: Array) -> Array:
        """Song et al. 2021, eq. 12 and 16."""
        bar, prev = self.alphas_cumprod[t], self.alphas_cumprod_prev[t]
        sigma = eta * np.sqrt((1 - prev) / (1 - bar)) * np.sqrt(1 - bar / prev)
        epsilon = self.noise_from_x0(x, t, x0)
        mean = x0 * np.sqrt(prev) + np.sqrt(1 - prev - sigma**2) * epsilon
        return mean + (t != 0) * sigma * noise

    def ddim_reverse_sample(self, x: Array, t: int, x0: Array) -> Array:
        """x_{t+1} as if the noise in x_t were also the noise in it: an explicit step of the ODE."""
        up = self.alphas_cumprod_next[t]
        return x0 * np.sqrt(up) + np.sqrt(1 - up) * self.noise_from_x0(x, t, x0)

    def p_sample_loop(
        self, x: Array, network: Network, noises: Array, share: Array | None = None
    ) -> Array:
        """What comes out of every step, the clean picture last."""
        out = []
        for i, t in enumerate(reversed(range(len(self.betas)))):
            x = self.p_sample(x, t, network(x, self.timesteps[t]), noises[i], share)
            out.append(x)
        return np.stack(out)

    def ddim_sample_loop(self, x: Array, network: Network, noises: Array, eta: float) -> Array:
        out = []
        for i, t in enumerate(reversed(range(len(self.betas)))):
            x = self.ddim_sample(x, t, network(x, self.timesteps[t]), eta, noises[i])
            out.append(x)
        return np.stack(out)


@dataclass
class Mixture:
    """Pictures whose best possible denoiser is known: Gaussians of one deviation around K means.

    means (K, D); weights (K,), of sum 1.
    """

    means: Array
    weights: Array
    deviation: float

    def drawn(self, count: int, random: np.random.Generator) -> Array:
        modes = random.choice(len(self.weights), count, p=self.weights)
        noise = random.standard_normal((count, self.means.shape[1]))
        return self.means[modes] + self.deviation * noise

    def log_density(self, x: Array, bar: float) -> Array:
        """(B,) that of noisy pictures (B, D), up to a constant."""
        return np.asarray(np.log(np.exp(self._joint(x, bar)).sum(1)))

    def modes(self, x: Array, bar: float = 1.0) -> Array:
        """(B, K) how likely each picture is of each mode."""
        joint = self._joint(x, bar)
        likely = np.exp(joint - joint.max(1, keepdims=True))
        return np.asarray(likely / likely.sum(1, keepdims=True))

    def posterior_mean(self, x: Array, bar: float) -> Array:
        """E[x_0 | x_t]: in each mode two Gaussians are multiplied, the modes are weighed."""
        a, variance = math.sqrt(bar), self._variance(bar)
        middle = self.modes(x, bar) @ self.means
        return middle + a * self.deviation**2 / variance * (x - a * middle)

    def _variance(self, bar: float) -> float:
        return bar * self.deviation**2 + 1 - bar

    def _joint(self, x: Array, bar: float) -> Array:
        a = math.sqrt(bar)
        squares = (x**2).sum(1)[:, None] - 2 * a * x @ self.means.T + bar * (self.means**2).sum(1)
        return np.asarray(np.log(self.weights) - squares / (2 * self._variance(bar)))
