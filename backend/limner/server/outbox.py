"""What waits to be sent to one front end: durable messages in order, frames only the newest.

A front end that reads slowly must not see old pictures, nor make the server hoard them. Frames
wait in one place for each (job, kind), where a newer replaces an older; and only `credit` of them
may be under way, because whatever is once in a socket's buffers can't be taken back. The front end
gives credit back when it has shown a frame. Durable messages never wait for credit and are never
dropped; if they pile up, the front end is gone in all but name: the connection is closed, and it
may come back and ask for what it missed.

A frame may be given as a function that makes it: it is called when the frame is sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

MOST_WAITING = 256  # durable messages
MOST_BYTES = 16 * 2**20  # of them; a front end with more is not heard until it has read some

Wire = str | bytes


class Outbox:
    """One connection's outbox.

    Args:
        credit: how many frames may be under way.

    Attributes:
        overflowed: set when the front end does not read: close the connection, it may come back.
    """

    def __init__(self, credit: int) -> None:
        self._ordered: deque[Wire] = deque()
        self._latest: dict[tuple[str, str], tuple[int, Wire | Callable[[], Wire]]] = {}
        self._under_way: dict[tuple[str, int], int] = {}
        self._credit = self._most = credit
        self._waiting = asyncio.Event()
        self._bytes, self._is_closed, self._is_light = 0, False, asyncio.Event()
        self._is_light.set()
        self.overflowed = asyncio.Event()
        self._asked_for = 0  # of those in order, however many
        self.conflated = 0

    def put(self, message: Wire) -> None:
        """A message that must arrive, in order."""
        if len(self._ordered) >= MOST_WAITING + self._asked_for:
            self.overflowed.set()
            return
        self._ordered.append(message)
        self._weigh(len(message))
        self._waiting.set()

    def replay(self, messages: Sequence[Wire]) -> None:
        """Messages that the front end asked for, which may be many."""
        self._ordered.extend(messages)
        self._asked_for += len(messages)
        self._weigh(sum(map(len, messages)))
        self._waiting.set()

    def _weigh(self, more: int) -> None:
        self._bytes += more
        if self._bytes > MOST_BYTES and not self._is_closed:
            self._is_light.clear()
        else:
            self._is_light.set()

    async def light(self) -> None:
        """Return when there is room for more answers."""
        await self._is_light.wait()

    def close(self) -> None:
        """Nobody reads any more: nobody needs to wait for that."""
        self._is_closed = True
        self._is_light.set()

    def offer(self, job: str, kind: str, seq: int, frame: Wire | Callable[[], Wire]) -> None:
        """A frame, in place of the last of its kind that has not been sent."""
        if (job, kind) in self._latest:
            self.conflated += 1
        self._latest[job, kind] = (seq, frame)
        if self._credit > 0:
            self._waiting.set()

    def acknowledge(self, job: str, seq: int) -> bool:
        """A frame was shown: its credit comes back. False if no such frame is under way."""
        count = self._under_way.pop((job, seq), 0)
        self._credit = min(self._most, self._credit + count)
        if self._latest and self._credit > 0:
            self._waiting.set()
        return count > 0

    def forget(self, job: str) -> None:
        """No more frames of this job; those under way will not be acknowledged."""
        self._latest = {key: value for key, value in self._latest.items() if key[0] != job}
        for key in [key for key in self._under_way if key[0] == job]:
            self._credit += self._under_way.pop(key)

    async def next(self) -> Wire:
        """The next message to send; waits until there is one."""
        while True:
            if self._ordered:
                self._asked_for = max(0, self._asked_for - 1)
                message = self._ordered.popleft()
                self._weigh(-len(message))
                return message
            if self._latest and self._credit > 0:
                (job, kind), (seq, frame) = next(iter(self._latest.items()))
                del self._latest[job, kind]
                self._credit -= 1
                self._under_way[job, seq] = self._under_way.get((job, seq), 0) + 1
                return frame() if callable(frame) else frame
            self._waiting.clear()
            await self._waiting.wait()
