# mypy: ignore-errors
"""Cubic Bézier strokes as short straight segments, and the way back for gradients.

Every cubic is cut into K equal steps of its parameter, with K from Wang's bound (G. Wang, "The
subdivision method for finding the intersection between two Bézier curves or surfaces", 1984):

    K = ceil(sqrt(d (d-1) / 8 * M / tolerance)),  d = 3,
    M = max |P_i - 2 P_{i+1} + P_{i+2}|

A polyline through points of the curve lies on the inner side of every bend: its chords miss the
curve by up to h^2/8 |B''| and by h^2/12 |B''| in the mean (h = 1/K). The inner vertices are
therefore moved outwards by that mean, which saves a third of the segments for the same error:

    V_k = B(t_k) - h^2/12 B''(t_k),  t_k = k/K  (0 < k < K)

V is linear in the control points, so that the gradient goes back through the transpose
(`control_gradients`). K is a constant of the gradient.

Functions for one stroke are used on the CPU, in a loop, and on the GPU, a thread each. It does not
know pixels, coverage or colour (`boxes` and `kernels_cpu` do). numba compiles it at its first use
and keeps the result beside this file; types are numba's affair.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

TOLERANCE_PX = 0.25  # image RMSE .0015 against the truth (tests), .0011 at 0.1 px, .0023 at 0.4
MAX_STEPS = 64  # per cubic: at 0.25 px enough for control polygons that bend by 1300 px

BAND_PX = np.float32(0.70710678)  # half the diagonal of a pixel: how far beyond the edge it reaches
LIMIT_PX = np.float32(1e6)  # beyond, float32 cannot tell pixels apart: such a stroke draws nothing

# Columns of the line table: a segment runs from A to A + E; INV is 1/|E|^2, or 0 if it has no
# direction; N = (|E_y|, |E_x|) / |E| is the size of its normal.
AX, AY, EX, EY, INV, NX, NY = range(7)
LINE = 8

_Z, _H, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_TWO, _THREE = np.float32(2), np.float32(3)
_WANG = np.float32(0.75)
_FAR = np.float32(1e12)
_SHORT = np.float32(1e-10)  # squared length under which a segment has no direction
_DIAGONAL = np.float32(0.70710678)

_options = {"nogil": True, "cache": True, "error_model": "numpy"}
_inline = {"nogil": True, "error_model": "numpy", "forceinline": True}


@njit(**_inline)
def _weights(t, h):
    """The four weights of an inner vertex; h: half the squared step."""
    u = _ONE - t
    return (
        u * u * u - h * u,
        _THREE * u * u * t + h * (_TWO * u - t),
        _THREE * u * t * t + h * (_TWO * t - u),
        t * t * t - h * t,
    )


@njit(**_inline)
def _steps(points, p, scale, tolerance):
    """Wang's K for the cubic that starts at control point p."""
    most = _Z
    for q in (p, p + 1):
        x = points[q, 0] - _TWO * points[q + 1, 0] + points[q + 2, 0]
        y = points[q, 1] - _TWO * points[q + 1, 1] + points[q + 2, 1]
        most = max(most, x * x + y * y)
    steps = math.ceil(math.sqrt(_WANG * math.sqrt(most) * scale / tolerance))
    return min(max(int(steps), 1), MAX_STEPS)


