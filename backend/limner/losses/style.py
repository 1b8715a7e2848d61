"""How far apart the looks of two pictures are: STROTSS (Kolkin et al. 2019, arXiv 1904.12785).

A picture's look is a set of hypercolumns without their places. Two looks are compared by

    (REMD + moments + palette) / 2,                                       with a content weight of 0

    REMD     the relaxed earth mover's distance (eq. 5): how far each column is from the nearest
             of the other set, by the cosine; the mean over one set or over the other, whichever is
             larger
    moments  mean |mu_x - mu_y| + mean |Cov_x - Cov_y| over all channels (eq. 7)
    palette  REMD of the colours alone, in a space where light and hue are apart, by the cosine
             plus the Euclidean distance (section 2.3)

as StyleCLIPDraw's authors have it (3f2c425). `gram` is the older measure of Gatys et al. 2016
(CVPR, eq. 3 to 5), for choice and for checking the first by.

The look of the style picture is made once. Of the matrix of all distances only the nearest pairs
have a gradient, so it is looked through without a graph and those pairs are measured again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

TINY = 1e-8  # of a length by which a column is divided
NEAREST_SQUARED = 1e-5  # below, the root's gradient has no bound (the authors' clamp)
LIGHT_AND_HUES = (
    (0.577350, 0.577350, 0.577350),
    (-0.577350, 0.788675, -0.211325),
    (-0.577350, -0.211325, 0.788675),
)  # the authors' rotation of RGB: the first axis is grey


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of a style picture.

    Attributes:
        unit: (M, C) its hypercolumns, each of length 1.
        mean: (C,), and covariance: (C, C), of the columns as they were.
        palette: (M, 3) its colours, light and hues apart.
    """

    unit: Tensor
    mean: Tensor
    covariance: Tensor
    palette: Tensor


class Terms(NamedTuple):
    """The parts of a distance, each a () tensor."""

    remd: Tensor
    moments: Tensor
    palette: Tensor

    @property
    def total(self) -> Tensor:
        """() the distance."""
        return (self.remd + self.moments + self.palette) / 2


def look(columns: Tensor) -> Look:
    """The look of (M, C) hypercolumns, whose first three channels are the colour."""
    columns = columns.detach()
    mean, covariance = moments(columns)
    return Look(unit(columns), mean, covariance, light_and_hues(columns[:, :3]))


def distance(columns: Tensor, style: Look) -> Terms:
    """How far (N, C) hypercolumns are from a look; differentiable in the columns."""
    mean, covariance = moments(columns)
    spread = (mean - style.mean).abs().mean() + (covariance - style.covariance).abs().mean()
    colours = light_and_hues(columns[:, :3])
    return Terms(remd(unit(columns), style.unit), spread, colour_remd(colours, style.palette))


def moments(columns: Tensor) -> tuple[Tensor, Tensor]:
    """(C,) mean and (C, C) covariance of (N, C) columns."""
    mean = columns.mean(0)
    centred = columns - mean
    return mean, centred.T @ centred / max(1, len(columns) - 1)


def unit(columns: Tensor) -> Tensor:
    """(N, C) the same directions, of length 1; a column of zeros stays one."""
    out: Tensor = columns / columns.norm(dim=1, keepdim=True).clamp_min(TINY)
    return out


def light_and_hues(colours: Tensor) -> Tensor:
    """(N, 3) colours turned so that light and hue are apart."""
    return colours @ colours.new_tensor(LIGHT_AND_HUES).T


def remd(ours: Tensor, theirs: Tensor) -> Tensor:
    """() the relaxed earth mover's distance of (N, C) and (M, C) unit vectors by the cosine.

    The larger of  mean_i min_j D_ij  and  mean_j min_i D_ij,  D = 1 - ours @ theirs.T.
    """
    with torch.no_grad():
        likeness = ours @ theirs.T
        rows, lines = likeness.max(1), likeness.max(0)
        if bool(rows.values.mean() < lines.values.mean()):
            nearest, pairs = theirs[rows.indices], len(ours)
        else:
            nearest, pairs = torch.zeros_like(ours), len(theirs)
            nearest.index_add_(0, lines.indices, theirs)  # all that one of ours is nearest to
    return 1 - (ours * nearest).sum() / pairs


def colour_remd(ours: Tensor, theirs: Tensor) -> Tensor:
    """() the same of (N, 3) and (M, 3) colours, by the cosine plus the Euclidean distance."""
    with torch.no_grad():
        far = 1 - unit(ours) @ unit(theirs).T + torch.cdist(ours, theirs) / 3**0.5
        rows, lines = far.min(1), far.min(0)
        by_ours = bool(rows.values.mean() > lines.values.mean())
    a, b = (ours, theirs[rows.indices]) if by_ours else (ours[lines.indices], theirs)
    return (1 - (unit(a) * unit(b)).sum(1) + _euclidean(a, b)).mean()


def _euclidean(a: Tensor, b: Tensor) -> Tensor:
    """The root of the mean squared difference over the last dimension."""
    return ((a - b).square().sum(-1).clamp(NEAREST_SQUARED, 1e5) / a.shape[-1]).sqrt()


def grams(maps: Sequence[Tensor], mask: Tensor | None = None) -> list[Tensor]:
    """L matrices (C_l, C_l): how each layer's channels go together.

    Args:
        maps: L maps (1, C_l, h_l, w_l).
        mask: (h, w) how much each place counts; all the same if None.
    """
    out = []
    for map_ in maps:
        flat = map_.flatten(2)[0]
        if mask is None:
            out.append(flat @ flat.T / flat.shape[1])
        else:
            small = F.interpolate(mask[None, None], map_.shape[2:], mode="area").flatten()
            out.append((flat * small) @ flat.T / small.sum().clamp_min(TINY))
    return out


def gram_distance(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """() the mean over layers of the squared difference of Gram matrices, in parts of the
    style's own size: 1 is as far as an empty picture."""
    apart = [
        F.mse_loss(a, b) / b.square().mean().clamp_min(TINY)
        for a, b in zip(ours, theirs, strict=True)
    ]
    return torch.stack(apart).mean()


def arrangement_gap(ours: Tensor, theirs: Tensor) -> Tensor:
    """() STROTSS' content term (eq. 8): how differently two pictures' places are like each other.

    Args:
        ours, theirs: (N, C) hypercolumns of the same N places of both.
    """
    far = [1 - unit(c) @ unit(c).T for c in (ours, theirs)]
    ours_far, theirs_far = (d / d.sum(0, keepdim=True).clamp_min(TINY) for d in far)
    return (ours_far - theirs_far).abs().mean() * len(ours)
