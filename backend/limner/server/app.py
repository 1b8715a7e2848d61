"""The server: one port for page and websocket, a hub behind it, an orderly start and end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import sqlite3
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from limner import __version__
from limner.engine.base import Engine
from limner.jobs.store import Store
from limner.server import pages
from limner.server.connection import CLOSE_S, Guarded, converse
from limner.server.gate import (
    LOOPBACK,
    Keys,
    Refusal,
    allowed_hosts,
    judge,
    read_or_make_token,
)
from limner.server.hub import Hub
from limner_wire import limits, place
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.messages import SUBPROTOCOL

log = logging.getLogger(__name__)

LIVE = "/live"
TIDY_S = 60.0
PING_S = 20.0  # between two, and for the answer to each
QUIET = logging.getLogger("limner.websockets")
QUIET.setLevel(logging.CRITICAL)  # strangers' broken requests are no news


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server listens and what it may use.

    Attributes:
        port: None for the usual one, or any if that is taken.
        names: by which other machines know this one.
        certificate, key: PEM files; without them only this machine is served.
        quota_bytes: how much room history and results may take.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    quota_bytes: int = 4 * 2**30


class _Taken(Exception):
    """The port is."""


class Server:
    """A backend that front ends talk to.

    Args:
        engines: what runs jobs, as many at a time.
        folder: where token and history lie.
    """

    def __init__(self, settings: Settings, engines: Sequence[Engine], folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._tls = _tls(settings)
        self.keys = Keys(read_or_make_token(folder / place.TOKEN))
        self.store = _opened(folder / "history.sqlite")
        self.hub = Hub(self.store, engines, settings.quota_bytes)
        self._routes = pages.routes()
        self._open: dict[ServerConnection, str] = {}  # that said hello, and each one's page
        self._hosts: frozenset[str] = frozenset()
        self.port = 0

    @property
    def url(self) -> str:
        """Where the page is."""
        host = self._settings.names[0] if self._settings.names else self._settings.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Serve while the block runs; then save what is being drawn, and end.

        Raises:
            LimnerError: BUSY if the port is taken.
        """
        listening = await self._listen()
        self.port = listening.sockets[0].getsockname()[1]
        self._hosts = allowed_hosts(self.port, (*LOOPBACK, *self._settings.names))
        tidying = asyncio.create_task(self._tidy())
        try:
            await self.hub.start()
            place.announce(place.Backend(self.url, os.getpid(), __version__))
            yield self
        finally:
            place.withdraw()
            tidying.cancel()
            listening.close()
            await self.hub.stop()
            await listening.wait_closed()
            self.store.close()

    async def _listen(self) -> WebSocketServer:
        wanted = self._settings.port
        for port in (place.PORT, 0) if wanted is None else (wanted,):
            with contextlib.suppress(_Taken):
                return await self._serve(port)
        raise LimnerError(
            ErrorCode.BUSY, f"Port {wanted} is taken by another program.", "Name another --port."
        )

    async def _serve(self, port: int) -> WebSocketServer:
        try:
            return await serve(
                self._converse, self._settings.host, port, ssl=self._tls, compression=None,
                subprotocols=[Subprotocol(SUBPROTOCOL)], select_subprotocol=_subprotocol,
                process_request=self._answer, server_header=None, logger=QUIET,
                open_timeout=limits.HELLO_S, close_timeout=CLOSE_S, ping_interval=PING_S,
                ping_timeout=PING_S, max_size=limits.BINARY_BYTES,
                create_connection=Guarded,
            )  # fmt: skip
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                raise _Taken from problem
            raise

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            try:
                self.hub.tidy()
            except LimnerError as problem:
                log.error("%s", problem)

    # --- one request ------------------------------------------------------------------------

    def _answer(self, socket: ServerConnection, request: Request) -> Response | None:
        """The answer to a request for a page or a refusal; None to go on as a websocket."""
        tls = self._tls is not None
        headers = list(request.headers.raw_items())
        refusal = judge(headers, request.path, self._hosts, tls=tls)
        if refusal is None and request.method != "GET":
            refusal = Refusal(405, "only GET")
        if refusal is None and request.path in self._routes:
            policy = pages.policy(request.headers["Host"], tls=tls)
            return pages.page(*self._routes[request.path], policy)
        if refusal is None and request.path != LIVE:
            refusal = Refusal(404, "there is nothing here")
        if refusal is None and self._is_full(_origin(request)):
            refusal = Refusal(503, "too many connections")
        if refusal is None:
            return None
        return socket.respond(refusal.status, refusal.reason + "\n")

    def _is_full(self, origin: str) -> bool:
        same = sum(1 for other in self._open.values() if origin and other == origin)
        return len(self._open) >= limits.CONNECTIONS or same >= limits.CONNECTIONS_PER_ORIGIN

    async def _converse(self, socket: ServerConnection) -> None:
        try:
            await converse(socket, self.hub, self.keys, lambda: self._seated(socket))
        except Exception:
            log.exception("a connection failed")
        finally:
            self._open.pop(socket, None)

    def _seated(self, socket: ServerConnection) -> bool:
        """Whether there is room for one more; who has not said hello takes none."""
        origin = _origin(socket.request)
        if self._is_full(origin):  # many knocked at the same moment
            return False
        self._open[socket] = origin
        return True


def _origin(request: Request | None) -> str:
    return request.headers.get("Origin", "") if request is not None else ""


def _subprotocol(socket: ServerConnection, offered: object) -> Subprotocol | None:
    """Ours if it is offered; versions are settled by the hello, which can say what is wrong."""
    names = offered if isinstance(offered, list | tuple) else ()
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in names else None


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """What encrypts connections; None on this machine alone.

    Raises:
        LimnerError: FORBIDDEN if other machines would be served in the clear; UNREADABLE if the
            certificate is none.
    """
    if settings.certificate is None or settings.key is None:
        if settings.host not in ("127.0.0.1", "localhost", "::1"):
            raise LimnerError(
                ErrorCode.FORBIDDEN,
                "Other machines are served encrypted only.",
                "Give --cert and --key; or, from the other machine: "
                f"ssh -L {place.PORT}:127.0.0.1:{place.PORT} THIS-MACHINE",
            )
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE, "The certificate or its key can't be read.", "Give PEM files."
        ) from problem
    return context


def _opened(path: Path) -> Store:
    path.touch(mode=0o600)  # it holds prompts; SQLite gives its other files the same rights
    try:
        return Store(path)
    except sqlite3.OperationalError as problem:
        raise LimnerError(
            ErrorCode.BUSY, "Another backend works on this history.", "Use that one, or stop it."
        ) from problem
    except ValueError as problem:
        raise LimnerError(
            ErrorCode.VERSION, f"{str(problem).capitalize()}.", f"Bring Limner up to date, or move "
            f"{path.name} away to begin a new history.",
        ) from problem  # fmt: skip
