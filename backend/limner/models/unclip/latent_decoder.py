"""unCLIP's decoder in the latents of an autoencoder: as Kandinsky 2.2 and the unCLIP of Stable
Diffusion 2.1 were published.

    Kandinsky 2.2       latents of a MoVQ (Zheng et al. 2022, arXiv 2209.09002). It is told the
                        embedding alone: added to the timestep's, and as ten tokens. Its variance
                        is learned.
    Stable Diffusion    latents of a VAE (Rombach et al. 2022, arXiv 2112.10752). The embedding is
                        added to the timestep's, and with it how noisy it is: here never. Words come
                        from a text tower of its own.

The layers are diffusers', under the names that the published weights have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from limner.models.clip import Words
from limner.models.networks import whole
from limner.models.unclip.painter import Painter
from limner.models.unclip.sampling import PREDICTIONS
from limner.models.unclip.schedule import KINDS, Schedule
from limner_wire.errors import ErrorCode, LimnerError

SPACES = ("movq", "vae")
LEVELS_MOST = 8
MOST = {"size": 4096, "layers": 16, "groups": 256, "context": 8192, "embedding": 8192,
        "channels": 64, "coder_layers": 16, "coder_groups": 256}  # fmt: skip
CODES_MOST = 2**20
WIDTH_MOST = 8192


@dataclass(frozen=True, slots=True)
class Config:
    """What a latent decoder is built from.

    Attributes:
        clip: the CLIP whose embeddings it paints.
        reads: the CLIP that reads the words which it is told.
        space: of `SPACES`.
        size: the side of its pictures in pixels.
        widths: channels at each size of the UNet, the finest first.
        attends: at which of these sizes there is attention.
        heads: diffusers' `attention_head_dim`, one number or one for each size: how wide a head is
            for "movq", how many heads there are for "vae".
        layers, groups: residual blocks at each size, and of each group norm.
        context: the width of what is attended to.
        embedding: the CLIP's width.
        channels: of the latents.
        coder_widths, coder_layers, coder_groups: of the autoencoder.
        codes: of the MoVQ; 0 for a VAE.
        scale: what its latents are multiplied by.
        prediction: of `sampling.PREDICTIONS`.
        learned_variance: whether it also puts out how wide each step's draw is.
        schedule: of `schedule.KINDS`.
        eta: how random its steps are, if nothing else is said: 0 is DDIM, 1 ancestral.
    """

    clip: str
    reads: str
    space: str
    size: int
    widths: tuple[int, ...]
    attends: tuple[bool, ...]
    heads: int | tuple[int, ...]
    layers: int
    groups: int
    context: int
    embedding: int
    channels: int
    coder_widths: tuple[int, ...]
    coder_layers: int
    coder_groups: int
    codes: int
    scale: float
    prediction: str
    learned_variance: bool
    schedule: str
    eta: float

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """Raises:
        LimnerError: UNREADABLE if something is missing or out of bounds.
        """
        attends, scale = content.get("attends"), content.get("scale")
        widths, coder_widths = (_row(content, name) for name in ("widths", "coder_widths"))
        if (
            not isinstance(attends, list | tuple)
            or len(attends) != len(widths)
            or content.get("space") not in SPACES
            or content.get("prediction") not in PREDICTIONS
            or content.get("schedule") not in KINDS
            or not isinstance(scale, int | float)
            or not 0 < scale < 100
        ):
            raise LimnerError(ErrorCode.UNREADABLE, "A latent decoder's config is incomplete.")
        is_row = isinstance(content.get("heads"), list | tuple)
        heads = _row(content, "heads") if is_row else whole(content, "heads", WIDTH_MOST)
        codes = whole(content, "codes", CODES_MOST) if content["space"] == "movq" else 0
        numbers = {name: whole(content, name, most) for name, most in MOST.items()}
        return cls(
            clip=str(content.get("clip", "")), reads=str(content.get("reads", "")),
            space=content["space"], widths=widths, attends=tuple(map(bool, attends)), heads=heads,
            coder_widths=coder_widths, codes=codes, scale=float(scale),
            prediction=content["prediction"], schedule=content["schedule"],
            learned_variance=bool(content.get("learned_variance")),
            eta=1.0 if content.get("eta") == 1 else 0.0, **numbers,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def unit(self) -> bool:
        """Embeddings keep their own lengths."""
        return False

    @property
    def side(self) -> int:
        """Of the latents."""
        return self.size >> (len(self.coder_widths) - 1)


class LatentDecoder(Painter):
    """See the module's text.

    Attributes:
        unet: the UNet.
        coder: the autoencoder.
        none: (D,), with "movq" the embedding of no picture.
    """

    is_latent = True
    none: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.schedule = config, Schedule.of(config.schedule)
        self.shape = (config.channels, config.side, config.side)
        build = _kandinsky if config.space == "movq" else _stable_diffusion
        self.unet, self.coder = build(config)
        if config.space == "movq":
            self.register_buffer("none", torch.zeros(config.embedding))

    def embedded(self, embedding: Tensor, dropped: Tensor | None = None) -> Tensor:
        """(B, D) image embeddings as the network takes them, (B, D) or (B, 2 D); where `dropped`,
        (B,) bool, none."""
        if self.config.space == "movq":
            out, none = embedding, self.none.to(embedding)
        else:
            from diffusers.models.embeddings import get_timestep_embedding

            level = torch.zeros(len(embedding), device=embedding.device)
            told = get_timestep_embedding(
                level, embedding.shape[1], flip_sin_to_cos=True, downscale_freq_shift=0
            )
            out = torch.cat([embedding, told.to(embedding)], 1)
            none = torch.zeros_like(out[0])
        return out if dropped is None else torch.where(dropped[:, None], none, out)

    def encoded(self, pictures: Tensor) -> Tensor:
        """See `Painter`; of a VAE's distribution it is the mean."""
        made = self.coder.encode(pictures)
        latents = made.latents if self.config.space == "movq" else made.latent_dist.mode()
        out: Tensor = latents * self.config.scale
        return out

    def pictures(self, diffused: Tensor) -> Tensor:
        """See `Painter`; latents of a MoVQ are not brought to its codes."""
        latents = diffused / self.config.scale
        if self.config.space == "movq":
            out: Tensor = self.coder.decode(latents, force_not_quantize=True).sample
        else:
            out = self.coder.decode(latents).sample
        return out

    def forward(
        self, noisy: Tensor, times: Tensor, embedded: Tensor, words: Words
    ) -> tuple[Tensor, Tensor | None]:
        """What the config's prediction says, and the share of a learned variance or None, each
        (B, *shape), of (B, *shape) noisy latents at (B,) timesteps."""
        inputs = noisy.contiguous(memory_format=torch.channels_last)
        if self.config.space == "movq":
            told = {"image_embeds": embedded}
            made = self.unet(inputs, times, None, added_cond_kwargs=told).sample
        else:  # it has learned with all tokens, those behind the words too
            made = self.unet(inputs, times, words.states, class_labels=embedded).sample
        if not self.config.learned_variance:
            return made, None
        out, share = made.chunk(2, 1)
        return out, share


