"""A front end that has said hello, as the server knows it: who it is, and how to speak to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from limner import __version__
from limner.server.outbox import Outbox, Wire
from limner.server.uploads import Uploads
from limner_wire import limits
from limner_wire.errors import LimnerError
from limner_wire.frames import Buffer, encode, encode_text
from limner_wire.limits import ANSWER_BYTES, RESULT_BYTES
from limner_wire.messages import (
    PROTOCOL,
    Failed,
    Hello,
    Message,
    RasterFrame,
    StrokesFrame,
    Welcome,
)
from limner_wire.strokes import Strokes

BOUNDS = {
    "prompt_chars": limits.PROMPT_CHARS,
    "canvas_px": [limits.CANVAS_MIN_PX, limits.CANVAS_MAX_PX],
    "image_bytes": limits.IMAGE_BYTES,
    "image_px": limits.IMAGE_AREA_PX,
    "queued": limits.QUEUED_PER_CLIENT,
}
WHOLE_EVERY = 30  # frames; those between may be steps


@dataclass(frozen=True, slots=True)
class Live:
    """A message of which only the newest counts.

    Attributes:
        kind: "strokes", "progress".
        seq: its number among the job's live messages.
        wire: as it is sent.
        head: of a frame.
        strokes: of a frame of strokes that someone may want as steps.
    """

    job: str
    kind: str
    seq: int
    wire: Wire
    head: StrokesFrame | RasterFrame | None = None
    strokes: Strokes | None = None


class Peer:
    """One connection.

    Args:
        user: whose it is; nothing for the owner.
        hello: what it said of itself.
        session: the key with which it comes back.
    """

    def __init__(self, user: str, hello: Hello, session: str) -> None:
        self.user, self.client, self.remote = user, hello.client, hello.remote
        self._session = session
        self.outbox = Outbox(hello.credit)
        self.uploads = Uploads()
        self._sent: dict[tuple[str, int], Strokes] = {}
        self._shown: dict[str, tuple[int, Strokes]] = {}

    def may_see(self, owner: str) -> bool:
        """Whether a job of that user is this front end's business."""
        return self.user in ("", owner)

    def welcome(self, facts: dict[str, Any], *, ready: bool) -> None:
        """Say what there is to ask for."""
        methods, models = tuple(facts["methods"]), tuple(facts["models"])
        devices = tuple(facts["devices"])
        name = f"limner/{__version__}"
        self.tell(Welcome(PROTOCOL, name, self._session, BOUNDS, methods, models, devices, ready))

    def tell(self, message: Message, buffers: Sequence[Buffer] = ()) -> None:
        """Say something that must arrive."""
        if buffers:
            self.outbox.put(encode(message.json(), buffers, RESULT_BYTES))
        else:
            self.outbox.put(encode_text(message.json(), ANSWER_BYTES))

    def refuse(self, problem: LimnerError, job: str = "", *, retryable: bool = False) -> None:
        """Say why a request is not served."""
        words = (problem.message[:2000], problem.hint[:2000])
        self.tell(Failed(problem.code.value, *words, retryable=retryable, job=job))

    def show(self, live: Live) -> None:
        """Say something of which only the newest counts."""
        as_steps = self.remote and live.strokes is not None
        wire = partial(self._as_steps, live) if as_steps else live.wire
        self.outbox.offer(live.job, live.kind, live.seq, wire)

    def acknowledge(self, job: str, seq: int) -> None:
        """It has shown a frame, from which the next may now be steps."""
        self.outbox.acknowledge(job, seq)
        if (strokes := self._sent.pop((job, seq), None)) is not None:
            self._shown[job] = (seq, strokes)

    def forget(self, job: str) -> None:
        """It watches the job no more."""
        self.outbox.forget(job)
        self._shown.pop(job, None)
        self._sent = {key: strokes for key, strokes in self._sent.items() if key[0] != job}

    def _as_steps(self, live: Live) -> Wire:
        """The frame as steps from the last that is on the other side's screen, or whole."""
        assert live.strokes is not None and isinstance(live.head, StrokesFrame)  # noqa: S101
        seq, shown = self._shown.get(live.job, (0, None))
        steps = None
        if shown is not None and live.seq % WHOLE_EVERY:
            steps = live.strokes.steps_from(shown)
        if shown is None or steps is None:
            self._sent[live.job, live.seq] = live.strokes
            return live.wire
        self._sent[live.job, live.seq] = shown.with_steps({b.name: b for b in steps})
        return encode(replace(live.head, base=seq).json(), steps)
