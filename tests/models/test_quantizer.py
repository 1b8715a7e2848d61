"""Image embeddings as whole numbers: what principal components and buckets lose, and that they say
so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limner.models.unclip.quantizer import PCA, Buckets


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def falling(count: int = 4000, dim: int = 12) -> Tensor:
    """Vectors whose variance halves from one hidden direction to the next."""
    turned = torch.linalg.qr(drawn(dim, dim, seed=1))[0]
    return (drawn(count, dim) * 0.5 ** (torch.arange(dim) / 2)) @ turned + 3.0


def test_components_are_orthonormal_and_their_variance_falls() -> None:
    z = falling()
    pca, _ = PCA.fit(z)
    kept = len(pca.components)
    torch.testing.assert_close(pca.components @ pca.components.T, torch.eye(kept))
    variances = pca.project(z).var(0)
    assert (variances.diff() < 0).all() and variances[0] == pytest.approx(1, rel=0.1)
    torch.testing.assert_close(pca.project(z).mean(0), torch.zeros(kept), atol=1e-4, rtol=0)


def test_the_fewest_components_that_leave_out_less_than_a_hundredth() -> None:
    z = falling()
    pca, lost = PCA.fit(z)
    spread = (z - z.mean(0)).square().sum()

    def error(kept: int) -> float:
        some, said = PCA.fit(z, kept)
        assert len(some.components) == kept
        left = ((some.restored(some.project(z)) - z).square().sum() / spread).item()
        assert said == pytest.approx(left, rel=1e-3)  # it says what it leaves out, capped or not
        return left

    kept = len(pca.components)
    assert kept == 7  # halves: 2^-7 is below a hundredth, 2^-6 is not
    assert lost == pytest.approx(error(kept)) and error(kept) < 0.01 < error(kept - 1)
    assert len(PCA.fit(z, 100)[0].components) == kept


def test_components_that_are_still_to_come_are_at_their_mean() -> None:
    z = falling()
    pca, _ = PCA.fit(z)
    parts = pca.project(z[:5])
    wanted = torch.cat([parts[:, :3], torch.zeros(5, parts.shape[1] - 3)], 1)
    torch.testing.assert_close(pca.restored(parts[:, :3]), pca.restored(wanted))
    torch.testing.assert_close(pca.restored(parts[:, :0]), z.mean(0).expand(5, -1))


def test_buckets_are_equally_full() -> None:
    parts = falling()
    buckets = Buckets.fit(parts, 16)
    for column in buckets.quantise(parts).T:
        assert column.bincount(minlength=16).tolist() == [250] * 16


def test_a_uniform_number_comes_back_within_half_a_bucket() -> None:
    parts = torch.linspace(-1, 1, 6400)[:, None]
    buckets = Buckets.fit(parts, 32)
    error = (buckets.restored(buckets.quantise(parts)) - parts).abs().max().item()
    assert error <= 1 / 32 + 1e-6  # single precision


def test_any_number_comes_back_within_its_bucket_and_on_average_best() -> None:
    """Buckets of quantiles are of all widths, and the mean in one is not its middle: so the bound
    is a whole bucket, but no other number for a bucket has a smaller squared error."""
    parts = falling().exp()  # far from uniform
    buckets = Buckets.fit(parts, 16)
    chosen = buckets.quantise(parts)
    back = buckets.restored(chosen)
    ends = [parts.min(0).values[:, None], buckets.edges, parts.max(0).values[:, None]]
    edges = torch.cat(ends, 1)
    widths = edges.diff(dim=1).gather(1, chosen.T).T
    assert ((back - parts).abs() <= widths).all()
    middles = (edges[:, :-1] + edges[:, 1:]).div(2).gather(1, chosen.T).T
    assert ((back - parts).square().mean(0) < (middles - parts).square().mean(0)).all()
    assert torch.equal(buckets.quantise(back), chosen)


def test_a_number_on_an_edge_lies_above_it() -> None:
    buckets = Buckets(2, 3)
    buckets.edges.copy_(torch.tensor([[0.0, 1.0], [5.0, 6.0]]))
    parts = torch.tensor([[-1.0, 5.0], [0.0, 5.5], [1.0, 4.0]])
    assert buckets.quantise(parts).tolist() == [[0, 1], [1, 1], [2, 0]]


def test_the_same_number_over_and_over_leaves_buckets_empty_but_finite() -> None:
    parts = torch.cat([torch.full((90, 1), 0.25), torch.linspace(1, 2, 10)[:, None]])
    buckets = Buckets.fit(parts, 8)
    assert buckets.quantise(parts).unique().tolist() == [7]
    assert buckets.centres[0].tolist() == pytest.approx([0.25] * 7 + [parts.mean().item()])


def test_buckets_travel_in_the_state() -> None:
    z = falling()
    pca, _ = PCA.fit(z)
    buckets = Buckets.fit(pca.project(z), 16)
    again, other = PCA(12, len(pca.components)), Buckets(len(pca.components), 16)
    again.load_state_dict(pca.state_dict())
    other.load_state_dict(buckets.state_dict())
    assert torch.equal(other.quantise(again.project(z)), buckets.quantise(pca.project(z)))
