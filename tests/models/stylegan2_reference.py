"""StyleGAN2 once more, as slowly and plainly as the papers say it: the oracle of the tests.

numpy in float64, one picture at a time, zeros inserted one by one, every kernel modulated by
itself. It shares no line with Limner's generator and knows no checkpoint format: a test hands it
each layer's numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TAPS = np.array([1.0, 3.0, 3.0, 1.0]) / 8


@dataclass
class Layer:
    """What one layer has learned, in float64.

    weight (O, I, K, K): correlated with the picture where it keeps its size, convolved with it
    where it doubles it. affine (I, w_dim) and affine_bias (I,): from w to the style.
    """

    weight: Array
    bias: Array
    affine: Array
    affine_bias: Array
    noise: Array | None = None
    noise_strength: float = 0.0


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.2 * x) * np.sqrt(2.0)


def normalized(x: Array) -> Array:
    return x / np.sqrt(np.mean(x**2) + 1e-8)


def mapped(z: Array, layers: list[tuple[Array, Array]], rate: float = 0.01) -> Array:
    """(z_dim,) to (w_dim,) by weights (O, I) and biases (O,), as they are trained."""
    x = normalized(z)
    for weight, bias in layers:
        x = leaky(rate / np.sqrt(weight.shape[1]) * weight @ x + rate * bias)
    return x


def correlated(x: Array, kernel: Array, pad: int) -> Array:
    """(I, H, W) with (O, I, K, K)."""
    taps = kernel.shape[2]
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    height, width = (n - taps + 1 for n in wide.shape[1:])
    out = np.zeros((kernel.shape[0], height, width))
    for i in range(taps):
        for j in range(taps):
            seen = wide[:, i : i + height, j : j + width]
            out += np.einsum("oi,ihw->ohw", kernel[:, :, i, j], seen)
    return out


def with_zeros(x: Array) -> Array:
    """(C, H, W) to (C, 2 H - 1, 2 W - 1)."""
    out = np.zeros((x.shape[0], 2 * x.shape[1] - 1, 2 * x.shape[2] - 1))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out[:, 2 * i, 2 * j] = x[:, i, j]
    return out


def smoothed(x: Array, before: int, after: int) -> Array:
    """Low-passed; four times as bright, since three of four pixels are zeros."""
    wide = np.pad(x, ((0, 0), (before, after), (before, after)))
    for axis in (1, 2):
        wide = np.apply_along_axis(np.convolve, axis, wide, 2 * TAPS, "valid")
    return wide


def styled(layer: Layer, w: Array) -> Array:
    """(I,), a layer's entry of style space."""
    return layer.affine @ w / np.sqrt(len(w)) + layer.affine_bias


def convolution(x: Array, layer: Layer, style: Array, up: bool) -> Array:
    kernel = layer.weight * style[None, :, None, None]
    for o in range(len(kernel)):
        kernel[o] /= np.sqrt((kernel[o] ** 2).sum() + 1e-8)
    if not up:
        return correlated(x, kernel, pad=1)
    return smoothed(correlated(with_zeros(x), kernel[:, :, ::-1, ::-1], pad=2), 1, 1)


def rendered(
    size: int,
    constant: Array,
    layer: Callable[[str], Layer],
    style: Callable[[int, Layer], Array],
    *,
    noise: bool = True,
    clamp: float = np.inf,
) -> Array:
    """(3, size, size).

    Args:
        layer: by name, "64.conv0", "64.conv1", "64.rgb".
        style: by which vector of W+ drives the layer, and the layer.
    """
    x, picture, latent, here = constant, np.zeros((3, 2, 2)), 0, 4
    while here <= size:
        for which in ("conv0", "conv1") if here > 4 else ("conv1",):
            learned = layer(f"{here}.{which}")
            x = convolution(x, learned, style(latent, learned), which == "conv0")
            if noise and learned.noise is not None:
                x = x + learned.noise_strength * learned.noise
            x = np.clip(leaky(x + learned.bias[:, None, None]), -clamp, clamp)
            latent += 1
        learned = layer(f"{here}.rgb")
        gain = 1 / np.sqrt(learned.weight.shape[1])
        kernel = learned.weight * style(latent, learned)[None, :, None, None] * gain
        colours = correlated(x, kernel, pad=0) + learned.bias[:, None, None]
        larger = smoothed(with_zeros(picture), 2, 2)
        picture = np.clip(colours, -clamp, clamp) + (larger if here > 4 else 0)
        here *= 2
    return picture
