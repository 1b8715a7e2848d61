"""Who may come in: decisions about a request.

A server on loopback is reachable by every page in the artist's browser. So a request must name
this server as its host (else a foreign name was pointed at 127.0.0.1: DNS rebinding), come from
no page or from our own (else it is cross-site), and know the token (else it is another user's
program). All three are asked, always; whole values are compared, and no pattern allows anything.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from limner_wire.errors import ErrorCode, LimnerError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TRIES_A_S, TRIES_AT_ONCE = 10.0, 20.0
TICKET_S = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused: an HTTP status and its text."""

    status: int
    reason: str


def allowed_hosts(port: int, names: Sequence[str] = LOOPBACK) -> frozenset[str]:
    """What the Host header may be."""
    return frozenset(f"{name}:{port}" for name in names)


def judge(
    headers: Sequence[tuple[str, str]], path: str, hosts: frozenset[str], *, tls: bool = False
) -> Refusal | None:
    """What is wrong with a request, before anything of it is served; None if nothing is.

    Args:
        headers: all of them, in order, as (name, value).
        path: the request target.
        hosts: from `allowed_hosts`.
    """
    given = [(name.lower(), value) for name, value in headers]
    host = [value for name, value in given if name == "host"]
    origin = [value for name, value in given if name == "origin"]
    if len(host) != 1 or len(origin) > 1:
        return Refusal(400, "one Host, and at most one Origin")
    if host[0].lower() not in hosts:
        return Refusal(421, "this server has another name")
    scheme = "https" if tls else "http"
    if origin and origin[0] not in {f"{scheme}://{name}" for name in hosts}:
        return Refusal(403, "requests from other pages are refused")
    if any(word in path.lower() for word in ("token=", "ticket=", "access_token")):
        return Refusal(400, "a secret does not belong in an address")
    return None


@dataclass(slots=True)
class Bucket:
    """A token bucket: so many at once, and so many a second.

    Attributes:
        now: the caller's monotonic clock is given to `take`.
    """

    rate_s: float
    most: float
    _level: float = field(init=False)
    _seen: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._level = self.most

    def take(self, now: float) -> bool:
        """Whether there was one left."""
        if self._seen is not None:
            self._level = min(self.most, self._level + max(0.0, now - self._seen) * self.rate_s)
        self._seen = now
        if self._level < 1:
            return False
        self._level -= 1
        return True

    async def taken(self) -> None:
        """Return when there was one."""
        while not self.take(time.monotonic()):  # noqa: ASYNC110 (it is time that fills it)
            await asyncio.sleep(1 / self.rate_s)


class Keys:
    """The token, tickets for one connection each, and session keys.

    The token is the owner's (user ""), who sees everything. A ticket opens once, for the owner or
    for a guest; who came in by it gets a session key to come back with, which is made from the
    token and the name, so that it outlives the server and ends with the token.

    Whoever guesses is slowed down: after a few wrong tries, all tries wait for the bucket.

    Args:
        token: at least 128 random bits.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._tickets: dict[str, tuple[str, float]] = {}
        self._wrong = Bucket(TRIES_A_S, TRIES_AT_ONCE)

    def ticket(self, now: float, user: str = "") -> str:
        """A new ticket, good for one hello within a minute."""
        self._tickets = {t: held for t, held in self._tickets.items() if held[1] > now}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = (user, now + TICKET_S)
        return ticket

    def session(self, user: str) -> str:
        """The key with which a user comes back."""
        return f"{user}.{hmac.new(self._token, user.encode(), 'sha256').hexdigest()}"

    def user(self, token: str, ticket: str, now: float) -> str | Refusal:
        """Whose the token or the ticket is; else why it opens nothing."""
        if token and hmac.compare_digest(token.encode(), self._token):
            return ""
        name, until = self._tickets.pop(ticket, ("", 0.0))
        if until > now:
            return name
        name = ticket.partition(".")[0]
        if ticket and hmac.compare_digest(ticket.encode(), self.session(name).encode()):
            return name
        if not self._wrong.take(now):
            return Refusal(429, "too many wrong tokens; wait a little")
        return Refusal(401, "the token is wrong, or the link was used before")


def read_or_make_token(path: Path) -> str:
    """The token in a file that only its owner can read; made if it is not there.

    Raises:
        LimnerError: FORBIDDEN if others may read the file, or it is another user's.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return _read_token(path)
    token = secrets.token_urlsafe(32)
    with os.fdopen(handle, "w") as file:
        file.write(token)
    return token


def _read_token(path: Path) -> str:
    found = path.lstat()
    if os.name == "posix":
        own = found.st_uid == os.getuid() and stat.S_ISREG(found.st_mode)
        if not own or stat.S_IMODE(found.st_mode) & 0o077:
            raise LimnerError(
                ErrorCode.FORBIDDEN,
                f"The token file {path.name} is not yours alone.",
                "Delete it; the next start makes a new one.",
            )
    token = path.read_text().strip()
    if len(token) < 22:
        raise LimnerError(
            ErrorCode.FORBIDDEN,
            f"The token file {path.name} is broken.",
            "Delete it; the next start makes a new one.",
        )
    return token
