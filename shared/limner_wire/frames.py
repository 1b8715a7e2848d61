"""One codec for both hops: JSON text for control, and a JSON header with raw buffers for data.

A binary frame is

    u32le header length | header, UTF-8 JSON, padded with spaces to 8 bytes | blob

and the header's "bufs" says what lies in the blob, without gaps (as safetensors and glTF do):

    {"t": "strokes", …, "bufs": [{"k": "points", "dt": "u16", "sh": [1792, 2], "o": 0, "n": 7168}]}

What comes from outside is believed in nothing: lengths, offsets, shapes, depth, numbers and text
are all checked, in time that is linear in the frame. Numbers are little-endian.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from limner_wire import limits
from limner_wire.errors import WireError

ITEM_BYTES = {"u8": 1, "i8": 1, "u16": 2, "i16": 2, "u32": 4, "f32": 4}
_LENGTH = struct.Struct("<I")
_ALIGN = 8
_HALF_PAIR = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")  # or a whole one, if escaped

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Buffer:
    """Numbers of one kind.

    Attributes:
        name: "points".
        dtype: a key of `ITEM_BYTES`.
        shape: how many along each axis.
        data: the little-endian numbers.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: Bytes


@dataclass(frozen=True)
class Frame:
    """A decoded binary frame: its header without "bufs", and the buffers by name."""

    header: dict[str, Any]
    buffers: dict[str, Buffer]


def encode_text(message: Mapping[str, Any], limit_bytes: int = limits.TEXT_BYTES) -> str:
    """A control message as JSON, of at most `limit_bytes`.

    Raises:
        WireError: if it is too long, or holds a number that JSON has not.
    """
    text = _dumps(message)
    if _bytes(text) > limit_bytes:
        raise WireError(f"a text frame may have {limit_bytes} bytes")
    return text


def decode_text(text: str | Bytes, limit_bytes: int = limits.TEXT_BYTES) -> dict[str, Any]:
    """A JSON object.

    Raises:
        WireError: if the text is too long, or no such object.
    """
    if len(text) > limit_bytes or (isinstance(text, str) and _bytes(text) > limit_bytes):
        raise WireError(f"a text frame may have {limit_bytes} bytes")
    return _loads(text)


def encode(
    header: Mapping[str, Any],
    buffers: Iterable[Buffer] = (),
    limit_bytes: int = limits.BINARY_BYTES,
) -> bytes:
    """A binary frame of at most `limit_bytes`.

    Raises:
        WireError: if it would break a bound, or a buffer is not as long as its shape says.
    """
    table, parts, at = [], [], 0
    for b in buffers:
        size = len(memoryview(b.data).cast("B")) if len(b.data) else 0
        if size != _size(b.dtype, list(b.shape)):
            raise WireError(f"buffer {b.name!r} has {size} bytes, which its shape contradicts")
        table.append({"k": b.name, "dt": b.dtype, "sh": list(b.shape), "o": at, "n": size})
        parts.append(b.data)
        at += size
    head = _dumps({**header, "bufs": table}).encode("utf-8")
    head += b" " * (-(len(head) + _LENGTH.size) % _ALIGN)
    if len(head) > _header_bytes(limit_bytes):
        raise WireError(f"a header may have {_header_bytes(limit_bytes)} bytes")
    if _LENGTH.size + len(head) + at > limit_bytes:
        raise WireError(f"a binary frame may have {limit_bytes} bytes")
    return b"".join((_LENGTH.pack(len(head)), head, *parts))


