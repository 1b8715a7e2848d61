"""diffvg (Li et al., "Differentiable vector graphics rasterization", 2020) as a rasterizer.

It is used by name alone, where `pydiffvg` is installed: it has no package on the index and is
hundreds of times slower on a CPU (`bench`). What differs from calling it plainly:

- Its "stroke_width" is a radius: half of ours, which is SVG's.
- The background goes in as an opaque image. Composited afterwards, as CLIPDraw does it, strokes
  get dark fringes: its sampling mode averages colours that are not premultiplied, so that samples
  without a stroke count as black.
- Strokes that it would abort the process over, with numbers that are not finite, are left out.

Prefiltered, its default here, it takes one sample at each pixel's centre; the gradient is
analytic and near the truth, but more than 64 strokes over one pixel abort the process (256
otherwise). Sampled, it is what CLIPDraw calls; the gradient is noisy, and biased where thick
strokes bend.
"""

from __future__ import annotations

from typing import Any

import pydiffvg
import torch
from torch import Tensor

from limner.vector.canvas import Canvas, Differentiated
from limner.vector.reference import draws


def rasterizer(samples: int = 1, prefilter: bool = True, seed: int = 0) -> Differentiated:
    """diffvg as a `canvas.Rasterizer`.

    Args:
        samples: per pixel, in each direction.
        prefilter: its analytic mode, which wants one sample.
        seed: of the samples; the same in every call.
    """

    def render(
        points: Tensor, width: Tensor, rgba: Tensor, background: Tensor, canvas: Canvas
    ) -> Tensor:
        images = []
        for scene in range(len(canvas.scenes) - 1):
            behind = background[min(scene, len(background) - 1)]
            behind = behind.expand(3, canvas.height, canvas.width).permute(1, 2, 0)
            shapes, groups = _scene(points, width, rgba.clamp(0, 1), canvas, scene)
            if shapes:
                opaque = torch.cat([behind, torch.ones_like(behind[..., :1])], -1).contiguous()
                scenery = pydiffvg.RenderFunction.serialize_scene(
                    canvas.width, canvas.height, shapes, groups, use_prefiltering=prefilter
                )
                size = (canvas.width, canvas.height, samples, samples, seed)
                drawn = pydiffvg.RenderFunction.apply(*size, opaque, *scenery)
                behind = drawn[..., :3].to(points.device)
            images.append(behind.permute(2, 0, 1))
        return torch.stack(images)

    return Differentiated("diffvg", render)


def _scene(
    points: Tensor, width: Tensor, rgba: Tensor, canvas: Canvas, scene: int
) -> tuple[list[Any], list[Any]]:
    """diffvg's shapes and shape groups, one each for every stroke of a scene that draws."""
    shapes: list[Any] = []
    groups: list[Any] = []
    for s in range(int(canvas.scenes[scene]), int(canvas.scenes[scene + 1])):
        control = points[int(canvas.offsets[s]) : int(canvas.offsets[s + 1])] * canvas.scale
        radius = width[s] * canvas.scale / 2
        if not draws(control, radius, rgba[s], canvas):
            continue
        counts = torch.full(((len(control) - 1) // 3,), 2, dtype=torch.int32)
        path = pydiffvg.Path(counts, control.contiguous(), False, stroke_width=radius)
        ids = torch.tensor([len(shapes)])
        shapes.append(path)
        groups.append(pydiffvg.ShapeGroup(ids, None, stroke_color=rgba[s].contiguous()))
    return shapes, groups
