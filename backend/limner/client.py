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

KNOCKING_S = 5.0  # a backend that runs opens sooner
GREETING_S = 60.0  # one that was just started for the first time waits for its worker


class Client:
    """A session that is connected.

    Args:
        session: says what to send, and what was heard.
    """

    def __init__(self, socket: ClientConnection, session: Session) -> None:
        self._socket, self.session = socket, session
        self._last: Heard | None = None

    async def flush(self) -> None:
        """Send what the session has to say."""
        for data in self.session.to_send():
            await self._socket.send(data)

    async def ask(self, message: messages.Message) -> None:
        """Ask for something; the answer is heard in its time."""
        self.session.ask(message)
        await self.flush()

    async def next(self) -> Heard:
        """What is heard next; asking for it says that the last was shown.

        Raises:
            ConnectionClosed: when the backend is gone.
        """
        if self._last is not None:
            self.session.shown(self._last)
            self._last = None
        while self._last is None:
            await self.flush()
            data = await self._socket.recv()
            self._last = self.session.receive(data, time.monotonic())
        return self._last


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
        compression=None, max_size=RESULT_BYTES, open_timeout=KNOCKING_S, proxy=None,
    ) as socket:  # fmt: skip
        client = Client(socket, session)
        session.connected(time.monotonic())
        async with asyncio.timeout(GREETING_S):
            while session.phase is not Phase.READY:
                message = (await client.next()).message
                if isinstance(message, messages.Failed):
                    raise told(message)
        await client.flush()
        yield client


def told(failed: messages.Failed) -> LimnerError:
    """The error that a backend told."""
    return LimnerError(ErrorCode(failed.code), failed.message, failed.hint)


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
