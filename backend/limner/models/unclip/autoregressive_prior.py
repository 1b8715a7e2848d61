"""unCLIP's autoregressive prior (Ramesh et al. 2022, arXiv 2204.06125, section 2.2).

An image embedding is a sequence of principal components in buckets (`quantizer`), which a causal
transformer predicts one after the other. Before them stand the caption, its CLIP embedding z_t, and
a token that says how well picture and caption fit, the bucket of z_i . z_t. Who draws asks for one
out of the upper half.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.chance import random_of
from limner.models.clip import Words
from limner.models.networks import whole
from limner.models.unclip.prior import STEPS, expanded, joined
from limner.models.unclip.quantizer import PCA, Buckets
from limner.models.unclip.sampling import guided

MOST = 8192  # of any width or number in a config
FITTED = ("pca.", "buckets.", "dots.")  # what was counted, not learned: kept in full precision
Past = tuple[Tensor, Tensor]  # a layer's keys and values, (B, heads, tokens, width / heads)


@dataclass(frozen=True, slots=True)
class Config:
    """What an autoregressive prior is built from.

    Attributes:
        clip: the CLIP whose embeddings it draws.
        width, heads, layers: of the transformer.
        embedding: D, the CLIP's width.
        states: the width of its text tower.
        length: how many tokens that reads.
        kept: principal components.
        buckets: for each of them, and for z_i . z_t.
        unit: whether the CLIP's embeddings are unit vectors; then the drawn ones are too.
    """

    clip: str
    width: int = 256
    heads: int = 4
    layers: int = 5
    embedding: int = 256
    states: int = 192
    length: int = 28
    kept: int = 64
    buckets: int = 256
    unit: bool = True

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """Raises:
        LimnerError: UNREADABLE if something is missing or out of bounds.
        """
        names = ("width", "heads", "layers", "embedding", "states", "length", "kept", "buckets")
        numbers = {name: whole(content, name, MOST) for name in names}
        unit = content.get("unit") is not False
        return cls(clip=str(content.get("clip", "")), unit=unit, **numbers)

    def to_json(self) -> dict[str, Any]:
        return {"way": "autoregressive", **asdict(self)}


class Block(nn.Module):
    """Attention and a small network, each behind a norm and added to what there was."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, seen: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        """(B, Q, width) tokens to the same, and with them all keys and values so far.

        Args:
            seen: (B, 1, Q, K) bool, which of all tokens so far each of these looks at.
            past: of those before.
        """
        qkv = self.qkv(self.norm_1(x)).unflatten(2, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        found = F.scaled_dot_product_attention(query, key, value, seen)
        x = x + self.out(found.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm_2(x)), (key, value)


class AutoregressivePrior(nn.Module):
    """See the module's text.

    Attributes:
        pca, buckets, dots: what an embedding and z_i . z_t are quantised by; fitted before
            training, and part of the state.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.pca = PCA(config.embedding, config.kept)
        self.buckets = Buckets(config.kept, config.buckets)
        self.dots = Buckets(1, config.buckets)
        self.states = nn.Linear(config.states, width)
        self.text = nn.Linear(config.embedding, width)
        self.dot = nn.Embedding(config.buckets, width)
        self.values = nn.Embedding(config.buckets, width)
        self.places = nn.Embedding(config.length + 1 + config.kept, width)
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, config.buckets)
        self._begin()

    def _begin(self) -> None:
        """As GPT-2 does (Radford et al. 2019), whose 0.02 is for a width of 768."""
        std = 0.02 * (768 / self.config.width) ** 0.5
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=std)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def tokens(self, z: Tensor) -> Tensor:
        """(B, D) embeddings as (B, k) buckets."""
        return self.buckets.quantise(self.pca.project(z))

    def restored(self, tokens: Tensor) -> Tensor:
        """(B, n) buckets of the first n components as (B, D) embeddings."""
        z = self.pca.restored(self.buckets.restored(tokens))
        return F.normalize(z, dim=1) if self.config.unit else z

    def agreement(self, z: Tensor, words: Words) -> Tensor:
        """(B,) the bucket of z_i . z_t."""
        return self.dots.quantise((z * words.embedding).sum(1, keepdim=True))[:, 0]

    def forward(self, words: Words, agreement: Tensor, tokens: Tensor) -> Tensor:
        """(B, k, buckets) logits of each component, by what stands before it.

        Args:
            agreement: (B,), see there.
            tokens: (B, k), the right ones; the last is not looked at.
        """
        x = torch.cat([self.before(words, agreement), self.values(tokens[:, :-1])], 1)
        return self.logits(self.run(x, words.known, [])[:, -tokens.shape[1] :])

    def before(self, words: Words, agreement: Tensor) -> Tensor:
        """(B, L + 2, width) the tokens before the first component's."""
        told = [self.states(words.states), self.text(words.embedding)[:, None]]
        return torch.cat([*told, self.dot(agreement)[:, None]], 1)

    def run(self, x: Tensor, known: Tensor, past: list[Past]) -> Tensor:
        """(B, Q, width) tokens through all layers.

        Args:
            known: (B, L) bool, which tokens are the caption's.
            past: what each layer kept of the tokens before, to which these are added; empty at the
                first.
        """
        first = past[0][0].shape[2] if past else 0
        at = torch.arange(first + x.shape[1], device=x.device)
        others = known.new_ones(len(x), len(at) - known.shape[1])
        causal = at[None, :] <= at[first:, None]
        seen = causal & torch.cat([known, others], 1)[:, None, None, :]
        x = x + self.places(at[first:])
        rows: list[Past | None] = [*past] or [None] * len(self.blocks)
        past.clear()
        for block, row in zip(self.blocks, rows, strict=True):
            x, kept = block(x, seen, row)
            past.append(kept)
        return x

    def logits(self, x: Tensor) -> Tensor:
        """(..., buckets) of the next component, by (..., width) of the last layer."""
        out: Tensor = self.head(self.norm(x)).float()
        return out

    def loss(self, words: Words, agreement: Tensor, tokens: Tensor) -> Tensor:
        """() the mean cross entropy of a component, in nats."""
        return F.cross_entropy(self(words, agreement, tokens).flatten(0, 1), tokens.flatten())

    def sampling(
        self, words: Words, empty: Words, *, seed: int, guidance: float = 1.0, steps: int = STEPS,
        temperature: float = 1.0, top_p: float = 1.0,
    ) -> Telling:  # fmt: skip
        """As `prior.Prior` has it; a step draws as many components as it takes.

        Args:
            temperature: what logits are divided by; lower is nearer to the likeliest.
            top_p: draw only from the likeliest buckets that together have this probability.
        """
        return Telling(self, words, empty, seed, guidance, steps, temperature, top_p)


