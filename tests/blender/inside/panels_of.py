"""A layout that Blender's panels can be drawn into without a window: it writes down what is shown.

It is stricter than Blender's own: a property, an operator, an icon or an argument that there is not
is an error here, in this very version of Blender.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy

CALLS = bpy.types.UILayout.bl_rna.functions
ICONS = set(CALLS["label"].parameters["icon"].enum_items.keys())
ATTRIBUTES = set(bpy.types.UILayout.bl_rna.properties.keys())
PARTS = ("row", "column", "box", "split")
WIDTH_PX = 250


class Layout:
    """Where things are put; what was put where is in `shown`, in order."""

    def __init__(self, shown: list[dict[str, Any]], *, enabled: bool = True) -> None:
        object.__setattr__(self, "shown", shown)
        object.__setattr__(self, "look", {"enabled": enabled, "alert": False})

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in ATTRIBUTES, name
        self.look[name] = value and self.look["enabled"] if name == "enabled" else value

    def __getattr__(self, name: str) -> Any:
        def put(*args: Any, **more: Any) -> Any:
            return self._put(name, args, more)

        assert name in CALLS, name
        return put

    def _put(self, name: str, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        known = CALLS[name].parameters.keys()
        given = dict(zip((n for n in known if not n.startswith("layout_")), args, strict=False))
        given |= more
        assert set(given) <= set(known), f"{name}: {given}"
        assert given.get("icon", "NONE") in ICONS, given["icon"]
        assert isinstance(given.get("text", ""), str)
        usual = Layout._part if name in PARTS else Layout._note
        return vars(Layout).get(f"_{name}", usual)(self, name, given)

    def _part(self, _name: str, given: dict[str, Any]) -> Layout:
        if heading := given.get("heading"):
            self._note("heading", {"text": heading})
        return self._inner()

    def _inner(self) -> Layout:
        inner = Layout(self.shown, enabled=self.look["enabled"])
        inner.look["alert"] = self.look["alert"]
        return inner

    def _panel(self, _name: str, _given: dict[str, Any]) -> tuple[Layout, Layout]:
        return self._inner(), self._inner()

    def _prop(self, name: str, given: dict[str, Any]) -> None:
        data, which = given["data"], given["property"]
        known = data.bl_rna.properties[which]
        value = getattr(data, which)
        self._note(name, {**given, "value": value, "name": known.name})

    def _template_ID(self, name: str, given: dict[str, Any]) -> None:
        assert given["data"].bl_rna.properties[given["property"]].type == "POINTER"
        assert _operator(given["open"])
        self._note(name, given)

    def _menu(self, name: str, given: dict[str, Any]) -> None:
        kind = getattr(bpy.types, given["menu"])
        inner = self._inner()
        kind.draw(SimpleNamespace(layout=inner), bpy.context)

    def _operator(self, name: str, given: dict[str, Any]) -> Any:
        call = _operator(given["operator"])
        may = call.poll()
        row = {"operator": given["operator"], "text": given.get("text"), "may": may, "set": {}}
        self._note(name, row)
        return _Settings(call.get_rna_type().properties, row["set"])

    def _note(self, name: str, given: dict[str, Any]) -> None:
        kept = {k: v for k, v in given.items() if isinstance(v, str | int | float | bool | dict)}
        self.shown.append({"call": name, **self.look, **kept})


class _Settings:
    """What an operator is called with, held to what it takes."""

    def __init__(self, known: Any, into: dict[str, Any]) -> None:
        object.__setattr__(self, "known", known)
        object.__setattr__(self, "into", into)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.known, name
        self.into[name] = value


def _operator(name: str) -> Any:
    room, _dot, which = name.partition(".")
    call = getattr(getattr(bpy.ops, room), which)
    call.get_rna_type()  # raises if there is none
    return call


def shown_in(panel: str, space: str = "view_3d") -> list[dict[str, Any]]:
    """All that a panel shows now."""
    kind = getattr(bpy.types, f"LIMNER_PT_{panel}_{space}")
    into: list[dict[str, Any]] = []
    of_ours = next(part for part in kind.__mro__[1:] if part is not bpy.types.Panel)
    panel = type("Drawn", (of_ours,), {"layout": Layout(into)})()
    panel.draw(_Context(region=SimpleNamespace(width=WIDTH_PX)))
    return into


class _Context:
    """Blender's, but for a few things."""

    def __init__(self, **other: Any) -> None:
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return self._other[name] if name in self._other else getattr(bpy.context, name)
