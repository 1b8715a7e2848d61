"""Where a face is, for generators that paint faces upright and in one place.

Such generators (FFHQ's, and those trained like it) learned from pictures in which the eyes lie
level and at the same spot (Karras et al. 2019, arXiv 1812.04948, appendix A). A photograph is
brought there by its eyes, which OpenCV's cascades find without any network (Viola & Jones 2001).
OpenCV is optional: `pip install "limner[faces]"`.
"""

from __future__ import annotations

import functools
import importlib
import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from limner_wire.errors import ErrorCode, LimnerError

SIDE, DROP = (
    4.0,
    0.1,
)  # the square's side, and how far below the eyes its middle is, in eye distances
LARGEST_PX = 640  # the picture is looked at no larger than this
TURNS = (0, -25, 25, -50, 50)  # degrees by which it is turned, one after the other
LEAST = 0.12  # of the picture's shorter side: smaller things are hardly the face that is meant
FACES = "haarcascade_frontalface_default.xml"
EYES = "haarcascade_eye_tree_eyeglasses.xml", "haarcascade_eye.xml"


@dataclass(frozen=True, slots=True)
class Square:
    """A square that may be turned.

    Attributes:
        x, y: its middle, in pixels of the canvas.
        side: in pixels.
        turn: in radians, clockwise as the picture is seen.
    """

    x: float
    y: float
    side: float
    turn: float = 0.0


def upright(picture: Tensor) -> Square | None:
    """The square in which the largest face of (3, H, W) in [0, 1] lies as generators have it; None
    if none is found.

    Raises:
        LimnerError: UNKNOWN_MODEL if OpenCV is missing.
    """
    cv2 = _opencv()
    gray = (picture.mean(0).clamp(0, 1) * 255).round().byte().cpu().numpy()
    scale = min(1.0, LARGEST_PX / max(gray.shape))
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    gray = cv2.equalizeHist(gray)
    middle = (gray.shape[1] / 2, gray.shape[0] / 2)
    for turn in TURNS:
        turned = cv2.getRotationMatrix2D(middle, turn, 1.0)
        seen = cv2.warpAffine(gray, turned, gray.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        if (eyes := _eyes(seen)) is not None:
            back = cv2.invertAffineTransform(turned)
            return around(*((back[:, :2] @ eye + back[:, 2]) / scale for eye in eyes))
    return None


def around(left: np.ndarray, right: np.ndarray) -> Square:
    """The square for two eyes, each (x, y); left is the one that is seen on the left."""
    across = right - left
    below = np.array([-across[1], across[0]])
    x, y = (left + right) / 2 + DROP * below
    turn = math.atan2(across[1], across[0])
    return Square(float(x), float(y), SIDE * float(np.hypot(*across)), turn)


def _eyes(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The eyes of the largest face in (H, W) uint8 that has two, the left one first."""
    least = max(24, round(LEAST * min(gray.shape)))
    faces = _cascade(FACES).detectMultiScale(gray, 1.1, 5, minSize=(least, least))
    for x, y, width, height in sorted(faces, key=lambda f: -f[2]):
        upper = gray[y : y + round(0.6 * height), x : x + width]
        for cascade in EYES:
            found = [
                np.array([ex + ew / 2, ey + eh / 2])
                for ex, ey, ew, eh in _cascade(cascade).detectMultiScale(upper, 1.05, 3)
            ]
            pairs = [
                p for p in combinations(sorted(found, key=lambda e: e[0]), 2) if _fits(p, width)
            ]
            if pairs:
                left, right = min(pairs, key=lambda p: abs((p[0] + p[1])[0] / 2 - width / 2))
                corner = np.array([x, y])
                return corner + left, corner + right
    return None


def _fits(pair: tuple[np.ndarray, ...], width: float) -> bool:
    """Whether two spots in a face so wide may be its eyes."""
    across, down = pair[1] - pair[0]
    return bool(0.25 * width < across < 0.65 * width and abs(down) < 0.5 * across)


@functools.lru_cache(maxsize=4)
def _cascade(name: str) -> Any:
    cv2 = _opencv()
    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / name))


def _opencv() -> Any:
    with suppress(ImportError):
        cv2: Any = importlib.import_module("cv2")
        if (Path(cv2.data.haarcascades) / FACES).is_file():  # OpenCV 5 has none
            return cv2
    raise LimnerError(
        ErrorCode.UNKNOWN_MODEL,
        "Finding faces takes OpenCV 4, which is not installed.",
        'Install it: pip install "limner[faces]". Or edit without finding the face.',
    )