def _kandinsky(config: Config) -> tuple[Any, Any]:
    from diffusers.models.autoencoders.vq_model import VQModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    downs = ["SimpleCrossAttnDownBlock2D" if a else "ResnetDownsampleBlock2D"
             for a in config.attends]  # fmt: skip
    ups = ["SimpleCrossAttnUpBlock2D" if a else "ResnetUpsampleBlock2D"
           for a in reversed(config.attends)]  # fmt: skip
    unet = UNet2DConditionModel(
        **_shared(config), down_block_types=tuple(downs), up_block_types=tuple(ups),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn", resnet_time_scale_shift="scale_shift",
        addition_embed_type="image", encoder_hid_dim_type="image_proj",
        encoder_hid_dim=config.embedding,
    )  # fmt: skip
    plain = len(config.coder_widths) - 1
    coder = VQModel(
        down_block_types=("DownEncoderBlock2D",) * plain + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * plain,
        num_vq_embeddings=config.codes, vq_embed_dim=config.channels, norm_type="spatial",
        **_coder(config),
    )  # fmt: skip
    return unet, coder


def _stable_diffusion(config: Config) -> tuple[Any, Any]:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    downs = ["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in config.attends]
    ups = ["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(config.attends)]
    unet = UNet2DConditionModel(
        **_shared(config), down_block_types=tuple(downs), up_block_types=tuple(ups),
        class_embed_type="projection", use_linear_projection=True,
        projection_class_embeddings_input_dim=2 * config.embedding,
    )  # fmt: skip
    levels = len(config.coder_widths)
    coder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels, scaling_factor=config.scale,
        **_coder(config),
    )  # fmt: skip
    return unet, coder


def _shared(config: Config) -> dict[str, Any]:
    """What both UNets are told."""
    return {
        "sample_size": config.side, "in_channels": config.channels,
        "out_channels": config.channels * (1 + config.learned_variance),
        "block_out_channels": config.widths, "layers_per_block": config.layers,
        "cross_attention_dim": config.context, "attention_head_dim": config.heads,
        "norm_num_groups": config.groups,
    }  # fmt: skip


def _coder(config: Config) -> dict[str, Any]:
    """What both autoencoders are told."""
    return {
        "latent_channels": config.channels, "block_out_channels": config.coder_widths,
        "layers_per_block": config.coder_layers, "norm_num_groups": config.coder_groups,
    }  # fmt: skip


def _row(content: Mapping[str, Any], name: str) -> tuple[int, ...]:
    row = content.get(name)
    if not isinstance(row, list | tuple) or not 1 <= len(row) <= LEVELS_MOST:
        raise LimnerError(ErrorCode.UNREADABLE, f"A latent decoder's config lacks its {name}.")
    return tuple(whole({name: width}, name, WIDTH_MOST) for width in row)
