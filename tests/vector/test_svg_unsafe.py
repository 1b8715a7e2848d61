"""What an SVG must not do to us (reference/server.md, A26 and A27), each refused and at once."""

from __future__ import annotations

import gzip
import os
import resource
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.vector.svg import read_metadata, read_svg, svg_text
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import STROKES_MAX, SVG_BYTES, SVG_COMMANDS, SVG_DEPTH

SIZE = (100, 100)
OK = '<path stroke="red" d="M1 1L9 9"/>'
UNSAFE, UNREADABLE = ErrorCode.UNSAFE_FILE, ErrorCode.UNREADABLE
FAST_S = 2.0  # of processor time, which a busy machine changes least; most take 0.001


def document(body: str, attributes: str = "") -> str:
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {spaces} viewBox="0 0 100 100" {attributes}>{body}</svg>'


def refusal(content: str | bytes, within_s: float = FAST_S) -> LimnerError:
    """The error that reading raises, within the time that it may take."""
    data = content.encode() if isinstance(content, str) else content
    begin_s = time.process_time()
    with pytest.raises(LimnerError) as caught:
        read_svg(data, SIZE)
    assert time.process_time() - begin_s < within_s
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    return caught.value


RUNS_OR_FETCHES = {
    "script": "<script>alert(1)</script>",
    "script, prefixed": '<s:script xmlns:s="http://www.w3.org/2000/svg"/>',
    "script, upper case": "<SCRIPT/>",
    "script in foreign namespace": '<x:script xmlns:x="urn:x"/>',
    "foreignObject": "<foreignObject/>",
    "image": '<image href="#a"/>',
    "embedded image": '<image href="data:image/png;base64,AAAA"/>',
    "feImage": '<filter><feImage href="#a"/></filter>',
    "web page": '<p xmlns="http://www.w3.org/1999/xhtml"/>',
    "iframe": "<iframe/>",
    "event": '<g onload="alert(1)"/>',
    "event, upper case": '<g ONCLICK="alert(1)"/>',
    "event, prefixed": '<g x:onload="alert(1)" xmlns:x="urn:x"/>',
    "href to the net": '<a href="https://example.com/">x</a>',
    "xlink:href to a file": '<use xlink:href="file:///etc/passwd"/>',
    "href with the prefix renamed": '<use l:href="x.svg#a" xmlns:l="http://www.w3.org/1999/xlink"/>',
    "href to a script": '<a href="javascript:alert(1)"/>',
    "href to data": '<use href="data:image/svg+xml,%3Csvg/%3E#a"/>',
    "href after spaces": '<use href="  http://example.com/#a"/>',
    "href of a gradient": '<linearGradient href="other.svg#a"/>',
    "base": '<g xml:base="http://example.com/"><use href="#a"/></g>',
    "paint from the net": '<path stroke="url(http://example.com/#a)" d="M0 0L9 9"/>',
    "paint from a quoted address": "<path stroke=\"url( '//example.com' )\" d='M0 0L9 9'/>",
    "paint from upper case": '<path stroke="URL(http://example.com)" d="M0 0L9 9"/>',
    "style from the net": '<g style="fill:url(https://example.com/a.svg#b)"/>',
    "filter from a file": '<g filter="url(a.svg#b)"/>',
    "import": "<style>@import 'http://example.com/a.css';</style>",
    "import, mixed case": "<style>@ImPoRt url(#a);</style>",
    "import in CDATA": "<style><![CDATA[@import 'a.css';]]></style>",
    "font from the net": "<style>@font-face{src:url(http://example.com/a.woff)}</style>",
    "escaped address": r"<style>path{fill:u\72l(http://example.com)}</style>",
    "use of itself": '<g id="a"><use href="#a"/></g>',
    "use of its parent": '<g id="a"><g><use xlink:href="#a"/></g></g>',
    "use in a circle": '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>',
}


@pytest.mark.parametrize("name", RUNS_OR_FETCHES)
def test_what_could_run_or_fetch_is_refused(name: str) -> None:
    assert refusal(document(RUNS_OR_FETCHES[name] + OK)).code is UNSAFE


