"""A transparency mask from the selection that a drawing was begun with.

Krita 5.2 can make one. Before, `createNode` gives a mask without pixels, and the menu's action
takes whatever layer and selection the artist is on: so a mask is taken from a tiny document that
is written here and opened unseen, once; its copies can be painted and put anywhere.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from krita import Krita, Selection
from limner_front.i18n import _
from limner_krita.opened import owned
from limner_krita.qt import QtCore
from limner_wire.errors import ErrorCode, LimnerError

_MAIN = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE DOC>
<DOC xmlns="http://www.calligra.org/DTD/krita" editor="Krita" syntaxVersion="2.0">
 <IMAGE mime="application/x-kra" name="mask" width="1" height="1" x-res="72" y-res="72"
   colorspacename="RGBA" profile="sRGB-elle-V2-srgbtrc.icc"><layers>
  <layer nodetype="grouplayer" name="group" filename="layer1" visible="1" opacity="255"
    compositeop="normal" uuid="{b1b00743-3061-46c9-b8e1-dc48de31e0b7}"><masks>
   <mask nodetype="transparencymask" name="mask" filename="mask2" visible="1" x="0" y="0"
     uuid="{bf0ec8d3-bcba-4c08-ad10-e7b764e0e547}"/>
  </masks></layer>
 </layers></IMAGE>
</DOC>
"""
_NO_PIXELS = "VERSION 2\nTILEWIDTH 64\nTILEHEIGHT 64\nPIXELSIZE 1\nDATA 0\n"
_FILES = {
    "mimetype": b"application/x-krita",
    "maindoc.xml": _MAIN.encode("utf-8"),
    "mask/layers/mask2.pixelselection": _NO_PIXELS.encode("ascii"),
    "mask/layers/mask2.pixelselection.defaultpixel": b"\0",
}

PREPARE_MS = 500  # when the artist has seen that the drawing begins

_template: Any = None


def transparency_mask(
    document: Any, bounds: tuple[int, int, int, int], selected: bytes
) -> tuple[Any, Any]:
    """A mask for a layer of the document, and what is to be done once the layer has it.

    Args:
        selected: within bounds (x, y, width, height), a byte a pixel, 255 where the layer shows.

    Raises:
        LimnerError: if this Krita can't.
    """
    pixels, name = QtCore.QByteArray(selected), _("Selection")
    if hasattr(document, "createTransparencyMask"):
        mask, selection = document.createTransparencyMask(name), Selection()
        selection.setPixelData(pixels, *bounds)
        mask.setSelection(selection)
        return mask, lambda: None
    mask = _blank().clone()
    mask.setName(name)
    return mask, lambda: mask.setPixelData(pixels, *bounds)


def prepare() -> None:
    """Get ready now, so that the first mask is quick."""
    QtCore.QTimer.singleShot(PREPARE_MS, _blank)


def _blank() -> Any:
    """A mask that shows nothing, of no document that is still open."""
    global _template
    if _template is None:
        with tempfile.TemporaryDirectory(prefix="limner-") as folder:
            path = Path(folder) / "mask.kra"
            with zipfile.ZipFile(path, "w") as file:
                for name, data in _FILES.items():
                    file.writestr(name, data)
            _template = _mask_in(path)
    return _template


def _mask_in(path: Path) -> Any:
    krita = Krita.instance()
    before = krita.batchmode()
    krita.setBatchmode(True)  # no dialog
    try:
        document = krita.openDocument(str(path))
    finally:
        krita.setBatchmode(before)
    if document is None or not document.topLevelNodes():
        raise LimnerError(
            ErrorCode.INTERNAL,
            _("This Krita makes no transparency mask."),
            _("Deselect and draw again, or use Krita 5.2 or newer."),
        )
    (group,) = owned(document.topLevelNodes())
    (mask,) = owned(group.childNodes())
    copy = mask.clone()
    document.setModified(False)
    document.close()
    return copy
