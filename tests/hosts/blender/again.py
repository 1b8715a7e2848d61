"""A saved file, opened later: a drawing is taken up again, and the backend dies meanwhile."""

from __future__ import annotations

import os
import time
from typing import Any

import bpy
import numpy as np
from artist import OUT, Artist, install, leftovers, part, run


def play() -> dict[str, Any]:
    """The next day."""
    install(os.environ["LIMNER_ZIP"])
    one = Artist()
    out = one.result
    bpy.ops.wm.open_mainfile(filepath=str(OUT / "kept.blend"))
    one.connect()
    one.until(lambda: one.studio.earlier, "the backend's own list")
    out["earlier"] = [(row["prompt"], row["state"]) for row in one.studio.earlier]
    drawn = next(o for o in bpy.data.objects if part("drawings").about_of(o) is not None)
    for other in bpy.context.view_layer.objects:
        other.select_set(other == drawn)
    bpy.context.view_layer.objects.active = drawn
    before = part("grease_pencil").read(drawn.name)

    # 1. go on from its own strokes
    out["why_not"] = one.studio.why_not_continue(bpy.context)
    one.press("continue_drawing")
    out["restored"] = {
        "prompt": one.scene.limner.prompt,
        "values": part("props").values(one.scene),
    }
    one.form(steps=2000, strokes=24)
    job = one.draw()
    one.until(lambda: job.snapshot.shown is not None, "the first strokes")
    came = part("strokes").curves(job.snapshot.shown)
    out["strokes"] = [len(before.sizes), len(came.sizes)]
    if len(came.position) == len(before.position):
        apart = came.position[:, :2] - before.position[:, :2]
        out["apart_px"] = float(np.abs(apart).mean())
    else:
        out["apart_px"] = None

    # 2. the backend is killed, and comes back
    one.until(lambda: job.frames_heard > 30, "frames")
    one.ask("kill")
    one.until(lambda: not one.studio.line.is_ready, "that it is away")
    out["away"] = [one.studio.line.link.value, one.studio.line.problem]
    out["why_not_draw"] = one.studio.why_not_draw(bpy.context)
    one.ask("serve")
    begun = time.monotonic()
    one.until(lambda: one.studio.line.is_ready, "that it is back")
    out["back_s"] = time.monotonic() - begun
    frames = job.frames_heard
    one.until(lambda: job.frames_heard > frames + 5, "frames of the same drawing")
    one.press("stop_keep")
    one.over()
    out["step"] = job.step

    # 3. a drawing of the backend's own history is brought in
    row = next(r for r in one.studio.earlier if r["job"] != job.id and r["state"] == "done")
    one.press("adopt", job=row["job"])
    adopted = one.job
    one.until(lambda: adopted.snapshot.object, "the adopted one's strokes")
    out["adopted"] = [adopted.prompt, adopted.state]

    # 4. another file while something is drawn: it is kept by the backend, and nothing is left here
    one.press("new_drawing")
    one.set(source_init="NONE")
    one.form(steps=3000)
    left = one.draw()
    one.until(lambda: left.frames_heard > 3, "its frames")
    bpy.ops.wm.read_homefile(use_empty=True)
    out["after_load"] = [len(one.studio.history), one.studio.job is None]
    one.until(
        lambda: any(
            r["job"] == left.id and r["state"] == "cancelled" for r in one.studio.earlier
        ) or one.studio.line.ask(part("studio").m.ListJobs()),
        "that the backend has kept it",
    )  # fmt: skip
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.limner")
    out["left"] = leftovers()
    return out


run(play)
