"""How long frames take in this Blender: medians, without its drawing them on the screen.

.venv/blender-5.0/bin/python tests/blender/inside/bench.py
blender --background --python tests/blender/inside/bench.py
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "shared"), str(ROOT / "blender_addon")]

import bpy  # noqa: E402
import numpy as np  # noqa: E402
import scenes  # noqa: E402
from mathutils import Matrix  # noqa: E402

from limner_wire.strokes import Stroke, Strokes  # noqa: E402

curves, grease_pencil = scenes.room("curves"), scenes.room("grease_pencil")
images, strokes = scenes.room("images"), scenes.room("strokes")

COUNT, SEGMENTS, REPEATS = 256, 3, 100


def frames(count: int) -> list[Strokes]:
    """Drawings of `COUNT` strokes that move a little from each to the next."""
    rng = random.Random(0)
    begun = [
        [(rng.uniform(0, 512), rng.uniform(0, 512))] * (3 * SEGMENTS + 1) for _ in range(COUNT)
    ]
    return [
        Strokes.of((_stroke(rng, points) for points in begun), (512, 512)) for _ in range(count)
    ]


def _stroke(rng: random.Random, points: list[tuple[float, float]]) -> Stroke:
    moved = [(x + rng.uniform(-30, 30), y + rng.uniform(-30, 30)) for x, y in points]
    red, green, blue, alpha = (rng.randrange(256) for _ in range(4))
    return Stroke(moved, rng.uniform(1, 8), (red, green, blue, alpha))


def told(what: str, work: Callable[[int], object], repeats: int = REPEATS) -> None:
    """Print the median."""
    spent = []
    for turn in range(repeats):
        begun = time.perf_counter()
        work(turn)
        spent.append(1e3 * (time.perf_counter() - begun))
    print(f"  {what:58} {sorted(spent)[repeats // 2]:8.3f} ms")


def main() -> None:
    """Print them all."""
    print(f"Blender {bpy.app.version_string}, {COUNT} strokes of {SEGMENTS} segments:")
    scene = scenes.empty()
    name = grease_pencil.create(scene, "bench", Matrix(), {"canvas": [512, 512]})
    given = frames(8)
    made = [strokes.curves(one) for one in given]
    told("curves(): a received frame to arrays", lambda n: strokes.curves(given[n % 8]))
    told("spread() by order", lambda n: strokes.spread(made[n % 8], "ORDER", 50, (0, 0, -700)))
    told(
        "write(): arrays into the drawing, tagged", lambda n: grease_pencil.write(name, made[n % 8])
    )
    told("  and Blender's evaluation of it", lambda n: _evaluated(name, made[n % 8]))
    told("keyframe()", lambda n: grease_pencil.keyframe(name, made[n % 8], n))
    told("read()", lambda n: grease_pencil.read(name))
    told("to_curves(), with a material for each colour", lambda n: curves.to_curves(name), 3)
    for side in (512, 2048):
        _pictures(side)


def _evaluated(name: str, made: object) -> None:
    grease_pencil.write(name, made)
    bpy.context.view_layer.update()


def _pictures(side: int) -> None:
    y, x = np.mgrid[:side, :side]
    wave = 127 + 127 * np.sin(x / 20) * np.cos(y / 33)
    levels = np.stack([x * 255 / side, y * 255 / side, wave], -1).astype(np.uint8)
    data = images.encoded(levels)
    image = images.show("bench", data, images.PNG)
    told(f"show(): a PNG of {side}² into its image, decoded", lambda n: _shown(data), 9)
    told(f"picture_bytes() of {side}²", lambda n: images.picture_bytes(image), 9)
    told(f"picture_bytes() of {side}² for a canvas of 256²",
         lambda n: images.picture_bytes(image, (256, 256)), 9)  # fmt: skip
    bpy.data.images.remove(image)


def _shown(data: bytes) -> int:
    return int(images.show("bench", data, images.PNG).size[0])


main()
sys.stdout.flush()
os._exit(0)
