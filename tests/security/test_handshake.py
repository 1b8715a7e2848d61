"""A1 to A14: who gets in, and what becomes of those who do not."""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from attacks import (
    PING,
    TEXT,
    UPGRADE,
    asked,
    attacked,
    names,
    request,
    said,
    serves,
    status,
    stranger,
    times,
)
from backends import front, submit

from limner.server.app import Server, Settings
from limner_wire import limits, place
from limner_wire import messages as m
from limner_wire.errors import LimnerError
from limner_wire.frames import encode_text

UNAUTHORISED, TOO_SLOW, TOO_MANY = 4401, 4408, 4429
SECRET = "a secret heron"


def hello(token: str = "", ticket: str = "") -> str:
    return encode_text(m.Hello((m.PROTOCOL,), "stranger", token, ticket).json())


async def first_words(port: int, words: str | bytes, opcode: int = TEXT) -> tuple[int, bytes]:
    """How someone is sent away who begins with these words, and what is told them before."""
    async with stranger(port) as one:
        await one.frame(opcode, words)
        code = await one.closed()
        return code, b"".join(one.heard)


def test_a01_no_token(folder: Path) -> None:
    """No token: told that it is wrong, sent away with 4401, and shown nothing of the welcome."""

    async def attack(server: Server) -> None:
        for words in (hello(), hello(ticket="owner"), hello(ticket="."), hello(ticket="." * 200)):
            code, heard = await first_words(server.port, words)
            assert code == UNAUTHORISED and heard.count(b'"t"') == 1
            assert b'"forbidden"' in heard and b"clipdraw" not in heard
        asks = (m.ListJobs(), m.Ping(), submit(), m.Invite())
        for words in ("{}", "[]", "", "null", *(encode_text(a.json()) for a in asks)):
            code, heard = await first_words(server.port, words)
            assert code == 1007 and b'"protocol"' in heard and b"clipdraw" not in heard
        assert (await first_words(server.port, b"\0\0\0\0", opcode=2))[0] == 1007

    attacked(folder, attack)


def test_a02_tokens_are_guessed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong tokens by the thousand: ten a second are looked at, compared in constant time.

    10,000 of them with LIMNER_TRIES; the refusal is the close code 4429.
    """
    compared = []
    compare = hmac.compare_digest

    def counted(a: Any, b: Any) -> bool:
        compared.append(len(a))
        return compare(a, b)

    monkeypatch.setattr("limner.server.gate.hmac.compare_digest", counted)
    count = times("LIMNER_TRIES", 300)

    async def attack(server: Server) -> None:
        codes: list[int] = []
        began = time.monotonic()
        compared.clear()
        right = place.token()

        async def guess() -> None:
            while len(codes) < count:
                wrong = right[: len(codes) % 30] + secrets.token_urlsafe(32)
                code, heard = await first_words(server.port, hello(wrong[:43]))
                assert b"welcome" not in heard
                codes.append(code)

        await asyncio.gather(*(guess() for _ in range(8)))
        looked_at = codes.count(UNAUTHORISED)
        assert set(codes) == {UNAUTHORISED, TOO_MANY}
        assert looked_at <= 20 + 10 * (time.monotonic() - began) + 1
        assert len(compared) >= len(codes)
        await serves(server, server.hub.seats[0].engine)  # who knows the token need not wait

    attacked(folder, attack)


def test_a03_another_page_with_the_token(folder: Path) -> None:
    """The right token, but from https://evil.com."""

    async def attack(server: Server) -> None:
        bearer = ("Authorization", f"Bearer {place.token()}")
        for path in ("/live", "/", "/page.js"):
            origin = ("Origin", "https://evil.com")
            answer = await said(server.port, request(server.port, path, "GET", origin, bearer))
            assert status(answer) == 403 and place.token().encode() not in answer

    attacked(folder, attack)


