"""The strokes of a result's SVG, to show it again, and strokes as an SVG, to go on from them.

The backend writes one group of paths, each `M x y C …` with a stroke, a width and perhaps an
opacity; a path in space has its depths too: `data-depth`, px, one for each control point. What is
not like that is left out. It reads the backend's own files and `svg_of`'s, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from limner_wire.limits import SVG_BYTES
from limner_wire.strokes import Stroke, Strokes

_NUMBER = re.compile(r"-?\d*\.?\d+(?:[eE][-+]?\d+)?")
_COLOUR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_PATH = re.compile(r"[MC0-9eE\s,.+-]*")
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{w}px" height="{h}px" viewBox="0 0 {w} {h}">'
    '<g fill="none" stroke-linecap="round" stroke-linejoin="round">'
)


def strokes_of(svg: bytes) -> Strokes | None:
    """The strokes on their canvas; None if there are none, or it is no such SVG."""
    if not svg or len(svg) > SVG_BYTES or b"<!ENTITY" in svg:
        return None
    try:
        root = ElementTree.fromstring(svg)  # noqa: S314 (ours, and no entities)
        box = [float(n) for n in root.get("viewBox", "").split()]
        found = [s for node in root.iter() if _name(node) == "path" if (s := _stroke(node))]
        return Strokes.of(found, (round(box[2]), round(box[3]))) if found else None
    except (ElementTree.ParseError, ValueError, IndexError):
        return None


def svg_of(strokes: Strokes) -> bytes:
    """A plain SVG, one path a stroke, in the order that they are painted; no paper.

    `strokes_of` gives exactly the same strokes back.
    """
    w, h = strokes.canvas
    return "".join([_HEAD.format(w=w, h=h), *map(_path, strokes), "</g></svg>"]).encode()


def _name(node: ElementTree.Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _stroke(node: ElementTree.Element) -> Stroke | None:
    path, colour = node.get("d", ""), _COLOUR.fullmatch(node.get("stroke", ""))
    numbers = _numbers(path)
    points = list(zip(numbers[0::2], numbers[1::2], strict=False))
    if colour is None or not _PATH.fullmatch(path) or len(points) % 3 != 1:
        return None
    alpha = round(255 * float(node.get("stroke-opacity", "1")))
    red, green, blue = (int(part, 16) for part in colour.groups())
    depth = _numbers(node.get("data-depth", ""))
    return Stroke(
        points,
        float(node.get("stroke-width", "1")),
        (red, green, blue, alpha),
        depth if len(depth) == len(points) else None,
    )


def _numbers(text: str) -> list[float]:
    return [float(n) for n in _NUMBER.findall(text)]


def _path(stroke: Stroke) -> str:
    first, *rest = (f"{_text(x)} {_text(y)}" for x, y in stroke.points)
    red, green, blue, alpha = stroke.rgba
    return "".join(
        (
            f'<path d="M{first}',
            f' C{" ".join(rest)}"' if rest else '"',
            f' stroke="#{red:02x}{green:02x}{blue:02x}" stroke-width="{_text(stroke.width)}"',
            f' stroke-opacity="{_text(alpha / 255)}"',
            *_depth(stroke),
            "/>",
        )
    )


def _depth(stroke: Stroke) -> Iterator[str]:
    if stroke.depth is not None:
        yield f' data-depth="{" ".join(map(_text, stroke.depth))}"'


def _text(number: float) -> str:
    """Six digits: less than half a step of a coordinate on the wire, for any canvas."""
    return f"{number:.6g}"
