"""White paper under a drawing: strokes are drawn for it, and look wrong on Blender's grey.

A layer of its own below the strokes', so that the artist can hide it, colour it, or take it away.
It is one straight stroke as wide as the canvas is high, with flat ends: Blender 4.5 drops a filled
rectangle of which a corner is out of sight.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LAYER = "Paper"
WHITE = (1.0, 1.0, 1.0, 1.0)
FLAT = 1  # a cap

Eye = tuple[float, float, float]


def lay(data: Any, frame: int, size: tuple[int, int], z: float, eye: Eye | None) -> None:
    """Lay paper into a Grease Pencil that has a material and no layer yet.

    Args:
        frame: of its keyframe.
        size: (width, height) of the canvas in pixels.
        z: how far behind the canvas, in its pixels.
        eye: from where it should cover just the canvas all the same; None for one far away.
    """
    layer = data.layers.new(LAYER)
    layer.use_lights = False
    drawing = layer.frames.new(frame).drawing
    drawing.add_strokes([2])
    wide, high = size
    ends = np.array([(0, high / 2, z), (wide, high / 2, z)], np.float32)
    grown = 1.0
    if eye is not None:
        grown = (z - eye[2]) / -eye[2]
        at = np.array((*eye[:2], 0), np.float32)
        ends[:, :2] = at[:2] + (ends[:, :2] - at[:2]) * grown
    drawing.attributes["position"].data.foreach_set("vector", ends.ravel())
    for name, kind, domain, value in (
        ("radius", "FLOAT", "POINT", high / 2 * grown),
        ("opacity", "FLOAT", "POINT", 1.0),
        ("start_cap", "INT8", "CURVE", FLAT),
        ("end_cap", "INT8", "CURVE", FLAT),
    ):
        for entry in _attribute(drawing, name, kind, domain):
            entry.value = value
    for entry in _attribute(drawing, "vertex_color", "FLOAT_COLOR", "POINT"):
        entry.color = WHITE
    drawing.tag_positions_changed()


def _attribute(drawing: Any, name: str, kind: str, domain: str) -> Any:
    found = drawing.attributes.get(name)
    return (drawing.attributes.new(name, kind, domain) if found is None else found).data