def test_a04_an_origin_that_looks_like_ours(folder: Path) -> None:
    """Origins that only look like ours: other names, ports, schemes, null."""

    async def attack(server: Server) -> None:
        port = server.port
        assert await asked(port, ("Origin", f"http://localhost:{port}")) == 101
        for origin in (
            "http://localhost.evil.com", f"http://localhost.evil.com:{port}",
            "http://127.0.0.1.evil.com", f"http://127.0.0.1.evil.com:{port}", "null", "",
            f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", f"https://127.0.0.1:{port}",
            f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}.evil.com",
            f"http://evil.com@127.0.0.1:{port}", f"http://127.0.0.1:{port}/", "file://",
            f"http://127.0.0.1:{port} http://evil.com", f"http://0.0.0.0:{port}",
            f"http://2130706433:{port}", f"HTTP://127.0.0.1:{port}",
        ):  # fmt: skip
            assert await asked(port, ("Origin", origin)) == 403, origin

    attacked(folder, attack)


def test_a05_another_name_for_this_machine(folder: Path) -> None:
    """DNS rebinding: evil.com points at 127.0.0.1, Host and Origin agree; 421 everywhere."""

    async def attack(server: Server) -> None:
        port = server.port
        for host in (f"evil.com:{port}", "evil.com", "127.0.0.1", f"127.0.0.1.evil.com:{port}",
                     f"0.0.0.0:{port}", f"[::]:{port}", f"127.0.0.1:{port}@evil.com",
                     f"127.0.0.1:{port + 1}"):  # fmt: skip
            origin = ("Origin", f"http://{host}")
            for path in ("/live", "/", "/page.js"):
                for more in ((), (origin,)):
                    answer = await said(port, request(port, path, "GET", *more, host=host))
                    assert status(answer) == 421 and b"<" not in answer, host

    attacked(folder, attack)


def test_a06_a_header_that_stands_twice(folder: Path) -> None:
    """Two Hosts or two Origins, of which each reader may believe another."""

    async def attack(server: Server) -> None:
        port = server.port
        ours = ("Origin", f"http://127.0.0.1:{port}")
        own = f"127.0.0.1:{port}"
        for more in (
            [("Host", "evil.com")], [("host", own)], [("HOST", own)], [ours, ours],
            [ours, ("origin", "https://evil.com")], [("Origin", "null"), ours],
        ):  # fmt: skip
            assert await asked(port, *more) == 400, more
        nobody = f"GET / HTTP/1.1\r\nX: {own}\r\n\r\n".encode()
        assert status(await said(port, nobody)) == 400
        for both in (f"{own}, evil.com", f"{own}\tevil.com", ""):
            assert await asked(port, host=both or " ") == 421

    attacked(folder, attack)


def test_a07_a_token_in_an_address(folder: Path) -> None:
    """The token in the URL: refused, repeated to nobody, and never logged."""

    async def attack(server: Server) -> None:
        token = place.token()
        for path in (
            f"/live?token={token}", f"/live?a=b&TOKEN={token}", f"/?access_token={token}",
            f"/live#ticket={token}", f"/live?%74oken={token}", f"/live/{token}", f"/{token}",
        ):  # fmt: skip
            answer = await said(server.port, request(server.port, path))
            assert status(answer) in (400, 404) and token.encode() not in answer

    log = attacked(folder, attack)
    assert (folder / place.TOKEN).read_text() not in log.text


def test_a08_the_default_is_loopback(program: Any) -> None:
    """`limner serve` from another machine: on every address but loopback nobody answers."""
    others = [
        a.address
        for addresses in psutil.net_if_addrs().values()
        for a in addresses
        if a.family == socket.AF_INET and not a.address.startswith("127.")
    ]
    if sys.platform == "linux":
        others.append("127.0.0.2")  # Linux has a whole network there
    assert others, "this machine has no address but loopback"
    for address in others:
        with pytest.raises(OSError), socket.create_connection((address, program.port), 2):
            pass
    listening = {
        c.laddr.ip for c in psutil.net_connections("tcp")
        if c.status == psutil.CONN_LISTEN and c.laddr.port == program.port
    }  # fmt: skip
    assert listening == {"127.0.0.1"}
    assert asyncio.run(asked(program.port)) == 101


