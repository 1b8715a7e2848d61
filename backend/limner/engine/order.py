"""An order: a job with all that it needs, as the server hands it to an engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from limner_wire import messages
from limner_wire.frames import Buffer, decode, encode
from limner_wire.limits import RESULT_BYTES


@dataclass(frozen=True, slots=True)
class Order:
    """A job with all that it needs.

    Attributes:
        blobs: (kind, bytes) of each input, by its role.
        saved: the bytes of its last checkpoint, if it ran before.
        adjusted: what was adjusted since then, and from which step on.
    """

    submit: messages.Submit
    blobs: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    saved: bytes = b""
    adjusted: Sequence[tuple[int, Mapping[str, Any]]] = ()

    def to_bytes(self) -> bytes:
        """One frame."""
        data = {role: data for role, (_, data) in self.blobs.items()} | {"saved": self.saved}
        kinds = {role: kind for role, (kind, _) in self.blobs.items()}
        buffers = [Buffer(name, "u8", (len(part),), part) for name, part in data.items()]
        about = json.dumps([list(change) for change in self.adjusted]).encode()
        buffers.append(Buffer("adjusted", "u8", (len(about),), about))
        return encode({**self.submit.json(), "kinds": kinds}, buffers, RESULT_BYTES)

    @classmethod
    def from_bytes(cls, data: bytes) -> Order:
        """What `to_bytes` made."""
        frame = decode(data, RESULT_BYTES)
        kinds = frame.header["kinds"]
        parts = {name: bytes(buffer.data) for name, buffer in frame.buffers.items()}
        saved = parts.pop("saved")
        changes = tuple((step, change) for step, change in json.loads(parts.pop("adjusted")))
        blobs = {role: (kinds[role], part) for role, part in parts.items()}
        return cls(messages.read(frame.header, messages.Submit), blobs, saved, changes)
