"""What the artist has set in the methods' forms, as one text that is saved in the .blend.

Only what was touched is in it, as JSON {method: {setting: value}}: so whole numbers of any length
stay exact, a choice stays what it is called, and what a newer backend offers needs no new property.
Not a word of bpy.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from limner_wire.limits import INT_MAX

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,), "integer": (int,), "number": (int, float), "string": (str,),
}  # fmt: skip

Spec = Mapping[str, Any]  # a property of a JSON Schema


@lru_cache(maxsize=8)
def read(text: str) -> Mapping[str, Mapping[str, Any]]:
    """All that is kept, not to be changed; nothing if the text is none of ours."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    rows = found.items() if isinstance(found, dict) else ()
    return {method: values for method, values in rows if isinstance(values, dict)}


def changed(text: str, method: str, name: str, value: Any) -> str:
    """The text with one setting changed; None takes it out."""
    values = dict(read(text).get(method, {}))
    values.pop(name, None)
    if value is not None:
        values[name] = value
    return replaced(text, method, values)


def replaced(text: str, method: str, values: Mapping[str, Any]) -> str:
    """The text with other settings of a method."""
    return json.dumps({**read(text), method: dict(values)}, ensure_ascii=False)


def fits(spec: Spec, value: Any) -> bool:
    """Whether a value is one that the schema allows."""
    if spec["type"] == "array":
        return (
            isinstance(value, list | tuple)
            and len(value) <= spec.get("maxItems", len(value))
            and all(fits(spec["items"], entry) for entry in value)
        )
    if not isinstance(value, TYPES[spec["type"]]) or (
        isinstance(value, bool) and spec["type"] != "boolean"
    ):
        return False
    if isinstance(value, str):
        if spec.get("format") == "color" and not COLOUR.fullmatch(value):
            return False
        return len(value) <= spec.get("maxLength", len(value)) and _is_choice(spec, value)
    return isinstance(value, bool) or (_is_within(spec, value) and _is_choice(spec, value))


def _is_choice(spec: Spec, value: Any) -> bool:
    return "enum" not in spec or value in spec["enum"]


def _is_within(spec: Spec, value: float) -> bool:
    low, high = spec.get("minimum", -INT_MAX), spec.get("maximum", INT_MAX)
    return math.isfinite(value) and bool(low <= value <= high)
