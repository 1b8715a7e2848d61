"""What the plugin needs of Krita's document: what is read before a drawing, and what is put back.

This module and those that it names (`opened`, `colour`, `snapshot`, `apply`, `masks`,
`preview_layer`) are the only ones that touch Krita's API. All of it is for the main thread.
"""

from __future__ import annotations

from limner_krita.apply import apply_raster, apply_strokes
from limner_krita.opened import problem, remember, remembered, settings_of_active_layer
from limner_krita.preview_layer import PreviewLayer
from limner_krita.snapshot import Layer, Snapshot, Source, paint_layers, take_snapshot

__all__ = [
    "Layer",
    "PreviewLayer",
    "Snapshot",
    "Source",
    "apply_raster",
    "apply_strokes",
    "paint_layers",
    "problem",
    "remember",
    "remembered",
    "settings_of_active_layer",
    "take_snapshot",
]
