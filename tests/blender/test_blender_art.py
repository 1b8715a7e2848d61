"""Drawings in Blender: what is in the data, how it is rendered, and the way back to strokes."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from limner.vector import strokes as vector
from limner.vector.rasterizer import render
from limner_blender import blending
from limner_front.svg_strokes import strokes_of, svg_of
from limner_wire.strokes import Stroke, Strokes

if TYPE_CHECKING:
    from conftest import Blender

ART = "art.py"
CANVAS = (320, 240)
TURNED = [[0.0, 0.01, 0.0, 2.0], [0.01, 0.0, 0.0, -1.0], [0.0, 0.0, -0.01, 3.0], [0, 0, 0, 1.0]]


def drawing(seed: int, *segments: int, is_opaque: bool = False) -> Strokes:
    """Random strokes of so many segments each, on and around the canvas."""
    rng = random.Random(seed)
    made = []
    for n in segments:
        points = [(rng.uniform(-20, 340), rng.uniform(-20, 260)) for _ in range(3 * n + 1)]
        red, green, blue, alpha = (rng.randrange(256) for _ in range(4))
        rgba = red, green, blue, 255 if is_opaque else alpha
        made.append(Stroke(points, rng.uniform(1, 20), rgba))
    return Strokes.of(made, CANVAS)


def saved(folder: Path, name: str, strokes: Strokes) -> Path:
    path = folder / f"{name}.svg"
    path.write_bytes(svg_of(strokes))
    return path


def test_handles_are_the_control_points(blender: Blender, tmp_path: Path) -> None:
    """As Blender's own interface to strokes tells them: within 1e-6 of the largest coordinate."""
    given = drawing(1, 1, 3, 2, 4)
    told = blender.run(ART, "points", svg=saved(tmp_path, "one", given))
    assert len(told) == len(given)
    near = 340 * 1e-6
    for (kind, points), stroke in zip(told, given, strict=True):
        left, at, right, size, colour = (np.array(part) for part in zip(*points, strict=True))
        control = np.array([(*point, 0) for point in stroke.points])
        assert kind == 2, "a Bézier"
        assert at == pytest.approx(control[0::3], abs=near)
        assert right[:-1] == pytest.approx(control[1::3], abs=near)
        assert left[1:] == pytest.approx(control[2::3], abs=near)
        mixed = blending.to_blender(np.array([stroke.rgba], np.float32) / 255)[0]
        assert size == pytest.approx(np.array([[stroke.width / 2, mixed[3]]] * len(at)), rel=1e-5)
        assert colour == pytest.approx(np.array([[*mixed[:3], 1]] * len(at)), abs=1e-5)


def test_an_object_from_its_making_to_its_removal(blender: Blender, tmp_path: Path) -> None:
    one, other = drawing(2, 1, 3, 2), drawing(3, 2, 2, 5, 1, 1)
    paths = {"one": saved(tmp_path, "one", one), "other": saved(tmp_path, "other", other)}
    told = blender.run(ART, "life", **paths)
    assert told["exists"] and told["selected"] == [] and not told["lights"]
    assert told["prompt"] == "a kite" and told["seed"] == str(2**40)
    assert told["counts"] == [[3, 9], [5, 16], [3, 9]]
    assert told["left"] == [0, 0, False], "materials, objects, and whether it exists"
    assert all("a kite" in words for words in told["gone"])


def test_a_drawing_over_time(blender: Blender, tmp_path: Path) -> None:
    one, other = drawing(4, 1, 1), drawing(5, 1, 1, 1)
    paths = {"one": saved(tmp_path, "one", one), "other": saved(tmp_path, "other", other)}
    told = blender.run(ART, "keyframes", **paths)
    assert told["frames"] == [1, 10, 20]
    assert told["shown"] == [2, 2, 3, 3, 3]
    assert told["rewritten"] == 2
    assert "a kite" in told["none there"]


