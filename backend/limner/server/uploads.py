"""Inputs that come in parts: put together, and believed only when their hash is right."""

from __future__ import annotations

import hashlib

from limner_wire.errors import ErrorCode, LimnerError, WireError
from limner_wire.frames import Bytes
from limner_wire.limits import IMAGE_BYTES
from limner_wire.messages import MIMES, Blob

PENDING_BYTES = 2 * IMAGE_BYTES  # of one connection


def looks_like(data: Bytes, mime: str) -> bool:
    """Whether the first bytes are those of its kind; SVG is text, and read with care elsewhere."""
    head = bytes(data[:12])
    match mime:
        case "image/png":
            return head.startswith(b"\x89PNG\r\n\x1a\n")
        case "image/jpeg":
            return head.startswith(b"\xff\xd8\xff")
        case "image/webp":
            return head[:4] == b"RIFF" and head[8:] == b"WEBP"
        case "image/svg+xml":
            return bytes(data[:256]).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return False


class Uploads:
    """One connection's inputs that are under way."""

    def __init__(self) -> None:
        self._parts: dict[str, bytearray] = {}
        self._sizes: dict[str, int] = {}

    def take(self, blob: Blob, part: Bytes) -> tuple[int, bytes | None]:
        """Add a part; how many bytes there are now, and all of them when that is the whole.

        Raises:
            LimnerError: UNREADABLE if it is of no kind that Limner reads, or not what its hash
                says; QUOTA if too much is under way.
            WireError: if the part does not follow the one before.
        """
        if blob.mime not in MIMES:
            raise LimnerError(
                ErrorCode.UNREADABLE,
                "This kind of file can't be an input.",
                "Give a PNG, JPEG, WebP or SVG.",
            )
        if blob.at == 0:
            self._begin(blob, part)
        have = self._parts.get(blob.sha256)
        if have is None or len(have) != blob.at or self._sizes[blob.sha256] != blob.size:
            raise WireError("a part of an input does not follow the one before")
        have += part
        if len(have) < blob.size:
            return len(have), None
        del self._parts[blob.sha256], self._sizes[blob.sha256]
        if len(have) != blob.size or hashlib.sha256(have).hexdigest() != blob.sha256:
            raise LimnerError(
                ErrorCode.UNREADABLE, "An input was damaged on its way.", "Send it again."
            )
        return len(have), bytes(have)

    def _begin(self, blob: Blob, part: Bytes) -> None:
        self._parts.pop(blob.sha256, None)
        self._sizes.pop(blob.sha256, None)
        if not looks_like(part, blob.mime):
            raise LimnerError(
                ErrorCode.UNREADABLE,
                f"An input is not what it is called, {blob.mime}.",
                "Give a PNG, JPEG, WebP or SVG.",
            )
        if sum(self._sizes.values()) + blob.size > PENDING_BYTES:
            raise LimnerError(
                ErrorCode.QUOTA, "Too many inputs at once.", "Send one after the other."
            )
        self._parts[blob.sha256], self._sizes[blob.sha256] = bytearray(), blob.size
