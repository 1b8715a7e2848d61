"""`limner serve` as a process of its own, that can be killed; artists who come back to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from backends import submit
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from limner.client import Client, connected
from limner.pictures import encode_png
from limner_wire import messages as m
from limner_wire import place
from limner_wire.session import Heard, Session

LIMNER = ("-m", "limner")
SABOTAGED = (str(Path(__file__).with_name("sabotage.py")),)
START_S = 60.0  # the longest that any start may take here
PATIENCE_S = 120.0  # with anything that is tested for happening, not for when
LOOK_S = 0.02


def times(name: str, usual: int) -> int:
    """How often to do something: as the environment says, else as often as a quick run can."""
    return int(os.environ.get(name, usual))


def seeded(seed: int) -> random.Random:
    """Chance that can be had again."""
    print(f"seed {seed}")
    return random.Random(seed)


async def soon(condition: Callable[[], Any], seconds: float) -> float:
    """After how many seconds the condition held; it must, within so many."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def environment(**more: str) -> dict[str, str]:
    """What a process is started with: as here, but what Python compiles it keeps. A worker that
    compiles all of torch at each of its many starts takes three times as long."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | more


class Serving:
    """`limner serve` on any port, with its own folder; it may be started more than once.

    Args:
        program: what Python runs.
    """

    def __init__(self, folder: Path, program: tuple[str, ...] = LIMNER) -> None:
        self.folder, self._program = folder, program
        self.log = folder / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def start(self) -> float:
        """Start it; how many seconds until it listened."""
        began = time.monotonic()
        argv = [sys.executable, *self._program, "serve", "--port", "0", "--threads", "1"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdout=log, stderr=log, env=environment(LIMNER_DATA=str(self.folder))
            )
        while (found := place.backend()) is None or found.pid != self._process.pid:
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() - began < START_S
            time.sleep(LOOK_S)
        return time.monotonic() - began

    def kill(self) -> None:
        """End it as a power switch would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> float:
        """Ask it to end; how many seconds it took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        return time.monotonic() - began

    def ended(self, patience_s: float = PATIENCE_S) -> int:
        """Its exit code, when it has ended."""
        assert self._process is not None
        return self._process.wait(patience_s)

    def worker(self) -> psutil.Process | None:
        """Its worker, if there is one."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in self.process.children():
                if child.status() != psutil.STATUS_ZOMBIE and "worker" in child.cmdline()[-1]:
                    return child
        return None

    def others(self) -> list[psutil.Process]:
        """Every process that works for this folder, whoever started it, but the server itself."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                own = process.environ().get("LIMNER_DATA") == str(self.folder)
                if own and process.pid not in (os.getpid(), self._process and self._process.pid):
                    found.append(process)
        return found

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
                return
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def data_folder(folder: Path) -> Iterator[None]:
    """LIMNER_DATA is this folder while the block runs."""
    before = os.environ.get("LIMNER_DATA")
    os.environ["LIMNER_DATA"] = str(folder)
    try:
        yield
    finally:
        del os.environ["LIMNER_DATA"]
        if before is not None:
            os.environ["LIMNER_DATA"] = before


def pid_of(serving: Serving) -> int:
    """The worker's process id; there must be one."""
    worker = serving.worker()
    assert worker is not None
    return int(worker.pid)


# --- an artist who comes back ---------------------------------------------------------------------


