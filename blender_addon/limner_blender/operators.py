"""What the artist can do, as Blender's operators. Each says in its poll message why it can't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import bpy
from bpy.props import StringProperty

from limner_front import program
from limner_front.i18n import _
from limner_front.jobs import Job
from limner_wire.errors import ErrorCode, LimnerError

from . import asked, curves, drawings, grease_pencil, prefs, props, pump, stage
from .studio import Studio, studio

LOG = "Limner’s backend"  # the text that its log is shown in


def _studio() -> Studio:
    found = studio()
    if found is None:
        raise LimnerError(ErrorCode.INTERNAL, _("Limner is not enabled."))
    return found


def _job(job: str) -> Job | None:
    """The named drawing, or the shown one."""
    return _studio().history.get(job) if job else _studio().job


class Act:
    """What all operators share: problems are told in words, and the panels are drawn anew."""

    bl_options: ClassVar[set[str]] = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it."""
        try:
            self.act(context, _studio())
        except LimnerError as problem:
            _studio().say(str(problem))
            self.report({"WARNING"}, str(problem))
            return {"CANCELLED"}
        finally:
            pump.redraw()
        return {"FINISHED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can be done now; if not, the tooltip says why."""
        found = studio()
        why = cls.why_not(context, found) if found else _("Limner is not enabled.")
        if why:
            cls.poll_message_set(why)
        return not why

    @classmethod
    def why_not(cls, context: bpy.types.Context, studio: Studio) -> str:
        """Why it can't be done now; nothing if it can."""
        return ""

    def act(self, context: bpy.types.Context, studio: Studio) -> None:
        """What it does.

        Raises:
            LimnerError: in words.
        """
        raise NotImplementedError


def _simple(
    name: str, label: str, help_text: str,
    do: Callable[[Studio, bpy.types.Context], object],
    why_not: Callable[[Studio, bpy.types.Context], str] = lambda studio, context: "",
) -> type:  # fmt: skip
    """An operator that takes nothing."""

    def act(self: Any, context: bpy.types.Context, found: Studio) -> None:
        do(found, context)

    def reason(cls: Any, context: bpy.types.Context, found: Studio) -> str:
        return why_not(found, context)

    return type(
        f"LIMNER_OT_{name}", (Act, bpy.types.Operator),
        {"bl_idname": f"limner.{name}", "bl_label": label, "bl_description": help_text,
         "act": act, "why_not": classmethod(reason)},
    )  # fmt: skip


class OfJob(Act):
    """An operator on a drawing of the list; on the shown one, if none is named."""

    job: StringProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, context: bpy.types.Context, studio: Studio) -> None:
        """Do it, if there is such a drawing."""
        found = _job(self.job)
        if found is not None:
            self.do(context, studio, found)

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """What it does."""
        raise NotImplementedError


class OfResult(OfJob):
    """One on a drawing that is over, and was kept."""

    @classmethod
    def why_not(cls, context: bpy.types.Context, studio: Studio) -> str:
        """Of the shown one; another is in the list, and shown with what can be done."""
        return studio.why_not_keep() if studio.job else ""


class OfStrokes(OfResult):
    """One on a drawing that has strokes."""

    @classmethod
    def why_not(cls, context: bpy.types.Context, studio: Studio) -> str:
        """As `OfResult`."""
        return studio.why_not_strokes() if studio.job else ""


class LIMNER_OT_keep(OfResult, bpy.types.Operator):
    """Put the drawing into the scene again, if it was deleted or undone."""

    bl_idname, bl_label = "limner.keep", _("Keep")
    bl_description = _("Put the drawing into the scene again, if it was deleted or undone")

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """Put it back."""
        studio.keep(job)


class LIMNER_OT_bake(OfStrokes, bpy.types.Operator):
    """Make the drawing an ordinary Grease Pencil object in world units, free of Limner."""

    bl_idname, bl_label = "limner.bake", _("Bake")
    bl_description = _(
        "Make the drawing an ordinary Grease Pencil object in world units, free of Limner"
    )
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """Bake it; it is not Limner's any more."""
        studio.keep(job)
        grease_pencil.bake(job.snapshot.object)
        job.snapshot.object = ""
        job.snapshot.is_gone = True


