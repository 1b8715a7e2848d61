"""Putting models on this machine: fetched by name when the user asks, or added from a file.

Whatever comes in is read by the one audited reader (`models.loading`), tried in the network it is
said to be for, and kept as safetensors with a card that says where it came from, under which
licence, and with which hash.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import open_clip
from open_clip.convert import convert_state_dict
from safetensors.torch import save_file

from limner.models import (
    conv_tower,  # noqa: F401  (a folder may hold a tower of ours)
    eight_bits,
    networks,
)
from limner.models.catalog import (
    CONFIG,
    VGG16,
    WEIGHTS,
    WORDS,
    Pipeline,
    Published,
    models_folder,
    published,
)
from limner.models.checkpoints import Found, UnknownKind
from limner.models.checkpoints import read as read_checkpoint
from limner.models.checkpoints.own import own
from limner.models.clip import quietly, unpacked
from limner.models.hub import fetched
from limner.models.loading import read_json, read_weights
from limner.models.places import check_name, new_folder, refuse_taken
from limner.models.vgg import convolutions, network
from limner_wire.errors import ErrorCode, LimnerError

PIPELINE = "model_index.json"  # of a folder in diffusers' layout


def resolve(name: str) -> Published | Pipeline:
    """What a name stands for, before anything is fetched.

    Args:
        name: one from the catalogue, or `hf-hub:OWNER/REPOSITORY` for any open_clip repository.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that name.
    """
    if (known := published(name)) is not None:
        return known
    if not re.fullmatch(r"hf-hub:[\w.-]+/[\w.-]+", name):
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"{name!r} is not in the catalogue.",
            "`limner models list` shows it; hf-hub:OWNER/NAME fetches any open_clip repository.",
        )
    repository = name.removeprefix("hf-hub:")
    return Published(repository.split("/")[1], repository, "as its page says", 0, 2, "")


def pull(model: Published) -> Path:
    """Fetch a model into the user's models folder; returns its folder there.

    Raises:
        LimnerError: UNKNOWN_MODEL if it can't be reached; what `keep` raises.
    """
    if model == VGG16:
        return keep_vgg(fetched(model.repository, WEIGHTS[0]), asdict(model))
    config = read_json(fetched(model.repository, CONFIG))
    weights = fetched(model.repository, *WEIGHTS[1:])
    return keep(model.name, config, weights, asdict(model))


def add(
    path: Path, name: str | None, architecture: str | None,
    say: Callable[[str], None] = lambda line: None,
) -> Path:  # fmt: skip
    """Add a model from a folder in open_clip's layout, Limner's own or diffusers', or from a file.

    Args:
        path: the folder or file.
        name: what to call it; the file's or folder's own name if None.
        architecture: open_clip's name for the network, which a CLIP's weights do not tell; or
            "vgg16". Without it the file is looked into: generators and what belongs to them tell
            what they are.
        say: told what became of the parts of a folder that has many.

    Raises:
        LimnerError: BAD_INPUT if the architecture is missing or unknown; what `keep`, `keep_found`
            and `pipelines.add` raise.
    """
    if (path / PIPELINE).is_file():
        from limner.models import pipelines

        return pipelines.add(path, name or path.name, {"added": path.name}, say)
    if architecture == VGG16.name:
        return keep_vgg(path, {"licence": VGG16.licence, "note": VGG16.note, "added": path.name})
    if (path / networks.CONFIG).is_file() and not (path / CONFIG).is_file():
        return keep_found(name or path.name, _own(path), {"added": path.name})
    if path.is_dir():
        weights = next((path / w for w in WEIGHTS if (path / w).is_file()), None)
        if weights is None or not (path / CONFIG).is_file():
            raise LimnerError(
                ErrorCode.UNREADABLE,
                f"{path.name} is no model folder.",
                f"It needs {CONFIG} and {WEIGHTS[0]}.",
            )
        card = path / "card.json"
        known = read_json(card) if card.is_file() else {}
        facts = {k: known[k] for k in ("licence", "recipe") if k in known} | {"added": path.name}
        return keep(name or path.name, read_json(path / CONFIG), weights, facts, path / WORDS)
    if architecture is None:
        with suppress(UnknownKind):
            return keep_found(name or path.stem, read_checkpoint(path), {"added": path.name})
    settings = open_clip.get_model_config(architecture) if architecture else None
    if settings is None:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            f"{path.name} does not tell what it is: a CLIP's weights need --arch, open_clip's name "
            f"for the network, not {architecture}.",
            "For example: --arch ViT-B-32; or --arch vgg16, for style pictures.",
        )
    config = {"model_cfg": settings, "preprocess_cfg": {}}
    return keep(name or path.stem, config, path, {"added": path.name, "arch": architecture})


def keep(
    name: str,
    config: dict[str, Any],
    weights: Path,
    facts: dict[str, Any],
    words: Path | None = None,
) -> Path:
    """Put a model that loads into the models folder, whole or not at all.

    Args:
        facts: for its card.
        words: the list of those that it knows, if there is such a file.

    Raises:
        LimnerError: UNREADABLE or UNSAFE_FILE from the reader; UNKNOWN_MODEL if the weights are
            not those of the network; BAD_INPUT if the name is taken or no name.
    """
    check_name(name)
    with new_folder(name, facts) as part:
        tensors = read_weights(weights)
        (part / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")
        save_file(_fitted(part, tensors), part / WEIGHTS[0], {"format": "pt"})
        if words is not None and words.is_file():
            shutil.copy(words, part / WORDS)
    return models_folder() / name


def keep_found(name: str, found: Found, facts: dict[str, Any]) -> Path:
    """Put a network of `models.checkpoints`, and what its file holds besides, into the models
    folder; returns its folder there.

    Args:
        facts: for its card.

    Raises:
        LimnerError: BAD_INPUT if a name is taken or no name.
    """
    beside = {part: f"{name}-{part}" for part in found.beside}
    for each in (name, *beside.values()):
        check_name(each)
        refuse_taken(each)
    for part, own_name in beside.items():
        keep_found(own_name, found.beside[part], facts)
    licence = {"licence": "as its source says"}
    whole = {"kind": found.kind, **licence, **found.facts, **beside, **facts}
    with new_folder(name, whole) as part_folder:
        config = {"kind": found.kind, **found.config}
        text = json.dumps(config, indent=1)
        (part_folder / networks.CONFIG).write_text(text, encoding="utf-8")
        save_file(dict(found.tensors), part_folder / networks.WEIGHTS, {"format": "pt"})
    return models_folder() / name


def _own(folder: Path) -> Found:
    """What a folder in Limner's own layout holds."""
    network = networks.at(folder)
    if network is None:
        raise LimnerError(
            ErrorCode.UNREADABLE,
            f"{folder.name} is no model folder.",
            f"It needs {networks.CONFIG}, which tells a kind, and {networks.WEIGHTS}.",
        )
    facts = {k: v for k, v in network.card.items() if k not in ("name", "kind", "sha256")}
    config = {k: v for k, v in network.config.items() if k != "kind"}
    tensors = eight_bits.unpacked(read_weights(network.weights))
    return own(network.kind, config, tensors, facts)


def keep_vgg(weights: Path, facts: dict[str, Any]) -> Path:
    """Put VGG16's convolutions into the models folder, where the style methods find them.

    Raises:
        LimnerError: UNREADABLE or UNSAFE_FILE from the reader; UNKNOWN_MODEL if it is not VGG16;
            BAD_INPUT if it is there already.
    """
    with new_folder(VGG16.name, facts) as part:
        tensors = convolutions(read_weights(weights))
        network(tensors)
        save_file(tensors, part / WEIGHTS[0], {"format": "pt"})
    return models_folder() / VGG16.name


def _fitted(folder: Path, tensors: dict[str, Any]) -> dict[str, Any]:
    """The tensors under the network's own names, in the precision they came in."""
    try:
        with quietly():
            network = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
        tensors = convert_state_dict(network, tensors)
        network.load_state_dict(unpacked(tensors, network), strict=True)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as problem:
        reason = " ".join(str(problem).split())
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"These are not the weights of that network: {reason[:240]}",
            "Check --arch: it is one of open_clip.list_models().",
        ) from problem
    return {k: v.contiguous() for k, v in tensors.items()}
