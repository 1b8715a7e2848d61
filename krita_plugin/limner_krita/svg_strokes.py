"""The strokes of a result's SVG, to show it again: the backend's own files, and nothing else.

The backend writes one group of paths, each `M x y C …` with a stroke, a width and perhaps an
opacity. What is not like that is left out; layers are made from the SVG itself (`document`).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from limner_wire.limits import SVG_BYTES
from limner_wire.strokes import Stroke, Strokes

_NUMBER = re.compile(r"-?\d*\.?\d+(?:[eE][-+]?\d+)?")
_COLOUR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_PATH = re.compile(r"[MC0-9eE\s,.+-]*")


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


def _name(node: ElementTree.Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _stroke(node: ElementTree.Element) -> Stroke | None:
    path, colour = node.get("d", ""), _COLOUR.fullmatch(node.get("stroke", ""))
    numbers = [float(n) for n in _NUMBER.findall(path)]
    points = list(zip(numbers[0::2], numbers[1::2], strict=False))
    if colour is None or not _PATH.fullmatch(path) or len(points) % 3 != 1:
        return None
    alpha = round(255 * float(node.get("stroke-opacity", "1")))
    red, green, blue = (int(part, 16) for part in colour.groups())
    return Stroke(points, float(node.get("stroke-width", "1")), (red, green, blue, alpha))
