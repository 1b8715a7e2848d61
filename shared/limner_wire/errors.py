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
