"""What a script in Krita reads off a document: layers, pixels, shapes."""

from __future__ import annotations

import random
from typing import Any

from PyQt5.QtCore import QByteArray
from PyQt5.QtGui import QImage

from krita import Krita, Selection

WHITE = (255, 255, 255)
Tree = list[tuple[str, str, Any]]


def tree(node: Any) -> Tree:
    """(name, type, children) of what is below, the lowest first, but for the selection."""
    children = (n for n in node.childNodes() if n.type() != "selectionmask")
    return [(n.name(), n.type(), tree(n)) for n in children]


def layer(document: Any, name: str) -> Any:
    """The top-level layer of that name."""
    return next(n for n in document.topLevelNodes() if n is not None and n.name() == name)


def picture(document: Any) -> QImage:
    """All that is seen, when Krita has done all its work."""
    document.waitForDone()
    document.refreshProjection()
    document.waitForDone()
    return document.projection(0, 0, document.width(), document.height())


def rgb(image: QImage, x: int, y: int) -> tuple[int, int, int]:
    colour = image.pixelColor(x, y)
    return colour.red(), colour.green(), colour.blue()


def same(have: tuple[int, int, int], want: tuple[int, int, int]) -> None:
    """Two colours."""
    assert all(abs(a - b) <= 3 for a, b in zip(have, want, strict=True)), (have, want)


def bytes_of(image: QImage) -> bytes:
    """Blue, green, red and alpha of every pixel."""
    bits = image.convertToFormat(QImage.Format_ARGB32).constBits()
    bits.setsize(4 * image.width() * image.height())
    return bytes(bits)


def paint(document: Any, image: QImage) -> None:
    """Put a picture of the document's size on its one layer."""
    (background,) = document.topLevelNodes()
    background.setPixelData(QByteArray(bytes_of(image)), 0, 0, image.width(), image.height())
    document.refreshProjection()


def inked(image: QImage) -> set[tuple[int, int]]:
    """Where it is not white, of every second pixel."""
    wide, high = image.width(), image.height()
    return {
        (x, y) for y in range(0, high, 2) for x in range(0, wide, 2) if rgb(image, x, y) != WHITE
    }


def select_ellipse(document: Any, box: tuple[int, int, int, int]) -> None:
    """Select an ellipse in a box (x, y, width, height)."""
    x, y, wide, high = box
    rows = (
        255 if is_in_ellipse(box, x + i + 0.5, y + j + 0.5) else 0
        for j in range(high)
        for i in range(wide)
    )
    selection = Selection()
    selection.setPixelData(QByteArray(bytes(rows)), x, y, wide, high)
    for _ in range(2):
        selection.invert()  # Krita finds the outline anew
    document.setSelection(selection)


def is_in_ellipse(box: tuple[int, int, int, int], x: float, y: float, more: float = 0) -> bool:
    """Whether a point is in the ellipse of a box, or `more` pixels beyond it."""
    left, top, wide, high = box
    across = (x - left - wide / 2) / (wide / 2 + more)
    down = (y - top - high / 2) / (high / 2 + more)
    return across**2 + down**2 <= 1


def new_document(*space: str, size: tuple[int, int] = (400, 300), ppi: float = 300.0) -> Any:
    """A white document in front; of RGBA, 8 bits, if nothing else is said."""
    model, depth, profile = space or ("RGBA", "U8", "")
    krita = Krita.instance()
    document = krita.createDocument(*size, "page", model, depth, profile, ppi)
    document.setBatchmode(True)
    krita.activeWindow().addView(document)
    return document


def close(document: Any) -> None:
    document.setModified(False)
    document.close()


def strokes_svg(size: tuple[int, int], strokes: str) -> bytes:
    """An SVG as the backend writes them."""
    wide, high = size
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{wide}px" height="{high}px" viewBox="0 0 {wide} {high}"><title>t</title>'
        f'<defs /><rect fill="white" height="{high}" width="{wide}" x="0" y="0" />'
        f'<g fill="none" stroke-linecap="round" stroke-linejoin="round">{strokes}</g></svg>'
    ).encode()


def line(ends: str, colour: str, width: float, alpha: float = 1) -> str:
    """A straight stroke: "x,y x,y"."""
    begin, end = ends.split()
    return (
        f'<path d="M{begin} C{begin} {end} {end}" stroke="{colour}" '
        f'stroke-opacity="{alpha}" stroke-width="{width}" />'
    )


def many_strokes(count: int, size: tuple[int, int]) -> str:
    """Strokes of three cubics each, here and there."""
    chance = random.Random(0)
    out = []
    for _ in range(count):
        x, y = chance.uniform(0, size[0]), chance.uniform(0, size[1])
        points = []
        for _ in range(10):
            points.append(f"{x:.3f},{y:.3f}")
            x, y = x + chance.uniform(-20, 20), y + chance.uniform(-20, 20)
        out.append(
            f'<path d="M{points[0]} C{" ".join(points[1:])}" '
            f'stroke="#{chance.randrange(2**24):06x}" stroke-opacity="0.8" '
            f'stroke-width="{chance.uniform(1, 5):.2f}" />'
        )
    return "".join(out)
