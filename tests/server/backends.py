"""A real server on a free port, front ends with the real protocol, and an engine on strings."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from limner.client import Client, connected
from limner.engine.base import Engine, Hear, Kept, Lost, Over, Ready, Said
from limner.engine.order import Order
from limner.methods.registry import METHODS
from limner.methods.schema import schema
from limner.server.app import Server, Settings
from limner_wire import messages as m
from limner_wire import place
from limner_wire.frames import Buffer, encode
from limner_wire.limits import RESULT_BYTES
from limner_wire.session import Heard, Session
from limner_wire.strokes import Stroke, Strokes

PATIENCE_S = 30.0
CANVAS = (64, 48)


def new_job() -> str:
    return str(uuid.uuid4())


def submit(job: str = "", steps: int = 6, **changes: Any) -> m.Submit:
    """A small drawing; `params` are changed by name, the submit's own fields by `replace`."""
    settings = {"prompt": "a cat", "steps": steps, "strokes": 6, "cutouts": 2, "tidy": False}
    return m.Submit(job or new_job(), "clipdraw", settings | changes, CANVAS, models=("starter",))


class Puppet:
    """An engine that a test moves: it does nothing by itself, and forgets nothing."""

    def __init__(self, memory: int = 0) -> None:
        self.memory = memory
        self.orders: list[Order] = []
        self.commands: list[m.Message] = []

    async def start(self, hear: Hear) -> None:
        self.hear = hear
        self.ready()

    async def stop(self) -> None:
        pass

    def order(self, job: str, order: bytes) -> None:
        self.orders.append(Order.from_bytes(order))

    def command(self, message: m.Message) -> None:
        self.commands.append(message)

    def ready(self) -> None:
        methods = tuple(
            {
                "name": x.name, "title": x.title, "family": x.family, "about": x.about,
                "schema": schema(x.params), "inputs": list(x.inputs), "needs": list(x.needs),
                "models": x.needs_models,
            }
            for x in METHODS.values()
        )  # fmt: skip
        models = ({"name": "starter", "note": "", "recipe": {}},)
        self.hear(Ready("cpu", methods, models, self.memory))

    @property
    def job(self) -> str:
        return self.orders[-1].submit.job

    def state(self, state: str, step: int = 0) -> None:
        self.hear(Said(m.State(self.job, 0, state, step=step)))

    def run(self) -> None:
        self.state("loading")
        self.state("running")

    def frame(self, step: int, x: float = 1.0) -> None:
        head, buffers = strokes_frame(self.job, step, x)
        self.hear(Said(head, encode(head.json(), buffers)))

    def progress(self, step: int) -> None:
        self.hear(Said(m.Progress(self.job, 0, step, 100, {"loss": -0.5})))

    def keep(self, step: int, data: bytes = b"state") -> None:
        self.hear(Kept(self.job, "checkpoint", step, data))
        head, buffers = strokes_frame(self.job, step, 2.0)
        self.hear(Kept(self.job, "frame", step, encode(head.json(), buffers)))

    def done(self, state: str = "done", png: bytes = b"\x89PNG") -> None:
        files = [Buffer("svg", "u8", (6,), b"<svg/>"), Buffer("png", "u8", (len(png),), png)]
        head = m.Done(self.job, 0, {"prompt": "a cat", "seed": 0}, state, 6)
        self.hear(Said(head, encode(head.json(), files, RESULT_BYTES)))
        self.hear(Over(self.job))

    def ended(self, state: str) -> None:
        self.state(state)
        self.hear(Over(self.job))

    def lost(self, *, is_replaced: bool = True) -> None:
        job = self.job if self.orders else ""
        self.hear(Lost(job, "the worker ended with -9", is_replaced))


def strokes_frame(job: str, step: int, x: float) -> tuple[m.StrokesFrame, list[Buffer]]:
    stroke = Stroke([(x, 1.0), (2.0, 3.0), (4.0, 5.0), (6.0, 7.0)], 2.0, (10, 20, 30, 255))
    strokes = Strokes.of([stroke] * 3, CANVAS)
    return m.StrokesFrame(job, 0, step, CANVAS), strokes.buffers()


class Front:
    """A front end: asks, and waits for what it should hear. It shows frames at once."""

    def __init__(self, client: Client) -> None:
        self._client, self.session = client, client.session
        self.heard: list[Heard] = []

    async def ask(self, *asked: m.Message) -> None:
        for message in asked:
            self.session.ask(message)
        await self._client.flush()

    async def until(self, condition: Callable[[Heard], bool]) -> Heard:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                heard = await self._client.next()
                self.heard.append(heard)
                if condition(heard):
                    return heard

    async def hear(self, kind: type[m.Message], **fields: Any) -> Any:
        """The next message of a kind with these fields."""

        def fits(heard: Heard) -> bool:
            message = heard.message
            return isinstance(message, kind) and all(
                getattr(message, k) == v for k, v in fields.items()
            )

        return (await self.until(fits)).message

    async def answer(self, message: m.Message, kind: type[m.Message], **fields: Any) -> Any:
        await self.ask(message)
        return await self.hear(kind, **fields)

    def of(self, kind: type[m.Message]) -> list[Any]:
        return [h.message for h in self.heard if isinstance(h.message, kind)]

    @property
    def states(self) -> list[str]:
        return [s.state for s in self.of(m.State)]


@contextlib.asynccontextmanager
async def backend(
    folder: Path, engine: Engine | None = None, settings: Settings | None = None,
    others: Sequence[Engine] = (),
) -> AsyncIterator[Server]:  # fmt: skip
    """A server that runs while the block does."""
    settings = settings or Settings(port=0)
    async with Server(settings, [engine or Puppet(), *others], folder).running() as server:
        yield server


@contextlib.asynccontextmanager
async def front(
    server: Server, name: str = "test", *, ticket: str = "", session: Session | None = None,
    **hello: Any,
) -> AsyncIterator[Front]:  # fmt: skip
    """A front end that is connected while the block runs; the owner's, without a ticket."""
    token = "" if ticket else place.token()
    session = session or Session(f"{name}/1", token, ticket=ticket, **hello)
    async with connected(session, server.url) as client:
        yield Front(client)


def with_fields(wanted: m.Submit, **fields: Any) -> m.Submit:
    return replace(wanted, **fields)


Play = Callable[[Server, Puppet, Front], Awaitable[Any]]


def played(folder: Path, play: Play) -> Any:
    """What comes of a play with a backend in a folder, its engine, and one front end."""

    async def run() -> Any:
        engine = Puppet()
        async with backend(folder, engine) as server, front(server) as one:
            return await play(server, engine, one)

    return asyncio.run(run())
