"""Pictures that the artist gives from outside the document: files, and the clipboard."""

from __future__ import annotations

import math
from pathlib import Path

from limner_front.i18n import _
from limner_krita.qt import Qt, QtCore, QtGui, QtWidgets
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

SVG = "image/svg+xml"
TAKES_STROKES = "init"  # the role in which an SVG stays strokes; elsewhere it is a picture
STARTS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}
OPENED_AREA_PX = 8 * limits.IMAGE_AREA_PX  # half a gigabyte

Encoded = tuple[bytes, str]  # the bytes, and their MIME type


def from_file(path: Path, role: str) -> Encoded:
    """A file as the backend can read it; other kinds than it knows are made into PNG, and so is
    what is too large for it. Of a film, the first picture.

    Raises:
        LimnerError: UNREADABLE, too if it is too large to be opened.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= 8 * limits.IMAGE_BYTES else b""
    except OSError:
        data = b""
    if path.suffix.lower() == ".svg" and role == TAKES_STROKES and data:
        return data, SVG
    mime = next((mime for start, mime in STARTS.items() if data.startswith(start)), "")
    buffer = QtCore.QBuffer()
    buffer.setData(data)
    reader = QtGui.QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    reader.setAutoTransform(True)  # a camera may have been held upright
    size = reader.size()  # as its header says; no pixel was read
    fits = len(data) <= limits.IMAGE_BYTES and (not size.isValid() or _scale(size) == 1.0)
    if mime and fits:
        return data, mime
    if size.width() * size.height() > OPENED_AREA_PX:
        raise LimnerError(
            ErrorCode.UNREADABLE,
            _("{name} is too large to be opened: {wide}×{high} pixels.", name=path.name,
              wide=size.width(), high=size.height()),
            _("Scale it down first."),
        )  # fmt: skip
    return encoded(reader.read(), path.name)


def from_clipboard() -> Encoded:
    """The picture on the clipboard.

    Raises:
        LimnerError: UNREADABLE if there is none.
    """
    image = QtWidgets.QApplication.clipboard().image()
    if image.isNull():
        raise LimnerError(
            ErrorCode.UNREADABLE,
            _("There is no picture on the clipboard."),
            _("Copy one first, or choose a file."),
        )
    return encoded(image, _("the clipboard"))


def encoded(image: QtGui.QImage, name: str) -> Encoded:
    """A picture as PNG, within the backend's bounds.

    Raises:
        LimnerError: UNREADABLE if it is empty.
    """
    if image.isNull():
        raise LimnerError(
            ErrorCode.UNREADABLE,
            _("{name} can’t be read as a picture.", name=name),
            _("PNG, JPEG, WebP and SVG always can."),
        )
    scale = _scale(image.size())
    while len(data := _png(image, scale)) > limits.IMAGE_BYTES:
        scale /= 2
    return data, "image/png"


def _png(image: QtGui.QImage, scale: float) -> bytes:
    if scale < 1:
        mode = Qt.TransformationMode.SmoothTransformation
        image = image.scaledToWidth(max(1, int(image.width() * scale)), mode)
    buffer = QtCore.QBuffer()
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data())


def _scale(size: QtCore.QSize) -> float:
    wide, high = max(1, size.width()), max(1, size.height())
    by_area = math.sqrt(limits.IMAGE_AREA_PX / (wide * high))
    return min(1.0, limits.IMAGE_SIDE_PX / max(wide, high), by_area)
