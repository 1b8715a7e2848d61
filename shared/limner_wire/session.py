"""A front end's side of the conversation, without a socket: what to say, and what was heard.

Whoever has a socket (Qt's in Krita, a thread in Blender, asyncio in the command line) tells the
session when it is connected, gives it what arrives, and sends what `to_send` returns. The session
says hello, keeps the credit, knows which jobs are watched and how far they were heard, and after a
lost connection picks all of it up again: submits that nobody confirmed are sent once more (they
carry their own id, so they are the same job), and watched jobs go on after the last event heard.

It waits for nothing, and starts nothing. Times are the caller's, in seconds of a monotonic clock.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from limner_wire import limits, messages
from limner_wire.errors import ErrorCode, WireError
from limner_wire.frames import Buffer, decode, decode_text, encode, encode_text
from limner_wire.strokes import Strokes

CHUNK_BYTES = 256 * 2**10  # of an upload
BACK_OFF_S = (0.25, 30.0)  # before the first try again, and at most
CREDIT_MAX = 8  # frames under way, as `Hello.credit` is bounded
SILENCE_S = 40.0  # after so long without a word the connection is dead
GREETING_S = 180.0  # and before the first word, which may wait for the first worker


class Phase(Enum):
    """Where the conversation stands."""

    CLOSED = "closed"
    GREETING = "greeting"  # hello is said, welcome is not
    READY = "ready"
    REFUSED = "refused"  # the backend will not talk: trying again changes nothing


@dataclass(frozen=True)
class Heard:
    """A message that arrived; of binary ones, what lay in the frame.

    Attributes:
        strokes: of a `strokes` message, whole, whatever the frame was.
    """

    message: messages.Message
    buffers: dict[str, Buffer] = field(default_factory=dict)
    strokes: Strokes | None = None


@dataclass
class Watched:
    """A job that is watched: the last durable event heard, and the last frames shown by `seq`,
    any of which a frame that is under way may be steps from."""

    seq: int = 0
    shown: dict[int, Strokes] = field(default_factory=dict)
    ended: bool = False


@dataclass
class _Upload:
    mime: str
    data: bytes
    complete: bool = False


class Session:
    """One front end's conversation with a backend, over any number of connections.

    Args:
        client: who speaks: "krita/0.3".
        token: the backend's, from its file; or a `ticket` that it gave for one connection.
        credit: how many frames may be under way that have not been shown.
        remote: whether the backend is far: frames then come as small steps.
    """

    def __init__(
        self,
        client: str,
        token: str = "",
        *,
        ticket: str = "",
        credit: int = 2,
        remote: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        self.phase = Phase.CLOSED
        self.welcome: messages.Welcome | None = None
        self.watched: dict[str, Watched] = {}
        self._hello = messages.Hello((messages.PROTOCOL,), client, token, ticket, credit, remote)
        self._out: deque[str | bytes] = deque()
        self._unconfirmed: dict[str, messages.Submit] = {}
        self._uploads: dict[str, _Upload] = {}
        self._failures = 0
        self._heard_at = 0.0
        self._chance = chance or random.Random()  # spreads tries; no secret

    def take_over(self, before: Session) -> Session:
        """Speak of the same jobs as an earlier conversation did, with another token."""
        self.welcome = before.welcome
        self.watched = {j: Watched(w.seq, ended=w.ended) for j, w in before.watched.items()}
        self._unconfirmed = dict(before._unconfirmed)
        self._uploads = {sha: u for sha, u in before._uploads.items() if not u.complete}
        return self

    # --- the connection ---------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """A connection is open: say hello."""
        self.phase = Phase.GREETING
        self._heard_at = now
        self._out.clear()
        self._say(self._hello)

    def disconnected(self) -> float | None:
        """The connection is gone. How many seconds to wait before the next; None for never."""
        self._out.clear()
        if self.phase is Phase.REFUSED:
            return None
        self.phase = Phase.CLOSED
        low, high = BACK_OFF_S
        wait = min(high, low * 2.0 ** min(self._failures, 20))
        self._failures += 1
        return wait * self._chance.uniform(0.5, 1.0)

    def is_dead(self, now: float) -> bool:
        """Whether the backend has been silent for so long that the connection should be closed."""
        waits = self.phase is Phase.GREETING  # a backend that starts says nothing yet
        patience = GREETING_S if waits else SILENCE_S
        return self.phase is not Phase.CLOSED and now - self._heard_at > patience

    def to_send(self) -> list[str | bytes]:
        """What to send now, text and binary frames in order."""
        out = list(self._out)
        self._out.clear()
        return out

    # --- what arrives -----------------------------------------------------------------------

    def receive(self, data: str | bytes, now: float) -> Heard | None:
        """What a frame says; None if it says nothing new, or nothing that is known here.

        Raises:
            WireError: if it breaks the protocol: close the connection.
        """
        self._heard_at = now
        try:
            if isinstance(data, str):
                heard = Heard(
                    messages.parse(decode_text(data, limits.ANSWER_BYTES), messages.TO_CLIENT)
                )
            else:
                frame = decode(data, limits.RESULT_BYTES)
                kinds = messages.TO_CLIENT_BINARY
                heard = Heard(messages.parse(frame.header, kinds), frame.buffers)
        except messages.UnknownType:
            return None  # a newer backend's
        return self._take(heard)

    def _take(self, heard: Heard) -> Heard | None:
        message = heard.message
        if isinstance(message, messages.Welcome):
            self._welcomed(message)
        elif isinstance(message, messages.BlobOk):
            self._continue_upload(message)
        elif isinstance(message, messages.Failed) and not message.job:
            if self.phase is Phase.READY:
                self._forget_uploads(are_complete=False)  # one that is refused may come again
            elif self.phase is Phase.GREETING and not message.retryable:
                self.phase = Phase.REFUSED
        elif isinstance(message, messages.StrokesFrame):
            return self._whole(heard, message)
        elif message.t in messages.DURABLE:
            return heard if self._is_new(message) else None
        return heard

    def _is_new(self, message: Any) -> bool:
        """Whether a durable event was not heard before; each is told once."""
        self._unconfirmed.pop(message.job, None)
        if isinstance(message, messages.Failed) and message.code == ErrorCode.UNKNOWN_BLOB.value:
            self._forget_uploads(are_complete=True)  # the backend has kept them no longer
        watched = self.watched.get(message.job)
        if watched is None or not message.seq:
            return True
        if message.seq <= watched.seq:
            return False
        watched.seq = message.seq
        if isinstance(message, messages.State | messages.Done):
            watched.ended = message.state in messages.ENDED
            if watched.ended:
                watched.shown.clear()  # no step builds on them any more
        return True

    def _whole(self, heard: Heard, message: messages.StrokesFrame) -> Heard | None:
        watched = self.watched.get(message.job)
        if not message.base:
            return replace(heard, strokes=Strokes.read(heard.buffers, message.canvas))
        if watched is None or message.base not in watched.shown:
            self._say(messages.Ack(message.job, message.seq))  # give the credit back all the same
            return None
        base = watched.shown[message.base]
        return replace(heard, strokes=base.with_steps(heard.buffers))

    def _welcomed(self, message: messages.Welcome) -> None:
        greeting, self.welcome = self.phase is Phase.GREETING, message
        if not greeting:
            return  # only what there is has changed
        self.phase, self._failures = Phase.READY, 0
        self._hello = replace(self._hello, ticket=message.session)
        for sha, upload in self._uploads.items():
            if not upload.complete:
                self._send_part(sha, upload, 0)
        for submit in self._unconfirmed.values():
            self._say(submit)
        for job, watched in self.watched.items():
            watched.shown.clear()  # the backend has forgotten what was shown
            if not watched.ended and job not in self._unconfirmed:
                self._say(messages.Watch(job, watched.seq))

    # --- what the artist asks for -----------------------------------------------------------

    def submit(self, submit: messages.Submit) -> None:
        """Ask for a job; it is asked for again after a lost connection until it is confirmed."""
        self._unconfirmed[submit.job] = submit
        if submit.watch:
            self.watched.setdefault(submit.job, Watched())
        self._say_when_ready(submit)

    def upload(self, data: bytes, mime: str) -> str:
        """Send an input's bytes; its id, for `Submit.inputs`. The same bytes are sent once.

        Raises:
            WireError: if they are none, or too many.
        """
        if not 0 < len(data) <= limits.IMAGE_BYTES or mime not in messages.MIMES:
            raise WireError(f"an input is an image of at most {limits.IMAGE_BYTES} bytes")
        sha = hashlib.sha256(data).hexdigest()
        if sha not in self._uploads:
            self._uploads[sha] = _Upload(mime, data)
            if self.phase is Phase.READY:
                self._send_part(sha, self._uploads[sha], 0)
        return sha

    def has_uploaded(self, sha256: str) -> bool:
        """Whether an input has arrived, whole."""
        upload = self._uploads.get(sha256)
        return upload is not None and upload.complete

    def watch(self, job: str) -> None:
        """Hear of a job from its first event on."""
        self.watched[job] = Watched()
        self._say_when_ready(messages.Watch(job))

    def unwatch(self, job: str) -> None:
        """Hear no more of a job."""
        self.watched.pop(job, None)
        self._say_when_ready(messages.Unwatch(job))

    def ask(self, message: messages.Message) -> None:
        """Say anything: what is more than a word (`submit`, `watch`) as that does; the rest is not
        repeated if the connection is lost."""
        if isinstance(message, messages.Submit):
            self.submit(message)
        elif isinstance(message, messages.Watch):
            self.watch(message.job)
        else:
            self._say_when_ready(message)

    def shown(self, heard: Heard) -> None:
        """What was heard is on the artist's screen: the next may come. To be called for every
        message; those that need no answer get none."""
        message: Any = heard.message
        if message.t not in messages.LATEST_WINS or not message.seq:
            return
        watched = self.watched.get(message.job)
        if watched is not None and not watched.ended and heard.strokes is not None:
            watched.shown[message.seq] = heard.strokes
            if len(watched.shown) > CREDIT_MAX:
                del watched.shown[next(iter(watched.shown))]
        self._say_when_ready(messages.Ack(message.job, message.seq))

    def _say_when_ready(self, message: messages.Message) -> None:
        if self.phase is Phase.READY:
            self._say(message)

    def _say(self, message: messages.Message) -> None:
        self._out.append(encode_text(message.json()))

    # --- uploads ----------------------------------------------------------------------------

    def _forget_uploads(self, *, are_complete: bool) -> None:
        kept = {s: u for s, u in self._uploads.items() if u.complete is not are_complete}
        self._uploads = kept

    def _continue_upload(self, message: messages.BlobOk) -> None:
        upload = self._uploads.get(message.sha256)
        if upload is None:
            return
        if message.complete:
            upload.complete, upload.data = True, b""
        else:
            self._send_part(message.sha256, upload, message.have)

    def _send_part(self, sha: str, upload: _Upload, at: int) -> None:
        part = upload.data[at : at + CHUNK_BYTES]
        if not part:
            return
        head = messages.Blob(sha, upload.mime, len(upload.data), at)
        self._out.append(encode(head.json(), [Buffer("data", "u8", (len(part),), part)]))
