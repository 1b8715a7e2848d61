"""Limner for Blender: a prompt becomes Grease Pencil strokes, live in the viewport."""

from __future__ import annotations

import sys

import bpy
from bpy.app.handlers import persistent

from . import fields, forms, gallery, operators, panels, prefs, props, pump, studio
from .version import VERSION

CARRIED = ("limner_front", "limner_wire")  # by us, as wheels
CLASSES = (*prefs.CLASSES, *props.CLASSES, *fields.CLASSES, *operators.CLASSES, *panels.CLASSES)


def register() -> None:
    """Enable."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    props.attach()
    prefs.attach()
    opened = studio.open_studio(VERSION)
    forms.on_change = _changed
    prefs.on_change = opened.look_elsewhere
    opened.look_elsewhere()
    pump.start(opened)
    for handlers, act in _handlers():
        handlers.append(act)


def unregister() -> None:
    """Disable: no timer, no thread, no socket, no property is left."""
    for handlers, act in _handlers():
        handlers.remove(act)
    pump.stop()
    studio.close_studio()
    forms.clear()
    gallery.clear()
    prefs.detach()
    props.detach()
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
    for name in [n for n in sys.modules if n.partition(".")[0] in CARRIED]:
        del sys.modules[name]  # another version of us carries another version of them


@persistent
def _loading(*_args: object) -> None:
    if (found := studio.studio()) is not None:
        found.loading_file()


@persistent
def _undone(scene: bpy.types.Scene, *_args: object) -> None:
    if (found := studio.studio()) is not None:
        found.undone(scene)


def _changed(_method: str, name: str, value: object) -> None:
    if (found := studio.studio()) is not None:
        found.changed_setting(bpy.context.scene, name, value)


def _handlers():  # type: ignore[no-untyped-def]
    at = bpy.app.handlers
    return (at.load_pre, _loading), (at.undo_post, _undone), (at.redo_post, _undone)
