"""The extension's preferences: the backend's program, another machine's backend, the language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from limner_front import i18n, program
from limner_front.i18n import _
from limner_front.settings import LONGEST_PX

from .paragraphs import paragraph

TICKET = "#ticket="
CONTEXT = "Limner"  # of names that Blender translates: it would take its own words for them
CONTEXTS = (CONTEXT, "*", "Operator")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def on_change() -> None:
    """What is called when the program or the other machine has changed; the studio puts its own."""


def get(context: bpy.types.Context | None = None) -> Any:
    """The preferences; None while the extension is not enabled as one (in a test)."""
    found = (context or bpy.context).preferences.addons.get(__package__)
    return found.preferences if found is not None else None


def longest_px() -> int:
    """The longest side that a new scene's drawings have."""
    found = get()
    return int(found.longest_px) if found is not None else LONGEST_PX


def far() -> tuple[str, str] | None:
    """Another machine's backend, if one is named and may be used: its address and the key."""
    found = get()
    if found is None or not found.is_elsewhere or not found.address.strip() or far_problem():
        return None
    return found.address.strip().rstrip("/"), found.key.strip()


def far_problem() -> str:
    """Why the named machine is not used, in words; nothing if it is, or if none is named."""
    found = get()
    if found is None or not found.is_elsewhere:
        return ""
    address = found.address.strip()
    if not address:
        return _("Name the other machine: https://its.name:7411")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return _("An address is written https://its.name:7411")
    if parts.hostname in LOOPBACK or bpy.app.online_access:
        return ""
    return _(
        "Blender is set to stay offline. Allow it: Preferences > System > Network > "
        "Allow Online Access."
    )


# --- the language ---------------------------------------------------------------------------------


def speak() -> None:
    """Speak as Blender does. Cheap: it may be called whenever something is shown."""
    view = bpy.context.preferences.view
    name = bpy.app.translations.locale if view.use_translate_interface else ""
    if name != _spoken[0]:
        _spoken[0] = name
        i18n.choose(name)


_spoken: list[str | None] = [None]


def attach() -> None:
    """Have Blender translate what it shows by itself: titles, buttons' names, tooltips."""
    speak()
    bpy.app.translations.register(__package__, _translations())


def detach() -> None:
    """Blender forgets our texts."""
    bpy.app.translations.unregister(__package__)
    _spoken[0] = None


def _translations() -> dict[str, dict[tuple[str, str], str]]:
    """Blender's name of a language -> (context, English) -> translation."""
    out = {}
    for language in (name for name in i18n.languages() if name != i18n.ENGLISH):
        names = [n for n in bpy.app.translations.locales if n.partition("_")[0] == language]
        said = json.loads((i18n.LOCALES / f"{language}.json").read_text("utf-8"))
        said = {_large(text): other for text, other in said.items()} | said  # as tooltips begin
        texts = {(where, text): other for where in CONTEXTS for text, other in said.items()}
        out |= dict.fromkeys(names, texts)
    return out


def _large(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- the preferences ------------------------------------------------------------------------------


def _changed(_self: Any, _context: Any) -> None:
    on_change()


def _remembered() -> str:
    """The program that `limner install blender` wrote down."""
    from .studio import studio  # it imports us

    found = studio()
    return found.settings.limner if found is not None else ""


def _address_changed(self: Any, _context: Any) -> None:
    """A link from `limner open` has the key in it."""
    address, mark, key = self.address.strip().partition(TICKET)
    if mark:
        self.key = key
        self.address = address  # comes here again
    else:
        on_change()


class LimnerPreferences(bpy.types.AddonPreferences):
    """What is the same for all files."""

    bl_idname = __package__

    limner: StringProperty(  # type: ignore[valid-type]
        name="Program", subtype="FILE_PATH", update=_changed,
        description="The program “limner”, if it is not found by itself. pip installs it beside "
        "Python",
    )  # fmt: skip
    longest_px: IntProperty(  # type: ignore[valid-type]
        name="Longest Side", subtype="PIXEL", default=LONGEST_PX, min=64, max=1024, step=32,
        description="Of the picture that the strokes are judged by, in scenes where nothing else "
        "is set",
    )  # fmt: skip
    is_elsewhere: BoolProperty(  # type: ignore[valid-type]
        name="Draw on another machine",
        update=_changed,
        description="Use the backend of another machine in place of this one’s",
    )
    address: StringProperty(  # type: ignore[valid-type]
        name="Address",
        update=_address_changed,
        description="Of the other machine’s backend, or the link that “limner open” gives there",
    )
    key: StringProperty(  # type: ignore[valid-type]
        name="Key",
        subtype="PASSWORD",
        update=_changed,
        description="What opens that backend to you. It is kept in Blender’s preferences",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Show them."""
        speak()
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        width_px = 0.6 * context.region.width if context.region else 400
        layout.prop(self, "limner", text=_("Program"), translate=False)
        if self.limner and not Path(bpy.path.abspath(self.limner)).is_file():
            paragraph(layout, _("There is no such file."), width_px, icon="ERROR", alert=True)
        elif not self.limner and (found := program.find(_remembered())):
            paragraph(layout, _("Found: {path}", path=found), width_px, icon="CHECKMARK")
        elif not self.limner:
            said = _("Not found. Install Limner (pip install limner), or choose the program here.")
            paragraph(layout, said, width_px, icon="INFO")
        layout.prop(self, "longest_px", text=_("Longest side"), translate=False)
        layout.prop(self, "is_elsewhere", text=_("Draw on another machine"), translate=False)
        if self.is_elsewhere:
            layout.prop(self, "address", text=_("Address"), translate=False)
            layout.prop(self, "key", text=_("Key"), translate=False)
            if problem := far_problem():
                paragraph(layout, problem, width_px, icon="ERROR", alert=True)


CLASSES = (LimnerPreferences,)
