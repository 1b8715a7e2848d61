"""How things stand between a plugin and a backend, and how that is said to an artist."""

from __future__ import annotations

from enum import Enum

from limner_front.i18n import _
from limner_wire import messages
from limner_wire.errors import ErrorCode


class Link(Enum):
    """How things stand."""

    ABSENT = "absent"  # no backend says that it runs
    CONNECTING = "connecting"
    GREETING = "greeting"  # connected; it is getting ready
    READY = "ready"
    LOST = "lost"  # one said that it runs, and does not answer
    REFUSED = "refused"  # it does not talk to us


def link_words(link: Link) -> str:
    """How things stand, in two words."""
    return {
        Link.ABSENT: lambda: _("no backend"),
        Link.CONNECTING: lambda: _("connecting"),
        Link.GREETING: lambda: _("connecting"),
        Link.READY: lambda: _("connected"),
        Link.LOST: lambda: _("not connected"),
        Link.REFUSED: lambda: _("not connected"),
    }[link]()


def absent_words() -> str:
    """No backend says that it runs."""
    return _("No backend runs on this machine. Press “Start backend”, or run: limner serve")


def lost_words() -> str:
    """A backend said that it runs, and does not answer."""
    return _("The backend is not answering. If it was stopped, start it again: “Start backend”.")


def starting_words() -> str:
    """It is there, and has no worker yet."""
    return _(
        "The backend is getting ready. You may press Draw: the drawing starts as soon as it can."
    )


def version_words(host: str) -> str:
    """Plugin and backend do not speak the same protocol.

    Args:
        host: "krita", "blender": what `limner install` calls it.
    """
    return _(
        "This plugin and the backend are of different versions and do not understand each other. "
        "Bring both up to date: pip install -U limner, then limner install {host}.",
        host=host,
    )


def refusal_words(failed: messages.Failed, host: str) -> str:
    """Why the backend does not greet us; `host` as in `version_words`."""
    if failed.code == ErrorCode.VERSION.value:
        return version_words(host)
    if failed.code == ErrorCode.FORBIDDEN.value:
        return _(
            "The backend does not accept this user’s key. It was perhaps started by another user, "
            "or with another data folder (LIMNER_DATA). Stop it, and press “Start backend”."
        )
    if failed.code == ErrorCode.QUOTA.value:
        return _("The backend is busy: too many front ends are connected. Close one of them.")
    return f"{failed.message} {failed.hint}".strip()


def status_words(status: int) -> str:
    """The connection was refused with that HTTP status, before anything could be said."""
    if status == 503:
        return _("The backend is busy: too many front ends are connected. Close one of them.")
    return _("Something else answers at the backend’s address. Start the backend again.")
