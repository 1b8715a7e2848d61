"""The extension as Blender enables it, with a line to no backend: what it would say is put in."""

from __future__ import annotations

from typing import Any

import bpy

from limner_blender import net
from limner_front.jobs import Job, Request, Result
from limner_front.link import Link
from limner_wire.messages import Welcome

NAME = "limner_blender"


def enable(offered: dict[str, Any] | None = None) -> Any:
    """Enable it. The studio; ready to draw, if anything is offered."""
    net.Line.open = lambda self: None
    bpy.ops.preferences.addon_enable(module=NAME)
    from limner_blender.studio import studio

    found = studio()
    assert found is not None
    if offered is not None:
        hear(found, offered)
    return found


def hear(found: Any, offered: dict[str, Any]) -> None:
    """A backend greets us, and offers methods and models."""
    from limner_blender import props

    welcome = Welcome(
        protocol=1, server="limner", session="", limits={}, methods=tuple(offered["methods"]),
        models=tuple(offered["models"]), devices=("cpu",),
    )  # fmt: skip
    found.line.session.welcome = welcome
    found.line.link, found.line.problem = Link.READY, ""
    props.offer(welcome)


def begin(found: Any, prompt: str = "a red apple", state: str = "running", **about: Any) -> Job:
    """A drawing of ours, in some state; the form is its own while it runs."""
    from limner_blender.stage import Placed

    identity = [[float(row == column) for column in range(4)] for row in range(4)]
    placed = Placed(scene=bpy.context.scene.name, matrix=identity)
    job = Job(Request("clipdraw", {"prompt": prompt}, (224, 224)), snapshot=placed, is_sent=True)
    for name, value in {"state": state, **about}.items():
        setattr(job, name, value)
    found.easel.history.add(job)
    found.easel.job = job
    found._attached = job.id
    return job


def done(found: Any, prompt: str = "a red apple", **about: Any) -> Job:
    """A drawing that is over."""
    result = Result(b"<svg/>", b"", {"score": 0.312, "settings": {}})
    return begin(found, prompt, "done", **{"result": result, "step": 250, **about})
