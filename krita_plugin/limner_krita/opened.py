"""The documents that are open, the layers in them, and what Limner remembers in them.

Krita gives documents no id, so the one of the root layer stands for it; it lasts as long as the
document is open. A layer's own id lasts longer: it is saved. What was drawn is kept in annotations
of the document, which are saved with it, and for vector layers in the id of their group too, so
that a layer which is copied into another document still knows what made it.
"""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator
from typing import Any

from krita import Krita
from limner_front.i18n import _
from limner_krita.qt import QtCore
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import CANVAS_MIN_PX

DRAWINGS, LAYERS = "limner/drawings", "limner/layers"  # annotations
KEPT = 50  # of either, the newest
GROUP = "limner-"  # begins the id of a group of strokes
GROUP_CHARS = 16_384  # of such an id


_sip: Any = importlib.import_module(f"{QtCore.__name__.partition('.')[0]}.sip")


def problem() -> str:
    """Why nothing can be drawn now, in words; nothing if it can."""
    document = Krita.instance().activeDocument()
    if document is None:
        return _("Open a document, or make a new one.")
    if min(document.width(), document.height()) < CANVAS_MIN_PX:
        return _("The document is smaller than {n} pixels.", n=CANVAS_MIN_PX)
    return ""


def active_document() -> Any:
    """The document in front.

    Raises:
        LimnerError: if there is none, or nothing can be drawn in it.
    """
    if why := problem():
        raise LimnerError(ErrorCode.BAD_INPUT, why)
    return Krita.instance().activeDocument()


def id_of(document: Any) -> str:
    """What to find a document again by, as long as it is open."""
    return str(document.rootNode().uniqueId().toString())


def find_document(wanted: str) -> Any:
    """The open document of that id.

    Raises:
        LimnerError: if it was closed.
    """
    for document in owned(Krita.instance().documents()):
        if id_of(document) == wanted:
            return document
    raise LimnerError(
        ErrorCode.BAD_INPUT,
        _("The document that this was drawn for is closed."),
        _("Draw it again where you want it: its settings are in the list of drawings."),
    )


def owned(found: list[Any]) -> list[Any]:
    """A list that Krita gave: its wrappers are nobody's, so that without this they would leak."""
    for item in found:
        _sip.transferback(item)
    return found


def layer_id(node: Any) -> str:
    """The id of a layer; it is saved with the document."""
    return str(node.uniqueId().toString())


def find_layer(document: Any, wanted: str) -> Any:
    """The layer or mask of that id; None if it is not in the document."""
    return next((n for n in layers(document) if layer_id(n) == wanted), None)


def layer_ids(document: Any) -> frozenset[str]:
    """Of all layers and masks."""
    return frozenset(map(layer_id, layers(document)))


def layers(document: Any) -> Iterator[Any]:
    """All layers and masks, the lowest first."""
    return _below(document.rootNode())


def _below(node: Any) -> Iterator[Any]:
    for child in owned(node.childNodes()):
        yield child
        yield from _below(child)


def active_layer(document: Any) -> Any:
    """The layer that the artist is on; of a mask, the layer that it belongs to. None if on none."""
    node = document.activeNode()
    while node is not None and str(node.type()).endswith("mask"):
        node = node.parentNode()
    is_root = node is None or node.parentNode() is None
    return None if is_root else node


# --- what was drawn --------------------------------------------------------------------------


def remember(snapshot: Any, about: dict[str, Any]) -> None:
    """Keep what made a drawing in its document.

    Raises:
        LimnerError: if the document was closed.
    """
    document = find_document(snapshot.document)
    _write(document, DRAWINGS, [*_read(document, DRAWINGS), about])


def remembered() -> list[dict[str, Any]]:
    """What was drawn in the document in front, the oldest first."""
    document = Krita.instance().activeDocument()
    return [] if document is None else _read(document, DRAWINGS)


def mark_layer(document: Any, layer: Any, about: dict[str, Any]) -> None:
    """Keep what made a layer."""
    _write(document, LAYERS, [*_read(document, LAYERS), {"layer": layer_id(layer), "about": about}])


def settings_of_active_layer() -> dict[str, Any] | None:
    """What made the layer that the artist is on; None if Limner did not, or it is not known."""
    document = Krita.instance().activeDocument()
    layer = None if document is None else active_layer(document)
    if layer is None:
        return None
    if layer.type() == "vectorlayer":
        for shape in owned(layer.shapes()):
            if (about := about_of_group(shape.name())) is not None:
                return about
    marks = {mark.get("layer"): mark.get("about") for mark in _read(document, LAYERS)}
    found = marks.get(layer_id(layer))
    return found if isinstance(found, dict) else None


def group_id(about: dict[str, Any]) -> str:
    """An id for a group of strokes that says what made it: Krita keeps ids, and no metadata."""
    text = base64.urlsafe_b64encode(json.dumps(about, ensure_ascii=False).encode("utf-8"))
    name = GROUP + text.decode("ascii").rstrip("=")
    return name if len(name) <= GROUP_CHARS else GROUP + "strokes"


def about_of_group(name: str) -> dict[str, Any] | None:
    """What `group_id` was given; None for any other id."""
    if not name.startswith(GROUP):
        return None
    text = name[len(GROUP) :]
    try:
        about = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None
    return about if isinstance(about, dict) else None


def _read(document: Any, kind: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(bytes(document.annotation(kind)).decode("utf-8"))
    except (ValueError, RecursionError):
        return []
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _write(document: Any, kind: str, rows: list[dict[str, Any]]) -> None:
    text = json.dumps(rows[-KEPT:], ensure_ascii=False)
    document.setAnnotation(kind, "Limner", QtCore.QByteArray(text.encode("utf-8")))
