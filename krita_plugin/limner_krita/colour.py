"""Pixels between a document's colours and plain ones, by Krita's own conversion.

Plain is what screens, PNG files and Limner speak: sRGB, 8 bits, in Qt's ARGB32 (which is how Krita
has it in memory too). What is in another model, depth or profile goes through a document that
nobody sees, which Krita converts: nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from krita import Krita
from limner_front.i18n import _
from limner_krita.opened import owned
from limner_krita.qt import Qt, QtCore, QtGui
from limner_wire.errors import ErrorCode, LimnerError


class Space(NamedTuple):
    """A colour space, by Krita's names."""

    model: str
    depth: str
    profile: str


PLAIN = Space("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
_PLAIN_TOO = {PLAIN, Space("RGBA", "U8", "sRGB built-in")}
_PPI = 72.0  # of the document that nobody sees; it does not matter

ARGB = QtGui.QImage.Format.Format_ARGB32


def space_of(node: Any) -> Space:
    """The colour space of a layer, or of a document."""
    return Space(node.colorModel(), node.colorDepth(), node.colorProfile())


def picture_of(node: Any, bounds: tuple[int, int, int, int]) -> QtGui.QImage:
    """A layer as it is seen, with its masks, alone: the part within bounds (x, y, w, h).

    Raises:
        LimnerError: if Krita can't convert its colours.
    """
    wide, high = bounds[2:]
    pixels = node.projectionPixelData(*bounds)
    return image_of(converted(pixels, (wide, high), space_of(node), PLAIN), (wide, high))


def image_of(pixels: Any, size: tuple[int, int]) -> QtGui.QImage:
    """Plain pixels as an image of its own."""
    return QtGui.QImage(bytes(pixels), *size, 4 * size[0], ARGB).copy()


def pixels_of(image: QtGui.QImage, size: tuple[int, int]) -> Any:
    """An image, scaled to a size, as plain pixels."""
    if (image.width(), image.height()) != size:
        image = scaled(image, size)
    image = image.convertToFormat(ARGB)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    return QtCore.QByteArray(bytes(bits))


def scaled(image: QtGui.QImage, size: tuple[int, int]) -> QtGui.QImage:
    """An image at another size; its proportions are the caller's."""
    smooth = Qt.TransformationMode.SmoothTransformation
    return image.scaled(*size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)


def inside(image: QtGui.QImage, other: QtGui.QImage) -> QtGui.QImage:
    """An image, no more opaque than another that lies over all of it."""
    out = image.convertToFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    painter = QtGui.QPainter(out)
    painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_DestinationIn)
    painter.drawImage(out.rect(), other)
    painter.end()
    return out


def only(image: QtGui.QImage, box: QtCore.QRect) -> QtGui.QImage:
    """An image with nothing outside a box."""
    out = QtGui.QImage(image.size(), ARGB)
    out.fill(0)
    painter = QtGui.QPainter(out)
    painter.drawImage(box, image, box)
    painter.end()
    return out


def changed(before: QtGui.QImage, after: QtGui.QImage) -> QtCore.QRect:
    """The smallest box with all pixels in which two images of one size differ; else all."""
    turned = QtGui.QTransform().rotate(90)  # columns become rows, the first the first
    top, bottom = _rows(before, after)
    left, right = _rows(before.transformed(turned), after.transformed(turned))
    return QtCore.QRect(QtCore.QPoint(left, top), QtCore.QPoint(right, bottom))


def _rows(before: QtGui.QImage, after: QtGui.QImage) -> tuple[int, int]:
    """The first and the last row that differ, or that there is if none does."""
    old, new = (bytes(pixels_of(one, (one.width(), one.height()))) for one in (before, after))
    wide, last = 4 * before.width(), before.height() - 1
    parts = ((y, slice(y * wide, (y + 1) * wide)) for y in range(last + 1))
    found = [y for y, row in parts if old[row] != new[row]] or [0, last]
    return found[0], found[-1]


def converted(pixels: Any, size: tuple[int, int], have: Space, want: Space) -> Any:
    """Pixels in another colour space.

    Raises:
        LimnerError: if Krita can't.
    """
    if have == want or {have, want} <= _PLAIN_TOO:
        return pixels
    with _unseen(size, have) as document:
        node = _with_pixels(document, pixels, size)
        is_done = document.setColorSpace(*want)
        document.waitForDone()
        if not is_done or space_of(node) != want:
            raise _refusal(have if want == PLAIN else want)
        return node.pixelData(0, 0, *size)


def plain_layer(document: Any, name: str) -> Any:
    """A new paint layer in plain colours, whatever the document's are; not in the tree yet."""
    if space_of(document) in _PLAIN_TOO:
        return document.createNode(name, "paintlayer")
    with _unseen((1, 1), PLAIN) as other:
        return other.createNode(name, "paintlayer").clone()


@contextmanager
def _unseen(size: tuple[int, int], space: Space) -> Iterator[Any]:
    document = Krita.instance().createDocument(*size, "Limner", *space, _PPI)
    if document is None or space_of(document) != space:
        raise _refusal(space)
    try:
        yield document
    finally:
        document.setModified(False)
        document.close()


def _with_pixels(document: Any, pixels: Any, size: tuple[int, int]) -> Any:
    """A layer of the document that has them, and nothing else beside it."""
    for node in owned(document.topLevelNodes()):
        node.remove()
    node = document.createNode("pixels", "paintlayer")
    node.setPixelData(pixels, 0, 0, *size)
    document.rootNode().addChildNode(node, None)
    return node


def _refusal(space: Space) -> LimnerError:
    return LimnerError(
        ErrorCode.BAD_INPUT,
        _("Krita can't convert the colours of this document ({space}).", space=" ".join(space)),
        _("Image > Convert Image Color Space… to RGB, 8 bits, and try again."),
    )
