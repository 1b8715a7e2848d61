"""From the parts of a pipeline's folder to plans: what all three families need for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from limner.models import networks
from limner.models.loading import opened
from limner.models.pickles import shown
from limner.models.pipelines.folder import Folder, Part
from limner.models.pipelines.plan import Piece, Plan, Source
from limner_wire.errors import ErrorCode, LimnerError

FREE = ("sample_size", "upcast_attention", "force_upcast", "dropout")  # say nothing of the network
OLD_ATTENTION = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.",
                 ".to_out.0.": ".proj_attn."}  # fmt: skip


@dataclass(slots=True)
class Making:
    """What is made of a folder.

    Attributes:
        name: which every network's begins with.
        facts: for their cards.
        widths: of the embeddings, by the parts that tell one.
        length: of the texts that the prior reads, in tokens; 0 without a prior.
    """

    folder: Folder
    name: str
    facts: Mapping[str, Any]
    plans: list[Plan] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)
    length: int = 0

    @property
    def clip(self) -> str:
        """The name of the CLIP."""
        return f"{self.name}-clip"

    def has(self, *parts: str) -> bool:
        """Whether the folder has any of these."""
        return any(part in self.folder.classes for part in parts)

    def plan(
        self, kind: str, config: Mapping[str, Any], network: nn.Module, parts: Mapping[str, Part],
        note: str, rest: Mapping[str, Tensor] | None = None,
    ) -> None:  # fmt: skip
        """Plan a network, whose names begin with those of its parts.

        Args:
            network: on the meta device.
            parts: by the beginning of the names that come from it.
            rest: what comes from no part.
        """
        rest = rest or {}
        shapes = {n: tuple(v.shape) for n, v in network.state_dict().items() if n not in rest}
        pieces = tuple(
            Piece(f"{part.name}/", part.files, _beginning(shapes, start), _theirs(start, part))
            for start, part in parts.items()
        )
        names = [part.name for part in parts.values()]
        facts = {"kind": kind, "note": note, **self.facts, "parts": names}
        whole = {"kind": kind, **config}
        self.plans.append(Plan(f"{self.name}-{kind}", networks.CONFIG, whole, pieces, facts, rest))


def on_meta(part: Part, build: Callable[[], Any]) -> Any:
    """A network that has shapes and no numbers.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that config.
    """
    try:
        with torch.device("meta"):
            return build()
    except (ValueError, RuntimeError, TypeError, ZeroDivisionError, AssertionError) as problem:
        reason = shown(str(problem), 200)
        words = f"There is no network of what {part.name}/config.json says: {reason}"
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, words) from problem


def check_config(part: Part, built: Mapping[str, Any]) -> None:
    """Pass if a part's config says nothing else than that of the network which is built for it.

    Raises:
        LimnerError: UNKNOWN_MODEL if it does.
    """
    for key, said in part.config.items():
        if not key.startswith("_") and key not in FREE:
            known = built.get(key)
            expect(part.name, key, said, list(known) if isinstance(known, tuple) else known)


def expect(part: str, key: str, said: Any, known: Any) -> None:
    """Pass if a config says what is known; nothing, no and 0 are the same.

    Raises:
        LimnerError: UNKNOWN_MODEL if it says something else.
    """
    if said != known and (said or known):
        words = f"{part}/ says {shown(str(said), 60)} for its {shown(key, 60)}"
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"{words}, and Limner reads only {shown(str(known), 60)}.",
            "It is no part of an unCLIP of the kinds that were published.",
        )


def row(part: Part, key: str) -> list[Any]:
    """A list in a part's config; empty if there is none."""
    said = part.config.get(key)
    return said if isinstance(said, list) else []


def _beginning(shapes: Mapping[str, tuple[int, ...]], start: str) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in shapes.items() if name.startswith(start)}


def _theirs(start: str, part: Part) -> Callable[[str], Source]:
    """Where a network's tensors lie in a part, whose names lack the beginning of Limner's; in an
    autoencoder of before diffusers 0.15 attention has other names."""
    with opened(part.files) as tensors:
        is_old = any(name.endswith(".proj_attn.weight") for name in tensors.shapes)

    def source(name: str) -> Source:
        theirs = name.removeprefix(start)
        for new, old in OLD_ATTENTION.items() if is_old else ():
            theirs = theirs.replace(new, old)
        return Source((theirs,))

    return source
