"""CLIP, always through open_clip: texts and pictures to unit vectors in one space.

`load` opens any model folder that open_clip can read, the starter among them. A `Clip` takes
pictures in [0, 1] at its own input size; how they are cut out of a drawing is `losses.cutouts`.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.models.catalog import WORDS, Installed, find
from limner.models.loading import read_weights
from limner_wire.errors import ErrorCode, LimnerError

TOKENS, TOKEN_ROWS = "token_embedding.weight", "token_embedding.rows"
TEXT_ENCODER, IMAGE_ENCODER = "text encoder", "image encoder"  # a published one may lack either


@functools.cache
def library() -> Any:
    """open_clip, with Limner's own towers; it takes seconds to import, so nobody does before the
    first network is needed."""
    import open_clip

    from limner.models import conv_tower  # noqa: F401  (registers them with timm)

    return open_clip


@dataclass(frozen=True, slots=True)
class Weighted:
    """A CLIP and how much it counts beside others."""

    clip: Clip
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Words:
    """What a CLIP makes of N texts.

    Attributes:
        embedding: (N, D) unit vectors, unless they were read `unscaled`.
        states: (N, L, W), what its text tower has at each token.
        known: (N, L) bool, which tokens are the text's, its first and last marks with them.
    """

    embedding: Tensor
    states: Tensor
    known: Tensor


class Clip:
    """A frozen CLIP.

    Attributes:
        name: as the catalogue has it.
        size_px: the side of the square pictures that it takes.
        recipe: settings that draw better with this model than the papers' constants, by
            parameter name; from the model's card.
        lacks: `TEXT_ENCODER` or `IMAGE_ENCODER` if it came without; from the card too.
    """

    def __init__(self, model: Installed, device: torch.device) -> None:
        source = f"local-dir:{model.folder}"
        try:
            with quietly():
                network = library().create_model(source, load_weights=False)
            network.load_state_dict(unpacked(read_weights(model.weights), network), strict=True)
        except (RuntimeError, ValueError, KeyError) as problem:
            reason = str(problem).splitlines()[0]
            raise LimnerError(
                ErrorCode.UNKNOWN_MODEL,
                f"Model {model.name!r} can't be loaded: {reason[:200]}",
                "Fetch or add it again; `limner models list` shows what else there is.",
            ) from problem
        self.name = model.name
        self.device = device
        self.recipe = dict(model.card.get("recipe", {}))
        self.lacks = str(model.card.get("lacks", ""))
        self._unit = True
        self._network: nn.Module = network.to(device, memory_format=torch.channels_last).eval()
        self._network.requires_grad_(False)
        self._tokenize = library().get_tokenizer(source)
        visual = network.visual
        side = visual.image_size
        self.size_px = int(side[0] if isinstance(side, tuple | list) else side)
        mean = torch.tensor(visual.preprocess_cfg["mean"], device=device)
        std = torch.tensor(visual.preprocess_cfg["std"], device=device)
        self._mean, self._std = mean[:, None, None], std[:, None, None]
        words = model.folder / WORDS
        self._known = set(json.loads(words.read_text("utf-8"))) if words.is_file() else None

    def unscaled(self) -> Clip:
        """The same, but what it `read`s and `see`s keeps its length: what was published of unCLIP
        has learned from such embeddings."""
        out = copy.copy(self)
        out._unit = False
        return out

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """(N, D) unit vectors of N texts.

        Raises:
            LimnerError: UNKNOWN_MODEL if it has no text encoder.
        """
        self._need(TEXT_ENCODER)
        tokens = self._tokenize(list(texts)).to(self.device)
        out: Tensor = self._network.encode_text(tokens, normalize=True)  # type: ignore[operator]
        return out

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Words:
        """N texts, with what lies before their pooling.

        Raises:
            LimnerError: UNKNOWN_MODEL if it has no text encoder.
        """
        self._need(TEXT_ENCODER)
        tokens = self._tokenize(list(texts)).to(self.device)
        last = tokens.argmax(1, keepdim=True)  # the mark at the end is the highest token
        network: Any = self._network
        states: list[Tensor] = []
        norm = getattr(network, "text", network).ln_final
        hook = norm.register_forward_hook(lambda *about: states.append(about[-1]))
        try:
            embedding: Tensor = network.encode_text(tokens, normalize=self._unit)
        finally:
            hook.remove()
        known = torch.arange(tokens.shape[1], device=self.device) <= last
        return Words(embedding, states[0], known)

    @torch.no_grad()
    def see(self, pictures: Tensor) -> Tensor:
        """As `encode_image`, without gradients; of their own lengths if it is `unscaled`."""
        return self._encode_image(pictures, unit=self._unit)

    def see_nothing(self) -> Tensor:
        """(1, D), of the picture that is 0 everywhere once it is normalised."""
        return self.see(self._mean.expand(1, 3, self.size_px, self.size_px))

    def encode_image(self, pictures: Tensor) -> Tensor:
        """(B, 3, size_px, size_px) in [0, 1] to (B, D) unit vectors; differentiable.

        Raises:
            LimnerError: UNKNOWN_MODEL if it has no image encoder.
        """
        return self._encode_image(pictures, unit=True)

    def _encode_image(self, pictures: Tensor, *, unit: bool) -> Tensor:
        self._need(IMAGE_ENCODER)
        inputs = (pictures - self._mean) / self._std
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        out: Tensor = self._network.encode_image(inputs, normalize=unit)  # type: ignore[operator]
        return out

    def _need(self, what: str) -> None:
        if self.lacks == what:
            raise LimnerError(
                ErrorCode.UNKNOWN_MODEL,
                f"{self.name} came without its {what}.",
                "Add the folder that has one under the same name: limner models add FOLDER "
                f"--name {self.name.removesuffix('-clip')}",
            )

    def maps(self, picture: Tensor, depth: int) -> list[Tensor]:
        """What the layers of a tower of Limner's own (`conv_tower`) make of a picture.

        Args:
            picture: (3, H, W) in [0, 1], of any size; differentiable.
            depth: how far into the tower, as its own `maps` has it.

        Returns:
            Maps (1, C_l, h_l, w_l), the first the normalised picture.
        """
        inputs = ((picture - self._mean) / self._std)[None]
        tower: Any = self._network.visual.trunk  # type: ignore[union-attr]
        return [inputs, *tower.maps(inputs.contiguous(memory_format=torch.channels_last), depth)]

    def probabilities(self, picture: Tensor, texts: Sequence[str]) -> Tensor:
        """(N,) how likely each text is for a (3, H, W) picture, beside the others."""
        size = (self.size_px, self.size_px)
        shown = F.interpolate(picture[None], size, mode="bilinear", antialias=True)
        with torch.no_grad():
            scale = self._network.logit_scale.exp()  # type: ignore[operator]
            logits = scale * self.encode_image(shown) @ self.encode_text(texts).T
        out: Tensor = logits[0].softmax(0)
        return out

    def unknown_words(self, text: str) -> list[str]:
        """The words that this model was never told; empty for models with an open vocabulary."""
        if self._known is None:
            return []
        return [
            w for w in words_of(text) if w not in self._known and w.rstrip("s") not in self._known
        ]


def packed(weights: dict[str, Tensor], used: Tensor) -> dict[str, Tensor]:
    """Weights in half precision, with only the `used` rows, (V,) bool, of the token embedding.

    A small CLIP that knows a few thousand words has little but unused rows otherwise.
    """
    small = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    small[TOKENS] = small[TOKENS][used]
    small[TOKEN_ROWS] = used.nonzero()[:, 0].int()
    return {k: v.contiguous() for k, v in small.items()}


def unpacked(weights: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """What `packed` left of a network's weights, as its state; other weights as they are."""
    rows = weights.get(TOKEN_ROWS)
    state = {k: v.float() for k, v in weights.items() if k != TOKEN_ROWS}
    if rows is not None:
        full = torch.zeros_like(network.state_dict()[TOKENS])
        full[rows.long()] = state[TOKENS]
        state[TOKENS] = full
    return state


@contextmanager
def quietly() -> Iterator[None]:
    """Without the root logger's warnings: open_clip says there that no weights were loaded yet."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def load(names: Sequence[str] = (), device: torch.device | None = None) -> list[Weighted]:
    """The models named, each as NAME or NAME@WEIGHT; the best on the machine when none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL if one is not on this machine or can't be opened; BAD_INPUT for
            a weight that is no positive number.
    """
    device = device or torch.device("cpu")
    if not names:
        return [Weighted(Clip(find(None), device))]
    parsed = [split_weight(name) for name in names]
    if any(weight <= 0 for _, weight in parsed):
        raise LimnerError(ErrorCode.BAD_INPUT, "A model's weight must be above 0.")
    return [Weighted(Clip(find(name), device), weight) for name, weight in parsed]


def split_weight(text: str, default: float = 1.0) -> tuple[str, float]:
    """ "a cat@0.5" is ("a cat", 0.5); without a number behind the last @ it is all text."""
    head, at, tail = text.rpartition("@")
    try:
        return (head.strip(), float(tail)) if at else (text.strip(), default)
    except ValueError:
        return text.strip(), default
