"""What is to become of a pipeline: networks of Limner's, each from one part or a few.

A plan is checked before anything is built or written: the names and shapes that a config asks for
against those in the files' headers. Then one tensor after the other goes from file to file, in half
precision, so that memory never holds more than one.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limner.models.checkpoints.found import other
from limner.models.loading import Tensors, opened
from limner.models.pickles import shown
from limner_wire.errors import ErrorCode, LimnerError

LISTED = 12  # names in a refusal
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a tensor lies in a part.

    Attributes:
        names: of what it is joined from, along the first dimension.
        is_turned: whether it lies there with its two dimensions the other way round.
    """

    names: tuple[str, ...]
    is_turned: bool = False

    def shape(self, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """That of each of `names`, if together they have the wanted one."""
        if self.is_turned:
            return wanted[::-1]
        return (wanted[0] // len(self.names), *wanted[1:]) if len(self.names) > 1 else wanted

    def read(self, tensors: Tensors) -> Tensor:
        """The tensor."""
        parts = [tensors[name] for name in self.names]
        out = parts[0] if len(parts) == 1 else torch.cat(parts)
        return out.T if self.is_turned else out


@dataclass(frozen=True, slots=True)
class Piece:
    """What of a network comes from one part.

    Attributes:
        what: the part, in words.
        files: its weights.
        shapes: of what is needed, by Limner's names.
        source: where each lies, by Limner's name.
        is_unused: whether one of theirs is no weight.
    """

    what: str
    files: tuple[Path, ...]
    shapes: Shapes
    source: Callable[[str], Source] = lambda name: Source((name,))
    is_unused: Callable[[str], bool] = lambda name: False

    def check(self) -> None:
        """Pass if the files hold what is needed, and nothing else.

        Raises:
            LimnerError: UNKNOWN_MODEL, with the names that are missing, of no use, or of another
                shape; what `loading.opened` raises.
        """
        wanted: dict[str, tuple[int, ...]] = {}
        for name, shape in self.shapes.items():
            source = self.source(name)
            wanted |= dict.fromkeys(source.names, source.shape(shape))
        with opened(self.files) as tensors:
            here = {n: s for n, s in tensors.shapes.items() if not self.is_unused(n)}
        wrong = [
            f"{n} (it is {here[n]}, not {s})" for n, s in wanted.items() if here.get(n, s) != s
        ]
        reasons = (
            _listed("missing: ", [n for n in wanted if n not in here]),
            _listed("not part of it: ", [n for n in here if n not in wanted]),
            _listed("of another shape: ", wrong),
        )
        if said := "; ".join(filter(None, reasons)):
            raise LimnerError(
                ErrorCode.UNKNOWN_MODEL,
                f"{self.what} does not hold what its config says: {said}.",
                "Fetch it again, config and weights from the same place.",
            )

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Each with Limner's name, as it is read."""
        with opened(self.files) as tensors:
            for name in self.shapes:
                yield name, self.source(name).read(tensors)


@dataclass(frozen=True, slots=True)
class Plan:
    """A network that is to be.

    Attributes:
        name: what it will be called.
        config: for `config_name` in its folder.
        rest: small tensors that no part has.
        facts: for its card.
        lacks: what the artist should know of it, in words.
    """

    name: str
    config_name: str
    config: Mapping[str, Any]
    pieces: tuple[Piece, ...]
    facts: Mapping[str, Any]
    rest: Mapping[str, Tensor] = field(default_factory=dict)
    lacks: str = ""

    def check(self) -> None:
        """See `Piece.check`."""
        for piece in self.pieces:
            piece.check()

    def write(self, folder: Path, weights: str) -> None:
        """Its config, and its weights under that name, into a folder that is there.

        Raises:
            LimnerError: UNKNOWN_MODEL if a number is not finite.
        """
        text = json.dumps(self.config, indent=1)
        (folder / self.config_name).write_text(text, encoding="utf-8")
        shapes = {name: tuple(tensor.shape) for name, tensor in self.rest.items()}
        for piece in self.pieces:
            shapes |= piece.shapes
        stream(folder / weights, shapes, self._tensors())

    def _tensors(self) -> Iterator[Tensor]:
        yield from self.rest.values()
        for piece in self.pieces:
            for name, tensor in piece.tensors():
                small = tensor.half()
                if not bool(torch.isfinite(small).all()):
                    raise other(piece.what, f"{name} has numbers that are not finite, or too large")
                yield small


def stream(path: Path, shapes: Shapes, tensors: Iterator[Tensor]) -> None:
    """Write a safetensors file in half precision, one tensor at a time: the length of the header,
    the header in JSON, the numbers (huggingface/safetensors, "Format")."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        end = at + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape, tensor in zip(shapes.values(), tensors, strict=True):
            assert tuple(tensor.shape) == shape  # noqa: S101
            file.write(tensor.half().contiguous().numpy().tobytes())


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return what + ", ".join(shown(name, 120) for name in names[:LISTED]) + more
