"""A decoder at work: a picture out of noise, and noise out of a picture, one look at a time.

Both stand still after every step, can be looked at, left and gone on with. What is drawn at random
comes from (seed, step), on the CPU: the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.chance import random_of
from limner.models.clip import Words
from limner.models.unclip.painter import Painter
from limner.models.unclip.prior import expanded, joined
from limner.models.unclip.sampling import ancestral, ddim, guided, inverted, thresholded


@dataclass(frozen=True, slots=True)
class Told:
    """What a decoder is told of each of B pictures.

    Attributes:
        embedding: (B, D), a CLIP's image embeddings.
        words: B captions, perhaps empty ones.
        empty: the empty caption.
    """

    embedding: Tensor
    words: Words
    empty: Words


@dataclass(frozen=True, slots=True)
class Kept:
    """What of a picture stays.

    Attributes:
        picture: (1, 3, S, S) in [-1, 1].
        free: (1, 1, S, S) in [0, 1], where it may change.
    """

    picture: Tensor
    free: Tensor


class Drawing:
    """A picture for each embedding.

    Args:
        guidance: 1 is what the embedding and the words say; more is more of it.
        eta: in [0, 1]; 0 draws nothing at random on the way, so that the start says all; a learned
            variance is used at 1. If None, 0 where a start is given, else as the decoder's config
            has it.
        start: (B, *shape) noise, of the decoder's shape; drawn by the seed if None.
        kept: what of another picture stays: at each step what is kept is put back with as much
            noise (Lugmayr et al. 2022, arXiv 2201.09865, eq. 8).
        resamples: how often each step is made then, with noise in between, so that both parts meet
            (their section 4.2).

    Attributes:
        step, total: how many looks were taken, and will be.
    """

    def __init__(
        self, decoder: Painter, told: Told, *, seed: int, steps: int, guidance: float = 1.0,
        eta: float | None = None, start: Tensor | None = None, kept: Kept | None = None,
        resamples: int = 1,
    ) -> None:  # fmt: skip
        self.decoder, self.told, self._seed = decoder, told, seed
        usual = decoder.config.eta if start is None else 0.0
        self._guidance, self._eta = guidance, usual if eta is None else eta
        self._kept, self._stays = kept, None if kept is None else diffused(decoder, kept)
        course = decoder.schedule.respaced(steps)
        self._walk = [(at, turn > 0) for at in course for turn in range(resamples)]
        self.step, self.total = 0, len(self._walk)
        shape = (len(told.embedding), *decoder.shape)
        self._noisy = self._noise(shape) if start is None else start.clone()
        self._clean = torch.zeros_like(self._noisy)

    @property
    @torch.no_grad()
    def picture(self) -> Tensor:
        """(B, 3, S, S) in [-1, 1]: what it takes the pictures for so far."""
        out = self.decoder.pictures(self._clean)
        if self._kept is not None and self.step:
            out = self._kept.picture + self._kept.free * (out - self._kept.picture)
        return out.clamp(-1, 1)

    @torch.no_grad()
    def advance(self) -> None:
        """One look and one step."""
        (time, kept, to), again = self._walk[self.step]
        noise = self._noise(self._noisy.shape, 1)
        if again:  # back to where this step begins
            part = kept / self._walk[self.step - 1][0][2]
            self._noisy = math.sqrt(part) * self._noisy + math.sqrt(1 - part) * noise
            noise = self._noise(self._noisy.shape, 2)
        clean, share = looked(self.decoder, self._noisy, time, self.told, self._guidance)
        self._clean = clean if self.decoder.is_latent else held(clean, self._guidance)
        if self._eta == 1:
            after = ancestral(self._noisy, self._clean, kept, to, noise, share)
        else:
            after = ddim(self._noisy, self._clean, kept, to, self._eta, noise)
        if self._stays is not None:
            picture, free = self._stays.picture, self._stays.free
            known = math.sqrt(to) * picture + math.sqrt(1 - to) * self._noise(picture.shape, 3)
            after = known + free * (after - known)
        self._noisy = after
        self.step += 1

    def _noise(self, shape: tuple[int, ...], which: int = 0) -> Tensor:
        chance = random_of(self._seed, 4 * self.step + which)
        return torch.randn(shape, generator=chance).to(self.told.embedding)

    def save(self) -> dict[str, Tensor]:
        """Copies of what `restore` needs."""
        return {"step": torch.tensor(self.step), "noisy": self._noisy.clone(),
                "clean": self._clean.clone()}  # fmt: skip

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from there, bit for bit as if nothing had been."""
        self.step = int(saved["step"])
        self._noisy = saved["noisy"].to(self._noisy)
        self._clean = saved["clean"].to(self._clean)


class Noising:
    """The noise from which `Drawing` with eta 0 and guidance 1 draws pictures again: with their
    embeddings, all that there is to know of them (arXiv 2204.06125, section 3).

    Args:
        pictures: (B, 3, S, S) in [-1, 1].
        rounds: see `sampling.inverted`.
    """

    def __init__(
        self, decoder: Painter, pictures: Tensor, told: Told, *, steps: int, rounds: int = 1
    ) -> None:
        self.decoder, self.told, self._rounds = decoder, told, rounds
        self._walk = decoder.schedule.respaced(steps)[::-1]
        self.step, self.total = 0, len(self._walk)
        with torch.no_grad():
            self.noise = decoder.encoded(pictures).clone()

    @torch.no_grad()
    def advance(self) -> None:
        """One step, of `rounds` + 1 looks."""
        time, kept, to = self._walk[self.step]

        def guess(noisy: Tensor, at: int) -> Tensor:
            return looked(self.decoder, noisy, at, self.told, 1.0)[0]

        self.noise = inverted(self.noise, guess, time, kept, to, self._rounds)
        self.step += 1

    def save(self) -> dict[str, Tensor]:
        """Copies of what `restore` needs."""
        return {"step": torch.tensor(self.step), "noise": self.noise.clone()}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        self.step = int(saved["step"])
        self.noise = saved["noise"].to(self.noise)


def diffused(decoder: Painter, kept: Kept) -> Kept:
    """What of a picture stays, as the decoder diffuses it; a latent may change where anything that
    it stands for may."""
    if not decoder.is_latent:
        return kept
    with torch.no_grad():
        latents = decoder.encoded(kept.picture)
    return Kept(latents, F.adaptive_max_pool2d(kept.free, latents.shape[2:]))


def looked(
    decoder: Painter, noisy: Tensor, time: int, told: Told, guidance: float
) -> tuple[Tensor, Tensor | None]:
    """The clean pictures by one look, or by two where guidance is not 1; and the share of a learned
    variance, of the look that was told all."""
    embedded, count = decoder.embedded(told.embedding), len(noisy)
    if guidance == 1:
        return decoder.clean(noisy, time, embedded, told.words)
    none = torch.ones(count, dtype=torch.bool, device=noisy.device)
    both = torch.cat([embedded, decoder.embedded(told.embedding, none)])
    words = joined(told.words, expanded(told.empty, count))
    clean, share = decoder.clean(noisy.repeat(2, 1, 1, 1), time, both, words)
    with_all, without = clean.chunk(2)
    return guided(with_all, without, guidance), None if share is None else share[:count]


def held(clean: Tensor, guidance: float) -> Tensor:
    """Within what pictures can be where guidance leads beyond it; as it is without any, for what
    was inverted is to come back."""
    return clean if guidance == 1 else thresholded(clean)