def test_an_undo_in_the_middle_does_no_harm(blender: Blender, tmp_path: Path) -> None:
    one, other = drawing(6, 1, 2), drawing(7, 3, 3, 3)
    paths = {"one": saved(tmp_path, "one", one), "other": saved(tmp_path, "other", other)}
    told = blender.run(ART, "undone", **paths)
    assert told == {"before": [3, 12], "undone": [2, 5], "written": [3, 12]}


@pytest.mark.parametrize("eye", [None, [150.0, 130.0, -500.0]])
def test_the_way_back_to_strokes(blender: Blender, tmp_path: Path, eye: list[float] | None) -> None:
    given = drawing(8, *[1, 2, 3] * 20)
    path = saved(tmp_path, "one", given)
    told = blender.run(ART, "continued", svg=path, matrix=TURNED, eye=eye)
    assert strokes_of(told["flat"].encode()) == given
    for how in ("spread", "seen"):
        back = strokes_of(told[how].encode())
        assert back is not None and back.rgba == given.rgba and back.ends == given.ends
        # a step of the wire is 0.007 px here; single precision, out into the world and back
        assert np.array(back.points) == pytest.approx(np.array(given.points), abs=3)
        assert np.array(back.width) == pytest.approx(np.array(given.width), abs=2)
    assert "a kite" in told["refused"]


def test_strokes_in_space(blender: Blender, tmp_path: Path) -> None:
    """They cover each other by distance if they are opaque, and keep their depth."""
    flat, rng = drawing(16, 1, 2, 3, is_opaque=True), random.Random(17)
    deep = [replace(s, depth=[rng.uniform(-200, 200) for _ in s.points]) for s in flat]
    clear = [replace(s, rgba=(*s.rgba[:3], 90)) for s in deep]
    given = Strokes.of(deep, CANVAS)
    paths = {
        "opaque": saved(tmp_path, "one", given),
        "clear": saved(tmp_path, "other", Strokes.of(clear, CANVAS)),
    }
    told = blender.run(ART, "in_space", **paths)
    assert told["orders"] == ["3D", "2D", "2D"]
    assert strokes_of(told["svg"].encode()) == given


def test_where_canvases_lie(blender: Blender) -> None:
    """At a cursor that is turned left, 4 m wide: its right is the world's y, its away is -x."""
    told = blender.run(ART, "places")
    corners = [[1, 0, 4], [1, 4, 4], [1, 0, 2], [1, 2, 3]]
    assert np.array(told["corners"]) == pytest.approx(np.array(corners), abs=1e-5)
    assert told["behind"] == pytest.approx([0.8, 2, 3], abs=1e-5)
    assert told["sizes"] == [[512, 256], [16, 16], [4096, 2048], [512, 128]]
    assert told["flat"] and told["near"]
    assert told["eye"] == pytest.approx([3, -4, 2], abs=1e-4) and told["parallel"] is None


def test_what_the_artist_paints_over_is_sent_as_it_looks(blender: Blender, tmp_path: Path) -> None:
    given = drawing(9, 1, 1)
    told = blender.run(ART, "repainted", svg=saved(tmp_path, "one", given))
    (first, second), kept = list(strokes_of(told.encode()) or ()), list(given)[1]
    assert second.rgba == kept.rgba
    red, green, blue, alpha = first.rgba
    # half green, in Blender's linear light over paper, is (188, 255, 188)
    assert 255 - alpha * (255 - red) / 255 == pytest.approx(188, abs=12)
    assert red == blue and green > 220


def test_strokes_drawn_by_hand_are_read_too(blender: Blender) -> None:
    """A polyline is Béziers with handles a third of the way; a dot, and a fill, are no strokes."""
    told = blender.run(ART, "drawn_by_hand")
    assert told["sizes"] == [3] and told["radius"] == [2, 2, 2]
    assert np.array(told["position"]) == pytest.approx(np.array([[0, 0, 0], [3, 1, 0], [6, 4, 0]]))
    assert told["handle_right"][0] == pytest.approx([1, 1 / 3, 0])
    assert told["handle_left"][2] == pytest.approx([5, 3, 0])
    assert told["colour"] == [pytest.approx([1, 0, 0, 1])]


