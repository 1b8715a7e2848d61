"""From the zip to a drawing that is baked: prompt, live frames, adjust, stop, undo, redo, image."""

from __future__ import annotations

import os
import time
from typing import Any

import bpy
import numpy as np
from artist import OUT, Artist, install, leftovers, part, run

ENOUGH = 24  # live frames


def handles_differ(job: Any) -> float:
    """How far anchors, handles and radii in Blender are from those that came, in canvas pixels."""
    came = part("strokes").curves(job.snapshot.shown)
    drawing = bpy.data.objects[job.snapshot.object].data.layers["Limner"].current_frame().drawing
    assert all(stroke.curve_type == 2 for stroke in drawing.strokes[:4])
    apart = []
    for name in ("position", "handle_left", "handle_right", "radius"):
        kind = "value" if name == "radius" else "vector"
        want = getattr(came, name)
        found = np.empty(want.size, np.float32)
        drawing.attributes[name].data.foreach_get(kind, found)
        apart.append(float(np.abs(want.ravel() - found).max()))
    return max(apart)


def play() -> dict[str, Any]:
    """The afternoon."""
    before = leftovers()
    install(os.environ["LIMNER_ZIP"])
    one = Artist()
    out = one.result
    out["before"] = before
    out["why_not_alone"] = one.studio.why_not_draw(bpy.context)
    one.connect()
    out["why_not_empty"] = one.studio.why_not_draw(bpy.context)
    one.scene.render.resolution_x, one.scene.render.resolution_y = 640, 480
    one.set(prompt="a red apple", longest_px=224)
    one.form(steps=3000, strokes=64, seed=3)

    bpy.ops.ed.undo_push(message="as the file was")  # the program does so, the module bpy does not

    # 1. live, from a prompt
    begun = time.monotonic()
    job = one.draw()
    one.until(lambda: job.snapshot.object, "the first strokes")
    out["first_strokes_s"] = time.monotonic() - begun
    differ = []

    def seen() -> bool:
        if job.snapshot.shown is not None:
            differ.append(handles_differ(job))
        return job.frames_heard >= ENOUGH

    one.until(seen, "live frames")
    out["frames"], out["differ"] = job.frames_heard, max(differ)
    out["canvas"] = job.request.canvas

    # 2. another prompt while it runs
    one.set(prompt="a yellow banana")
    one.until(lambda: job.confirmed, "the change")
    out["confirmed"] = job.confirmed

    # 3. held, let go, the object moved by hand meanwhile
    one.press("pause")
    one.until(lambda: job.state == "paused", "paused")
    bpy.data.objects[job.snapshot.object].location.x += 1.0
    moved = bpy.data.objects[job.snapshot.object].location.x
    bpy.ops.ed.undo_push(message="moved")
    one.press("resume")
    one.until(lambda: job.state == "running", "running again")
    now = job.frames_heard
    one.until(lambda: job.frames_heard >= now + 3, "more frames")
    out["stays_where_it_was_put"] = bpy.data.objects[job.snapshot.object].location.x == moved

    # 4. undo in the middle: the drawing is still there, and goes on
    bpy.ops.ed.undo()
    now = job.frames_heard
    one.until(lambda: job.frames_heard >= now + 3 and job.snapshot.object, "frames after undo")
    out["after_undo"] = job.snapshot.object in bpy.data.objects
    one.until(lambda: job.prompt == "a red apple", "the prompt that the undo brought back")

    # 5. stop and keep
    one.press("stop_keep")
    one.over()
    name = job.snapshot.object
    out["differ_at_the_end"] = handles_differ(job)
    thing = bpy.data.objects[name]
    out["state"] = job.state
    out["layers"] = [layer.name for layer in thing.data.layers]
    out["object"] = {
        "name": name,
        "type": thing.type,
        "prompt": thing["limner_prompt"],
        "seed": thing["limner_seed"],
        "about": part("drawings").about_of(thing),
    }
    (OUT / "result.svg").write_bytes(job.result.svg)

    # 6. one step of undo, and back
    bpy.ops.ed.undo()
    out["undone"] = handles_before(name)
    bpy.ops.ed.redo()
    out["redone"] = handles_differ(job)

    # 7. over a picture
    picture = bpy.data.images.new("ground", 96, 72)
    picture.pixels = np.tile(np.array([0.1, 0.4, 0.8, 1.0], np.float32), 96 * 72)
    one.press("new_drawing")
    one.set(prompt="a white cloud", source_over="IMAGE", image_over=picture)
    one.form(steps=40, strokes=24)
    second = one.draw()
    one.over()
    out["second"] = {"frames": second.frames_heard, "roles": sorted(second.uploads)}

    # 8. keyframes from its recorded steps; curves; baked
    one.set(keyframe_start=5, keyframe_every=2)
    one.press("animate")
    data = bpy.data.objects[second.snapshot.object].data
    one.until(lambda: len(data.layers["Limner"].frames) > 2, "keyframes")
    out["keys"] = sorted(f.frame_number for f in data.layers["Limner"].frames)
    one.scene.frame_set(out["keys"][-1])
    one.press("to_curves")
    out["curves"] = [o.name for o in bpy.data.objects if o.type in ("CURVE", "CURVES")]
    one.press("show_job", job=job.id)
    one.press("bake")
    baked = bpy.data.objects[name]
    out["baked"] = {"scale": list(baked.scale), "is_free": part("drawings").about_of(baked) is None}

    # 9. in space
    one.press("new_drawing")
    one.set(method="clipdraw3d", prompt="a red apple", source_over="NONE")
    one.form(steps=12, strokes=16)
    third = one.draw()
    one.over()
    pencil = bpy.data.objects[third.snapshot.object].data
    out["space"] = {
        "differ": handles_differ(third),
        "deep": float(np.ptp(part("grease_pencil").read(third.snapshot.object).position[:, 2])),
        "layers": [layer.name for layer in pencil.layers],
    }
    one.press("discard")

    # 10. discarded, saved, disabled
    one.press("show_job", job=second.id)
    kept = second.snapshot.object
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "kept.blend"))
    one.press("discard")
    out["discarded"] = kept not in bpy.data.objects
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.limner")
    timer = part_of_timer()
    out["timer"] = timer
    out["left"] = leftovers()
    return out


def handles_before(name: str) -> bool:
    """Whether the object is there after an undo."""
    return name in bpy.data.objects


def part_of_timer() -> bool:
    """Whether the pump's timer is still registered."""
    import sys

    pump = sys.modules.get("bl_ext.user_default.limner.pump")
    return pump is not None and bpy.app.timers.is_registered(pump.tick)


run(play)
