"""`limner serve` and `limner open`: the backend, and a link to its page."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from limner import __version__
from limner.client import here
from limner.engine.base import Engine
from limner.server.app import Server, Settings
from limner_wire import place
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.messages import Invite, Invited

PROCESS, IN_PROCESS, RAY = ENGINES = "process", "in-process", "ray"
GUEST = "for someone else, who sees only their own drawings: a name"


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(serve if name == "serve" else open_page)


def serve(
    open_: Annotated[bool, typer.Option("--open", help="open the page in a browser")] = False,
    host: Annotated[str, typer.Option(help="where to listen")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help=f"default {place.PORT}, or any if that is taken")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="this machine's name for others")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="certificate (PEM), for other machines")] = None,
    key: Annotated[Path | None, typer.Option(help="its key (PEM)")] = None,
    keep: Annotated[
        float, typer.Option(help="GB for history and results; the oldest go first")
    ] = 4.0,
    threads: Annotated[int | None, typer.Option(help="CPU threads of the worker")] = None,
    engine: Annotated[str, typer.Option(help=" | ".join(ENGINES) + ": where it draws")] = ENGINES[
        0
    ],
    address: Annotated[
        str | None, typer.Option(help="of a Ray cluster's head; none for this machine alone")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="log more")] = False,
) -> int:
    """Serve Krita, Blender and the browser on this machine, until Ctrl-C."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    settings = Settings(host, port, tuple(name or ()), cert, key, int(keep * 1e9))
    return asyncio.run(_serve(settings, engines_of(engine, address, threads), open_))


def open_page(
    guest: Annotated[str, typer.Option("--for", help=GUEST)] = "",
    show: Annotated[bool, typer.Option("--print", help="print the link, open nothing")] = False,
) -> int:
    """Open the page of the backend that runs; the link works once, within a minute."""
    link = asyncio.run(_link(guest))
    if link is None:
        raise LimnerError(ErrorCode.BUSY, "No backend runs.", "Start one: limner serve --open")
    typer.echo(link)
    if not show and not guest:
        webbrowser.open(link)
    return 0


def engines_of(kind: str, address: str | None, threads: int | None) -> Sequence[Engine]:
    """What draws: one of `ENGINES`.

    Args:
        address: of a Ray cluster's head.
        threads: of each worker.

    Raises:
        LimnerError: BAD_INPUT if there is none such, or Ray is not here.
    """
    if kind not in ENGINES:
        known = ", ".join(ENGINES)
        raise LimnerError(ErrorCode.BAD_INPUT, f"There is no engine {kind!r:.40}.", f"Say {known}.")
    if address and kind != RAY:
        raise LimnerError(ErrorCode.BAD_INPUT, "--address is a Ray cluster's.", "Add --engine ray.")
    if kind == PROCESS:
        from limner.engine.zeromq import ZeroMQ

        return [ZeroMQ(threads)]
    if kind == RAY:
        try:
            from limner.engine import ray
        except ModuleNotFoundError as problem:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "Ray is not installed.", 'pip install "limner[ray]"'
            ) from problem
        return ray.engines(address, threads)
    import torch

    from limner.engine.inprocess import InProcess
    from limner.models.device import best_device

    if threads:
        torch.set_num_threads(threads)
    return [InProcess(best_device())]


async def _serve(settings: Settings, engines: Sequence[Engine], open_: bool) -> int:
    link = await _link("")
    if link is not None:
        typer.echo(f"A backend runs already: {link}")
        if open_:
            webbrowser.open(link)
        return 0
    stopping = _stopping()
    async with Server(settings, engines, place.data_folder()).running() as server:
        link = f"{server.url}#ticket={server.keys.ticket(time.monotonic())}"
        typer.echo(f"Limner {__version__} serves {server.url} — Ctrl-C saves what is being drawn.")
        typer.echo(f"The page, once, within a minute: {link}   (later: limner open)")
        if open_:
            webbrowser.open(link)
        await stopping.wait()
        typer.echo("Saving…")
    return 0


def _stopping() -> asyncio.Event:
    """An event that the first Ctrl-C (or SIGTERM) sets; the second ends the program at once."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def on_signal(number: int, frame: object) -> None:
        if stopping.is_set():
            os._exit(130)
        loop.call_soon_threadsafe(stopping.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return stopping


async def _link(guest: str) -> str | None:
    """A one-time link to the page of the backend that runs; None if none does."""
    async with here() as client:
        if client is None:
            return None
        await client.ask(Invite(guest))
        while not isinstance(answer := (await client.next()).message, Invited):
            pass
        found = place.backend()
        return f"{found.url}#ticket={answer.ticket}" if found else None
