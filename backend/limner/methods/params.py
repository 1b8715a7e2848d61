"""A method's settings: bounds, units and help beside each default, held in one dataclass.

A `Params` class is a frozen dataclass whose fields are `Annotated` with `Help`, `Range`, `Choice`
and the other notes below. From it come the checks here, the command line's options and every form.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from limner_wire.errors import ErrorCode, LimnerError


@dataclass(frozen=True, slots=True)
class Help:
    """What a setting does, for a person; `unit` is written behind the number."""

    text: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest value, both allowed."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The values allowed; for a tuple, the values that each entry may have."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Adjustable:
    """May change while the method runs; it is used from the next step on."""


@dataclass(frozen=True, slots=True)
class Essential:
    """What an artist reaches for; the other settings are folded away."""


@dataclass(frozen=True, slots=True)
class OfRole:
    """Says something only where a picture is given in that role; it is hidden where none is."""

    role: str


@dataclass(frozen=True, slots=True)
class Colour:
    """A text that names a colour, #rrggbb."""


@dataclass(frozen=True, slots=True)
class Names:
    """A text that names what lies on this machine, of one of `models.networks.KINDS`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Memory:
    """A whole number that takes memory in proportion: halved when the device has none left."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a `Params` class, as the forms need it."""

    name: str
    kind: Any
    default: Any
    help: Help
    range: Range | None
    choice: Choice | None
    adjustable: bool
    takes_memory: bool
    is_colour: bool
    is_essential: bool
    role: str  # of the picture that it belongs to; nothing for most
    names: str  # the kind of what it names; nothing for most


def settings(params: type[Any]) -> tuple[Setting, ...]:
    """The fields of a `Params` class in order."""
    hints = get_type_hints(params, include_extras=True)
    return tuple(_setting(f, hints[f.name]) for f in dataclasses.fields(params))


def _setting(field: dataclasses.Field[Any], hint: Any) -> Setting:
    kind, notes = hint, []
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
    one: dict[type[Any], Any] = {type(n): n for n in notes}
    return Setting(
        field.name, kind, field.default, one.get(Help, Help("")), one.get(Range),
        one.get(Choice), Adjustable in one, Memory in one, Colour in one, Essential in one,
        one[OfRole].role if OfRole in one else "", one[Names].kind if Names in one else "",
    )  # fmt: skip


def check(params: Any) -> None:
    """Hold every field to its bounds.

    Raises:
        LimnerError: BAD_INPUT, naming the first setting that is out of bounds and the bounds.
    """
    for setting in settings(type(params)):
        value = getattr(params, setting.name)
        if setting.range is not None and value is not None:
            _check_range(setting, setting.range, value)
        if setting.choice is not None:
            for entry in value if isinstance(value, tuple) else (value,):
                if entry not in setting.choice.values:
                    allowed = ", ".join(setting.choice.values)
                    raise bad(setting, f"can't be {entry!r}; it can be {allowed}.")


def _check_range(setting: Setting, bounds: Range, value: Any) -> None:
    low, high = bounds.low, bounds.high
    for number in value if isinstance(value, tuple) else (value,):
        if not math.isfinite(number) or not low <= number <= high:
            unit = f" {setting.help.unit}" if setting.help.unit else ""
            raise bad(setting, f"must lie between {low:g} and {high:g}{unit}, not {number:g}.")


def bad(setting: Setting, reason: str) -> LimnerError:
    """The error for a setting that makes no sense."""
    return LimnerError(ErrorCode.BAD_INPUT, f"{setting.name.replace('_', ' ')} {reason}")
