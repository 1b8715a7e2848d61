"""What the tests in Blender begin with: an empty scene, a camera, paper, strokes from an SVG."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy

from limner_front.svg_strokes import strokes_of
from limner_wire.strokes import Strokes

PACKAGE = "limner_blender"


def room(name: str) -> Any:
    """A module of the extension, without the extension enabled."""
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE)
        folders = (Path(folder) / PACKAGE for folder in sys.path)
        package.__path__ = [str(next(f for f in folders if f.is_dir()))]
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.{name}")


def empty() -> Any:
    """A scene with nothing in it, on white."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("paper")
    scene.world.color = (1, 1, 1)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.background_type = "WORLD"
    scene.view_settings.view_transform = "Standard"
    scene.render.dither_intensity = 0  # white is 255
    return scene


def camera(scene: Any, **of: Any) -> Any:
    """A camera somewhere, turned; its data's properties are given, and the pictures' size."""
    made = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(made)
    scene.camera = made
    made.location, made.rotation_euler = (3, -4, 2), of.pop("turned", (1.1, 0.1, 0.6))
    scene.render.resolution_x, scene.render.resolution_y = of.pop("pixels")
    for name, value in of.items():
        setattr(made.data, name, value)
    bpy.context.view_layer.update()
    return made


def strokes(path: str) -> Strokes:
    """The strokes of an SVG."""
    found = strokes_of(Path(path).read_bytes())
    assert found is not None, path
    return found


def rendered(scene: Any, path: str) -> str:
    """What the scene's camera sees, as a PNG."""
    scene.render.filepath = path
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)
    return path
