"""Strokes in space, seen by cameras that turn about the middle of the canvas.

The cameras are infinitely far (orthographic), so a Bézier's projection is exactly the Bézier of
its projected control points, and widths stay what they are. With the middle at depth 0 as origin,
x to the right, y down and z away from the viewer, the camera at azimuth a and elevation e looks
along `forward` and has beside it `right` and `down`, the rows of

    [  cos a          0       sin a        ]
    [  sin a sin e    cos e  -cos a sin e  ]
    [ -sin a cos e    sin e   cos a cos e  ]

Azimuth 0 is the front view; 90 looks from the right, at the side whose x is large; elevation 90
looks from above. In each view, the strokes are painted far to near by the mean of their control
points, so the strokes of a drawing have no order of their own.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from limner.vector.strokes import Strokes, rows_of


def turns(cameras: Tensor) -> Tensor:
    """(C, 3, 3): for each camera the rows right, down and forward; see the module's text.

    Args:
        cameras: (C, 2) azimuth and elevation in degrees.
    """
    azimuth, elevation = torch.deg2rad(cameras).unbind(-1)
    (sin_a, cos_a), (sin_e, cos_e) = ((t.sin(), t.cos()) for t in (azimuth, elevation))
    right = torch.stack([cos_a, torch.zeros_like(cos_a), sin_a], -1)
    down = torch.stack([sin_a * sin_e, cos_e, -cos_a * sin_e], -1)
    forward = torch.stack([-sin_a * cos_e, sin_e, cos_a * cos_e], -1)
    return torch.stack([right, down, forward], 1)


def views(
    strokes: Strokes, cameras: Tensor, size: tuple[int, int], scenes: Tensor | None = None
) -> tuple[Strokes, Tensor]:
    """What each camera sees, as flat strokes in painting order; differentiable.

    Args:
        strokes: with depth; maybe several drawings.
        cameras: (C, 2) azimuth and elevation in degrees.
        size: (height, width) of the canvas in pixels.
        scenes: (B+1,) int64 on the CPU, where the drawings begin; one drawing if None.

    Returns:
        All views in one `Strokes`, every drawing by the first camera first, and the (C B + 1,)
        scenes in it.
    """
    if scenes is None:
        scenes = torch.tensor([0, strokes.count])
    count = len(cameras)
    seen = _turned(strokes, cameras, size)  # (C, P, 3)
    order = _far_to_near(strokes, seen[..., 2].detach(), scenes)  # (C, S)
    chosen = (order + torch.arange(count)[:, None] * strokes.count).flatten()
    rows, offsets = rows_of(_repeated(strokes.offsets, count), chosen)
    # every row is taken once: the gradients come together in `expand`, always in the same order
    chosen, rows = chosen.to(seen.device), rows.to(seen.device)
    flat = Strokes(
        seen[..., :2].reshape(-1, 2)[rows],
        offsets,
        strokes.width.expand(count, -1).reshape(-1)[chosen],
        strokes.rgba.expand(count, -1, -1).reshape(-1, 4)[chosen],
    )
    return flat, _repeated(scenes, count)


def painted(strokes: Strokes) -> Strokes:
    """The strokes in the painting order of the front view; a flat drawing as it is."""
    if strokes.depth is None:
        return strokes
    whole = torch.tensor([0, strokes.count])
    return strokes.select(_far_to_near(strokes, strokes.depth.detach()[None], whole)[0])


def spread(strokes: Strokes, depth_px: float) -> Strokes:
    """A flat drawing in space: each stroke at a depth, the last nearest, all within ±`depth_px`."""
    each = torch.linspace(depth_px, -depth_px, strokes.count, device=strokes.points.device)
    return replace(strokes, depth=each[strokes.owner])


def _turned(strokes: Strokes, cameras: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, P, 3) control points in pixels: x and y in each view's canvas, and away from it."""
    if strokes.depth is None:
        raise ValueError("a flat drawing has no views")
    height, width = size
    middle = strokes.points.new_tensor([width / 2, height / 2, 0])
    points = torch.cat([strokes.points, strokes.depth[:, None]], 1) - middle
    turned = points @ turns(cameras).to(points).transpose(1, 2)
    return turned + middle


def _far_to_near(strokes: Strokes, depths: Tensor, scenes: Tensor) -> Tensor:
    """(C, S) int64 on the CPU: each view's strokes, the farthest of each scene first.

    Args:
        depths: (C, P) of the control points in each view.
    """
    sums = depths.new_zeros(len(depths), strokes.count).index_add_(1, strokes.owner, depths)
    mean = sums / strokes.offsets.diff().to(depths.device)
    order = mean.argsort(dim=1, descending=True, stable=True).cpu()
    if len(scenes) == 2:
        return order
    scene = torch.repeat_interleave(torch.arange(len(scenes) - 1), scenes.diff())
    return order.gather(1, scene[order].argsort(dim=1, stable=True))


def _repeated(starts: Tensor, count: int) -> Tensor:
    """(count N + 1,) of (N + 1,): what rises from 0, `count` times one behind the other."""
    more = starts[1:] + torch.arange(count)[:, None] * starts[-1]
    return torch.cat([starts[:1], more.flatten()])
