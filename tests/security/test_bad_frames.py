"""A15 to A22: what front ends that were let in may send, and what becomes of all else."""

from __future__ import annotations

import asyncio
import json
import random
import struct
import time
from pathlib import Path
from typing import Any

from attacks import (
    BINARY,
    CLOSE,
    GONE,
    PING,
    TEXT,
    attacked,
    frame,
    request,
    said,
    status,
    stranger,
    times,
    told_off,
)
from backends import CANVAS, Puppet, new_job, submit

from limner.server.app import Server
from limner.server.connection import _heard
from limner_wire import limits, place
from limner_wire import messages as m
from limner_wire.errors import WireError
from limner_wire.frames import Buffer, encode, encode_text

BROKEN, MALFORMED, POLICY, TOO_BIG = 1007, 1002, 1008, 1009
SHA = "0" * 64


def binary(header: object, blob: bytes = b"", length: int | None = None) -> bytes:
    """A binary frame whose header need not be one."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(text) if length is None else length) + text + blob


def blob(**row: object) -> dict[str, Any]:
    """The header of a part of an input; the row of its buffer is changed by name."""
    head = m.Blob(SHA, "image/png", 100).json()
    return head | {"bufs": [{"k": "data", "dt": "u8", "sh": [8], "o": 0, "n": 8} | row]}


def test_a15_a_text_that_is_too_long(folder: Path) -> None:
    """Text of 64 KiB and a byte, binary of 1 MiB and a byte: closed with 1009.

    As the first message, before the hello, it is 1007 like all that is no hello.
    """

    async def attack(server: Server) -> None:
        port = server.port
        ping = encode_text(m.Ping(1).json())
        longest = ping[:-1] + " " * (limits.TEXT_BYTES - len(ping)) + "}"
        async with stranger(port, token=place.token()) as one:
            await one.frame(TEXT, longest)
            await one.until(b'"pong"')
        for long in (longest + " ", "한" * (limits.TEXT_BYTES // 3 + 1), "x" * 2**20):
            assert await told_off(port, TEXT, long) == TOO_BIG
        assert await told_off(port, BINARY, bytes(limits.BINARY_BYTES + 1)) == TOO_BIG
        assert await told_off(port, BINARY, b"", length=2**62) == TOO_BIG
        async with stranger(port, token=place.token()) as one:  # in parts
            for _ in range(40):
                await one.frame(TEXT, b"x" * 2**15, end=False)
                await one.frame(0, b"x" * 2**15, end=False)
            assert await one.closed() in (TOO_BIG, MALFORMED)
        async with stranger(port) as one:
            await one.frame(TEXT, longest + " ")
            assert await one.closed() == BROKEN

    attacked(folder, attack)


def test_a16_a_header_of_any_length(folder: Path) -> None:
    """Binary frames whose header is 0, 2^32-1, or more bytes than there are: 1007."""

    async def attack(server: Server) -> None:
        good = json.dumps(blob()).encode()
        for data in (
            b"", b"\0", b"\0\0\0", bytes(4), binary(good, bytes(8), length=0),
            binary(good, bytes(8), length=2**32 - 1), binary(good, bytes(8), length=2**31),
            binary(good, length=len(good) + 1), binary(good, bytes(8), length=len(good) - 1),
            binary(b"{" + b" " * limits.HEADER_BYTES + b"}"), binary(b"[]"), binary(b"null"),
        ):  # fmt: skip
            assert await told_off(server.port, BINARY, data) == BROKEN, data[:60]

    attacked(folder, attack)


def test_a17_buffers_that_do_not_fit(folder: Path) -> None:
    """Buffers that overlap, leave gaps, lie before the frame, or overflow by their shape: 1007."""
    two = [
        {"k": "data", "dt": "u8", "sh": [4], "o": 0, "n": 4},
        {"k": "more", "dt": "u8", "sh": [4], "o": 4, "n": 4},
    ]
    head = blob()

    async def attack(server: Server) -> None:
        for wrong in (
            {"o": 1}, {"o": -8}, {"n": 7}, {"n": 2**63}, {"n": 8.0}, {"o": True}, {"o": "0"},
            {"sh": [-1, -8]}, {"sh": [2**32, 2**32]}, {"sh": [2**31, 2**31, 4]}, {"sh": [1.5]},
            {"sh": [1, 1, 1, 1, 8]}, {"sh": "8"}, {"sh": None}, {"dt": "f64"}, {"dt": "u16"},
            {"dt": ["u8"]}, {"k": 3}, {"k": "other"}, {"k": "한" * 5000, "o": 1}, {"x": 0},
            {"k": "😀" * 40, "sh": 0}, {"k": "\n" * 40, "o": 1},
        ):  # fmt: skip
            data = binary(blob(**wrong), bytes(8))
            assert await told_off(server.port, BINARY, data) == BROKEN, wrong
        for at in (0, 2, 3, 5, 8):
            table = [two[0], two[1] | {"o": at}]
            data = binary(head | {"bufs": table}, bytes(8))
            assert await told_off(server.port, BINARY, data) == BROKEN
        for table in ([], two, two[:1] * 2, [two[0]] * 99, {"data": two[0]}, 8, None):
            data = binary(head | {"bufs": table}, bytes(8))
            assert await told_off(server.port, BINARY, data) == BROKEN, table

    attacked(folder, attack)


def test_a18_json_that_is_none(folder: Path) -> None:
    """Deep nesting, keys twice, NaN, endless digits, half characters: 1007 within 50 ms."""
    spent = []

    async def attack(server: Server) -> None:
        for text in (
            "[" * 10_000, '{"t":' * 10_000, '{"t":"ping","n":' + "[" * 9_999 + "]" * 9_999 + "}",
            '{"t":"ping","t":"ping"}', '{"t":"ping","x":{"a":1,"a":2}}', '{"t":"ping","x":NaN}',
            '{"t":"ping","x":-Infinity}', '{"t":"ping","x":1e999}', '{"t":"ping","n":-1}',
            '{"t":"ping","n":' + "1" * 60_000 + "}", '{"t":"ping","n":0.' + "1" * 60_000 + "}",
            '{"t":"ping","n":9007199254740992}', '{"t":"ping","x":"\\ud800"}',
            '{"t":"ping","\\udfff\\ud800":1}', '{"t":"ping"', "ping", "\0", "\ufeff{}",
            '{"t":"ping","x":"a\nb"}', "{'t':'ping'}", '{"t":"ping",}', '{"t":"ping"}{}',
        ):  # fmt: skip
            async with stranger(server.port, token=place.token()) as one:
                began = time.process_time()  # which a busy machine changes least
                await one.frame(TEXT, text)
                assert await one.closed() == BROKEN, text[:60]
                spent.append(time.process_time() - began)

    attacked(folder, attack)
    assert sorted(spent)[-2] < 0.05, sorted(spent)  # once, the collector may have been at work


def test_a19_a_deflate_bomb(folder: Path) -> None:
    """Compression is asked for, then used all the same: it is not negotiated, 1002."""
    offer = "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"

    async def attack(server: Server) -> None:
        more = ("Sec-WebSocket-Extensions", offer)
        answer = await said(server.port, request(server.port, "/live", "GET", more))
        assert status(answer) == 101 and b"extensions" not in answer.lower()
        bomb = b"\xec\xc0\x81\x08\x00\x00\x00\xc3\xa0\xf7\xa7\x2e" + bytes(999)
        async with stranger(server.port, token=place.token(), extensions=offer) as one:
            await one.frame(TEXT, bomb, reserved=4)
            assert await one.closed() == MALFORMED

    attacked(folder, attack)


def test_a20_a_million_frames(folder: Path) -> None:
    """A million pings, empty parts, empty texts, acks: closed with 1008 long before."""
    ack = encode_text(m.Ack(new_job(), 1).json())
    floods = {
        "pings": frame(PING), "full pings": frame(PING, b"x" * 125), "pongs": frame(10),
        "empty parts": frame(0, end=False), "acks": frame(TEXT, ack),
    }  # fmt: skip

    async def attack(server: Server) -> None:
        for name, one_frame in floods.items():
            async with stranger(server.port, token=place.token()) as one:
                if name == "empty parts":
                    await one.frame(TEXT, end=False)
                closing = asyncio.create_task(one.closed())
                sent = 0
                while not closing.done() and sent < 1_000_000:
                    try:
                        one.writer.write(one_frame * 1000)
                        await one.writer.drain()
                    except ConnectionError:
                        break
                    sent += 1000
                    await asyncio.sleep(0)
                code = await closing
                assert code == POLICY, (name, code, sent)
                assert sent < 1_000_000, name

    attacked(folder, attack)


def test_a21_what_is_no_websocket(folder: Path) -> None:
    """Unmasked frames, reserved opcodes and bits, bad UTF-8, broken closes: a protocol close."""

    async def attack(server: Server) -> None:
        ping = encode_text(m.Ping(1).json())
        for code, opcode, data, how in (
            (MALFORMED, TEXT, ping, {"masked": False}),
            (MALFORMED, PING, "", {"masked": False}),
            *((MALFORMED, opcode, ping, {}) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
            *((MALFORMED, TEXT, ping, {"reserved": bits}) for bits in range(1, 8)),
            (MALFORMED, 0, ping, {}),
            (MALFORMED, PING, "x" * 126, {}),
            (MALFORMED, PING, "", {"end": False}),
            (MALFORMED, CLOSE, b"\x03", {}),
            (MALFORMED, CLOSE, struct.pack(">H", 1005), {}),
            (MALFORMED, CLOSE, struct.pack(">H", 999), {}),
            (BROKEN, CLOSE, struct.pack(">H", 1000) + b"\xff", {}),
            *((BROKEN, TEXT, b"{" + bad, {}) for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80")),
        ):
            found = await told_off(server.port, opcode, data, **how)
            assert found == code, (found, opcode, data, how)

    attacked(folder, attack)


def test_a22_noise(folder: Path, puppet: Puppet) -> None:
    """Random and damaged frames (a million, 20,000 in a quick run): refused or read, no crash."""
    seed = times("LIMNER_SEED", random.randrange(2**32))
    print(f"seed {seed}")
    chance = random.Random(seed)
    counts = fuzzed(chance, times("LIMNER_FUZZ", 20_000))
    assert counts["read"] and counts["refused"]

    async def attack(server: Server) -> None:
        for _ in range(60):
            async with stranger(server.port, token=place.token()) as one:
                for _ in range(20):
                    data = noise(chance)
                    one.writer.write(frame(TEXT if isinstance(data, str) else BINARY, data))
                one.writer.write(frame(CLOSE, struct.pack(">H", 1000)))
                assert await one.closed() in (1000, BROKEN, TOO_BIG, GONE)
        for job in server.store.unfinished():  # noise may have asked for something
            server.hub.cancel(job, m.Cancel(job.id, keep=False))
        while server.hub.seats[0].job:
            puppet.ended("cancelled")

    attacked(folder, attack, puppet)


def fuzzed(chance: random.Random, count: int) -> dict[str, int]:
    """Gives noise to what the server reads frames with; how much of it was read and refused."""
    out = {"read": 0, "refused": 0}
    for _ in range(count):
        data = noise(chance)
        try:
            message, _ = _heard(data)
            assert isinstance(message, m.Message)
            out["read"] += 1
        except WireError:
            out["refused"] += 1
    return out


GOOD_TEXTS = [
    encode_text(message.json()).encode()
    for message in (
        m.Hello((1,), "é", "token"), submit(), m.Watch(new_job(), 7), m.Ack(new_job(), 3),
        m.Adjust(new_job(), {"prompt": "é😀", "ink": 0.5}), m.ListJobs(1.5, 20), m.Ping(3),
        m.Fetch(new_job(), "frame", 3), m.Cancel(new_job(), keep=False),
    )
]  # fmt: skip
GOOD_FRAMES = [
    encode(m.Blob(SHA, "image/png", 40).json(), [Buffer("data", "u8", (40,), bytes(40))]),
    encode(
        m.StrokesFrame(new_job(), 1, 2, CANVAS).json(),
        [Buffer("points", "u16", (4, 2), bytes(16)), Buffer("width", "u16", (1,), b"ab")],
    ),
]
VALUES = (None, True, -1, 2**53, 0.5, "", "x" * 300, "\0", [], [[]], {}, {"a": [1]}, SHA, "../x")


def noise(chance: random.Random) -> str | bytes:
    """Random bytes; a good frame with bytes changed; or a good message with a field changed."""
    match chance.randrange(5):
        case 0:
            return chance.randbytes(chance.randrange(64))
        case 1:
            length = chance.randrange(48)
            return struct.pack("<I", length) + damaged(chance, b'{"t":"blob","bufs":[]}      ')
        case 2:
            return damaged(chance, chance.choice(GOOD_FRAMES))
        case 3:
            return damaged(chance, chance.choice(GOOD_TEXTS)).decode("utf-8", "ignore")
        case _:
            value = json.loads(chance.choice(GOOD_TEXTS))
            for _ in range(chance.randint(1, 3)):
                value[chance.choice([*value, "t", "x"])] = chance.choice(VALUES)
            return json.dumps(value)


def damaged(chance: random.Random, data: bytes) -> bytes:
    """Some bytes changed, added, taken away."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(3):
            case 0:
                out[at : at + 1] = chance.randbytes(1)
            case 1:
                out[at:at] = chance.randbytes(chance.randrange(1, 9))
            case _:
                del out[at : at + chance.randrange(1, 9)]
    return bytes(out)
