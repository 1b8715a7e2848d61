"""The style losses, held to plain loops that were written from the papers, to hand-computed cases
and to finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from limner.losses import style
from limner.losses.hypercolumns import columns, drawing_places, style_places

TOLERANCE = 1e-5  # float32 against loops in float64


def drawn(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# --- the plain reference ------------------------------------------------------------------------


def cosine_far(x: np.ndarray, y: np.ndarray) -> float:
    return 1 - float(x @ y) / (math.sqrt(float(x @ x)) * math.sqrt(float(y @ y)))


def colour_far(x: np.ndarray, y: np.ndarray) -> float:
    squared = min(max(float((x - y) @ (x - y)), 1e-5), 1e5)
    return cosine_far(x, y) + math.sqrt(squared / 3)


def plain_remd(
    xs: np.ndarray, ys: np.ndarray, far: Callable[[np.ndarray, np.ndarray], float]
) -> float:
    to_y = sum(min(far(x, y) for y in ys) for x in xs) / len(xs)
    to_x = sum(min(far(x, y) for x in xs) for y in ys) / len(ys)
    return max(to_y, to_x)


def plain_moments(xs: np.ndarray, ys: np.ndarray) -> float:
    def mean(rows: np.ndarray) -> list[float]:
        return [sum(float(row[c]) for row in rows) / len(rows) for c in range(rows.shape[1])]

    mu_x, mu_y, width = mean(xs), mean(ys), xs.shape[1]
    out = sum(abs(a - b) for a, b in zip(mu_x, mu_y, strict=True)) / width

    def covariance(rows: np.ndarray, mu: list[float], a: int, b: int) -> float:
        return sum((row[a] - mu[a]) * (row[b] - mu[b]) for row in rows) / (len(rows) - 1)

    gaps = [
        abs(covariance(xs, mu_x, a, b) - covariance(ys, mu_y, a, b))
        for a in range(width)
        for b in range(width)
    ]
    return out + float(sum(gaps)) / width**2


def plain_palette(xs: np.ndarray, ys: np.ndarray) -> float:
    turn = np.array([[0.577350, 0.577350, 0.577350], [-0.577350, 0.788675, -0.211325],
                     [-0.577350, -0.211325, 0.788675]])  # fmt: skip
    return plain_remd(
        np.array([turn @ x for x in xs[:, :3]]), np.array([turn @ y for y in ys[:, :3]]), colour_far
    )


@pytest.mark.parametrize(("n", "m", "c"), [(17, 23, 9), (5, 40, 4), (40, 5, 12)])
def test_each_term_is_that_of_plain_loops(n: int, m: int, c: int) -> None:
    xs, ys = drawn(n, c, seed=n) + 0.3, drawn(m, c, seed=m) * 1.5
    x, y = xs.double().numpy(), ys.double().numpy()
    got = style.distance(xs, style.look(ys))
    assert abs(float(got.remd) - plain_remd(x, y, cosine_far)) < TOLERANCE
    assert abs(float(got.moments) - plain_moments(x, y)) < TOLERANCE
    assert abs(float(got.palette) - plain_palette(x, y)) < TOLERANCE
    total = (plain_remd(x, y, cosine_far) + plain_moments(x, y) + plain_palette(x, y)) / 2
    assert abs(float(got.total) - total) < TOLERANCE


def test_grams_are_those_of_plain_loops() -> None:
    maps, others = [[drawn(1, 4, 3, 5, seed=k), drawn(1, 6, 2, 2, seed=k + 9)] for k in (1, 2)]

    def plain(map_: Tensor) -> np.ndarray:
        channels = map_[0].double().numpy()
        places = channels.shape[1] * channels.shape[2]
        return np.array([[sum((a * b).ravel()) / places for b in channels] for a in channels])

    gaps = []
    for map_, other in zip(maps, others, strict=True):
        a, b = plain(map_), plain(other)
        gaps.append(((a - b) ** 2).mean() / (b**2).mean())
    got = style.gram_distance(style.grams(maps), style.grams(others))
    assert abs(float(got) - sum(gaps) / 2) < TOLERANCE


def test_a_mask_leaves_out_of_a_gram_what_is_outside() -> None:
    map_ = drawn(1, 4, 8, 8, seed=3)
    mask = torch.zeros(16, 16)
    mask[:, :8] = 1
    (inside,) = style.grams([map_], mask)
    torch.testing.assert_close(inside, style.grams([map_[..., :4]])[0])


def test_the_arrangement_is_that_of_plain_loops() -> None:
    xs, ys = drawn(7, 5, seed=1), drawn(7, 5, seed=2)
    x, y = xs.double().numpy(), ys.double().numpy()
    gap = 0.0
    for j in range(7):
        a, b = ([cosine_far(rows[i], rows[j]) for i in range(7)] for rows in (x, y))
        gap += sum(abs(p / sum(a) - q / sum(b)) for p, q in zip(a, b, strict=True))
    assert abs(float(style.arrangement_gap(xs, ys)) - gap / 7) < TOLERANCE
    assert float(style.arrangement_gap(xs, 3 * xs)) < 1e-6, "it sees directions alone"


# --- by hand ------------------------------------------------------------------------------------

E1, E2, DIAGONAL = [1.0, 0.0], [0.0, 1.0], [math.sqrt(0.5), math.sqrt(0.5)]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([E1], [E1], 0.0),
        ([E1], [E2], 1.0),
        ([E1], [[-1.0, 0.0]], 2.0),
        ([E1], [E1, E2], 0.5),  # E1 is found; E2 is 1 away from all there is: the mean of 0 and 1
        ([E1, E2], [E1], 0.5),
        ([E1, E2], [E2, E1], 0.0),
        ([E1, E2], [DIAGONAL], 1 - math.sqrt(0.5)),
        ([E1, E1, E1, E2], [E1, E2, E2, E2], 0.0),  # how often does not matter: it is relaxed
        ([E1, DIAGONAL], [E2, DIAGONAL], (1 - math.sqrt(0.5)) / 2),
    ],
)
def test_remd_by_hand(ours: list[list[float]], theirs: list[list[float]], expected: float) -> None:
    got = style.remd(torch.tensor(ours), torch.tensor(theirs))
    assert abs(float(got) - expected) < 1e-6


def test_colours_by_hand() -> None:
    """White and black of a network that takes -1 to 1 lie opposite on the axis of light: 2 by the
    cosine, and (1 + 1) * sqrt(3) / sqrt(3) by the root of the mean square."""
    white, black = torch.ones(1, 3), -torch.ones(1, 3)
    turned = [style.light_and_hues(c) for c in (white, black)]
    assert abs(float(style.colour_remd(*turned)) - (2 + 2)) < 1e-5
    least = math.sqrt(1e-5 / 3)
    assert abs(float(style.colour_remd(turned[0], turned[0])) - least) < 1e-6


def test_a_look_is_nowhere_nearer_than_to_itself() -> None:
    columns_ = drawn(50, 8, seed=4)
    own = style.distance(columns_, style.look(columns_))
    assert float(own.remd) < 1e-6 and float(own.moments) < 1e-6
    assert float(own.palette) == pytest.approx(math.sqrt(1e-5 / 3), abs=1e-6)
    assert float(style.distance(drawn(50, 8, seed=5), style.look(columns_)).total) > 0.1


# --- gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["remd", "moments", "palette", "total"])
@pytest.mark.parametrize(("n", "m"), [(6, 9), (9, 6)])
def test_gradients_are_those_of_finite_differences(term: str, n: int, m: int) -> None:
    theirs = style.look(drawn(m, 7, seed=11, dtype=torch.float64))
    ours = drawn(n, 7, seed=12, dtype=torch.float64).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda c: getattr(style.distance(c, theirs), term), ours)


def test_the_gradient_of_grams_is_that_of_finite_differences() -> None:
    theirs = style.grams([drawn(1, 3, 4, 4, seed=1, dtype=torch.float64)])
    ours = drawn(1, 3, 4, 4, seed=2, dtype=torch.float64).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda m: style.gram_distance(style.grams([m]), theirs), ours)


def test_a_column_of_zeros_has_a_finite_gradient() -> None:
    ours = torch.zeros(3, 4, requires_grad=True)
    style.distance(ours, style.look(torch.zeros(2, 4))).total.backward()
    assert ours.grad is not None and bool(ours.grad.isfinite().all())


# --- hypercolumns -------------------------------------------------------------------------------


def plain_column(maps: list[np.ndarray], x: float, y: float) -> list[float]:
    out: list[float] = []
    for k, map_ in enumerate(maps):
        if k and map_.shape[1] < maps[k - 1].shape[1]:
            x, y = x / 2, y / 2
        high, wide = map_.shape[1:]
        left, top = math.floor(x), math.floor(y)
        for channel in map_:
            value = 0.0
            for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
                share = (x - left if dx else 1 - x + left) * (y - top if dy else 1 - y + top)
                value += share * channel[min(top + dy, high - 1), min(left + dx, wide - 1)]
            out.append(float(value))
    return out


def test_columns_are_read_between_pixels_and_halved_with_the_maps() -> None:
    maps = [drawn(1, 3, 12, 16, seed=1), drawn(1, 2, 12, 16, seed=2), drawn(1, 4, 6, 8, seed=3),
            drawn(1, 2, 3, 4, seed=4)]  # fmt: skip
    places = torch.tensor([[0.0, 0], [15, 11], [7, 3], [10, 9], [3, 11]])
    got = columns(maps, places)
    plain = [m[0].double().numpy() for m in maps]
    for row, (x, y) in zip(got, places.tolist(), strict=True):
        torch.testing.assert_close(row, torch.tensor(plain_column(plain, x, y)), atol=1e-5, rtol=0)


def test_columns_have_gradients() -> None:
    maps = [drawn(1, 2, 6, 6, seed=k, dtype=torch.float64).requires_grad_(True) for k in (1, 2)]
    places = torch.tensor([[0.0, 0.0], [3.0, 5.0], [4.0, 1.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a, b: columns([a, b], places), maps)


@pytest.mark.parametrize("size", [(128, 128), (224, 224), (40, 300), (1, 1)])
def test_places_lie_on_a_grid_and_none_twice(size: tuple[int, int]) -> None:
    noise = torch.Generator().manual_seed(0)
    places = drawing_places(size, 1024, noise)
    stride = max(1, int(math.sqrt(size[0] * size[1] / 128**2)))
    assert 1 <= len(places) <= 1024
    assert len({tuple(p) for p in places.tolist()}) == len(places)
    assert bool((places >= 0).all())
    assert bool((places < torch.tensor([size[1], size[0]])).all())
    assert all(len(set((places[:, k] % stride).tolist())) == 1 for k in (0, 1))


def test_places_keep_to_the_mask_and_a_style_gives_five_draws() -> None:
    mask = torch.zeros(64, 96)
    mask[10:20, 30:60] = 1
    noise = torch.Generator().manual_seed(0)
    places = drawing_places((64, 96), 1000, noise, mask)
    assert len(places) == 300
    assert bool((mask[places[:, 1].long(), places[:, 0].long()] == 1).all())
    assert len(style_places((64, 96), 1000, noise)) == 5000
    assert len(style_places((3, 4), 1000, noise)) == 60


# --- memory -------------------------------------------------------------------------------------


class Large(TorchDispatchMode):
    """The bytes of every tensor made that has at least so many numbers, none of them given back."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.least, self.bytes = least, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple) else (out,):
            if isinstance(tensor, Tensor) and tensor.numel() >= self.least:
                self.bytes += tensor.numel() * tensor.element_size()
        return out


def test_the_matrices_of_all_pairs_stay_under_300_mb_at_vgg16s_sizes() -> None:
    """1024 places of the drawing, 5000 of the style, 2179 channels: all that is made with as many
    numbers as there are pairs, forward and backward, summed as if nothing were ever freed."""
    n, m = 1024, 5000
    theirs = style.look(drawn(m, 2179, seed=1))
    ours = drawn(n, 2179, seed=2).requires_grad_(True)
    with Large(n * m) as large:
        terms = style.distance(ours, theirs)
        (terms.remd + terms.palette).backward()
    assert n * m * 4 <= large.bytes < 300e6, f"{large.bytes / 1e6:.0f} MB"
