"""Strokes on the wire: how exact they are, and that broken ones are refused."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner_wire import limits
from limner_wire.errors import WireError
from limner_wire.frames import Buffer, decode, encode
from limner_wire.strokes import Stroke, pack, unpack

CANVAS = (512, 384)
coordinate = st.floats(-0.25, 1.25)


@st.composite
def strokes(draw: st.DrawFn) -> Stroke:
    count = 3 * draw(st.integers(0, 3)) + 1
    points = [(draw(coordinate) * CANVAS[0], draw(coordinate) * CANVAS[1]) for _ in range(count)]
    rgba = draw(st.tuples(*[st.integers(0, 255)] * 4))
    return Stroke(points, draw(st.floats(0, 512)), rgba)


@given(st.lists(strokes(), max_size=5))
def test_strokes_come_back_within_a_hundredth_of_a_pixel(given_strokes: list[Stroke]) -> None:
    data = encode({"t": "strokes"}, pack(given_strokes, CANVAS))
    back = unpack(decode(data).buffers, CANVAS)
    assert len(back) == len(given_strokes)
    for a, b in zip(given_strokes, back, strict=True):
        assert b.rgba == a.rgba and abs(b.width - a.width) <= 0.5 * 512 / 65535 + 1e-9
        for p, q in zip(a.points, b.points, strict=True):
            # half a step of 1.5 canvases in 65535
            assert abs(p[0] - q[0]) <= 0.006 and abs(p[1] - q[1]) <= 0.0045


def test_what_lies_far_outside_comes_to_the_border_and_nan_too() -> None:
    far = Stroke([(-1e9, 1e9)], float("inf"), (1, 2, 3, 4))
    lost = Stroke([(float("nan"), 10.0)], float("nan"), (1, 2, 3, 4))
    first, second = unpack({b.name: b for b in pack([far, lost], CANVAS)}, CANVAS)
    assert first.points == [(-128.0, 480.0)] and first.width == 512
    assert second.points[0][0] == -128 and second.width == 0


def test_a_stroke_is_a_path() -> None:
    points = [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0), (6.25, 7.5)]
    assert Stroke(points, 2, (0, 0, 0, 255)).path() == "M 0.00 1.00 C 2.00 3.00 4.00 5.00 6.25 7.50"
    assert Stroke(points[:1], 2, (0, 0, 0, 255)).path() == "M 0.00 1.00"


def good() -> dict[str, Buffer]:
    line = Stroke([(1, 2), (3, 4), (5, 6), (7, 8)], 3, (9, 9, 9, 9))
    return {b.name: b for b in pack([line, line], CANVAS)}


def ends(*numbers: int) -> Buffer:
    return Buffer("ends", "u32", (len(numbers),), array("I", numbers).tobytes())


@pytest.mark.parametrize(
    "change",
    [
        {"ends": ends(4, 9)},
        {"ends": ends(4, 4)},
        {"ends": ends(8, 4)},
        {"ends": ends(0, 8)},
        {"ends": ends(3, 8)},
        {"ends": ends(8)},
        {"ends": ends(4, 4_000_000_000)},
        {"width": Buffer("width", "u16", (3,), bytes(6))},
        {"width": Buffer("width", "i16", (2,), bytes(4))},
        {"rgba": Buffer("rgba", "u8", (2, 3), bytes(6))},
        {"points": Buffer("points", "u16", (16,), bytes(32))},
        {"points": Buffer("points", "u16", (), bytes(2))},
        {"more": Buffer("more", "u8", (0,), b"")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_buffers_that_are_no_strokes_are_refused(change: dict[str, Buffer]) -> None:
    assert len(unpack(good(), CANVAS)) == 2
    with pytest.raises(WireError):
        unpack(good() | change, CANVAS)


def test_no_more_strokes_than_a_frame_may_hold() -> None:
    dot = Stroke([(1, 2)], 3, (9, 9, 9, 9))
    assert len(pack([dot] * limits.STROKES_MAX, CANVAS)) == 4
    with pytest.raises(WireError):
        pack([dot] * (limits.STROKES_MAX + 1), CANVAS)
    with pytest.raises(WireError):
        pack([replace(dot, points=[(1, 2), (3, 4)])], CANVAS)
