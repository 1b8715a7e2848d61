"""The one place where what the backend says touches Blender: a timer on Blender's own thread.

While something is drawn it comes fifty times a second and finds the newest frame; otherwise a few
times a second. An exception would end a Blender timer for ever: here it is told to the artist.
"""

from __future__ import annotations

import contextlib
import traceback
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from .studio import Studio

LIVE_S, IDLE_S = 0.02, 0.25
AREAS = ("VIEW_3D", "IMAGE_EDITOR", "PREFERENCES")

_studio: Studio | None = None


def start(studio: Studio) -> None:
    """Begin to look after what is heard; a load of another file does not end it."""
    global _studio
    _studio = studio
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=IDLE_S, persistent=True)


def stop() -> None:
    """Look no more."""
    global _studio
    _studio = None
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)


def tick() -> float | None:
    """What the timer does: take in what was heard; how many seconds until the next time."""
    studio = _studio
    if studio is None:
        return None
    try:
        is_news = studio.look()
    except Exception as problem:  # the timer must live; the artist is told
        traceback.print_exc()
        studio.say(f"{type(problem).__name__}: {problem}")
        is_news = True
    if is_news:
        redraw()
    return LIVE_S if studio.is_live else IDLE_S


def redraw() -> None:
    """Have the panels drawn anew."""
    manager = getattr(bpy.context, "window_manager", None)
    with contextlib.suppress(ReferenceError):  # a window that closes
        for window in manager.windows if manager else ():
            for area in window.screen.areas:
                if area.type in AREAS:
                    area.tag_redraw()
