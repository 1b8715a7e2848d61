# mypy: ignore-errors
"""The stroke rasterizer on NVIDIA GPUs: numba-cuda kernels over tiles of 16x16 pixels.

The model is that of `kernels_cpu`, and so are the functions that cut curves into segments and find
the pixels of each (`flatten`, `boxes`), here with a thread for each stroke or segment. A block then
draws a tile, a thread each pixel, from the (segment, tile) pairs of its list, which lie in
painting order: the forward pass from the top stroke down, keeping nothing; the backward pass down
once for the transmittance above each stroke, and up again for what lies behind it.

Sums over a block run through shared memory in a fixed order, and each pair writes to a place of its
own: the same drawing gives the same gradient, bit for bit.

It does not allocate, sort or launch (`cuda` does). There being no warp operations in them, the
kernels also run in numba's simulator, which is how they are tested without a GPU.
"""

from __future__ import annotations

import math

import numpy as np
from numba import config, cuda, float32

from limner.vector import boxes, flatten
from limner.vector.flatten import AX, AY, EX, EY, INV, NX, NY

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", False))  # then a GPU thread is one of Python's
TILE = 4 if SIMULATED else 16  # pixels per side
THREADS = TILE * TILE

_Z, _H, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_EPS = np.float32(1e-3)  # the constants of `kernels_cpu`
_THIN = np.float32(0.7072)
_FAR = np.float32(1e14)
_K_MIN = np.float32(1e-3)
_T_MIN = np.float32(1e-30)


# --- from strokes to pairs -------------------------------------------------------------------


@cuda.jit
def survey(points, offsets, width, rgba, scale, height, columns, tolerance, steps, paint, segments):
    """A thread a stroke: `flatten.survey_stroke`; `segments` (S,) int64 counts what it makes."""
    s = cuda.grid(1)
    if s < segments.shape[0]:
        segments[s] = flatten.survey_stroke(
            s, points, offsets, width, rgba, scale, height, columns, tolerance, steps, paint
        )


@cuda.jit
def draw_lines(points, offsets, scale, steps, first, paint, lines, owner, box):
    """A thread a stroke: its segments and their boxes."""
    s = cuda.grid(1)
    if s < paint.shape[0]:
        flatten.draw_lines(s, points, offsets, scale, steps, first, lines, owner)
        boxes.draw_boxes(s, lines, first, paint, box)