def test_a_curve_object_has_the_handles_and_the_colours(blender: Blender, tmp_path: Path) -> None:
    given = drawing(10, 1, 3, 2, is_opaque=True)
    told = blender.run(ART, "as_curves", svg=saved(tmp_path, "one", given))
    assert told["type"] == "CURVE" and told["prompt"] == "a kite" and told["left"] == [0, False]
    depths = []
    for (material, anchors), stroke in zip(told["splines"], given, strict=True):
        left, at, right, radius, depth = (np.array(part) for part in zip(*anchors, strict=True))
        control = np.array(stroke.points)
        assert at == pytest.approx(control[0::3], abs=340e-6)
        assert right[:-1] == pytest.approx(control[1::3], abs=340e-6)
        assert left[1:] == pytest.approx(control[2::3], abs=340e-6)
        assert radius == pytest.approx(stroke.width / 2, rel=1e-5)
        linear = blending.linear(np.array(stroke.rgba[:3]) / 255)
        assert told["colours"][material][:3] == pytest.approx(linear.tolist(), abs=1e-5)
        depths.append((depth.min() - radius.max(), depth.max()))
    tops = [nearest for nearest, _ in depths]
    assert tops == sorted(tops, reverse=True), "each lies before the ones that were painted earlier"


# --- pictures --------------------------------------------------------------------------------

FINE = 4
CAMERAS: dict[str, dict[str, Any]] = {
    "perspective": {"camera": {"pixels": CANVAS}},
    "orthographic": {"camera": {"pixels": CANVAS, "type": "ORTHO", "ortho_scale": 7.0}},
    "shifted": {"camera": {"pixels": CANVAS, "shift_x": 0.2, "shift_y": -0.1, "lens": 85.0}},
    "turned": {"camera": {"pixels": CANVAS, "turned": (0.4, 2.1, -1.3), "sensor_fit": "VERTICAL"}},
    "far": {"camera": {"pixels": CANVAS}, "depth": 60.0},
    "spread": {"camera": {"pixels": CANVAS, "lens": 35.0}, "spread": "ORDER"},
    "wider": {"camera": {"pixels": (480, 240)}},  # than the canvas, which lies in its middle
    "baked": {"camera": {"pixels": CANVAS, "shift_x": 0.2}, "is_baked": True},
}


def own_picture(strokes: Strokes, scale: int = 1, rgba: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) the drawing as Limner's own rasterizer draws it so many times larger, 0 to 255; in
    other colours (S, 4), if they are given."""
    told = list(strokes)
    rgba = np.array([s.rgba for s in told]) / 255 if rgba is None else rgba
    offsets = torch.tensor([0, *np.cumsum([len(s.points) for s in told])])
    packed = vector.Strokes(
        torch.tensor([p for s in told for p in s.points]),
        offsets,
        torch.tensor([s.width for s in told]),
        torch.tensor(rgba, dtype=torch.float32),
    )
    wide, high = strokes.canvas
    return 255 * render(packed, (high, wide), scale=scale)[0].permute(1, 2, 0).numpy()


def inner(picture: np.ndarray, reach: int) -> np.ndarray:
    """(H, W) where nothing changes within so many pixels."""
    steady = np.zeros(picture.shape[:2], bool)
    steady[reach:-reach, reach:-reach] = True
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            steady &= np.abs(np.roll(picture, (dy, dx), (0, 1)) - picture).max(-1) < 0.5
    return steady


def apart() -> Strokes:
    """A black stroke in each of twelve cells of 80 pixels."""
    rng, made = random.Random(13), []
    for cell in range(12):
        x, y = 80 * (cell % 4) + 15, 80 * (cell // 4) + 15
        points = [(x + rng.uniform(0, 50), y + rng.uniform(0, 50)) for _ in range(7)]
        made.append(Stroke(points, rng.uniform(1, 12), (0, 0, 0, 255)))
    return Strokes.of(made, CANVAS)


def inked(cover: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each of the twelve cells the ink's middle (12, 2) in pixels, and its area (12,).

    Args:
        cover: (H, W) how much of each pixel is black, at `FINE` times the canvas's size.
    """
    side = 80 * FINE
    cells = cover.reshape(3, side, 4, side).transpose(0, 2, 1, 3).reshape(12, side, side)
    area, at = cells.sum((1, 2)), np.arange(side) / FINE
    across, down = (cells.sum(1) @ at) / area, (cells.sum(2) @ at) / area
    return np.stack([across, down], 1), area


