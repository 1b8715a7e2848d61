"""Schedules and steps of diffusion: against a plain reference, by hand, and on pictures whose best
denoiser is known."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusion_reference import (
    Array,
    Diffusion,
    Mixture,
    cosine_betas,
    latent_betas,
    linear_betas,
    scaled_latent_betas,
)
from torch import Tensor

from limner.models.unclip import sampling
from limner.models.unclip.schedule import KINDS, Schedule
from limner_wire.errors import ErrorCode, LimnerError

# Both sides compute in float64; what is left is rounding, of 1e-16 at each of up to 1000 steps, and
# grows with 1 / sqrt(kept) = 2e4 where a picture is reckoned from the noise at the noisiest step.
EXACT = {"atol": 1e-10, "rtol": 0.0}
BETAS = {"cosine": cosine_betas, "linear": linear_betas, "latent-linear": latent_betas,
         "latent-scaled": scaled_latent_betas}  # fmt: skip
Step = Callable[[Tensor, Tensor, float, float, Tensor], Tensor]


def network(x: Array, time: int) -> Array:
    """Bounded, smooth, mixes neighbours, and depends on the timestep."""
    return np.tanh(0.6 * x + 0.3 * np.roll(x, 1, -1) + math.cos(time))


def asked(noisy: Tensor, time: int) -> Tensor:
    return torch.from_numpy(network(noisy.numpy(), time))


def normal(*shape: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=random, dtype=torch.float64)


def sampled(schedule: Schedule, start: Tensor, noises: Tensor, step: Step) -> Tensor:
    """What comes out of every step, as the reference's loops tell it."""
    x, out = start, []
    for (time, kept, to), noise in zip(schedule.respaced(len(noises)), noises, strict=True):
        x = step(x, asked(x, time), kept, to, noise)
        out.append(x)
    return torch.stack(out)


def reference(kind: str, count: int) -> Diffusion:
    times = [time for time, _, _ in Schedule.of(kind).respaced(count)]
    return Diffusion(BETAS[kind](1000)).respaced(times)


def same(ours: Tensor, theirs: Array) -> None:
    torch.testing.assert_close(ours, torch.from_numpy(theirs), **EXACT)


# --- schedules ------------------------------------------------------------------------------------


def test_the_cosine_in_closed_form() -> None:
    """The product of the betas telescopes, up to the last, which is clipped."""
    kept = Schedule.cosine().kept
    assert kept.dtype == torch.float64 and len(Schedule.cosine()) == 1000

    def f(t: int) -> float:
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    closed = [f(t + 1) / f(0) for t in range(999)]
    np.testing.assert_allclose(kept[:-1].numpy(), closed, rtol=1e-10)
    assert float(kept[-1]) == pytest.approx(closed[-1] * 0.001, rel=1e-10)


def test_the_linear_in_closed_form() -> None:
    kept = Schedule.linear().kept
    betas = [1e-4 + (0.02 - 1e-4) * t / 999 for t in range(1000)]
    closed = [math.exp(math.fsum(math.log1p(-b) for b in betas[: t + 1])) for t in range(1000)]
    np.testing.assert_allclose(kept.numpy(), closed, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [50, 1000, 4000])
def test_tables_are_those_of_the_reference(kind: str, steps: int) -> None:
    made = Schedule.of(kind, steps)
    np.testing.assert_allclose(
        made.kept.numpy(), Diffusion(BETAS[kind](steps)).alphas_cumprod, rtol=1e-10
    )
    left = 1e-2 if "latent" in kind else 1e-3  # latent diffusion never comes to noise alone
    assert bool((made.kept.diff() < 0).all()) and 0 < float(made.kept[-1]) < left


def test_no_other_schedules() -> None:
    with pytest.raises(LimnerError) as error:
        Schedule.of("quadratic")
    assert error.value.code is ErrorCode.UNREADABLE


def test_respaced_evenly_from_the_noisiest_to_the_clean() -> None:
    schedule = Schedule.cosine()
    for count in range(2, 1001):
        steps = schedule.respaced(count)
        times = [time for time, _, _ in steps]
        even = np.linspace(999, 0, count)
        assert len(steps) == count and times[0] == 999 and times[-1] == 0
        assert np.abs(times - even).max() <= 0.5 + 1e-9  # the nearest, halves either way
        assert all(a > b for a, b in pairwise(times))
        assert [kept for _, kept, _ in steps] == schedule.kept[times].tolist()
        assert [to for *_, to in steps] == [kept for _, kept, _ in steps[1:]] + [1.0]


