"""What lies on this machine besides CLIPs: generators, and what belongs to them.

Each is a folder with `config.json` (its kind and its numbers), `model.safetensors` and `card.json`:
among the starter's, or in the user's models folder, where `limner models add` puts it.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from limner.models import catalog, eight_bits
from limner.models.catalog import STARTER_FOLDER, models_folder
from limner.models.loading import read_json, read_weights
from limner_wire.errors import ErrorCode, LimnerError

KINDS = {
    "generator": "a generator",
    "encoder": "an encoder from pictures to latents",
    "identity": "an identity network",
    "mapper": "a latent mapper",
    "directions": "directions for words",
    "prior": "a prior from words to a CLIP's pictures",
    "decoder": "a decoder of a CLIP's image embeddings",
    "upsampler": "an upsampler",
    "statistics": "style space's mean and deviation",
    "latents": "latents",
}
N = TypeVar("N", bound=nn.Module)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")  # what a model can be called
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "card.json"


@dataclass(frozen=True, slots=True)
class Network:
    """A network on this machine, or what belongs to one.

    Attributes:
        kind: one of `KINDS`.
        config: what it is built from.
        is_starter: whether it came with Limner.
    """

    name: str
    kind: str
    folder: Path
    config: Mapping[str, Any]
    card: Mapping[str, Any] = field(default_factory=dict)
    is_starter: bool = False

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS


def installed(kind: str | None = None) -> list[Network]:
    """Those of a kind, or all: the user's own first, then the starter's, each by name; last what
    learned from another, which is for who asks for it."""
    found: dict[str, Network] = {}
    for place in (STARTER_FOLDER.parent, models_folder()):
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            if (network := at(folder, is_starter=place == STARTER_FOLDER.parent)) is not None:
                found[network.name] = network
    wanted = [n for n in found.values() if kind is None or n.kind == kind]
    return sorted(wanted, key=lambda n: ("parent" in n.card, n.is_starter, n.name))


def at(folder: Path, *, is_starter: bool = False) -> Network | None:
    """The network in a folder, if there is one of a kind that Limner knows."""
    if folder.name.startswith(".") or not (folder / CONFIG).is_file():
        return None
    try:
        config = read_json(folder / CONFIG)
        card = read_json(folder / CARD) if (folder / CARD).is_file() else {}
    except LimnerError:  # one broken folder must not hide the others
        return None
    kind = config.get("kind")
    if kind not in KINDS or not (folder / WEIGHTS).is_file():
        return None
    return Network(folder.name, kind, folder, config, card, is_starter)


def find(kind: str, name: str | None = None) -> Network:
    """The network of that kind and name; the first of its kind when none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL, with what to do about it.
    """
    here = installed(kind)
    if name is None and here:
        return here[0]
    for network in here:
        if network.name == name:
            return network
    what = KINDS[kind]
    names = ", ".join(n.name for n in here)
    raise LimnerError(
        ErrorCode.UNKNOWN_MODEL,
        f"There is no {what.split(' ', 1)[-1]} {name!r}." if name else f"There is no {what} here.",
        f"On this machine: {names}." if here else "Add one from a file: limner models add FILE",
    )


def frozen(found: Network, network: N, device: torch.device | None = None) -> N:
    """The network with the weights of what was found, in which no gradient is kept.

    Args:
        network: made by the config of what was found.
        device: the CPU if None.

    Raises:
        LimnerError: UNKNOWN_MODEL if the weights are another network's.
    """
    loaded(network, eight_bits.unpacked(read_weights(found.weights)), found.name)
    return network.to(device or torch.device("cpu")).eval().requires_grad_(False)


def belonging(kind: str, generator: str) -> list[Network]:
    """What of a kind there is for a generator: what says to be its own first, then what is of those
    that it comes of, whose latents mean the same, then what does not say whose it is."""
    told = [(n, n.config.get("generator") or n.card.get("generator")) for n in installed(kind)]
    owners = [*lineage(generator), None]
    return [n for owner in owners for n, says in told if says == owner]


def lineage(generator: str) -> list[str]:
    """A generator's name, then that of the one which learned to become it, and so on."""
    parents = {n.name: str(n.card.get("parent", "")) for n in installed("generator")}
    out = [generator]
    while (parent := parents.get(out[-1], "")) and parent not in out:
        out.append(parent)
    return out


def readers(generator: str) -> tuple[str, ...]:
    """The CLIP that was trained on a generator's own pictures, or on those of one that it comes of,
    by name, if one is here."""
    owned = {m.generator: m.name for m in reversed(catalog.installed()) if m.generator}
    return tuple(owned[name] for name in lineage(generator) if name in owned)[:1]


def kept(name: str, leave: Callable[[Path], object]) -> str:
    """Let a model be left in the user's models folder, whole or not at all; returns its name
    there, numbered if there is one of that name already."""
    place, tried = models_folder(), name
    taken = {folder.name for folder in STARTER_FOLDER.parent.iterdir()}
    number = 1
    while tried in taken or (place / tried).exists():
        number += 1
        tried = f"{name}-{number}"
    part = place / f".{tried}.{secrets.token_hex(4)}"
    try:
        leave(part)
        part.rename(place / tried)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return tried


def loaded(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Put weights into a network, in its own precision.

    Raises:
        LimnerError: UNKNOWN_MODEL if they are another network's.
    """
    try:
        network.load_state_dict(dict(tensors), strict=True)
    except RuntimeError as problem:
        reason = " ".join(str(problem).split())
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"Model {name!r} can't be loaded: {reason[:200]}",
            "Add it again from its file.",
        ) from problem


def whole(content: Mapping[str, Any], name: str, most: int) -> int:
    """A number of a config, from 1 to `most`.

    Raises:
        LimnerError: UNREADABLE if it is not there or out of bounds.
    """
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise LimnerError(
            ErrorCode.UNREADABLE, f"A network's config has {value!r:.40} for its {name}."
        )
    return value


def leave(
    folder: Path, kind: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor],
    card: Mapping[str, Any], whole: tuple[str, ...] = (), *, is_small: bool = False,
) -> Path:  # fmt: skip
    """A model's folder as `installed` finds it, its weights in half precision.

    Args:
        whole: beginnings of the names of tensors that stay as they are.
        is_small: whether large tensors are left in eight bits (`eight_bits`), for `frozen`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps({"kind": kind, **config}, indent=1), "utf-8")
    told = {k: asdict(v) if is_dataclass(v) and not isinstance(v, type) else v
            for k, v in card.items()}  # fmt: skip
    card_text = json.dumps({"kind": kind, **told}, indent=1, ensure_ascii=False)
    (folder / CARD).write_text(card_text, "utf-8")
    as_they_are = {k: v for k, v in tensors.items() if k.startswith(whole or ("\0",))}
    others = {k: v for k, v in tensors.items() if k not in as_they_are}
    if is_small:
        others = eight_bits.packed(others)
    halves = {k: v.half() for k, v in others.items() if v.is_floating_point()}
    left = as_they_are | others | halves
    save_file({k: v.cpu().contiguous() for k, v in left.items()}, folder / WEIGHTS)
    return folder / WEIGHTS
