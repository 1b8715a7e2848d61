# mypy: ignore-errors
"""Filled outlines and lines as exact coverage, in numba: what all portraits are made of.

A pixel's coverage by an outline is the area of it that lies inside, found as font rasterizers do:
each edge adds its signed area to the pixels that it crosses, and a running sum along the row fills
what lies between edges. So a portrait's pixels move smoothly with its points, with no sampling.
A line covers what lies within half its width, with a ramp of one pixel; ends and joins are round.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_LEAST = np.float32(1e-5)  # of coverage: less is what rounding leaves of edges that cancel

_fast = {"nogil": True, "cache": True, "error_model": "numpy"}


@njit(**_fast)
def fill(points, mask):
    """Write the coverage of a closed outline.

    Args:
        points: (N, 2) float64 in pixels, pixel (0, 0) spanning [0, 1].
        mask: (H, W) float32; all of it is written.
    """
    height, width = mask.shape
    area = np.zeros((height, width + 2), np.float32)
    count = len(points)
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        _edge(points[i, 0], points[i, 1], points[j, 0], points[j, 1], area)
    for y in range(height):
        total = np.float32(0)
        for x in range(width):
            total += area[y, x]
            cover = min(abs(total), np.float32(1))
            mask[y, x] = cover if cover > _LEAST else np.float32(0)


@njit(**_fast)
def _edge(ax, ay, bx, by, area):
    """Add one edge's signed areas to the rows that it crosses."""
    if ay == by:
        return
    sign = 1.0
    if ay > by:
        ax, ay, bx, by, sign = bx, by, ax, ay, -1.0
    height, right = area.shape[0], area.shape[1] - 2.0
    slope = (bx - ax) / (by - ay)
    low, high = max(ay, 0.0), min(by, float(height))
    row = int(low)
    while row < high:
        top, bottom = max(low, float(row)), min(high, row + 1.0)
        x0 = min(max(ax + slope * (top - ay), 0.0), right)
        x1 = min(max(ax + slope * (bottom - ay), 0.0), right)
        _span(min(x0, x1), max(x0, x1), sign * (bottom - top), area, row)
        row += 1


@njit(**_fast)
def _span(x0, x1, amount, area, row):
    """Spread one edge's part within a row over the pixels from x0 to x1."""
    first, last = int(x0), int(x1)
    if first == last:
        inner = 1.0 - (0.5 * (x0 + x1) - first)
        area[row, first] += amount * inner
        area[row, first + 1] += amount * (1.0 - inner)
        return
    per = amount / (x1 - x0)
    done = 0.0  # of the coverage that pixels so far have been given
    for x in range(first, last + 1):
        left, right = max(x0, float(x)), min(x1, x + 1.0)
        own = per * (right - left)
        so_far = per * (left - x0)
        covered = so_far + own * (x + 1.0 - 0.5 * (left + right))
        area[row, x] += covered - done
        done = covered
    area[row, last + 1] += amount - done


@njit(**_fast)
def line(points, width, mask):
    """Write the coverage of an open line of some width, both in pixels."""
    mask[:] = 0
    height, wide = mask.shape
    reach = width / 2 + 0.5
    for i in range(len(points) - 1):
        ax, ay = points[i, 0], points[i, 1]
        dx, dy = points[i + 1, 0] - ax, points[i + 1, 1] - ay
        square = max(dx * dx + dy * dy, 1e-12)
        top = max(0, int(np.floor(min(ay, ay + dy) - reach)))
        bottom = min(height, int(np.ceil(max(ay, ay + dy) + reach)) + 1)
        left = max(0, int(np.floor(min(ax, ax + dx) - reach)))
        right = min(wide, int(np.ceil(max(ax, ax + dx) + reach)) + 1)
        for y in range(top, bottom):
            for x in range(left, right):
                px, py = x + 0.5 - ax, y + 0.5 - ay
                t = min(max((px * dx + py * dy) / square, 0.0), 1.0)
                far = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
                cover = np.float32(min(max(reach - far, 0.0), 1.0))
                if cover > mask[y, x]:
                    mask[y, x] = cover


@njit(**_fast)
def glow(x, y, rx, ry, mask):
    """Write a soft spot: 1 in the middle, falling smoothly to 0 on an ellipse."""
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            u, v = (column + 0.5 - x) / rx, (row + 0.5 - y) / ry
            left = max(0.0, 1.0 - (u * u + v * v))
            mask[row, column] = left * left * (3 - 2 * left)


@njit(**_fast)
def over(image, mask, red, green, blue, opacity):
    """Lay a colour over an (H, W, 3) float32 image where the mask is."""
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            a = mask[y, x] * opacity
            if a > 0:
                image[y, x, 0] += a * (red - image[y, x, 0])
                image[y, x, 1] += a * (green - image[y, x, 1])
                image[y, x, 2] += a * (blue - image[y, x, 2])
