"""SVG out and in, held to resvg (an independent renderer) and to themselves."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import resvg_py
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.vector import svg_read
from limner.vector.strokes import Strokes
from limner.vector.svg import read_metadata, read_svg, svg_replay_text, svg_text
from limner_wire.errors import ErrorCode, LimnerError

SIZE = (120, 160)  # height, width: not square, so that a swap shows


def drawing(count: int, seed: int, size: tuple[int, int] = SIZE, segments: int = 2) -> Strokes:
    """Random strokes that cross and leave the canvas."""
    generator = torch.Generator().manual_seed(seed)
    per_stroke = 3 * segments + 1
    extent = torch.tensor([size[1], size[0]]) * 1.2
    points = torch.rand(count * per_stroke, 2, generator=generator) * extent - extent / 12
    return Strokes(
        points,
        torch.arange(count + 1) * per_stroke,
        torch.rand(count, generator=generator) * 6 + 0.5,
        torch.rand(count, 4, generator=generator),
    )


def line(*xy: float, width: float = 10, rgba: tuple[float, ...] = (1, 0, 0, 1)) -> Strokes:
    """One straight stroke from (x, y) to (x, y)."""
    ends = torch.tensor(xy, dtype=torch.float32).view(2, 2)
    points = torch.stack([torch.lerp(ends[0], ends[1], t / 3) for t in range(4)])
    offsets = torch.tensor([0, 4])
    return Strokes(points, offsets, torch.tensor([float(width)]), torch.tensor([rgba]))


def seen(svg: str, size: tuple[int, int] = SIZE) -> np.ndarray:
    """What resvg draws of a document, on white: (H, W, 3) in [0, 1]."""
    height, width = size
    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=width, height=height, background="white", dpi=96
    )
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.float64) / 255


def finely(svg: str, size: tuple[int, int] = SIZE) -> np.ndarray:
    """`seen`, drawn at four times the size and averaged.

    At single size resvg flattens curves to a quarter of a pixel and samples 16 points of a pixel:
    it is 0.017 (RMSE, 256 strokes) away from itself at eight times the size, and so 0.009.
    """
    height, width = size
    return seen(svg, (height * 4, width * 4)).reshape(height, 4, width, 4, 3).mean(axis=(1, 3))


def rmse(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.sqrt(np.mean((one - other) ** 2)))


def read(body: str, size: tuple[int, int] = SIZE, root: str = 'viewBox="0 0 160 120"') -> Strokes:
    return read_svg(document(body, root).encode(), size)


def document(body: str, root: str = 'viewBox="0 0 160 120"') -> str:
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {spaces} {root}>{body}</svg>"


# --- out -------------------------------------------------------------------------------------


def test_a_stroke_lies_where_it_should_in_resvg() -> None:
    picture = seen(svg_text(line(20, 100, 140, 100), SIZE))
    assert picture[100, 80].tolist() == [1, 0, 0]
    assert picture[100, 12].tolist() == [1, 1, 1]  # beyond the round cap, which ends at 15
    assert picture[93, 80].tolist() == [1, 1, 1]  # beyond the half width
    assert picture[96, 80].tolist() == [1, 0, 0]


def test_the_last_stroke_lies_on_top() -> None:
    under, over = line(20, 60, 140, 60), line(80, 10, 80, 110, rgba=(0, 0, 1, 0.5))
    both = svg_text(svg_read.Strokes(*_joined(under, over)), SIZE)
    assert seen(both)[60, 80] == pytest.approx([0.5, 0, 0.5], abs=0.01)


def _joined(one: Strokes, other: Strokes) -> tuple[torch.Tensor, ...]:
    offsets = torch.tensor([0, 4, 8])
    return (
        torch.cat([one.points, other.points]),
        offsets,
        torch.cat([one.width, other.width]),
        torch.cat([one.rgba, other.rgba]),
    )


@pytest.mark.parametrize(("count", "renderer"), [(16, seen), (64, finely)])
def test_it_agrees_with_our_rasterizer(
    count: int, renderer: Callable[[str, tuple[int, int]], np.ndarray]
) -> None:
    rasterizer = pytest.importorskip("limner.vector.rasterizer")
    strokes = drawing(count, seed=7, size=(512, 512))
    ours = rasterizer.render(strokes, (512, 512))[0].permute(1, 2, 0).double().numpy()
    # two anti-aliasing rules differ at edges; half a pixel out of place gives 0.047 and 0.076
    assert rmse(ours, renderer(svg_text(strokes, (512, 512)), (512, 512))) <= 0.01


@pytest.mark.parametrize(
    ("background", "rgb"),
    [("white", 255), ("#808080", 128), ((0.5, 0.5, 0.5), 128), ("black", 0)],
)
def test_the_background_is_seen(background: str | tuple[float, float, float], rgb: int) -> None:
    text = svg_text(line(20, 60, 140, 60), SIZE, background=background)
    png = resvg_py.svg_to_bytes(svg_string=text, width=160, height=120)
    assert Image.open(io.BytesIO(png)).convert("RGBA").getpixel((5, 5)) == (rgb, rgb, rgb, 255)


def test_without_background_it_is_transparent() -> None:
    text = svg_text(line(20, 60, 140, 60), SIZE, background=None)
    png = resvg_py.svg_to_bytes(svg_string=text, width=160, height=120)
    assert Image.open(io.BytesIO(png)).convert("RGBA").getpixel((5, 5))[3] == 0


@pytest.mark.parametrize("background", ["url(http://x/)", '"/><script/>', "#12", "rgb(1,2,3)"])
def test_a_background_that_is_no_colour_is_refused(background: str) -> None:
    with pytest.raises(ValueError, match="colour"):
        svg_text(line(0, 0, 9, 9), SIZE, background=background)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_not_written(bad: float) -> None:
    strokes = drawing(3, seed=1)
    strokes.points[4, 1] = bad
    with pytest.raises(LimnerError) as caught:
        svg_text(strokes, SIZE)
    assert caught.value.code is ErrorCode.NOT_FINITE


def test_the_same_drawing_gives_the_same_text() -> None:
    facts = {"seed": 1, "prompt": "a fox", "settings": {"b": 1, "a": 2}}
    texts = {
        svg_text(drawing(9, seed=3), SIZE, metadata=dict(order))
        for order in (facts.items(), reversed(facts.items()))
    }
    assert len(texts) == 1


def test_an_empty_drawing_is_a_valid_svg() -> None:
    empty = drawing(0, seed=0)
    assert (seen(svg_text(empty, SIZE)) == 1).all()
    assert (seen(svg_replay_text(empty, SIZE)) == 1).all()


def test_numbers_outside_their_range_are_clamped() -> None:
    strokes = line(20, 60, 140, 60, width=-3, rgba=(2, -1, 0.5, 7))
    strokes.points[0] = torch.tensor([-1e-5, 5.0])
    text = svg_text(strokes, SIZE)
    assert 'd="M0,5 C' in text  # and not -0
    assert 'stroke="#ff0080" stroke-opacity="1" stroke-width="0"' in text


# --- what the drawing says of itself ---------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=4).filter(lambda d: _json_keeps(d)))
def test_metadata_comes_back_exactly(metadata: dict[str, object]) -> None:
    assert read_metadata(svg_text(line(0, 0, 9, 9), SIZE, metadata=metadata)) == metadata


def _json_keeps(value: object) -> bool:
    """JSON has no infinity that every reader knows, so `svg_text` refuses it."""
    return "Infinity" not in json.dumps(value)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec=None), max_size=40))
def test_any_prompt_makes_an_svg_that_opens(prompt: str) -> None:
    text = svg_text(line(20, 60, 140, 60), SIZE, metadata={"prompt": prompt})
    assert read_metadata(text.encode()) == {"prompt": prompt}
    assert read_svg(text.encode(), SIZE).count == 1
    assert seen(text)[60, 80].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    "prompt",
    ["]]><script>alert(1)</script>", "\x00\x0b\x1f\ufffe", "\ud800 half", "猫 & <b> \U0001f58c"],
)
def test_a_hostile_prompt_stays_text(prompt: str) -> None:
    text = svg_text(line(20, 60, 140, 60), SIZE, metadata={"prompt": prompt})
    assert "<script" not in text
    assert read_metadata(text) == {"prompt": prompt}


def test_the_title_is_the_prompt_without_what_xml_forbids() -> None:
    text = svg_text(line(0, 0, 9, 9), SIZE, metadata={"prompt": "a\x00 <fox> & 여우\ud800"})
    assert "<title>a &lt;fox&gt; &amp; 여우</title>" in text


def test_an_svg_of_another_program_has_no_metadata() -> None:
    assert read_metadata(document("<metadata>{}</metadata>")) is None


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000, '{"a":' + "9" * 9_999 + "}"])
def test_forged_metadata_is_none(content: str) -> None:
    forged = f'<m:drawing xmlns:m="urn:x-limner:drawing:1">{content}</m:drawing>'
    assert read_metadata(document(f"<metadata>{forged}</metadata>")) is None


# --- replay ----------------------------------------------------------------------------------


def test_a_replay_shows_the_finished_drawing_where_nothing_moves() -> None:
    strokes = drawing(20, seed=5)
    assert rmse(seen(svg_replay_text(strokes, SIZE)), seen(svg_text(strokes, SIZE))) == 0


def test_a_replay_gives_each_stroke_its_turn() -> None:
    text = svg_replay_text(drawing(4, seed=5), SIZE, duration_s=2)
    delays = [f"animation-delay:{s}s" for s in ("0", "0.5", "1", "1.5")]
    assert [text.count(delay + '"') for delay in delays] == [1] * 4
    assert "limner-draw 0.5s linear backwards" in text
    assert "script" not in text


def test_a_replay_can_be_read_again() -> None:
    strokes = drawing(20, seed=5)
    replayed = read_svg(svg_replay_text(strokes, SIZE, metadata={"seed": 1}).encode(), SIZE)
    still = read_svg(svg_text(strokes, SIZE).encode(), SIZE)
    assert torch.equal(replayed.points, still.points)


@pytest.mark.parametrize("duration_s", [0, -1, float("nan"), float("inf")])
def test_a_replay_takes_time(duration_s: float) -> None:
    with pytest.raises(ValueError, match="more than 0 s"):
        svg_replay_text(drawing(1, seed=0), SIZE, duration_s=duration_s)


# --- in: what Limner wrote -------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_a_limner_svg_comes_back(count: int, seed: int, segments: int) -> None:
    strokes = drawing(count + 1, seed, segments=segments)
    strokes.rgba[:, 3].clamp_(min=0.001)  # what can't be seen is left out
    back = read_svg(svg_text(strokes, SIZE, metadata={"seed": seed}).encode(), SIZE)
    assert torch.equal(back.offsets, strokes.offsets)
    # to the rounding of the text: exactly the float32 nearest to three decimals
    assert torch.equal(back.points, rounded(strokes.points, 3))
    assert torch.equal(back.width, rounded(strokes.width, 3))
    assert torch.equal(back.rgba[:, 3], rounded(strokes.rgba[:, 3], 3))
    assert (back.rgba[:, :3] - strokes.rgba[:, :3]).abs().max() <= 0.5 / 255 + 1e-6


def rounded(numbers: torch.Tensor, decimals: int) -> torch.Tensor:
    return torch.tensor([float(f"{n:.{decimals}f}") for n in numbers.flatten().tolist()]).view(
        numbers.shape
    )


def test_a_second_round_trip_changes_nothing() -> None:
    once = read_svg(svg_text(drawing(50, seed=9), SIZE).encode(), SIZE)
    twice = read_svg(svg_text(once, SIZE).encode(), SIZE)
    assert torch.equal(once.points, twice.points)
    assert torch.equal(once.rgba, twice.rgba)


def test_a_larger_canvas_scales_points_and_widths() -> None:
    strokes = drawing(5, seed=2)
    text = svg_text(strokes, SIZE).encode()
    large = read_svg(text, (240, 320))
    assert torch.allclose(large.points, read_svg(text, SIZE).points * 2, atol=1e-4)
    assert torch.allclose(large.width, read_svg(text, SIZE).width * 2)


def test_a_canvas_of_other_proportions_holds_it_whole_and_centred() -> None:
    wide = read_svg(svg_text(line(0, 0, 160, 120), SIZE).encode(), (120, 400))
    assert wide.points[[0, -1]].tolist() == [[120, 0], [280, 120]]


# --- strokes in space ------------------------------------------------------------------------


def in_space(count: int, seed: int) -> Strokes:
    flat = drawing(count, seed)
    noise = torch.Generator().manual_seed(seed)
    return replace(flat, depth=(torch.rand(len(flat.points), generator=noise) - 0.5) * 200)


def test_depth_comes_back_and_is_seen_by_nobody_else() -> None:
    strokes = in_space(20, seed=3)
    assert strokes.depth is not None
    text = svg_text(strokes, SIZE)
    back = read_svg(text.encode(), SIZE)
    assert back.depth is not None and torch.equal(back.depth, rounded(strokes.depth, 2))
    assert torch.equal(back.points, rounded(strokes.points, 3))
    assert svg_text(back, SIZE) == text
    flat = svg_text(replace(strokes, depth=None), SIZE)
    assert "data-depth" not in flat and rmse(seen(text), seen(flat)) == 0


def test_a_larger_canvas_is_deeper() -> None:
    text = svg_text(in_space(4, seed=3), SIZE).encode()
    once, twice = read_svg(text, SIZE).depth, read_svg(text, (240, 320)).depth
    assert once is not None and twice is not None and torch.allclose(twice, once * 2)


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        ('<path {0} data-depth="1 -2 3.5 4" d="M1 1C2 2 3 3 4 4"/>', [1, -2, 3.5, 4]),
        ('<path {0} data-depth="3 5" d="M1 1C2 2 3 3 4 4"/>', [4, 4, 4, 4]),  # edited elsewhere
        ('<path {0} data-depth="8" d="M1 1L9 9M3 3L9 3"/>', [8] * 8),
        ('<g transform="scale(2)"><path {0} data-depth="8" d="M1 1L9 9"/></g>', [16] * 4),
        ('<path {0} data-depth="8" d="M1 1L9 9"/><path {0} d="M3 3L9 3"/>', [8] * 4 + [0] * 4),
        ('<path {0} data-depth="" d="M1 1L9 9"/>', None),
        ('<path {0} data-depth="none" d="M1 1L9 9"/>', None),
        ('<path {0} d="M1 1L9 9"/>', None),
    ],
)
def test_depth_of_paths_that_others_had_in_hand(body: str, depth: list[float] | None) -> None:
    found = read(body.format(PEN)).depth
    assert (None if found is None else found.tolist()) == depth


def test_a_long_path_is_cut_with_its_depths() -> None:
    count = svg_read.SEGMENTS_MAX + 1
    path = "M0 0" + "C1 1 2 2 3 3" * count
    depths = " ".join(str(k) for k in range(3 * count + 1))
    strokes = read(f'<path {PEN} data-depth="{depths}" d="{path}"/>')
    assert strokes.count == 2 and strokes.depth is not None
    assert strokes.depth.tolist() == [*range(3 * count - 2), *range(3 * count - 3, 3 * count + 1)]


@pytest.mark.parametrize("depth", ["nan 1 2 3", "inf 1 2 3", "1e300 1 2 3", "1e8 1 2 3"])
def test_a_depth_beyond_all_sense_is_refused(depth: str) -> None:
    with pytest.raises(LimnerError) as caught:
        read(f'<path {PEN} data-depth="{depth}" d="M1 1L9 9"/>')
    assert caught.value.code is ErrorCode.UNREADABLE


def test_a_depth_that_is_not_finite_is_not_written() -> None:
    strokes = in_space(2, seed=1)
    assert strokes.depth is not None
    strokes.depth[3] = torch.nan
    with pytest.raises(LimnerError, match="not finite"):
        svg_text(strokes, SIZE)


# --- in: what others wrote -------------------------------------------------------------------

PEN = 'fill="none" stroke="#2050a0" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"'

# Each is drawn by resvg as it stands and as Limner read it; caps and joins are round in all,
# as a stroke of Limner's is.
DOCUMENTS = {
    "every command": f'<path {PEN} d="M10 10 L40 20 l10-10 H70 h10 V30 v10 C90 50 100 10 110 30'
    'c5 5 5 20 20 10 S140 60 150 30 s-10 30-20 40 Q100 90 90 70 q-5-20-20 0 T40 80 t-20-10 Z"/>',
    "smooth after the other kind": f'<path {PEN} d="M10 10 Q40 90 70 30 S90 90 120 60 T150 20 '
    'C150 90 120 110 100 100 T20 100"/>',
    "arcs": f'<path {PEN} d="M20 60 A30 20 30 0 1 70 40 a15 25-20 1 0 20 10 A 20 20 0 01100 90'
    'a5 5 0 1110 0 A0 9 0 0 0 130 90 A1 1 0 0 0 150 60"/>',
    "subpaths": f'<path {PEN} d="m10 10 20 0 0 20z m40 40 l30 0 0 20z l-10 40 M100 10 L150 110"/>',
    "shorthand numbers": f'<path {PEN} d="M1e1.5e2-0-10.5L.5.5 20-.5 1.2e+2,90"/>',
    "rect": f'<rect {PEN} x="20" y="10" width="100" height="60"/>',
    "round rect": f'<rect {PEN} x="20" y="10" width="100" height="60" rx="20" ry="10"/>',
    "round rect, one radius": f'<rect {PEN} x="20" y="10" width="100" height="60" rx="90"/>',
    "circle": f'<circle {PEN} cx="70" cy="60" r="45"/>',
    "ellipse": f'<ellipse {PEN} cx="70" cy="60" rx="60" ry="20" transform="rotate(20 70 60)"/>',
    "line": f'<line {PEN} x1="10" y1="110" x2="150" y2="10"/>',
    "polyline": f'<polyline {PEN} points="10,110 40,10 70,110,100 10-5-5"/>',
    "polygon": f'<polygon {PEN} points="10,110 40,10 70,110 150 60"/>',
    "percentages": f'<line {PEN} x1="10%" y1="90%" x2="90%" y2="10%"/>',
    "nested transforms": f'<g transform="translate(80 60) rotate(30)"><g transform="scale(.5)">'
    f'<path {PEN} d="M-80-40 L80 40" transform="matrix(0 1 -1 0 10 0)"/></g></g>',
    "skew": f'<path {PEN} style="stroke-width:1" d="M10 10 L90 90" transform="skewX(9) skewY(3)"/>',
    "inherited paint": f'<g {PEN}><g stroke="#e02020"><path d="M10 10 L90 90"/></g></g>',
    "opacities": f'<g opacity=".5"><g opacity=".8"><path {PEN} d="M10 10 L90 90" '
    'opacity=".9" stroke-opacity="50%" style="stroke-width:40"/></g></g>',
    "style over attribute": f'<path {PEN} d="M10 10L90 90" style="stroke: #f00 ;stroke-width:9"/>',
    "style sheet": f"<style>/* {{ */ .a, b {{stroke:lime}} @page b, .a {{ stroke: red }}"
    f'path{{stroke-width:8}} #c {{ stroke-opacity:.5 }}</style><path id="c" class="x a" {PEN} '
    'd="M10 10 L90 90"/>',
    "current colour": f'<g color="#0a0"><path {PEN} style="stroke:currentColor" '
    'd="M10 10L90 90"/></g>',
    "rgb()": f'<path {PEN} style="stroke:rgb(10%, 50%, 90%)" d="M10 10L90 90"/>',
    "hsl()": f'<path {PEN} style="stroke:hsl(200, 50%, 50%)" d="M10 10L90 90"/>',
    "short hex": f'<path {PEN} style="stroke:#c84" d="M10 10L90 90"/>',
    "name": f'<path {PEN} style="stroke:DarkOliveGreen" d="M10 10L90 90"/>',
    "use": f'<defs><path id="p" {PEN} d="M0 0 L40 30"/></defs>'
    '<use href="#p" x="10" y="10"/><use xlink:href="#p" transform="translate(60 40) scale(2)"/>',
    "symbol": f'<symbol id="s" viewBox="0 0 10 10"><path {PEN} style="stroke-width:1" '
    'd="M1 1 L9 9"/></symbol><use href="#s" x="20" y="10" width="100" height="80"/>',
    "nested svg": f'<svg x="40" y="20" width="80" height="80" viewBox="-10 -10 40 40">'
    f'<path {PEN} d="M0 0 L20 20"/></svg>',
    "important": f'<path {PEN} style="stroke:red!important;stroke-width: 9 !important" '
    'd="M20 20L90 90"/>',
    "not drawn": f'<defs><path {PEN} d="M0 0L9 9"/></defs><clipPath id="c"><rect width="5" '
    f'height="5"/></clipPath><path {PEN} display="none" d="M5 5 L99 9"/>'
    f'<path {PEN} visibility="hidden" d="M5 5 L99 9"/><path {PEN} opacity="0" d="M5 5L99 9"/>'
    f'<path {PEN} style="stroke:none" d="M5 5L99 9"/><path {PEN} d="M20 20 L90 90"/>'
    f'<path {PEN} style="stroke-width:0" d="M5 5L99 9"/>',
    "an error in the data": f'<path {PEN} d="M10 10 L90 90 L 20 Z"/>',
    "a dot": f'<path {PEN} style="stroke-width:20" d="M50 50 l0 0 M80 80 z"/>',
    "no size of a dot with flat ends": f'<path {PEN} d="M20 20L90 90"/><path {PEN} '
    'style="stroke-linecap:butt" d="M50 20 l0 0"/>',
    "stroke width in percent": f'<path {PEN} style="stroke-width:5%" d="M20 20L90 90"/>',
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_reads_what_resvg_sees(name: str) -> None:
    source = document(DOCUMENTS[name], 'width="160" height="120" viewBox="0 0 160 120"')
    strokes = read_svg(source.encode(), SIZE)
    # 0.004 where a skew makes a stroke uneven, 0.001 elsewhere; a tenth of a pixel gives 0.012
    assert rmse(finely(source), finely(svg_text(strokes, SIZE))) <= 0.005
    assert seen(source).min() < 0.9  # and there is something to see


ROOTS = {
    "no size": "",
    "viewBox with an origin": 'viewBox="-20 -10 160 120"',
    "size in millimetres": 'width="42.33333mm" height="31.75mm" viewBox="0 0 160 120"',
    "size in px": 'width="160px" height="120px"',
    "size in inches": 'width="2in" height="1.5in" viewBox="0 0 192 144"',
    "percent": 'width="100%" height="100%" viewBox="0 0 160 120"',
    "not proportional": 'width="160" height="120" viewBox="0 0 100 120"',
    "aspect none": 'width="160" height="120" viewBox="0 0 150 120" preserveAspectRatio="none"',
    "aspect slice": 'width="160" height="120" viewBox="0 0 80 120" '
    'preserveAspectRatio="xMinYMax slice"',
    "aspect meet": 'width="160" height="120" viewBox="0 0 80 120" '
    'preserveAspectRatio="xMaxYMin meet"',
    "one size": 'width="320" viewBox="0 0 160 120"',
}


@pytest.mark.parametrize("name", ROOTS)
def test_the_canvas_is_where_resvg_has_it(name: str) -> None:
    body = f'<path {PEN} d="M20 20 L70 100 L75 20"/>'
    root = ROOTS[name] or 'width="160" height="120"'
    strokes = read(body, root=ROOTS[name])
    assert rmse(finely(document(body, root)), finely(svg_text(strokes, SIZE))) <= 0.005


def test_a_transform_may_stand_in_a_style() -> None:  # resvg does not read it
    strokes = read('<path stroke="red" d="M0 0L9 9" style="transform: translate(30px, 5px)"/>')
    assert strokes.points[0].tolist() == [30, 5]


def test_a_stroke_that_does_not_scale_scales_with_the_canvas_alone() -> None:
    path = '<path vector-effect="non-scaling-stroke" stroke="red" d="M0 0L9 9" stroke-width="3"/>'
    assert read(f'<g transform="scale(7)">{path}</g>', (240, 320)).width.tolist() == [6]


def test_a_viewport_without_area_is_not_drawn() -> None:  # SVG 2, 8.2; resvg draws the symbol
    path = '<path stroke="red" d="M0 0L9 9"/>'
    empty = f'<svg width="0">{path}</svg><symbol id="s">{path}</symbol><use href="#s" height="-1"/>'
    assert read(empty + path).count == 1


def test_each_subpath_is_a_stroke() -> None:
    strokes = read('<path stroke="red" d="M0 0L9 9M20 20C1 2 3 4 5 6zM1 1"/>')
    assert strokes.segments.tolist() == [1, 2]


def test_a_long_path_becomes_several_strokes_that_meet() -> None:
    count = 2 * svg_read.SEGMENTS_MAX + 3
    points = " ".join(f"{i / 5},{i % 7}" for i in range(count + 1))
    strokes = read(f'<polyline fill="none" stroke="red" points="{points}"/>')
    assert strokes.segments.tolist() == [svg_read.SEGMENTS_MAX, svg_read.SEGMENTS_MAX, 3]
    ends = strokes.offsets[1:-1]
    assert torch.equal(strokes.points[ends - 1], strokes.points[ends])


def test_a_fill_becomes_an_outline_of_its_colour() -> None:
    strokes = read('<circle cx="80" cy="60" r="30" fill="#00ff00" fill-opacity=".5"/>')
    assert strokes.count == 1
    assert strokes.rgba[0].tolist() == [0, 1, 0, 0.5]
    assert strokes.width[0] == pytest.approx(max(1, svg_read.OUTLINE * 120))
    radii = (strokes.points[::3] - torch.tensor([80.0, 60.0])).norm(dim=1)
    assert torch.allclose(radii, torch.full_like(radii, 30))


def test_a_line_has_no_fill() -> None:
    line_and_mark = '<line x2="99" y2="9" fill="red"/><path stroke="red" d="M0 0L9 9"/>'
    assert read(line_and_mark).count == 1


def test_fill_is_left_where_there_is_a_stroke() -> None:
    strokes = read('<circle cx="80" cy="60" r="30" fill="#0f0" stroke="blue" stroke-width="3"/>')
    assert strokes.rgba.tolist() == [[0, 0, 1, 1]]


def test_paper_is_not_a_stroke_and_a_smaller_rectangle_is() -> None:
    mark = '<path stroke="red" d="M0 0L9 9"/>'
    assert read(f'<rect width="160" height="120" fill="#ffe"/>{mark}').count == 1
    assert read(f'<rect width="100%" height="100%" fill="#ffe"/>{mark}').count == 1
    assert read(f'<rect width="150" height="120" fill="#ffe"/>{mark}').count == 2
    assert read(f'<rect width="160" height="120" fill="#ffe" stroke="red"/>{mark}').count == 2


def test_a_gradient_becomes_its_mean_colour() -> None:
    stops = '<stop stop-color="#000"/><stop offset="1" style="stop-color:#fff;stop-opacity:.5"/>'
    gradients = f'<linearGradient id="a">{stops}</linearGradient><radialGradient id="b" href="#a"/>'
    for link in ("url(#a)", "url('#b') red"):
        strokes = read(f'{gradients}<path stroke="{link}" d="M0 0L9 9"/>')
        assert strokes.rgba[0].tolist() == [0.5, 0.5, 0.5, 0.75]
    assert read('<path stroke="url(#no) red" d="M0 0L9 9"/>').rgba[0].tolist() == [1, 0, 0, 1]


def test_a_foreign_namespace_is_passed_over() -> None:
    body = '<x:path xmlns:x="urn:x" d="M0 0L5 5" stroke="red"/><path stroke="red" d="M0 0L9 9"/>'
    assert read(body).count == 1


def test_an_svg_without_its_namespace_is_read() -> None:
    assert read_svg(b'<svg><path stroke="red" d="M0 0L9 9"/></svg>', SIZE).count == 1


def test_a_byte_order_mark_is_read() -> None:
    text = "\ufeff" + svg_text(line(0, 0, 9, 9), SIZE)
    assert read_svg(text.encode(), SIZE).count == 1


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_it_reads_a_file(tmp_path: pytest.TempPathFactory, kind: Callable[..., object]) -> None:
    path = tmp_path / "cat.svg"
    path.write_text(svg_text(line(0, 0, 9, 9), SIZE), encoding="utf-8")
    assert read_svg(kind(path), SIZE).count == 1
