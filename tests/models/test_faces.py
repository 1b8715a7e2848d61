"""Where a face is: found on a drawn one, upright and turned."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter

from limner.models import faces
from limner_wire.errors import LimnerError

SIDE, MIDDLE, RADIUS = 256, (128, 120), 70
EYES = 0.35, -0.12  # of the radius, right and above the face's middle
SHAPES = (  # x, y, half width, half height, gray: hair, face, fringe
    (0, -0.1, 1.0, 1.3, 60), (0, 0.1, 0.8, 1.05, 215), (0, -0.75, 0.72, 0.3, 70),
    *((s * x, *rest) for s in (-1, 1) for x, *rest in (
        (EYES[0], EYES[1], 0.24, 0.14, 150), (EYES[0], EYES[1], 0.18, 0.08, 235),
        (EYES[0], EYES[1], 0.08, 0.08, 30), (0.35, -0.3, 0.25, 0.05, 70),
        (0.5, 0.4, 0.2, 0.18, 225))),
    (0, 0.1, 0.06, 0.28, 235), (0, 0.36, 0.16, 0.05, 150), (0, 0.68, 0.32, 0.08, 110),
)  # fmt: skip


def face(turn: float = 0.0) -> torch.Tensor:
    """(3, 256, 256): a face in shades of gray, turned clockwise by so many degrees."""
    image = Image.new("L", (SIDE, SIDE), 150)
    pen = ImageDraw.Draw(image)
    for x, y, a, b, gray in SHAPES:
        left, top = MIDDLE[0] + (x - a) * RADIUS, MIDDLE[1] + (y - b) * RADIUS
        pen.ellipse((left, top, left + 2 * a * RADIUS, top + 2 * b * RADIUS), fill=gray)
    image = image.filter(ImageFilter.GaussianBlur(1.5))
    image = image.rotate(-turn, Image.Resampling.BICUBIC, center=MIDDLE, fillcolor=150)
    return torch.from_numpy(np.asarray(image).copy()).float()[None].expand(3, -1, -1) / 255


@pytest.mark.parametrize("turn", [0, 15, -25, 40])
@pytest.mark.parametrize("scale", [1, 4])
def test_the_square_follows_the_eyes(turn: float, scale: int) -> None:
    picture = face(turn).repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    found = faces.upright(picture)
    assert found is not None
    side = 2 * EYES[0] * RADIUS * faces.SIDE
    down = EYES[1] * RADIUS + faces.DROP * 2 * EYES[0] * RADIUS
    x = MIDDLE[0] - down * math.sin(math.radians(turn))
    y = MIDDLE[1] + down * math.cos(math.radians(turn))
    assert math.degrees(found.turn) == pytest.approx(turn, abs=6)
    assert found.side / scale == pytest.approx(side, rel=0.06)
    assert math.dist((found.x / scale, found.y / scale), (x, y)) < 0.05 * side


def test_eyes_lie_where_ffhq_has_them() -> None:
    """At 1024 pixels its eyes lie some 255 apart, a little above the middle."""
    square = faces.around(np.array([384.5, 486.5]), np.array([639.5, 486.5]))
    assert (square.x, square.y, square.side, square.turn) == (512, 512, 1020, 0)
    turned = faces.around(np.array([0.0, 0.0]), np.array([0.0, 10.0]))  # lying on its side
    assert (turned.x, turned.y, turned.turn) == (-1, 5, math.pi / 2)


@pytest.mark.parametrize("picture", [torch.full((3, 90, 120), 0.5), torch.rand(3, 64, 64)])
def test_where_there_is_none_none_is_found(picture: torch.Tensor) -> None:
    assert faces.upright(picture) is None
    assert faces.upright(torch.rand(3, 1, 1)) is None


def test_without_opencv_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(LimnerError, match="OpenCV 4") as told:
        faces.upright(face())
    assert 'pip install "limner[faces]"' in told.value.hint
