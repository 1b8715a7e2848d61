"""The sidebar, inside Blender, in each state that it can be in."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import bpy
from panels_of import shown_in
from ui import NAME, begin, done, enable, hear

from limner_blender import gallery
from limner_front import link
from limner_front.jobs import Result
from limner_front.link import Link

PANELS = ("link", "draw", "drawing", "settings", "pictures", "place", "results")
SPACES = ("view_3d", "image_editor")
Studio, Offer = Any, dict[str, Any]


def absent(found: Studio, _offered: Offer) -> None:
    found.line.link, found.line.problem = Link.ABSENT, link.absent_words()


def lost(found: Studio, offered: Offer) -> None:
    running(found, offered)
    found.line.link, found.line.problem = Link.LOST, link.lost_words()


def fell(found: Studio, offered: Offer) -> None:
    absent(found, offered)
    found.starter.fell = "Error: the address is in use"


def ready(found: Studio, offered: Offer) -> None:
    hear(found, offered)


def getting_ready(found: Studio, offered: Offer) -> None:
    hear(found, offered)
    found.line.problem = link.starting_words()


def may_draw(found: Studio, offered: Offer) -> None:
    hear(found, offered)
    bpy.context.scene.limner.prompt = "a red apple"


def remembered(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    found.settings.prompts = ["a red apple", "a cat"]


def no_camera(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    bpy.context.scene.camera = None


def needs_picture(found: Studio, offered: Offer) -> None:
    hear(found, offered)
    bpy.context.scene.limner.method = "trace"


def pictures(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    set_ = bpy.context.scene.limner
    set_.source_over, set_.source_init, set_.source_mask = "CAMERA", "FILE", "IMAGE"
    set_.sink, set_.place, set_.spread, set_.keyframes = "GREASE_PENCIL", "CURSOR", "SIZE", True


def no_style(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    bpy.context.scene.limner.method = "styleclipdraw"


def one_style(found: Studio, offered: Offer) -> None:
    no_style(found, offered)
    set_ = bpy.context.scene.limner
    set_.source_style, set_.image_style = "IMAGE", bpy.data.images.new("hatching", 8, 8)


def half_a_second_style(found: Studio, offered: Offer) -> None:
    one_style(found, offered)
    bpy.context.scene.limner.source_style2 = "IMAGE"


def three_styles(found: Studio, offered: Offer) -> None:
    one_style(found, offered)
    set_ = bpy.context.scene.limner
    set_.source_style2, set_.source_style3, set_.file_style3 = "CAMERA", "FILE", "//ink.png"


def no_generator(found: Studio, offered: Offer) -> None:
    for method in offered["methods"]:
        method["ready"] = "None is here." if method["name"] == "global_directions" else ""
    may_draw(found, offered)
    bpy.context.scene.limner.method = "global_directions"


def nothing_to_edit(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    bpy.context.scene.limner.method = "global_directions"


def may_edit(found: Studio, offered: Offer) -> None:
    nothing_to_edit(found, offered)
    set_ = bpy.context.scene.limner
    bpy.context.scene.camera = None  # an edit stands nowhere
    set_.source_picture, set_.image_picture = "IMAGE", bpy.data.images.new("portrait", 8, 8)


def editing(found: Studio, offered: Offer) -> None:
    may_edit(found, offered)
    begin(found, step=40, total=100, rate=9.0, left=7.0, raster=(b"", "image/png"))
    found.job.request = replace(found.job.request, method="global_directions")
    found.job.snapshot.sink = "IMAGE"
    gallery.show(found.job.id, bpy.data.images["portrait"])
    name = found.job.id
    gallery.icon = lambda job: 7 if job == name else 0  # the module bpy has none


def stays(found: Studio, offered: Offer) -> None:
    editing(found, offered)
    found.job.state, found.job.stays, found.job.step = "paused", True, 100


def edited(found: Studio, offered: Offer) -> None:
    may_edit(found, offered)
    job = done(found, "an apple", result=Result(b"", b"", {"settings": {}}))
    job.snapshot.sink = "IMAGE"


def strange_role(found: Studio, offered: Offer) -> None:
    offered["methods"][0]["inputs"] = ["structure"]
    hear(found, offered)


def everything_set(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    from limner_blender import forms

    values = {"seed": 2**50, "also": ["a", "b"], "palette": ["#102030"], "freeze": ["width"],
              "contrast": 0.5, "lock": True}  # fmt: skip
    forms.write(bpy.context.scene, "clipdraw", values)
    found.notes = {"contrast": "from step 3 on", "prompt": "sent…"}


def running(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    losses = {"clip": [(at, 1 / at) for at in range(1, 200)]}
    begin(found, step=120, total=250, rate=12.3, left=11.0, losses=losses, note="tidying")


def queued(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    begin(found, state="queued", position=2)


def paused(found: Studio, offered: Offer) -> None:
    running(found, offered)
    found.job.state = "paused"


def pausing(found: Studio, offered: Offer) -> None:
    running(found, offered)
    found.job.asked = "pause"


def over(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    for at in range(9):
        done(found, f"drawing {at}")
    found.earlier = (
        {"job": "x", "prompt": "an older one", "method": "clipdraw", "canvas": [224, 224]},
        {"job": found.job.id, "prompt": "drawing 8", "method": "clipdraw", "canvas": [224, 224]},
    )


def failed(found: Studio, offered: Offer) -> None:
    may_draw(found, offered)
    begin(found, state="error", failure="There is too little memory. Draw fewer strokes.",
          notices=["The model does not know “flurb”."])  # fmt: skip


STATES: dict[str, Callable[[Studio, Offer], None]] = {
    state.__name__: state
    for state in (
        absent, lost, fell, ready, getting_ready, may_draw, remembered, no_camera,
        needs_picture, pictures, no_style, one_style, half_a_second_style, three_styles,
        no_generator, nothing_to_edit, may_edit, editing, stays, edited,
        strange_role, everything_set, running, queued, paused, pausing,
        over, failed,
    )
}  # fmt: skip


def shown(offered: Offer) -> dict[str, Any]:
    """What each panel shows in each state, by space, state and panel."""
    out: dict[str, Any] = {space: {} for space in SPACES}
    for name, state in STATES.items():
        bpy.ops.wm.read_homefile()
        state(enable(), deepcopy(offered))
        before = _all_set()
        for space in SPACES:
            out[space][name] = {panel: shown_in(panel, space) for panel in PANELS}
        assert _all_set() == before, f"{name}: a panel has changed something"
        bpy.ops.preferences.addon_disable(module=NAME)
    return out


def without_studio() -> dict[str, Any]:
    """Panels that Blender still draws after the extension has closed its studio."""
    enable()
    sys.modules[f"{NAME}.studio"]._studio = None
    return {panel: shown_in(panel) for panel in PANELS}


def broken(offered: Offer) -> list[Any]:
    """A panel that comes upon what can't be."""
    found = enable(offered)
    begin(found, total="many")
    return shown_in("drawing")


def _all_set() -> str:
    def plain(owner: Any) -> dict[str, str]:
        return {name: repr(getattr(owner, name)) for name in owner.bl_rna.properties.keys()}  # noqa: SIM118

    scene = bpy.context.scene
    groups = [n for n in dir(scene) if n.startswith("limner")]
    data = [str(list(getattr(bpy.data, n))) for n in ("objects", "images", "materials", "texts")]
    return json.dumps([{n: plain(getattr(scene, n)) for n in groups}, data])
