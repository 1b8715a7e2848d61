"""A drawing that is asked for in the terminal: by the backend that runs, or in this process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from limner import output, session
from limner.cli.progress import Bar
from limner.client import Client, here, told
from limner.files import read_bounded
from limner.methods.base import Inputs, Models
from limner.methods.editing import own_clips
from limner.methods.registry import METHODS
from limner.methods.schema import with_recipe
from limner.models import clip
from limner.models.device import best_device
from limner_wire import messages as m
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import IMAGE_BYTES
from limner_wire.session import Heard

KINDS = (
    (b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"RIFF", "image/webp"),
)  # fmt: skip
LOOK_S = 0.1  # whether Ctrl-C was pressed


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be drawn.

    Attributes:
        settings: those that the user named.
        inputs: as read, and the `files` that they were read from, by role.
        models: names or folders; none for the best on this machine.
    """

    method: str
    settings: Mapping[str, Any]
    inputs: Inputs
    files: Mapping[str, Path]
    models: tuple[str, ...] = ()


@dataclass(slots=True)
class Drawn:
    """What became of it.

    Attributes:
        svg: nothing for a picture without strokes.
        about: prompt, seed, settings and score.
        stopped: whether it was stopped, or ended early.
    """

    svg: bytes
    png: bytes
    about: dict[str, Any]
    stopped: bool = False
    notices: list[str] = field(default_factory=list)


def draw_anywhere(wish: Wish, bar: Bar, stop: threading.Event) -> Drawn:
    """Draw with the backend if one runs that has what is needed, else in this process.

    Raises:
        LimnerError: for whatever in it makes no sense.
    """
    alone = wish.inputs.latent is not None  # which no front end can send
    drawn = None if alone else asyncio.run(_beside(wish, bar, stop))
    return drawn if drawn is not None else _alone(wish, bar, stop)


# --- in this process -------------------------------------------------------------------------


def _alone(wish: Wish, bar: Bar, stop: threading.Event) -> Drawn:
    method, device = METHODS[wish.method], best_device()
    named = wish.models or own_clips(method, wish.settings)
    models = Models(clip.load(named, device) if method.needs_models else ())
    recipe = models.clips[0].clip.recipe if models.clips else {}
    params = with_recipe(method, recipe, dict(wish.settings))
    names = ", ".join(w.clip.name for w in models.clips)
    bar.headline = f"{wish.method}{' with ' + names if names else ''} on {device.type}"
    outcome = session.run(
        method, params, wish.inputs, models, device=device, watch=bar, stop=stop, say=bar.say
    )
    svg, png, about = output.files(outcome.result, wish.inputs)
    return Drawn(svg, png, about, outcome.stopped, outcome.notices)


# --- with the backend ------------------------------------------------------------------------


async def _beside(wish: Wish, bar: Bar, stop: threading.Event) -> Drawn | None:
    """The drawing; None if no backend runs, or it lacks a model or the method."""
    async with here() as client:
        if client is None or not _has(client, wish):
            return None
        bar.headline = f"{wish.method} with the backend that runs"
        try:
            return await _asked(client, wish, bar, stop)
        except ConnectionClosed:
            words = "The backend went away while it drew."
            hint = "Start it again: it goes on, and `limner jobs list` shows the drawing."
            raise LimnerError(ErrorCode.BUSY, words, hint) from None


def _has(client: Client, wish: Wish) -> bool:
    welcome = client.session.welcome
    if welcome is None:
        return False
    models = {row["name"] for row in welcome.models}
    methods = {row["name"] for row in welcome.methods}
    return wish.method in methods and all(name.partition("@")[0] in models for name in wish.models)


async def _asked(client: Client, wish: Wish, bar: Bar, stop: threading.Event) -> Drawn:
    """One job, from its uploads to its end."""
    files = {role: read_bounded(path, IMAGE_BYTES) for role, path in wish.files.items()}
    inputs = {role: client.session.upload(data, kind(data)) for role, data in files.items()}
    height, width = wish.inputs.size
    job = m.Submit(
        str(uuid.uuid4()), wish.method, _plain(wish.settings), (width, height), inputs, wish.models
    )
    await uploaded(client, set(job.inputs.values()))
    await client.ask(job)
    stopping = asyncio.create_task(_cancel_when(client, job.job, stop))
    notices: list[str] = []
    try:
        while True:
            heard = await client.next()
            if getattr(heard.message, "job", "") != job.job:
                continue
            _show(heard, bar, notices)
            if isinstance(heard.message, m.Done):
                files = {name: bytes(buffer.data) for name, buffer in heard.buffers.items()}
                about = heard.message.about
                svg, png = files.get("svg", b""), files["png"]
                return Drawn(svg, png, about, stop.is_set(), notices)
    finally:
        stopping.cancel()


def _show(heard: Heard, bar: Bar, notices: list[str]) -> None:
    """What was heard, for the terminal.

    Raises:
        LimnerError: if the job failed, or someone else cancelled it.
    """
    match heard.message:
        case m.Progress(step=step, total=total, losses=losses):
            bar.show(step, total, losses)
        case m.Waiting(position=position) if position:
            bar.say(f"{position} before this one.")
        case m.Notice(text=text):
            notices.append(text)
            bar.say(text)
        case m.Failed(retryable=True) as refused:  # a change that was made elsewhere
            bar.say(refused.message)
        case m.Failed(code=ErrorCode.NOT_FINITE.value) as failed:
            notices.append(failed.message)
        case m.Failed() as failed:
            raise told(failed)
        case m.State(state="cancelled"):
            raise LimnerError(ErrorCode.CANCELLED, "The drawing was cancelled.")


async def uploaded(client: Client, wanted: set[str]) -> None:
    """Return when the backend has all inputs."""
    await client.flush()
    while not all(client.session.has_uploaded(sha) for sha in wanted):
        message = (await client.next()).message
        if isinstance(message, m.Failed):
            raise told(message)


async def _cancel_when(client: Client, job: str, stop: threading.Event) -> None:
    while not stop.is_set():  # noqa: ASYNC110 (a signal handler sets it)
        await asyncio.sleep(LOOK_S)
    with contextlib.suppress(ConnectionClosed):
        await client.ask(m.Cancel(job, keep=True))


def kind(data: bytes) -> str:
    """What a file is by its first bytes, as uploads name it."""
    return next((mime for start, mime in KINDS if data.startswith(start)), "image/svg+xml")


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