@cuda.jit
def count_pairs(box, height, width, pairs):
    """A thread a segment: how many tiles its box meets, into `pairs` (N,) int64."""
    k = cuda.grid(1)
    if k < pairs.shape[0]:
        low, high = boxes.rows(box[k], height)
        count = 0
        if low < high:
            for row in range(low // TILE, (high + TILE - 1) // TILE):
                begin, end = max(low, row * TILE), min(high, (row + 1) * TILE)
                left, right = boxes.span(box[k], begin, end, width)
                count += (right + TILE - 1) // TILE - left // TILE
        pairs[k] = count


@cuda.jit
def list_pairs(box, owner, scene, height, width, place, tile, segment):
    """A thread a segment: the tiles it meets, from place[k] on.

    Args:
        scene: (S,) int32, the scene of each stroke.
        place: (N+1,) int64, sums of what `count_pairs` found.
        tile: (M,) int32, written: tiles numbered through rows and scenes.
        segment: (M,) int32, written.
    """
    k = cuda.grid(1)
    if k < owner.shape[0]:
        across, down = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
        low, high = boxes.rows(box[k], height)
        at = place[k]
        if low < high:
            for row in range(low // TILE, (high + TILE - 1) // TILE):
                begin, end = max(low, row * TILE), min(high, (row + 1) * TILE)
                left, right = boxes.span(box[k], begin, end, width)
                for column in range(left // TILE, (right + TILE - 1) // TILE):
                    tile[at] = (scene[owner[k]] * down + row) * across + column
                    segment[at] = k
                    at += 1


# --- one pixel -------------------------------------------------------------------------------


@cuda.jit(device=True)
def _towards(lines, k, x, y):
    """(t, dx, dy): the place of the point of segment k nearest to (x, y), and the way from it."""
    dx, dy = x - lines[k, AX], y - lines[k, AY]
    t = (dx * lines[k, EX] + dy * lines[k, EY]) * lines[k, INV]
    t = min(max(t, _Z), _ONE)
    return t, dx - t * lines[k, EX], dy - t * lines[k, EY]


@cuda.jit(device=True)
def _nearest(lines, segment, begin, end, x, y):
    """Of the pairs [begin, end): the squared distance of the nearest segment from (x, y), the
    normal times the distance, and its pair."""
    least, nx, ny, best = _FAR, _ONE, _ONE, begin
    for i in range(begin, end):
        k = segment[i]
        _, dx, dy = _towards(lines, k, x, y)
        square = dx * dx + dy * dy
        if square < least:
            least, best = square, i
            nx, ny = abs(dx) + _EPS * lines[k, NX], abs(dy) + _EPS * lines[k, NY]
    return least, nx, ny, best


@cuda.jit(device=True)
def _area(square, nx, ny, radius):
    """As `kernels_cpu._area`: coverage, its slope by the radius, and by distance over distance."""
    d = math.sqrt(square)
    long = d + _EPS
    m = max(nx, ny)
    k = max(min(nx, ny), _K_MIN * long)
    inv = _ONE / (m * k)
    h1, h0 = (m + k) * _H, (m - k) * _H
    a = abs(radius - d) * long
    z = min(max(h1 - a, _Z), k)
    near, far = z * inv, _Z
    cover = near * (_H * z + max(h0 - a, _Z))
    if radius >= d:
        cover = _ONE - cover
    if radius < _THIN:
        a = (radius + d) * long
        z = min(max(h1 - a, _Z), k)
        far = z * inv
        cover -= far * (_H * z + max(h0 - a, _Z))
    return cover, (near + far) * long, far - near


@cuda.jit(device=True)
def _below(through, alpha, cover):
    """The transmittance under a stroke."""
    through -= through * alpha * cover
    return through if through > _T_MIN else _Z


@cuda.jit(device=True)
def _group(owner, segment, first, end):
    """Where the pairs of the stroke on top of [first, end) begin."""
    begin = end - 1
    s = owner[segment[begin]]
    while begin > first and owner[segment[begin - 1]] == s:
        begin -= 1
    return begin, s


@cuda.jit(device=True)
def _sum(shared, me, planes):
    """Sums each plane of (planes, THREADS) into its first place, in a fixed order."""
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if me < half:
            for p in range(planes):
                shared[p, me] += shared[p, me + half]
        half //= 2
    cuda.syncthreads()


# --- the two passes --------------------------------------------------------------------------


@cuda.jit
def forward(lines, owner, paint, segment, start, background, image):
    """A block a tile: (tile columns, tile rows, scenes) blocks of (TILE, TILE) threads.

    Args:
        lines, owner, paint: from `draw_lines` and `survey`.
        segment: (M,) int32, of the pairs sorted by tile and then by segment.
        start: (tiles + 1,) int64, the first pair of each tile.
        background: (1 or B, 3, 1, 1) or (1 or B, 3, H, W) float32.
        image: (B, 3, H, W) float32, written.
    """
    _, _, height, width = image.shape
    scene = cuda.blockIdx.z
    column = cuda.blockIdx.x * TILE + cuda.threadIdx.x
    row = cuda.blockIdx.y * TILE + cuda.threadIdx.y
    tile = (scene * cuda.gridDim.y + cuda.blockIdx.y) * cuda.gridDim.x + cuda.blockIdx.x
    x, y = float32(column) + _H, float32(row) + _H
    through, r, g, b = _ONE, _Z, _Z, _Z
    end = start[tile + 1]
    while end > start[tile]:
        begin, s = _group(owner, segment, start[tile], end)
        square, nx, ny, _ = _nearest(lines, segment, begin, end, x, y)
        cover, _, _ = _area(square, nx, ny, paint[s, 4])
        weight = through * paint[s, 3] * cover
        r += weight * paint[s, 0]
        g += weight * paint[s, 1]
        b += weight * paint[s, 2]
        through = _below(through, paint[s, 3], cover)
        end = begin
    if row < height and column < width:
        behind = min(scene, background.shape[0] - 1)
        v, u = min(row, background.shape[2] - 1), min(column, background.shape[3] - 1)
        image[scene, 0, row, column] = r + through * background[behind, 0, v, u]
        image[scene, 1, row, column] = g + through * background[behind, 1, v, u]
        image[scene, 2, row, column] = b + through * background[behind, 2, v, u]


@cuda.jit
def backward(
    lines, owner, paint, segment, start, background, grad, group, kept, place, pulls, sums, behind
):
    """The gradient of `forward`; blocks as there.

    Args:
        grad: (B, 3, H, W) float32, the gradient of the image.
        group: (M,) int64, numbers the (stroke, tile) of each pair.
        kept: (groups, THREADS) float32, scratch.
        place: (M,) int64, where the results of each pair go: its place before they were sorted.
        pulls: (M, 4) float32, zeros, or empty if not wanted; written: (ax, ay, bx, by).
        sums: (M, 5) float32, zeros; written for the first pair of each group: r, g, b, alpha and
            radius.
        behind: (B, 3, H, W) float32, written: the gradient of the background; or empty.
    """
    shared = cuda.shared.array((5, THREADS), float32)
    _, _, height, width = grad.shape
    me = cuda.threadIdx.y * TILE + cuda.threadIdx.x
    scene = cuda.blockIdx.z
    column = cuda.blockIdx.x * TILE + cuda.threadIdx.x
    row = cuda.blockIdx.y * TILE + cuda.threadIdx.y
    tile = (scene * cuda.gridDim.y + cuda.blockIdx.y) * cuda.gridDim.x + cuda.blockIdx.x
    x, y = float32(column) + _H, float32(row) + _H
    # 1. from the top down: transmittance
    through = _ONE
    end = start[tile + 1]
    while end > start[tile]:
        begin, s = _group(owner, segment, start[tile], end)
        square, nx, ny, _ = _nearest(lines, segment, begin, end, x, y)
        cover, _, _ = _area(square, nx, ny, paint[s, 4])
        kept[group[begin], me] = through
        through = _below(through, paint[s, 3], cover)
        end = begin
    # 2. what lies behind all
    u, v, w, under = _Z, _Z, _Z, _Z
    if row < height and column < width:
        u, v, w = (
            grad[scene, 0, row, column],
            grad[scene, 1, row, column],
            grad[scene, 2, row, column],
        )
        back = min(scene, background.shape[0] - 1)
        i, j = min(row, background.shape[2] - 1), min(column, background.shape[3] - 1)
        under = u * background[back, 0, i, j] + v * background[back, 1, i, j]
        under += w * background[back, 2, i, j]
        if behind.shape[0] > 0:
            behind[scene, 0, row, column] = through * u
            behind[scene, 1, row, column] = through * v
            behind[scene, 2, row, column] = through * w
    # 3. from the bottom up: gradients
    begin = start[tile]
    while begin < start[tile + 1]:
        s = owner[segment[begin]]
        end = begin + 1
        while end < start[tile + 1] and group[end] == group[begin]:
            end += 1
        square, nx, ny, best = _nearest(lines, segment, begin, end, x, y)
        cover, by_radius, by_distance = _area(square, nx, ny, paint[s, 4])
        through = kept[group[begin], me]
        better = u * paint[s, 0] + v * paint[s, 1] + w * paint[s, 2] - under
        edge = through * better * paint[s, 3]
        shared[0, me] = through * cover * paint[s, 3] * u
        shared[1, me] = through * cover * paint[s, 3] * v
        shared[2, me] = through * cover * paint[s, 3] * w
        shared[3, me] = through * cover * better
        shared[4, me] = edge * by_radius
        under += paint[s, 3] * cover * better
        _sum(shared, me, 5)
        if me < 5:
            sums[place[begin], me] = shared[me, 0]
        cuda.syncthreads()
        pull = edge * by_distance
        for i in range(begin, end if pulls.shape[0] > 0 else begin):
            mine = np.int32(best == i and pull != _Z)
            if cuda.syncthreads_or(mine) == 0:
                continue
            for p in range(4):
                shared[p, me] = _Z
            if mine:
                t, dx, dy = _towards(lines, segment[i], x, y)
                shared[0, me] = (t - _ONE) * pull * dx
                shared[1, me] = (t - _ONE) * pull * dy
                shared[2, me] = -t * pull * dx
                shared[3, me] = -t * pull * dy
            _sum(shared, me, 4)
            if me < 4:
                pulls[place[i], me] = shared[me, 0]
            cuda.syncthreads()
        begin = end


@cuda.jit
def gather(offsets, scale, steps, first, place, rgba, pulls, sums, ends, points, width, colours):
    """A thread a stroke: sums what `backward` wrote, always in the same order.

    Args:
        place: (N+1,) int64, the first pair of each segment, unsorted.
        rgba: (S, 4) float32 as given: no gradient goes to what was clamped.
        ends: (N, 4) float32, scratch; points: (P, 2) float32, zeros, written; or both empty.
        width: (S,) float32, colours: (S, 4) float32, written: their gradients.
    """
    s = cuda.grid(1)
    if s >= width.shape[0]:
        return
    width[s] = _Z
    for i in range(4):
        colours[s, i] = _Z
    for pair in range(place[first[s]], place[first[s + 1]]):
        width[s] += sums[pair, 4] * scale * _H
        for i in range(4):
            if _Z <= rgba[s, i] <= _ONE:
                colours[s, i] += sums[pair, i]
    if points.shape[0] > 0:
        for k in range(first[s], first[s + 1]):
            for i in range(4):
                ends[k, i] = _Z
                for pair in range(place[k], place[k + 1]):
                    ends[k, i] += pulls[pair, i]
        flatten.pull_control(s, ends, offsets, scale, steps, first, points)
