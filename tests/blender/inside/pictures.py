"""Images and renders as pictures to send, and pictures that come."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import scenes
from mathutils import Matrix

from limner_wire.errors import LimnerError

canvas, drawings = scenes.room("canvas"), scenes.room("drawings")
grease_pencil, images = scenes.room("grease_pencil"), scenes.room("images")
strokes, plane = scenes.room("strokes"), scenes.room("plane")


def _text(found: tuple[bytes, str]) -> list[str]:
    return [base64.b64encode(found[0]).decode(), found[1]]


def _image(values: list[Any], *, is_float: bool = False, is_data: bool = False) -> Any:
    """An image of (H, W, 4) values, top row first."""
    array = np.array(values, np.float32)
    high, wide = array.shape[:2]
    made = bpy.data.images.new("made", wide, high, alpha=True, float_buffer=is_float)
    made.colorspace_settings.is_data = is_data
    made.pixels.foreach_set(np.ascontiguousarray(array[::-1]).ravel())
    return made


def sent(values: list[Any], sizes: list[Any], **kind: bool) -> list[list[str]]:
    """An image as the picture to send, for each size."""
    scenes.empty()
    image = _image(values, **kind)
    return [_text(images.picture_bytes(image, size and tuple(size))) for size in sizes]


def refused(folder: str) -> list[str]:
    """What can't be read, in words: a missing file, a file that is no picture."""
    scenes.empty()
    (Path(folder) / "gone.png").write_bytes(images.encoded(np.zeros((4, 4, 3), np.uint8)))
    gone = bpy.data.images.load(str(Path(folder) / "gone.png"))
    (Path(folder) / "gone.png").unlink()
    gone.reload()
    (Path(folder) / "words.png").write_text("no picture")
    acts = (
        (images.picture_bytes, gone),
        (canvas.file_picture, str(Path(folder) / "words.png")),
        (canvas.file_picture, str(Path(folder) / "never.png")),
        (images.show, "x", b"no picture", "image/png"),
    )
    return [_words(*act) for act in acts]


def _words(act: Any, *given: Any) -> str:
    try:
        act(*given)
    except LimnerError as why:
        return str(why)
    return ""


def shown(first: str, second: str, folder: str) -> dict[str, Any]:
    """Pictures that come one after the other, saved with the file and loaded again."""
    scenes.empty()
    own = bpy.data.images.new("a kite", 8, 8)  # the artist's
    told: dict[str, Any] = {"pixels": []}
    name = "a kite"
    for path in (first, second):
        image = images.show(name, Path(path).read_bytes(), "image/png")
        name = image.name
        told["pixels"].append(_pixels(image))
    told["names"], told["own"] = [own.name, name], list(own.size)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(Path(folder) / "saved.blend"))
    told["loaded"] = _pixels(bpy.data.images[name])
    return told


def _pixels(image: Any) -> list[Any]:
    """(H, W, 4) top row first, 0 to 255."""
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    levels = np.rint(flat * 255).reshape(image.size[1], image.size[0], image.channels)
    return levels[::-1].astype(int).tolist()


def files(paths: list[str]) -> list[list[str]]:
    """Files as pictures to send."""
    scenes.empty()
    found = [_text(canvas.file_picture(path)) for path in paths]
    assert not bpy.data.images, "nothing stays in the file"
    return found


def odd(folder: str, names: list[str]) -> list[Any]:
    """Odd files as style pictures: what is sent, or why nothing is."""
    scenes.empty()
    out: list[Any] = []
    for name in names:
        try:
            out.append(_text(canvas.file_picture(f"{folder}/{name}", takes_strokes=False)))
        except LimnerError as why:
            out.append(str(why))
    assert not bpy.data.images, "nothing stays in the file"
    return out


def seen(size: list[int], pixels: list[int]) -> dict[str, Any]:
    """What a camera sees of a canvas: a red plate on its left half, a drawing that is hidden."""
    scene = scenes.empty()
    camera = scenes.camera(scene, pixels=tuple(pixels), lens=30.0)
    matrix = plane.camera_plane(scene, camera, 4.0, tuple(size))
    _plate(scene, matrix, size)
    line = strokes.control_points(_line(size), tuple(size))
    name = grease_pencil.create(scene, "live", matrix, {"canvas": size})
    grease_pencil.write(name, strokes.curves(line))
    scene.display.shading.light, scene.display.shading.color_type = "FLAT", "OBJECT"
    scene.use_nodes = bpy.app.version < (5, 0)
    before = _settings(scene)
    told = {"picture": _text(canvas.camera_picture(scene, camera, tuple(size), [name]))}
    told["with it"] = _text(canvas.camera_picture(scene, camera, tuple(size)))
    told["failed"] = _words(canvas.camera_picture, scene, None, tuple(size), [name])
    told["changed"] = {k: v for k, v in _settings(scene).items() if before[k] != v}
    told["render"] = _words(images.picture_bytes, bpy.data.images["Render Result"])
    scene.render.engine = "CYCLES"
    camera.data.type = "PANO"
    told["pano"] = _words(plane.camera_plane, scene, camera, 1.0, (4, 4))
    told["viewport"] = _words(canvas.viewport_picture, bpy.context, (4, 4))
    return told


