"""From a picture to the code that paints it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from limner.models import features
from limner.models.inversion import Inversion, Tuning, correlation, deviation, psnr, ramp

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios

CPU = torch.device("cpu")


def target(seed: int = 7) -> torch.Tensor:
    return studios.picture(studios.generator(), seed)[None] * 2 - 1


def test_a_picture_that_the_generator_can_paint_is_found() -> None:
    made = studios.generator()
    inversion = Inversion(made, target())
    before = psnr(inversion.image(), inversion.target)
    for k in range(150):
        losses = inversion.advance(k / 150)
    after = psnr(inversion.image(), inversion.target)
    print(f"{before:.1f} dB, then {after:.1f} dB")
    assert after >= 30 and after > before + 8 and float(losses["pixels"]) < 0.01
    assert not any(p.requires_grad for p in made.parameters())


def test_the_features_pull_too() -> None:
    inversion = Inversion(studios.generator(), target(), None, features.load("starter", CPU))
    first = inversion.advance(0.2)
    for k in range(15):
        last = inversion.advance(0.2 + k / 30)
    assert first["features"] > last["features"] > 0


def test_several_pictures_at_once_are_found_as_each_alone() -> None:
    both = torch.cat([target(7), target(8)])
    together = Inversion(studios.generator(), both)
    alone = Inversion(studios.generator(), target(8))
    for k in range(20):
        together.advance(k / 20)
        alone.advance(k / 20)
    # the loss is a mean, and Adam does not see its scale but for its epsilon
    torch.testing.assert_close(together.w[1:], alone.w, atol=1e-2, rtol=0)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_it_goes_on_bit_for_bit(noise: float) -> None:
    made = studios.generator(noise=noise)
    whole, first, second = (Inversion(made, target()) for _ in range(3))
    for k in range(8):
        whole.advance(k / 8)
    for k in range(3):
        first.advance(k / 8)
    saved = first.saved()
    first.advance(0.5)
    second.restore(saved)
    for k in range(3, 8):
        second.advance(k / 8)
    assert torch.equal(whole.w, second.w) and torch.equal(whole.image(), second.image())
    assert ("noise.00" in saved) == bool(noise)


def test_noise_stays_noise() -> None:
    inversion = Inversion(studios.generator(noise=0.3), target())
    for k in range(20):
        inversion.advance(k / 20)
    for noise in (n.detach() for n in inversion.noise):
        assert abs(float(noise.mean())) < 1e-5
        assert float(noise.square().mean()) == pytest.approx(1, abs=1e-4)


def test_correlation_tells_noise_from_a_ramp() -> None:
    white = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    ramp_ = torch.linspace(-1.7, 1.7, 64).expand(64, 64)
    assert correlation(white) < 0.1 < 1 < correlation(ramp_)
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)
    assert correlation(checks) == pytest.approx(2)  # -1 along either axis


def test_tuning_paints_the_very_picture_and_leaves_the_generator_alone() -> None:
    made = studios.generator()
    strange = torch.zeros(1, 3, 16, 16)
    strange[:, :, 4:9, 4:9] = 1  # hard edges, which it can't paint
    inversion = Inversion(made, strange)
    for k in range(20):
        inversion.advance(k / 20)
    before, weights = psnr(inversion.image(), strange), made.constant.clone()
    tuning = Tuning(inversion)
    for _ in range(200):
        tuning.advance()
    after = psnr(inversion.image(tuning.freeze()), strange)
    print(f"{before:.1f} dB, tuned {after:.1f} dB")
    assert after > before + 1 and torch.equal(made.constant, weights)
    assert psnr(inversion.image(), strange) == before


def test_the_course_of_the_rate_is_the_papers() -> None:
    assert [round(ramp(t), 3) for t in (0, 0.025, 0.05, 0.5, 0.75, 0.875, 1)] == [
        0, 0.5, 1, 1, 1, 0.5, 0,
    ]  # fmt: skip


def test_psnr_and_deviation_by_hand() -> None:
    flat = torch.zeros(1, 3, 4, 4)
    assert psnr(flat, flat + 0.2) == pytest.approx(20, abs=1e-4)  # 0.1 of a range of 1
    assert psnr(flat + 1, flat + 5) == pytest.approx(100)
    made = studios.generator()
    assert deviation(made) == deviation(made) > 0.1
