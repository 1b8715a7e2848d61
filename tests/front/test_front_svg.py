"""Strokes as an SVG and back: exactly ours, the backend's, and nothing of what is neither."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from limner.methods.base import Inputs, Result
from limner.output import files
from limner.vector.strokes import Strokes as Packed
from limner.vector.svg_read import read_svg
from limner_front.svg_strokes import strokes_of, svg_of
from limner_wire.limits import CANVAS_MAX_PX, CANVAS_MIN_PX
from limner_wire.strokes import Stroke, Strokes

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 48"><g><path d="M1,1 C2,3 4,5 6,7" '
    b'stroke="#0a141e" stroke-width="2" stroke-opacity="0.5"/></g></svg>'
)
sides = st.integers(CANVAS_MIN_PX, CANVAS_MAX_PX)


@st.composite
def drawings(draw: st.DrawFn) -> Strokes:
    """Any drawing as it may come by the wire: flat or in space, with dots, on any canvas."""
    canvas = (draw(sides), draw(sides))
    is_flat, strokes = draw(st.booleans()), []
    for _ in range(draw(st.integers(1, 4))):
        count = 3 * draw(st.integers(0, 3)) + 1
        part = st.lists(st.floats(-0.25, 1.25), min_size=count, max_size=count)
        points = [(x * canvas[0], y * canvas[1]) for x, y in zip(draw(part), draw(part), strict=1)]
        depth = None if is_flat else [(d - 0.5) * max(canvas) for d in draw(part)]
        rgba = draw(st.tuples(*[st.integers(0, 255)] * 4))
        strokes.append(Stroke(points, draw(st.floats(0, 1)) * max(canvas), rgba, depth))
    return Strokes.of(strokes, canvas)


@given(drawings())
def test_strokes_come_back_exactly(strokes: Strokes) -> None:
    assert strokes_of(svg_of(strokes)) == strokes


@given(drawings())
def test_the_backend_can_go_on_from_them(strokes: Strokes) -> None:
    """Segments of some length that are seen: the backend leaves out what draws nothing."""
    wide, high = strokes.canvas
    line = [(wide * at, high / 2) for at in (0.2, 0.3, 0.4, 0.5)]
    depth = None if strokes.depth is None else [0.1 * wide, 0.0, 0.0, -0.1 * wide]
    seen = [Stroke(line, s.width + wide / 100, (*s.rgba[:3], 128), depth) for s in strokes]
    drawn = Strokes.of(seen, strokes.canvas)
    read = read_svg(svg_of(drawn), (high, wide))
    assert read.count == len(seen) and (read.depth is None) == (depth is None)
    for s, stroke in enumerate(drawn):
        assert read.points[4 * s + 3].tolist() == pytest.approx(stroke.points[3], rel=1e-5)
        assert float(read.width[s]) == pytest.approx(stroke.width, rel=1e-5)
        assert [round(255 * c) for c in read.rgba[s].tolist()] == list(stroke.rgba)
        if read.depth is not None and stroke.depth is not None:
            assert read.depth[4 * s : 4 * s + 4].tolist() == pytest.approx(stroke.depth, rel=1e-5)


def test_a_result_is_read_back_from_its_svg() -> None:
    """What the backend writes, the plugins show: at the width and colours of the strokes."""
    points = torch.tensor([[5.0, 5], [10, 40], [30, 5], [40, 40]])
    colour = torch.tensor([[1.0, 0.5, 0.0, 0.4]])
    drawn = Packed(points, torch.tensor([0, 4]), torch.tensor([3.0]), colour)
    result = Result(drawn, (48, 64), None, 0.5, {"prompt": "a cat"})
    svg, _png, _about = files(result, Inputs((48, 64), None, None, None, None))
    read = strokes_of(svg)
    assert read is not None and read.canvas == (64, 48) and read.depth is None
    [stroke] = list(read)
    assert stroke.rgba == (255, 128, 0, 102)
    assert stroke.width == pytest.approx(3.0, abs=0.01)  # 16 bits over 64 px, three decimals
    assert stroke.points[1] == pytest.approx((10, 40), abs=0.01)


def test_depths_that_do_not_fit_are_none() -> None:
    deep = SVG.replace(b" stroke=", b' data-depth="1 -2.50 3 0" stroke=')
    [stroke] = list(strokes_of(deep) or [])
    assert stroke.depth == pytest.approx([1, -2.5, 3, 0], abs=0.001)
    for wrong in (b"1 2 3", b"1 2 3 4 5", b"", b"deep"):
        assert (found := strokes_of(deep.replace(b"1 -2.50 3 0", wrong))) is not None
        assert found.depth is None


@pytest.mark.parametrize(
    "svg",
    [
        b"", b"<svg", b"<svg/>", b"\xff\xfe", SVG.replace(b"64 48", b"a b"),
        SVG.replace(b"#0a141e", b"url(#x)"), SVG.replace(b" 6,7", b""),
        b'<!DOCTYPE s [<!ENTITY a "b">]>' + SVG,
    ],
)  # fmt: skip
def test_what_is_no_such_svg_has_no_strokes(svg: bytes) -> None:
    assert strokes_of(SVG) is not None and strokes_of(svg) is None
