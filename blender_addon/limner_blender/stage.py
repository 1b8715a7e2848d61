"""What a drawing becomes in the file: its newest strokes while it runs, its result at the end.

A drawing knows its objects by name alone (`Placed`), and each call looks them up anew: Blender's
undo, a load of another file and the artist's own Delete make any reference to a datablock stale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bpy
from mathutils import Matrix

from limner_front.i18n import _
from limner_front.jobs import Job
from limner_front.svg_strokes import strokes_of
from limner_front.words import layer_name
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.strokes import Strokes

from . import curves, drawings, grease_pencil, images, paper
from .strokes import curves as curves_of
from .strokes import spread

GREASE_PENCIL, CURVE, IMAGE = "GREASE_PENCIL", "CURVE", "IMAGE"


@dataclass
class Placed:
    """Where a drawing goes, frozen when it begins. Names and numbers, no datablocks.

    Attributes:
        matrix: 4x4, row by row: canvas pixels -> world; none of what stands nowhere.
        spread: "FLAT", "ORDER" or "SIZE": how a flat drawing is given depth.
        spread_px: over how many canvas pixels.
        eye: the camera in canvas pixels, from where nothing of that is to be seen.
        sink: "GREASE_PENCIL", "CURVE" or "IMAGE": what it is in the end.
        object, image: what it has become so far, by name; nothing before.
        of: the image that it is an edit of, by name, if it is one.
        paper: whether white paper lies below its strokes.
        keys: whether its recorded key frames become keyframes when it is done.
        was_undone: an undo may have taken its object away, so that it may come back.
        is_gone: the artist deleted its object: it goes on without.
    """

    scene: str
    matrix: list[list[float]]
    sink: str = GREASE_PENCIL
    spread: str = "FLAT"
    spread_px: float = 0.0
    eye: tuple[float, float, float] | None = None
    object: str = ""
    image: str = ""
    of: str = ""
    paper: bool = False
    keys: bool = False
    first_frame: int = 1
    key_gap: int = 1
    was_undone: bool = False
    is_gone: bool = False
    shown: Strokes | None = field(default=None, repr=False)

    def told(self) -> dict[str, Any]:
        """What is saved on its object: enough to go on there."""
        return {"spread": self.spread, "spread_px": self.spread_px, "eye": self.eye}


def scene_of(placed: Placed) -> bpy.types.Scene:
    """The scene that a drawing was begun in.

    Raises:
        LimnerError: if it is not in this file.
    """
    scene = bpy.data.scenes.get(placed.scene)
    if scene is None:
        words = _("The scene that this was drawn for is gone.")
        raise LimnerError(ErrorCode.BAD_INPUT, words, _("Draw it again where you want it."))
    return scene


def show(job: Job) -> None:
    """The newest frame of a drawing that runs.

    Raises:
        LimnerError: in words, if it can't be shown.
    """
    placed: Placed = job.snapshot
    if job.strokes is not None:
        if placed.sink != IMAGE:
            _show_strokes(job, job.strokes)
    elif job.raster is not None:
        _show_picture(job, *job.raster)


def finish(job: Job) -> None:
    """The result, in place of what was shown while it ran.

    Raises:
        LimnerError: in words, if it can't be shown.
    """
    placed: Placed = job.snapshot
    result = job.result
    if result is None:
        return
    strokes = final_strokes(job)
    if strokes is None or placed.sink == IMAGE:
        if result.png:
            _show_picture(job, result.png, "image/png")
            images.keep(placed.image)
        return
    placed.is_gone = False
    _show_strokes(job, strokes)
    if placed.object:
        drawings.remember(placed.object, job.about(), placed.told())
    if placed.sink == CURVE and placed.object:
        drawn, placed.object = placed.object, curves.to_curves(placed.object)
        grease_pencil.remove(drawn)


def final_strokes(job: Job) -> Strokes | None:
    """The strokes of a result, read once."""
    if job.result is not None and not job.is_final:
        job.strokes, job.is_final = strokes_of(job.result.svg), True
    return job.strokes if job.is_final else None


def animate(job: Job, frames: dict[int, Strokes]) -> int:
    """Recorded key frames (step -> strokes) as keyframes, the result as the last; the last frame.

    Raises:
        LimnerError: if its object is gone.
    """
    placed: Placed = job.snapshot
    last = final_strokes(job)
    history = [frames[step] for step in sorted(frames)] + ([last] if last is not None else [])
    numbers = [placed.first_frame + placed.key_gap * k for k in range(len(history))]
    for number, strokes in zip(numbers, history, strict=True):
        grease_pencil.keyframe(placed.object, _curves(placed, strokes), number)
    grease_pencil.keep_keyframes(placed.object, numbers)
    return numbers[-1]


def discard(job: Job) -> None:
    """Take away what a drawing has become."""
    placed: Placed = job.snapshot
    found = bpy.data.objects.get(placed.object)
    if found is not None:
        if found.type == "GREASEPENCIL":
            grease_pencil.remove(found.name)
        else:
            curves.remove(found.name)
    images.remove(placed.image)
    placed.object = placed.image = ""
    placed.is_gone = True


def has_strokes(job: Job) -> bool:
    """Whether a result can be drawn as strokes, and not as a picture alone."""
    return job.result is not None and bool(job.result.svg)


def is_there(job: Job) -> bool:
    """Whether the file holds anything of it."""
    placed: Placed | None = job.snapshot
    if placed is None:
        return False
    return placed.object in bpy.data.objects or placed.image in bpy.data.images


def _show_picture(job: Job, data: bytes, mime: str) -> None:
    placed: Placed = job.snapshot
    if placed.image not in bpy.data.images:
        placed.image = images.create(layer_name(job), placed.of)
    images.show(placed.image, data, mime)


def _show_strokes(job: Job, strokes: Strokes) -> None:
    placed: Placed = job.snapshot
    if placed.is_gone:
        return
    if placed.object and placed.object not in bpy.data.objects:
        if not placed.was_undone:
            placed.is_gone = True
            words = _("The object of this drawing was deleted.")
            hint = _("The drawing goes on; “Put it back” brings it back.")
            raise LimnerError(ErrorCode.BAD_INPUT, words, hint)
        placed.object = ""
    placed.was_undone = False
    if not placed.object:
        placed.object = grease_pencil.create(
            scene_of(placed), layer_name(job), Matrix(placed.matrix), job.about(),
            _paper(job, strokes),
        )  # fmt: skip
    grease_pencil.write(placed.object, _curves(placed, strokes))
    placed.shown = strokes


def _paper(job: Job, strokes: Strokes) -> grease_pencil.LayPaper | None:
    placed: Placed = job.snapshot
    if not placed.paper or strokes.depth is not None:
        return None  # what is drawn in space is seen from all sides
    size, far = job.request.canvas, placed.spread_px / 2 if placed.spread != "FLAT" else 0.0
    return lambda data, frame: paper.lay(data, frame, size, far, placed.eye)


def _curves(placed: Placed, strokes: Strokes) -> Any:
    return spread(curves_of(strokes), placed.spread, placed.spread_px, placed.eye)
