"""Who is next: fair among front ends, bounded, first come first served within each.

A guest's front ends count as one, whatever they call themselves.

The front end that was served longest ago comes first, so that one that asks for twenty drawings
does not make another, which asks for one, wait for all of them. A job that was interrupted comes
before everything else: it had its turn already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import QUEUED, QUEUED_PER_CLIENT

Client = tuple[str, str]  # user, front end
REMEMBERED = 256  # front ends, so that names made up cost nothing


class Queue:
    """The jobs that wait."""

    def __init__(self) -> None:
        self._first: deque[str] = deque()
        self._waiting: dict[Client, deque[str]] = {}
        self._served: dict[Client, int] = {}  # in which turn
        self._turn = 0

    def __len__(self) -> int:
        return len(self._first) + sum(map(len, self._waiting.values()))

    def __contains__(self, job: str) -> bool:
        return job in self._first or any(job in jobs for jobs in self._waiting.values())

    def check(self, client: Client) -> None:
        """Pass if a front end may ask for one more.

        Raises:
            LimnerError: QUOTA.
        """
        if len(self) >= QUEUED:
            raise LimnerError(
                ErrorCode.QUOTA, f"{QUEUED} drawings wait already.", "Try again when some are done."
            )
        if len(self._waiting.get(_whose(client), ())) >= QUEUED_PER_CLIENT:
            raise LimnerError(
                ErrorCode.QUOTA,
                f"{QUEUED_PER_CLIENT} drawings of yours wait already.",
                "Cancel some, or wait until they are done.",
            )

    def add(self, job: str, client: Client) -> None:
        """Put a job behind the others of its front end."""
        self._waiting.setdefault(_whose(client), deque()).append(job)

    def put_back(self, job: str) -> None:
        """Put a job that was interrupted before all others."""
        self._first.append(job)

    def pop(self, fits: Callable[[str], bool] = lambda job: True) -> str | None:
        """Take the next out; None if nothing waits.

        Args:
            fits: whether a job that was interrupted may be taken.
        """
        if (job := next(filter(fits, self._first), None)) is not None:
            self._first.remove(job)
            return job
        if not self._waiting:
            return None
        client = _next(self._waiting, self._served)
        self._turn += 1
        self._served.pop(client, None)
        self._served[client] = self._turn
        if len(self._served) > REMEMBERED:
            del self._served[next(iter(self._served))]
        return _take(self._waiting, client)

    def remove(self, job: str) -> bool:
        """Take a job out, wherever it waits; False if it does not."""
        if job in self._first:
            self._first.remove(job)
            return True
        for client, jobs in self._waiting.items():
            if job in jobs:
                jobs.remove(job)
                if not jobs:
                    del self._waiting[client]
                return True
        return False

    def order(self) -> list[str]:
        """The jobs in the order in which they would be taken, if nothing more came."""
        out, served = list(self._first), dict(self._served)
        waiting = {client: deque(jobs) for client, jobs in self._waiting.items()}
        while waiting:
            client = _next(waiting, served)
            served[client] = self._turn + len(out) + 1
            out.append(_take(waiting, client))
        return out


def _whose(client: Client) -> Client:
    user, name = client
    return (user, "") if user else ("", name)


def _next(waiting: dict[Client, deque[str]], served: dict[Client, int]) -> Client:
    """Whoever was served longest ago; of those never served, whoever came first."""
    return min(waiting, key=lambda client: served.get(client, 0))


def _take(waiting: dict[Client, deque[str]], client: Client) -> str:
    job = waiting[client].popleft()
    if not waiting[client]:
        del waiting[client]
    return job
