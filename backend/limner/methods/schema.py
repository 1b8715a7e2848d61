"""A method's settings as JSON Schema, from which every form is made, and back from JSON.

The schema is what JSON Schema 2020-12 calls one, with five words of our own on a property:
"x-unit", "x-adjustable" (may change while it runs), "x-order", "x-essential" (shown at first; the
others are folded away) and "x-role" (shown only where a picture is given in that role). Where a
text names a network, "examples" are those that are on this machine.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from limner.methods.base import Method
from limner.methods.params import Setting, bad, check, settings
from limner.models.networks import installed
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
P = TypeVar("P")


def schema(params: type[Any], usual: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """The JSON Schema of a `Params` class.

    Args:
        usual: what stands in for some of its defaults.
    """
    rows = settings(params)
    needed = [s.name for s in rows if s.default is dataclasses.MISSING]
    forms = {s.name: _property(s, order) for order, s in enumerate(rows)}
    return {
        "type": "object",
        "properties": {
            n: f | ({"default": usual[n]} if n in usual else {}) for n, f in forms.items()
        },
        "required": needed,
        "additionalProperties": False,
    }


def _property(setting: Setting, order: int) -> dict[str, Any]:
    kind, is_list = _kind(setting)
    out: dict[str, Any] = {"type": TYPES[kind]}
    if setting.range is not None:
        out |= {"minimum": setting.range.low, "maximum": setting.range.high}
    if setting.choice is not None:
        out["enum"] = list(setting.choice.values)
    if setting.is_colour:
        out["format"] = "color"
    if kind is str:
        out["maxLength"] = limits.PROMPT_CHARS
    if is_list:
        out = {"type": "array", "items": out, "maxItems": limits.LIST_ITEMS}
    if setting.default is not dataclasses.MISSING and setting.default is not None:
        value = setting.default
        out["default"] = list(value) if isinstance(value, tuple) else value
    out |= {"description": setting.help.text, "x-order": order}
    if setting.help.unit:
        out["x-unit"] = setting.help.unit
    if setting.adjustable:
        out["x-adjustable"] = True
    if setting.is_essential:
        out["x-essential"] = True
    if setting.role:
        out["x-role"] = setting.role
    if setting.names:
        out["examples"] = [network.name for network in installed(setting.names)]
    return out


def read(params: type[P], given: dict[str, Any]) -> P:
    """Settings from JSON, checked.

    Raises:
        LimnerError: BAD_INPUT for a setting that there is not, that is of another kind, missing,
            or out of bounds.
    """
    known = {s.name: s for s in settings(params)}
    if strange := sorted(set(given) - set(known)):
        raise LimnerError(ErrorCode.BAD_INPUT, f"There is no setting {strange[0][:40]!r}.")
    missing = [n for n, s in known.items() if s.default is dataclasses.MISSING and n not in given]
    if missing:
        raise LimnerError(ErrorCode.BAD_INPUT, f"The setting {missing[0]!r} is missing.")
    out = params(**{name: _value(known[name], value) for name, value in given.items()})
    check(out)
    return out


def of_recipe(method: Method[P, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What a model recommends for a method's settings: under a setting's name for all methods,
    under METHOD.SETTING for one."""
    named = {s.name: (f"{method.name}.{s.name}", s.name) for s in settings(method.params)}
    found = {name: next((k for k in keys if k in recipe), None) for name, keys in named.items()}
    return {name: recipe[key] for name, key in found.items() if key is not None}


def with_recipe(method: Method[P, Any], recipe: Mapping[str, Any], given: dict[str, Any]) -> P:
    """The settings as `read`, with a model's recipe where the artist said nothing."""
    out: P = read(method.params, of_recipe(method, recipe) | given)
    return out


def adjusted(params: P, given: dict[str, Any]) -> P:
    """The settings with some changed while a method runs.

    Raises:
        LimnerError: BAD_INPUT as `read`, and for a setting that can't change any more.
    """
    for setting in settings(type(params)):
        if setting.name in given and not setting.adjustable:
            raise bad(setting, "can't change while it runs.")
    now = {s.name: getattr(params, s.name) for s in settings(type(params))}
    return read(type(params), now | given)


def halved(params: Any) -> dict[str, Any]:
    """The settings that take memory, at half of what they are; nothing if none can be halved."""
    return {
        s.name: value // 2
        for s in settings(type(params))
        if s.takes_memory and (value := getattr(params, s.name)) > 1
    }


def _value(setting: Setting, value: Any) -> Any:
    kind, is_list = _kind(setting)
    if value is None and setting.default is None:
        return None
    if is_list:
        if not isinstance(value, list | tuple) or len(value) > limits.LIST_ITEMS:
            raise bad(setting, f"must be a list of at most {limits.LIST_ITEMS}.")
        return tuple(_one(setting, kind, v) for v in value)
    return _one(setting, kind, value)


def _one(setting: Setting, kind: type[Any], value: Any) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    if kind is int and isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)  # what a browser's form makes of a whole number
    if type(value) is not kind:
        raise bad(setting, f"must be of the kind {TYPES[kind]}.")
    if kind is str and len(value) > limits.PROMPT_CHARS:
        raise bad(setting, f"may have {limits.PROMPT_CHARS} characters.")
    return value


def _kind(setting: Setting) -> tuple[type[Any], bool]:
    """A setting's kind, and whether it is a list of them."""
    kind: Any = setting.kind
    if get_origin(kind) is UnionType:
        kind = next(k for k in get_args(kind) if k is not NoneType)
    if get_origin(kind) is tuple:
        return get_args(kind)[0], True
    return kind, False
