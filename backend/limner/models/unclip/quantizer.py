"""Image embeddings as a few whole numbers (Ramesh et al. 2022, arXiv 2204.06125, section 2.2):
their principal components, the largest first, each in buckets that are equally full.

The paper does not say where its buckets' edges lie. Here they are quantiles of the training data,
so no bucket is wasted, and a bucket stands for the mean of what fell into it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LOST = 0.01  # of the variance, that components may leave out


class PCA(nn.Module):
    """The first k principal components of (B, D) vectors.

    Attributes:
        mean: (1, D).
        components: (k, D), orthonormal, by falling variance.
    """

    mean: Tensor
    components: Tensor

    def __init__(self, dim: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, dim))
        self.register_buffer("components", torch.eye(kept, dim))

    @classmethod
    def fit(cls, z: Tensor, most: int | None = None) -> tuple[PCA, float]:
        """The fewest components that leave out less than 1 % of the variance of (N, D) vectors, but
        not more than `most`; and what part they do leave out."""
        exact = z.double()
        mean = exact.mean(0, keepdim=True)
        values, vectors = torch.linalg.eigh((exact - mean).T @ (exact - mean) / len(z))
        values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
        left = 1 - values.cumsum(0) / values.sum()
        enough = int((left >= LOST).sum()) + 1
        kept = min(enough, most or enough)
        pca = cls(z.shape[1], kept)
        pca.mean.copy_(mean)
        pca.components.copy_(vectors[:, :kept].T)
        return pca, float(left[kept - 1])

    def project(self, z: Tensor) -> Tensor:
        """(B, D) vectors as (B, k) components."""
        return (z - self.mean) @ self.components.T

    def restored(self, parts: Tensor) -> Tensor:
        """(B, n) of the first n components, the others at their mean, as (B, D) vectors."""
        return parts @ self.components[: parts.shape[1]] + self.mean


class Buckets(nn.Module):
    """n buckets for each of k numbers.

    Attributes:
        edges: (k, n - 1), rising; a number on an edge lies above it.
        centres: (k, n), what each bucket stands for.
    """

    edges: Tensor
    centres: Tensor

    def __init__(self, numbers: int, count: int) -> None:
        super().__init__()
        self.register_buffer("edges", torch.zeros(numbers, count - 1))
        self.register_buffer("centres", torch.zeros(numbers, count))

    @classmethod
    def fit(cls, parts: Tensor, count: int) -> Buckets:
        """Buckets that (N, k) numbers fill equally, as far as no two of a number are the same."""
        buckets = cls(parts.shape[1], count)
        ranked = parts.sort(0).values
        at = (torch.arange(1, count) * len(parts) // count).clamp_min(1)
        buckets.edges.copy_(((ranked[at - 1] + ranked[at]) / 2).T)
        chosen, exact = buckets.quantise(parts).T, parts.T.double()
        none = torch.zeros(buckets.centres.shape, dtype=torch.float64)
        sums = none.scatter_add(1, chosen, exact)
        counts = none.scatter_add(1, chosen, torch.ones_like(exact))
        # an empty bucket has no width: both its edges are the same
        empty = torch.cat([buckets.edges[:, :1], buckets.edges], 1)
        buckets.centres.copy_(torch.where(counts > 0, sums / counts, empty.double()))
        return buckets

    def quantise(self, parts: Tensor) -> Tensor:
        """(B, k) numbers to the (B, k) buckets that they lie in."""
        return torch.searchsorted(self.edges, parts.T.contiguous(), right=True).T

    def restored(self, chosen: Tensor) -> Tensor:
        """(B, n) buckets of the first n numbers to what they stand for."""
        return self.centres[: chosen.shape[1]].gather(1, chosen.T).T