class Telling:
    """A draw of an autoregressive prior; see `prior.Sampling`."""

    def __init__(
        self, prior: AutoregressivePrior, words: Words, empty: Words, seed: int, guidance: float,
        steps: int, temperature: float, top_p: float,
    ) -> None:  # fmt: skip
        self._prior, self._seed, self._guidance = prior, seed, guidance
        self._temperature, self._top_p = temperature, top_p
        self._rows = len(words.embedding)
        self._told = words if guidance == 1 else joined(words, expanded(empty, self._rows))
        self.total, self.step = min(steps, prior.config.kept), 0
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Read what stands before the components: the upper half of the buckets is the upper half
        of the training data, as they are equally full."""
        count, device = self._prior.config.buckets, self._told.known.device
        chance = random_of(self._seed, 0)
        high = torch.randint(count // 2, count, (self._rows,), generator=chance).to(device)
        self._tokens = high.new_zeros(self._rows, 0)
        self._past: list[Past] = []
        self._read(self._prior.before(self._told, self._both(high)))

    def _both(self, rows: Tensor) -> Tensor:
        """Rows for the captions, and if there is guidance the same for the empty one."""
        return rows if self._guidance == 1 else rows.repeat(2)

    def _read(self, x: Tensor) -> None:
        out = self._prior.run(x, self._told.known, self._past)[:, -1]
        self._logits = self._prior.logits(out)

    def advance(self) -> None:
        """The next components: so many that the last step ends with the last."""
        self.step += 1
        until = self.step * self._prior.config.kept // self.total
        while self._tokens.shape[1] < until:
            self._tell(self._drawn())

    @torch.no_grad()
    def _tell(self, chosen: Tensor) -> None:
        """Add (B,) buckets of the next component, and ask for the one after it."""
        self._tokens = torch.cat([self._tokens, chosen[:, None]], 1)
        if self._tokens.shape[1] < self._prior.config.kept:
            self._read(self._prior.values(self._both(chosen))[:, None])

    def _drawn(self) -> Tensor:
        """(B,) buckets of the next component."""
        logits = self._logits
        if self._guidance != 1:
            told, silent = logits.chunk(2)
            logits = guided(told, silent, self._guidance)
        chances = nucleus((logits.cpu().double() / self._temperature).softmax(1), self._top_p)
        chance = random_of(self._seed, 1 + self._tokens.shape[1])
        return chances.multinomial(1, generator=chance)[:, 0].to(logits.device)

    def embedding(self) -> Tensor:
        """(B, D), the components that are still to come at their mean."""
        return self._prior.restored(self._tokens)

    def save(self) -> dict[str, Tensor]:
        """See `prior.Sampling`."""
        return {"tokens": self._tokens.clone(), "step": torch.tensor(self.step)}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """See `prior.Sampling`. What the layers kept is made again, token by token as it was: all
        at once would round in another order."""
        self._start()
        for chosen in saved["tokens"].to(self._tokens).T:
            self._tell(chosen)
        self.step = int(saved["step"])


def nucleus(chances: Tensor, share: float) -> Tensor:
    """(B, n) probabilities, 0 for all but the likeliest that together have at least `share`
    (Holtzman et al. 2020, arXiv 1904.09751)."""
    ranked, order = chances.sort(1, descending=True)
    spare = ranked.cumsum(1) - ranked >= share
    return chances.masked_fill(torch.zeros_like(spare).scatter(1, order, spare), 0.0)
