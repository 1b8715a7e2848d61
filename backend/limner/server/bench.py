"""What live costs: the server under load, a frame's way to the screen, a worker that is watched.

Times of different processes are compared by the monotonic clock that they share on one machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from limner.client import Client, connected
from limner.engine.base import Hear, Ready, Said
from limner.engine.zeromq import ZeroMQ
from limner.server.app import Server, Settings
from limner_wire import messages as m
from limner_wire import place
from limner_wire.frames import encode
from limner_wire.session import Session
from limner_wire.strokes import Stroke, Strokes

FAST, SLOW, FRAMES_A_S, STROKES = 45, 5, 30.0, 256
SLOWNESS_S = 0.5  # between two frames that a slow client shows
SETTLE_S = 2.0
CANVAS = (512, 512)
JOB = "00000000-0000-4000-8000-000000000000"


def measure(seconds: float) -> dict[str, str]:
    """All figures, in words; each measurement takes so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIMNER_DATA"] = folder
        return asyncio.run(_load(Path(folder), seconds)) | asyncio.run(_real(Path(folder), seconds))


# --- fifty clients on one job ----------------------------------------------------------------


class _Metronome:
    """An engine whose only job is a frame of 256 strokes, thirty times a second."""

    async def start(self, hear: Hear) -> None:
        self._hear = hear
        form = {"type": "object", "properties": {}, "required": []}
        row = {"name": "beat", "title": "", "about": "", "schema": form, "inputs": [], "needs": []}
        hear(Ready("cpu", (row,), ()))

    def order(self, job: str, order: bytes) -> None:
        self._hear(Said(m.State(job, 0, "running")))
        self._beating = asyncio.create_task(self._beat(job))

    def command(self, message: m.Message) -> None:
        pass

    async def stop(self) -> None:
        self._beating.cancel()

    async def _beat(self, job: str) -> None:
        line = [(x * 5.0, x * 3.0) for x in range(7)]
        buffers = Strokes.of([Stroke(line, 3.0, (9, 9, 9, 255))] * STROKES, CANVAS).buffers()
        for step in itertools.count(1):
            head = m.StrokesFrame(job, 0, step, CANVAS, at=time.monotonic())
            self._hear(Said(head, encode(head.json(), buffers)))
            self._hear(Said(m.Progress(job, 0, step, 0, {"loss": -0.5})))
            await asyncio.sleep(1 / FRAMES_A_S)


async def _load(folder: Path, seconds: float) -> dict[str, str]:
    async with Server(Settings(port=0), [_Metronome()], folder).running() as server:
        clients = subprocess.Popen(  # noqa: ASYNC220, S603 (quick, and our own)
            [sys.executable, "-m", "limner.server.bench", server.url, str(seconds)],
            stdout=subprocess.PIPE,
        )
        await asyncio.sleep(SETTLE_S + seconds * 0.1)
        before, cpu, began = _memory_mb(), time.process_time(), time.monotonic()
        await asyncio.sleep(seconds * 0.8)
        share = (time.process_time() - cpu) / (time.monotonic() - began)
        grown = _memory_mb() - before
        out, _ = await asyncio.to_thread(clients.communicate)
    found = json.loads(out)
    return {
        f"{FAST + SLOW} clients at {FRAMES_A_S:g} Hz, {SLOW} slow: fast, p50": _ms(found["p50"]),
        "  fast, p99": _ms(found["p99"]),
        "  frames that the fast got": f"{found['got']:.0%}",
        "  slow, p50 (they show a frame every 500 ms)": _ms(found["slow"]),
        "  server's processor (with making the frames)": f"{share:.0%} of a core",
        "  server's memory": f"{grown:+.1f} MB in {seconds * 0.8:.0f} s",
    }