def test_a_single_step_leads_from_the_noisiest_to_the_clean() -> None:
    schedule = Schedule.linear()
    assert schedule.respaced(1) == [(999, float(schedule.kept[-1]), 1.0)]


@pytest.mark.parametrize("count", [-1, 0, 1001])
def test_not_more_steps_than_there_are(count: int) -> None:
    with pytest.raises(LimnerError) as error:
        Schedule.cosine().respaced(count)
    assert error.value.code is ErrorCode.BAD_INPUT


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noised_has_its_part_of_the_picture_and_of_the_noise(dtype: torch.dtype) -> None:
    schedule, times = Schedule.cosine(), torch.tensor([0, 300, 700, 999])
    clean = torch.tensor([0.9, -0.7, 0.4, 1.0], dtype=dtype).view(4, 1, 1, 1).expand(4, 3, 200, 200)
    noisy = schedule.noised(clean, normal(4, 3, 200, 200).to(dtype), times)
    assert noisy.dtype == dtype
    kept, pixels = schedule.kept[times], noisy.double().flatten(1)
    # Five deviations of the mean and of the variance of 120,000 independent draws.
    few = 5 / math.sqrt(pixels.shape[1])
    mean, variance = kept.sqrt() * clean[:, 0, 0, 0], 1 - kept
    assert bool(((pixels.mean(1) - mean).abs() < few * variance.sqrt() + 1e-6).all())
    assert bool(((pixels.var(1) / variance - 1).abs() < few * math.sqrt(2)).all())


# --- steps against the reference, with the same noise ---------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [2, 27, 250, 1000])
def test_ancestral_is_that_of_the_reference(kind: str, count: int) -> None:
    start, noises = normal(2, 3, 8, seed=1), normal(count, 2, 3, 8, seed=2)
    ours = sampled(Schedule.of(kind), start, noises, sampling.ancestral)
    theirs = reference(kind, count).p_sample_loop(start.numpy(), network, noises.numpy())
    same(ours, theirs)


