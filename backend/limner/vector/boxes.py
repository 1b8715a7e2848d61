# mypy: ignore-errors
"""Which pixels look at which segments.

A pixel looks at a segment only inside an oriented box around it: across by the stroke's radius and
half a pixel's diagonal; along, a little beyond its ends. A pixel whose nearest point is a vertex
lies in the wedge between two segments; the later one looks back far enough to hold it, by the sine
of the turn. So each pixel sees its nearest segment and hardly any other, however thick the stroke.

A box meets a row of pixels in an interval whose ends are linear in the row: `rows` and `span` are
closed forms. They serve the CPU's strips (`sort`) and the GPU's tiles (`kernels_cuda`) alike.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from limner.vector.flatten import AX, AY, BAND_PX, EX, EY, INV, NX, NY

# Columns of the box table. For a row of pixels at height dy from A = (X, Y), the box is
# |dx - SLOPE dy| <= REACH and X_LO <= dx - TILT dy <= X_HI, for dy in [Y_LO, Y_HI].
X, Y, Y_LO, Y_HI, SLOPE, REACH, TILT, X_LO, X_HI = range(9)
BOX = 9
TILE = 8  # px: the side of the tiles of the CPU's strips; the divisions below want a constant

_Z, _H, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_FAR = np.float32(1e12)
_STEEP = np.float32(1e-3)  # directions nearer to an axis are not divided by
_SLACK = np.float32(0.02)  # px added against rounding

_options = {"nogil": True, "cache": True, "error_model": "numpy"}
_inline = {"nogil": True, "error_model": "numpy", "forceinline": True}


@njit(**_inline)
def _fill(box, x, y, ux, uy, before, after, reach):
    """The box [-before, after] along (ux, uy) from (x, y), and +-reach across."""
    box[X], box[Y] = x, y
    across = reach * abs(ux)
    box[Y_LO] = min(-before * uy, after * uy) - across
    box[Y_HI] = max(-before * uy, after * uy) + across
    box[SLOPE], box[REACH] = _Z, _FAR
    if abs(uy) > _STEEP:
        inv = _ONE / uy
        box[SLOPE], box[REACH] = ux * inv, reach * abs(inv)
    box[TILT], box[X_LO], box[X_HI] = _Z, -_FAR, _FAR
    if abs(ux) > _STEEP:
        inv = _ONE / ux
        box[TILT] = -uy * inv
        box[X_LO] = min(-before * inv, after * inv)
        box[X_HI] = max(-before * inv, after * inv)


@njit(**_inline)
def draw_boxes(s, lines, first, paint, boxes):
    """Fills the boxes of one stroke's segments.

    Args:
        lines: from `flatten.draw_all`; first, paint: from `flatten.survey`.
        boxes: (N, BOX) float32, written.
    """
    reach = paint[s, 4] + BAND_PX
    last_x, last_y, last_dot = _Z, _Z, True
    for k in range(first[s], first[s + 1]):
        dot = lines[k, INV] == _Z
        ux, uy, length = _ONE, _Z, _Z
        if not dot:
            ex, ey = lines[k, EX], lines[k, EY]
            ux = lines[k, NY] if ex > _Z else -lines[k, NY]
            uy = lines[k, NX] if ey > _Z else -lines[k, NX]
            length = ex * ux + ey * uy
        before = reach  # a cap, a sharp turn, or beside a segment without direction
        if not dot and not last_dot and ux * last_x + uy * last_y > _Z:
            before = reach * abs(ux * last_y - uy * last_x)
        after = length + (reach if dot or k == first[s + 1] - 1 else _Z)
        x, y = lines[k, AX], lines[k, AY]
        _fill(boxes[k], x, y, ux, uy, before + _SLACK, after + _SLACK, reach + _SLACK)
        last_x, last_y, last_dot = ux, uy, dot


@njit(**_inline)
def rows(box, height):
    """The pixel rows [low, high) whose centres a box meets."""
    low = max(box[Y] + box[Y_LO] - _H, _Z)
    high = min(box[Y] + box[Y_HI] - _H, np.float32(height - 1))
    if not low <= high:
        return 0, 0
    start, end = int(low), int(high) + 1
    start += np.float32(start) < low
    if start >= end:  # between the centres of two rows
        return 0, 0
    return start, end


@njit(**_inline)
def span(box, low, high, width):
    """The pixel columns [left, right) whose centres a box may meet in the rows [low, high)."""
    y0 = np.float32(low) + _H - box[Y]
    y1 = np.float32(high) - _H - box[Y]
    a, b = box[SLOPE] * y0, box[SLOPE] * y1
    c, d = box[TILT] * y0, box[TILT] * y1
    left = max(min(a, b) - box[REACH], min(c, d) + box[X_LO]) + box[X] - _H
    right = min(max(a, b) + box[REACH], max(c, d) + box[X_HI]) + box[X] - _H
    left = max(left, _Z)
    right = min(right, np.float32(width - 1))
    if not left <= right:
        return 0, 0
    return int(left), int(right) + 1


@njit(**_options)
def sort(lines, first, paint, scenes, height, width):
    """Which segments each strip of TILE pixel rows must draw.

    Args:
        lines: from `flatten.draw_all`; first, paint: from `flatten.survey`.
        scenes: (B+1,) int64, the strokes of each scene.
        height, width: of the canvas, px.

    Returns:
        items: (I, 4) int32, by strip and then by segment: the segment, the tile columns
            [left, right), and the pixels [begin, end) of these tiles as begin + 256 end.
        start: (B * strips + 1,) int64, the first item of each strip.
    """
    strips = (height + TILE - 1) // TILE
    boxes = np.empty((lines.shape[0], BOX), np.float32)
    start = np.zeros((scenes.shape[0] - 1) * strips + 1, np.int64)
    for scene in range(scenes.shape[0] - 1):
        for s in range(scenes[scene], scenes[scene + 1]):
            draw_boxes(s, lines, first, paint, boxes)
        for k in range(first[scenes[scene]], first[scenes[scene + 1]]):
            low, high = rows(boxes[k], height)
            for strip in range(low // TILE, (high + TILE - 1) // TILE):
                start[scene * strips + strip + 1] += 1
    for strip in range(start.shape[0] - 1):
        start[strip + 1] += start[strip]
    items = np.empty((start[-1], 4), np.int32)
    place = start[:-1].copy()
    for scene in range(scenes.shape[0] - 1):
        for k in range(first[scenes[scene]], first[scenes[scene + 1]]):
            low, high = rows(boxes[k], height)
            for strip in range(low // TILE, (high + TILE - 1) // TILE):
                top = strip * TILE
                begin, end = max(low, top), min(high, top + TILE)
                left, right = span(boxes[k], begin, end, width)
                i = place[scene * strips + strip]
                place[scene * strips + strip] = i + 1
                items[i, 0], items[i, 1], items[i, 2] = k, left // TILE, (right + TILE - 1) // TILE
                items[i, 3] = (begin - top) * TILE + (end - top) * TILE * 256
    return items, start
