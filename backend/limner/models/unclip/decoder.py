"""unCLIP's decoder: from a CLIP's image embedding, and perhaps a caption, to a small picture.

A diffusion UNet which is told the embedding twice: added to the timestep's own, and as four further
tokens beside those of the caption (arXiv 2204.06125, section 2.1). The layers are diffusers', under
the names that Karlo's published weights have.

The starter's works on patches: a 64 x 64 picture is a grid of 16 x 16 with 48 values each, and what
the network puts out is the clean picture, which lies on few dimensions where noise fills all (Li
and He 2025, arXiv 2511.13720). So a CPU can do it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.models.clip import Words
from limner.models.networks import Network, find, frozen, whole
from limner.models.unclip.painter import Painter
from limner.models.unclip.sampling import PREDICTIONS
from limner.models.unclip.schedule import KINDS, Schedule
from limner_wire.errors import ErrorCode, LimnerError

MOST = 8192  # of any width or size in a config
TIME = 4  # the timestep's embedding is so many times as wide as the first layer


@dataclass(frozen=True, slots=True)
class Config:
    """What a decoder is built from.

    Attributes:
        clip: the CLIP whose embeddings it paints.
        size: the side of its pictures in pixels.
        patch: the side of the square of pixels that the network takes for one.
        widths: channels at each size of its grid, the finest first.
        attends: at which of these sizes pixels and words look at each other.
        layers: residual blocks at each size.
        groups: of each group norm.
        context: the width of what is attended to.
        head: channels of an attention head.
        embedding: the CLIP's width.
        states: the width of its text tower.
        gain: what embeddings are multiplied by: the root of their width where they have length 1.
        prediction: of `sampling.PREDICTIONS`.
        learned_variance: whether it also puts out how wide each step's draw is.
        schedule: of `schedule.KINDS`.
        unit: whether it has learned from embeddings of length 1.
        eta: how random its steps are, if nothing else is said: 0 is DDIM, 1 ancestral.
    """

    clip: str
    size: int = 64
    patch: int = 4
    widths: tuple[int, ...] = (128, 256)
    attends: tuple[bool, ...] = (False, True)
    layers: int = 1
    groups: int = 16
    context: int = 128
    head: int = 32
    embedding: int = 256
    states: int = 192
    gain: float = 16.0
    prediction: str = "sample"
    learned_variance: bool = False
    schedule: str = "cosine"
    unit: bool = True
    eta: float = 0.0

    @property
    def reads(self) -> str:
        """The CLIP that reads the words which it is told."""
        return self.clip

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """Raises:
        LimnerError: UNREADABLE if something is missing or out of bounds.
        """
        widths, attends = content.get("widths"), content.get("attends")
        if (
            not isinstance(widths, list)
            or not isinstance(attends, list)
            or not 1 <= len(widths) == len(attends) <= 8
            or content.get("prediction") not in PREDICTIONS
            or content.get("schedule") not in KINDS
        ):
            raise LimnerError(ErrorCode.UNREADABLE, "A decoder's config is incomplete.")
        numbers = {
            name: whole(content, name, MOST)
            for name in (
                "size",
                "patch",
                "layers",
                "groups",
                "context",
                "head",
                "embedding",
                "states",
            )
        }
        widths = tuple(whole({"widths": w}, "widths", MOST) for w in widths)
        return cls(
            clip=str(content.get("clip", "")), widths=widths, attends=tuple(map(bool, attends)),
            gain=float(content.get("gain", 1.0)), prediction=content["prediction"],
            learned_variance=bool(content.get("learned_variance")), schedule=content["schedule"],
            unit=content.get("unit") is not False, eta=1.0 if content.get("eta") == 1 else 0.0,
            **numbers,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Condition(nn.Module):
    """What the UNet is told of an embedding and a caption; names as Karlo's `text_proj` has them.

    Attributes:
        learned_classifier_free_guidance_embeddings: (D,), for no embedding at all.
    """

    TOKENS = 4

    def __init__(self, config: Config) -> None:
        super().__init__()
        d, time = config.embedding, config.widths[0] * TIME
        self.learned_classifier_free_guidance_embeddings = nn.Parameter(torch.zeros(d))
        self.embedding_proj = nn.Linear(d, time)
        self.clip_image_embeddings_project_to_time_embeddings = nn.Linear(d, time)
        self.clip_extra_context_tokens_proj = nn.Linear(d, self.TOKENS * config.context)
        self.encoder_hidden_states_proj = nn.Linear(config.states, config.context)
        self.text_encoder_hidden_states_norm = nn.LayerNorm(config.context)
        self.gain = config.gain

    def forward(self, embedding: Tensor, words: Words) -> tuple[Tensor, Tensor, Tensor]:
        """(B, time) to be added to the timestep's, (B, 4 + L, context), and which of them count,
        (B, 4 + L) bool. The embedding is scaled already."""
        told = self.clip_image_embeddings_project_to_time_embeddings(embedding)
        told = told + self.embedding_proj(words.embedding * self.gain)
        # four tokens that lie interleaved: published weights are (context, 4), not (4, context)
        extra = self.clip_extra_context_tokens_proj(embedding).unflatten(1, (-1, self.TOKENS)).mT
        states = self.text_encoder_hidden_states_norm(self.encoder_hidden_states_proj(words.states))
        known = F.pad(words.known, (self.TOKENS, 0), value=True)
        return told, torch.cat([extra, states], 1), known


@functools.cache
def unet() -> Any:
    """diffusers' UNet; it takes seconds to import, so nobody does before the first is needed."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel


