"""One connection, from its hello to its end: what reads and what writes end together.

A front end that breaks the protocol is sent away with a code; one that asks for more than it may
is told so, and stays. One that asks too often is read more slowly, so that it waits for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from limner.server.gate import Bucket, Keys, Refusal
from limner.server.hub import Hub
from limner.server.peer import Peer
from limner.server.requests import Requests
from limner_wire import limits, messages
from limner_wire.errors import ErrorCode, LimnerError, WireError
from limner_wire.frames import decode, decode_text, encode_text

log = logging.getLogger(__name__)

REQUESTS_A_S, REQUESTS_AT_ONCE = 50.0, 200.0
FRAMES_A_S, FRAMES_AT_ONCE = 1_000.0, 5_000.0  # of the websocket, pings and parts too

STALLED_S = 20.0  # as long as for the answer to a ping
CLOSE_S = 2.0

BROKEN, POLICY, TOO_BIG, LATER = 1007, 1008, 1009, 1013
REASON_BYTES = 120
UNAUTHORISED, WRONG_VERSION, TOO_SLOW, TOO_MANY = 4401, 4406, 4408, 4429


class Guarded(ServerConnection):
    """A connection that ends when it is flooded: pings and empty parts never reach `recv`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._frames = Bucket(FRAMES_A_S, FRAMES_AT_ONCE)

    def process_event(self, event: Any) -> None:
        """Count every frame."""
        if not self._frames.take(time.monotonic()):
            self.protocol.fail(POLICY, "too many frames")
            self.send_data()
            return
        super().process_event(event)

    async def drain(self) -> None:
        """Wait until the other side takes what waits; end the connection if it takes none of it.

        Pings and the closing word wait here too, behind whatever is not taken.
        """
        while self.paused:
            is_open, waiting = self.state is State.OPEN, self.transport.get_write_buffer_size()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STALLED_S if is_open else CLOSE_S):
                    await super().drain()
                    return
            if not is_open or self.transport.get_write_buffer_size() >= waiting:
                self.transport.abort()
        await super().drain()


class Refused(Exception):
    """The front end is sent away with a code, and with words if it can read them."""

    def __init__(self, close: int, code: ErrorCode, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.close = close
        self.failed = messages.Failed(code.value, message, hint, retryable=close == LATER)


async def converse(
    socket: ServerConnection, hub: Hub, keys: Keys, seated: Callable[[], bool]
) -> None:
    """Serve one connection until it ends; `seated` says whether there is room for it."""
    try:
        async with asyncio.timeout(limits.HELLO_S):
            hello = await _hello(socket)
        peer = _greeted(hello, keys)
        if not seated():
            words = "Too many front ends are connected."
            raise Refused(LATER, ErrorCode.QUOTA, words, "Close one of them.")
        await hub.known.wait()
        await _serve(socket, hub, keys, peer)
    except Refused as refused:
        await _say(socket, refused)
    except TimeoutError:
        words = f"Say hello within {limits.HELLO_S:g} seconds."
        await _say(socket, Refused(TOO_SLOW, ErrorCode.PROTOCOL, words))
    except ConnectionClosed:
        pass


async def _say(socket: ServerConnection, refused: Refused) -> None:
    with contextlib.suppress(ConnectionClosed):
        await socket.send(encode_text(refused.failed.json()))
        await socket.close(refused.close)


async def _hello(socket: ServerConnection) -> messages.Hello:
    try:
        data = await socket.recv()
        if not isinstance(data, str):
            raise WireError("hello is text")
        return messages.read(_of_kind(decode_text(data), "hello"), messages.Hello)
    except WireError as problem:
        words = "The first message must be a hello."
        raise Refused(BROKEN, ErrorCode.PROTOCOL, words) from problem


def _of_kind(value: dict[str, Any], kind: str) -> dict[str, Any]:
    if value.get("t") != kind:
        raise WireError(f"no {kind}")
    return value


def _greeted(hello: messages.Hello, keys: Keys) -> Peer:
    if messages.PROTOCOL not in hello.protocol:
        theirs = ", ".join(map(str, hello.protocol)) or "none"
        raise Refused(
            WRONG_VERSION, ErrorCode.VERSION,
            f"The front end speaks protocol {theirs}, this backend {messages.PROTOCOL}.",
            "Bring the older of the two up to date.",
        )  # fmt: skip
    user = keys.user(hello.token, hello.ticket, time.monotonic())
    if isinstance(user, Refusal):
        close = TOO_MANY if user.status == 429 else UNAUTHORISED
        reason = user.reason[0].upper() + user.reason[1:] + "."
        hint = "`limner open` makes a new link; a plugin reads the token by itself."
        raise Refused(close, ErrorCode.FORBIDDEN, reason, hint)
    return Peer(user, hello, keys.session(user))


async def _serve(socket: ServerConnection, hub: Hub, keys: Keys, peer: Peer) -> None:
    requests = Requests(hub, keys, peer)
    hub.peers[peer] = None
    peer.welcome(hub.facts, ready=hub.has_worker)
    try:
        async with asyncio.TaskGroup() as both:
            tasks = [both.create_task(work(socket, peer)) for work in (_write, _let_go)]
            with contextlib.suppress(ConnectionClosed):
                await _read(socket, requests, peer)
            for task in tasks:
                task.cancel()
    finally:
        hub.peers.pop(peer, None)
        requests.leave()


async def _write(socket: ServerConnection, peer: Peer) -> None:
    with contextlib.suppress(ConnectionClosed):  # the reader ends by it too
        while True:
            await socket.send(await peer.outbox.next())
    peer.outbox.close()


async def _let_go(socket: ServerConnection, peer: Peer) -> None:
    await peer.outbox.overflowed.wait()
    await socket.close(LATER, "too slow; come back and watch again")


async def _read(socket: ServerConnection, requests: Requests, peer: Peer) -> None:
    bucket = Bucket(REQUESTS_A_S, REQUESTS_AT_ONCE)
    async for data in socket:
        if isinstance(data, str) and len(data.encode()) > limits.TEXT_BYTES:
            await socket.close(TOO_BIG, "a text frame may have 64 KiB")
            return
        try:
            message, part = _heard(data)
            if not isinstance(message, messages.Ack | messages.Blob):
                await bucket.taken()
                await peer.outbox.light()
            requests.take(message, part)
        except messages.UnknownType as problem:
            requests.refuse(LimnerError(ErrorCode.UNKNOWN_TYPE, str(problem)))
        except WireError as problem:
            await socket.close(BROKEN, _short(str(problem)))
            return


def _short(reason: str) -> str:
    """As much of a reason as a close frame can carry."""
    return reason.encode()[:REASON_BYTES].decode("utf-8", "ignore")


def _heard(data: str | bytes) -> tuple[messages.Message, Any]:
    """The message that a frame is, and the bytes that came with it."""
    if isinstance(data, str):
        return messages.parse(decode_text(data), messages.TO_BACKEND), b""
    frame = decode(data)
    message = messages.parse(frame.header, messages.TO_BACKEND_BINARY)
    return message, _only(frame.buffers)


def _only(buffers: dict[str, Any]) -> Any:
    if set(buffers) != {"data"} or buffers["data"].dtype != "u8":
        raise WireError("an input's part is one buffer of bytes, data")
    return buffers["data"].data
