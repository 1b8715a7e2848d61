"""Stands in for the module `document`: a document of 400 x 300 px that remembers what is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from PyQt5 import QtGui

from limner_wire.errors import LimnerError

PNG = b"\x89PNG\r\n\x1a\n of the canvas "


class Source(Enum):
    NOTHING = "nothing"
    PROJECTION = "projection"
    LAYER = "layer"
    STROKES = "strokes"


class Layer(NamedTuple):
    id: str
    name: str


@dataclass(frozen=True)
class Snapshot:
    document: str
    bounds: tuple[int, int, int, int]
    canvas: tuple[int, int]
    inputs: dict[str, tuple[bytes, str]]
    background: QtGui.QImage | None


@dataclass
class Paper:
    """The document of one test.

    Attributes:
        done: what was done to it: (what, arguments).
        wrong: why nothing can be drawn, or nothing applied.
    """

    wrong: str = ""
    refusal: LimnerError | None = None
    has_selection: bool = False
    about: dict[str, Any] | None = None
    done: list[tuple[str, Any]] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)
    previews: list[Any] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    Source = Source
    Layer = Layer

    def problem(self) -> str:
        return self.wrong

    def paint_layers(self) -> list[Layer]:
        return self.layers

    def take_snapshot(
        self, over: Any, init: Any, longest_px: int, extra: dict[str, Any] | None = None
    ) -> Snapshot:
        if self.refusal is not None:
            raise self.refusal
        self.done.append(("snapshot", (over, init, longest_px, extra)))
        roles = {"over": over, "init": init, **(extra or {})}
        inputs = {
            r: (PNG + r.encode(), "image/png") for r, s in roles.items() if s is not Source.NOTHING
        }
        if self.has_selection:
            inputs["mask"] = (PNG + b"mask", "image/png")
        return Snapshot("doc", (0, 0, 400, 300), (64, 48), inputs, None)

    def apply_strokes(self, snapshot: Snapshot, svg: bytes, name: str, about: Any) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.done.append(("strokes", (svg, name, about)))

    def apply_raster(self, snapshot: Snapshot, png: bytes, name: str, about: Any) -> None:
        self.done.append(("raster", (png, name, about)))

    def remember(self, snapshot: Snapshot, about: dict[str, Any]) -> None:
        self.memory.append(about)

    def remembered(self) -> list[dict[str, Any]]:
        return list(self.memory)

    def settings_of_active_layer(self) -> dict[str, Any] | None:
        return self.about

    def PreviewLayer(self, snapshot: Snapshot) -> Any:
        layer = PreviewLayer()
        self.previews.append(layer)
        return layer

    def of(self, what: str) -> list[Any]:
        return [arguments for name, arguments in self.done if name == what]


class PreviewLayer:
    def __init__(self) -> None:
        self.images: list[QtGui.QImage] = []
        self.is_there = True

    def show(self, image: QtGui.QImage) -> None:
        self.images.append(image)

    def remove(self) -> None:
        self.is_there = False
