"""Settings that are lists: a row each, which the artist adds and takes away.

All rows of all lists lie in one collection of the scene; a row's key says to which list it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy

from limner_front.i18n import _

from . import kept

BLACK = "#000000"


def is_list(spec: kept.Spec) -> bool:
    """Whether a setting is a list with rows; one of a few words has toggles instead."""
    return spec["type"] == "array" and "enum" not in spec["items"]


def is_colour(spec: kept.Spec) -> bool:
    """Whether it is a list of colours."""
    return bool(spec["items"].get("format") == "color")


def of(scene: bpy.types.Scene, key: str) -> list[Any]:
    """The rows of a list, the first first."""
    return [row for row in scene.limner.rows if row.key == key]


def read(scene: bpy.types.Scene, key: str, spec: kept.Spec) -> list[Any]:
    """What the rows say; those that are empty say nothing. What is no number stays a text."""
    rows = of(scene, key)
    if is_colour(spec):
        return [_to_hex(row.colour) for row in rows]
    return [_entry(spec["items"], text) for row in rows if (text := row.text.strip())]


def write(scene: bpy.types.Scene, key: str, spec: kept.Spec, entries: Iterable[Any]) -> None:
    """Show these entries and no others."""
    for at in reversed(range(len(of(scene, key)))):
        remove(scene, key, at)
    for entry in entries:
        add(scene, key, spec, entry)


def add(scene: bpy.types.Scene, key: str, spec: kept.Spec, entry: Any = None) -> None:
    """One more row; empty, or with an entry. The first colour is black."""
    row = scene.limner.rows.add()
    if is_colour(spec):
        row.colour = _from_hex(entry or BLACK)
    elif entry is not None:
        row.text = str(entry)
    row.key = key  # last: what is written before is no change by the artist


def remove(scene: bpy.types.Scene, key: str, index: int) -> None:
    """Take a row away, counted from 0."""
    places = [at for at, row in enumerate(scene.limner.rows) if row.key == key]
    if 0 <= index < len(places):
        scene.limner.rows.remove(places[index])


def problem(scene: bpy.types.Scene, key: str, spec: kept.Spec) -> str:
    """What is wrong with a row, in words; nothing if all are well."""
    one, entries = spec["items"], read(scene, key, spec)
    if all(kept.fits(one, entry) for entry in entries):
        return ""
    if one["type"] == "string":
        return _("At most {n} letters.", n=one.get("maxLength"))
    low, high = one.get("minimum"), one.get("maximum")
    if low is not None and high is not None:
        return _("A number from {low} to {high}.", low=f"{low:g}", high=f"{high:g}")
    return _("A whole number.") if one["type"] == "integer" else _("A number.")


def _entry(spec: kept.Spec, text: str) -> Any:
    if spec["type"] == "string":
        return text
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(number) if spec["type"] == "integer" and number.is_integer() else number


def _to_hex(colour: Iterable[float]) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in colour)


def _from_hex(text: str) -> list[float]:
    return [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