class Artist:
    """A front end that comes back after every fall, and writes down what it hears, and when.

    Attributes:
        events: the durable events of each job, in the order in which they were heard.
        heard: everything else too, with its moment.
    """

    def __init__(self, name: str = "artist") -> None:
        self.session = Session(f"{name}/1", place.token())
        self.events: dict[str, list[Any]] = defaultdict(list)
        self.heard: list[tuple[float, Heard]] = []
        self.falls = 0
        self._client: Client | None = None
        self._news = asyncio.Event()
        self._broken: BaseException | None = None

    async def live(self) -> None:
        """Be there, for as long as this is awaited."""
        try:
            await self._live()
        except Exception as problem:
            self._broken = problem
            self._tell_all()

    async def _live(self) -> None:
        while True:
            try:
                found = place.backend()
                if found is None:
                    raise ConnectionError("no backend runs")
                async with connected(self.session, found.url) as client:
                    self._client = client
                    self._tell_all()
                    while True:
                        self._note(await client.next())
            except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError):
                pass
            finally:
                self._client = None
                self._tell_all()
            wait = self.session.disconnected()
            assert wait is not None, "it was sent away"
            self.falls += 1
            await asyncio.sleep(min(wait, 0.5))

    def _note(self, heard: Heard) -> None:
        message: Any = heard.message
        self.heard.append((time.monotonic(), heard))
        if message.t in m.DURABLE and message.seq:
            self.events[message.job].append(heard)
        self._tell_all()

    def _tell_all(self) -> None:
        self._news.set()

    @property
    def is_there(self) -> bool:
        return self._client is not None

    async def ask(self, *asked: m.Message) -> float:
        """Ask for something, now or when it is back; when that was."""
        for message in asked:
            self.session.ask(message)
        if self._client is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._client.flush()
        return time.monotonic()

    async def until(self, condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """What the condition gives as soon as that is something."""
        async with asyncio.timeout(patience_s):
            while not (found := condition()):
                if self._broken is not None:
                    raise self._broken
                self._news.clear()
                await self._news.wait()
        return found

    def of(self, kind: type[m.Message], **fields: Any) -> list[Any]:
        """The messages of a kind, with these fields."""
        return [message for _, message in self.moments(kind, **fields)]

    def moments(self, kind: type[m.Message], **fields: Any) -> list[tuple[float, Any]]:
        """The messages of a kind, with these fields, and when they were heard."""
        return [
            (when, heard.message)
            for when, heard in self.heard
            if isinstance(heard.message, kind)
            and all(getattr(heard.message, k) == v for k, v in fields.items())
        ]

    async def hear(self, kind: type[m.Message], *, again: int = 1, **fields: Any) -> Any:
        """The first message of a kind with these fields; or the second, or a later one."""
        await self.until(lambda: len(self.of(kind, **fields)) >= again)
        return self.of(kind, **fields)[again - 1]

    async def ready(self) -> None:
        """Wait until there is a worker."""

        def has_worker() -> bool:
            return self.is_there and bool(self.session.welcome and self.session.welcome.ready)

        await self.until(has_worker)

    def state(self, job: str) -> str:
        """What was last heard of where a job stands."""
        states = [
            h.message.state for h in self.events[job] if isinstance(h.message, m.State | m.Done)
        ]
        return states[-1] if states else ""

    def states(self, job: str) -> list[str]:
        return [h.message.state for h in self.events[job] if isinstance(h.message, m.State)]

    def told(self, job: str) -> list[dict[str, Any]]:
        """The durable events of a job."""
        return [h.message.json() for h in self.events[job]]

    def result(self, job: str) -> bytes:
        """The SVG that a job ended with."""
        (done,) = [h for h in self.events[job] if isinstance(h.message, m.Done)]
        return bytes(done.buffers["svg"].data)

    def heard_all_once(self, job: str) -> bool:
        """Whether every durable event was heard, once, in order."""
        seqs = [h.message.seq for h in self.events[job]]
        ends = [h for h in self.events[job] if getattr(h.message, "state", "") in m.ENDED]
        return seqs == list(range(1, len(seqs) + 1)) and len(ends) == 1


@contextlib.asynccontextmanager
async def artist(name: str = "artist") -> AsyncIterator[Artist]:
    """An artist at the backend of this folder, who is there when a worker is."""
    one = Artist(name)
    living = asyncio.create_task(one.live())
    try:
        await one.ready()
        yield one
    finally:
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living


def drawing(steps: int = 200, **changes: Any) -> m.Submit:
    """A drawing of some seconds; the same settings make the same drawing, bit for bit."""
    return submit(steps=steps, **changes)


async def tracing(one: Artist, steps: int = 30, seed: int = 0) -> m.Submit:
    """A tracing, for which no network is loaded; its picture has been sent when this returns."""
    picture = encode_png(torch.linspace(0, 1, 48)[None, None].expand(3, 48, 48).contiguous(), {})
    sha = one.session.upload(picture, "image/png")
    await one.ask()
    await one.until(lambda: one.session.has_uploaded(sha))
    settings = {"strokes": 12, "steps": steps, "seed": seed}
    return replace(submit(), method="trace", params=settings, inputs={"init": sha}, models=())
