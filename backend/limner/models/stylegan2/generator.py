"""The StyleGAN2 generator (Karras et al. 2020, arXiv 1912.04958), written from the papers.

    Z --mapping--> W --one vector a layer--> W+ --one affine map a layer--> S --synthesis--> picture

Every one of these spaces is a way in: `map` goes from Z to W+ (with truncation), `styles` from W+
to S, `render` from S to the picture; calling the generator renders W+. The picture is the sum of
what each resolution adds to it ("skip" output, section 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from limner.models.stylegan2.config import Config
from limner.models.stylegan2.ops import bias_act_, modulated_conv2d, upsample
from limner_wire.errors import ErrorCode, LimnerError

# "const": as trained with; "none"; a torch.Generator draws new noise, on the device of the styles;
# or one tensor for each convolution, (H, W) or (B, 1, H, W), of unit variance.
Noise = Literal["const", "none"] | torch.Generator | Sequence[Tensor]


class Linear(nn.Module):
    """A fully connected layer with equalised learning rate (Karras et al. 2018, arXiv 1710.10196,
    section 4.1): weights of unit variance, scaled when they are used.

    Args:
        rate: how fast it learns beside other layers.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.gain, self.rate = rate / inputs**0.5, rate

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias * self.rate, x, self.weight.T * self.gain)

    def activated(self, x: Tensor) -> Tensor:
        """With the leaky ReLU behind it."""
        return bias_act_(x @ (self.weight.T * self.gain), self.bias * self.rate)


class Mapping(nn.Module):
    """Z, and a label if there is one, to W: (B, z_dim), (B, c_dim) to (B, w_dim)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embed = Linear(config.c_dim, config.w_dim) if config.c_dim else None
        widths = [config.z_dim + (config.w_dim if config.c_dim else 0)]
        widths += [config.w_dim] * config.mapping_layers
        rate = config.mapping_rate
        self.layers = nn.ModuleList(Linear(a, b, rate=rate) for a, b in pairwise(widths))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        x = to_unit(z)
        if self.embed is not None:
            if c is None:
                count = self.embed.weight.shape[1]
                raise LimnerError(
                    ErrorCode.BAD_INPUT, f"This generator needs a label of {count} numbers."
                )
            x = torch.cat([x, to_unit(self.embed(c))], 1)
        for layer in self.layers:
            assert isinstance(layer, Linear)  # noqa: S101
            x = layer.activated(x)
        return x


def to_unit(x: Tensor) -> Tensor:
    """(B, N) to rows whose mean square is 1 ("pixel norm", Karras et al. 2018, section 4.2)."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Convolution(nn.Module):
    """A 3x3 modulated convolution, noise, bias, activation.

    Args:
        size: the side of what it puts out, in pixels.
        up: 2 if what comes in has half of that.
    """

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, up: int, config: Config) -> None:
        super().__init__()
        self.up, self.clamp, self.size = up, config.conv_clamp, size
        self.style = Linear(config.w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(size, size))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """(B, I, h, w), (B, I), noise of unit variance if any, to (B, O, size, size)."""
        y = modulated_conv2d(x, self.weight, style, up=self.up)
        scaled = None if noise is None else noise * self.noise_strength
        return bias_act_(y, self.bias, scaled, self.clamp)


