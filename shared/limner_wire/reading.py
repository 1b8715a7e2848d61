"""What a message is, and how it is read: strictly, by the annotations of its dataclass.

`parse` turns a decoded object into its dataclass: it checks kinds and bounds and ignores fields
that it does not know, so that a newer peer may say more.
"""

from __future__ import annotations

import math
import re
import typing
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar

from limner_wire.errors import WireError


@dataclass(frozen=True)
class Most:
    """The longest a text or a list may be, and the shortest."""

    length: int
    least: int = 0


@dataclass(frozen=True)
class Within:
    """The least and the greatest a number may be."""

    low: float
    high: float


@dataclass(frozen=True)
class Like:
    """What a text must look like, from its first character to its last."""

    pattern: str


class Message:
    """What all messages share: the name that they go by on the wire."""

    t: ClassVar[str]

    def json(self) -> dict[str, Any]:
        """The message as a JSON object; what has its default is left out."""
        out: dict[str, Any] = {"t": self.t}
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            default = f.default if f.default_factory is MISSING else f.default_factory()
            if value != default:
                out[f.name] = list(value) if isinstance(value, tuple) else value
        return out


M = TypeVar("M", bound=Message)


class UnknownType(WireError):
    """A message of a kind that this side does not know: a newer peer may send some."""


def parse(value: dict[str, Any], kinds: tuple[type[Message], ...]) -> Message:
    """The message that a JSON object is.

    Args:
        value: from `frames.decode_text`, or the header from `frames.decode`.
        kinds: the messages that may come here.

    Raises:
        UnknownType: if it is none of them.
        WireError: if a field is missing, of another kind, or out of bounds.
    """
    kind = next((k for k in kinds if k.t == value.get("t")), None)
    if kind is None:
        raise UnknownType(f"there is no message {str(value.get('t'))[:40]!r} in this direction")
    return read(value, kind)


def read(value: dict[str, Any], kind: type[M]) -> M:
    """As `parse`, when it is known what has come.

    Raises:
        WireError: if a field is missing, of another kind, or out of bounds.
    """
    given: dict[str, Any] = {}
    for name, hint, needed in _fields(kind):  # type: ignore[arg-type]
        if name in value:
            given[name] = _read(value[name], hint, f"{kind.t}.{name}")
        elif needed:
            raise WireError(f"{kind.t} lacks {name}")
    return kind(**given)


@cache
def _fields(kind: type[Message]) -> tuple[tuple[str, Any, bool], ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(
        (f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING)
        for f in fields(kind)  # type: ignore[arg-type]
    )


def _read(value: Any, hint: Any, where: str) -> Any:
    """The value as its annotation asks for it.

    Raises:
        WireError: if it is not like that.
    """
    bounds: tuple[Any, ...] = ()
    while typing.get_origin(hint) is Annotated:
        hint, *more = typing.get_args(hint)
        bounds += tuple(more)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise WireError(f"{where} is no list")
        _hold(value, bounds, where)
        item = typing.get_args(hint)[0]
        return tuple(_read(v, item, where) for v in value)
    kind = origin or hint
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise WireError(f"{where} is no {kind.__name__}")
    _hold(value, bounds, where)
    return value


def _hold(value: Any, bounds: tuple[Any, ...], where: str) -> None:
    for bound in bounds:
        if isinstance(bound, Most) and not bound.least <= len(value) <= bound.length:
            raise WireError(f"{where} is not {bound.least} to {bound.length} long")
        if isinstance(bound, Within) and not bound.low <= value <= bound.high:
            raise WireError(f"{where} is not within {bound.low:g} and {bound.high:g}")
        if isinstance(bound, Like) and not re.fullmatch(bound.pattern, value):
            raise WireError(f"{where} is not like {bound.pattern[:60]}")
