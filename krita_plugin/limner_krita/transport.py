"""The plugin's line to the backend: finds it, tries again, says in words how things stand.

`limner_wire.session` holds the conversation, `websocket` the connection; here they are joined. The
address and the token are read anew for each try, so that the backend may be started, stopped and
started elsewhere while Krita runs. While there is none, its announcement is looked at each second.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from limner_front.i18n import _
from limner_front.link import (
    Link,
    absent_words,
    lost_words,
    refusal_words,
    starting_words,
    status_words,
    version_words,
)
from limner_krita.qt import QtCore, Signal
from limner_krita.version import VERSION
from limner_krita.websocket import WebSocket
from limner_wire import messages, place
from limner_wire.errors import WireError
from limner_wire.session import Heard, Phase, Session

CLIENT = f"krita/{VERSION}"
PING_MS = 15_000
LOOK_MS = 1_000  # between two looks for a backend, and at whether the connection is dead
WAIT_MOST_S = 5.0  # on one machine; trying costs nothing
CREDIT = 2
LIVE = "/live"
HOST = "krita"
ERRORS = 20  # kept for the diagnostics


@dataclass(frozen=True)
class Place:
    """Where a backend is said to be, and the token for it."""

    backend: place.Backend | None
    token: str


class Transport(QtCore.QObject):
    """The line to the backend.

    Signals:
        heard: a `limner_wire.session.Heard`; `shown` is to be called for each.
        phaseChanged: `link`, `problem` or what the backend offers has changed.

    Attributes:
        link: how things stand.
        problem: what is wrong and what to do, in words; nothing if nothing is.
        errors: the last reasons, for the diagnostics.
    """

    heard = Signal(object)
    phaseChanged = Signal()

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self.link, self.problem, self.url = Link.ABSENT, "", ""
        self.errors: list[str] = []
        self._place = Place(None, place.token())
        self.session = Session(f"{HOST}/{VERSION}", self._place.token, credit=CREDIT)
        self._socket: WebSocket | None = None
        self._retry = QtCore.QTimer(self, singleShot=True)
        self._retry.timeout.connect(self._try)
        self._looking = QtCore.QTimer(self, interval=LOOK_MS)
        self._looking.timeout.connect(self._look)
        self._pinging = QtCore.QTimer(self, interval=PING_MS)
        self._pinging.timeout.connect(self._ping)

    # --- for the docker ---------------------------------------------------------------------

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
        self._looking.start()
        self._pinging.start()
        self._try()

    def try_now(self) -> None:
        """Do not wait any longer for the next try."""
        if self._socket is None:
            self._try()

    def close(self) -> None:
        """Hang up for good."""
        for timer in (self._retry, self._looking, self._pinging):
            timer.stop()
        self._hang_up()

    def ask(self, message: messages.Message) -> None:
        """Say something that is not repeated if the connection is lost."""
        self.session.ask(message)
        self._flush()

    def upload(self, data: bytes, mime: str) -> str:
        """Send an input's bytes; its id. `session.has_uploaded` says when it has arrived.

        Raises:
            WireError: if they are none, or too many.
        """
        sha256 = self.session.upload(data, mime)
        self._flush()
        return sha256

    def unwatch(self, job: str) -> None:
        """Hear no more of a job."""
        self.session.unwatch(job)
        self._flush()

    def shown(self, heard: Heard) -> None:
        """It is on the artist's screen: the next may come."""
        self.session.shown(heard)
        self._flush()

    def _ping(self) -> None:
        self.ask(messages.Ping())

    # --- trying -----------------------------------------------------------------------------

    def _look(self) -> None:
        """A backend that was started or stopped since the last try is noticed here."""
        if self._socket is not None:
            if self.session.is_dead(time.monotonic()):
                self._socket.abort("silent for too long")
        elif Place(place.backend(), place.token()) != self._place:
            self._try()

    def _try(self) -> None:
        self._retry.stop()
        if self._socket is not None:
            return
        found, last = Place(place.backend(), place.token()), self._place
        self._place = found
        if found.backend is None:
            self._become(Link.ABSENT, absent_words())
            return
        if found.token != last.token or self.session.phase is Phase.REFUSED:
            self._renew_session(found.token)
        self.url = found.backend.url
        if self.link is not Link.LOST:
            self._become(Link.CONNECTING)
        try:
            self._socket = WebSocket(
                "ws" + self.url.removeprefix("http").rstrip("/") + LIVE, parent=self
            )
        except ValueError as problem:
            self._note(str(problem))
            self._become(Link.REFUSED, _("{reason}.", reason=str(problem).capitalize()))
            return
        self._socket.opened.connect(self._opened)
        self._socket.received.connect(self._received)
        self._socket.closed.connect(self._closed)
        self._socket.open()

    def _renew_session(self, token: str) -> None:
        """Another token: speak with that, of the same jobs."""
        self.session = Session(CLIENT, token, credit=CREDIT).take_over(self.session)

    # --- one connection ---------------------------------------------------------------------

    def _opened(self) -> None:
        self.session.connected(time.monotonic())
        self._become(Link.GREETING)
        self._flush()

    def _received(self, data: str | bytes) -> None:
        try:
            heard = self.session.receive(data, time.monotonic())
        except WireError as problem:
            self._note(f"protocol: {problem}")
            self._drop(Link.REFUSED, version_words(HOST))
            return
        if heard is not None:
            self._told(heard)
        self._flush()

    def _told(self, heard: Heard) -> None:
        message = heard.message
        if isinstance(message, messages.Welcome):
            self._become(Link.READY, "" if message.ready else starting_words(), anew=True)
        elif isinstance(message, messages.Failed) and self.link is Link.GREETING:
            self._note(f"{message.code}: {message.message}")
            link = Link.LOST if message.retryable else Link.REFUSED
            self._become(link, refusal_words(message, HOST))
            return
        self.heard.emit(heard)

    def _closed(self, reason: str, status: int) -> None:
        self._let_go()
        self._note(f"{reason} ({status})" if status else reason)
        wait_s = self.session.disconnected()
        if self.link is Link.REFUSED or wait_s is None:
            self._become(Link.REFUSED, self.problem)
            return  # until another backend says that it runs: `_look`
        said = self.problem if self.link is Link.LOST and self.problem else lost_words()
        self._become(Link.LOST, status_words(status) if status else said)
        self._retry.start(int(1000 * min(wait_s, WAIT_MOST_S)))

    def _drop(self, link: Link, problem: str) -> None:
        """Hang up, and say why."""
        self._hang_up()
        self.session.disconnected()
        self._become(link, problem)

    def _hang_up(self) -> None:
        if self._socket is not None:
            for signal in (self._socket.opened, self._socket.received, self._socket.closed):
                signal.disconnect()
            self._socket.close()
        self._let_go()

    def _let_go(self) -> None:
        """Be done with a connection that is over."""
        if self._socket is not None:
            self._socket.deleteLater()
        self._socket = None

    def _flush(self) -> None:
        for data in self.session.to_send():
            if self._socket is not None:
                self._socket.send(data)

    # --- telling ----------------------------------------------------------------------------

    def _become(self, link: Link, problem: str = "", *, anew: bool = False) -> None:
        is_news = anew or (link, problem) != (self.link, self.problem)
        self.link, self.problem = link, problem
        if is_news:
            self.phaseChanged.emit()

    def _note(self, error: str) -> None:
        self.errors = [*self.errors, f"{time.strftime('%H:%M:%S')} {error}"][-ERRORS:]