class ToRgb(nn.Module):
    """A 1x1 modulated convolution to colours; its weights are not brought to unit length."""

    def __init__(self, inputs: int, config: Config) -> None:
        super().__init__()
        self.clamp = config.conv_clamp
        self.style = Linear(config.w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        y = modulated_conv2d(x, self.weight, style, gain=self.weight.shape[1] ** -0.5)
        y = y.add_(self.bias[:, None, None])
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


class Block(nn.Module):
    """One resolution: one convolution at 4 pixels, two from 8, and what they add to the picture."""

    def __init__(self, inputs: int, outputs: int, size: int, config: Config) -> None:
        super().__init__()
        first = size == 4
        self.conv0 = None if first else Convolution(inputs, outputs, size, 2, config)
        self.conv1 = Convolution(outputs, outputs, size, 1, config)
        self.rgb = ToRgb(outputs, config)


class Generator(nn.Module):
    """A StyleGAN2 generator; its parameters are named after `Config.style_layers`:
    "blocks.64.conv0.weight".

    Attributes:
        w_avg: (w_dim,), the mean of W, to which truncation moves.
    """

    w_avg: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config)
        self.register_buffer("w_avg", torch.zeros(config.w_dim))
        self.constant = nn.Parameter(torch.randn(config.channels[0], 4, 4))
        widths = zip((0, *config.channels), config.channels, config.sizes, strict=False)
        self.blocks = nn.ModuleDict({str(n): Block(i, o, n, config) for i, o, n in widths})

    # --- from space to space ---

    def map(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation: float = 1.0,
        cutoff: int | None = None,
    ) -> Tensor:
        """Z to W+.

        Args:
            z: (B, z_dim), drawn from the normal distribution.
            c: (B, c_dim), the label, for generators that take one.
            truncation: how far from the mean to stay, 1 for W as it is (Karras et al. 2019, B).
            cutoff: how many of the first layers are truncated; all if None.

        Returns:
            (B, L, w_dim), all layers alike but for the cutoff.
        """
        w: Tensor = self.mapping(z, c)
        w_plus = w[:, None].expand(-1, self.config.latents, -1)
        if truncation == 1.0:
            return w_plus
        near = torch.lerp(self.w_avg, w_plus, truncation)
        end = self.config.latents if cutoff is None else cutoff
        return torch.cat([near[:, :end], w_plus[:, end:]], 1)

    @torch.no_grad()
    def random(
        self,
        count: int,
        seed: int | torch.Generator,
        truncation: float = 1.0,
        cutoff: int | None = None,
    ) -> Tensor:
        """(B, L, w_dim) of random pictures, the same on every device; of no class, where the
        generator has classes.

        Args:
            seed: or a generator of random numbers on the CPU.
        """
        if isinstance(seed, int):
            seed = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.config.z_dim, generator=seed).to(self.w_avg)
        label = z.new_zeros(count, self.config.c_dim) if self.config.c_dim else None
        return self.map(z, label, truncation, cutoff)

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        """W+, (B, L, w_dim), to style space: (B, channels) for each of `Config.style_layers`.

        The colours' styles come without the gain 1 / √channels that their layer applies.
        """
        layers = zip(self._layers(), self.config.style_layers, strict=True)
        return [layer.style(w_plus[:, place.latent]) for layer, place in layers]

    def render(self, styles: Sequence[Tensor], noise: Noise = "const") -> Tensor:
        """Style space to pictures, (B, 3, size, size), most of it in [-1, 1], not cut off.

        Args:
            styles: as `styles` gives them; a layer's (1, channels) counts for the whole batch.
        """
        batch = max(len(style) for style in styles)
        given = iter(styles)
        noises = iter(self._noises(noise, batch, styles[0]))
        x = self.constant.expand(batch, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        picture: Tensor | None = None
        for block in self._blocks():
            if block.conv0 is not None:
                x = block.conv0(x, next(given), next(noises))
            x = block.conv1(x, next(given), next(noises))
            added: Tensor = block.rgb(x, next(given))
            picture = added if picture is None else upsample(picture) + added
        assert picture is not None  # noqa: S101
        return picture.contiguous()

    def forward(self, w_plus: Tensor, noise: Noise = "const") -> Tensor:
        """W+, (B, L, w_dim), to pictures, (B, 3, size, size)."""
        return self.render(self.styles(w_plus), noise)

    @torch.no_grad()
    def mean_w(
        self, count: int = 4096, random: torch.Generator | None = None, c: Tensor | None = None
    ) -> Tensor:
        """(w_dim,), the mean of W over `count` random latents; for files that come without it.

        Args:
            random: on the CPU, so that a seed gives the same mean everywhere.
            c: (1, c_dim), the label that all of them have.
        """
        z = torch.randn(count, self.config.z_dim, generator=random).to(self.w_avg)
        label = None if c is None else c.expand(count, -1)
        out: Tensor = self.mapping(z, label).mean(0)
        return out

    # --- its parts ---

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks.values() if isinstance(block, Block)]

    def _layers(self) -> list[Convolution | ToRgb]:
        rows = [(block.conv0, block.conv1, block.rgb) for block in self._blocks()]
        return [layer for row in rows for layer in row if layer is not None]

    def convolutions(self) -> list[Convolution]:
        """The layers that take noise, in order: `Config.latents` - 1 of them."""
        return [layer for layer in self._layers() if isinstance(layer, Convolution)]

    def _noises(self, noise: Noise, batch: int, like: Tensor) -> Sequence[Tensor | None]:
        layers = self.convolutions()
        if isinstance(noise, torch.Generator):
            shapes = [(batch, 1, layer.size, layer.size) for layer in layers]
            return [
                torch.randn(shape, generator=noise, device=noise.device).to(like)
                for shape in shapes
            ]
        if isinstance(noise, str):
            return [layer.noise if noise == "const" else None for layer in layers]
        if len(noise) != len(layers):
            raise ValueError(f"{len(layers)} layers take noise, {len(noise)} were given")
        return noise


def mix(first: Tensor, second: Tensor, crossover: int) -> Tensor:
    """Style mixing (Karras et al. 2019, section 3.1): W+ with the first `crossover` layers of one
    and the others of another; (B, L, w_dim) each."""
    return torch.cat([first[:, :crossover], second[:, crossover:]], 1)
