# mypy: ignore-errors
"""The stroke rasterizer on the CPU: numba kernels over strips of 8 pixel rows.

Model. A stroke is the set of points within r = width/2 of its polyline (`flatten`): round caps
and joins. A pixel with centre p and nearest point q of the polyline sees the stroke's edge as a
straight line at signed distance u = r - |p - q| with normal n along p - q, and is covered by the
exact area of the unit square on the inner side of that line; if r < 0.71, less what lies beyond
the far edge, at r + |p - q|. With m >= k the absolute components of n,

    slope(u) = max(0, min(k, (m + k)/2 - |u|)) / (m k)          area(u) = integral of slope

Where p lies on the line itself, n is the segment's own normal: 0.001 px of it are mixed in always.
Pixels are composited by painter's "over" with straight alpha:

    I = sum_s T_s a_s c_s + T_0 background,  a_s = alpha_s area_s,  T_s = prod_{j above s} (1 - a_j)

The gradient is analytic: dI/da_s = T_s (c_s - b_s) with b_s what lies behind stroke s. The edge
moves with q, the nearest point (envelope theorem); n is held fixed.

How it is fast. The canvas is cut into strips of 8 rows and those into tiles of 8x8 pixels. A
segment names in closed form the tiles that its box meets, and a loop over their pixels, which LLVM
turns into vector code, lowers the distance. The forward pass goes front to back and keeps nothing;
the backward pass rasterizes each strip again into a scratch that stays in the cache, then runs back
to front without a division. Strips write to places of their own, so that the result does not
depend on how they are spread over threads.

It does not touch torch or threads (`cpu` does). numba compiles it at its first use and keeps the
result beside this file, which must change for it to compile again; types are numba's affair.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

from limner.vector.boxes import TILE
from limner.vector.flatten import AX, AY, EX, EY, INV, LINE, NX, NY

PIXELS = TILE * TILE
PIXEL_X = (np.arange(PIXELS) % TILE + 0.5).astype(np.float32)
PIXEL_Y = (np.arange(PIXELS) // TILE + 0.5).astype(np.float32)

_Z, _H, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_SIDE, _HALF = np.float32(TILE), np.float32(TILE / 2)
_EPS = np.float32(1e-3)  # px of a segment's own normal that are mixed in
_THIN = np.float32(0.7072)  # radius under which a pixel can see both edges
_DEEP = np.float32(5.66)  # px inside the edge: a tile with its centre there is wholly covered
_FAR = np.float32(1e14)  # squared distance of a pixel that no segment has met
_K_MIN = np.float32(1e-3)  # the least component of a normal
_T_MIN = np.float32(1e-30)  # less transmittance is none: denormal numbers are slow

# A tile's planes lie behind each other, 64 numbers each.
_P1, _P2, _P3, _P4, _P5, _P6, _P7 = (PIXELS * i for i in range(1, 8))
_NEAR, _KEPT, _SHOWN, _SEEN = 3 * PIXELS, 5 * PIXELS, 7 * PIXELS, 8 * PIXELS  # of these kinds

# No "nnan"/"ninf": comparisons with NaN keep their meaning.
_fast = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
_inline = {**_fast, "cache": False, "forceinline": True}


@intrinsic
def _select(typingctx, condition, a, b):
    """`a if condition else b` without a branch, so that loops vectorise."""

    def emit(context, builder, signature, args):
        return builder.select(*args)

    return a(types.boolean, a, a), emit


@intrinsic
def _at(typingctx, array, index):
    """A pointer to array.flat[index] (float32): functions on it count no references."""

    def emit(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        return builder.gep(data, [args[1]])

    return types.CPointer(types.float32)(array, types.int64), emit


@intrinsic
def _move8(typingctx, target, source):
    """Copies 8 numbers from one pointer to another."""

    def emit(context, builder, signature, args):
        eight = ir.VectorType(ir.FloatType(), TILE).as_pointer()
        to, at = (builder.bitcast(pointer, eight) for pointer in args)
        builder.store(builder.load(at, align=4), to, align=4)
        return context.get_dummy_value()

    return types.void(target, source), emit


# --- one tile --------------------------------------------------------------------------------


@njit(**_inline)
def _forget(tile_at):
    """Makes a tile one that no segment has met."""
    tile = carray(tile_at, (_NEAR,))
    for i in range(PIXELS):
        tile[i] = _FAR
        tile[_P1 + i] = _ONE
        tile[_P2 + i] = _ONE


@njit(**_inline)
def _square_from(line_at, x, y):
    """The squared distance of one point from a segment."""
    line = carray(line_at, (LINE,))
    dx, dy = x - line[AX], y - line[AY]
    t = min(max((dx * line[EX] + dy * line[EY]) * line[INV], _Z), _ONE)
    dx -= t * line[EX]
    dy -= t * line[EY]
    return dx * dx + dy * dy


@njit(**_inline)
def _nearest(tile_at, px_at, py_at, line_at, x, y, count, number, numbered):
    """Lowers planes 0..2 of a tile, the squared distance and |p - q| by component, to those of a
    segment where it is nearer; plane 3, if `numbered`, then notes its number."""
    tile, line = carray(tile_at, (_KEPT,)), carray(line_at, (LINE,))
    px, py = carray(px_at, (PIXELS,)), carray(py_at, (PIXELS,))
    ox, oy = x - line[AX], y - line[AY]
    ex, ey, inv = line[EX], line[EY], line[INV]
    nx, ny = _EPS * line[NX], _EPS * line[NY]
    for i in range(count):
        dx = px[i] + ox
        dy = py[i] + oy
        t = min(max((dx * ex + dy * ey) * inv, _Z), _ONE)
        dx -= t * ex
        dy -= t * ey
        square = dx * dx + dy * dy
        closer = square < tile[i]
        tile[i] = _select(closer, square, tile[i])
        tile[_P1 + i] = _select(closer, abs(dx) + nx, tile[_P1 + i])
        tile[_P2 + i] = _select(closer, abs(dy) + ny, tile[_P2 + i])
        if numbered:
            tile[_P3 + i] = _select(closer, number, tile[_P3 + i])


@njit(**_inline)
def _area(square, nx, ny, radius, thin):
    """Coverage of a pixel, its slope by the radius, and that by |p - q| over |p - q|.

    nx, ny: the normal times |p - q|; the lengths below carry that factor, which saves divisions.
    """
    d = math.sqrt(square)
    long = d + _EPS
    m = max(nx, ny)
    k = max(min(nx, ny), _K_MIN * long)
    inv = _ONE / (m * k)
    h1, h0 = (m + k) * _H, (m - k) * _H
    a = abs(radius - d) * long
    z = min(max(h1 - a, _Z), k)
    near = z * inv
    tail = near * (_H * z + max(h0 - a, _Z))
    cover = _select(radius >= d, _ONE - tail, tail)
    if thin:
        a = (radius + d) * long
        z = min(max(h1 - a, _Z), k)
        far = z * inv
        cover -= far * (_H * z + max(h0 - a, _Z))
        return cover, (near + far) * long, far - near
    return cover, near * long, -near


@njit(**_inline)
def _over(tile_at, shown_at, count, paint_at, thin):
    """Puts a stroke behind what a tile shows, whose planes are T, r, g, b."""
    tile, shown, paint = carray(tile_at, (_NEAR,)), carray(shown_at, (_P4,)), carray(paint_at, (5,))
    r, g, b, alpha, radius = paint[0], paint[1], paint[2], paint[3], paint[4]
    for i in range(count):
        cover, _, _ = _area(tile[i], tile[_P1 + i], tile[_P2 + i], radius, thin)
        weight = shown[i] * alpha * cover
        shown[_P1 + i] += weight * r
        shown[_P2 + i] += weight * g
        shown[_P3 + i] += weight * b
        through = shown[i] - weight
        shown[i] = _select(through > _T_MIN, through, _Z)


@njit(**_inline)
def _over_all(shown_at, paint_at):
    """As `_over`, where the stroke covers the whole tile."""
    shown, paint = carray(shown_at, (_P4,)), carray(paint_at, (5,))
    r, g, b, alpha = paint[0], paint[1], paint[2], paint[3]
    for i in range(PIXELS):
        weight = shown[i] * alpha
        shown[_P1 + i] += weight * r
        shown[_P2 + i] += weight * g
        shown[_P3 + i] += weight * b
        through = shown[i] - weight
        shown[i] = _select(through > _T_MIN, through, _Z)


@njit(**_inline)
def _keep_all(tile_at, seen_at, paint_at):
    """As `_keep`, where the stroke covers the whole tile."""
    tile, seen, paint = (
        carray(tile_at, (_KEPT,)),
        carray(seen_at, (PIXELS,)),
        carray(paint_at, (5,)),
    )
    alpha = paint[3]
    for i in range(PIXELS):
        tile[i] = _ONE
        tile[_P1 + i] = _Z
        tile[_P2 + i] = _Z
        tile[_P4 + i] = seen[i]
        through = seen[i] - seen[i] * alpha
        seen[i] = _select(through > _T_MIN, through, _Z)


@njit(**_inline)
def _keep(tile_at, seen_at, count, paint_at, thin):
    """Turns planes 0..2 of a tile into coverage and its two slopes, notes in plane 4 the
    transmittance above, the first plane of `seen`, and lowers that."""
    tile, seen = carray(tile_at, (_KEPT,)), carray(seen_at, (PIXELS,))
    paint = carray(paint_at, (5,))
    alpha, radius = paint[3], paint[4]
    for i in range(count):
        cover, by_radius, by_distance = _area(tile[i], tile[_P1 + i], tile[_P2 + i], radius, thin)
        tile[i] = cover
        tile[_P1 + i] = by_radius
        tile[_P2 + i] = by_distance
        tile[_P4 + i] = seen[i]
        through = seen[i] - seen[i] * alpha * cover
        seen[i] = _select(through > _T_MIN, through, _Z)


@njit(**_inline)
def _blame(tile_at, seen_at, count, paint_at):
    """The gradients of one stroke in one tile, from back to front.

    Planes of `seen`: 1, <gradient, what lies behind>, which is updated; 2..4, the gradient.
    Plane 2 of the tile becomes the gradient of |p - q| over |p - q|.

    Returns:
        The sums for r, g, b, alpha and radius, and that of the size of plane 2.
    """
    tile, seen, paint = carray(tile_at, (_KEPT,)), carray(seen_at, (_P5,)), carray(paint_at, (5,))
    r, g, b, alpha = paint[0], paint[1], paint[2], paint[3]
    sum_r = sum_g = sum_b = sum_a = sum_w = size = _Z
    for i in range(count):
        u, v, w = seen[_P2 + i], seen[_P3 + i], seen[_P4 + i]
        better = u * r + v * g + w * b - seen[_P1 + i]
        through = tile[_P4 + i] * tile[i]
        sum_r += through * u
        sum_g += through * v
        sum_b += through * w
        sum_a += through * better
        edge = tile[_P4 + i] * better * alpha
        sum_w += edge * tile[_P1 + i]
        pull = edge * tile[_P2 + i]
        size += abs(pull)
        seen[_P1 + i] += alpha * tile[i] * better
        tile[_P2 + i] = pull
    return sum_r * alpha, sum_g * alpha, sum_b * alpha, sum_a, sum_w, size


@njit(**_inline)
def _pull(tile_at, px_at, py_at, line_at, x, y, count, number):
    """What the pixels nearest to a segment do to its ends: (ax, ay, bx, by)."""
    tile, line = carray(tile_at, (_KEPT,)), carray(line_at, (LINE,))
    px, py = carray(px_at, (PIXELS,)), carray(py_at, (PIXELS,))
    ox, oy = x - line[AX], y - line[AY]
    ex, ey, inv = line[EX], line[EY], line[INV]
    sx = sy = tx = ty = _Z
    for i in range(count):
        dx = px[i] + ox
        dy = py[i] + oy
        t = min(max((dx * ex + dy * ey) * inv, _Z), _ONE)
        w = _select(tile[_P3 + i] == number, tile[_P2 + i], _Z)
        dx = (dx - t * ex) * w
        dy = (dy - t * ey) * w
        sx += dx
        sy += dy
        tx += t * dx
        ty += t * dy
    return tx - sx, ty - sy, -tx, -ty


# --- strips of an image ----------------------------------------------------------------------


@njit(**_inline)
def _read(image, scene, top, tiles, plane, live):
    """The strip at row `top` of (B, 3, H, W) into three planes of the live tiles; beyond the canvas
    these become 0."""
    _, _, height, width = image.shape
    stride = tiles.shape[1]
    for c in range(3):
        for row in range(TILE):
            at = ((scene * 3 + c) * height + top + row) * width
            to = plane + c * PIXELS + row * TILE
            for j in live:
                if top + row < height and (j + 1) * TILE <= width:
                    _move8(_at(tiles, j * stride + to), _at(image, at + j * TILE))
                    continue
                for i in range(TILE):
                    tiles[j, to + i] = _Z
                    if top + row < height and j * TILE + i < width:
                        tiles[j, to + i] = image[scene, c, top + row, j * TILE + i]


@njit(**_inline)
def _read_background(background, scene, top, tiles, plane, live):
    """As `_read`, from (1 or B, 3, 1, 1), a colour, or (1 or B, 3, H, W), an image."""
    scene = min(scene, background.shape[0] - 1)
    if background.shape[2] * background.shape[3] > 1:
        _read(background, scene, top, tiles, plane, live)
        return
    for c in range(3):
        value = background[scene, c, 0, 0]
        for j in live:
            tile = carray(_at(tiles, j * tiles.shape[1] + plane + c * PIXELS), (PIXELS,))
            for i in range(PIXELS):
                tile[i] = value


@njit(**_inline)
def _write(image, scene, top, tiles, plane, live, background):
    """The strip at row `top` of (B, 3, H, W): three planes of the live tiles, else background."""
    _, _, height, width = image.shape
    stride = tiles.shape[1]
    behind = min(scene, background.shape[0] - 1)
    picture = background.shape[2] * background.shape[3] > 1
    for c in range(3):
        for y in range(top, min(top + TILE, height)):
            if picture:
                for x in range(width):
                    image[scene, c, y, x] = background[behind, c, y, x]
            else:
                value = background[behind, c, 0, 0]
                for x in range(width):
                    image[scene, c, y, x] = value
            at = ((scene * 3 + c) * height + y) * width
            to = plane + c * PIXELS + (y - top) * TILE
            for j in live:
                if (j + 1) * TILE <= width:
                    _move8(_at(image, at + j * TILE), _at(tiles, j * stride + to))
                    continue
                for x in range(j * TILE, width):
                    image[scene, c, y, x] = tiles[j, to + x - j * TILE]


# --- the two passes --------------------------------------------------------------------------


@njit(**_fast)
def forward(lines, owner, paint, items, start, background, px, py, image, counts, job, end):
    """Draws the strips [job, end).

    Args:
        lines, owner: from `flatten.draw_all`; paint: from `flatten.survey`.
        items, start: from `boxes.sort`.
        background: (1 or B, 3, 1, 1) or (1 or B, 3, H, W) float32.
        px, py: PIXEL_X, PIXEL_Y.
        image: (B, 3, H, W) float32, written.
        counts: (B * strips,) int64, written: the (stroke, tile) pairs of each strip, by which
            `backward` sizes its scratch.
        job, end: strips are numbered through all scenes.
    """
    _, _, height, width = image.shape
    tiles, strips = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    near = np.empty((tiles, _NEAR), np.float32)
    shown = np.empty((tiles, _SHOWN), np.float32)  # T, r, g, b, background
    met = np.full(tiles, -1, np.int64)  # the last group of items that met the tile
    lit = np.full(tiles, -1, np.int64)  # the last strip in which anything met it
    live = np.empty(tiles, np.int64)  # the tiles met in this strip
    order = np.empty(tiles, np.int64)
    low, high = np.empty(tiles, np.int64), np.empty(tiles, np.int64)
    whole = np.empty(tiles, np.bool_)
    for now in range(job, end):
        scene, top = now // strips, (now % strips) * TILE
        y = np.float32(top)
        counts[now] = count = 0
        item = start[now + 1] - 1
        while item >= start[now]:
            # 1. the distance to one stroke, from all its segments in this strip
            s, group, found = owner[items[item, 0]], item, 0
            deep = max(paint[s, 4] - _DEEP, _Z)
            while item >= start[now] and owner[items[item, 0]] == s:
                k, begin, stop = items[item, 0], items[item, 3] & 255, items[item, 3] >> 8
                for j in range(items[item, 1], items[item, 2]):
                    if met[j] != group:
                        met[j] = group
                        order[found] = j
                        found += 1
                        low[j], high[j], whole[j] = begin, stop, False
                        _forget(_at(near, j * _NEAR))
                    if deep > _Z and not whole[j]:
                        x, square = np.float32(j * TILE), deep * deep
                        middle = _square_from(_at(lines, k * LINE), x + _HALF, y + _HALF)
                        whole[j] = middle < square
                    if whole[j]:
                        continue
                    low[j], high[j] = min(low[j], begin), max(high[j], stop)
                    _nearest(
                        _at(near, j * _NEAR + begin),
                        _at(px, begin),
                        _at(py, begin),
                        _at(lines, k * LINE),
                        np.float32(j * TILE),
                        y,
                        stop - begin,
                        _Z,
                        False,
                    )
                item -= 1
            # 2. the stroke behind those drawn before
            counts[now] += found
            thin = paint[s, 4] < _THIN
            for f in range(found):
                j = order[f]
                if lit[j] != now:
                    lit[j] = now
                    live[count] = j
                    count += 1
                    for i in range(PIXELS):
                        shown[j, i] = _ONE
                        shown[j, _P1 + i] = _Z
                        shown[j, _P2 + i] = _Z
                        shown[j, _P3 + i] = _Z
                if whole[j]:
                    _over_all(_at(shown, j * _SHOWN), _at(paint, s * 5))
                    continue
                at, to = j * _NEAR + low[j], j * _SHOWN + low[j]
                _over(_at(near, at), _at(shown, to), high[j] - low[j], _at(paint, s * 5), thin)
        # 3. the background behind all
        _read_background(background, scene, top, shown, _P4, live[:count])
        for j in live[:count]:
            for i in range(PIXELS):
                shown[j, _P1 + i] += shown[j, i] * shown[j, _P4 + i]
                shown[j, _P2 + i] += shown[j, i] * shown[j, _P5 + i]
                shown[j, _P3 + i] += shown[j, i] * shown[j, _P6 + i]
        _write(image, scene, top, shown, _P1, live[:count], background)


@njit(**_fast)
def backward(
    lines,
    owner,
    paint,
    items,
    start,
    background,
    px,
    py,
    grad,
    counts,
    geometry,
    pulls,
    sums,
    behind,
    job,
    end,
):
    """The gradient of `forward`, for the strips [job, end).

    Args:
        grad: (B, 3, H, W) float32, the gradient of the image.
        counts: as `forward` wrote it.
        geometry: whether the gradient of the segments' ends is wanted.
        pulls: (I, 4) float32, written if so: (ax, ay, bx, by) of each item.
        sums: (I, 5) float32, written: r, g, b, alpha and radius, at the first item of each stroke
            in each strip.
        behind: (B, 3, H, W), written: the gradient of the background; or empty.
    """
    _, _, height, width = grad.shape
    tiles, strips = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    most = most_items = 0
    for now in range(job, end):
        most = max(most, counts[now])
        most_items = max(most_items, start[now + 1] - start[now])
    kept = np.empty((most, _KEPT), np.float32)
    column = np.empty(most, np.int64)
    low, high = np.empty(most, np.int64), np.empty(most, np.int64)
    whole, strong = np.empty(most, np.bool_), np.empty(most, np.bool_)
    groups = np.empty((most_items, 2), np.int64)
    seen = np.empty((tiles, _SEEN), np.float32)  # T, <grad, behind>, grad, background
    fragment = np.empty(tiles, np.int64)  # of the stroke at hand in each tile
    lit = np.full(tiles, -1, np.int64)
    live = np.empty(tiles, np.int64)
    for now in range(job, end):
        scene, top = now // strips, (now % strips) * TILE
        y = np.float32(top)
        # 1. front to back: coverage and transmittance of every stroke in every tile
        fragment[:] = -1
        used = strokes = count = 0
        item = start[now + 1] - 1
        while item >= start[now]:
            s, begun = owner[items[item, 0]], used
            deep = max(paint[s, 4] - _DEEP, _Z)
            while item >= start[now] and owner[items[item, 0]] == s:
                k, begin, stop = items[item, 0], items[item, 3] & 255, items[item, 3] >> 8
                for j in range(items[item, 1], items[item, 2]):
                    f = fragment[j]
                    if f < begun:
                        f = fragment[j] = used
                        used += 1
                        column[f], low[f], high[f], whole[f] = j, begin, stop, False
                        _forget(_at(kept, f * _KEPT))
                    if deep > _Z and not whole[f]:
                        x, square = np.float32(j * TILE), deep * deep
                        middle = _square_from(_at(lines, k * LINE), x + _HALF, y + _HALF)
                        whole[f] = middle < square
                    if whole[f]:
                        continue
                    low[f], high[f] = min(low[f], begin), max(high[f], stop)
                    _nearest(
                        _at(kept, f * _KEPT + begin),
                        _at(px, begin),
                        _at(py, begin),
                        _at(lines, k * LINE),
                        np.float32(j * TILE),
                        y,
                        stop - begin,
                        np.float32(item - start[now]),
                        True,
                    )
                item -= 1
            groups[strokes, 0], groups[strokes, 1] = used, item + 1
            strokes += 1
            thin = paint[s, 4] < _THIN
            for f in range(begun, used):
                j = column[f]
                if lit[j] != now:
                    lit[j] = now
                    live[count] = j
                    count += 1
                    for i in range(PIXELS):
                        seen[j, i] = _ONE
                if whole[f]:
                    low[f], high[f] = 0, PIXELS
                    _keep_all(_at(kept, f * _KEPT), _at(seen, j * _SEEN), _at(paint, s * 5))
                    continue
                at, to = f * _KEPT + low[f], j * _SEEN + low[f]
                _keep(_at(kept, at), _at(seen, to), high[f] - low[f], _at(paint, s * 5), thin)
        # 2. what lies behind all
        _read(grad, scene, top, seen, _P2, live[:count])
        _read_background(background, scene, top, seen, _P5, live[:count])
        for j in live[:count]:
            for i in range(PIXELS):
                r, g, b = seen[j, _P5 + i], seen[j, _P6 + i], seen[j, _P7 + i]
                u, v, w = seen[j, _P2 + i], seen[j, _P3 + i], seen[j, _P4 + i]
                seen[j, _P1 + i] = u * r + v * g + w * b
        # 3. back to front
        for n in range(strokes - 1, -1, -1):
            begun, until = 0, start[now + 1]
            if n:
                begun, until = groups[n - 1, 0], groups[n - 1, 1]
            group = groups[n, 1]
            s = owner[items[group, 0]]
            sum_r = sum_g = sum_b = sum_a = sum_w = _Z
            for f in range(begun, groups[n, 0]):
                fragment[column[f]] = f
                at, to = f * _KEPT + low[f], column[f] * _SEEN + low[f]
                r, g, b, a, w, size = _blame(
                    _at(kept, at), _at(seen, to), high[f] - low[f], _at(paint, s * 5)
                )
                sum_r += r
                sum_g += g
                sum_b += b
                sum_a += a
                sum_w += w
                strong[f] = size > _Z
            sums[group, 0], sums[group, 1], sums[group, 2] = sum_r, sum_g, sum_b
            sums[group, 3], sums[group, 4] = sum_a, sum_w
            if not geometry:
                continue
            for item in range(group, until):
                k, begin, stop = items[item, 0], items[item, 3] & 255, items[item, 3] >> 8
                sum_ax = sum_ay = sum_bx = sum_by = _Z
                for j in range(items[item, 1], items[item, 2]):
                    if not strong[fragment[j]]:
                        continue
                    ax, ay, bx, by = _pull(
                        _at(kept, fragment[j] * _KEPT + begin),
                        _at(px, begin),
                        _at(py, begin),
                        _at(lines, k * LINE),
                        np.float32(j * TILE),
                        y,
                        stop - begin,
                        np.float32(item - start[now]),
                    )
                    sum_ax += ax
                    sum_ay += ay
                    sum_bx += bx
                    sum_by += by
                pulls[item, 0], pulls[item, 1] = sum_ax, sum_ay
                pulls[item, 2], pulls[item, 3] = sum_bx, sum_by
        # 4. the background's own gradient
        if behind.size:
            for j in live[:count]:
                for i in range(PIXELS):
                    seen[j, _P5 + i] = seen[j, i] * seen[j, _P2 + i]
                    seen[j, _P6 + i] = seen[j, i] * seen[j, _P3 + i]
                    seen[j, _P7 + i] = seen[j, i] * seen[j, _P4 + i]
            _write(behind, scene, top, seen, _P5, live[:count], grad)


@njit(**_fast)
def gather(owner, items, start, geometry, pulls, sums, rgba, half, ends, width, colours):
    """Sums what `backward` wrote, always in the same order.

    Args:
        rgba: (S, 4) float32 as given: no gradient goes to what `flatten.survey` clamped.
        half: float32, radius in px per unit of width.
        ends: (N, 4) float32, zeros, added to if `geometry`: for `flatten.control_gradients`.
        width: (S,) float32, colours: (S, 4) float32, zeros, added to: their gradients.
    """
    for strip in range(start.shape[0] - 1):
        last = -1
        for item in range(start[strip], start[strip + 1]):
            k = items[item, 0]
            if geometry:
                for i in range(4):
                    ends[k, i] += pulls[item, i]
            if owner[k] != last:
                last = owner[k]
                width[last] += half * sums[item, 4]
                for i in range(4):
                    if _Z <= rgba[last, i] <= _ONE:
                        colours[last, i] += sums[item, i]
