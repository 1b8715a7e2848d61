"""What attackers do: bytes on a socket, a websocket by hand; and a server that outlives them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from backends import Front, Puppet, backend, front, submit

from limner.engine.base import Engine
from limner.server.app import Server, Settings
from limner_wire import messages as m
from limner_wire import place
from limner_wire.frames import encode_text
from limner_wire.limits import RESULT_BYTES

GROWTH_BYTES = 64 * 2**20
ANSWER_S = 15.0
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
OURS = ("limner", "asyncio")  # whose words are read
GONE = 1006  # the connection ended without a close frame

Play = Callable[[Server], Awaitable[Any]]


def times(name: str, usual: int) -> int:
    """How often to do something: as the environment says, else as often as a quick run can."""
    return int(os.environ.get(name, usual))


# --- a server that is attacked -----------------------------------------------------------------


class Overheard(logging.Handler):
    """Everything that a server says to its log, and what asyncio has to complain of."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def text(self) -> str:
        return "\n".join(map(self.format, self.records))

    @property
    def mistakes(self) -> list[str]:
        return [self.format(r) for r in self.records if r.exc_info or r.levelno >= logging.ERROR]


@contextlib.contextmanager
def overheard() -> Iterator[Overheard]:
    log = Overheard()
    loggers = [logging.getLogger(name) for name in OURS]  # all of them would keep every frame
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(log)
        logger.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(log)
            logger.setLevel(level)


def attacked(
    folder: Path, attack: Play, engine: Engine | None = None, settings: Settings | None = None,
    *, mistakes: int = 0,
) -> Overheard:  # fmt: skip
    """Attack a server; then it serves the next job, has not grown, and has made no mistake."""

    async def run() -> None:
        driver = engine or Puppet()
        async with backend(folder, driver, settings) as server:
            await serves(server, driver)
            before = _resident()
            await attack(server)
            if _resident() - before > GROWTH_BYTES:
                gc.collect()  # it takes half a second, with torch there
            grown = _resident() - before
            await serves(server, driver)
            assert grown < GROWTH_BYTES, f"it grew by {grown / 2**20:.0f} MiB"

    with overheard() as log:
        asyncio.run(run())
    assert len(log.mistakes) == mistakes, log.text
    return log


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def names(folder: Path) -> set[str]:
    """What lies in a folder."""
    return {path.name for path in folder.iterdir()}


async def serves(server: Server, engine: Engine | None = None) -> None:
    """A valid front end comes in, and its drawing is made."""
    async with front(server, "honest") as one:
        asked = submit(steps=2)
        await one.answer(asked, m.State, job=asked.job, state="queued")
        if isinstance(engine, Puppet):
            assert engine.job == asked.job
            engine.run()
            engine.done()
        await one.hear(m.Done, job=asked.job)


async def refused(one: Front, asked: m.Message, code: str) -> None:
    """What is asked for is answered by this error."""
    failed = await one.answer(asked, m.Failed)
    assert failed.code == code, failed


# --- bytes on a socket ---------------------------------------------------------------------------


async def said(port: int, data: bytes, host: str = "127.0.0.1") -> bytes:
    """What is answered to some bytes, until the server has no more to say."""
    reader, writer = await asyncio.open_connection(host, port)
    answer = b""
    with contextlib.suppress(ConnectionError):
        writer.write(data)
        async with asyncio.timeout(ANSWER_S):
            while part := await reader.read(65536):
                answer += part
                if b"HTTP/1.1 101 " in answer:
                    break  # it would go on as a websocket
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def request(
    port: int, path: str = "/live", method: str = "GET", *more: tuple[str, str],
    headers: Mapping[str, str] = UPGRADE, host: str = "",
) -> bytes:  # fmt: skip
    """An HTTP request, of a websocket unless other headers are given."""
    given = [("Host", host or f"127.0.0.1:{port}"), *headers.items(), *more]
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def status(answer: bytes) -> int:
    """Of an answer; 0 if the server only hung up."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


async def asked(port: int, *more: tuple[str, str], **how: Any) -> int:
    """The status that a request for the websocket is answered with."""
    return status(await said(port, request(port, "/live", "GET", *more, **how)))


# --- a websocket by hand -------------------------------------------------------------------------


class Stranger:
    """A websocket that may send whatever it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self.heard: list[bytes] = []

    async def frame(self, opcode: int, data: bytes | str = b"", **how: Any) -> None:
        """Send a frame, whole or not, good or bad."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(frame(opcode, data, **how))
            await self.writer.drain()

    async def say(self, message: m.Message) -> None:
        await self.frame(TEXT, encode_text(message.json()))

    async def next(self) -> tuple[int, bytes]:
        """The next frame: its opcode and what is in it; GONE when there is no more."""
        try:
            first, length = await self._reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack(">H", await self._reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
            assert length < RESULT_BYTES
            return first & 15, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return GONE, b""

    async def closed(self) -> int:
        """The code with which the server hangs up; what it says before is kept in `heard`."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                opcode, data = await self.next()
                if opcode == CLOSE:
                    return int.from_bytes(data[:2], "big")
                if opcode == GONE:
                    return GONE
                if opcode in (TEXT, BINARY):
                    self.heard.append(data)

    async def until(self, word: bytes) -> bytes:
        """The next message in which a word stands."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                opcode, data = await self.next()
                assert opcode not in (CLOSE, GONE), f"it hung up: {data!r}"
                if word in data:
                    return data


def frame(opcode: int, data: bytes | str = b"", *, end: bool = True, masked: bool = True,
          reserved: int = 0, length: int | None = None) -> bytes:  # fmt: skip
    """A client's frame, masked with zeros."""
    body = data.encode() if isinstance(data, str) else data
    size, mask = len(body) if length is None else length, 128 * masked
    first = opcode | 128 * end | reserved << 4
    if size < 126:
        head = struct.pack(">BB", first, mask | size)
    elif size < 2**16:
        head = struct.pack(">BBH", first, mask | 126, size)
    else:
        head = struct.pack(">BBQ", first, mask | 127, size)
    return head + bytes(4 * masked) + body


@contextlib.asynccontextmanager
async def stranger(port: int, *, token: str | None = None, client: str = "stranger",
                   extensions: str = "") -> AsyncIterator[Stranger]:  # fmt: skip
    """A websocket by hand, that has said hello if it has a token."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    more = [("Sec-WebSocket-Extensions", extensions)] if extensions else []
    writer.write(request(port, "/live", "GET", *more))
    answer = await reader.readuntil(b"\r\n\r\n")
    assert status(answer) == 101, answer
    assert b"extensions" not in answer.lower()
    one = Stranger(reader, writer)
    try:
        if token is not None:
            await one.say(m.Hello((m.PROTOCOL,), client, token))
            await one.until(b'"welcome"')
        yield one
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def told_off(port: int, opcode: int, data: bytes | str, **how: Any) -> int:
    """The code with which a front end that is let in is sent away for one frame."""
    async with stranger(port, token=place.token()) as one:
        await one.frame(opcode, data, **how)
        return await one.closed()
