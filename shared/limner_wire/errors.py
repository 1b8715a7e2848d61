"""The errors that cross the wire: one code each, so that every front end can say them in words."""

from __future__ import annotations

from enum import Enum


class ErrorCode(str, Enum):
    """Why a request could not be served. The value is what is written on the wire."""

    BAD_INPUT = "bad_input"  # a parameter is empty, out of bounds, or makes no sense
    UNREADABLE = "unreadable"  # a file is missing, broken, too large, or of an unknown kind
    UNWRITABLE = "unwritable"  # a result can't be written where it was asked for
    UNKNOWN_MODEL = "unknown_model"  # no such model, or it is not on this machine
    UNSAFE_FILE = "unsafe_file"  # a file holds something that Limner refuses to read
    NOT_FINITE = "not_finite"  # the optimisation left the numbers (NaN or infinity)
    CANCELLED = "cancelled"  # the user stopped it
    PROTOCOL = "protocol"  # a message breaks the protocol
    VERSION = "version"  # front end and backend speak no common version
    UNKNOWN_TYPE = "unknown_type"  # a message of a kind that the backend does not know
    UNKNOWN_JOB = "unknown_job"  # no such job, or not this client's
    UNKNOWN_METHOD = "unknown_method"  # no such method
    UNKNOWN_BLOB = "unknown_blob"  # an input was never uploaded, or is gone
    FORBIDDEN = "forbidden"  # the token does not allow it
    QUOTA = "quota"  # too many jobs, connections or bytes
    BUSY = "busy"  # a job is not in a state in which that can be done
    OUT_OF_MEMORY = "oom"  # the device has too little memory for it
    POISONED = "poisoned"  # the job brought the worker down again and again
    DISK_FULL = "disk_quota"  # there is no room for results
    INTERNAL = "internal"  # a fault of Limner's own


class WireError(ValueError):
    """A frame or a message that breaks the protocol. The text is for a log, not for the artist."""


class LimnerError(Exception):
    """What went wrong, why, and what to do next, in words for the artist.

    Args:
        code: the kind of failure.
        message: what happened and why, one line.
        hint: what the user can do about it, one line; may be empty.
    """

    def __init__(self, code: ErrorCode, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()
