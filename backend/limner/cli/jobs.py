"""`limner jobs`: what the backend that runs has drawn and is drawing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from websockets.exceptions import ConnectionClosed

from limner.cli.progress import shown
from limner.client import Client, here, told
from limner.files import svg_and_png, write_atomic
from limner_wire import messages as m
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.session import Heard

T = TypeVar("T")
Job = Annotated[str, typer.Argument(help="its id, or the first letters of it")]
Json = Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")]
SHOWN, WORDS = 8, 50  # letters of an id, and of a prompt


def register(app: typer.Typer, name: str) -> None:
    """Put the commands into the program."""
    group = typer.Typer(no_args_is_help=True)
    for command, function in (
        ("list", show_all), ("show", show), ("watch", watch), ("cancel", cancel),
        ("export", export), ("delete", delete),
    ):  # fmt: skip
        group.command(command)(function)
    app.add_typer(group, name=name, help="List, show, watch, cancel and export drawings.")


def show_all(
    count: Annotated[int, typer.Option(min=1, max=100, help="at most so many")] = 20,
    as_json: Json = False,
) -> None:
    """List the drawings, the newest first."""

    async def ask(client: Client) -> Any:
        return await _answer(client, m.ListJobs(count=count), m.Jobs)

    jobs = _with_backend(ask).jobs
    if as_json:
        typer.echo(json.dumps(jobs, ensure_ascii=False))
        return
    table = Table("id", "state", "step", "method", "prompt", "asked for", box=None)
    for job in jobs:
        asked = time.strftime("%Y-%m-%d %H:%M", time.localtime(job["created"]))
        step = f"{job['step']}/{job['total']}" if job["total"] else str(job["step"])
        words = escape(_plain(job["prompt"]))
        state = "ready to keep" if job["stays"] else job["state"]
        table.add_row(job["job"][:SHOWN], state, step, job["method"], words, asked)
    Console().print(table)


def show(job: Job) -> None:
    """Print everything about a drawing but its pictures, as JSON."""

    async def ask(client: Client) -> Any:
        return await _answer(client, m.Describe(await _find(client, job)), m.Described)

    typer.echo(json.dumps(_with_backend(ask).about, ensure_ascii=False, indent=1))


def watch(job: Job) -> None:
    """Watch a drawing until it is over."""

    async def ask(client: Client) -> str:
        name = await _find(client, job)
        client.session.watch(name)
        with shown(quiet=False) as bar:
            bar.headline = f"drawing {name[:SHOWN]}"
            while True:
                message = (await client.next()).message
                match message:
                    case m.Progress(step=step, total=total, losses=losses):
                        bar.show(step, total, losses)
                    case m.Notice(text=text):
                        bar.say(text)
                    case m.Adjusted(step=step, params=params):
                        bar.say(f"from step {step} on: {json.dumps(params, ensure_ascii=False)}")
                    case m.Failed() as failed:
                        bar.say(f"{failed.message} {failed.hint}".strip())
                    case m.State(state=state, note=note):
                        bar.say(f"{state}. {note}".strip())
                        if state in m.ENDED:
                            return state
                    case m.Done(state=state):
                        return state

    state = _with_backend(ask)
    typer.echo(f"{state}; limner jobs export {job} --out drawing.svg" if state == "done" else state)


def cancel(
    job: Job,
    drop: Annotated[bool, typer.Option("--drop", help="keep nothing of it")] = False,
) -> None:
    """End a drawing; what it has is kept, unless --drop."""

    async def ask(client: Client) -> None:
        asked = m.Cancel(await _find(client, job), keep=not drop)
        await _answer(client, asked, m.Taken)

    _with_backend(ask)


def delete(job: Job) -> None:
    """Delete a drawing that is over, with all that belongs to it."""

    async def ask(client: Client) -> None:
        await _answer(client, m.Forget(await _find(client, job)), m.Forgotten)

    _with_backend(ask)


def export(
    job: Job,
    out: Annotated[Path, typer.Option("--out", help="the SVG; a PNG goes beside it")] = Path(
        "drawing.svg"
    ),
) -> None:
    """Write a drawing's SVG and PNG; a picture without strokes is a PNG alone."""
    svg, png = svg_and_png(out)

    async def ask(client: Client) -> Heard:
        await client.ask(m.Fetch(await _find(client, job)))
        return await _hear(client, m.Done)

    heard = _with_backend(ask)
    write_atomic(png, bytes(heard.buffers["png"].data))
    if "svg" not in heard.buffers:
        typer.echo(f"{png}")
        return
    write_atomic(svg, bytes(heard.buffers["svg"].data))
    typer.echo(f"{svg} and {png.name}")


def _plain(prompt: str) -> str:
    """A prompt, perhaps a guest's, as it may stand on a terminal: one short line, no commands."""
    words = "".join(c if c.isprintable() else "�" for c in prompt)
    return words if len(words) <= WORDS else words[: WORDS - 1] + "…"


def _with_backend(work: Callable[[Client], Awaitable[T]]) -> T:
    """What is asked of the backend that runs.

    Raises:
        LimnerError: BUSY if none runs; whatever it refuses.
    """

    async def run() -> T:
        async with here() as client:
            if client is None:
                words = "No backend runs, so nobody can say."
                raise LimnerError(ErrorCode.BUSY, words, "Start it: limner serve")
            try:
                return await work(client)
            except ConnectionClosed:
                words = "The backend went away."
                raise LimnerError(ErrorCode.BUSY, words, "Start it: limner serve") from None

    return asyncio.run(run())


async def _hear(client: Client, kind: type[m.Message]) -> Heard:
    while True:
        heard = await client.next()
        if isinstance(heard.message, m.Failed) and not heard.message.seq:
            raise told(heard.message)
        if isinstance(heard.message, kind):
            return heard


async def _answer(client: Client, asked: m.Message, kind: type[m.Message]) -> Any:
    await client.ask(asked)
    return (await _hear(client, kind)).message


async def _find(client: Client, start: str) -> str:
    """The id that begins so.

    Raises:
        LimnerError: UNKNOWN_JOB if none does, or several.
    """
    jobs = (await _answer(client, m.ListJobs(count=100), m.Jobs)).jobs
    found = [job["job"] for job in jobs if job["job"].startswith(start)]
    if len(found) == 1:
        return str(found[0])
    words = f"{len(found) or 'No'} drawing{'s' * (len(found) > 1)} begin{'s' * (not found)} with"
    raise LimnerError(
        ErrorCode.UNKNOWN_JOB, f"{words} {start[:40]!r}.", "`limner jobs list` shows them."
    )
