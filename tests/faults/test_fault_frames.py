"""F14: what is no websocket, on a real server's socket: noise, and the protocol's rules one by one.

The rules are those of sections 1 to 7 and 10 of the Autobahn test suite, which runs on Python 2
alone and so not here. Where it wants an echo, the answer to a ping of ours stands for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from backends import Puppet, backend, front, submit
from processes import seeded, times

from limner.server.app import Server
from limner_wire import messages as m
from limner_wire import place
from limner_wire.frames import encode_text

MORE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PROTOCOL, BROKEN, TOO_BIG = 1002, 1007, 1009
ANSWER_S = 10.0


def frame(opcode: int, data: bytes = b"", *, end: bool = True, reserved: int = 0,
          masked: bool = True, length: int | None = None) -> bytes:  # fmt: skip
    """A client's frame."""
    size = len(data) if length is None else length
    first, mask = opcode | 128 * end | reserved << 4, b"\x37\xfa\x21\x3d" if masked else b""
    if size < 126:
        head = struct.pack(">BB", first, 128 * masked | size)
    elif size < 2**16:
        head = struct.pack(">BBH", first, 128 * masked | 126, size)
    else:
        head = struct.pack(">BBQ", first, 128 * masked | 127, size)
    if masked:
        data = bytes(byte ^ mask[k % 4] for k, byte in enumerate(data))
    return head + mask + data


def asking(n: int, size: int = 0) -> bytes:
    """A ping of ours, of that many bytes."""
    return encode_text(m.Ping(n).json()).encode().ljust(size)


def parts(data: bytes, size: int, opcode: int = TEXT, between: bytes = b"") -> bytes:
    """A message in frames of at most so many bytes, with other frames in between."""
    pieces = [data[k : k + size] for k in range(0, len(data), size)]
    out = [
        frame(opcode if not k else MORE, piece, end=k == len(pieces) - 1)
        for k, piece in enumerate(pieces)
    ]
    return between.join(out)


@dataclass
class Case:
    """What is sent, and what must come back.

    Attributes:
        answers: the numbers in the answers to pings of ours, in order.
        pongs: the payloads that the websocket's own pings bring back, in order.
        closes: the code with which the server hangs up; 0 for none in its close frame, None if it
            goes on.
    """

    name: str
    sent: bytes
    answers: list[int] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    closes: tuple[int, ...] | None = None


def bad(name: str, sent: bytes, code: int = PROTOCOL, **also: object) -> Case:
    return Case(name, sent, closes=(code,), **also)  # type: ignore[arg-type]


def code(number: int, reason: bytes = b"") -> bytes:
    return struct.pack(">H", number) + reason


def framing() -> Iterator[Case]:
    for size in (30, 125, 126, 127, 128, 65535, 65536):
        yield Case(f"1.1 text of {size} bytes", frame(TEXT, asking(size, size)), [size])
    yield bad("1.1 text of 64 KiB and one", frame(TEXT, asking(1, 65537)), TOO_BIG)
    for size in (0, 1, 125, 65536):  # no frame of ours has so short a header
        yield bad(f"1.2 binary of {size} bytes", frame(BINARY, b"\xff" * size), BROKEN)
    yield Case("1.3 a frame announced longer than it may be", frame(TEXT, length=2**40),
               closes=(TOO_BIG,))  # fmt: skip
    yield Case("1.3 the highest bit of a length", frame(TEXT, length=2**63),
               closes=(PROTOCOL, TOO_BIG))  # fmt: skip
    yield bad("1.4 not masked", frame(TEXT, asking(1), masked=False))
    yield bad("1.4 a ping that is not masked", frame(PING, masked=False))


def pings() -> Iterator[Case]:
    for payload in (b"", b"hello", bytes(range(0, 250, 2)), b"\x00\xff\xfe\xfd"):
        yield Case(f"2 ping of {len(payload)} bytes", frame(PING, payload), pongs=[payload])
    yield bad("2.5 ping of 126 bytes", frame(PING, b"x" * 126))
    yield Case("2.7 a pong that nobody asked for", frame(PONG) + frame(TEXT, asking(1)), [1])
    yield Case("2.8 one with a payload", frame(PONG, b"what") + frame(TEXT, asking(1)), [1])
    many = [b"%d" % k for k in range(10)]
    yield Case("2.10 ten pings", b"".join(frame(PING, p) for p in many), pongs=many)


def reserved() -> Iterator[Case]:
    for bits in range(1, 8):
        yield bad(f"3 reserved bits {bits}", frame(TEXT, asking(1), reserved=bits))
        yield bad(f"3 in a ping {bits}", frame(PING, reserved=bits))
    yield bad("3.2 after a good one", frame(TEXT, asking(1)) + frame(TEXT, b"{}", reserved=4),
              answers=[1])  # fmt: skip
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield bad(f"4 opcode {opcode}", frame(opcode))
        yield bad(f"4 after a good one {opcode}", frame(TEXT, asking(1)) + frame(opcode, b"x"),
                  answers=[1])  # fmt: skip


