"""Blends of embeddings, changes in words, and probes: by hand, and by what must always hold."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from limner.models.unclip.embeddings import blended, probed, slerp, slerp_pictures, text_diff
from limner.models.unclip.quantizer import PCA
from limner_wire.errors import ErrorCode, LimnerError

EXACT = {"atol": 1e-12, "rtol": 1e-12}  # float64, a handful of operations
SEEDS = st.integers(0, 2**32)
SHARES = st.floats(0, 1)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=random, dtype=torch.float64).to(dtype)


def exact(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def angle(a: Tensor, b: Tensor) -> float:
    u, v = a / a.norm(), b / b.norm()
    return 2 * math.atan2(float((u - v).norm()), float((u + v).norm()))


def near(degrees: float, seed: int) -> Tensor:
    """(4, 3) vectors of lengths 1 to 2, all so far from a common one."""
    unit = F.normalize(normal(5, 3, seed=seed), dim=1)
    pole, rest = unit[0], unit[1:]
    aside = F.normalize(rest - (rest @ pole)[:, None] * pole, dim=1)
    turn = math.radians(degrees)
    return torch.linspace(1, 2, 4)[:, None] * (math.cos(turn) * pole + math.sin(turn) * aside)


# --- slerp ----------------------------------------------------------------------------------------


def test_slerp_by_hand() -> None:
    x, y = exact(1, 0), exact(0, 1)
    torch.testing.assert_close(slerp(x, y, 0.5), exact(1, 1) / math.sqrt(2), **EXACT)
    torch.testing.assert_close(slerp(x, y, 1 / 3), exact(math.sqrt(3) / 2, 0.5), **EXACT)
    # the length goes evenly from 1 to 3
    torch.testing.assert_close(slerp(x, 3 * y, 1 / 3), 5 / 3 * exact(3**0.5 / 2, 0.5), **EXACT)
    # in space: between two axes, and a third of the way to what lies 120 degrees apart
    a, b, turn = exact(1, 0, 0), exact(0, 0, 1), math.radians(40)
    torch.testing.assert_close(slerp(a, b, 0.5), exact(1, 0, 1) / math.sqrt(2), **EXACT)
    b = exact(-0.5, 0, math.sqrt(3) / 2)
    wanted = exact(math.cos(turn), 0, math.sin(turn))
    torch.testing.assert_close(slerp(a, b, 1 / 3), wanted, **EXACT)


@settings(deadline=None)
@given(SEEDS, SHARES)
def test_slerp_stays_on_the_great_circle_at_an_even_speed(seed: int, share: float) -> None:
    a, b = normal(2, 12, seed=seed)
    between, whole = slerp(a, b, share), angle(a, b)
    assert angle(a, between) == pytest.approx(share * whole, abs=1e-12)
    assert angle(between, b) == pytest.approx((1 - share) * whole, abs=1e-12)
    wanted = (1 - share) * float(a.norm()) + share * float(b.norm())
    assert float(between.norm()) == pytest.approx(wanted, rel=1e-12)
    # nothing sticks out of the plane of a and b
    plane, _ = torch.linalg.qr(torch.stack([a, b], 1))
    torch.testing.assert_close(plane @ (plane.T @ between), between, **EXACT)
    torch.testing.assert_close(slerp(b, a, 1 - share), between, **EXACT)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_ends_of_slerp_are_exact(dtype: torch.dtype) -> None:
    a, b = normal(2, 3, 40, dtype=dtype)
    for x, y in ((a, b), (a, a), (a, -a), (a, 0 * a)):
        assert torch.equal(slerp(x, y, 0), x) and torch.equal(slerp(x, y, 1.0), y)
        assert slerp(x, y, 0.3).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_that_of_the_result_alone(dtype: torch.dtype) -> None:
    a, b = normal(2, 3, 40, dtype=dtype)
    wanted = slerp(a.double(), b.double(), 0.3).to(dtype)
    torch.testing.assert_close(slerp(a, b, 0.3), wanted, atol=0, rtol=torch.finfo(dtype).eps)


def test_shares_of_many_frames() -> None:
    a, b = normal(2, 12)
    shares = torch.linspace(0, 1, 5, dtype=torch.float64)
    frames = slerp(a, b, shares)
    assert torch.equal(frames[0], a) and torch.equal(frames[-1], b)
    assert torch.equal(frames, torch.stack([slerp(a, b, float(s)) for s in shares]))
    rows = normal(2, 5, 12, seed=1)
    each = torch.stack([slerp(*rows[:, k], float(shares[k])) for k in range(5)])
    torch.testing.assert_close(slerp(*rows, shares), each, **EXACT)


@settings(deadline=None)
@given(st.floats(-16, 0), SHARES, st.sampled_from([torch.float32, torch.float64]))
def test_nearly_parallel_vectors_are_a_straight_line(
    power: float, share: float, dtype: torch.dtype
) -> None:
    """Down to no difference at all; bent by not more than the square of it."""
    a = F.normalize(normal(12), dim=0).to(dtype)
    b = (a + 10**power * normal(12, seed=1)).to(dtype)
    far = float((b - a).norm())
    bent = float((slerp(a, b, share) - torch.lerp(a, b, share)).norm())
    assert bent <= far**2 + 8 * torch.finfo(dtype).eps


@pytest.mark.parametrize("power", [-30, -9, -7, -5, -3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_opposite_vectors_have_a_way(power: int, dtype: torch.dtype) -> None:
    a = F.normalize(normal(12), dim=0).to(dtype)
    b = -a + (10**power * normal(12, seed=1)).to(dtype)
    slack = 10 * torch.finfo(dtype).eps + (2e-6 if power < -5 else 0)  # where another way is taken
    for share in (0.25, 0.5, 0.75):
        between = slerp(a, b, share)
        assert angle(a, between) == pytest.approx(share * angle(a, b), abs=slack)
        length = (1 - share) + share * float(b.norm())
        assert float(between.norm()) == pytest.approx(length, abs=10 * torch.finfo(dtype).eps)
        torch.testing.assert_close(slerp(-a, a, 1 - share), slerp(a, -a, share))


def test_the_way_between_opposite_vectors_by_hand() -> None:
    """Past the axis of which they have least."""
    a = exact(0.6, 0.0, -0.8)
    torch.testing.assert_close(slerp(a, -a, 0.5), exact(0, 1, 0), **EXACT)


def test_zeros_have_no_direction_but_a_result() -> None:
    zero, a = torch.zeros(4), torch.ones(4)
    assert torch.equal(slerp(zero, zero, 0.5), zero)
    assert bool(slerp(zero, a, 0.5).isfinite().all()) and bool(slerp(a, zero, 0.5).isfinite().all())


def test_noise_between_noise_is_noise() -> None:
    a, b = normal(2, 3, 4, 32, 32)
    between = slerp_pictures(a, b, 0.5)
    assert between.shape == a.shape
    torch.testing.assert_close(
        between[1], slerp(a[1].flatten(), b[1].flatten(), 0.5).view(4, 32, 32)
    )
    # 4096 normal numbers have this deviation to within 5 / sqrt(2 * 4096); a straight line 0.71.
    assert bool(((between.flatten(1).std(1) - 1).abs() < 0.055).all())
    assert torch.equal(slerp_pictures(a, b, 0), a) and torch.equal(slerp_pictures(a, b, 1), b)


# --- blends ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(SEEDS, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_blend_of_two_is_slerp(seed: int, first: float, second: float) -> None:
    two = normal(2, 12, seed=seed)
    share = second / (first + second)
    torch.testing.assert_close(blended(two, exact(first, second)), slerp(*two, share), **EXACT)


def test_a_blend_of_three_goes_on_where_that_of_two_ends() -> None:
    """The third has next to no weight: the search agrees with the formula for two."""
    three = F.normalize(normal(3, 12), dim=1)
    most = blended(three, exact(0.3, 0.7, 1e-15))
    torch.testing.assert_close(most, slerp(three[0], three[1], 0.7), **EXACT)


def test_a_blend_by_hand() -> None:
    """The axes of space lie evenly around their diagonal; points on a circle have a mean angle."""
    axes = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(blended(axes, exact(2, 2, 2)), exact(1, 1, 1) / 3**0.5, **EXACT)
    turns = [math.radians(d) for d in (0, 30, 90)]
    points = torch.tensor([[math.cos(t), math.sin(t), 0] for t in turns], dtype=torch.float64)
    lengths, weights = exact(1, 2, 4), exact(0.5, 0.25, 0.25)
    mean = math.radians(0.25 * 30 + 0.25 * 90)
    torch.testing.assert_close(
        blended(lengths[:, None] * points, weights),
        2 * exact(math.cos(mean), math.sin(mean), 0),
        **EXACT,
    )


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.floats(0, 75))
def test_a_blend_minds_no_order_and_its_turns_cancel(seed: int, degrees: float) -> None:
    points, weights = near(degrees, seed), normal(4, seed=seed).abs() + 0.01
    made = blended(points, weights)
    for order in ([3, 2, 1, 0], [1, 2, 3, 0], [0, 2, 1, 3]):
        torch.testing.assert_close(blended(points[order], weights[order]), made, **EXACT)
    middle, units = made / made.norm(), F.normalize(points, dim=1)
    cosine = units @ middle
    turns = torch.stack([exact(angle(middle, u)) for u in units])
    aside = F.normalize(units - cosine[:, None] * middle, dim=1)
    left = (weights / weights.sum()) @ (turns * aside)
    assert float(left.norm()) < 1e-9  # at 75 degrees each of 64 rounds takes a third away
    mean = weights @ points.norm(dim=1) / weights.sum()
    assert float(made.norm()) == pytest.approx(float(mean), rel=1e-12)


def test_pictures_without_weight_do_not_count() -> None:
    points = normal(4, 12)
    assert torch.equal(blended(points, exact(0, 0, 3, 0)), points[2])
    two = blended(points, exact(1, 0, 3, 0))
    assert torch.equal(two, slerp(points[0], points[2], 0.75))
    torch.testing.assert_close(
        blended(points, exact(1, 1, 0, 2)), blended(points[[0, 1, 3]], exact(1, 1, 2))
    )


@pytest.mark.parametrize("weights", [(), (1,), (0, 0, 0), (1, 1, -1), (1, 1, math.nan), (1,) * 4])
def test_each_picture_needs_a_weight(weights: tuple[float, ...]) -> None:
    with pytest.raises(LimnerError) as error:
        blended(normal(3, 12), exact(*weights))
    assert error.value.code is ErrorCode.BAD_INPUT


def test_pictures_that_cancel_out_have_no_middle() -> None:
    turns = [math.radians(d) for d in (0, 120, 240)]
    points = torch.tensor([[math.cos(t), math.sin(t)] for t in turns])
    with pytest.raises(LimnerError, match="middle"):
        blended(points, torch.ones(3))


# --- changes in words -----------------------------------------------------------------------------


def test_a_change_in_words_by_hand() -> None:
    """From (1, 0) to (1, 2) is up, and a third of the way there are 30 degrees."""
    picture, target, neutral = exact(5, 0), exact(1, 2), exact(1, 0)
    turned = text_diff(picture, target, neutral, 1 / 3)
    torch.testing.assert_close(turned, 5 * exact(math.sqrt(3) / 2, 0.5), **EXACT)
    alone = text_diff(picture, target, None, 1)
    torch.testing.assert_close(alone, 5 * exact(1, 2) / math.sqrt(5), **EXACT)


@settings(deadline=None)
@given(SEEDS, SHARES, st.booleans())
def test_a_changed_picture_keeps_its_length(seed: int, theta: float, alone: bool) -> None:
    picture, target, neutral = normal(3, 12, seed=seed) * exact(3, 1, 1)[:, None]
    change = target if alone else target - neutral
    turned = text_diff(picture, target, None if alone else neutral, theta)
    assert float(turned.norm()) == pytest.approx(float(picture.norm()), rel=1e-12)
    assert angle(picture, turned) == pytest.approx(theta * angle(picture, change), abs=1e-12)
    assert angle(turned, change) == pytest.approx((1 - theta) * angle(picture, change), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_no_change_is_the_picture_to_the_bit(dtype: torch.dtype) -> None:
    picture, target, neutral = normal(3, 12, dtype=dtype)
    assert torch.equal(text_diff(picture, target, neutral, 0), picture)
    frames = text_diff(picture, target, neutral, torch.linspace(0, 0.5, 4))
    assert frames.shape == (4, 12) and torch.equal(frames[0], picture)


def test_texts_of_the_same_meaning_are_no_change() -> None:
    picture, target = normal(2, 12)
    with pytest.raises(LimnerError, match="mean the same") as error:
        text_diff(picture, target, target + 1e-6, 0.3)
    assert error.value.code is ErrorCode.BAD_INPUT


# --- probes ---------------------------------------------------------------------------------------


def fitted(unit: bool = False) -> tuple[PCA, Tensor]:
    """Of 500 vectors of 8 numbers, all of which vary enough to be kept."""
    z = normal(500, 8) * torch.linspace(2, 0.5, 8) + torch.linspace(-1, 1, 8)
    z = (F.normalize(z, dim=1) if unit else z).float()
    pca, _ = PCA.fit(z)
    assert len(pca.components) == 8
    return pca, z


@pytest.mark.parametrize("unit", [False, True])
def test_all_components_are_the_embedding_and_each_tells_more(unit: bool) -> None:
    pca, z = fitted(unit)
    torch.testing.assert_close(probed(z, pca, 8), z, atol=1e-5, rtol=0)  # float32
    errors = [float((probed(z, pca, k) - z).square().mean()) for k in range(9)]
    assert all(a > b for a, b in pairwise(errors))


def test_every_embedding_comes_nearer_with_each_component() -> None:
    pca, z = fitted()
    errors = torch.stack([(probed(z, pca, k) - z).norm(dim=1) for k in range(9)])
    assert bool((errors.diff(dim=0) < 1e-5).all())


def test_a_probe_keeps_unit_vectors_and_no_others() -> None:
    pca, z = fitted(unit=True)
    both = torch.cat([z[:5], 2 * z[:5]])
    lengths = probed(both, pca, 3).norm(dim=1)
    torch.testing.assert_close(lengths[:5], torch.ones(5))
    assert bool(((lengths[5:] - 2).abs() > 1e-3).all())


def test_a_probe_by_hand() -> None:
    pca = PCA(3, 2)  # the first two axes, about 0
    z = torch.tensor([[0.6, 0.0, 0.8], [3.0, 4.0, 5.0]])
    assert probed(z, pca, 2).tolist() == [[1, 0, 0], [3, 4, 0]]
    assert probed(z, pca, 1).tolist() == [[1, 0, 0], [3, 0, 0]]


@pytest.mark.parametrize("count", [-1, 9])
def test_not_more_components_than_there_are(count: int) -> None:
    pca, z = fitted()
    with pytest.raises(LimnerError) as error:
        probed(z, pca, count)
    assert error.value.code is ErrorCode.BAD_INPUT