def test_a09_other_machines_in_the_clear(folder: Path) -> None:
    """`--host 0.0.0.0` and its kin, without a certificate and its key: it does not start."""
    program = [sys.executable, "-m", "limner", "serve", "--port", "0", "--host", "0.0.0.0"]  # noqa: S104
    ended = subprocess.run(program, capture_output=True, timeout=60, text=True)
    assert ended.returncode == 2 and "encrypted only" in ended.stderr and "ssh -L" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1 and not ended.stdout
    half = {"certificate": folder / "cert.pem"}, {"key": folder / "key.pem"}
    for host in ("0.0.0.0", "::", "", "0", "192.0.2.1", "localhost.evil.com"):  # noqa: S104
        for more in ({}, *half):
            with pytest.raises(LimnerError, match="encrypted only"):
                Server(Settings(host, 0, **more), [], folder)
    assert not (folder / place.TOKEN).exists()


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_a10_a_token_that_others_can_read(folder: Path) -> None:
    """A token file that others can read or own, or that points elsewhere: it does not start."""
    folder.chmod(0o755)  # as another program may have left it
    token = folder / place.TOKEN

    async def attack(server: Server) -> None:
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        for name in names(folder) - {place.BACKEND}:  # the history holds prompts
            assert stat.S_IMODE((folder / name).stat().st_mode) & 0o077 == 0, name

    attacked(folder, attack)

    def starts_not() -> None:
        with pytest.raises(LimnerError, match="token") as caught:
            Server(Settings(port=0), [], folder)
        assert str(folder) not in str(caught.value)

    for mode in (0o644, 0o640, 0o604, 0o660, 0o610, 0o601):
        token.chmod(mode)
        starts_not()
    token.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(token, 65534, -1)
        starts_not()
    own = token.read_text()
    token.unlink()
    (folder / "elsewhere").write_text(own)
    for target in (folder / "elsewhere", folder / "nowhere"):
        token.symlink_to(target)
        starts_not()
        token.unlink()
    assert not (folder / "nowhere").exists()
    token.mkdir()
    starts_not()


METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get")
NO_PATHS = (
    "/nothing", "/live/", "//", "/../token", "/page.js/../../token", "/%2e%2e/token", "/..%2ftoken",
    "/token", "/history.sqlite", "/api/jobs", "*", "http://127.0.0.1/", "/\\..\\token",
)  # fmt: skip


async def crawled(server: Server) -> dict[tuple[str, str, bool], bytes]:
    """What is answered to every method on every path, asked for plainly and as a websocket."""
    paths = [*server._routes, "/live", *NO_PATHS]
    out = {}
    for path in paths:
        for method in METHODS:
            for upgrade in (False, True):
                headers = UPGRADE if upgrade else {}
                data = request(server.port, path, method, headers=headers)
                out[path, method, upgrade] = await said(server.port, data)
    return out