class LIMNER_OT_to_curves(OfStrokes, bpy.types.Operator):
    """Make a curve object of the drawing, with the same handles, beside it."""

    bl_idname, bl_label = "limner.to_curves", _("To Curves")
    bl_description = _("Make a curve object of the drawing, with the same handles, beside it")
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """Convert a copy."""
        if job.snapshot.sink == stage.CURVE:
            return
        studio.keep(job)
        curves.to_curves(job.snapshot.object)


class LIMNER_OT_animate(OfStrokes, bpy.types.Operator):
    """Make keyframes of the drawing's recorded steps, so that it plays as an animation."""

    bl_idname, bl_label = "limner.animate", _("Animate")
    bl_description = _(
        "Make keyframes of the drawing's recorded steps, so that it plays as an animation"
    )

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """Fetch the key frames; they become keyframes as they come."""
        if not job.snapshot.object:
            studio.keep(job)
        job.snapshot.first_frame = context.scene.limner.keyframe_start
        job.snapshot.key_gap = context.scene.limner.keyframe_every
        studio.animate(job)


class LIMNER_OT_discard(OfJob, bpy.types.Operator):
    """Take the drawing out of the scene and out of the list."""

    bl_idname, bl_label = "limner.discard", _("Discard")
    bl_description = _("Take the drawing out of the scene and out of the list")
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """Take it away."""
        studio.discard(job)


class LIMNER_OT_show_job(OfJob, bpy.types.Operator):
    """Show how this drawing stands, and what can be done with it."""

    bl_idname, bl_label = "limner.show_job", _("Show")
    bl_description = _("Show how this drawing stands, and what can be done with it")

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """Show it, and select its object."""
        studio.easel.show(job.id)
        _select(context, job.snapshot.object if job.snapshot else "")


class LIMNER_OT_use_settings(OfJob, bpy.types.Operator):
    """Take over this drawing's prompt and settings for the next one."""

    bl_idname, bl_label = "limner.use_settings", _("Use Its Settings")
    bl_description = _("Take over this drawing's prompt and settings for the next one")
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """Restore them."""
        studio.new_drawing()
        _restore(context, job.about())


class LIMNER_OT_forget_job(OfJob, bpy.types.Operator):
    """Take this drawing from the list; its object stays."""

    bl_idname, bl_label = "limner.forget_job", _("Remove from the List")
    bl_description = _("Take this drawing from the list; its object stays")

    def do(self, context: bpy.types.Context, studio: Studio, job: Job) -> None:
        """Forget it."""
        studio.easel.remove(job.id)


class LIMNER_OT_adopt(Act, bpy.types.Operator):
    """Bring this drawing of the backend's into the scene, where the next would stand."""

    bl_idname, bl_label = "limner.adopt", _("Bring In")
    bl_description = _(
        "Bring this drawing of the backend's into the scene, where the next would stand"
    )
    job: StringProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    def act(self, context: bpy.types.Context, studio: Studio) -> None:
        """Watch it from its first event on."""
        row = next((row for row in studio.earlier if row["job"] == self.job), None)
        if row is not None:
            width, height = row["canvas"]
            size = int(width), int(height)
            studio.adopt(row, asked.placed(context, str(row["method"]), size))


class LIMNER_OT_continue_drawing(Act, bpy.types.Operator):
    """Take up the selected drawing again: its prompt and settings, its strokes to begin from."""

    bl_idname, bl_label = "limner.continue_drawing", _("Go On from the Selected Drawing")
    bl_description = _(
        "Take up the selected drawing again: its prompt and settings, and its strokes to begin from"
    )
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context, studio: Studio) -> str:
        """It needs one."""
        return studio.why_not_continue(context)

    def act(self, context: bpy.types.Context, studio: Studio) -> None:
        """Set everything; Draw begins."""
        studio.new_drawing()
        _restore(context, drawings.about_of(context.object) or {})
        context.scene.limner.source_init = "STROKES"
        studio.say(_("Press Draw to go on from the strokes of the selected drawing."))