def rendered(size: list[int]) -> dict[str, Any]:
    """A render as a picture to send, whatever the scene saves its own as; and an empty slot."""
    scene = scenes.empty()
    scenes.camera(scene, pixels=tuple(size))
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.cycles.use_denoising = False
    scene.world = bpy.data.worlds.new("red")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (1, 0, 0, 1)
    scene.view_settings.view_transform = "Standard"
    bpy.ops.render.render()
    result = next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
    scene.render.image_settings.file_format = "OPEN_EXR"
    before = _settings(scene)
    told: dict[str, Any] = {"picture": _text(canvas.image_picture(scene, result))}
    told["changed"] = {k: v for k, v in _settings(scene).items() if before[k] != v}
    result.render_slots.active_index = 1
    told["none"] = _words(canvas.image_picture, scene, result)
    return told


def on_screen() -> dict[str, Any]:
    """What the artist is at, and what Image Editors show while a picture is edited."""
    scene = scenes.empty()
    areas = bpy.context.window_manager.windows[0].screen.areas
    told = {"nothing": images.at_hand(bpy.context) is None}
    skin, own, other = (bpy.data.images.new(name, 8, 8) for name in ("skin", "own", "other"))
    _textured(scene, skin)
    told["texture"] = images.at_hand(bpy.context).name
    spaces = []
    for area, image in zip(areas, (own, None, own, other), strict=False):
        area.type = "IMAGE_EDITOR"
        spaces.append(area.spaces.active)
        spaces[-1].image = image
    spaces[2].use_image_pin = True
    told["at hand"] = images.at_hand(bpy.context).name
    name = images.create("a cat", "own")
    told["live"] = [space.image.name if space.image else "" for space in spaces]
    told["not a preview"] = images.at_hand(bpy.context).name
    images.remove_previews(["own", "gone"])
    told["theirs"] = "own" in bpy.data.images
    images.remove_previews([name])
    told["after"] = [space.image.name if space.image else "" for space in spaces]
    kept = images.create("a dog", "gone")
    images.keep(kept)
    images.remove_previews([kept])
    told["kept"] = kept in bpy.data.images
    return told


def _textured(scene: Any, image: Any) -> None:
    """An active object with a material of two textures, the second of them active."""
    material = bpy.data.materials.new("skin")
    material.use_nodes = True
    tree = material.node_tree
    for of in (bpy.data.images.new("first", 8, 8), image):
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = of
    tree.nodes.active = node
    mesh = bpy.data.meshes.new("head")
    mesh.materials.append(material)
    made = bpy.data.objects.new("head", mesh)
    scene.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made


def _plate(scene: Any, matrix: Any, size: list[int]) -> None:
    wide, high = size
    around = (-9, -9), (wide / 2, -9), (wide / 2, high + 9), (-9, high + 9)
    corners = [(matrix @ Matrix.Translation((*at, 1))).translation for at in around]
    mesh = bpy.data.meshes.new("plate")
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    made = bpy.data.objects.new("plate", mesh)
    made.color = (1, 0, 0, 1)
    scene.collection.objects.link(made)


def _line(size: list[int]) -> Any:
    """A thick black line over the right half."""
    wide, high = size
    ends = np.array([[wide * 0.75, 0, 0], [wide * 0.75, high, 0]], np.float32)
    third = (ends[1] - ends[0]) / 3
    radius = np.full(2, wide / 8, np.float32)
    colour = np.array([[0, 0, 0, 1]], np.float32)
    return strokes.Curves(np.array([2], np.int32), ends, ends - third, ends + third, radius, colour)


def _settings(scene: Any) -> dict[str, str]:
    """All that a render reads of the scene, and what is in the file."""
    told = {"scenes": str(bpy.data.scenes.keys())}
    for part in (scene.render, scene.render.image_settings, scene.eevee):
        plain = (p for p in part.bl_rna.properties if p.type not in {"POINTER", "COLLECTION"})
        told |= {p.identifier: str(getattr(part, p.identifier)) for p in plain}
    hidden = {ob.name: ob.hide_render for ob in bpy.data.objects}
    return {**told, "camera": scene.camera.name, "hidden": str(hidden)}
