"""The panels of the drawings: how the shown one stands, and the list of all."""

from __future__ import annotations

from limner_front import words
from limner_front.i18n import _
from limner_front.jobs import Curve, Job

from . import gallery, stage
from .paragraphs import letters
from .sidebar import Context, Layout, Panel, button, careful, say, width_px
from .studio import Studio

NOTICES = 4
NEWEST = 6  # drawings in the list, until all are asked for
BARS = "▁▂▃▄▅▆▇█"
COLUMNS = 24  # of a loss's curve, at most
NAME, CURVE = 0.28, 0.66  # of the width: a loss's name; of the rest: its curve
PICTURE, LIVE_PICTURE = 2.4, 8.0  # the size of a small picture, in rows
STATES = {
    "running": "PLAY", "paused": "PAUSE", "done": "CHECKMARK", "cancelled": "CHECKMARK",
    "error": "ERROR",
}  # fmt: skip


class DrawingPanel(Panel):
    """The shown drawing: how it stands, and what can be done with it."""

    bl_label = "Current Drawing"

    @careful
    def draw(self, context: Context, found: Studio) -> None:
        """Show it."""
        job, layout = found.job, self.layout
        if job is None:
            layout.label(text=_("Empty paper"), translate=False)
            return
        icon = STATES.get("done" if job.stays else job.state, "SORTTIME")
        layout.label(text=words.state(job), icon=icon, translate=False)
        if job.raster is not None and (picture := gallery.icon(job.id)):
            layout.template_icon(picture, scale=LIVE_PICTURE)
        if not job.is_over:
            self._draw_progress(context, found, job)
        elif figures := words.figures(job, is_ready=found.line.is_ready):
            say(layout, context, figures)
        for name, curve in job.losses.items():
            _draw_curve(layout, context, name, curve)
        for notice in job.notices[-NOTICES:]:
            say(layout, context, notice, "INFO")
        if job.failure:
            say(layout, context, job.failure, "ERROR", alert=True)
        if job.is_over:
            self._draw_results(found, job)
        else:
            self._draw_commands(context, found, job)

    def _draw_progress(self, context: Context, found: Studio, job: Job) -> None:
        if not job.stays:
            factor = min(1.0, job.step / job.total) if job.total else 0.0
            text = words.steps(job.step, job.total) if job.step else ""
            self.layout.progress(factor=factor, text=text, translate=False)
        if job.state == "running" and job.rate:
            said = f"{words.rate(job.rate)} · {words.left(job.left)}"
            say(self.layout, context, said)
        if note := words.note(job):
            say(self.layout, context, note)
        if not found.line.is_ready:
            say(self.layout, context, _("The backend is not connected."), "ERROR", alert=True)

    def _draw_commands(self, context: Context, found: Studio, job: Job) -> None:
        column = self.layout.column(align=True)
        if job.stays:
            button(column, "stop_keep", _("Keep this picture"), "CHECKMARK")
            button(column, "cancel", _("Cancel"), "X")
            return
        row = column.row(align=True)
        if job.state == "paused":
            button(row, "resume", _("Go on"), "PLAY")
        else:
            button(row, "pause", _("Pause"), "PAUSE")
        button(row, "cancel", _("Cancel"), "X")
        button(column, "stop_keep", _("Stop and keep"), "CHECKMARK")
        why_not = found.why_not_hold()
        if why_not and not job.asked and found.line.is_ready:
            say(self.layout, context, why_not, "INFO")

    def _draw_results(self, found: Studio, job: Job) -> None:
        column = self.layout.column(align=True)
        if job.is_kept and not stage.is_there(job):
            button(column, "keep", _("Put it back"), "IMPORT")
        sink = getattr(job.snapshot, "sink", "")
        if stage.has_strokes(job) and sink == stage.GREASE_PENCIL:
            row = column.row(align=True)
            button(row, "bake", _("Bake"), "OUTLINER_OB_GREASEPENCIL")
            button(row, "to_curves", _("To curves"), "OUTLINER_OB_CURVE")
            button(column, "animate", _("Animate"), "KEYFRAME_HLT")
        button(column, "use_settings", _("Use its settings"), "COPYDOWN")
        button(column, "discard", _("Discard"), "TRASH")


class ResultsPanel(Panel):
    """The drawings, the newest first."""

    bl_label = "Drawings"

    @careful
    def draw(self, context: Context, found: Studio) -> None:
        """Show it."""
        jobs = list(found.history)
        ui = context.window_manager.limner_ui
        for job in jobs if ui.is_all_shown else jobs[:NEWEST]:
            self._draw_job(job, is_shown=job is found.job)
        if len(jobs) > NEWEST:
            text = _("All {n} drawings", n=len(jobs))
            self.layout.prop(ui, "is_all_shown", text=text, translate=False)
        if not jobs:
            self.layout.label(text=_("none yet"), translate=False)
        self._draw_earlier(found, {job.id for job in jobs})

    def _draw_job(self, job: Job, *, is_shown: bool) -> None:
        row = self.layout.row()
        if icon := gallery.icon(job.id):
            row.template_icon(icon, scale=PICTURE)
        column = row.column(align=True)
        button(column, "show_job", words.layer_name(job), depress=is_shown).job = job.id
        line = column.row(align=True)
        line.label(text=words.state(job), translate=False)
        if job.is_over:
            button(line, "forget_job", "", "X", emboss=False).job = job.id

    def _draw_earlier(self, found: Studio, known: set[str]) -> None:
        rows = [row for row in found.earlier if row["job"] not in known]
        if not rows:
            return
        head, body = self.layout.panel("limner_earlier", default_closed=True)
        head.label(text=_("Earlier drawings"), translate=False)
        if body is not None:
            for row in rows:
                button(body, "adopt", words.described(row), "IMPORT").job = row["job"]


def _draw_curve(layout: Layout, context: Context, name: str, curve: Curve) -> None:
    """A loss: its name, its way so far in small bars, its last value."""
    if not curve:
        return
    split = layout.split(factor=NAME)
    split.label(text=words.label(name), translate=False)
    right = split.split(factor=CURVE)
    count = min(COLUMNS, letters(BARS[-1], width_px(context), (1 - NAME) * CURVE))
    right.label(text=bars([value for _step, value in curve], count), translate=False)
    last = right.row()
    last.alignment = "RIGHT"
    last.label(text=f"{curve[-1][1]:.3g}", translate=False)


def bars(values: list[float], most: int) -> str:
    """A curve in at most so many small bars, from its least value to its greatest."""
    count = min(most, len(values))
    chosen = [values[(at + 1) * len(values) // count - 1] for at in range(count)]
    low, high, top = min(chosen), max(chosen), len(BARS) - 1
    return "".join(BARS[round(top * (v - low) / ((high - low) or 1))] for v in chosen)
