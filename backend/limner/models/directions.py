"""Global directions (Patashnik et al. 2021, arXiv 2103.17249, section 6): from a change in words to
a change in style space, for any picture at once.

Every channel of style space changes what CLIP sees of a picture in some direction, its *relevance*,
which `training.directions` measures once. A change of text has a direction too. Where both agree by
at least a threshold, the channel moves, the more the better they agree, in units of its deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.clip import Clip
from limner.models.loading import read_weights
from limner.models.networks import Network
from limner.models.stylegan2 import Config, Generator
from limner_wire.errors import ErrorCode, LimnerError

SAMPLES, TRUNCATION, SEED = 4000, 0.7, 5  # for style space's deviation; the authors' seed
GRID = tuple(round(0.10 + 0.01 * k, 2) for k in range(20))  # the authors' thresholds to choose from
# In what a text stands: a single picture's words say little of what all such pictures share.
TEMPLATES = (
    "{}", "a picture of {}", "a photo of {}", "a drawing of {}", "a painting of {}",
    "a small picture of {}", "a good picture of {}", "a portrait of {}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Directions:
    """What the channels of a generator's style space mean to a CLIP.

    Attributes:
        relevance: (C, D) rows of unit length, or of 0 where a channel changes nothing; of the first
            C channels of the convolutions, or of them all and then those of the colours' layers.
        std: the deviation of each channel, (channels,) for each layer of style space.
        clip: the CLIP's name; nothing if its file does not tell.
        neutral: what the generator's pictures are without any wish.
    """

    relevance: Tensor
    std: tuple[Tensor, ...]
    config: Config
    clip: str = ""
    neutral: str = ""

    def agreement(self, change: Tensor) -> Tensor:
        """(C,) how far each channel goes along with a unit (D,) change of text, in [-1, 1].

        Raises:
            LimnerError: UNKNOWN_MODEL if they were measured with another CLIP.
        """
        if self.relevance.shape[1] != len(change):
            raise LimnerError(
                ErrorCode.UNKNOWN_MODEL,
                f"The directions have {self.relevance.shape[1]} dimensions, this CLIP has "
                f"{len(change)}.",
                f"Name the model that they were measured with: {self.clip or 'see their source'}.",
            )
        return self.relevance @ change

    def boundary(self, agreement: Tensor, threshold: float) -> list[Tensor]:
        """What is added to style space at strength 1: (channels,) for each layer.

        A channel below the threshold stays; the one that agrees best moves by its deviation.
        """
        kept = torch.where(agreement.abs() < threshold, 0.0, agreement)
        scaled = kept / kept.abs().max().clamp_min(1e-12)
        out, at = [torch.zeros_like(std) for std in self.std], 0
        for k in in_order(self.config):
            own = scaled[at : at + len(out[k])]
            out[k][: len(own)] = own * self.std[k][: len(own)]
            at += len(out[k])
        return out


def in_order(config: Config) -> list[int]:
    """The layers of style space as directions count their channels: the colours' come last."""
    return sorted(range(len(config.style_layers)), key=lambda k: config.style_layers[k].is_rgb)


def text_change(
    clip: Clip, target: str, neutral: str, templates: Sequence[str] = ("{}",)
) -> Tensor:
    """(D,) the unit direction from one text to another: each in all templates, normalised, their
    mean normalised (the authors' `GetDt`).

    Raises:
        LimnerError: BAD_INPUT if the texts mean the same.
    """
    ends = [_mean(clip, text, templates) for text in (target, neutral)]
    change = ends[0] - ends[1]
    if float(change.norm()) < 1e-4:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            "The prompt and the neutral text mean the same.",
            "Say in the prompt what should be different.",
        )
    return F.normalize(change, dim=0)


def _mean(clip: Clip, text: str, templates: Sequence[str]) -> Tensor:
    texts = [template.replace("{}", text) for template in templates]
    return F.normalize(clip.encode_text(texts).mean(0), dim=0)


def chosen_threshold(agreement: Tensor, channels: int) -> float:
    """The highest threshold of the authors' grid at which more than so many channels move; their
    lowest if none does ("auto-beta")."""
    strong = agreement.abs()
    fitting = [t for t in GRID if int((strong >= t).sum()) > channels]
    return max(fitting) if fitting else GRID[0]


def reachable(agreement: Tensor, threshold: float) -> float:
    """The threshold, or what the best channel just passes if none passes that."""
    best = float(agreement.abs().max())
    return threshold if best >= threshold else best


@torch.no_grad()
def style_statistics(
    generator: Generator, count: int = SAMPLES, truncation: float = TRUNCATION, seed: int = SEED
) -> tuple[list[Tensor], list[Tensor]]:
    """The mean and the deviation of each channel, (channels,) for each layer, over random codes."""
    styles = generator.styles(generator.random(count, seed, truncation))
    return [s.mean(0) for s in styles], [s.std(0, correction=0) for s in styles]


def load(found: Network, generator: Generator) -> Directions:
    """Directions on this machine, for a generator.

    Raises:
        LimnerError: UNKNOWN_MODEL if they are another generator's.
    """
    tensors = read_weights(found.weights)
    layers = generator.config.style_layers
    relevance = tensors.get("directions")
    most = sum(layer.channels for layer in layers)
    if relevance is None or relevance.ndim != 2 or len(relevance) > most:
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"The directions {found.name!r} are not this generator's.",
            "Measure its own: limner train directions",
        )
    device = generator.w_avg.device
    std = [tensors.get(f"std.{k:02d}") for k in range(len(layers))]
    if any(s is None for s in std):
        std = list(style_statistics(generator)[1])
    told = {**found.card, **found.config}
    return Directions(
        relevance.float().to(device),
        tuple(s.float().to(device) for s in std if s is not None),
        generator.config,
        str(told.get("clip", "")),
        str(told.get("neutral", "")),
    )
