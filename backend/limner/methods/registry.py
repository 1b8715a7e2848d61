"""All methods by name. A new one is a file and a line here; every front end then has its form."""

from __future__ import annotations

from typing import Any

from limner.methods.base import Method
from limner.methods.clipdraw import ClipDraw
from limner.methods.clipdraw3d import ClipDraw3D
from limner.methods.styleclipdraw import StyleClipDraw
from limner.methods.trace import Trace

METHODS: dict[str, Method[Any, Any]] = {
    m.name: m for m in (ClipDraw(), StyleClipDraw(), ClipDraw3D(), Trace())
}
