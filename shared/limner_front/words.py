"""Texts that depend on something: states, durations, the names of roles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limner_front.i18n import _
from limner_front.jobs import Job


def role(name: str) -> str:
    """What an input is called."""
    names = {
        "picture": _("Edit"),
        "init": _("Begin from"),
        "over": _("Draw over"),
        "mask": _("Only inside"),
        "style": _("In the style of"),
        "style2": _("And of a second"),
        "style3": _("And of a third"),
        "other": _("Blend with"),
        "other2": _("And with a third"),
        "other3": _("And with a fourth"),
    }
    return names.get(name, label(name))


def role_help(name: str) -> str:
    """What an input does."""
    helps = {
        "picture": _("the picture that is changed"),
        "init": _("a picture or strokes to go on from"),
        "over": _("a picture that stays below the strokes"),
        "mask": _("strokes stay inside the selection"),
        "style": _("a picture whose look is taken over"),
        "style2": _("a picture whose look is taken over"),
        "style3": _("a picture whose look is taken over"),
        "other": _("a picture at the other end of the way"),
        "other2": _("a picture at the other end of the way"),
        "other3": _("a picture at the other end of the way"),
    }
    return helps.get(name, _("a picture"))


def label(name: str) -> str:
    """A setting's name for people: "point_rate" is "Point rate", if no catalogue knows better."""
    plain = name.replace("_", " ")
    return _(plain[:1].upper() + plain[1:])


def state(job: Job) -> str:
    """How a drawing stands."""
    if job.asked:
        return _("Keeping it…") if job.stays and job.asked == "keep" else _ASKED[job.asked]()
    if job.state == "queued" and job.position > 0:
        if job.position == 1:
            return _("1 drawing before this one")
        return _("{n} drawings before this one", n=job.position)
    if job.state == "cancelled" and job.result is not None:
        return _("Stopped, and kept as it was")
    if job.stays:
        return _("Ready to keep")
    return _STATES[job.state]()


_STATES = {
    "sending": lambda: _("Sending…"),
    "queued": lambda: _("Waiting its turn"),
    "loading": lambda: _("Getting ready"),
    "running": lambda: _("Drawing"),
    "paused": lambda: _("Paused"),
    "done": lambda: _("Done"),
    "cancelled": lambda: _("Stopped"),
    "error": lambda: _("It did not work"),
}
_ASKED = {
    "pause": lambda: _("Pausing…"),
    "resume": lambda: _("Going on…"),
    "keep": lambda: _("Stopping…"),
    "drop": lambda: _("Throwing it away…"),
}


def figures(job: Job, *, is_ready: bool) -> str:
    """Steps, speed, time left, score: what is known, in one line."""
    if job.state == "sending" and not is_ready:
        return _("It is sent as soon as the backend is back.")
    parts = []
    if job.step and job.state != "error":
        parts.append(steps(job.step, 0 if job.is_over else job.total))
    if job.state == "running" and job.rate:
        parts += [rate(job.rate), left(job.left)]
    score = job.result.about.get("score") if job.result is not None else None
    if isinstance(score, int | float):
        parts.append(_("score {score}", score=f"{score:.3g}"))
    if not job.is_over and (said := note(job)):
        parts.append(said)
    return " · ".join(parts)


def note(job: Job) -> str:
    """What there is to know of how it stands; mostly nothing."""
    return _("It answers every change, until you keep it.") if job.stays else job.note


def steps(step: int, total: int) -> str:
    """How far it is."""
    if total:
        return _("step {step} of {total}", step=step, total=total)
    return _("step {step}", step=step)


def rate(per_s: float) -> str:
    """How fast."""
    return _("{n} steps a second", n=round(per_s) if per_s >= 10 else f"{per_s:.1f}")


def left(seconds: float) -> str:
    """How long still, as a person says it."""
    if seconds < 3:
        return _("a moment left")
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 50:
        return _("about {n} seconds left", n=10 * round(seconds / 10))
    if seconds < 90:
        return _("about a minute left")
    if seconds < 3000:
        return _("about {n} minutes left", n=round(seconds / 60))
    if seconds < 5400:
        return _("about an hour left")
    return _("about {n} hours left", n=round(seconds / 3600))


def recommended(value: Any) -> str:
    """What the backend takes when the artist says nothing."""
    if isinstance(value, bool):
        value = _("on") if value else _("off")
    elif isinstance(value, float):
        value = f"{value:g}"
    return _("{value} recommended", value=value)


def layer_name(job: Job) -> str:
    """What the layer is called that the drawing becomes."""
    return job.prompt or label(job.request.method)


def described(about: Mapping[str, Any]) -> str:
    """A drawing in one line, for a menu."""
    name = str(about.get("prompt") or "") or label(str(about.get("method") or "drawing"))
    return name if len(name) <= 60 else f"{name[:59]}…"


def why_not_command(job: Job | None, *, is_ready: bool) -> str:
    """Why a drawing can't be thrown away now; nothing if it can."""
    if job is None:
        return _("Nothing is being drawn.")
    if job.is_over:
        return _("It is over.")
    if job.asked:
        return state(job)
    return "" if is_ready else _("The backend is not connected.")


def why_not_hold(job: Job | None, *, is_ready: bool) -> str:
    """Why a drawing can't be paused, or stopped and kept."""
    waits = job is not None and not job.is_live
    return why_not_command(job, is_ready=is_ready) or (_("It is not drawing yet.") if waits else "")


def why_not_pause(job: Job | None, *, is_ready: bool) -> str:
    """Why a drawing can't be paused, nor go on."""
    is_last = job is not None and job.stays
    said = _("It has made its last step.") if is_last else ""
    return why_not_hold(job, is_ready=is_ready) or said


def why_not_keep(job: Job | None) -> str:
    """Why a drawing's result can't be had."""
    if job is None:
        return _("There is no drawing yet.")
    if job.stays:
        return _("Keep it first.")
    if not job.is_over:
        return _("Stop it first, or wait until it is done.")
    return "" if job.is_kept else _("There is nothing of it to keep.")
