"""A result on the canvas: strokes as a vector layer, a picture as a paint layer.

Krita has no way to make one undo entry of several. A vector layer with strokes and a mask is
three: so it is made unseen, copied, taken back by undo, and the finished copy is put in, which is
one. Where undo can't be had (another document is in front) or does not do what it should, the
layer stays as it was made, with its entries.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from krita import Krita
from limner_front.i18n import _
from limner_krita import colour, opened, turns
from limner_krita.layer_svg import layer_svg
from limner_krita.masks import transparency_mask
from limner_krita.qt import QtGui
from limner_wire.errors import ErrorCode, LimnerError

NAME_CHARS = 80
Mask = tuple[Any, Callable[[], Any]]  # and what is to be done once a layer has it


def apply_strokes(snapshot: Any, svg: bytes, name: str, about: dict[str, Any]) -> None:
    """Put strokes on the canvas: one new vector layer above the active one, with one group.

    One entry in the undo history; the selection and the active layer stay. A drawing that was
    begun with a selection shows through it by a transparency mask. It is there when Krita's loop
    has turned a few times.

    Args:
        snapshot: where they were drawn for.
        svg: the backend's result.
        name: of the layer.
        about: what made it; the layer keeps it.

    Raises:
        LimnerError: in words, if the document was closed or the SVG has no strokes.
    """
    document = opened.find_document(snapshot.document)
    size = (document.width(), document.height())
    text = layer_svg(svg, snapshot.bounds, size, opened.group_id(about))
    layer = document.createVectorLayer(_layer_name(name))
    mask = _mask_for(document, snapshot)
    turns.begin(snapshot.document, _strokes_layer(document, layer, text, mask, about))


def apply_raster(snapshot: Any, png: bytes, name: str, about: dict[str, Any]) -> None:
    """Put a picture on the canvas: one new paint layer above the active one.

    Of a part of the document that was edited, the layer has what changed, and is no more opaque.
    One entry in the undo history, and one for the mask if it was begun with a selection.

    Raises:
        LimnerError: in words, if the document was closed or the picture can't be read.
    """
    document = opened.find_document(snapshot.document)
    image = QtGui.QImage.fromData(png)
    if image.isNull():
        raise LimnerError(ErrorCode.UNREADABLE, _("Krita can't read the picture of this drawing."))
    if snapshot.edited is not None:
        box = colour.changed(snapshot.edited, image)
        image = colour.only(colour.inside(image, snapshot.edited), box)
    size = snapshot.bounds[2:]
    layer = document.createNode(_layer_name(name), "paintlayer")
    pixels = colour.pixels_of(image, size)
    pixels = colour.converted(pixels, size, colour.PLAIN, colour.space_of(layer))
    layer.setPixelData(pixels, *snapshot.bounds)
    opened.mark_layer(document, layer, about)
    turns.begin(snapshot.document, _raster_layer(document, layer, _mask_for(document, snapshot)))


def is_in_front(document: Any) -> bool:
    """Whether undo and redo are this document's."""
    front = Krita.instance().activeDocument()
    return front is not None and opened.id_of(front) == opened.id_of(document)


def undo() -> None:
    """Take back the newest entry of the document in front, a little later; nothing if it is
    busy."""
    Krita.instance().action("edit_undo").trigger()


def redo() -> None:
    """Do again what was taken back last, a little later; nothing if it is busy."""
    Krita.instance().action("edit_redo").trigger()


class Place:
    """Where a new layer goes: above the active one; and the way back to that."""

    def __init__(self, document: Any) -> None:
        self._document = document
        node = document.activeNode()
        self._active = "" if node is None else opened.layer_id(node)
        layer = opened.active_layer(document) or _top(document)
        self._above = "" if layer is None else opened.layer_id(layer)

    def put(self, layer: Any) -> None:
        """Put a new layer in."""
        above = opened.find_layer(self._document, self._above)
        parent = self._document.rootNode() if above is None else above.parentNode()
        parent.addChildNode(layer, above)

    def is_active(self, layer: Any) -> bool:
        """Whether a layer, or its mask, is the active one: Krita makes a new one so, soon."""
        now = opened.active_layer(self._document)
        return now is not None and opened.layer_id(now) == opened.layer_id(layer)

    def go_back(self, layer: Any) -> turns.Work:
        """Make the layer active again that was so before the new one."""
        is_new_active = yield lambda: self.is_active(layer)
        before = opened.find_layer(self._document, self._active)
        if is_new_active and before is not None:
            self._document.setActiveNode(before)


def _top(document: Any) -> Any:
    layers = [n for n in opened.owned(document.topLevelNodes()) if not n.type().endswith("mask")]
    return layers[-1] if layers else None


def _mask_for(document: Any, snapshot: Any) -> Mask | None:
    if not snapshot.selected:
        return None
    return transparency_mask(document, snapshot.bounds, snapshot.selected)


def _add_mask(layer: Any, mask: Mask) -> None:
    node, finish = mask
    layer.addChildNode(node, None)
    finish()


def _raster_layer(document: Any, layer: Any, mask: Mask | None) -> turns.Work:
    place = Place(document)
    place.put(layer)
    if mask is not None:
        _add_mask(layer, mask)
    document.refreshProjection()
    yield from place.go_back(layer)


def _strokes_layer(
    document: Any, layer: Any, svg: str, mask: Mask | None, about: dict[str, Any]
) -> turns.Work:
    place = Place(document)
    layer.setVisible(not is_in_front(document))
    place.put(layer)
    yield turns.idle
    layer.addShapesFromSvg(svg)
    yield turns.idle
    undone: list[turns.Condition] = [lambda: not layer.shapes()]
    if mask is not None:
        _add_mask(layer, mask)
        undone.insert(0, lambda: not layer.childNodes())
    layer = yield from _as_one_entry(document, place, layer, undone)
    opened.mark_layer(document, layer, about)
    yield from place.go_back(layer)


def _as_one_entry(
    document: Any, place: Place, layer: Any, undone: list[turns.Condition]
) -> Generator[turns.Condition, bool, Any]:
    """Fold a layer's entries into one, if that can be; the layer that is there then.

    Args:
        layer: that was made, with all that belongs to it.
        undone: of every entry but its coming, the newest first: whether it was taken back.
    """
    yield lambda: place.is_active(layer)
    made, copy, is_folded = opened.layer_id(layer), layer.clone(), is_in_front(document)
    steps = [*undone, lambda: opened.find_layer(document, made) is None] if is_folded else []
    for done, is_undone in enumerate(steps):
        undo()
        is_folded = yield is_undone
        if not is_folded:
            for _turn in range(done + 1):  # the artist was quicker, and that was theirs
                redo()
                yield turns.idle
            break
    if not is_folded:
        layer.setVisible(True)
        document.refreshProjection()
        return layer
    copy.setVisible(True)
    place.put(copy)
    for shape in opened.owned(copy.shapes()):
        shape.update()  # the copy of a layer that Krita never painted has no pixels
    return copy


def _layer_name(name: str) -> str:
    plain = " ".join(name.split())
    return plain if len(plain) <= NAME_CHARS else plain[: NAME_CHARS - 1] + "…"
