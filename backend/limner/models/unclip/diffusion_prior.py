"""unCLIP's diffusion prior (Ramesh et al. 2022, arXiv 2204.06125, section 2.2 and appendix C).

A causal transformer reads the caption, its CLIP embedding, the timestep, the noisy image embedding
and a last token of its own, at which it puts out the clean embedding itself, not the noise. Two
embeddings are drawn for each caption; the one nearer to the caption's is kept. The layers are
diffusers', under the names that Karlo's and Kandinsky's published weights have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.transformers.prior_transformer import PriorTransformer
from torch import Tensor, nn

from limner.chance import random_of
from limner.models.clip import Words
from limner.models.networks import whole
from limner.models.unclip.prior import STEPS, each, expanded, joined
from limner.models.unclip.sampling import ddim, guided
from limner.models.unclip.schedule import KINDS, Schedule
from limner_wire.errors import ErrorCode, LimnerError

MOST = 8192  # of any width or number in a config
ADDED = 4  # tokens behind the caption's: its embedding, the time, the noisy z, and what is read off
DRAWS = 2  # for each caption
SPREAD = 0.02  # of the tokens' places before training; diffusers leaves them all the same


@dataclass(frozen=True, slots=True)
class Config:
    """What a diffusion prior is built from.

    Attributes:
        clip: the CLIP whose embeddings it draws.
        heads, head: attention heads, and how wide each is.
        layers: blocks of the transformer.
        embedding: D, the CLIP's width.
        states: the width of its text tower.
        length: how many tokens that reads.
        unit: whether its embeddings are unit vectors; then the drawn ones are too.
        clamp: how far a guess may be off the mean in each dimension, in deviations; 0 for as far
            as it is.
        schedule: of `schedule.KINDS`.
    """

    clip: str
    heads: int = 4
    head: int = 64
    layers: int = 5
    embedding: int = 256
    states: int = 192
    length: int = 28
    unit: bool = True
    clamp: float = 0.0
    schedule: str = "cosine"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """Raises:
        LimnerError: UNREADABLE if something is missing or out of bounds.
        """
        clamp = content.get("clamp", 0.0)
        if content.get("schedule") not in KINDS or not isinstance(clamp, int | float):
            raise LimnerError(ErrorCode.UNREADABLE, "A prior's config is incomplete.")
        names = ("heads", "head", "layers", "embedding", "states", "length")
        return cls(
            clip=str(content.get("clip", "")), unit=content.get("unit") is not False,
            clamp=float(clamp), schedule=content["schedule"],
            **{name: whole(content, name, MOST) for name in names},
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {"way": "diffusion", **asdict(self)}


class DiffusionPrior(nn.Module):
    """See the module's text. Its state has the layers' own names.

    Attributes:
        layers: their `clip_mean` and `clip_std`, (1, D), say what embeddings are whitened with;
            as they are made, by the root of D, as the paper scales them.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.schedule = config, Schedule.of(config.schedule)
        self.layers = PriorTransformer(
            num_attention_heads=config.heads, attention_head_dim=config.head,
            num_layers=config.layers, embedding_dim=config.embedding, num_embeddings=config.length,
            additional_embeddings=ADDED,
        )  # fmt: skip
        inner = config.heads * config.head
        # diffusers has it only for text towers as wide as the embedding. Another width in the same
        # place keeps the published names, and those weights still fit where the widths are equal.
        self.layers.encoder_hidden_states_proj = nn.Linear(config.states, inner)
        nn.init.normal_(self.layers.positional_embedding, std=SPREAD)
        nn.init.normal_(self.layers.prd_embedding, std=SPREAD)
        nn.init.constant_(self.layers.clip_std, config.embedding**-0.5)
        self.layers.clip_mean.requires_grad_(False)
        self.layers.clip_std.requires_grad_(False)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The layers', under the published names."""
        return self.layers.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The inverse of `state_dict`."""
        return self.layers.load_state_dict(*args, **kwargs)

    def whiten(self, z: Tensor) -> Tensor:
        """(B, D) embeddings as they are diffused."""
        out: Tensor = (z - self.layers.clip_mean) / self.layers.clip_std
        return out

    def restored(self, x: Tensor) -> Tensor:
        """The inverse of `whiten`."""
        out: Tensor = x * self.layers.clip_std + self.layers.clip_mean
        return out

    def forward(self, noisy: Tensor, times: Tensor, words: Words) -> Tensor:
        """(B, D) the clean whitened embeddings in noisy ones at (B,) timesteps."""
        told = (words.embedding, words.states, words.known)
        out: Tensor = self.layers(noisy, times, *told).predicted_image_embedding
        return out

    def loss(self, z: Tensor, words: Words, times: Tensor, noise: Tensor) -> Tensor:
        """() the squared error of the clean whitened embedding, by (B,) times, which may stay on
        the CPU (not every device has the schedule's float64), and (B, D) noise."""
        clean = self.whiten(z)
        guess = self(self.schedule.noised(clean, noise, times), times.to(z.device), words)
        return F.mse_loss(guess.float(), clean)

    def sampling(
        self, words: Words, empty: Words, *, seed: int, guidance: float = 1.0, steps: int = STEPS,
        eta: float = 1.0,
    ) -> Denoising:  # fmt: skip
        """As `prior.Prior` has it.

        Args:
            eta: 1 is the ancestral step with the posterior's variance, 0 DDIM, which draws nothing
                after the first noise.
        """
        return Denoising(self, words, empty, seed, guidance, steps, eta)


class Denoising:
    """A draw of a diffusion prior; see `prior.Sampling`."""

    def __init__(
        self, prior: DiffusionPrior, words: Words, empty: Words, seed: int, guidance: float,
        steps: int, eta: float,
    ) -> None:  # fmt: skip
        self._prior, self._text = prior, words.embedding
        self._seed, self._guidance, self._eta = seed, guidance, eta
        self._plan = prior.schedule.respaced(steps)
        self.total, self.step = steps, 0
        told = each(words, lambda t: t.repeat_interleave(DRAWS, 0))
        self._rows = len(told.embedding)
        self._told = told if guidance == 1 else joined(told, expanded(empty, self._rows))
        self._noisy = self._noise()
        self._clean = torch.zeros_like(self._noisy)  # the mean, before anything is seen

    def _noise(self) -> Tensor:
        """(B x 2, D), of this step: 0 is where it begins."""
        shape = (self._rows, self._prior.config.embedding)
        return torch.randn(shape, generator=random_of(self._seed, self.step)).to(self._text)

    @torch.no_grad()
    def advance(self) -> None:
        """One look at the noisy embeddings, and one step to less noisy ones."""
        time, kept, to = self._plan[self.step]
        self.step += 1
        self._clean = self._guess(time)
        self._noisy = ddim(self._noisy, self._clean, kept, to, self._eta, self._noise())

    def _guess(self, time: int) -> Tensor:
        times = torch.full((self._rows,), time, device=self._noisy.device)
        if self._guidance == 1:
            out: Tensor = self._prior(self._noisy, times, self._told)
        else:
            told, silent = self._prior(self._noisy.repeat(2, 1), times.repeat(2), self._told).chunk(
                2
            )
            out = guided(told, silent, self._guidance)
        bound = self._prior.config.clamp
        return out.clamp(-bound, bound) if bound else out

    @torch.no_grad()
    def candidates(self) -> Tensor:
        """(B, 2, D), both draws as they are guessed now."""
        z = self._prior.restored(self._clean)
        z = F.normalize(z, dim=1) if self._prior.config.unit else z
        return z.view(-1, DRAWS, z.shape[1])

    def embedding(self) -> Tensor:
        """(B, D) of the two the one with the larger dot product with the caption's embedding."""
        both = self.candidates()
        best = (both @ self._text[:, :, None]).squeeze(2).argmax(1)
        return both[torch.arange(len(both), device=best.device), best]

    def save(self) -> dict[str, Tensor]:
        """See `prior.Sampling`."""
        step = torch.tensor(self.step)
        return {"noisy": self._noisy.clone(), "clean": self._clean.clone(), "step": step}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """See `prior.Sampling`."""
        self._noisy = saved["noisy"].to(self._noisy)
        self._clean = saved["clean"].to(self._noisy)
        self.step = int(saved["step"])
