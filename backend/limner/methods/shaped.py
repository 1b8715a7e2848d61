"""Strokes that keep to a hand: how far their lengths, widths and bends are from another's.

The style losses see pixels, and a picture's texture can be had by strokes that are nothing like
those of the artist: a hatching by scribbles, dots by crumpled lines. What is asked of strokes here
is that, taken together, they have the lengths, widths and bends of the style picture's own
(`methods.hand`): the mean squared difference of both sides' quantiles, the Wasserstein-2 distance
in one dimension, for each of the three.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from limner.vector.shape import Shape, quantiles, shape
from limner.vector.strokes import Strokes

STEPS = 5  # chords of a cubic, for the pull


@dataclass(frozen=True, slots=True)
class Features:
    """What is compared of S strokes: octaves of length and width, and radians.

    Attributes:
        length: (S,) log2 of 1 + the length, in pixels of a 224 px canvas, so that a dot is 0.
        width: (S,) log2 of the width, in the same.
        bend: (S,) radians.
        is_line: (S,) bool; a dot has no bend to compare.
    """

    length: Tensor
    width: Tensor
    bend: Tensor
    is_line: Tensor


def features(figures: Shape, unit_px: float) -> Features:
    """What is compared of strokes on a canvas where `unit_px` are a pixel of the papers' canvas."""
    return Features(
        (1 + figures.length / unit_px).log2(),
        (figures.width / unit_px).clamp_min(0.1).log2(),
        figures.bend,
        ~figures.is_dot,
    )


def apart(strokes: Strokes, hand: Shape, unit_px: float) -> Tensor:
    """() how far strokes are from a hand; differentiable in points and widths.

    Args:
        hand: with lengths and widths in the same pixels.
        unit_px: of those pixels for one on the papers' canvas.
    """
    ours, theirs = features(shape(strokes, STEPS), unit_px), features(hand, unit_px)
    out = _gap(ours.length, theirs.length, hand.weight) + _gap(
        ours.width, theirs.width, hand.weight
    )
    if ours.is_line.any() and theirs.is_line.any():
        line = theirs.is_line
        out = out + _gap(ours.bend[ours.is_line], theirs.bend[line], hand.weight[line])
    return out / 3


def _gap(ours: Tensor, theirs: Tensor, weights: Tensor) -> Tensor:
    wanted = quantiles(theirs, weights, len(ours)).to(ours.device)
    return (ours.sort().values - wanted).square().mean()
