"""A generator learns a domain: a sheet that changes, slides back, is kept, and edits at once."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from artist import (
    OUT,
    images,
    leftovers,
    part,
    pixels,
    run,
    shown,
    with_a_portrait,
)

STEPS = 60


def play() -> dict[str, Any]:
    """The afternoon."""
    one, _, space = with_a_portrait()
    out = one.result

    # 1. the artist's own picture goes along: live frames, held, and on again
    one.set(method="nada", prompt="a red apple", source_picture="IMAGE")
    one.form(steps=STEPS, source="a blue sea", rate=0.02, fit=40, called="apples")
    out["why_not"] = one.studio.why_not_draw(bpy.context)
    out["images"] = images()
    bpy.ops.ed.undo_push(message="as the file was")  # the program does so, the module bpy does not
    job = one.draw()
    one.frames(4)
    one.press("pause")
    one.until(lambda: job.state == "paused", "that it is held")
    out["held"] = [job.step, job.stays]
    one.rest()
    one.press("resume")
    one.frames(3)  # that at which it was held, and two more
    one.until(lambda: job.stays, "its last step")
    one.rest()
    out["canvas"], out["step"] = job.request.canvas, job.step
    out["in_editor"], out["uploads"] = shown(space), sorted(job.uploads)

    # 2. back to what it was, and to what it has become
    group = part("forms").group(one.scene, "nada")
    for name, amount in (("before", 0.0), ("learned", 100.0)):
        now = pixels(job.snapshot.image)
        group.amount = amount
        one.until(lambda now=now: not np.array_equal(pixels(job.snapshot.image), now), name)
        one.rest()
        np.save(OUT / f"{name}.npy", pixels(job.snapshot.image))
    out["amount"] = job.request.params["amount"]

    # 3. kept: their own picture as one image, and a generator; undone and done again
    one.press("stop_keep")
    one.over()
    name = job.snapshot.image
    out["kept"] = [job.state, images(), bpy.data.images[name].packed_file is not None]
    out["notices"] = job.notices
    np.save(OUT / "kept.npy", pixels(name))
    (OUT / "result.png").write_bytes(job.result.png)
    bpy.ops.ed.undo()
    out["undone"] = images()
    bpy.ops.ed.redo()
    out["redone"] = [images(), np.array_equal(pixels(name), np.load(OUT / "kept.npy"))]

    # 4. without a picture: the sheet is what is kept
    one.press("new_drawing")
    one.set(prompt="a green leaf", source_picture="NONE", longest_px=128)
    one.form(steps=20, source="a blue sea", rate=0.02, called="apples", stay=False)
    sheet = one.draw()
    one.over()
    out["sheet"] = [sorted(sheet.uploads), sheet.request.canvas, sheet.notices]
    np.save(OUT / "sheet.npy", pixels(sheet.snapshot.image))

    # 5. an edit with it, at once
    one.press("new_drawing")
    one.set(method="global_directions", prompt="a red apple", source_picture="IMAGE")
    one.form(steps=20, neutral="a picture", generator="apples", stay=False)
    edit = one.draw()
    one.over()
    out["edited_by"] = [edit.state, edit.result.about["settings"]["generator"]]
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.limner")
    out["left"] = leftovers()
    return out


run(play)
