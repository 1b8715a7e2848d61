"""Where the user's models are put: each in a folder of its own, whole or not at all."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limner.models.catalog import STARTER, STARTER_FOLDER, VGG16, WEIGHTS, models_folder
from limner.models.loading import sha256
from limner.models.networks import NAME
from limner_wire.errors import ErrorCode, LimnerError


def check_name(name: str) -> None:
    """Pass if a model can be called so.

    Raises:
        LimnerError: BAD_INPUT if it is no name, or the starter's.
    """
    taken = name in (STARTER, VGG16.name) or (STARTER_FOLDER.parent / name).exists()
    if taken or not NAME.fullmatch(name):
        raise LimnerError(ErrorCode.BAD_INPUT, f"{name!r} can't be a model's name.", "Use --name.")


def is_taken(name: str) -> bool:
    """Whether there is a model of that name."""
    return (models_folder() / name).exists()


def refuse_taken(name: str) -> None:
    """Pass if there is no model of that name.

    Raises:
        LimnerError: BAD_INPUT if there is.
    """
    if is_taken(name):
        raise LimnerError(
            ErrorCode.BAD_INPUT, f"There is a model {name!r} already.", "Give another --name."
        )


@contextmanager
def new_folder(name: str, facts: Mapping[str, Any], *, instead: bool = False) -> Iterator[Path]:
    """A model's new folder, to be filled; it is there with its card at the end, or not at all.

    Args:
        facts: for its card.
        instead: of the model that has that name, which is there until then.

    Raises:
        LimnerError: BAD_INPUT if there is a model of that name, and this is not instead of it.
    """
    if not instead:
        refuse_taken(name)
    target = models_folder() / name
    part, old = (models_folder() / f".{name}.{secrets.token_hex(4)}" for _ in range(2))
    part.mkdir(parents=True)
    try:
        yield part
        card = {"name": name, **facts, "sha256": sha256(part / WEIGHTS[0])}
        (part / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
        if instead:
            target.rename(old)
        part.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)