async def _clients(url: str, seconds: float) -> dict[str, float]:
    """What the clients see: seconds from a frame's making to its decoding."""
    until = time.monotonic() + SETTLE_S + seconds
    fast = [asyncio.create_task(_client(url, 0.0, until)) for _ in range(FAST)]
    slow = [asyncio.create_task(_client(url, SLOWNESS_S, until)) for _ in range(SLOW)]
    ages = [age for task in fast for age in (await task)]
    late = [age for task in slow for age in (await task)]
    cuts = statistics.quantiles(ages, n=100)
    wanted = FAST * FRAMES_A_S * seconds
    return {"p50": cuts[49], "p99": cuts[98], "got": len(ages) / wanted,
            "slow": statistics.median(late)}  # fmt: skip


async def _client(url: str, pause_s: float, until: float) -> list[float]:
    ages: list[float] = []
    async with _front(url) as client:
        await client.ask(m.Submit(JOB, "beat", {}, CANVAS))
        begins = time.monotonic() + SETTLE_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                while True:
                    message = (await client.next()).message
                    now = time.monotonic()
                    if isinstance(message, m.StrokesFrame):
                        if now > begins:
                            ages.append(now - message.at)
                        await asyncio.sleep(pause_s)
    return ages


# --- a real drawing --------------------------------------------------------------------------


async def _real(folder: Path, seconds: float) -> dict[str, str]:
    async with (
        Server(Settings(port=0), [ZeroMQ()], folder / "real").running() as server,
        _front(server.url, server.keys.ticket(time.monotonic())) as client,
    ):
        job = str(uuid.uuid4())
        settings = {"prompt": "a red apple", "steps": 20_000}
        await client.ask(m.Submit(job, "clipdraw", settings, (224, 224)))
        await _frames(client, SETTLE_S)
        frames = await _frames(client, seconds)
        ages = statistics.quantiles([heard - frame.at for frame, heard in frames], n=100)
        rates = await _rates(client, job, seconds)
        await client.ask(m.Cancel(job, keep=False))
    return {
        "a step's end in the worker to its frame, decoded: p50": _ms(ages[49]),
        "  p99": _ms(ages[98]),
        "steps a second, unwatched": f"{rates[0]:.1f}",
        "  watched": f"{rates[1]:.1f}",
        "  watching costs": f"{1 - rates[1] / rates[0]:.1%}",
    }


async def _rates(client: Client, job: str, seconds: float) -> tuple[float, float]:
    """Median steps a second over turns that are not watched, and over those that are."""
    turns: tuple[list[float], list[float]] = ([], [])
    last = (await _frames(client, 0.5))[-1][0]
    for _ in range(8):
        client.session.unwatch(job)
        await client.flush()
        await asyncio.sleep(seconds / 8)
        client.session.watch(job)
        frames = [frame for frame, _ in await _frames(client, seconds / 8)]
        turns[0].append(_rate(last, frames[0]))
        turns[1].append(_rate(frames[0], frames[-1]))
        last = frames[-1]
    return statistics.median(turns[0]), statistics.median(turns[1])


def _rate(first: m.StrokesFrame, last: m.StrokesFrame) -> float:
    return (last.step - first.step) / (last.at - first.at)


async def _frames(client: Client, seconds: float) -> Sequence[tuple[m.StrokesFrame, float]]:
    """The frames of so many seconds, from the first that is new, and when each was decoded."""
    frames: list[tuple[m.StrokesFrame, float]] = []
    since = time.monotonic()
    while not frames or time.monotonic() < frames[0][1] + seconds:
        message = (await client.next()).message
        if isinstance(message, m.StrokesFrame) and message.at > since:
            frames.append((message, time.monotonic()))
    return frames


@contextlib.asynccontextmanager
async def _front(url: str, ticket: str = "") -> AsyncIterator[Client]:
    session = Session("bench/1", "" if ticket else place.token(), ticket=ticket)
    async with connected(session, url) as client:
        yield client


def _memory_mb() -> float:
    """Resident; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return 0.0


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_clients(sys.argv[1], float(sys.argv[2])))))
