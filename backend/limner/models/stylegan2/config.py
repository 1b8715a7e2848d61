"""What a StyleGAN2 generator is built from, and how its latent spaces are laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from limner_wire.errors import ErrorCode, LimnerError

SIZE_MAX_PX = 2048
WIDTH_MAX = 4096  # of any layer or latent
LAYERS_MAX = 32  # of the mapping network


@dataclass(frozen=True, slots=True)
class StyleLayer:
    """One entry of style space S (Wu et al. 2021, arXiv 2011.12799): what modulates one layer.

    Attributes:
        name: "64.conv0", "64.conv1" or "64.rgb".
        channels: how many numbers the style has: the convolution's inputs.
        size_px: the side of what the layer puts out.
        latent: which of W+'s vectors drives it.
        is_rgb: whether it only turns features into colours.
    """

    name: str
    channels: int
    size_px: int
    latent: int
    is_rgb: bool


@dataclass(frozen=True, slots=True)
class Config:
    """A generator with skip connections (Karras et al. 2020, section 4.1).

    Attributes:
        size: the side of its square pictures in pixels, a power of two from 8.
        channels: of the features at 4, 8, …, `size` pixels.
        z_dim, w_dim: of the input and the intermediate latent.
        c_dim: of the class label; 0 if it takes none.
        mapping_layers: fully connected layers from Z to W.
        mapping_rate: how much slower than the others these learn (Karras et al. 2019, appendix C).
        conv_clamp: beyond which every layer's output is cut off, in networks that were trained in
            half precision (Karras et al. 2020a, arXiv 2006.06676, appendix D); None elsewhere.
    """

    size: int
    channels: tuple[int, ...]
    z_dim: int = 512
    w_dim: int = 512
    c_dim: int = 0
    mapping_layers: int = 8
    mapping_rate: float = 0.01
    conv_clamp: float | None = None

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise LimnerError(ErrorCode.BAD_INPUT, f"There is no such generator: {problem}.")

    def _problem(self) -> str | None:
        if not 8 <= self.size <= SIZE_MAX_PX or self.size & (self.size - 1):
            return f"its size is {self.size} px, not a power of two from 8 to {SIZE_MAX_PX}"
        if len(self.channels) != len(self.sizes):
            return f"{self.size} px need {len(self.sizes)} widths, not {len(self.channels)}"
        if not all(1 <= n <= WIDTH_MAX for n in (*self.channels, self.z_dim, self.w_dim)):
            return f"a width is not from 1 to {WIDTH_MAX}"
        if not 0 <= self.c_dim <= WIDTH_MAX:
            return f"its label has {self.c_dim} numbers, not 0 to {WIDTH_MAX}"
        if not 1 <= self.mapping_layers <= LAYERS_MAX:
            return f"its mapping has {self.mapping_layers} layers, not 1 to {LAYERS_MAX}"
        if not 0 < self.mapping_rate <= 1:
            return f"its mapping learns at {self.mapping_rate}, not above 0 and up to 1"
        if self.conv_clamp is not None and not 0 < self.conv_clamp < float("inf"):
            return f"its layers are clamped at {self.conv_clamp}"
        return None

    @classmethod
    def of(cls, size: int, base: int = 32768, widest: int = 512, **rest: Any) -> Config:
        """The papers' widths: min(base / resolution, widest).

        `base` 32768 is config F, rosinality's channel multiplier 2; 16384 is multiplier 1.
        """
        sizes = [2**k for k in range(2, max(size.bit_length(), 3))]
        return cls(size, tuple(min(base // n, widest) for n in sizes), **rest)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """The inverse of `to_json`; names that it does not know are left out.

        Raises:
            LimnerError: UNREADABLE if it tells no generator.
        """
        try:
            known = {f.name: content[f.name] for f in fields(cls) if f.name in content}
            whole = ("size", "z_dim", "w_dim", "c_dim", "mapping_layers")
            numbers = {k: int(v) for k, v in known.items() if k in whole}
            channels = tuple(int(n) for n in known["channels"])
            return cls(**{**known, **numbers, "channels": channels})
        except (KeyError, TypeError, ValueError, LimnerError) as problem:
            raise LimnerError(
                ErrorCode.UNREADABLE, f"A generator's config tells no generator: {problem}"
            ) from problem

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for config.json."""
        return asdict(self) | {"channels": list(self.channels)}

    @property
    def sizes(self) -> tuple[int, ...]:
        """4, 8, …, `size`."""
        return tuple(2**k for k in range(2, self.size.bit_length()))

    @property
    def latents(self) -> int:
        """L, how many vectors W+ has: two a resolution, 18 at 1024 pixels."""
        return 2 * len(self.sizes)

    @property
    def style_layers(self) -> tuple[StyleLayer, ...]:
        """Style space in the order in which the network uses it: 26 entries at 1024 pixels.

        A resolution's colours share their vector of W+ with the next one's first convolution.
        """
        layers, inputs = [], self.channels[0]
        for k, (size, width) in enumerate(zip(self.sizes, self.channels, strict=True)):
            if k > 0:
                layers.append(StyleLayer(f"{size}.conv0", inputs, size, 2 * k - 1, False))
            layers.append(StyleLayer(f"{size}.conv1", width, size, 2 * k, False))
            layers.append(StyleLayer(f"{size}.rgb", width, size, 2 * k + 1, True))
            inputs = width
        return tuple(layers)
