"""The extension's line to the backend: a thread of its own, and not a word of bpy.

`limner_wire.session` holds the conversation, `websockets` the connection; here they are joined.
One thread connects, listens, and tries again; while it is connected another one sends, so that
nothing that Blender's own thread does ever waits for a socket. What is heard gathers here until
the pump takes it: events in order, and of live frames only the newest of each drawing.

The address and the token are read anew for each try, so that the backend may be started, stopped
and started elsewhere while Blender runs. While there is none, its announcement is looked at each
second.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from limner_front.link import (
    Link,
    absent_words,
    lost_words,
    refusal_words,
    starting_words,
    status_words,
    version_words,
)
from limner_wire import limits, messages, place
from limner_wire.errors import WireError
from limner_wire.session import Heard, Phase, Session

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

HOST = "blender"
PING_S = 15.0
LOOK_S = 1.0  # between two looks for a backend, and at whether the connection is dead
OPEN_S = 5.0  # to connect
WAIT_MOST_S = 5.0  # on one machine; trying costs nothing
CLOSE_S = 2.0
CREDIT = 2
LIVE = "/live"
ERRORS = 20  # kept for the diagnostics


@dataclass(frozen=True)
class Where:
    """Where a backend is said to be.

    Attributes:
        url: as it is announced; nothing if none is.
        key: the token, or a ticket for a machine that is not this one.
    """

    url: str = ""
    key: str = field(default="", repr=False)
    is_far: bool = False


class Line:
    """The line to the backend. Every method may be called from any thread, and none waits.

    Args:
        client: who speaks: "blender/0.3".

    Attributes:
        elsewhere: another machine's backend, to be used in place of this one's.
        link: how things stand.
        problem: what is wrong and what to do, in words; nothing if nothing is.
        url: where it was tried last.
        errors: the last reasons, for the diagnostics.
        news: grows whenever link, problem or what the backend offers has changed.
    """

    def __init__(self, client: str) -> None:
        self.link, self.problem, self.url = Link.ABSENT, absent_words(), ""
        self.elsewhere: Where | None = None
        self.errors: deque[str] = deque(maxlen=ERRORS)
        self.news = 0
        self._client = client
        self._where = self._look()
        self.session = self._new_session(self._where)
        self._lock = threading.RLock()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._is_asked = False  # whether the artist wants another try of one that refused
        self._thread: threading.Thread | None = None
        self._connection: ClientConnection | None = None
        self._out: SimpleQueue[str | bytes | None] | None = None
        self._events: deque[Heard] = deque()
        self._frames: dict[tuple[str, str], Heard] = {}

    # --- for Blender's thread -----------------------------------------------------------------

    @property
    def welcome(self) -> messages.Welcome | None:
        """What the backend offers, or offered when it was last there."""
        return self.session.welcome

    @property
    def is_ready(self) -> bool:
        """Whether anything can be asked."""
        return self.link is Link.READY

    def open(self) -> None:
        """Connect, and stay connected until `close`."""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, name="limner line", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Hang up for good; the threads have ended when this returns."""
        thread, self._thread = self._thread, None
        self._ended.set()
        self.hang_up()
        if thread is not None:
            thread.join(CLOSE_S)

    def hang_up(self) -> None:
        """End the connection that there is, if any; another is tried unless the line is closed."""
        self._wake.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):  # it may be over already
                connection.socket.shutdown(socket.SHUT_RDWR)

    def try_now(self) -> None:
        """Do not wait any longer for the next try."""
        self._is_asked = True
        self._wake.set()

    def take(self) -> list[Heard]:
        """What was heard since the last time; `shown` is to be called for each."""
        with self._lock:
            out = [*self._frames.values(), *self._events]
            self._frames.clear()
            self._events.clear()
        return out

    def ask(self, message: messages.Message) -> None:
        """Say anything; what is more than a word is repeated until it is confirmed."""
        with self._lock:
            self.session.ask(message)
            self._flush()

    def upload(self, data: bytes, mime: str) -> str:
        """Send an input's bytes; its id. `session.has_uploaded` says when it has arrived.

        Raises:
            WireError: if they are none, or too many.
        """
        with self._lock:
            sha256 = self.session.upload(data, mime)
            self._flush()
        return sha256

    def unwatch(self, job: str) -> None:
        """Hear no more of a job."""
        with self._lock:
            self.session.unwatch(job)
            self._flush()

    def shown(self, heard: Heard) -> None:
        """It is on the artist's screen: the next may come."""
        with self._lock:
            self.session.shown(heard)
            self._flush()

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.is_set():
            wait_s = self._try()
            self._wake.wait(wait_s)
            self._wake.clear()

    def _try(self) -> float:
        """Connect, and talk for as long as it goes well; how long to wait before the next try."""
        found, last = self._look(), self._where
        if self.link is Link.REFUSED and found == last and not self._is_asked:
            return LOOK_S  # until another backend says that it runs
        self._where, self._is_asked = found, False
        if not found.url:
            self._become(Link.ABSENT, absent_words())
            return LOOK_S
        if found.key != last.key or found.is_far != last.is_far or self._is_refused():
            with self._lock:
                self.session = self._new_session(found).take_over(self.session)
        self.url = found.url
        if self.link is not Link.LOST:
            self._become(Link.CONNECTING)
        try:
            connection = self._connect(found)
        except Exception as problem:
            return self._not_connected(problem)
        return self._talk(connection)

    def _connect(self, found: Where) -> ClientConnection:
        from websockets.sync.client import connect  # here: it is there while we are enabled

        return connect(
            "ws" + found.url.removeprefix("http").rstrip("/") + LIVE,
            open_timeout=OPEN_S, close_timeout=CLOSE_S, ping_interval=None, compression=None,
            max_size=limits.RESULT_BYTES, proxy=True if found.is_far else None,
        )  # fmt: skip

    def _not_connected(self, problem: Exception) -> float:
        status = getattr(getattr(problem, "response", None), "status_code", 0)
        self._note(f"{type(problem).__name__}: {problem}")
        return self._lost(status_words(status) if status else lost_words())

    def _lost(self, words: str) -> float:
        with self._lock:
            wait_s = self.session.disconnected()
        if self.link is Link.REFUSED or wait_s is None:
            self._become(Link.REFUSED, self.problem)
            return LOOK_S
        said = self.problem if self.link is Link.LOST and self.problem else words
        self._become(Link.LOST, said)
        return min(wait_s, WAIT_MOST_S)

    def _talk(self, connection: ClientConnection) -> float:
        out: SimpleQueue[str | bytes | None] = SimpleQueue()
        sender = threading.Thread(
            target=_send, args=(connection, out), name="limner sender", daemon=True
        )
        with self._lock:
            self._connection, self._out = connection, out
            self.session.connected(time.monotonic())
            self._become(Link.GREETING)
            self._flush()
        sender.start()
        try:
            self._listen(connection)
        except WireError as problem:
            self._note(f"protocol: {problem}")
            self._become(Link.REFUSED, version_words(HOST))
        except Exception as problem:
            self._note(f"{type(problem).__name__}: {problem}")
        finally:
            with self._lock:
                self._connection = self._out = None
            out.put(None)
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
            connection.close()
            sender.join(CLOSE_S)
        return self._lost(lost_words())

    def _listen(self, connection: ClientConnection) -> None:
        asked = time.monotonic()
        while not self._ended.is_set():
            now = time.monotonic()
            if self.session.is_dead(now):
                raise TimeoutError("silent for too long")
            if now - asked >= PING_S:
                asked = now
                self.ask(messages.Ping())
            with contextlib.suppress(TimeoutError):
                data = connection.recv(timeout=LOOK_S)
                with self._lock:
                    heard = self.session.receive(data, time.monotonic())
                    if heard is not None:
                        self._told(heard)
                    self._flush()

    def _told(self, heard: Heard) -> None:
        message: Any = heard.message
        if isinstance(message, messages.Welcome):
            self._become(Link.READY, "" if message.ready else starting_words(), anew=True)
        elif isinstance(message, messages.Failed) and self.link is Link.GREETING:
            self._note(f"{message.code}: {message.message}")
            words = refusal_words(message, HOST)
            self._become(Link.LOST if message.retryable else Link.REFUSED, words)
        elif message.t in messages.LATEST_WINS and message.seq:  # a recorded frame has none
            key = message.job, message.t
            if (older := self._frames.pop(key, None)) is not None:
                self.session.shown(older)  # nobody will see it: its credit goes back
            self._frames[key] = heard
        else:
            self._events.append(heard)

    # --- small things -------------------------------------------------------------------------

    def _look(self) -> Where:
        if self.elsewhere is not None:
            return self.elsewhere
        found = place.backend()
        return Where(found.url if found else "", place.token())

    def _new_session(self, where: Where) -> Session:
        if where.is_far:
            return Session(self._client, ticket=where.key, credit=CREDIT, remote=True)
        return Session(self._client, where.key, credit=CREDIT)

    def _is_refused(self) -> bool:
        return self.session.phase is Phase.REFUSED

    def _flush(self) -> None:
        if self._out is not None:
            for data in self.session.to_send():
                self._out.put(data)

    def _become(self, link: Link, problem: str = "", *, anew: bool = False) -> None:
        is_news = anew or (link, problem) != (self.link, self.problem)
        self.link, self.problem = link, problem
        self.news += is_news

    def _note(self, error: str) -> None:
        self.errors.append(f"{time.strftime('%H:%M:%S')} {error}")


def _send(connection: ClientConnection, out: SimpleQueue[str | bytes | None]) -> None:
    """Send what is put there, until nothing is or the connection is over."""
    with contextlib.suppress(Exception):  # the listener hears of it
        while (data := out.get()) is not None:
            connection.send(data)