@njit(**_options)
def survey_stroke(s, points, offsets, width, rgba, scale, height, columns, tolerance, steps, paint):
    """`survey` for one stroke: fills its part of `steps` and `paint`, returns its segments."""
    radius = width[s] * scale * _H
    good = math.isfinite(radius) and radius > _Z
    for c in range(4):
        good = good and math.isfinite(rgba[s, c])
        paint[s, c] = min(max(rgba[s, c], _Z), _ONE)
    radius = min(radius, LIMIT_PX)
    paint[s, 4] = radius
    left, right, top, bottom = _FAR, -_FAR, _FAR, -_FAR
    for p in range(offsets[s], offsets[s + 1]):
        x, y = points[p, 0] * scale, points[p, 1] * scale
        good = good and abs(x) <= LIMIT_PX and abs(y) <= LIMIT_PX  # false for NaN too
        left, right = min(left, x), max(right, x)
        top, bottom = min(top, y), max(bottom, y)
    reach = radius + BAND_PX
    good = good and right + reach > _Z and left - reach < np.float32(columns)
    good = good and bottom + reach > _Z and top - reach < np.float32(height)
    total = 0
    cubic = (offsets[s] - s) // 3
    for g in range((offsets[s + 1] - offsets[s] - 1) // 3):
        steps[cubic + g] = 0
        if good:
            steps[cubic + g] = _steps(points, offsets[s] + 3 * g, scale, tolerance)
        total += steps[cubic + g]
    return total


@njit(**_options)
def survey(points, offsets, width, rgba, scale, height, columns, tolerance):
    """Which strokes draw, and into how many segments each cubic is cut.

    A stroke draws nothing if any of its numbers is not finite, its width is not above 0, one of
    its control points lies beyond LIMIT_PX, or it lies off the canvas.

    Args:
        points: (P, 2) float32, before scaling; offsets: (S+1,) int64; width: (S,) float32.
        rgba: (S, 4) float32.
        scale: float32 by which points and widths are multiplied.
        height, columns: the canvas after scaling, px.
        tolerance: float32, px.

    Returns:
        steps: ((P-S)/3,) int32, K of each cubic; 0 where its stroke draws nothing.
        first: (S+1,) int32, the first segment of each stroke.
        paint: (S, 5) float32: r, g, b, alpha clamped to [0, 1], and the radius in px.
    """
    count = offsets.shape[0] - 1
    steps = np.empty((points.shape[0] - count) // 3, np.int32)
    first = np.zeros(count + 1, np.int32)
    paint = np.empty((count, 5), np.float32)
    for s in range(count):
        first[s + 1] = first[s] + survey_stroke(
            s, points, offsets, width, rgba, scale, height, columns, tolerance, steps, paint
        )
    return steps, first, paint


@njit(**_options)
def draw_lines(s, points, offsets, scale, steps, first, lines, owner):
    """`draw_all` for one stroke."""
    k = first[s]
    if first[s + 1] == k:
        return
    cubic = (offsets[s] - s) // 3
    x0, y0 = points[offsets[s], 0] * scale, points[offsets[s], 1] * scale
    for p in range(offsets[s], offsets[s + 1] - 1, 3):
        step = _ONE / np.float32(steps[cubic])
        h = _H * step * step
        for j in range(1, steps[cubic] + 1):
            x1, y1 = points[p + 3, 0], points[p + 3, 1]
            if j < steps[cubic]:
                a, b, c, d = _weights(np.float32(j) * step, h)
                x1 = a * points[p, 0] + b * points[p + 1, 0] + c * points[p + 2, 0] + d * x1
                y1 = a * points[p, 1] + b * points[p + 1, 1] + c * points[p + 2, 1] + d * y1
            x1, y1 = x1 * scale, y1 * scale
            ex, ey = x1 - x0, y1 - y0
            square = ex * ex + ey * ey
            lines[k, AX], lines[k, AY], lines[k, EX], lines[k, EY] = x0, y0, ex, ey
            lines[k, INV], lines[k, NX], lines[k, NY] = _Z, _DIAGONAL, _DIAGONAL
            if square > _SHORT:
                inv = _ONE / square
                size = math.sqrt(inv)
                lines[k, INV], lines[k, NX], lines[k, NY] = inv, abs(ey) * size, abs(ex) * size
            owner[k] = s
            x0, y0 = x1, y1
            k += 1
        cubic += 1


@njit(**_options)
def draw_all(points, offsets, scale, steps, first):
    """The segments of the strokes that draw.

    Args: as for `survey`, and what it returned.

    Returns:
        lines: (N, LINE) float32, where they run.
        owner: (N,) int32, the stroke of each.
    """
    lines = np.empty((first[-1], LINE), np.float32)
    owner = np.empty(first[-1], np.int32)
    for s in range(offsets.shape[0] - 1):
        draw_lines(s, points, offsets, scale, steps, first, lines, owner)
    return lines, owner


@njit(**_options)
def pull_control(s, ends, offsets, scale, steps, first, out):
    """`control_gradients` for one stroke."""
    k = first[s]
    if first[s + 1] == k:
        return
    cubic = (offsets[s] - s) // 3
    for p in range(offsets[s], offsets[s + 1] - 1, 3):
        step = _ONE / np.float32(steps[cubic])
        h = _H * step * step
        x0, y0 = ends[k, 0], ends[k, 1]
        x1 = y1 = x2 = y2 = x3 = y3 = _Z
        for j in range(1, steps[cubic]):
            a, b, c, d = _weights(np.float32(j) * step, h)
            x, y = ends[k, 2] + ends[k + 1, 0], ends[k, 3] + ends[k + 1, 1]
            x0, y0, x1, y1 = x0 + a * x, y0 + a * y, x1 + b * x, y1 + b * y
            x2, y2, x3, y3 = x2 + c * x, y2 + c * y, x3 + d * x, y3 + d * y
            k += 1
        x3, y3 = x3 + ends[k, 2], y3 + ends[k, 3]
        k += 1
        out[p, 0] += scale * x0
        out[p, 1] += scale * y0
        out[p + 1, 0], out[p + 1, 1] = scale * x1, scale * y1
        out[p + 2, 0], out[p + 2, 1] = scale * x2, scale * y2
        out[p + 3, 0], out[p + 3, 1] = scale * x3, scale * y3
        cubic += 1


@njit(**_options)
def control_gradients(ends, offsets, scale, steps, first, total):
    """The transpose of the flattening.

    Args:
        ends: (N, 4) float32: the gradient at both ends of every segment, (ax, ay, bx, by).
        offsets, scale, steps, first: as for `draw_all`.
        total: P.

    Returns:
        (P, 2) float32, the gradient of the control points before scaling.
    """
    out = np.zeros((total, 2), np.float32)
    for s in range(offsets.shape[0] - 1):
        pull_control(s, ends, offsets, scale, steps, first, out)
    return out