def test_a11_every_path_by_every_method(folder: Path) -> None:
    """Every path by every method without a token: the page's own files, a greeting, or nothing.

    The page's files are public: they hold no data, and all data goes through the websocket, behind
    the hello. Everything else is 404 or 405 (426 for /live without an upgrade).
    """

    async def attack(server: Server) -> None:
        async with front(server, "artist") as one:
            await one.answer(submit(prompt=SECRET), m.State, state="queued")
            answers = await crawled(server)
            for (path, method, upgrade), answer in answers.items():
                for word in (SECRET, place.token(), str(folder), "sqlite", "Python"):
                    assert word.encode() not in answer, (path, method)
                if method == "GET" and path in server._routes:
                    assert status(answer) == 200 and answer.endswith(server._routes[path][1])
                elif method == "GET" and path == "/live":
                    assert status(answer) == (101 if upgrade else 426)
                else:
                    assert status(answer) in (404, 405), (path, method, answer)
            for body in (b"\r\n\r\nx=1", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
                data = request(server.port, "/", "POST").rstrip(b"\r\n") + b"\r\n" + body
                assert status(await said(server.port, data)) in (0, 400, 405)
            server.hub.seats[0].engine.done()  # type: ignore[attr-defined]
        assert (await first_words(server.port, hello()))[0] == UNAUTHORISED  # behind the 101

    attacked(folder, attack)


def test_a12_no_page_may_read_along(folder: Path) -> None:
    """CORS: no answer, whatever its status, lets another page read it."""

    async def attack(server: Server) -> None:
        answers = list((await crawled(server)).values())
        preflight = [("Access-Control-Request-Method", "GET"), ("Origin", "https://evil.com")]
        for method in METHODS:
            for path in ("/", "/live"):
                data = request(server.port, path, method, *preflight, headers={})
                answers.append(await said(server.port, data))
        assert {status(a) for a in answers} >= {101, 200, 403, 404, 405, 426}
        for answer in answers:
            assert b"access-control-" not in answer.lower()
        page = next(a for a in answers if status(a) == 200)
        for held in (b"default-src 'none'", b"frame-ancestors 'none'", b"nosniff", b"same-origin"):
            assert held in page

    attacked(folder, attack)


def test_a13_two_hundred_who_say_nothing(folder: Path) -> None:
    """200 half a request, 200 no hello: an artist gets in within a second; they go after five."""
    count = 200

    async def half(port: int, words: bytes) -> tuple[bytes, float]:
        began = time.monotonic()
        return await said(port, words), time.monotonic() - began

    async def silent(port: int) -> tuple[int, float]:
        began = time.monotonic()
        async with stranger(port) as one:
            await one.frame(PING)
            return await one.closed(), time.monotonic() - began

    async def attack(server: Server) -> None:
        beginnings = (b"", b"G", b"GET /live HTTP/1.1\r\n", request(server.port)[:-2])
        waiting = []
        for k in range(count):
            waiting.append(asyncio.create_task(half(server.port, beginnings[k % 4])))
            waiting.append(asyncio.create_task(silent(server.port)))
            await asyncio.sleep(0.002)  # more than the system accepts at once never reach us
        began = time.monotonic()
        async with front(server, "artist") as one:
            await one.answer(m.Ping(), m.Pong)
        assert time.monotonic() - began < 1.0
        for said_last, seconds in await asyncio.gather(*waiting):
            assert limits.HELLO_S - 0.5 < seconds < 2 * limits.HELLO_S
            assert said_last in (b"", TOO_SLOW), said_last

    attacked(folder, attack)


def test_a14_endless_headers(folder: Path) -> None:
    """A header line of more than 8 KiB, 200 headers, an endless address: 431, 414."""

    async def attack(server: Server) -> None:
        port = server.port
        assert await asked(port, ("X-Long", "x" * 8192)) == 431
        assert await asked(port, *((f"X-{k}", "x") for k in range(200))) == 431
        long = request(port, "/" + "x" * 8192)
        assert status(await said(port, long)) == 414
        endless = b"GET /live HTTP/1.1\r\nX: " + b"x" * 2**24
        assert status(await said(port, endless)) in (0, 431)
        for broken in (b"\x16\x03\x01\0\0\n", b"\r\n\r\n", b"GET\r\n\r\n", b"\n" * 9999,
                       b"PRI * HTTP/2.0\r\n\r\n", b"GET / HTTP/9\r\n\r\n",
                       b"GET / HTTP/1.1\r\nX : y\r\n\r\n", b"GET / HTTP/1.1\r\nX\r\n\r\n",
                       "GET /é HTTP/1.1\r\n\r\n".encode()):  # fmt: skip
            assert status(await said(port, broken)) == 0
        assert await asked(port, ("X-Long", "x" * 4000)) == 101

    attacked(folder, attack)
