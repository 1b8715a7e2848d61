"""Text of more than one line: Blender's labels do not wrap."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import blf
import bpy

FONT = 0  # the one of the interface
EDGE_PX = 58  # beside a text in a sidebar: its edges, and the tabs; at a scale of 1
ICON_PX = 22
PAD_PX = 14  # inside of a label
TIGHT = 0.75  # of a label's height: lines of one text stand together


def paragraph(
    layout: bpy.types.UILayout, text: str, width_px: float, *, icon: str = "NONE",
    alert: bool = False,
) -> None:  # fmt: skip
    """Show a text that is as wide as a region, in as many lines as it needs.

    Args:
        width_px: of the region.
        icon: before its first line.
        alert: whether it says that something is wrong.
    """
    scale = bpy.context.preferences.system.ui_scale
    room = width_px - scale * (EDGE_PX + (ICON_PX if icon != "NONE" else 0))
    column = layout.column(align=True)
    column.alert = alert
    column.scale_y = TIGHT
    for at, line in enumerate(lines(text, room, _points() * scale)):
        shown = "NONE" if icon == "NONE" else "BLANK1" if at else icon
        column.label(text=line, icon=shown, translate=False)


def letters(letter: str, width_px: float, share: float) -> int:
    """How many such letters fit into a share of a region's width; at least 1."""
    scale = bpy.context.preferences.system.ui_scale
    room = (width_px - scale * EDGE_PX) * share - scale * PAD_PX
    blf.size(FONT, _points() * scale)
    return max(1, int(room / max(1.0, _width(letter))))


@lru_cache(maxsize=256)
def lines(text: str, room_px: float, size_px: float) -> tuple[str, ...]:
    """The text's lines; a word that is longer than a line is broken."""
    blf.size(FONT, size_px)
    return tuple(line for part in text.split("\n") for line in _wrapped(part, room_px))


def _wrapped(text: str, room_px: float) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if _width(longer) <= room_px:
            line = longer
            continue
        if line:
            yield line
        *full, line = _broken(word, room_px)
        yield from full
    yield line


def _broken(word: str, room_px: float) -> list[str]:
    parts = [""]
    for letter in word:
        if parts[-1] and _width(parts[-1] + letter) > room_px:
            parts.append("")
        parts[-1] += letter
    return parts


def _width(text: str) -> float:
    return float(blf.dimensions(FONT, text)[0])


def _points() -> float:
    styles: Any = bpy.context.preferences.ui_styles
    return float(styles[0].widget.points) if len(styles) else 11.0
