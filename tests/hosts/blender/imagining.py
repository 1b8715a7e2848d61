"""A picture is imagined, answers its slider, is kept and undone; then two are blended."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from artist import OUT, images, leftovers, part, pixels, run, shown, with_a_portrait


def play() -> dict[str, Any]:
    """The afternoon."""
    one, portrait, space = with_a_portrait()
    out = one.result
    out["images"] = images()

    # 1. from words alone: it forms, is held, and goes on
    one.set(method="imagine", prompt="a red apple", source_picture="NONE", longest_px=128)
    one.form(steps=300)
    out["why_not"] = one.studio.why_not_draw(bpy.context)
    bpy.ops.ed.undo_push(message="as the file was")  # the program does so, the module bpy does not
    job = one.draw()
    one.frames(3)
    one.press("pause")
    one.until(lambda: job.state == "paused", "that it is held")
    out["held"] = job.step
    one.press("resume")
    one.until(lambda: job.stays, "its last step")
    one.rest()
    out["step"], out["uploads"], out["canvas"] = job.step, sorted(job.uploads), job.request.canvas

    # 2. its slider paints it anew
    now = pixels(job.snapshot.image)
    part("forms").group(one.scene, "imagine").guidance = 12.0
    one.until(lambda: not np.array_equal(pixels(job.snapshot.image), now), "an answer")
    one.rest()
    one.until(lambda: job.stays, "its last step again")
    one.press("stop_keep")
    one.over()
    name = job.snapshot.image
    out["kept"] = [job.state, images(), job.request.params["guidance"], shown(space)]
    (OUT / "result.png").write_bytes(job.result.png)
    np.save(OUT / "kept.npy", pixels(name))
    bpy.ops.ed.undo()
    out["undone"] = images()
    bpy.ops.ed.redo()
    out["redone"] = [images(), np.array_equal(pixels(name), np.load(OUT / "kept.npy"))]

    # 3. blended with a picture of its own, all the way to it
    one.press("new_drawing")
    blue = bpy.data.images.new("blue", 96, 64)
    blue.pixels.foreach_set(np.tile(np.float32([0.1, 0.3, 0.8, 1.0]), 96 * 64))
    one.set(method="blend", source_picture="IMAGE", image_picture=portrait)
    out["why_not_blend"] = one.studio.why_not_draw(bpy.context)
    one.set(source_other="IMAGE", image_other=blue)
    one.form(at=1.0)
    blend = one.draw()
    one.until(lambda: blend.stays, "its last step")
    one.press("stop_keep")
    one.over()
    out["blend"] = [blend.state, sorted(blend.uploads), blend.snapshot.image]
    np.save(OUT / "blend.npy", pixels(blend.snapshot.image))
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.limner")
    out["left"] = leftovers()
    return out


run(play)
