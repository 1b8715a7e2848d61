"""The operations of StyleGAN2 as small functions of plain PyTorch: they run wherever it does, and
are differentiable as often as one likes.

Resampling is by a small low-pass filter between zero insertion and decimation (Karras et al. 2019,
section 2, after Zhang 2019); modulated convolution is Karras et al. 2020, arXiv 1912.04958,
section 2.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SLOPE = 0.2  # of the leaky ReLU
GAIN = 2**0.5  # behind it, so that it keeps the mean square
NARROW = 64  # channels; measured at 256 and 1024 pixels
BINOMIAL = (1.0, 3.0, 3.0, 1.0)  # the low-pass filter of all published networks


def low_pass(like: Tensor, gain: float = 1.0) -> Tensor:
    """(4, 4), the binomial filter whose sum is `gain`, on the device of another tensor."""
    taps = torch.tensor(BINOMIAL, dtype=like.dtype, device=like.device)
    return torch.outer(taps, taps) * (gain / 64)


def upfirdn2d(
    x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Tensor:
    """Put `up` - 1 zeros behind every pixel, pad, convolve, keep every `down`-th.

    Args:
        x: (B, C, H, W).
        kernel: (K, K), convolved with each channel; not flipped, so this is no correlation.
        pad: rows and columns of zeros before and after; below 0 it takes away.

    Returns:
        (B, C, (H up + pad - K) // down + 1, …).
    """
    channels, taps = x.shape[1], kernel.shape[0]
    each = kernel.expand(channels, 1, taps, taps)
    if up == 1:
        before, after = pad
        if before != after or before < 0:
            x, before = F.pad(x, (before, after, before, after)), 0
        return F.conv2d(x, each.flip(2, 3), stride=down, padding=before, groups=channels)
    # A transposed convolution inserts the zeros, and pads with taps - 1 on either side; there are
    # none behind the last pixel.
    spread = F.conv_transpose2d(x, each, stride=up, groups=channels)
    before, after = pad[0] + 1 - taps, pad[1] + up - taps
    return F.pad(spread, (before, after, before, after))[:, :, ::down, ::down]


def upsample(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, 2 H, 2 W)."""
    channels = x.shape[1]
    kernel = low_pass(x, gain=4.0).expand(channels, 1, 4, 4)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)


def downsample(x: Tensor) -> Tensor:
    """(B, C, 2 H, 2 W) to (B, C, H, W)."""
    return upfirdn2d(x, low_pass(x), down=2, pad=(1, 1))


def bias_act_(
    x: Tensor, bias: Tensor, noise: Tensor | None = None, clamp: float | None = None
) -> Tensor:
    """√2 · leaky_relu(x + bias + noise), cut off beyond ±clamp; written over x.

    A new tensor of a large picture's features costs ten times the arithmetic, for the memory that
    the system hands out. The gain comes before the activation, which is the same, so that the
    result is all that a backward pass needs.

    Args:
        x: (B, C) or (B, C, H, W); a result that nothing else needs any more, its own backward pass
            included, such as a convolution's.
        bias: (C,).
        noise: what broadcasts to x's shape.
    """
    out = x.mul_(GAIN).add_(_by_channel(bias * GAIN, x))
    if noise is not None:
        out = out.add_(noise, alpha=GAIN)
    out = F.leaky_relu_(out, SLOPE)
    return out if clamp is None else out.clamp(-clamp, clamp)


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.ndim - 2))


def modulated_conv2d(
    x: Tensor, weight: Tensor, style: Tensor, gain: float | None = None, up: int = 1
) -> Tensor:
    """Convolve each picture of a batch with a kernel of its own: the weights' inputs scaled by its
    style (eq. 1), then each output's weights to unit length (eq. 3).

    A convolution is linear, so the scales may be applied to what goes in and to what comes out
    instead of to the weights. Then the whole batch is one ordinary convolution: on a CPU it takes
    50 to 100 % of a grouped one's time.

    Args:
        x: (B, I, H, W).
        weight: (O, I, K, K), K odd.
        style: (B, I); or (1, I) for all.
        gain: scales the weights instead of bringing them to unit length.
        up: 1, or 2 to double the size, through zero insertion and a low-pass filter.
    """
    if gain is None:
        out_scale = demodulation(weight, style)  # (B, O)
    else:
        out_scale = torch.full_like(style[:, :1], gain).expand(-1, weight.shape[0])
    if len(style) == 1 and _weights_are_cheaper(x, weight, up):
        return convolved(x, weight * (out_scale[0][:, None] * style[0])[:, :, None, None], up)
    y = convolved(x * style[:, :, None, None], weight, up)
    return y * out_scale[:, :, None, None]


def _weights_are_cheaper(x: Tensor, weight: Tensor, up: int) -> bool:
    """Whether scaling the weights takes less than scaling features, given one style for all.

    The style's gradient then comes through the weights', a second convolution, where that is not
    computed anyway; it is worth its time (and 4 x 2 bytes a feature) in narrow layers only.
    """
    outputs, inputs = weight.shape[:2]
    features = x[:, :1].numel() * (inputs + up * up * outputs)
    free = weight.requires_grad or not torch.is_grad_enabled()
    return features > weight.numel() and (free or max(inputs, outputs) <= NARROW)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """(B, O), what brings the modulated weights of each output to unit length (eq. 3)."""
    squares = weight.square().sum((2, 3))  # (O, I)
    return (style.square() @ squares.T + 1e-8).rsqrt()


def convolved(x: Tensor, weight: Tensor, up: int = 1) -> Tensor:
    """(B, I, H, W) with (O, I, K, K) to (B, O, up H, up W).

    When it enlarges, zeros are inserted and the kernel is convolved (not correlated), then what
    came out is low-pass filtered.
    """
    if up == 1:
        return F.conv2d(x, weight, padding=weight.shape[2] // 2)
    spread = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # (B, O, 2 H + K - 2, …)
    return upfirdn2d(spread, low_pass(x, gain=4.0), pad=(1, 1))
