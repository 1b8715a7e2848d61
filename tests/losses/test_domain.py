"""What moves a generator to another domain, against references written apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from limner.losses import domain
from limner.methods.base import Models
from limner_wire.errors import LimnerError


def units(*shape: int, seed: int = 1) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=chance, dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True)


BEFORE, AFTER, WAY, TEXT = units(5, 12), units(5, 12, seed=2), units(12, seed=3), units(12, seed=4)
WAYS = units(4, 12, seed=5)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def test_directional() -> None:
    rows = zip(BEFORE.numpy(), AFTER.numpy(), strict=True)
    expected = np.mean([1 - cosine(a - b, WAY.numpy()) for b, a in rows])
    assert float(domain.directional(BEFORE, AFTER, WAY)) == pytest.approx(expected, abs=1e-5)


def test_whole() -> None:
    expected = np.mean([1 - cosine(a, TEXT.numpy()) for a in AFTER.numpy()])
    assert float(domain.whole(AFTER, TEXT)) == pytest.approx(expected, abs=1e-5)


def test_manifold() -> None:
    rows = zip(BEFORE.numpy(), AFTER.numpy(), strict=True)
    angle = cosine(TEXT.numpy(), WAY.numpy())
    expected = np.mean([abs(cosine(b, a) - angle) for b, a in rows])
    assert float(domain.manifold(BEFORE, AFTER, TEXT, WAY)) == pytest.approx(expected, abs=1e-5)


def test_reached() -> None:
    goal = 0.4 * WAY.numpy()
    rows = zip(BEFORE.numpy(), AFTER.numpy(), strict=True)
    expected = np.mean([abs((a - b) @ goal / (goal @ goal) - 1) for b, a in rows])
    assert float(domain.reached(BEFORE, AFTER, 0.4 * WAY)) == pytest.approx(expected, abs=1e-5)
    assert float(domain.reached(BEFORE, BEFORE + WAY, WAY)) == pytest.approx(0, abs=1e-6)


def test_patches() -> None:
    terms = []
    for b, a in zip(BEFORE.numpy(), AFTER.numpy(), strict=True):
        cosines = [cosine(a - b, way) for way in WAYS.numpy()]
        powers = [math.exp(c) for c in cosines]
        terms += [(1 - c) * p / sum(powers) for c, p in zip(cosines, powers, strict=True)]
    expected = sum(terms) / len(terms)
    assert float(domain.patches(BEFORE, AFTER, WAYS)) == pytest.approx(expected, abs=1e-5)


def test_texture() -> None:
    expected = np.mean((AFTER.numpy() - TEXT.numpy()[None]) ** 2)
    assert float(domain.texture(AFTER, TEXT)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: domain.directional(BEFORE, x, WAY),
        lambda x: domain.whole(x, TEXT),
        lambda x: domain.manifold(BEFORE, x, TEXT, WAY),
        lambda x: domain.reached(BEFORE, x, 0.4 * WAY),
        lambda x: domain.patches(BEFORE, x, WAYS),
        lambda x: domain.texture(x, TEXT),
    ],
)
def test_gradients_are_those_of_finite_differences(loss: object) -> None:
    assert torch.autograd.gradcheck(loss, (AFTER.clone().requires_grad_(True),), atol=1e-6)


def test_what_has_not_moved_has_a_gradient_towards_the_way() -> None:
    for loss, to in ((domain.directional, WAY), (domain.patches, WAY[None])):
        same = BEFORE.clone().requires_grad_(True)
        value = loss(BEFORE, same, to)
        value.backward()
        assert float(value.detach()) == 1 and same.grad.isfinite().all()
        along = torch.nn.functional.cosine_similarity(-same.grad, WAY[None], dim=-1)
        torch.testing.assert_close(along, torch.ones_like(along))
        assert same.grad.norm(dim=-1).max() <= 1 / domain.LEAST


def test_the_way_is_the_mean_over_the_sentences(starter: Models) -> None:
    clip, sentences = starter.clips[0].clip, ("{}", "a drawing of {}")
    differences = []
    for sentence in sentences:
        a, b = clip.encode_text([sentence.format("a cat"), sentence.format("an apple")])
        differences.append(b / b.norm() - a / a.norm())
    expected = sum(differences) / 2
    found = domain.change(clip, "a cat", "an apple", sentences)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    with pytest.raises(LimnerError, match="mean the same"):
        domain.change(clip, "a cat", "a cat")


def test_the_way_of_one_picture_from_one_is_the_difference() -> None:
    expected = AFTER[0] - BEFORE[0]
    torch.testing.assert_close(domain.change_of_pictures(BEFORE[:1], AFTER[:1]), expected)


def test_the_way_of_pictures_is_what_is_expected_of_it() -> None:
    """Of a change that may go anywhere alike, seen with the means' errors: axis by axis of what the
    pictures before differ in, its variance over the sum of both."""
    before, after = BEFORE.double().numpy(), AFTER[:3].double().numpy() * 3
    change = after.mean(0) - before.mean(0)
    chance = np.cov(before.T) * (1 / 3 + 1 / len(before))
    own = max(change @ change - np.trace(chance), 0.1 * change @ change) / len(change)
    expected = np.zeros_like(change)
    _, variances, axes = np.linalg.svd(chance)
    for variance, axis in zip(variances, axes, strict=True):
        expected += own / (own + variance) * (axis @ change) * axis
    got = domain.change_of_pictures(BEFORE, AFTER[:3] * 3)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-5)


def test_three_pictures_tell_the_way_better_so() -> None:
    """Pictures differ much along few axes; what they have in common lies anywhere."""
    noise = torch.Generator().manual_seed(3)
    axes = torch.randn(8, 64, generator=noise)
    way = torch.randn(64, generator=noise)
    better = 0
    for _ in range(20):
        before, liked = (torch.randn(n, 8, generator=noise) @ axes for n in (64, 3))
        plain = liked.mean(0) + way - before.mean(0)
        cleaned = domain.change_of_pictures(before, liked + way)
        near = [float(F.cosine_similarity(v, way, dim=0)) for v in (plain, cleaned)]
        better += near[1] > max(near[0], 0.9)
    assert better >= 18


def test_crops_are_the_same_of_all() -> None:
    pictures = torch.arange(2 * 3 * 8 * 8.0).reshape(2, 3, 8, 8)
    cut = domain.cropped(pictures, torch.tensor([[0, 1], [4, 2]]), 3)
    assert cut.shape == (4, 3, 3, 3)
    assert torch.equal(cut[1], pictures[0, :, 4:7, 2:5])
    assert torch.equal(cut[2], pictures[1, :, 0:3, 1:4])
