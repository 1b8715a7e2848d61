"""What a worker says, from the parts that carry it (`worker.worker`) to the engine's events."""

from __future__ import annotations

import json
from collections.abc import Sequence

from limner.engine.base import Event, Kept, Over, Ready, Said
from limner_wire import messages
from limner_wire.errors import WireError
from limner_wire.frames import decode, decode_text
from limner_wire.limits import ANSWER_BYTES, RESULT_BYTES

TEXT = messages.TO_CLIENT
BINARY = messages.TO_CLIENT_BINARY


def to_event(parts: Sequence[bytes]) -> Event:
    """The event that some parts are.

    Raises:
        WireError: if they are none.
    """
    match list(parts):
        case [b"ready", facts]:
            found = json.loads(facts)
            offers = tuple(found["methods"]), tuple(found["models"])
            return Ready(found["device"], *offers, found["memory"])
        case [b"said", data] if data[:1] == b"{":
            return Said(messages.parse(decode_text(data, ANSWER_BYTES), TEXT))
        case [b"said", data]:
            return Said(messages.parse(decode(data, RESULT_BYTES).header, BINARY), data)
        case [b"kept", head, data]:
            where = json.loads(head)
            return Kept(where["job"], where["what"], where["step"], data)
        case [b"over", job]:
            return Over(job.decode())
    raise WireError(f"a worker said something unknown: {[p[:20] for p in parts]}")
