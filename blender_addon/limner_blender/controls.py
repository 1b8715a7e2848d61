"""The property that fits a setting's JSON Schema. It stores nothing: it shows, and tells.

A property shows what it is told to show, so that a setting that nobody touched shows what will be
used; what the artist does to it is handed on (`kept` keeps it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from limner_front import words
from limner_wire.limits import INT_MAX

from . import kept

INT32_MAX = 2**31 - 1  # Blender's whole numbers end here; what is kept may be longer
FLOAT_MAX = 1e6
SLIDER_MIDDLE = 0.4  # where on a slider the default lies, if its range is long
DIGITS = 7  # that Blender's numbers hold: 0.1, not 0.10000000149
PIXELS = "px"
CONTROLS = 32  # toggles that one property can have

Shown = Callable[[bpy.types.Scene], Any]
Keep = Callable[[bpy.types.Scene, Any], None]


def property_for(name: str, spec: kept.Spec, shown: Shown, keep: Keep) -> Any:
    """A property for a setting that is no list with rows.

    Args:
        shown: the value to be shown; None if there is none.
        keep: takes what the artist sets.
    """
    make = {
        "array": _some_of, "boolean": _on_off, "string": _text, "integer": _whole,
        "number": _number,
    }[spec["type"]]  # fmt: skip
    make = _one_of if "enum" in spec else make
    common = {"name": words.label(name), "description": _help(spec), "options": set()}
    return make(common, spec, shown, keep)


def is_slider(spec: kept.Spec) -> bool:
    """Whether it has a slider: it may change while it draws, and its range has two ends."""
    return bool(spec.get("x-adjustable")) and "minimum" in spec and "maximum" in spec


def _on_off(common: Any, spec: kept.Spec, shown: Shown, keep: Keep) -> Any:
    return BoolProperty(
        **common,
        get=lambda self: bool(shown(self.id_data)),
        set=lambda self, new: keep(self.id_data, new),
    )


def _text(common: Any, spec: kept.Spec, shown: Shown, keep: Keep) -> Any:
    names = [str(name) for name in spec.get("examples", ())]
    if names:  # it may be one of these: they are offered, others can be typed
        common = common | {
            "search": lambda self, context, typed: [n for n in names if typed.lower() in n.lower()],
            "search_options": {"SUGGESTION"},
        }
    return StringProperty(
        **common,
        get=lambda self: shown(self.id_data) or "",
        set=lambda self, new: keep(self.id_data, new.strip() or None),
    )


def _whole(common: Any, spec: kept.Spec, shown: Shown, keep: Keep) -> Any:
    low, high, soft = (int(edge) for edge in _bounds(spec, INT32_MAX))
    return IntProperty(
        **common, min=low, max=high, soft_min=low, soft_max=soft, subtype=_subtype(spec),
        get=lambda self: int(_within(shown(self.id_data), low, high)),
        set=lambda self, new: keep(self.id_data, new),
    )  # fmt: skip


def _number(common: Any, spec: kept.Spec, shown: Shown, keep: Keep) -> Any:
    low, high, soft = (float(edge) for edge in _bounds(spec, FLOAT_MAX))
    return FloatProperty(
        **common, min=low, max=high, soft_min=low, soft_max=soft, subtype=_subtype(spec),
        precision=2, step=5,
        get=lambda self: float(_within(shown(self.id_data), low, high)),
        set=lambda self, new: keep(self.id_data, float(f"{new:.{DIGITS}g}")),
    )  # fmt: skip


def _one_of(common: Any, spec: kept.Spec, shown: Shown, keep: Keep) -> Any:
    choices = list(spec["enum"])

    def get(self: Any) -> int:
        value = shown(self.id_data)
        return choices.index(value) if value in choices else 0

    return EnumProperty(
        **common,
        items=[(str(choice), words.label(str(choice)), "") for choice in choices],
        get=get,
        set=lambda self, at: keep(self.id_data, choices[at]),
    )


def _some_of(common: Any, spec: kept.Spec, shown: Shown, keep: Keep) -> Any:
    choices = list(spec["items"]["enum"])[:CONTROLS]

    def get(self: Any) -> int:
        value = shown(self.id_data) or ()
        return sum(1 << at for at, choice in enumerate(choices) if choice in value)

    def set_(self: Any, bits: int) -> None:
        keep(self.id_data, [choice for at, choice in enumerate(choices) if bits >> at & 1])

    items = [(c, words.label(c), "", "NONE", 1 << at) for at, c in enumerate(choices)]
    return EnumProperty(**common | {"options": {"ENUM_FLAG"}}, items=items, get=get, set=set_)


def _bounds(spec: kept.Spec, most: float) -> tuple[float, float, float]:
    """The least, the greatest, and where a slider ends; more can still be typed."""
    low = max(-most, spec.get("minimum", -INT_MAX))
    high = min(most, spec.get("maximum", INT_MAX))
    usual = spec.get("default") or 0
    is_long = is_slider(spec) and 0 < usual < SLIDER_MIDDLE * high / 2
    return low, high, usual / SLIDER_MIDDLE if is_long else high


def _within(value: Any, low: float, high: float) -> float:
    return low if value is None else max(low, min(high, value))


def _subtype(spec: kept.Spec) -> str:
    return "PIXEL" if spec.get("x-unit") == PIXELS else "NONE"


def _help(spec: kept.Spec) -> str:
    text = str(spec.get("description", ""))
    return text[:1].upper() + text[1:]