def fragments() -> Iterator[Case]:
    yield bad("5.1 a ping in two", frame(PING, b"a", end=False) + frame(MORE, b"b"))
    yield bad("5.2 a pong in two", frame(PONG, b"a", end=False) + frame(MORE, b"b"))
    yield Case("5.3 text in two", parts(asking(5), 9), [5])
    yield Case("5.5 text byte by byte", parts(asking(6), 1), [6])
    own = frame(PING, b"between")
    pieces = -(-len(asking(7)) // 5)
    yield Case("5.6 with pings between", parts(asking(7), 5, between=own), [7],
               [b"between"] * (pieces - 1))  # fmt: skip
    empty = frame(TEXT, end=False) + frame(MORE, end=False)
    yield Case("5.6 empty ones first", empty + frame(MORE, asking(8)), [8])
    yield bad("5.9 a continuation of nothing", frame(MORE, b"x"))
    yield bad("5.11 of nothing, not the last", frame(MORE, b"x", end=False))
    yield bad("5.15 of nothing, after a message", parts(asking(9), 9) + frame(MORE, b"x"),
              answers=[9])  # fmt: skip
    yield bad("5.18 a message inside another", frame(TEXT, b"{", end=False) + frame(TEXT, b"}"))
    yield Case("10 64 KiB in parts of 1300", parts(asking(10, 65536), 1300), [10])
    yield bad("10 too much, in parts", parts(b" " * 2**20 + b"x", 2**16), TOO_BIG)


NO_UTF8 = (
    b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x88",
    b"\xfe", b"\xff", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xc3", b"\xe2\x82",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64",
)  # fmt: skip


def texts() -> Iterator[Case]:
    words = '{"t":"ping","n":4,"more":"κόσμε 한국어 🎨 \U0010ffff"}'.encode()
    yield Case("6.2 characters", frame(TEXT, words), [4])
    yield Case("6.2 characters cut through", parts(words, 1), [4])
    yield Case("6.2 cut through, with pings", parts(words, 7, between=frame(PING)), [4],
               [b""] * (-(-len(words) // 7) - 1))  # fmt: skip
    for wrong in NO_UTF8:
        text = b'{"t":"ping","n":1,"more":"' + wrong + b'"}'
        yield bad(f"6 {wrong.hex()}", frame(TEXT, text), BROKEN)
        yield bad(f"6 {wrong.hex()} in parts", parts(text, 1), BROKEN)


def closing() -> Iterator[Case]:
    yield Case("7.1 no code", frame(CLOSE), closes=(0,))
    yield Case("7.1 what follows is not heard", frame(CLOSE, code(1000)) + frame(TEXT, asking(1)),
               closes=(1000,))  # fmt: skip
    yield Case("7.1 twice", frame(CLOSE, code(1000)) * 2, closes=(1000,))
    yield Case("7.1 within a message", frame(TEXT, b"{", end=False) + frame(CLOSE, code(1000)),
               closes=(1000, PROTOCOL))  # fmt: skip
    yield Case("7.3 the longest reason", frame(CLOSE, code(1000, b"r" * 123)), closes=(1000,))
    yield bad("7.3 half a code", frame(CLOSE, b"\x03"))
    yield bad("7.3 too long a reason", frame(CLOSE, code(1000, b"r" * 124)))
    yield bad("7.5 a reason that is no text", frame(CLOSE, code(1000, b"\xce\xba\xed\xa0")), BROKEN)
    for good in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield Case(f"7.7 code {good}", frame(CLOSE, code(good)), closes=(good,))
    for wrong in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield bad(f"7.9 code {wrong}", frame(CLOSE, code(wrong)))


SECTIONS: dict[str, Callable[[], Iterator[Case]]] = {
    "framing": framing, "pings": pings, "reserved": reserved, "fragments": fragments,
    "texts": texts, "closing": closing,
}  # fmt: skip


# --- a websocket by hand --------------------------------------------------------------------------

UPGRADE = (
    "GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Raw:
    """A websocket's client side that sends whatever it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes, *, piece: int = 0, end: bool = False) -> None:
        """Send bytes, all at once or in pieces of so many; they may be the last."""
        step = piece or max(1, len(data))
        with contextlib.suppress(ConnectionError):
            for k in range(0, len(data), step):
                self._writer.write(data[k : k + step])
                await self._writer.drain()
                if piece:
                    await asyncio.sleep(0)
            if end:
                self._writer.write_eof()

    async def next(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload; (-1, b"") when there is no more."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            first, length = await self._reader.readexactly(2)
            assert first & 0x70 == 0 and length < 128, "a server masks nothing and reserves nothing"
            if length == 126:
                (length,) = struct.unpack(">H", await self._reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
            return first & 15, await self._reader.readexactly(length)
        return -1, b""


@contextlib.asynccontextmanager
async def raw(port: int, *, greeted: bool = True) -> AsyncIterator[Raw]:
    """A connection after the handshake, and after the hello."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(UPGRADE.format(port=port).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
        one = Raw(reader, writer)
        if greeted:
            hello = m.Hello((m.PROTOCOL,), "raw/1", place.token())
            await one.send(frame(TEXT, encode_text(hello.json()).encode()))
            while b'"welcome"' not in (await one.next())[1]:
                pass
        yield one
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def heard(one: Raw, case: Case) -> Case:
    """What comes back, until all that should be there has come, or the connection has ended."""
    out, last = Case(case.name, case.sent), len(case.answers) + len(case.pongs)
    async with asyncio.timeout(ANSWER_S):
        while case.closes is not None or len(out.answers) + len(out.pongs) < last:
            opcode, data = await one.next()
            if opcode == TEXT and (told := json.loads(data))["t"] == "pong":
                out.answers.append(told.get("n", 0))
            elif opcode == PONG:
                out.pongs.append(data)
            elif opcode == CLOSE:
                out.closes = (int.from_bytes(data[:2], "big"),)
                break
            elif opcode == -1:
                break
    return out


def served(folder: Path, play: Callable[[Server, Puppet], Awaitable[None]]) -> None:
    """Play with a server; then it serves the next job, and has complained of nothing."""
    complaints: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info or record.levelno >= logging.ERROR:
                complaints.append(self.format(record))

    async def run() -> None:
        engine = Puppet()
        async with backend(folder, engine) as server:
            await play(server, engine)
            async with front(server) as one:
                await one.answer(submit(), m.State, state="queued")
                engine.run()
                engine.done()
                await one.hear(m.Done)

    ear = Ear()
    logging.getLogger("asyncio").addHandler(ear)
    logging.getLogger("limner.server").addHandler(ear)
    try:
        asyncio.run(run())
    finally:
        logging.getLogger("asyncio").removeHandler(ear)
        logging.getLogger("limner.server").removeHandler(ear)
    assert not complaints, complaints[0]


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("piece", [0, 7], ids=["whole", "in pieces"])
def test_f14_the_rules_of_the_websocket(folder: Path, section: str, piece: int) -> None:
    """Each rule of RFC 6455 kept and broken, at once and in pieces of 7 bytes: the right answer."""

    async def play(server: Server, engine: Puppet) -> None:
        for case in SECTIONS[section]():
            if piece and len(case.sent) > 10_000:
                continue
            async with raw(server.port) as one:
                await one.send(case.sent, piece=piece)
                found = await heard(one, case)
            assert found.pongs == case.pongs, found
            if case.closes is None:
                assert found.answers == case.answers and found.closes is None, found
            else:  # what was asked before the fault may be answered still, nothing after it
                assert found.answers == case.answers[: len(found.answers)], found
                assert found.closes is not None and found.closes[0] in case.closes, found

    served(folder, play)


def test_f14_noise_on_the_socket(folder: Path) -> None:
    """Random bytes before, within and after the handshake: no crash, no word in the log."""
    chance, count = seeded(14), times("LIMNER_NOISE", 300)

    async def play(server: Server, engine: Puppet) -> None:
        room = asyncio.Semaphore(16)

        async def knock() -> None:
            async with room:
                await noise(server.port, chance)

        await asyncio.gather(*(knock() for _ in range(count)))

    served(folder, play)


async def noise(port: int, chance: random.Random) -> None:
    """One connection on which something goes wrong."""
    way = chance.randrange(4)
    if way < 2:  # instead of a request, or in it
        data = bytearray(UPGRADE.format(port=port).encode())
        if way:
            for _ in range(chance.randint(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        else:
            data = bytearray(chance.randbytes(chance.randint(1, 4000)))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bytes(data))
        await asyncio.sleep(0.01)
        writer.transport.abort()
        return
    async with raw(port, greeted=way == 3) as one:
        for _ in range(chance.randint(1, 12)):
            opcode = chance.choice((MORE, TEXT, TEXT, BINARY, BINARY, PING, PONG, 5))
            data = bytearray(frame(opcode, chance.randbytes(chance.randrange(200)),
                                   end=chance.random() < 0.8))  # fmt: skip
            if chance.random() < 0.5:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            await one.send(bytes(data))
        if chance.random() < 0.5:
            await one.send(frame(CLOSE), end=True)
            async with asyncio.timeout(ANSWER_S):
                while (await one.next())[0] not in (CLOSE, -1):
                    pass