def test_a_render_is_the_drawing(blender: Blender, tmp_path: Path) -> None:
    """Opaque strokes through any camera, against Limner's own picture. Farther than two pixels from
    an edge (so far Blender smooths them) the colours are the same within 2 of 255: strokes cover
    each other in the same order, with the same caps and joins."""
    given = drawing(11, *[1, 2, 3] * 6, is_opaque=True)
    own = own_picture(given)
    steady = inner(own, 2)
    assert steady.mean() > 0.3
    for name, shown in _pictures(blender, given, tmp_path, tuple(CAMERAS)).items():
        error = np.abs(shown - own).max(-1)[steady].max()
        print(f"{blender.python.parents[1].name}, {name}: {error:.0f} of 255")
        assert error <= 2, name


def test_translucent_strokes_are_blended_as_we_count_on(blender: Blender, tmp_path: Path) -> None:
    """In linear light, each stroke covering what lies below it once, joints and crossings
    included; and so nearer to the SVG than with the SVG's own opacities."""
    given = drawing(15, *[1, 2, 3] * 6)
    own, rgba = own_picture(given), np.array([s.rgba for s in given], np.float32) / 255
    counted = _in_linear_light(given, blending.to_blender(rgba))
    plain = _in_linear_light(given, np.column_stack([blending.linear(rgba[:, :3]), rgba[:, 3]]))
    shown = _pictures(blender, given, tmp_path, ("perspective",))["perspective"]
    assert np.abs(shown - counted)[inner(counted, 2)].max() <= 2
    error, before = np.abs(shown - own).mean(), np.abs(plain - own).mean()
    print(f"{blender.python.parents[1].name}: {error:.1f} of 255 on average, else {before:.1f}")
    assert error < before


def _in_linear_light(given: Strokes, mixed: np.ndarray) -> np.ndarray:
    return 255 * blending.srgb(own_picture(given, rgba=mixed) / 255)


def test_a_render_has_strokes_in_their_place(blender: Blender, tmp_path: Path) -> None:
    """The middle of each stroke's ink is within a tenth of a pixel of its place, and there is as
    much of it as of Limner's own, within 3 %. The pictures are larger than the canvas, because
    Blender guesses at edges from whole pixels."""
    given = apart()
    place, area = inked(1 - own_picture(given, FINE).mean(-1) / 255)
    some = ("perspective", "orthographic", "shifted", "turned", "spread")
    for name, shown in _pictures(blender, given, tmp_path, some, FINE).items():
        # Blender smooths edges in linear light: a pixel half black is 188, not 128
        at, ink = inked(1 - blending.linear(shown.mean(-1) / 255))
        astray = np.linalg.norm(at - place, axis=1).max()
        wrong = np.abs(ink / area - 1).max()
        print(f"{blender.python.parents[1].name}, {name}: {astray:.3f} px, ink {wrong:.1%}")
        assert astray < 0.1 and wrong < 0.03, name


def _pictures(
    blender: Blender, given: Strokes, folder: Path, names: tuple[str, ...], scale: int = 1
) -> dict[str, np.ndarray]:
    """(H, W, 3) by name, each without what of the frame is beside the canvas."""
    path, cases = saved(folder, "one", given), [CAMERAS[name] for name in names]
    files = blender.run(ART, "renders", svg=path, cases=cases, folder=folder, scale=scale)
    found = {}
    for name, file in zip(names, files, strict=True):
        shown = np.asarray(Image.open(file).convert("RGB"), float)
        left = (shown.shape[1] - CANVAS[0] * scale) // 2
        found[name] = shown[:, left : left + CANVAS[0] * scale]
    return found
