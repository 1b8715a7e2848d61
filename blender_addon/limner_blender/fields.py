"""A method's form in a panel: each setting with its name, its reset, and what is said of it."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import bpy
from bpy.props import IntProperty, StringProperty

from limner_front import words
from limner_front.i18n import _

from . import forms, kept, rows
from .controls import INT32_MAX, is_slider
from .paragraphs import paragraph

SEED = "seed"
SEEDS = 10_000  # a seed that one can say aloud
NAMES = 0.4  # of the width: as Blender splits its own properties

Layout = bpy.types.UILayout


def draw(
    layout: Layout, scene: bpy.types.Scene, method: str, notes: Mapping[str, str], *,
    roles: Collection[str], is_live: bool, width_px: float,
) -> None:  # fmt: skip
    """Show a method's form: what is essential, and the rest.

    Args:
        roles: those that have a picture; a setting of a picture is there where the picture is.
        notes: setting -> what is to be said beside it.
        is_live: while a drawing runs, only what it can still take is open.
        width_px: of the region.
    """
    form = _Form(scene, method, notes, is_live, width_px)
    shown = {n: s for n, s in forms.fields(method).items() if s.get("x-role") in (None, *roles)}
    layout.use_property_split, layout.use_property_decorate = True, False
    for name in (name for name, spec in shown.items() if spec.get("x-essential")):
        form.draw(layout, name)
    rest = [name for name, spec in shown.items() if not spec.get("x-essential")]
    if not rest:
        return
    head, body = layout.panel("limner_more_settings", default_closed=True)
    head.label(text=_more(scene, method, rest), translate=False)
    if body is not None:
        body.use_property_split, body.use_property_decorate = True, False
        for name in rest:
            form.draw(body, name)


def plain(layout: Layout, owner: Any, name: str, label: str) -> None:
    """A property of ours among those of a form, in line with them."""
    row = layout.row(align=True)
    row.prop(owner, name, text=label, translate=False)
    row.label(icon="BLANK1")


def _more(scene: bpy.types.Scene, method: str, names: list[str]) -> str:
    n = sum(forms.value(scene, method, name) is not None for name in names)
    return _("More settings ({n} set)", n=n) if n else _("More settings")


class _Form:
    """One method's form, while it is shown once."""

    def __init__(
        self, scene: bpy.types.Scene, method: str, notes: Mapping[str, str], is_live: bool,
        width_px: float,
    ) -> None:  # fmt: skip
        self._scene, self._method, self._notes = scene, method, notes
        self._is_live, self._width_px = is_live, width_px
        self._group = forms.group(scene, method)

    def draw(self, layout: Layout, name: str) -> None:
        """Show one setting."""
        spec = forms.fields(self._method)[name]
        column = layout.column(align=True)
        inside = column.column(align=True)
        inside.enabled = not self._is_live or bool(spec.get("x-adjustable"))
        if rows.is_list(spec):
            self._draw_list(inside, name, spec)
        elif spec["type"] == "array":
            self._draw_toggles(inside, name, spec)
        else:
            self._draw_value(inside, name, spec)
        if problem := forms.problem_of(self._scene, self._method, name):
            paragraph(column, problem, self._width_px, icon="ERROR", alert=True)
        if note := self._notes.get(name):
            self._aside(column, note)

    # --- one kind each ----------------------------------------------------------------------------

    def _draw_value(self, layout: Layout, name: str, spec: kept.Spec) -> None:
        if spec["type"] == "boolean":
            row = layout.row(align=True, heading=self._label(name, spec), translate=False)
            row.prop(self._group, name, text="")
        else:
            row = layout.row(align=True)
            text = self._label(name, spec)
            row.prop(self._group, name, text=text, translate=False, slider=is_slider(spec))
        if name == SEED:
            row.operator("limner.dice", text="", icon="FILE_REFRESH").method = self._method
        self._draw_reset(row, name)
        value = forms.value(self._scene, self._method, name)
        if spec["type"] == "integer" and value is not None and abs(value) > INT32_MAX:
            self._aside(layout, f"{value:,}")  # Blender can't show it, and it is kept

    def _draw_toggles(self, layout: Layout, name: str, spec: kept.Spec) -> None:
        right = self._split(layout, name, spec)
        right.column(align=True).prop(self._group, name, expand=True)
        self._draw_reset(right, name)

    def _draw_list(self, layout: Layout, name: str, spec: kept.Spec) -> None:
        key = forms.key(self._method, name)
        column = self._split(layout, name, spec).column(align=True)
        found = rows.of(self._scene, key)
        for at, row in enumerate(found):
            line = column.row(align=True)
            line.prop(row, "colour" if rows.is_colour(spec) else "text", text="")
            self._to(line.operator("limner.remove_row", text="", icon="X"), name).index = at
        add = column.row(align=True)
        add.enabled = len(found) < spec.get("maxItems", len(found) + 1)
        self._to(add.operator("limner.add_row", text=_("Add"), icon="ADD", translate=False), name)

    # --- parts ------------------------------------------------------------------------------------

    def _split(self, layout: Layout, name: str, spec: kept.Spec) -> Layout:
        """The name on the left as Blender sets it; the room on the right."""
        split = layout.split(factor=NAMES, align=True)
        split.use_property_split = False
        left = split.row()
        left.alignment = "RIGHT"
        left.label(text=self._label(name, spec), translate=False)
        return split.row(align=True)

    def _draw_reset(self, row: Layout, name: str) -> None:
        if forms.value(self._scene, self._method, name) is None:
            row.label(icon="BLANK1")
        else:
            reset = row.operator("limner.reset_field", text="", icon="LOOP_BACK", emboss=False)
            self._to(reset, name)

    def _aside(self, layout: Layout, text: str) -> None:
        split = layout.split(factor=NAMES, align=True)
        split.label()
        split.label(text=text, translate=False)

    def _label(self, name: str, spec: kept.Spec) -> str:
        unit = spec.get("x-unit", "")
        return f"{words.label(name)} ({unit})" if unit and unit != "px" else words.label(name)

    def _to(self, operator: Any, name: str) -> Any:
        operator.method, operator.name = self._method, name
        return operator


