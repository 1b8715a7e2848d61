"""The StyleGAN2 discriminator: a residual network (Karras et al. 2020, section 4.1) that also sees
how much the pictures of a batch differ (Karras et al. 2018, arXiv 1710.10196, section 3).

For adversarial training; published ones are not read.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.models.stylegan2.config import Config
from limner.models.stylegan2.generator import Linear
from limner.models.stylegan2.ops import bias_act_, downsample, low_pass, upfirdn2d


class Convolution(nn.Module):
    """A convolution with equalised learning rate; halves the size if asked to, low-passed first."""

    def __init__(
        self, inputs: int, outputs: int, taps: int, *, down: bool = False, active: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, taps, taps))
        self.bias = nn.Parameter(torch.zeros(outputs)) if active else None
        self.gain, self.down = (inputs * taps * taps) ** -0.5, down

    def forward(self, x: Tensor) -> Tensor:
        weight, taps = self.weight * self.gain, self.weight.shape[2]
        if not self.down:
            x = F.conv2d(x, weight, padding=taps // 2)
        elif taps == 1:
            x = F.conv2d(downsample(x), weight)
        else:
            x = F.conv2d(upfirdn2d(x, low_pass(x), pad=(2, 2)), weight, stride=2)
        return x if self.bias is None else bias_act_(x, self.bias)


class Block(nn.Module):
    """Two convolutions to half the size, beside a straight way there."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = Convolution(inputs, inputs, 3)
        self.conv1 = Convolution(inputs, outputs, 3, down=True)
        self.skip = Convolution(inputs, outputs, 1, down=True, active=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (self.conv1(self.conv0(x)) + self.skip(x)) * 0.5**0.5
        return out


class Discriminator(nn.Module):
    """(B, 3, size, size) in [-1, 1], and labels (B, c_dim) if there are any, to (B,): how real.

    Args:
        config: of the generator that it judges: the widths are the same.
        group: of how many pictures the differences are looked at; divides the batch.
    """

    def __init__(self, config: Config, group: int = 4) -> None:
        super().__init__()
        self.group = group
        widths = config.channels[::-1]
        self.from_rgb = Convolution(3, widths[0], 1)
        self.blocks = nn.Sequential(*[Block(a, b) for a, b in pairwise(widths)])
        self.last = Convolution(widths[-1] + 1, widths[-1], 3)
        self.hidden = Linear(widths[-1] * 16, widths[-1])
        self.out = Linear(widths[-1], config.w_dim if config.c_dim else 1)
        self.embed = Linear(config.c_dim, config.w_dim) if config.c_dim else None

    def forward(self, pictures: Tensor, c: Tensor | None = None) -> Tensor:
        x = pictures.contiguous(memory_format=torch.channels_last)
        x = self.last(self.with_deviation(self.blocks(self.from_rgb(x))))
        out: Tensor = self.out(self.hidden.activated(x.flatten(1)))
        if self.embed is None:
            return out[:, 0]
        if c is None:
            raise ValueError("this discriminator needs a label")
        # Projection (Miyato & Koyama 2018, arXiv 1802.05637), as in Karras et al. 2020a.
        label = F.normalize(self.embed(c), dim=1)
        return (out * label).sum(1)

    def with_deviation(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C + 1, H, W): the mean deviation in each picture's group added."""
        batch, _, height, width = x.shape
        group = self.group if batch % self.group == 0 else batch
        grouped = x.reshape(group, -1, *x.shape[1:])
        spread = (grouped.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # (B / group,)
        channel = spread.repeat(group)[:, None, None, None].expand(-1, 1, height, width)
        return torch.cat([x, channel], 1)
