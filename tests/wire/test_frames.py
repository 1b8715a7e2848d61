"""The codec: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner_wire import limits
from limner_wire.errors import WireError
from limner_wire.frames import (
    ITEM_BYTES,
    Buffer,
    decode,
    decode_text,
    encode,
    encode_text,
)

SOME = {"t": "strokes", "job": "x"}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-limits.INT_MAX, limits.INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé한", max_size=4), inner)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.text("abcdé", min_size=1, max_size=5), values, max_size=5)


@st.composite
def buffer_lists(draw: st.DrawFn) -> list[Buffer]:
    names = draw(st.lists(st.text("abcdef", min_size=1, max_size=6), unique=True, max_size=4))
    out = []
    for name in names:
        dtype = draw(st.sampled_from(sorted(ITEM_BYTES)))
        shape = tuple(draw(st.lists(st.integers(0, 5), max_size=4)))
        size = ITEM_BYTES[dtype]
        for side in shape:
            size *= side
        out.append(Buffer(name, dtype, shape, draw(st.binary(min_size=size, max_size=size))))
    return out


@given(objects)
def test_a_message_comes_back_as_it_went(message: dict[str, object]) -> None:
    assert decode_text(encode_text(message)) == message
    assert decode_text(encode_text(message).encode()) == message


@given(objects, buffer_lists())
def test_a_frame_comes_back_as_it_went(header: dict[str, object], buffers: list[Buffer]) -> None:
    header.pop("bufs", None)
    data = encode(header, buffers)
    assert struct.unpack_from("<I", data)[0] % 8 == 4  # the blob lies on 8 bytes
    frame = decode(memoryview(data))
    assert frame.header == header
    assert list(frame.buffers) == [b.name for b in buffers]
    for b in buffers:
        back = frame.buffers[b.name]
        assert (back.dtype, back.shape, bytes(back.data)) == (b.dtype, b.shape, b.data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"a"',
        "{",
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e999}',
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":2}}',
        '{"a":9007199254740992}',
        '{"a":' + "1" * 60_000 + "}",
        '{"a":0.' + "1" * 60_000 + "}",
        '{"a":"\\ud800"}',
        '{"a":"\\udc00\\ud800"}',
        '{"a":"\ud800"}',
        '{"\\udfff":1}',
        "[" * 10_000,
        '{"a":' * 9_000,
        '{"a":' + "[" * limits.JSON_DEPTH + "]" * limits.JSON_DEPTH + "}",
        '{"a":"' + "x" * limits.TEXT_BYTES + '"}',
        '{"a":"' + "한" * (limits.TEXT_BYTES // 3) + '"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
    ],
    ids=lambda text: repr(text[:24]),
)
def test_what_is_no_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(WireError):
        decode_text(text)


def test_an_escaped_pair_is_one_character() -> None:
    assert decode_text('{"a":"\\ud83d\\ude00"}') == {"a": "😀"}


def raw(header: object, blob: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<I", len(text) if length is None else length) + text + blob


def table(**row: object) -> dict[str, object]:
    return {"t": "x", "bufs": [{"k": "a", "dt": "u16", "sh": [2, 2], "o": 0, "n": 8} | row]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00\x00",
        raw({"t": "x"}, length=0),
        raw({"t": "x"}, length=2**32 - 1),
        raw({"t": "x"}, length=13),
        raw(b"{" + b" " * limits.HEADER_BYTES + b"}"),
        raw({"t": "x"}, b"blob of no buffer"),
        raw({"t": "x", "bufs": 3}),
        raw({"t": "x", "bufs": [3]}),
        raw({"t": "x", "bufs": [{}]}),
        raw({"t": "x", "bufs": [{}] * 1000}),
        raw(table(), b"1234567"),
        raw(table(), b"123456789"),
        raw(table(o=1), b"123456789"),
        raw(table(o=-8), b"12345678"),
        raw(table(n=7), b"12345678"),
        raw(table(n=8.0), b"12345678"),
        raw(table(n=True), b"12345678"),
        raw(table(sh=[-2, -2]), b"12345678"),
        raw(table(sh=[2**40, 2**40]), b"12345678"),
        raw(table(sh=[2, 2, 1, 1, 1]), b"12345678"),
        raw(table(sh="22"), b"12345678"),
        raw(table(dt="f64"), b"12345678"),
        raw(table(dt=["u16"]), b"12345678"),
        raw(table(k=3), b"12345678"),
        raw({"t": "x", "bufs": [*table()["bufs"]] * 2}, b"12345678" * 2),  # type: ignore[misc]
        b"\x02\x00\x00\x00[]",
        bytes(limits.BINARY_BYTES + 1),
    ],
    ids=lambda data: repr(data[:48]),
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


def test_a_second_buffer_must_lie_behind_the_first() -> None:
    rows = [
        {"k": "a", "dt": "u8", "sh": [4], "o": 0, "n": 4},
        {"k": "b", "dt": "u8", "sh": [4], "o": 4, "n": 4},
    ]
    assert bytes(decode(raw({"bufs": rows}, b"12345678")).buffers["b"].data) == b"5678"
    for at in (0, 2, 5):
        moved = [rows[0], {**rows[1], "o": at}]
        with pytest.raises(WireError):
            decode(raw({"bufs": moved}, b"12345678"))


def test_what_breaks_a_bound_is_not_written() -> None:
    with pytest.raises(WireError):
        encode(SOME, [Buffer("a", "u16", (3,), b"12345")])
    with pytest.raises(WireError):
        encode(SOME, [Buffer("a", "u8", (limits.BINARY_BYTES,), bytes(limits.BINARY_BYTES))])
    with pytest.raises(WireError):
        encode({"t": "x" * limits.HEADER_BYTES})
    with pytest.raises(WireError):
        encode_text({"a": float("nan")})
    with pytest.raises(WireError):
        encode_text({"a": "x" * limits.TEXT_BYTES})
    with pytest.raises(WireError):
        encode_text({"a": object()})