@pytest.mark.parametrize("count", [2, 50])
def test_a_learned_variance_is_that_of_the_reference(count: int) -> None:
    start, noises = normal(2, 3, 8, seed=1), normal(count, 2, 3, 8, seed=2)
    share = normal(2, 3, 8, seed=3).tanh()
    step = functools.partial(sampling.ancestral, share=share)
    ours = sampled(Schedule.cosine(), start, noises, step)
    theirs = reference("cosine", count).p_sample_loop(
        start.numpy(), network, noises.numpy(), share.numpy()
    )
    same(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("eta", [0, 0.2, 0.5, 1])
@pytest.mark.parametrize("count", [2, 50, 1000])
def test_ddim_is_that_of_the_reference(kind: str, eta: float, count: int) -> None:
    """As exact at eta 1 as at 0: neither side ever rounds to single precision."""
    start, noises = normal(2, 3, 8, seed=1), normal(count, 2, 3, 8, seed=2)

    def step(x: Tensor, clean: Tensor, kept: float, to: float, noise: Tensor) -> Tensor:
        return sampling.ddim(x, clean, kept, to, eta, noise)

    ours = sampled(Schedule.of(kind), start, noises, step)
    theirs = reference(kind, count).ddim_sample_loop(start.numpy(), network, noises.numpy(), eta)
    same(ours, theirs)


def test_a_network_of_noise_is_that_of_the_reference() -> None:
    """Held within [-1, 1] on both sides: the noisiest step divides by sqrt(kept) = 5e-5."""
    start, noises = normal(2, 3, 8, seed=1), normal(50, 2, 3, 8, seed=2)
    made = reference("cosine", 50)
    x, known = start, start.numpy()
    steps = Schedule.cosine().respaced(50)
    for (time, kept, to), noise, t in zip(steps, noises, reversed(range(50)), strict=True):
        clean = sampling.clean_of("epsilon", asked(x, time), x, kept).clamp(-1, 1)
        x = sampling.ancestral(x, clean, kept, to, noise)
        guess = made.x0_from_noise(known, t, network(known, made.timesteps[t])).clip(-1, 1)
        known = made.p_sample(known, t, guess, noise.numpy())
    same(x, known)


def test_with_eta_1_ddim_is_ancestral() -> None:
    noisy, clean, noise = normal(3, 2, 8, 8)
    for _, kept, to in Schedule.cosine().respaced(50):
        both = [f(noisy, clean, kept, to, noise=noise) for f in (ddim_1, sampling.ancestral)]
        torch.testing.assert_close(*both, **EXACT)


def ddim_1(noisy: Tensor, clean: Tensor, kept: float, to: float, noise: Tensor) -> Tensor:
    return sampling.ddim(noisy, clean, kept, to, 1.0, noise)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_last_step_is_the_clean_picture_to_the_bit(kind: str, dtype: torch.dtype) -> None:
    noisy, clean, noise, share = (normal(4, 2, 3, 8, 8) / 2).to(dtype)
    _, kept, to = Schedule.of(kind).respaced(50)[-1]
    assert to == 1
    assert torch.equal(sampling.ancestral(noisy, clean, kept, to, noise), clean)
    assert torch.equal(sampling.ancestral(noisy, clean, kept, to, noise, share), clean)
    for eta in (0, 0.5, 1):
        assert torch.equal(sampling.ddim(noisy, clean, kept, to, eta, noise), clean)
        assert torch.equal(sampling.ddim(noisy, clean, kept, to, eta), clean)


def test_a_random_step_without_noise_is_refused() -> None:
    x = normal(1, 4)
    with pytest.raises(ValueError, match="noise"):
        sampling.ddim(x, x, 0.3, 0.5, 0.5)


def test_the_ends_of_the_learned_variance() -> None:
    """By hand: alpha 0.25 / 0.5, so beta 0.5; the posterior's is 0.5 (1 - 0.5) / (1 - 0.25)."""
    x, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    share = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    spread = sampling.ancestral(x, x, 0.25, 0.5, one, share).square()
    wanted = torch.tensor([1 / 3, math.sqrt(1 / 3 * 1 / 2), 1 / 2], dtype=torch.float64)
    torch.testing.assert_close(spread, wanted, **EXACT)
    fixed = sampling.ancestral(x, x, 0.25, 0.5, one).square()
    torch.testing.assert_close(fixed, torch.full_like(fixed, 1 / 3), **EXACT)


# --- what networks put out ------------------------------------------------------------------------


@pytest.mark.parametrize("time", [0, 1, 500, 999])
@pytest.mark.parametrize("prediction", sampling.PREDICTIONS)
def test_predictions_lead_to_the_picture_and_back(prediction: str, time: int) -> None:
    clean, noise = normal(2, 2, 3, 8)
    schedule = Schedule.cosine()
    noisy = schedule.noised(clean, noise, torch.tensor([time, time]))
    kept = schedule.kept[time]
    out = sampling.target_of(prediction, clean, noise, kept.expand(2, 1, 1))
    again = sampling.clean_of(prediction, out, noisy, float(kept))
    torch.testing.assert_close(again, clean, **EXACT)
    # Any output, not only a true one: the picture it means, and the noise, make that output.
    other = normal(2, 3, 8, seed=5)
    meant = sampling.clean_of(prediction, other, noisy, float(kept))
    rest = sampling.noise_of(meant, noisy, float(kept))
    back = sampling.target_of(prediction, meant, rest, kept.expand(2, 1, 1))
    torch.testing.assert_close(back, other, **EXACT)


def test_the_velocity_by_hand() -> None:
    clean, noise = torch.tensor([[2.0]]), torch.tensor([[3.0]])
    kept = torch.tensor([[0.64]], dtype=torch.float64)
    out = sampling.target_of("v", clean, noise, kept)
    assert out.dtype == torch.float32  # the table's precision is not the pictures'
    assert float(out) == pytest.approx(0.8 * 3 - 0.6 * 2)


def test_targets_are_of_each_picture() -> None:
    clean, noise = normal(2, 2, 3, 8)
    kept = torch.tensor([0.2, 0.9], dtype=torch.float64).view(2, 1, 1)
    both = sampling.target_of("v", clean, noise, kept)
    for k in (0, 1):
        own = sampling.target_of("v", clean[k : k + 1], noise[k : k + 1], kept[k : k + 1])
        assert torch.equal(both[k : k + 1], own)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_guidance(dtype: torch.dtype) -> None:
    words, none = normal(2, 100).to(dtype)
    assert torch.equal(sampling.guided(words, none, 1), words)
    assert torch.equal(sampling.guided(words, none, 0), none)
    one, two = torch.tensor([1.0]), torch.tensor([2.0])
    assert sampling.guided(two, one, 3.0).tolist() == [4.0]
    assert sampling.guided(two, one, 0.5).tolist() == [1.5]


THRESHOLDED = [  # picture, share, least, wanted
    ([-4.0, 3.0, 2.0, 1.0, 0.0], 0.75, 1.0, [-1.0, 1.0, 2 / 3, 1 / 3, 0.0]),  # the 4th of 5 is 3
    ([4.0, 3.0, 2.0, 1.0, 0.0], 0.9, 1.0, [1.0, 3 / 3.6, 2 / 3.6, 1 / 3.6, 0.0]),  # between
    ([-4.0, 3.0, 2.0, 1.0, 0.0], 0.75, 2.0, [-2.0, 2.0, 4 / 3, 2 / 3, 0.0]),
    ([-4.0, 3.0, 2.0, 1.0, 0.0], 1.0, 1.0, [-1.0, 0.75, 0.5, 0.25, 0.0]),  # only scaled
    ([0.9, -0.8, 0.7, 0.6, 0.5], 0.75, 1.0, [0.9, -0.8, 0.7, 0.6, 0.5]),  # within: as it is
    ([5.0, 0.3, -0.2, 0.1, 0.0], 0.75, 1.0, [1.0, 0.3, -0.2, 0.1, 0.0]),  # few beyond: cut off
]


@pytest.mark.parametrize(("picture", "share", "least", "wanted"), THRESHOLDED)
def test_dynamic_thresholding_by_hand(
    picture: list[float], share: float, least: float, wanted: list[float]
) -> None:
    clean = torch.tensor([picture, [0.0] * 5], dtype=torch.float64).view(2, 1, 5, 1)
    held = sampling.thresholded(clean, share, least)
    wide = torch.tensor([wanted, [0.0] * 5], dtype=torch.float64).view(2, 1, 5, 1)
    torch.testing.assert_close(held, wide, **EXACT)  # and no picture minds another


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_thresholding_keeps_the_precision(dtype: torch.dtype) -> None:
    held = sampling.thresholded(3 * normal(2, 3, 8, 8).to(dtype))
    assert held.dtype == dtype and float(held.abs().max()) == 1


# --- pictures whose best denoiser is known --------------------------------------------------------


@functools.cache
def mixture() -> Mixture:
    """Waves of 16 x 16 in eight directions, of unlike weights."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, 16)] * 2, indexing="ij")
    waves = [0.8 * np.sin(3 * (x * np.cos(k) + y * np.sin(k)) + k) for k in range(8)]
    return Mixture(np.stack([wave.ravel() for wave in waves]), np.arange(1, 9) / 36, 0.3)


def denoised(noisy: Tensor, time: int, kind: str = "cosine") -> Tensor:
    kept = float(SCHEDULES[kind].kept[time])
    rows = mixture().posterior_mean(noisy.flatten(1).numpy(), kept)
    return torch.from_numpy(rows).view_as(noisy)


SCHEDULES = {kind: Schedule.of(kind) for kind in KINDS}


def drawn(count: int, seed: int = 0) -> Tensor:
    rows = mixture().drawn(count, np.random.default_rng(seed))
    return torch.from_numpy(rows).view(count, 1, 16, 16)


def to_noise(x: Tensor, count: int, rounds: int, guess: sampling.Guess = denoised) -> Tensor:
    for time, kept, to in reversed(Schedule.cosine().respaced(count)):
        x = sampling.inverted(x, guess, time, kept, to, rounds)
    return x


def to_picture(x: Tensor, count: int, eta: float = 0.0, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    for time, kept, to in Schedule.cosine().respaced(count):
        noise = torch.randn(x.shape, generator=random, dtype=x.dtype)
        x = sampling.ddim(x, denoised(x, time), kept, to, eta, noise)
    return x


def psnr(a: Tensor, b: Tensor) -> float:
    """Of the worst picture, in dB; black is -1, white 1."""
    return float(10 * torch.log10(4 / (a - b).square().flatten(1).mean(1)).min())


def test_the_denoiser_follows_the_density() -> None:
    """Tweedie's formula: E[x_0 | x_t] = (x_t + (1 - kept) grad log p(x_t)) / sqrt(kept)."""
    known, kept, h = mixture(), 0.05, 1e-5
    x = math.sqrt(kept) * known.drawn(2, np.random.default_rng(0))
    x += math.sqrt(1 - kept) * np.random.default_rng(1).standard_normal(x.shape)
    assert known.modes(x, kept).max() < 0.999  # where more than one mode counts
    mean = known.posterior_mean(x, kept)
    for pixel in (0, 77, 255):
        nudge = np.zeros_like(x)
        nudge[:, pixel] = h
        slope = known.log_density(x + nudge, kept) - known.log_density(x - nudge, kept)
        wanted = (x[:, pixel] + (1 - kept) * slope / (2 * h)) / math.sqrt(kept)
        # Central differences: rounding of 1e-14 in the logarithm over 2h, divided by sqrt(kept).
        np.testing.assert_allclose(mean[:, pixel], wanted, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_an_inverted_step_leads_back(kind: str) -> None:
    """By definition: the reference's step from what was found is where it was sought from."""
    made, less = reference(kind, 50), drawn(4) + 0.1 * normal(4, 1, 16, 16)
    for t, (time, kept, to) in enumerate(reversed(Schedule.of(kind).respaced(50))):
        guess = functools.partial(denoised, kind=kind)
        # The first step asks for the noise of a clean picture and converges slowest.
        found = sampling.inverted(less, guess, time, kept, to, rounds=400 if t == 0 else 40)
        x0 = guess(found, time).numpy()
        same(less, made.ddim_sample(found.numpy(), t, x0, 0.0, np.zeros_like(x0)))
        less = found


@pytest.mark.parametrize("kind", KINDS)
def test_inversion_is_the_reference_s_where_the_noise_stays(kind: str) -> None:
    """One picture alone: its noise is the same all along, so the explicit step is the implicit."""
    only, schedule = normal(1, 6), Schedule.of(kind)
    x = schedule.noised(only, normal(1, 6, seed=1), torch.tensor([0]))
    made, theirs = reference(kind, 50), x.numpy()
    for time, kept, to in reversed(schedule.respaced(50)[:-1]):
        x = sampling.inverted(x, lambda found, time: only, time, kept, to, rounds=200)
    for t in range(49):
        theirs = made.ddim_reverse_sample(theirs, t, only.numpy())
    same(x, theirs)


def test_inverted_pictures_come_back() -> None:
    pictures = drawn(16)
    table = {
        (count, rounds): psnr(to_picture(to_noise(pictures, count, rounds), count), pictures)
        for count in (25, 50, 100)
        for rounds in (0, 1, 2)
    }
    assert table[50, 1] >= 50
    assert table[50, 0] < table[50, 1] - 10
    for count in (25, 50, 100):
        assert table[count, 0] < table[count, 1] < table[count, 2]
    for rounds in (0, 1, 2):
        assert table[25, rounds] < table[50, rounds] < table[100, rounds]


def test_inverted_pictures_are_like_noise() -> None:
    noise = to_noise(drawn(16), 50, 1)
    assert 0.9 < float(noise.std()) < 1.1
    assert abs(float(noise.mean())) < 0.1


def test_without_eta_nothing_is_drawn_and_with_it_results_spread() -> None:
    start = normal(1, 1, 16, 16).expand(64, 1, 16, 16)
    assert torch.equal(to_picture(start, 25, seed=1), to_picture(start, 25, seed=2))
    spreads = [float(to_picture(start, 25, eta).var(0).mean()) for eta in (0, 0.25, 0.5, 0.75, 1)]
    assert spreads[0] == 0
    assert all(a < b for a, b in pairwise(spreads))


def ancestrally(count: int, steps: int, share: Callable[[float, float], float] | None) -> Array:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(count, 256, generator=random, dtype=torch.float64)
    for time, kept, to in Schedule.cosine().respaced(steps):
        noise = torch.randn(x.shape, generator=random, dtype=x.dtype)
        part = None if share is None or to == 1 else torch.tensor(share(kept, to), dtype=x.dtype)
        x = sampling.ancestral(x, denoised(x, time), kept, to, noise, part)
    return x.numpy()


def best_share(kept: float, to: float) -> float:
    """The variance with which a step within one mode is exact: the posterior's, and what a picture
    may be given the noisy one (Bao et al. 2022, arXiv 2201.06503, eq. 7)."""
    own, beta = mixture().deviation ** 2, 1 - kept / to
    unknown = own * (1 - kept) / (kept * own + 1 - kept)
    least = beta * (1 - to) / (1 - kept)
    best = least + to * (beta / (1 - kept)) ** 2 * unknown
    return 2 * math.log(best / least) / math.log(beta / least) - 1


def spread(pictures: Array) -> float:
    """The variance around each picture's own mode."""
    means = mixture().means[mixture().modes(pictures).argmax(1)]
    return float(((pictures - means) ** 2).mean())


def test_ancestral_samples_are_of_the_mixture() -> None:
    count = 2000
    pictures = ancestrally(count, 100, best_share)
    modes = mixture().modes(pictures)
    found, wanted = np.bincount(modes.argmax(1), minlength=8), count * mixture().weights
    assert float(((found - wanted) ** 2 / wanted).sum()) < 29.9  # chi squared, 7: 1 in 10,000
    deviation = math.sqrt(2 / pictures.size)  # of a variance, relative
    assert abs(spread(pictures) / mixture().deviation ** 2 - 1) < 4 * deviation


def test_the_best_variance_lies_between_the_ends() -> None:
    low, best, high = (
        spread(ancestrally(100, 25, share)) for share in (None, best_share, lambda kept, to: 1.0)
    )
    assert low < 0.9 * best and best < 0.9 * high
