"""Single steps of diffusion, as pure functions: from a noisy picture and what a network takes the
clean one for, to a less noisy picture, or back.

`kept` is the part of the picture's variance in what is given, `to` in what comes out
(`Schedule.respaced`); both are exact (float64), the pictures are in their own precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

PREDICTIONS = ("sample", "epsilon", "v")
Guess = Callable[[Tensor, int], Tensor]  # (noisy, timestep) -> the clean picture


def clean_of(prediction: str, out: Tensor, noisy: Tensor, kept: float) -> Tensor:
    """The clean picture by what a network puts out: the picture itself, its noise, or a velocity
    (Salimans and Ho 2022, arXiv 2202.00512, appendix D)."""
    if prediction == "sample":
        return out
    a, b = math.sqrt(kept), math.sqrt(1 - kept)
    return (noisy - b * out) / a if prediction == "epsilon" else a * noisy - b * out


def target_of(prediction: str, clean: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    """What a network is to put out; `kept` (B, 1, ...) is of each picture, in float64."""
    if prediction == "sample":
        return clean
    if prediction == "epsilon":
        return noise
    return kept.sqrt().to(clean) * noise - (1 - kept).sqrt().to(clean) * clean


def noise_of(clean: Tensor, noisy: Tensor, kept: float) -> Tensor:
    """What is noise in it, if that is the clean picture."""
    return (noisy - math.sqrt(kept) * clean) / math.sqrt(1 - kept)


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598): 1 is the conditional
    alone, 0 the unconditional, both to the bit."""
    return torch.lerp(unconditional, conditional, scale)


def thresholded(clean: Tensor, share: float = 0.995, least: float = 1.0) -> Tensor:
    """Dynamic thresholding (Saharia et al. 2022, arXiv 2205.11487, section 2.3): each picture is
    held within the `share` quantile of its own absolute values, and that is scaled to `least`.

    With a share of 1, pictures that reach beyond `least` are only scaled.
    """
    rows = clean.flatten(1).abs()
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))  # half has no quantiles
    reach = torch.quantile(rows, share, dim=1).to(clean).clamp_min(least)
    reach = reach.view(-1, *[1] * (clean.ndim - 1))
    return clean.clamp(-reach, reach) / reach * least


def ddim(
    noisy: Tensor, clean: Tensor, kept: float, to: float, eta: float = 0.0,
    noise: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Song et al. 2021 (arXiv 2010.02502), eq. 12 and 16.

    Args:
        eta: 0 draws nothing, 1 is as random as the ancestral step.
        noise: like the pictures; needed where eta is not 0, but for the step to the clean picture.

    Raises:
        ValueError: it is needed and not there.
    """
    spread = eta * math.sqrt((1 - to) / (1 - kept)) * math.sqrt(max(0.0, 1 - kept / to))
    own = noise_of(clean, noisy, kept)
    out = math.sqrt(to) * clean + math.sqrt(max(0.0, 1 - to - spread**2)) * own
    if not spread:
        return out
    if noise is None:
        raise ValueError("a step with eta draws noise")
    return out + spread * noise


def ancestral(
    noisy: Tensor, clean: Tensor, kept: float, to: float, noise: Tensor,
    share: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """A draw from the posterior of Ho et al. 2020 (arXiv 2006.11239), eq. 7; the last step, to the
    clean picture, draws nothing.

    Args:
        share: a learned variance, in [-1, 1]: where it lies between the posterior's (-1) and beta
            (Nichol and Dhariwal 2021, eq. 15); None for the posterior's.
    """
    alpha = kept / to
    beta = 1 - alpha
    mean = (
        math.sqrt(to) * beta / (1 - kept) * clean + math.sqrt(alpha) * (1 - to) / (1 - kept) * noisy
    )
    if to == 1:
        return mean
    low, high = math.log(beta * (1 - to) / (1 - kept)), math.log(beta)
    if share is None:
        return mean + math.exp(low / 2) * noise
    return mean + ((low + (share + 1) / 2 * (high - low)) / 2).exp() * noise


def inverted(
    less: Tensor, guess: Guess, time: int, kept: float, to: float, rounds: int = 1
) -> Tensor:
    """The noisier picture from which `ddim` with eta 0 leads to `less`: the inverse of its step.

    The step turns the picture on the circle of clean picture and noise, by a small angle towards
    the clean one: less = cos * found - sin * velocity. The velocity is that of the picture that is
    looked for, so that is found by going back and forth (an implicit step); reading it off the less
    noisy one alone goes far astray in few steps. Each round shrinks the error about as the angle is
    small, at all levels of noise; in terms of the noise, where hardly any picture is left, it would
    hardly shrink. Some ten steps are needed for what comes out at the end to be like noise.

    Args:
        less: where the step is to lead.
        guess: the clean picture in a noisy one at a timestep.
        time: the timestep at which the step begins.
        kept: of what is looked for.
        to: of `less`.
        rounds: how often the guess is mended; each asks the network once more.
    """
    cos = math.sqrt(kept * to) + math.sqrt((1 - kept) * (1 - to))
    sin = math.sqrt((1 - kept) * to) - math.sqrt(kept * (1 - to))
    found = less
    for _ in range(rounds + 1):
        velocity = (math.sqrt(kept) * found - guess(found, time)) / math.sqrt(1 - kept)
        found = (less + sin * velocity) / cos
    return found
