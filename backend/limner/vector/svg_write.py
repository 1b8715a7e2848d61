"""SVG out: a drawing as one group of stroked paths, and its replay as an animation.

The same strokes give the same bytes. Control points keep three decimals (a 2000th of a pixel),
colours eight bits, as every viewer reads them. The depth of strokes in space, in pixels at each
control point, stands in `data-depth`, which viewers pass over: they show the front view. It
generates all it writes: nothing of a file that was read is echoed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import svgwrite
from svgwrite.etree import etree

from limner.vector import svg_safe
from limner.vector.strokes import Strokes
from limner.vector.svg_safe import LIMNER_NAMESPACE, METADATA_TAG, Node
from limner_wire.errors import ErrorCode, LimnerError

Background = str | tuple[float, float, float] | None

_DECIMALS, _DEPTH_DECIMALS = 3, 2
_FORBIDDEN_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}|[A-Za-z]+")
_REPLAY_CSS = """
@keyframes limner-draw {
  from { stroke-dasharray: 1 2; stroke-dashoffset: 1; visibility: hidden }
  to { stroke-dasharray: 1 2; stroke-dashoffset: 0; visibility: visible }
}
.limner-stroke { animation: limner-draw %ss linear backwards }
@media (prefers-reduced-motion: reduce) { .limner-stroke { animation: none } }
"""


def svg_text(
    strokes: Strokes,
    size: tuple[int, int],
    *,
    metadata: Mapping[str, Any] | None = None,
    background: Background = "white",
) -> str:
    """The drawing as an SVG document.

    Args:
        strokes: control points in pixels of the canvas.
        size: the canvas, (height, width) in pixels.
        metadata: what made the drawing, anything that JSON holds; by custom `prompt` (also the
            title), `seed`, `settings`, `version`. `read_metadata` gives it back exactly.
        background: "#rrggbb", a colour name or (r, g, b) in [0, 1]: the paper that was
            optimised on, as a rectangle below the group. None: no paper.

    Raises:
        LimnerError: NOT_FINITE if a number of a stroke is NaN or infinite.
        ValueError: for a background that is not a colour, or metadata with NaN.
        TypeError: for metadata that JSON does not hold.
    """
    drawing = _page(size, metadata, background)
    group = drawing.g(**_GROUP)
    for d, paint in _paths(strokes):
        group.add(drawing.path(d=d, **paint))
    drawing.add(group)
    return _serialised(drawing)


def svg_replay_text(
    strokes: Strokes,
    size: tuple[int, int],
    *,
    duration_s: float = 10.0,
    metadata: Mapping[str, Any] | None = None,
    background: Background = "white",
) -> str:
    """The drawing as an SVG that draws itself, stroke after stroke, once, in `duration_s`.

    CSS animation alone, without script: it plays in any browser, and a program that does not
    know it shows the finished drawing. Arguments and errors as `svg_text`; ValueError too if
    the duration is not above zero.
    """
    if not 0 < duration_s < float("inf"):
        raise ValueError(f"a replay takes more than 0 s, not {duration_s}")
    each_s = duration_s / max(strokes.count, 1)
    drawing = _page(size, metadata, background)
    drawing.defs.add(drawing.style(_REPLAY_CSS % _number(each_s, 6)))
    group = drawing.g(**_GROUP)
    for turn, (d, paint) in enumerate(_paths(strokes)):
        delay = f"animation-delay:{_number(turn * each_s, 6)}s"
        group.add(drawing.path(d=d, class_="limner-stroke", pathLength=1, style=delay, **paint))
    drawing.add(group)
    return _serialised(drawing)


def read_metadata(text: str | bytes) -> dict[str, Any] | None:
    """The `metadata` that `svg_text` was given; None in an SVG of another program.

    Raises:
        LimnerError: UNSAFE_FILE or UNREADABLE, as `read_svg`, but an empty drawing passes.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    with svg_safe.reading("The SVG"):
        node = _find_metadata(svg_safe.parse(data))
    try:
        found = json.loads(node.text) if node else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


_GROUP = {"fill": "none", "stroke_linecap": "round", "stroke_linejoin": "round"}


def _page(
    size: tuple[int, int], metadata: Mapping[str, Any] | None, background: Background
) -> svgwrite.Drawing:
    height, width = size
    drawing = svgwrite.Drawing(
        size=(f"{width}px", f"{height}px"), viewBox=f"0 0 {width} {height}", debug=False
    )
    if metadata is not None:
        _describe(drawing, metadata)
    if background is not None:
        fill = _colour_text(background)
        drawing.add(drawing.rect((0, 0), (width, height), fill=fill))
    return drawing


def _describe(drawing: svgwrite.Drawing, metadata: Mapping[str, Any]) -> None:
    """The prompt as the title, and everything as JSON in an element of Limner's own."""
    prompt = metadata.get("prompt")
    if isinstance(prompt, str) and prompt:
        drawing.set_desc(title=_FORBIDDEN_IN_XML.sub("", prompt))
    element = etree.Element(METADATA_TAG, {"xmlns:limner": LIMNER_NAMESPACE})
    # ASCII, so that even what XML forbids (a NUL, half a surrogate pair) comes back unchanged
    element.text = json.dumps(metadata, sort_keys=True, ensure_ascii=True, allow_nan=False)
    drawing.set_metadata(element)


def _paths(strokes: Strokes) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path data, paint attributes) of each stroke."""
    points = strokes.points.detach().cpu().double().numpy()
    widths = strokes.width.detach().cpu().double().numpy()
    rgba = strokes.rgba.detach().cpu().double().numpy()
    depth = None if strokes.depth is None else strokes.depth.detach().cpu().double().numpy()
    if not all(_is_finite(numbers) for numbers in (points, widths, rgba, depth)):
        message = "The drawing can't be saved: it has numbers that are not finite."
        raise LimnerError(ErrorCode.NOT_FINITE, message, "Lower the learning rate, try again.")
    offsets = strokes.offsets.tolist()
    for s, (first, last) in enumerate(pairwise(offsets)):
        x_y = [f"{_number(x)},{_number(y)}" for x, y in points[first:last].tolist()]
        paint = {
            "stroke": _hex(rgba[s, :3].tolist()),
            "stroke_width": _number(max(widths[s], 0.0)),
            "stroke_opacity": _number(min(max(rgba[s, 3], 0.0), 1.0)),
        }
        if depth is not None:
            deep = depth[first:last].tolist()
            paint["data_depth"] = " ".join(_number(d, _DEPTH_DECIMALS) for d in deep)
        yield f"M{x_y[0]} C{' '.join(x_y[1:])}", paint


def _is_finite(numbers: npt.NDArray[np.float64] | None) -> bool:
    return numbers is None or bool(np.isfinite(numbers).all())


def _number(value: float, decimals: int = _DECIMALS) -> str:
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _hex(rgb: list[float] | tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(255 * min(max(c, 0.0), 1.0)):02x}" for c in rgb)


def _colour_text(colour: str | tuple[float, float, float]) -> str:
    if not isinstance(colour, str):
        return _hex(colour)
    if not _COLOUR.fullmatch(colour):
        raise ValueError(f"{colour!r} is neither #rrggbb nor a colour name")
    return colour


def _serialised(drawing: svgwrite.Drawing) -> str:
    xml = drawing.get_xml()
    etree.indent(xml, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{etree.tostring(xml, encoding="unicode")}\n'


def _find_metadata(node: Node) -> Node | None:
    if node.tag == METADATA_TAG:
        return node
    return next((found for child in node.children if (found := _find_metadata(child))), None)