WHOLE_FILES = {
    "document type alone": f"<!DOCTYPE svg>{document(OK)}",
    "DTD": f'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://w3.org/a.dtd">{document(OK)}',
    "entity": f'<!DOCTYPE svg [<!ENTITY a "b">]>{document(OK)}',
    "external entity": f'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]>{document("&a;")}',
    "billion laughs": "<!DOCTYPE s [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{i + 1} '{f'&a{i};' * 10}'>" for i in range(9))
    + f"]>{document('&a9;')}",
    "style sheet by instruction": f'<?xml-stylesheet href="http://x/"?>{document(OK)}',
    "event on the root": document(OK, 'onload="alert(1)"'),
}


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_document_that_could_run_or_fetch_is_refused(name: str) -> None:
    assert refusal(WHOLE_FILES[name]).code is UNSAFE


CLONES = "".join(  # ten billion of what is called a0
    f'<g id="a{i + 1}">' + f'<use href="#a{i}"/>' * 10 + "</g>" for i in range(10)
)


def path(d: str) -> str:
    return document(f'<path stroke="red" d="{d}"/>{OK}')


BROKEN = {
    "empty": b"",
    "zeros": b"\0" * 99,
    "PNG": b"\x89PNG\r\n\x1a\n",
    "HTML": b"<html/>",
    "JSON": b'{"a": 1}',
    "cut short": document(OK)[:-9],
    "svgz": gzip.compress(document(OK).encode()),
    "UTF-16": document(OK).encode("utf-16"),
    "Latin-1": document("<title>café</title>" + OK).encode("latin-1"),
    "half a character": document(OK).encode()[:-6] + b"\xc3",
    "nothing to draw": document("<title>x</title>"),
    "only text": document('<text fill="red">x</text>'),
    "only the invisible": document('<g display="none">' + OK + "</g>"),
    "infinite coordinate": path("M0 0L inf 3"),
    "infinite coordinate, capital": path("M0 0L INFINITY 3"),
    "NaN": path("M0 0L nan 3"),
    "1e308": path("M0 0L1e308 3"),
    "1e308 by addition": path("M0 0l1e308 0 1e308 0"),
    "1e999": path("M0 0L1e999 3"),
    "1e308 arc": path("M0 0A1e308 1e308 0 0 1 4 5"),
    "far outside": path("M0 0L2e6 3"),
    "1e308 circle": document('<circle stroke="red" r="1e308"/>'),
    "1e308 points": document('<polyline stroke="red" points="0 0 1e308 1"/>'),
    "1e308 width": document('<path stroke="red" stroke-width="1e308" d="M0 0L9 9"/>'),
    "1e308 scale": document(f'<g transform="scale(1e308)">{OK}</g>'),
    "scales that multiply": document('<g transform="scale(1e11)">' * 9 + OK + "</g>" * 9),
    "transform without sense": document(f'<g transform="rotate(a">{OK}</g>'),
    "viewBox without area": f'<svg viewBox="0 0 0 9">{OK}</svg>',
    "endless viewBox": f'<svg viewBox="0 0 1e308 1e-308">{OK}</svg>',
    "no width": f'<svg width="0" height="9">{OK}</svg>',
    "too deep": "<g>" * 1_000_000,
    "too deep where nothing is drawn": document(
        f"<defs>{'<g>' * 5_000}{'</g>' * 5_000}</defs>{OK}"
    ),
    "just too deep": document("<g>" * SVG_DEPTH + OK + "</g>" * SVG_DEPTH),
    "too large": document(OK + " " * SVG_BYTES),
    "a million commands": path("M0 0" + "L1 1" * 1_000_000),
    "a million commands, implied": path("M0 0" + " 1 1" * 1_000_000),
    "a million closes": path("M0 0L1 1" + "Z" * 1_000_000),
    "a million numbers after a close": path("M0 0L1 1Z" + " 1" * 1_000_000),
    "a million points": document(f'<polyline stroke="red" points="{"1 1 " * 1_000_000}"/>'),
    "commands over many paths": document(OK + '<path d="M0 0L1 1L2 2"/>' * (SVG_COMMANDS // 4 + 1)),
    "a million elements": document(OK + "<g/>" * 1_000_000),
    "too many strokes": document(OK * (STROKES_MAX + 1)),
    "use without end": document(f'{OK}<g id="a0"/>{CLONES}'),
    "use that multiplies strokes": document(f'<g id="a0">{OK}</g>{CLONES}'),
    "use that nests": document(
        OK + "".join(f'<g id="a{i}"><use href="#a{i + 1}"/></g>' for i in range(999))
    ),
    "namespaces": document(OK, " ".join(f'xmlns:a{i}=""' for i in range(99_999))),
    "a long namespace on many attributes": document(
        f'<g xmlns:a="{"x" * 4_000_000}" '
        + " ".join(f'a:b{i}=""' for i in range(99_999))
        + f"/>{OK}"
    ),
    "an endless style sheet": document(f"<style>{'/*' * 1_000_000}</style>{OK}"),
    "an endless attribute": document(f'<g class="{"a" * 70_000}"/>{OK}'),
    "transforms, all different": document(
        OK + "".join(f'<g transform="{"scale(1)" * 7_000} scale({i})"/>' for i in range(16))
    ),
    "transforms, all open": document(f'<g transform="{"translate(" * 6_000}"/>' * 99 + OK),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_or_too_much_is_refused(name: str) -> None:
    within_s = 1.0 if "a million" in name else FAST_S
    assert refusal(BROKEN[name], within_s).code is UNREADABLE


HEAVY_BUT_ALLOWED = {
    "closes": path("M0 0L1 1" + "Z" * 50_000),
    "digits": path("M0 0L" + "0" * 4_000_000 + "1 1"),
    "spaces": path("M0 0L" + " " * 4_000_000 + "1 1"),
    "a long colour": document(f'<path d="M0 0L1 1" stroke="rgb({"1" * 60_000}"/>' * 50),
    "nested comments": document(f"<style>{'/*' * 99_999}</style>{OK}"),
    "open braces": document(f"<style>{'{' * 200_000}</style>{OK}"),
    "classes": document(f'<g class="{"a " * 30_000}"/>' * 50 + OK),
    "stops": document(
        f'<linearGradient id="g">{"<stop/>" * 9_999}</linearGradient>'
        + '<linearGradient href="#g"/>' * 9_999
        + OK
    ),
    "clones of a long path": document(
        f'<path id="p" d="M0 0L1 1{" " * 2_000_000}" stroke="red"/>' + "<use href='#p'/>" * 2_000
    ),
    "depths of many strokes in one path": document(
        f'<path stroke="red" data-depth="{"1 " * 32_000}" d="{"M0 0L1 1" * 4_000}"/>'
    ),
}


@pytest.mark.parametrize("name", HEAVY_BUT_ALLOWED)
def test_no_pattern_takes_more_than_linear_time(name: str) -> None:
    begin_s = time.process_time()
    assert read_svg(HEAVY_BUT_ALLOWED[name].encode(), SIZE).count >= 1
    assert time.process_time() - begin_s < FAST_S  # quadratic would take minutes


@pytest.mark.parametrize(
    "body",
    [
        '<g only_selected="true"/>',  # Inkscape's, and no event
        '<a href=" #b "/>',
        '<use href="#missing"/><use/>',
        "<g style=\"marker:url(#m);filter: url( '#f' )\"/>",
        "<title>url(http://example.com) @import onload= &lt;script&gt;</title>",
        "<metadata><rdf:RDF xmlns:rdf='urn:r' rdf:resource='http://purl.org/x'/></metadata>",
        "<style>/* nothing */</style><style/>",
        "<?php echo 1 ?><!-- <script> -->",
        "<animate attributeName='d' values='M0 0;M1 1'/>",
    ],
)
def test_what_only_looks_dangerous_is_read(body: str) -> None:
    assert read_svg(document(body + OK).encode(), SIZE).count == 1


def test_the_deepest_allowed_drawing_is_read() -> None:
    depth = SVG_DEPTH - 2  # the root and the path itself count
    assert read_svg(document("<g>" * depth + OK + "</g>" * depth).encode(), SIZE).count == 1


def test_the_most_strokes_allowed_are_read() -> None:
    assert read_svg(document(OK * STROKES_MAX).encode(), SIZE).count == STROKES_MAX


def test_a_refused_bomb_takes_no_memory() -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("a million commands", "too deep", "a long namespace on many attributes"):
        refusal(BROKEN[name])
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    assert grown_mib < 64


@pytest.mark.parametrize("reader", [lambda data: read_svg(data, SIZE), read_metadata])
def test_metadata_passes_the_same_gate(reader: object) -> None:
    with pytest.raises(LimnerError) as caught:
        reader(document("<script/>").encode())
    assert caught.value.code is UNSAFE


def test_what_is_read_is_not_echoed() -> None:
    body = f'<g id="secret" class="secret"><desc>secret</desc>{OK}</g>'
    assert "secret" not in svg_text(read_svg(document(body).encode(), SIZE), SIZE)


# --- files -----------------------------------------------------------------------------------


def file_refusal(path: Path | str) -> LimnerError:
    with pytest.raises(LimnerError) as caught:
        read_svg(path, SIZE)
    assert caught.value.code is UNREADABLE
    return caught.value


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    message = str(file_refusal(tmp_path / "cat.svg"))
    assert "cat.svg" in message
    assert str(tmp_path) not in message


def test_a_broken_file_is_named_without_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "cat\n.svg"
    file.write_text("<svg")
    message = str(file_refusal(file))
    assert message.startswith("cat�.svg can't be read: ")
    assert str(tmp_path) not in message


def test_a_folder_a_pipe_and_a_device_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.svg")
    for name in (tmp_path, tmp_path / "pipe.svg", "/dev/zero", "", "a\0b", "x" * 5_000):
        file_refusal(name)


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "large.svg"
    with file.open("wb") as hole:
        hole.truncate(2**40)  # a terabyte of nothing
    assert "8 MiB" in str(file_refusal(file))


# --- anything at all -------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(f"<{tag} " for tag in ("g", "path", "rect", "circle", "use", "svg", "style", "symbol")),
        *("/>", ">", "</g>", "</svg>", "</style>", "<!--", "]]>", "&#0;", "&amp;", "&x;", "\x00"),
        *('d="M1 1', "A1 1 0 0 1 9 9", "c1 1 2 2 3 3", "z", "t1 1", 'id="a"', 'href="#a"', '"'),
        *('transform="', "rotate(9)", "scale(0)", "matrix(1)", "translate(1e9%)", 'stroke="red"'),
        *('r="5"', 'width="1e9"', 'viewBox="0 0 1 1"', 'style="', "stroke:rgb(", "{}", ";", "1e99"),
        *('rx="-1"', 'stroke-width="-5"', 'opacity="nan"', 'points="1 1 2', "hsl(1e9,1%,1%)"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES | st.text(max_size=3), max_size=25).map(" ".join))
def test_whatever_comes_is_read_or_refused(body: str) -> None:
    try:
        strokes = read_svg(document(body).encode("utf-8", "replace"), SIZE)
    except LimnerError as error:
        assert error.code in (UNSAFE, UNREADABLE)
    else:
        assert strokes.points.isfinite().all()
        assert strokes.depth is None or strokes.depth.isfinite().all()
        assert (strokes.width > 0).all()
        assert ((strokes.rgba >= 0) & (strokes.rgba <= 1)).all()


NAMES = st.sampled_from(
    [
        *("d", "points", "transform", "stroke", "stroke-width", "opacity", "x", "y", "width"),
        *("height", "rx", "ry", "r", "cx", "viewBox", "preserveAspectRatio", "style", "class"),
        *("href", "stroke-linecap", "vector-effect", "display", "data-depth"),
    ]
)
VALUES = st.lists(
    st.floats().map(str)
    | st.sampled_from(
        [
            *("M", "L", "C", "A", "Z", "1", "-1", "1e9", "1e-9", "0", "%", ",", "."),
            *("rotate(", "scale(", ")", "#a", "url(", "none", "px"),
        ]
    ),
    max_size=9,
).map(" ".join)
TAGS = st.sampled_from(
    ["path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "use", "svg", "g"]
)


@settings(max_examples=200, deadline=None)
@given(TAGS, st.dictionaries(NAMES, VALUES, max_size=6))
def test_whatever_attribute_comes_is_read_or_refused(tag: str, attributes: dict[str, str]) -> None:
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    body = f'<g stroke="red"><{tag} id="a" {written}>{OK}</{tag}></g>'
    try:
        strokes = read_svg(document(body + OK).encode(), SIZE)
    except LimnerError as error:
        assert error.code in (UNSAFE, UNREADABLE)
    else:
        assert strokes.points.isfinite().all()
        assert strokes.depth is None or strokes.depth.isfinite().all()
