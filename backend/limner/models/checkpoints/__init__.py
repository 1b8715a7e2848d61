"""Checkpoints that people have, told apart by what they hold and brought into one layout.

`read` opens a file with `models.archives`, in which no code of a file can run, and gives what it
found: tensors by Limner's names, a config inferred from their shapes, and facts for a card.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limner.models.archives import UnknownKind, opened
from limner.models.arrays import is_array, tensors
from limner.models.checkpoints.edits import (
    from_mapper,
    from_rows,
    from_style_pickle,
    is_rows,
    is_style_pickle,
    rows_of,
)
from limner.models.checkpoints.faces import from_arcface, from_encoder
from limner.models.checkpoints.found import Found
from limner.models.checkpoints.generators import from_rosinality, generator
from limner.models.checkpoints.modules import from_module, from_network, is_module, is_network

__all__ = ["Found", "UnknownKind", "read", "rows_of"]


def read(path: Path) -> Found:
    """What a file holds.

    Raises:
        LimnerError: UNREADABLE if it can't be read, `UnknownKind` if nothing in it is known;
            UNSAFE_FILE if it asks for something that weights have no need of; UNKNOWN_MODEL if it
            seems to be something that it is not.
    """
    with opened(path) as content:
        found = recognized(content)
        if found is None:
            raise UnknownKind(path.name)
        return found


def recognized(content: Any) -> Found | None:
    """What a file's content is, if it is known."""
    if is_module(content):
        return from_module(content)
    if isinstance(content, list | tuple) and content and all(map(is_network, content)):
        return from_network(content[-1])  # the generator, the discriminator, the generator's mean
    if isinstance(content, dict):
        return _from_table(content)
    if is_style_pickle(content):
        return from_style_pickle(content)
    return from_rows(content) if is_rows(content) else None


def _from_table(content: Mapping[str, Any]) -> Found | None:
    for name in ("G_ema", "g_ema", "G", "g"):
        if name in content:
            inner = content[name]
            return from_module(inner) if is_module(inner) else _rosinality(inner, content)
    state = content.get("state_dict")
    if isinstance(state, dict):
        return _from_project(state, content)
    names = {name for name in content if isinstance(name, str)}
    if "blocks.4.conv1.weight" in names:
        return generator(tensors(content), "limner")
    if "input.input" in names and "conv1.conv.weight" in names:
        return from_rosinality(content)
    if "input_layer.0.weight" in names and "output_layer.3.weight" in names:
        return from_arcface(content)
    if len(content) == 1 and is_array(next(iter(content.values()))):
        return from_rows(next(iter(content.values())))  # {"latent": …}
    return None


def _rosinality(inner: Any, content: Mapping[str, Any]) -> Found | None:
    known = isinstance(inner, dict) and "input.input" in inner
    return from_rosinality(inner, content.get("latent_avg")) if known else None


def _from_project(state: Mapping[str, Any], content: Mapping[str, Any]) -> Found | None:
    """pSp, e4e and StyleCLIP's mappers: parts of one table, told apart by what their names begin
    with, and the generator that they were trained with beside them."""
    settings = content.get("opts")
    settings = settings if isinstance(settings, dict) else {}
    decoder, mean = _part(state, "decoder."), content.get("latent_avg")
    beside = from_rosinality(decoder, mean) if "input.input" in decoder else None
    if mapper := _part(state, "mapper."):
        return from_mapper(mapper, beside)
    if encoder := _part(state, "encoder."):
        return from_encoder(encoder, mean, settings, beside)
    inner = {str(name).removeprefix("module."): value for name, value in state.items()}
    return _from_table({**inner, **({} if mean is None else {"latent_avg": mean})})


def _part(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if isinstance(name, str) and name.startswith(prefix)
    }
