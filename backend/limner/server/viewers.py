"""Who watches which job, and what they see: every durable event, and of frames the newest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from limner.server.outbox import Wire
from limner.server.peer import Live, Peer
from limner_wire.frames import Bytes, decode, encode, encode_text
from limner_wire.limits import RESULT_BYTES
from limner_wire.messages import StrokesFrame
from limner_wire.strokes import Strokes


class Viewers:
    """The viewers of all jobs."""

    def __init__(self) -> None:
        self._peers: dict[str, dict[Peer, None]] = {}
        self._newest: dict[str, dict[str, Live]] = {}
        self._seq: dict[str, int] = {}

    def add(self, job: str, peer: Peer) -> None:
        """Someone watches, and sees at once where the job stands."""
        self._peers.setdefault(job, {})[peer] = None
        for live in self._newest.get(job, {}).values():
            peer.show(live)

    def remove(self, job: str, peer: Peer) -> None:
        """Someone watches no more."""
        peer.forget(job)
        watching = self._peers.get(job, {})
        watching.pop(peer, None)
        if not watching:
            self._peers.pop(job, None)

    def by(self, peer: Peer) -> list[str]:
        """What someone watches."""
        return [job for job, peers in self._peers.items() if peer in peers]

    def __contains__(self, job: str) -> bool:
        return job in self._peers

    def of(self, job: str) -> Iterator[Peer]:
        """Who watches a job."""
        yield from list(self._peers.get(job, ()))

    def tell(self, job: str, wire: Wire) -> None:
        """A durable event, to all who watch."""
        for peer in self.of(job):
            peer.outbox.put(wire)

    def show(self, message: Any, frame: Bytes = b"") -> None:
        """A message of which only the newest counts, to all who watch; it is encoded once."""
        job, seq = message.job, self._seq.get(message.job, 0) + 1
        self._seq[job] = seq
        head = replace(message, seq=seq)
        if not frame:
            live = Live(job, message.t, seq, encode_text(head.json()))
        else:
            buffers = decode(frame, RESULT_BYTES).buffers
            wire = encode(head.json(), buffers.values(), RESULT_BYTES)
            strokes = None
            if isinstance(head, StrokesFrame) and any(peer.remote for peer in self.of(job)):
                strokes = Strokes.read(buffers, head.canvas)
            live = Live(job, message.t, seq, wire, head, strokes)
        self._newest.setdefault(job, {})[message.t] = live
        for peer in self.of(job):
            peer.show(live)

    def shown_step(self, job: str) -> int:
        """The step of the newest frame; 0 if there is none."""
        heads = (live.head for live in self._newest.get(job, {}).values())
        return max((head.step for head in heads if head is not None), default=0)

    def dismiss(self, job: str) -> None:
        """The job is over, and all who watched it know."""
        self.settle(job)
        for peer in self._peers.pop(job, {}):
            peer.forget(job)

    def settle(self, job: str, kinds: Iterable[str] = ()) -> None:
        """The newest of these kinds counts no more; without any, the job is over."""
        if not kinds:
            self._newest.pop(job, None)
            self._seq.pop(job, None)
        for kind in kinds:
            self._newest.get(job, {}).pop(kind, None)
