"""Strokes on the wire: how exact they are, and that broken ones are refused."""

from __future__ import annotations

import random
from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner_wire import limits
from limner_wire.errors import WireError
from limner_wire.frames import Buffer, decode, encode
from limner_wire.strokes import Stroke, Strokes

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
    packed = Strokes.of(given_strokes, CANVAS)
    read = Strokes.read(decode(encode({"t": "strokes"}, packed.buffers())).buffers, CANVAS)
    assert read == packed and len(read) == len(given_strokes)
    back = list(read)
    assert len(back) == len(given_strokes)
    for a, b in zip(given_strokes, back, strict=True):
        assert b.rgba == a.rgba and abs(b.width - a.width) <= 0.5 * 512 / 65535 + 1e-9
        for p, q in zip(a.points, b.points, strict=True):
            # half a step of 1.5 canvases in 65535
            assert abs(p[0] - q[0]) <= 0.006 and abs(p[1] - q[1]) <= 0.0045


def test_what_lies_far_outside_comes_to_the_border_and_nan_too() -> None:
    far = Stroke([(-1e9, 1e9)], float("inf"), (1, 2, 3, 4))
    lost = Stroke([(float("nan"), 10.0)], float("nan"), (1, 2, 3, 4))
    first, second = Strokes.of([far, lost], CANVAS)
    assert first.points == [(-128.0, 480.0)] and first.width == 512
    assert second.points[0][0] == -128 and second.width == 0


def test_a_stroke_is_a_path() -> None:
    points = [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0), (6.25, 7.5)]
    assert Stroke(points, 2, (0, 0, 0, 255)).path() == "M 0.00 1.00 C 2.00 3.00 4.00 5.00 6.25 7.50"
    assert Stroke(points[:1], 2, (0, 0, 0, 255)).path() == "M 0.00 1.00"


@given(st.lists(strokes(), min_size=1, max_size=4), st.integers(0, 2**31))
def test_depth_comes_back_too(shapes: list[Stroke], seed: int) -> None:
    chance = random.Random(seed)
    deep = [replace(s, depth=[chance.uniform(-384, 384) for _ in s.points]) for s in shapes]
    packed = Strokes.of(deep, CANVAS)
    read = Strokes.read(decode(encode({"t": "strokes"}, packed.buffers())).buffers, CANVAS)
    assert read == packed
    flat = [d for s in deep for d in s.depth or ()]
    back = read.depths()
    assert back is not None and [d for s in read for d in s.depth or ()] == back
    # half a step of 1.5 longer sides (512 px) in 65535
    assert max(abs(a - b) for a, b in zip(flat, back, strict=True)) <= 0.006


def test_a_flat_drawing_has_no_depth_and_one_deep_stroke_gives_it_to_all() -> None:
    dot, deep = Stroke([(1, 2)], 3, (9, 9, 9, 9)), Stroke([(1, 2)], 3, (9, 9, 9, 9), [100.0])
    flat = Strokes.of([dot, dot], CANVAS)
    assert flat.depth is None and flat.depths() is None and [s.depth for s in flat] == [None] * 2
    assert "depth" not in {b.name for b in flat.buffers()}
    assert Strokes.of([dot, deep], CANVAS).depths() == pytest.approx([0, 100], abs=0.006)
    far = Strokes.of([replace(deep, depth=[1e9]), replace(deep, depth=[-1e9])], CANVAS)
    assert far.depths() == [384, -384]
    with pytest.raises(WireError):
        Strokes.of([replace(deep, depth=[1.0, 2.0])], CANVAS)


def test_small_steps_keep_a_depth_that_stays_and_no_other() -> None:
    deep = Stroke([(10, 10)], 3, (9, 9, 9, 9), [100.0])
    a, b = Strokes.of([deep], CANVAS), Strokes.of([replace(deep, points=[(12, 10)])], CANVAS)
    steps = b.steps_from(a)
    assert steps is not None
    assert a.with_steps({s.name: s for s in steps}).depth == a.depth
    assert Strokes.of([replace(deep, depth=[101.0])], CANVAS).steps_from(a) is None
    assert Strokes.of([replace(deep, depth=None)], CANVAS).steps_from(a) is None


def good() -> dict[str, Buffer]:
    line = Stroke([(1, 2), (3, 4), (5, 6), (7, 8)], 3, (9, 9, 9, 9))
    return {b.name: b for b in Strokes.of([line, line], CANVAS).buffers()}


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
        {"depth": Buffer("depth", "u16", (7,), bytes(14))},
        {"depth": Buffer("depth", "u16", (8, 1), bytes(16))},
        {"depth": Buffer("depth", "i16", (8,), bytes(16))},
        {"more": Buffer("more", "u8", (0,), b"")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_buffers_that_are_no_strokes_are_refused(change: dict[str, Buffer]) -> None:
    assert len(Strokes.read(good(), CANVAS)) == 2
    with pytest.raises(WireError):
        Strokes.read(good() | change, CANVAS)


def test_no_more_strokes_than_a_frame_may_hold() -> None:
    dot = Stroke([(1, 2)], 3, (9, 9, 9, 9))
    most = Strokes.of([dot] * limits.STROKES_MAX, CANVAS)
    assert len(encode({"t": "strokes"}, most.buffers())) < limits.BINARY_BYTES
    with pytest.raises(WireError):
        Strokes.of([dot] * (limits.STROKES_MAX + 1), CANVAS)
    with pytest.raises(WireError):
        Strokes.of([replace(dot, points=[(1, 2), (3, 4)])], CANVAS)


@given(st.lists(strokes(), min_size=1, max_size=4), st.integers(0, 2**31))
def test_small_steps_lead_from_frame_to_frame(shapes: list[Stroke], seed: int) -> None:
    chance = random.Random(seed)  # a step reaches 8.9 px on the shorter side, 384 px
    base = Strokes.of(shapes, CANVAS)
    for _ in range(3):
        moved = [
            replace(
                s,
                points=[
                    (x + chance.uniform(-8, 8), y + chance.uniform(-8, 8)) for x, y in s.points
                ],
                rgba=(chance.randrange(256), *s.rgba[1:]),
            )
            for s in base
        ]
        now = Strokes.of(moved, CANVAS)
        steps = now.steps_from(base)
        assert steps is not None
        frame = encode({"t": "strokes"}, steps)
        base = base.with_steps(decode(frame).buffers)
        # errors do not add up: each step is counted from what the front end has
        assert max(abs(a - b) for a, b in zip(base.points, now.points, strict=True)) <= 4
        assert (base.width, base.rgba) == (now.width, now.rgba)


def test_what_small_steps_cannot_reach() -> None:
    a = Strokes.of([Stroke([(10, 10)], 3, (9, 9, 9, 9))], CANVAS)
    far = Strokes.of([Stroke([(40, 10)], 3, (9, 9, 9, 9))], CANVAS)
    other = Strokes.of([Stroke([(10, 10)] * 4, 3, (9, 9, 9, 9))], CANVAS)
    assert far.steps_from(a) is None and other.steps_from(a) is None
    near = Strokes.of([Stroke([(12, 10)], 3, (9, 9, 9, 9))], CANVAS).steps_from(a)
    assert near is not None and [b.name for b in near] == ["steps"]
    for wrong in (near * 0, [*near, Buffer("width", "u16", (2,), bytes(4))]):
        with pytest.raises(WireError):
            a.with_steps({b.name: b for b in wrong})
    with pytest.raises(WireError):
        other.with_steps({b.name: b for b in near})
