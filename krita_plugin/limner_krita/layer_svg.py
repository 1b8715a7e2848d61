"""The SVG of a result as one that Krita puts at its place in a document.

Krita takes px as pixels of the document at any resolution (and pt as something else). The paper,
the title and the metadata are left out: a layer is clear, and Krita keeps none of the others.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from limner_front.i18n import _
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import SVG_BYTES

Bounds = tuple[int, int, int, int]

_OF_GROUP = ("fill", "stroke-linecap", "stroke-linejoin")
_OF_PATH = ("id", "d", "fill", "stroke", "stroke-width", "stroke-opacity")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:[eE][-+]?\d+)?")
HAIR = 0.01  # pixels
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{w}px" height="{h}px" viewBox="0 0 {w} {h}">'
)


def layer_svg(svg: bytes, bounds: Bounds, size: tuple[int, int], group: str) -> str:
    """The strokes as one group at their place.

    Args:
        svg: the backend's: paths in groups, on a canvas that its viewBox names.
        bounds: x, y, width, height in pixels of the document: where that canvas goes.
        size: of the document, in pixels.
        group: the id of the group.

    Raises:
        LimnerError: UNREADABLE if it is no such SVG, or has no strokes.
    """
    try:
        if len(svg) > SVG_BYTES or b"<!" in svg:  # ours has neither entities nor comments
            raise ValueError
        root = ElementTree.fromstring(svg)  # noqa: S314 (ours, and no entities)
        box = [float(n) for n in root.get("viewBox", "").split()]
        scale_x, scale_y = bounds[2] / box[2], bounds[3] / box[3]
        paths = [_path(node) for node in root.iter() if _name(node) == "path"]
    except (ElementTree.ParseError, ValueError, IndexError, ZeroDivisionError):
        paths = []
    if not paths:
        raise LimnerError(ErrorCode.UNREADABLE, _("This drawing has no strokes to put in a layer."))
    left, top = bounds[0] - box[0] * scale_x, bounds[1] - box[1] * scale_y
    place = f"matrix({scale_x:.9g} 0 0 {scale_y:.9g} {left:.9g} {top:.9g})"
    style = next((n for n in root.iter() if _name(n) == "g"), root)
    own = "".join(f" {k}={quoteattr(style.attrib[k])}" for k in _OF_GROUP if k in style.attrib)
    head = _HEAD.format(w=size[0], h=size[1])
    return f'{head}<g id={quoteattr(group)} transform="{place}"{own}>{"".join(paths)}</g></svg>'


def _path(node: ElementTree.Element) -> str:
    numbers = _NUMBER.findall(node.get("d", ""))
    if len(set(zip(numbers[::2], numbers[1::2], strict=False))) == 1:
        # a dot: Krita paints nothing for a path that goes nowhere
        node.set("d", f"{node.get('d')} l {HAIR} 0")
    own = (f" {k}={quoteattr(node.attrib[k])}" for k in _OF_PATH if k in node.attrib)
    return f"<path{''.join(own)}/>"


def _name(node: ElementTree.Element) -> str:
    return str(node.tag).rpartition("}")[2]
