"""Preferences, language, small pictures and wrapped text, inside Blender."""

from __future__ import annotations

import struct
import zlib
from types import SimpleNamespace
from typing import Any

import bpy
from panels_of import Layout
from ui import NAME, enable


def elsewhere() -> list[Any]:
    """Another machine's backend: what is said of each address, and what is used."""
    enable()
    from limner_blender import prefs

    told: list[str] = []
    prefs.on_change = lambda: told.append("changed")
    set_ = prefs.get()
    out: list[Any] = [[prefs.far_problem(), prefs.far()]]
    set_.is_elsewhere = True
    for address in (
        "", "the.other.machine", "https://the.other.machine:7411/", "http://127.0.0.1:7411",
    ):  # fmt: skip
        set_.address = address
        out.append([prefs.far_problem(), prefs.far()])
    told.clear()
    set_.address = "http://localhost:7411#ticket=a-key"
    out.append([set_.address, set_.key, len(told) > 0, prefs.far()])
    set_.is_elsewhere = False
    out.append([prefs.far_problem(), prefs.far()])
    return out


def drawn(program: str) -> list[list[dict[str, Any]]]:
    """The preferences' own panel: nothing named; then a program that there is not, and offline."""
    enable()
    from limner_blender import prefs

    set_, out = prefs.get(), []
    for _ in range(2):
        shown: list[dict[str, Any]] = []
        panel = type("Drawn", (_Shown,), {"layout": Layout(shown), "of": set_})()
        context = SimpleNamespace(region=SimpleNamespace(width=600))
        prefs.LimnerPreferences.draw(panel, context)
        out.append(shown)
        set_.limner, set_.is_elsewhere, set_.address = program, True, "https://far.away:7411"
    return out


class _Shown:
    """The preferences, with a layout of ours."""

    def __getattr__(self, name: str) -> Any:
        return getattr(type(self).of, name)

    @property
    def bl_rna(self) -> Any:
        return type(self).of.bl_rna


def longest() -> list[int]:
    """What the preferences say is what scenes show, until they are set themselves."""
    enable()
    from limner_blender import prefs

    scene = bpy.context.scene
    out = [scene.limner.longest_px]
    prefs.get().longest_px = 448
    out.append(scene.limner.longest_px)
    scene.limner.longest_px = 96
    prefs.get().longest_px = 512
    return [*out, scene.limner.longest_px]


def said_by_blender(offered: dict[str, Any]) -> list[str]:
    """Every text that Blender shows by itself: of panels, operators, properties and choices."""
    enable(offered)
    import limner_blender
    from limner_blender import forms

    kinds = [*limner_blender.CLASSES, *(type(forms.group(bpy.context.scene, m))
             for m in forms.methods)]  # fmt: skip
    own = {"rna_type", "name", "bl_idname"}
    texts: set[str] = set()
    for kind in kinds:
        rna = kind.bl_rna
        if issubclass(kind, bpy.types.Operator):
            rna = getattr(bpy.ops.limner, kind.bl_idname.partition(".")[2]).get_rna_type()
            if not hasattr(kind, "description"):  # else it says it itself
                texts.add(rna.description)
        texts.add(getattr(kind, "bl_label", ""))
        if issubclass(kind, bpy.types.Panel | bpy.types.Menu):
            continue
        for name, prop in rna.properties.items():
            if name in own or name.startswith("bl_") or prop.is_hidden:
                continue
            texts |= {prop.name, prop.description}
            if prop.type == "ENUM":
                texts |= {text for i in prop.enum_items for text in (i.name, i.description)}
    return sorted(text for text in texts if text)


def pictures() -> dict[str, Any]:
    """Small pictures: put, put anew, dropped, all gone."""
    enable()
    from pathlib import Path

    from limner_blender import gallery

    def files() -> int:
        return len(list(Path(bpy.app.tempdir).glob("limner-*.png")))

    before, images = gallery.icon("one"), len(bpy.data.images)
    for name in ("one", "two", "one"):
        gallery.put(name, _png())
    there = [sorted(gallery._pictures), files(), [*gallery._pictures["one"].image_size]]
    gallery.drop("one")
    gallery.drop("three")
    after = [sorted(gallery._pictures), files(), gallery.icon("one")]
    bpy.ops.preferences.addon_disable(module=NAME)
    left = [files(), gallery.icon("two")]
    more = len(bpy.data.images) - images
    return {"before": before, "there": there, "after": after, "left": left, "images": more}


def wrapped(texts: list[str], room_px: float) -> list[Any]:
    """Each text's lines, and whether all of them fit."""
    enable()
    import blf

    from limner_blender import paragraphs

    out = []
    for text in texts:
        lines = paragraphs.lines(text, room_px, 11.0)
        out.append([list(lines), max(blf.dimensions(0, line)[0] for line in lines) <= room_px])
    return out


def _png() -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress(b"".join(b"\0" + b"\xff\x80\0" * 4 for _ in range(4)))
    head = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")