def decode(data: Bytes, limit_bytes: int = limits.BINARY_BYTES) -> Frame:
    """The frame that `encode` made; its buffers are views of `data`.

    Raises:
        WireError: if anything in it does not fit.
    """
    view = memoryview(data).cast("B") if len(data) else memoryview(b"")
    if len(view) > limit_bytes:
        raise WireError(f"a binary frame may have {limit_bytes} bytes")
    if len(view) < _LENGTH.size:
        raise WireError("a binary frame begins with the length of its header")
    (length,) = _LENGTH.unpack_from(view)
    end = _LENGTH.size + length
    if not 2 <= length <= _header_bytes(limit_bytes) or end > len(view):
        raise WireError("the header is longer than the frame, or than a header may be")
    header = _loads(view[_LENGTH.size : end])
    return Frame(header, _buffers(header.pop("bufs", []), view[end:]))


def _header_bytes(limit_bytes: int) -> int:
    """A result's header holds its settings, which may be long."""
    return limits.HEADER_BYTES if limit_bytes <= limits.BINARY_BYTES else limits.ANSWER_BYTES


def _bytes(text: str | Bytes) -> int:
    return len(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)


def _buffers(table: Any, blob: memoryview) -> dict[str, Buffer]:
    """The buffers that a header names: contiguous, in order, and all of the blob."""
    if not isinstance(table, list) or len(table) > limits.BUFFERS:
        raise WireError("bufs is no list, or too long")
    out: dict[str, Buffer] = {}
    at = 0
    for row in table:
        if not isinstance(row, dict) or set(row) != {"k", "dt", "sh", "o", "n"}:
            raise WireError("a buffer has k, dt, sh, o and n")
        name, dtype, shape = row["k"], row["dt"], row["sh"]
        if not isinstance(name, str) or name in out:
            raise WireError("a buffer's name is no text, or there twice")
        if not isinstance(dtype, str) or not isinstance(shape, list):
            raise WireError(f"buffer {name[:40]!r} has no kind, or no shape")
        size = _size(dtype, shape)
        if not (_is_count(row["o"]) and _is_count(row["n"])):
            raise WireError(f"buffer {name[:40]!r} lies nowhere")
        if row["o"] != at or row["n"] != size or at + size > len(blob):
            raise WireError(f"buffer {name[:40]!r} does not lie behind the one before it")
        out[name] = Buffer(name, dtype, tuple(shape), blob[at : at + size])
        at += size
    if at != len(blob):
        raise WireError("the blob is longer than its buffers")
    return out


def _size(dtype: str, shape: list[Any]) -> int:
    if dtype not in ITEM_BYTES or len(shape) > 4 or not all(map(_is_count, shape)):
        raise WireError("a buffer's kind or shape is none")
    size: int = ITEM_BYTES[dtype] * math.prod(shape)
    if size > limits.RESULT_BYTES:
        raise WireError("a buffer is longer than any frame")
    return size


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= limits.INT_MAX


def _dumps(message: Mapping[str, Any]) -> str:
    try:
        return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as problem:
        raise WireError(f"not to be written as JSON: {problem}") from None


# --- strict JSON -----------------------------------------------------------------------------


def _loads(data: str | Bytes) -> dict[str, Any]:
    try:
        text = data if isinstance(data, str) else bytes(data).decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_no_constant,
        )
        if _HALF_PAIR.search(text):
            _dumps(value).encode("utf-8")
    except WireError:
        raise
    except (ValueError, RecursionError) as problem:
        raise WireError(f"no JSON: {problem.__class__.__name__}") from None
    if not isinstance(value, dict):
        raise WireError("a message is a JSON object")
    _check_depth(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise WireError("a key stands twice in one object")
    return out


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) > limits.INT_MAX:
        raise WireError("an integer is beyond 2^53")
    return value


def _number(digits: str) -> float:
    value = float(digits) if len(digits) <= 40 else math.inf
    if not math.isfinite(value):
        raise WireError("a number is beyond all bounds")
    return value


def _no_constant(name: str) -> Any:
    raise WireError(f"{name} is no JSON")


def _check_depth(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(limits.JSON_DEPTH):
        level = [
            item
            for node in level
            for item in (node.values() if isinstance(node, dict) else node)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise WireError(f"JSON may be nested {limits.JSON_DEPTH} deep")