# --- what can be done in a form -------------------------------------------------------------------


class _OfField:
    """What is done to a setting."""

    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    method: StringProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    name: StringProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it, if there is such a setting."""
        if self.name not in forms.fields(self.method):
            return {"CANCELLED"}
        self.act(context.scene)
        return {"FINISHED"}

    def act(self, scene: bpy.types.Scene) -> None:
        """What it does."""
        raise NotImplementedError


class LIMNER_OT_reset_field(_OfField, bpy.types.Operator):
    """Back to recommended"""

    bl_idname, bl_label = "limner.reset_field", "Back to Recommended"

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """With what that is."""
        usual = forms.usual(context.scene, properties.method, properties.name)
        said = _("Back to recommended")
        return said if usual in (None, [], "") else f"{said}: {_value_words(usual)}"

    def act(self, scene: bpy.types.Scene) -> None:
        """Nobody touched it."""
        forms.put(scene, self.method, self.name, None)


class LIMNER_OT_dice(_OfField, bpy.types.Operator):
    """Another seed"""

    bl_idname, bl_label = "limner.dice", "Another Seed"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Throw the dice."""
        self.name = SEED
        return super().execute(context)

    def act(self, scene: bpy.types.Scene) -> None:
        """Set it."""
        forms.put(scene, self.method, SEED, random.randrange(SEEDS))


class LIMNER_OT_add_row(_OfField, bpy.types.Operator):
    """One more row"""

    bl_idname, bl_label = "limner.add_row", "Add"

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """What the list is for."""
        spec = forms.fields(properties.method).get(properties.name, {})
        help_text = _(spec.get("description", ""))
        return help_text[:1].upper() + help_text[1:]

    def act(self, scene: bpy.types.Scene) -> None:
        """Add it, if there is room."""
        spec, key = forms.fields(self.method)[self.name], forms.key(self.method, self.name)
        if len(rows.of(scene, key)) < spec.get("maxItems", INT32_MAX):
            rows.add(scene, key, spec)
            forms.changed(scene, self.method, self.name)


class LIMNER_OT_remove_row(_OfField, bpy.types.Operator):
    """Remove this row"""

    bl_idname, bl_label = "limner.remove_row", "Remove"
    index: IntProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, scene: bpy.types.Scene) -> None:
        """Take it away."""
        rows.remove(scene, forms.key(self.method, self.name), self.index)
        forms.changed(scene, self.method, self.name)


def _value_words(value: Any) -> str:
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if isinstance(value, list | tuple):
        return ", ".join(map(_value_words, value))
    return words.label(value) if isinstance(value, str) else f"{value:g}"


CLASSES = (LIMNER_OT_reset_field, LIMNER_OT_dice, LIMNER_OT_add_row, LIMNER_OT_remove_row)