class Decoder(Painter):
    """See the module's text; it paints pixels.

    Attributes:
        text_proj: see `Condition`.
        decoder: the UNet.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.schedule = config, Schedule.of(config.schedule)
        self.shape = (3, config.size, config.size)
        channels = 3 * config.patch**2
        kinds = [
            "SimpleCrossAttn{}Block2D" if a else "Resnet{}sampleBlock2D" for a in config.attends
        ]
        self.text_proj = Condition(config)
        self.decoder = unet()(
            sample_size=config.size // config.patch, in_channels=channels,
            out_channels=channels * (1 + config.learned_variance),
            down_block_types=tuple(kind.format("Down") for kind in kinds),
            up_block_types=tuple(kind.format("Up") for kind in reversed(kinds)),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn", block_out_channels=config.widths,
            layers_per_block=config.layers, cross_attention_dim=config.context,
            attention_head_dim=config.head, norm_num_groups=config.groups,
            class_embed_type="identity", resnet_time_scale_shift="scale_shift",
        )  # fmt: skip

    def embedded(self, embedding: Tensor, dropped: Tensor | None = None) -> Tensor:
        """(B, D) image embeddings as the network takes them; where `dropped`, (B,) bool, none."""
        out = embedding * self.text_proj.gain
        if dropped is None:
            return out
        none = self.text_proj.learned_classifier_free_guidance_embeddings.to(out)
        return torch.where(dropped[:, None], none, out)

    def forward(
        self, noisy: Tensor, times: Tensor, embedded: Tensor, words: Words
    ) -> tuple[Tensor, Tensor | None]:
        """What the config's prediction says, and the share of a learned variance or None, each
        (B, 3, S, S), of (B, 3, S, S) noisy pictures in about [-1, 1] at (B,) timesteps."""
        told, context, known = self.text_proj(embedded, words)
        inputs = F.pixel_unshuffle(noisy, self.config.patch)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        made = self.decoder(
            inputs, times, context, class_labels=told, encoder_attention_mask=known
        ).sample
        parts = made.chunk(2, 1) if self.config.learned_variance else (made,)
        out = [F.pixel_shuffle(part, self.config.patch) for part in parts]
        return out[0], out[1] if len(out) > 1 else None


def config_of(found: Network) -> Any:
    """What a decoder is built from: `Config`, or `latent_decoder.Config`.

    Raises:
        LimnerError: UNREADABLE if something is missing or out of bounds.
    """
    return _classes(found.config)[0].from_json(found.config)


def load(name: str | None = None, device: torch.device | None = None) -> Painter:
    """A decoder on this machine, frozen; the first if none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that name, or its weights are not its own.
    """
    found = find("decoder", name)
    return frozen(found, blank(found.config), device).to(memory_format=torch.channels_last)


def blank(config: Mapping[str, Any]) -> Painter:
    """The decoder that a config tells, which has learned nothing yet.

    Raises:
        LimnerError: UNREADABLE if something is missing or out of bounds.
    """
    told, kind = _classes(config)
    made: Painter = kind(told.from_json(config))
    return made


def _classes(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """Of its config and itself, by the space in which it paints."""
    if config.get("space", "pixels") == "pixels":
        return Config, Decoder
    from limner.models.unclip import latent_decoder as latent

    return latent.Config, latent.LatentDecoder