def _restore(context: bpy.types.Context, about: dict[str, Any]) -> None:
    try:
        props.restore(context.scene, about)
    except KeyError:
        words = _("The backend does not know this drawing’s method.")
        raise LimnerError(ErrorCode.BAD_INPUT, words) from None


def _select(context: bpy.types.Context, name: str) -> None:
    found = context.scene.objects.get(name)
    if found is not None and found.name in context.view_layer.objects:
        for other in context.view_layer.objects:
            other.select_set(other == found)
        context.view_layer.objects.active = found


def _program(context: bpy.types.Context) -> str:
    found = prefs.get(context)
    return str(found.limner) if found else ""


def _show_log(found: Studio, context: bpy.types.Context) -> None:
    text = bpy.data.texts.get(LOG) or bpy.data.texts.new(LOG)
    text.from_string("\n".join(found.starter.log) or _("The backend was not started from here."))
    found.say(_("The log is in the Text Editor: “{name}”.", name=LOG))


def _copy(found: Studio, context: bpy.types.Context) -> None:
    context.window_manager.clipboard = diagnostics(found, _program(context))
    found.say(_("Copied. There is no key in it, and nothing that you drew."))


def diagnostics(found: Studio, saved: str) -> str:
    """What someone who helps needs to know; no key in it."""
    return program.diagnostics(
        [("Limner for Blender", found.version), ("Blender", bpy.app.version_string)],
        line=f"{found.line.link.value} {found.line.problem}".strip(),
        url=found.line.url,
        welcome=found.line.welcome,
        program=program.find(saved or found.settings.limner),
        errors=found.line.errors,
        log=found.starter.log,
    )


SIMPLE = (
    ("draw", _("Draw"), _("Begin a drawing with the prompt and the settings"),
     lambda s, c: s.draw(c), lambda s, c: s.why_not_draw(c)),
    ("new_drawing", _("New Drawing"), _("Leave this drawing to itself, and set up another"),
     lambda s, c: s.new_drawing()),
    ("pause", _("Pause"), _("Hold the drawing; it goes on later"),
     lambda s, c: s.easel.command("pause"), lambda s, c: s.why_not_pause()),
    ("resume", _("Go On"), _("Let the drawing go on"),
     lambda s, c: s.easel.command("resume"), lambda s, c: s.why_not_pause()),
    ("stop_keep", _("Stop and Keep"), _("Stop, and keep the drawing as it is"),
     lambda s, c: s.stop_keep(), lambda s, c: s.why_not_hold()),
    ("cancel", _("Cancel"), _("Stop, and throw the drawing away"),
     lambda s, c: s.easel.command("drop"), lambda s, c: s.why_not_cancel()),
    ("start_backend", _("Start Backend"), _("Start Limner’s backend on this machine"),
     lambda s, c: s.start_backend(_program(c))),
    ("stop_backend", _("Stop Backend"), _("Stop the backend; it saves what it draws"),
     lambda s, c: s.starter.stop()),
    ("try_now", _("Try Now"), _("Do not wait for the next try to connect"),
     lambda s, c: s.line.try_now()),
    ("show_log", _("Show the Backend’s Log"), _("Put what the backend said into a text"),
     _show_log),
    ("copy_diagnostics", _("Copy Diagnostics"), _("What someone who helps you needs to know"),
     _copy),
)  # fmt: skip

CLASSES = (
    *(_simple(*row) for row in SIMPLE),
    LIMNER_OT_keep, LIMNER_OT_bake, LIMNER_OT_to_curves, LIMNER_OT_animate, LIMNER_OT_discard,
    LIMNER_OT_show_job, LIMNER_OT_use_settings, LIMNER_OT_forget_job, LIMNER_OT_adopt,
    LIMNER_OT_continue_drawing,
)  # fmt: skip
