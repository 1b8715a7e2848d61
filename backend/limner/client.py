"""A program's conversation with a backend: the wire's session on an asyncio websocket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from limner import __version__
from limner_wire import messages, place
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import RESULT_BYTES
from limner_wire.session import Heard, Phase, Session

GREETING_S = 5.0  # a backend that runs answers sooner


class Client:
    """A session that is connected.

    Args:
        session: says what to send, and what was heard.
    """

    def __init__(self, socket: ClientConnection, session: Session) -> None:
        self._socket, self.session = socket, session

    async def flush(self) -> None:
        """Send what the session has to say."""
        for data in self.session.to_send():
            await self._socket.send(data)

    async def hear(self) -> AsyncIterator[Heard]:
        """What is heard, from now on; each is acknowledged when the loop asks for the next.

        Raises:
            ConnectionClosed: when the backend is gone.
        """
        async for data in self._socket:
            heard = self.session.receive(data, time.monotonic())
            if heard is not None:
                yield heard
                self.session.shown(heard)
            await self.flush()


@contextlib.asynccontextmanager
async def connected(session: Session, url: str) -> AsyncIterator[Client]:
    """A connection to the backend at `url`, greeted.

    Raises:
        OSError, InvalidHandshake, ConnectionClosed, TimeoutError: if there is none.
        LimnerError: if it will not talk.
    """
    socket_url = "ws" + url.removeprefix("http").rstrip("/") + "/live"
    encrypted = ssl.create_default_context() if url.startswith("https") else None
    async with connect(
        socket_url, ssl=encrypted, subprotocols=[Subprotocol(messages.SUBPROTOCOL)],
        compression=None, max_size=RESULT_BYTES, open_timeout=GREETING_S, proxy=None,
    ) as socket:  # fmt: skip
        client = Client(socket, session)
        session.connected(time.monotonic())
        await client.flush()
        async with asyncio.timeout(GREETING_S):
            async for heard in client.hear():
                if isinstance(heard.message, messages.Failed):
                    failed = heard.message
                    raise LimnerError(ErrorCode(failed.code), failed.message, failed.hint)
                if session.phase is Phase.READY:
                    break
        await client.flush()
        yield client


@contextlib.asynccontextmanager
async def here(name: str = "limner") -> AsyncIterator[Client | None]:
    """A connection to the backend of this machine; None if none runs."""
    found = place.backend()
    async with contextlib.AsyncExitStack() as stack:
        client = None
        if found is not None:
            session = Session(f"{name}/{__version__}", place.token())
            with contextlib.suppress(OSError, InvalidHandshake, ConnectionClosed, TimeoutError):
                client = await stack.enter_async_context(connected(session, found.url))
        yield client
