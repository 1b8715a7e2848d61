"""What the server asks of whatever runs jobs, and what it hears back.

The server hands over one job at a time and commands for it; the engine answers with the wire's
own messages, ready to be passed on. In this process, in another, or on another machine: the server
does not see the difference, but for `Lost`, which says that a worker is gone with all it knew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from limner_wire.frames import Bytes
from limner_wire.messages import Message


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine can take a job.

    Attributes:
        device: "cpu", "cuda".
        methods, models: what `messages.Welcome` says of them.
        memory: how many bytes the device has; 0 if nobody knows.
    """

    device: str
    methods: tuple[dict[str, Any], ...] = ()
    models: tuple[dict[str, Any], ...] = ()
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """A message about a job; of a binary one, the whole frame as well."""

    message: Message
    frame: Bytes = b""


@dataclass(frozen=True, slots=True)
class Kept:
    """Something to keep with a job: a "checkpoint", or a "frame" of its replay."""

    job: str
    what: str
    step: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Over:
    """The job has come to its end, and everything about it has been said."""

    job: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker is gone: a job that it ran may be taken up again from its checkpoint.

    Attributes:
        job: the one that it ran, or nothing.
        why: for the log.
        is_replaced: whether another follows; if not, the engine has given up.
    """

    job: str
    why: str
    is_replaced: bool = True


Event = Ready | Said | Kept | Over | Lost
Hear = Callable[[Event], None]


class Engine(Protocol):
    """Runs one job at a time. `hear` is called in the server's own thread."""

    async def start(self, hear: Hear) -> None:
        """Begin; `Ready` follows, in its time."""
        ...

    def order(self, job: str, order: bytes) -> None:
        """Run a job (`worker.orders.Order`); only after `Ready`, or the `Over` of the last."""
        ...

    def command(self, message: Message) -> None:
        """Cancel, Pause, Resume, Adjust, Watch, Unwatch or Leave the job that runs."""
        ...

    async def stop(self) -> None:
        """Save where the job stands, and end."""
        ...
