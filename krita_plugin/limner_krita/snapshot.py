"""What of a document a drawing needs, frozen when the drawing begins.

The region is the selection's box, or the whole canvas. Pictures of the region are sent at the size
that is drawn at, so that the backend need not cut or scale them. A picture whose look alone is
wanted is all that there is on its layer, wherever the drawing goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from krita import Krita
from limner_front import words
from limner_front.i18n import _
from limner_krita import colour, masks, opened
from limner_krita.preview_layer import hidden_previews, is_preview
from limner_krita.qt import QtCore, QtGui
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import CANVAS_MAX_PX, CANVAS_MIN_PX

Bounds = tuple[int, int, int, int]  # x, y, width, height in pixels of the document
Size = tuple[int, int]
Input = tuple[bytes, str]  # the bytes and their kind

PNG, SVG = "image/png", "image/svg+xml"
PICTURE, OVER, INIT, MASK = "picture", "over", "init", "mask"  # roles
ON_CANVAS = (PICTURE, OVER, INIT)  # roles whose picture lies on the canvas, pixel by pixel
PAINTED = "paintlayer"  # a layer's type
FULL = 255  # of a mask
_ROOT = re.compile(r"<svg\b[^>]*>")
_BEFORE_ROOT = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_SIZE = re.compile(r"\s(?:width|height|viewBox)=\"[^\"]*\"")
_PT = 72.0  # in an inch


class Source(Enum):
    """Where in the document an input comes from."""

    NOTHING = "nothing"
    PROJECTION = "projection"  # all that is seen
    LAYER = "layer"  # the active layer alone
    STROKES = "strokes"  # the active vector layer, as strokes


class Layer(NamedTuple):
    """A paint layer as a source.

    Attributes:
        id: stays, whatever the layer is called.
        name: as the artist knows it.
    """

    id: str
    name: str


@dataclass(frozen=True)
class Snapshot:
    """What of a document a drawing needs, and where it belongs.

    Attributes:
        document: the id of the document (`opened.find_document`).
        bounds: x, y, width, height in pixels: where the drawing goes.
        canvas: the size that is drawn at.
        inputs: role -> (bytes, mime).
        background: to be shown under the drawing while it forms.
        selected: the selection within the bounds, a byte a pixel; empty if there is none.
        edited: what of the document is edited, if it is; what comes of it is as transparent.
    """

    document: str
    bounds: Bounds
    canvas: Size
    inputs: dict[str, Input]
    background: QtGui.QImage | None = None
    selected: bytes = field(default=b"", repr=False)
    edited: QtGui.QImage | None = None


def paint_layers() -> list[Layer]:
    """Of the document in front, the uppermost first, in groups too; none without a document."""
    document = Krita.instance().activeDocument()
    nodes = [] if document is None else [n for n in opened.layers(document) if n.type() == PAINTED]
    found = (Layer(opened.layer_id(node), str(node.name())) for node in reversed(nodes))
    return [layer for layer in found if not is_preview(layer.id)]


def take_snapshot(
    over: Source | Layer,
    init: Source | Layer,
    longest_px: int,
    extra: Mapping[str, Source | Layer] | None = None,
) -> Snapshot:
    """What a drawing needs of the document in front, as it is now.

    Args:
        over: what is drawn over.
        init: what is begun from.
        longest_px: of the longer side of what is drawn at.
        extra: role -> source, of a method's other inputs.

    Raises:
        LimnerError: in words, if there is no document, or no such layer.
    """
    document = opened.active_document()
    document.waitForDone()
    bounds, selected = _region(document, longest_px)
    canvas = canvas_of(bounds[2:], longest_px)
    inputs: dict[str, Input] = {}
    background = edited = None
    with hidden_previews(document):
        for role, source in {OVER: over, INIT: init, **(extra or {})}.items():
            if source is Source.STROKES:
                inputs[role] = _strokes(document, bounds, canvas), SVG
            elif source is not Source.NOTHING:
                picture = _picture(document, role, source, bounds, longest_px)
                inputs[role] = _png(picture), PNG
                background = picture if role in (OVER, PICTURE) else background
                edited = picture if role == PICTURE else edited
    if selected and selected.count(FULL) < len(selected):
        inputs[MASK] = _png(_mask(selected, bounds[2:], canvas)), PNG
    if selected:
        masks.prepare()
    return Snapshot(opened.id_of(document), bounds, canvas, inputs, background, selected, edited)


def canvas_of(size: Size, longest_px: int) -> Size:
    """A size with those proportions whose longer side is so long, within what can be drawn at."""
    longest = min(max(longest_px, CANVAS_MIN_PX), CANVAS_MAX_PX)
    scale = longest / max(size)
    wide, high = (max(round(side * scale), CANVAS_MIN_PX) for side in size)
    return wide, high


def _region(document: Any, longest_px: int) -> tuple[Bounds, bytes]:
    """Where to draw, and the selection there."""
    whole = (0, 0, document.width(), document.height())
    selection = document.selection()
    if selection is None:
        return whole, b""
    box = (selection.x(), selection.y(), selection.width(), selection.height())
    bounds = within(box, whole, longest_px)
    if bounds is None:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            _("The selection is empty, or outside the canvas."),
            _("Select where to draw, or nothing."),
        )
    selected = bytes(selection.pixelData(*bounds))
    is_all = bounds == whole and selected.count(FULL) == len(selected)
    return bounds, b"" if is_all else selected


def within(box: Bounds, whole: Bounds, longest_px: int) -> Bounds | None:
    """The part of a box on the canvas; None if there is none.

    Widened where it is too thin to be drawn at its proportions: the selection still says which
    pixels of it count.
    """
    left, top = max(box[0], 0), max(box[1], 0)
    wide = min(box[0] + box[2], whole[2]) - left
    high = min(box[1] + box[3], whole[3]) - top
    if wide < 1 or high < 1:
        return None
    least = -(-max(wide, high) * CANVAS_MIN_PX // max(longest_px, CANVAS_MIN_PX))
    left, wide = _widened(left, wide, least, whole[2])
    top, high = _widened(top, high, least, whole[3])
    return left, top, wide, high


def _widened(begin: int, length: int, least: int, end: int) -> tuple[int, int]:
    wanted = min(max(length, least), end)
    begin -= (wanted - length) // 2
    return min(max(begin, 0), end - wanted), wanted


# --- what is sent ----------------------------------------------------------------------------


def _picture(
    document: Any, role: str, source: Source | Layer, region: Bounds, longest_px: int
) -> QtGui.QImage:
    """The region of the canvas or of a layer; all of it, for a role that is not on the canvas."""
    whole = (0, 0, document.width(), document.height())
    if source is Source.PROJECTION:
        bounds = region if role in ON_CANVAS else whole
        image = document.projection(*bounds)  # Krita makes it sRGB, whatever the document is
    else:
        layer = _named(document, source, role) if isinstance(source, Layer) else _layer(document)
        if role == PICTURE:
            _painted(layer, region)  # nothing can't be edited
        bounds = region if role in ON_CANVAS else _painted(layer, whole)
        image = colour.picture_of(layer, bounds)
    return colour.scaled(image.convertToFormat(colour.ARGB), canvas_of(bounds[2:], longest_px))


def _painted(layer: Any, region: Bounds) -> Bounds:
    """Where in a region a layer has pixels."""
    box = layer.bounds().intersected(QtCore.QRect(*region))
    if box.isEmpty():
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            _("There is nothing on the layer “{name}”.", name=layer.name()),
            _("Paint on it first, or choose another."),
        )
    return box.x(), box.y(), box.width(), box.height()


def _named(document: Any, wanted: Layer, role: str) -> Any:
    layer = opened.find_layer(document, wanted.id)
    if layer is None:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            _("There is no layer “{name}” in this document any more.", name=wanted.name),
            _("Choose another for “{role}”.", role=words.role(role)),
        )
    return layer


def _layer(document: Any) -> Any:
    layer = opened.active_layer(document)
    if layer is None:
        raise LimnerError(
            ErrorCode.BAD_INPUT, _("No layer is chosen."), _("Choose one in the Layers docker.")
        )
    return layer


def _strokes(document: Any, bounds: Bounds, canvas: Size) -> bytes:
    """The active vector layer as an SVG of the region."""
    layer = _layer(document)
    if layer.type() != "vectorlayer" or not opened.owned(layer.shapes()):
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            _("“{name}” is no vector layer with strokes to begin from.", name=layer.name()),
            _("Choose one in the Layers docker, or begin from something else."),
        )
    return cropped(layer.toSvg(), bounds, canvas, document.xRes()).encode("utf-8")


def cropped(svg: str, bounds: Bounds, canvas: Size, ppi: float) -> str:
    """Krita's SVG of a whole layer, in points, as one of a region, in pixels of the canvas.

    Its document type goes: no SVG of a stranger's is read with one.
    """
    box = " ".join(f"{side * _PT / ppi:.6f}" for side in bounds)
    size = f' width="{canvas[0]}" height="{canvas[1]}" viewBox="{box}" preserveAspectRatio="none"'
    svg = _BEFORE_ROOT.sub("", svg, count=1)
    return _ROOT.sub(lambda root: _SIZE.sub("", root[0])[:-1] + size + ">", svg, count=1)


def _mask(selected: bytes, size: Size, canvas: Size) -> QtGui.QImage:
    grey = QtGui.QImage.Format.Format_Grayscale8
    image = QtGui.QImage(selected, *size, size[0], grey).copy()
    return colour.scaled(image, canvas).convertToFormat(grey)


def _png(image: QtGui.QImage) -> bytes:
    data = QtCore.QByteArray()
    buffer = QtCore.QBuffer(data)
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data)
