"""A picture is edited: live frames, a slider that goes on answering, kept, undone, thrown away."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import bpy
import numpy as np
from artist import (
    OUT,
    differ,
    images,
    leftovers,
    part,
    pixels,
    run,
    shown,
    with_a_portrait,
)

METHOD = "global_directions"
STRENGTHS = (3.0, 6.0, 12.0, -15.0, 25.0)


def play() -> dict[str, Any]:
    """The afternoon."""
    one, _, space = with_a_portrait()
    out = one.result

    # 1. what is edited: the image that the artist is at
    one.set(method=METHOD, prompt="a red apple")
    out["why_not"] = one.studio.why_not_draw(bpy.context)
    one.set(source_picture="IMAGE")
    out["at_hand"] = one.scene.limner.image_picture.name
    one.form(steps=40, neutral="a picture", strength=0.0)
    out["images"] = images()
    bpy.ops.ed.undo_push(message="as the file was")  # the program does so, the module bpy does not

    # 2. live frames
    job = one.draw()
    seen: list[np.ndarray] = []

    def stays() -> bool:
        if job.raster is not None:
            seen.append(pixels(job.snapshot.image))
        return bool(job.stays)

    one.until(stays, "its last step")
    one.until(lambda: job.raster is not None, "a frame")
    out["canvas"], out["kinds"] = job.request.canvas, job.raster[1]
    out["frames"], out["differ"] = job.frames_heard, differ(seen[0], seen[-1])
    out["state"] = [part("studio").words.state(job), part("studio").words.note(job)]
    out["preview"], out["in_editor"] = job.snapshot.image, shown(space)
    out["in_panel"] = list(part("gallery")._pictures[job.id].image_size)

    # 3. the slider goes on answering
    group, took, answers = part("forms").group(one.scene, METHOD), [], [pixels(job.snapshot.image)]
    for strength in STRENGTHS:
        begun = time.monotonic()
        group.strength = strength
        one.until(
            lambda: not np.array_equal(pixels(job.snapshot.image), answers[-1]), "an answer", 10
        )
        took.append(time.monotonic() - begun)
        answers.append(pixels(job.snapshot.image))
        if strength == STRENGTHS[1]:
            bpy.ops.ed.undo_push(message="Strength")  # as the program does after each change
    out["took_s"] = took
    out["answers_differ"] = [differ(a, b) for a, b in pairwise(answers)]
    out["drawings"], out["step"] = len(one.studio.history), job.step
    bpy.ops.ed.undo_push(message="Strength")
    shows = lambda answer: np.array_equal(pixels(job.snapshot.image), answer)  # noqa: E731
    bpy.ops.ed.undo()
    one.until(lambda: shows(answers[2]), "the picture that the undo brought back")
    bpy.ops.ed.redo()
    one.until(lambda: shows(answers[-1]), "the newest again")
    one.until(lambda: job.request.params["strength"] == STRENGTHS[-1], "its strength")
    out["why_not_keep"] = one.studio.why_not_keep()
    out["params"] = job.request.params

    # 4. kept
    one.press("stop_keep")
    one.over()
    name = job.snapshot.image
    out["kept"] = {
        "state": job.state, "name": name, "images": images(), "svg": len(job.result.svg),
        "is_packed": bpy.data.images[name].packed_file is not None,
        "objects": [o.name for o in bpy.data.objects if o.type == "GREASEPENCIL"],
        "why_not_strokes": one.studio.why_not_strokes(),
    }  # fmt: skip
    (OUT / "result.png").write_bytes(job.result.png)
    np.save(OUT / "kept.npy", pixels(name))

    # 5. undone, though an undo before it had the preview; and back
    bpy.ops.ed.undo()
    out["undone"], out["editor_after_undo"] = images(), shown(space)
    bpy.ops.ed.redo()
    out["redone"] = images()
    np.save(OUT / "redone.npy", pixels(name))
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "edited.blend"))

    # 6. another, thrown away
    space.image = bpy.data.images["portrait.png"]
    one.press("new_drawing")
    count = images()
    other = one.draw()
    one.until(lambda: other.stays and other.raster is not None, "the other's last step")
    bpy.ops.ed.undo_push(message="meanwhile")
    out["while_it_stays"] = [images(), shown(space)]
    one.press("cancel")
    one.until(lambda: one.studio.history.get(other.id) is None, "that it is gone")
    out["thrown"] = [images() == count, shown(space), one.job is None]
    bpy.ops.ed.undo()
    bpy.ops.ed.redo()
    out["after_undo"] = images() == count

    # 7. kept while it runs; discarded; brought in again from the backend's own list
    one.form(steps=2000, neutral="a picture", strength=8.0)
    third = one.draw()
    one.until(lambda: third.frames_heard > 2, "frames")
    one.press("stop_keep")
    one.over()
    out["stopped"] = [third.state, third.snapshot.image in bpy.data.images]
    one.press("discard")
    out["discarded"] = images() == count
    one.until(lambda: any(r["job"] == third.id for r in one.studio.earlier), "the backend's list")
    one.press("adopt", job=third.id)
    again = one.job
    one.until(lambda: again.is_over and again.snapshot.image, "the adopted one's picture")
    out["adopted"] = [again.state, bpy.data.images[again.snapshot.image].size[:]]

    # 8. what the camera sees, in the scene's proportions
    one.scene.render.engine = "BLENDER_WORKBENCH"
    made = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    one.scene.collection.objects.link(made)
    one.scene.camera = made
    one.scene.render.resolution_x, one.scene.render.resolution_y = 640, 480
    one.press("new_drawing")
    one.set(source_picture="CAMERA", longest_px=64, prompt="a red apple")
    one.form(steps=2, neutral="a picture", stay=False)
    seen_by_it = one.draw()
    one.over()
    size = bpy.data.images[seen_by_it.snapshot.image].size[:]
    out["of_camera"] = [seen_by_it.state, sorted(seen_by_it.uploads), size]
    one.set(source_picture="IMAGE")

    # 9. nothing that makes no sense ends it: the old picture is back, and why is told
    one.form(steps=2, neutral="a picture", strength=8.0)
    one.set(prompt="a red apple")
    one.press("new_drawing")
    fourth = one.draw()
    one.until(lambda: fourth.stays and fourth.raster is not None, "the fourth's last step")
    one.set(prompt="a picture")
    one.until(lambda: fourth.prompt == "a red apple" and fourth.failure, "that it can't be")
    out["failure"] = fourth.failure
    one.set(prompt="a blue sea")
    one.until(lambda: fourth.prompt == "a blue sea" and not fourth.failure, "that it can")
    one.press("cancel")
    one.until(lambda: one.job is None, "its end")
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.limner")
    out["left"] = leftovers()
    return out


run(play)
