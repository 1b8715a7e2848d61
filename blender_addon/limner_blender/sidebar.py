"""What the panels of the sidebar share: where they stand, how they speak, that they never fail."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any, ClassVar

import bpy

from limner_front.i18n import _

from .paragraphs import paragraph
from .prefs import CONTEXT, speak
from .studio import Studio, studio

CATEGORY = "Limner"
NARROW_PX = 250  # if the region does not say

Context = bpy.types.Context
Layout = bpy.types.UILayout


class Panel:
    """What all panels share."""

    bl_region_type, bl_category, bl_translation_context = "UI", CATEGORY, CONTEXT
    bl_options: ClassVar[set[str]] = set()


def careful(draw: Callable[[Any, Context, Studio], None]) -> Callable[[Any, Context], None]:
    """A panel that can't be shown says so in its place: an exception would leave it empty."""

    @functools.wraps(draw)
    def shown(self: Any, context: Context) -> None:
        found = studio()
        try:
            if found is not None:
                speak()
                draw(self, context, found)
        except Exception as problem:
            traceback.print_exc()
            said = _("This can’t be shown: {reason}", reason=str(problem))
            paragraph(self.layout, said, NARROW_PX, icon="ERROR", alert=True)

    return shown


def say(
    layout: Layout, context: Context, text: str, icon: str = "NONE", *, alert: bool = False
) -> None:
    """A text, in as many lines as it needs."""
    paragraph(layout, text, width_px(context), icon=icon, alert=alert)


def width_px(context: Context) -> int:
    """Of the sidebar."""
    return context.region.width if context.region else NARROW_PX


def button(layout: Layout, name: str, text: str, icon: str = "NONE", **more: Any) -> Any:
    """One of our operators; what it is called with can be set on what is returned."""
    return layout.operator(f"limner.{name}", text=text, icon=icon, translate=False, **more)


def of_space(kind: type[Any], space: str, order: int) -> type[Any]:
    """A panel in the sidebar of one kind of editor."""
    name = f"LIMNER_PT_{kind.__name__.removesuffix('Panel').lower()}_{space.lower()}"
    members = {"bl_idname": name, "bl_space_type": space, "bl_order": order}
    return type(name, (kind, bpy.types.Panel), members)
