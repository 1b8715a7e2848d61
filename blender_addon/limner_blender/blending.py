"""How translucent strokes look in Blender as they do in the drawing.

Browsers, and Limner's own picture, lay colours over each other in sRGB; Blender does it in linear
light, where the same opacity looks paler on paper and denser on black: half black on white is 188
of 255 in Blender, and 128 in the SVG. For a stroke of colour c and alpha a on any backdrop x

    SVG:      a c + (1 - a) x                   in sRGB
    Blender:  b d + (1 - b) linear(x)           in linear light

so b and d are chosen to bring the second near the first over a few grey backdrops: a weighted
linear regression, for which one slope (1 - b) serves all three channels. An opaque stroke is exact.
In six drawings on paper the mean error over the inked pixels falls from 13 to 8 of 255, and the
95th percentile from 49 to 18.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

_BACKDROPS = np.array([1.0, 0.8, 0.6, 0.4, 0.2])  # sRGB greys
_WEIGHTS = np.array([6.0, 2.0, 1.5, 1.0, 0.5])  # mostly the paper, and other strokes on it
_STEP = 0.55  # an error in linear light at y is seen as one of y ** -0.55 / 2.2 times it in sRGB
_DARK = 0.02
_CLEAR = 1e-4  # an opacity that still has a colour


def linear(value: Any) -> Floats:
    """sRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    return _linear(np.asarray(value, np.float64)).astype(np.float32)


def srgb(value: Any) -> Floats:
    """Linear light in [0, 1] to sRGB, the inverse of `linear`."""
    return _srgb(np.asarray(value, np.float64)).astype(np.float32)


def to_blender(rgba: Floats) -> Floats:
    """(S, 4) sRGB, straight alpha, as (S, 4) linear colour and opacity for Blender's blending."""
    alpha = rgba[:, 3, None, None].astype(np.float64)
    shown = _linear(alpha * rgba[:, :3, None] + (1 - alpha) * _BACKDROPS)
    weights = _WEIGHTS / np.maximum(shown, _DARK) ** (2 * _STEP)
    mixed = _fitted(_LINEAR_BACKDROPS, shown, weights)
    is_opaque = rgba[:, 3] >= 1
    mixed[is_opaque, :3], mixed[is_opaque, 3] = _linear(rgba[is_opaque, :3]), 1
    return mixed.astype(np.float32)


def from_blender(mixed: Floats) -> Floats:
    """(S, 4) linear colour and opacity as (S, 4) sRGB, straight alpha, that looks like it."""
    opacity = mixed[:, 3, None, None].astype(np.float64)
    shown = _srgb(opacity * mixed[:, :3, None] + (1 - opacity) * _LINEAR_BACKDROPS)
    rgba = _fitted(_BACKDROPS, shown, np.broadcast_to(_WEIGHTS, shown.shape))
    is_opaque = mixed[:, 3] >= 1
    rgba[is_opaque, :3], rgba[is_opaque, 3] = _srgb(mixed[is_opaque, :3]), 1
    return rgba.astype(np.float32)


def _fitted(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Colour and opacity (S, 4) whose blend over the backdrops x (B,) is nearest to y (S, 3, B)."""
    total = weights.sum(-1, keepdims=True)
    x_mean = (weights * x).sum(-1, keepdims=True) / total
    y_mean = (weights * y).sum(-1, keepdims=True) / total
    covariance = (weights * (x - x_mean) * (y - y_mean)).sum((1, 2))
    slope = np.clip(covariance / (weights * (x - x_mean) ** 2).sum((1, 2)), 0, 1)
    opacity = np.maximum(1 - slope, _CLEAR)
    ink = (y_mean - slope[:, None, None] * x_mean)[..., 0]
    return np.column_stack([np.clip(ink / opacity[:, None], 0, 1), opacity])


def _linear(c: Floats) -> Floats:
    return np.where(c <= 0.04045, c / 12.92, ((np.maximum(c, 0) + 0.055) / 1.055) ** 2.4)


def _srgb(c: Floats) -> Floats:
    bright = 1.055 * np.maximum(c, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(c <= 0.0031308, 12.92 * np.maximum(c, 0), bright)


_LINEAR_BACKDROPS = _linear(_BACKDROPS)
