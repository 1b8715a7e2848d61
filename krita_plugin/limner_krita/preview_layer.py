"""The drawing on a locked layer of the document, while it forms.

Krita writes every new layer into the undo history. When the layer goes, its entry is taken back if
nothing was done since; else Krita keeps both, the coming and the going.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from krita import Krita
from limner_front.i18n import _
from limner_krita import apply, colour, opened, turns
from limner_krita.qt import QtGui

_shown: set[str] = set()  # ids of all preview layers


class PreviewLayer:
    """One locked layer above the active one.

    Args:
        snapshot: of the document, and where on it.

    Raises:
        LimnerError: if the document was closed.
    """

    def __init__(self, snapshot: Any) -> None:
        self._snapshot, self._document = snapshot, snapshot.document
        document = opened.find_document(snapshot.document)
        layer = colour.plain_layer(document, _("Limner draws…"))
        layer.setLocked(True)
        self._layer = opened.layer_id(layer)
        self._come_to: tuple[str, frozenset[str]] | None = None  # `_look` when the layer has come
        _shown.add(self._layer)
        place = apply.Place(document)
        place.put(layer)
        turns.begin(self._document, self._come(place, layer))

    def show(self, image: QtGui.QImage) -> None:
        """Show a picture where the drawing will be.

        Raises:
            LimnerError: if the document was closed.
        """
        document = opened.find_document(self._document)
        layer = opened.find_layer(document, self._layer)
        if layer is None:
            return  # the artist has taken it away
        bounds, edited = self._snapshot.bounds, self._snapshot.edited
        if edited is not None:
            image = colour.inside(image, edited)
        image = self._where_selected(colour.scaled(image, bounds[2:]))
        layer.setPixelData(colour.pixels_of(image, bounds[2:]), *bounds)
        document.refreshProjection()

    def remove(self) -> None:
        """Take the layer away, if it is still there. It is gone a little later.

        Raises:
            LimnerError: if the document was closed.
        """
        document = opened.find_document(self._document)
        if self._layer in _shown:
            _shown.discard(self._layer)
            turns.begin(self._document, self._go(document))

    def _where_selected(self, image: QtGui.QImage) -> QtGui.QImage:
        selected, size = self._snapshot.selected, self._snapshot.bounds[2:]
        if not selected:
            return image
        alpha = QtGui.QImage.Format.Format_Alpha8
        return colour.inside(image, QtGui.QImage(selected, *size, size[0], alpha))

    def _come(self, place: apply.Place, layer: Any) -> turns.Work:
        yield from place.go_back(layer)
        self._come_to = _look(opened.find_document(self._document))

    def _go(self, document: Any) -> turns.Work:
        yield lambda: self._come_to is not None  # Krita must have heard of its coming
        is_newest = self._come_to == _look(document) and apply.is_in_front(document)
        if is_newest and not self._is_gone(document):
            apply.undo()
            is_gone = yield lambda: self._is_gone(document)
            if not is_gone:
                apply.redo()  # it was something else
                yield turns.idle
        layer = opened.find_layer(document, self._layer)
        if layer is not None:
            layer.setLocked(False)
            layer.remove()
        document.refreshProjection()

    def _is_gone(self, document: Any) -> bool:
        return opened.find_layer(document, self._layer) is None


def is_preview(layer: str) -> bool:
    """Whether the layer of that id is one of these."""
    return layer in _shown


@contextmanager
def hidden_previews(document: Any) -> Iterator[None]:
    """No preview is seen meanwhile: what is drawn over is the artist's picture alone."""
    found = (opened.find_layer(document, layer) for layer in _shown)
    layers = [layer for layer in found if layer is not None and layer.visible()]
    _set_visible(document, layers, False)
    try:
        yield
    finally:
        _set_visible(document, layers, True)


def _set_visible(document: Any, layers: list[Any], is_visible: bool) -> None:
    for layer in layers:
        layer.setVisible(is_visible)
    if layers:
        document.refreshProjection()


def _look(document: Any) -> tuple[str, frozenset[str]]:
    """What undo would take back, by name, and which layers there are: as before, if nothing but
    the preview came."""
    return str(Krita.instance().action("edit_undo").text()), opened.layer_ids(document)
