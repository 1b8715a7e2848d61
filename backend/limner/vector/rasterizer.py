"""The rasterizer's public face: packed strokes in, a differentiable picture out.

    image = render(strokes, (224, 224))              # (1, 3, 224, 224) in [0, 1]
    image.square().mean().backward()                 # points, width and rgba have gradients
    large = render(strokes, (224, 224), scale=4)     # the same drawing at 896x896

Strokes have round caps and joins and lie over each other in painting order on a background, as an
SVG viewer shows them; `kernels_cpu` states the model. A rasterizer is chosen for the device of the
strokes, or by name; a new one is a module with the two methods of `canvas.Rasterizer` and a line in
`_MAKERS`.

It does not write or read SVG (`svg` does), nor draw filled shapes, gradients or dashes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from limner.vector.canvas import Canvas, Rasterizer, Wanted
from limner.vector.strokes import Strokes

WHITE = (1.0, 1.0, 1.0)
LARGEST_SIDE_PX = 32768  # of the picture that is drawn


def render(
    strokes: Strokes,
    size: tuple[int, int],
    *,
    background: Tensor | tuple[float, float, float] = WHITE,
    scale: float = 1.0,
    scenes: Tensor | None = None,
    rasterizer: str | None = None,
) -> Tensor:
    """Draws strokes; differentiable with respect to points, width, rgba and background.

    A stroke draws nothing and gets zero gradient if one of its numbers is not finite, its width is
    not above 0, or one of its control points lies beyond a million pixels. One whose points all
    coincide draws a round dot. rgba is clamped to [0, 1], with no gradient beyond.

    Args:
        strokes: in painting order; may be empty, and may lie partly or wholly off the canvas.
        size: (height, width) of the canvas in the strokes' pixels.
        background: a colour, as a tuple or (3,); an image (3, H, W); or one for each scene
            (B, 3, H, W). H and W are those of the result.
        scale: the result is so many times larger, drawn afresh and sharp.
        scenes: (B+1,) int64 from 0 to strokes.count, for several drawings in one `Strokes`: scene b
            holds the strokes scenes[b]:scenes[b+1], maybe none. One drawing if None.
        rasterizer: "numba", "cuda", "reference" or "diffvg"; by device if None.

    Returns:
        (B, 3, round(height * scale), round(width * scale)) float32 in [0, 1], sRGB, on the
        strokes' device.

    Raises:
        ValueError: if sizes, scale, scenes or background do not fit.
        RuntimeError: if the named rasterizer cannot run here.
    """
    chosen = choose(strokes.points.device, rasterizer)
    return render_with(chosen, strokes, size, background=background, scale=scale, scenes=scenes)


def render_with(
    rasterizer: Rasterizer,
    strokes: Strokes,
    size: tuple[int, int],
    *,
    background: Tensor | tuple[float, float, float] = WHITE,
    scale: float = 1.0,
    scenes: Tensor | None = None,
) -> Tensor:
    """`render` with a rasterizer of the caller's own."""
    height, width = _size(size, scale)
    scenes = _scenes(scenes, strokes.count)
    count = len(scenes) - 1
    image: Tensor = _Render.apply(
        strokes.points.float().contiguous(),
        strokes.width.float().contiguous(),
        strokes.rgba.float().contiguous(),
        _background(background, strokes.points.device, count, height, width),
        Canvas(height, width, float(scale), strokes.offsets, scenes),
        rasterizer,
    )
    return image


class _Render(torch.autograd.Function):
    """The one autograd function: any rasterizer forward, its own analytic gradient backward."""

    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        width: Tensor,
        rgba: Tensor,
        background: Tensor,
        canvas: Canvas,
        rasterizer: Rasterizer,
    ) -> Tensor:
        image, ctx.trace = rasterizer.draw(points, width, rgba, background, canvas)
        ctx.rasterizer, ctx.background = rasterizer, background.shape
        return image

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        wanted = Wanted(*ctx.needs_input_grad[:4])
        points, width, rgba, background = ctx.rasterizer.pull(ctx.trace, grad, wanted)
        if background is not None:
            background = background.sum_to_size(ctx.background)
        return points, width, rgba, background, None, None


def _size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) of the result."""
    if not (math.isfinite(scale) and scale > 0 and min(size) > 0):
        raise ValueError(f"cannot draw {size[0]}x{size[1]} px at scale {scale}")
    height, width = round(size[0] * scale), round(size[1] * scale)
    if not 0 < min(height, width) <= max(height, width) <= LARGEST_SIDE_PX:
        raise ValueError(f"cannot draw {height}x{width} px: 1 to {LARGEST_SIDE_PX} px on a side")
    return height, width


@lru_cache(maxsize=64)
def _one_scene(count: int) -> Tensor:
    return torch.tensor([0, count])


def _scenes(scenes: Tensor | None, count: int) -> Tensor:
    if scenes is None:
        return _one_scene(count)
    scenes = scenes.to("cpu", torch.int64).contiguous()
    if scenes.ndim != 1 or len(scenes) < 2 or int(scenes[0]) != 0 or int(scenes[-1]) != count:
        raise ValueError(f"scenes must rise from 0 to {count}, the number of strokes")
    if bool((scenes.diff() < 0).any()):
        raise ValueError("scenes must not fall")
    return scenes


@lru_cache(maxsize=64)
def _colour(rgb: tuple[float, float, float], device: torch.device) -> Tensor:
    return torch.tensor(rgb, dtype=torch.float32, device=device).view(1, 3, 1, 1)


def _background(
    background: Tensor | tuple[float, float, float],
    device: torch.device,
    scenes: int,
    height: int,
    width: int,
) -> Tensor:
    """The background as (1 or B, 3, 1, 1) or (1 or B, 3, H, W) float32 on the strokes' device."""
    if isinstance(background, tuple):
        return _colour(background, device)
    image = background.to(device, torch.float32)
    if image.ndim == 1:
        image = image[:, None, None]
    if image.ndim == 3:
        image = image[None]
    fits = image.ndim == 4 and image.shape[0] in (1, scenes) and image.shape[1] == 3
    if not fits or tuple(image.shape[2:]) not in ((1, 1), (height, width)):
        raise ValueError(
            f"a background {tuple(background.shape)} does not fit {scenes} x 3 x {height} x {width}"
        )
    return image.contiguous()


# --- the choice --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """One rasterizer and whether it can run here, for `limner doctor`.

    Attributes:
        name: for `render(rasterizer=...)`.
        device: type of the devices it draws on; "any" for all.
        missing: why it cannot run here; None if it can.
    """

    name: str
    device: str
    missing: str | None


def _numba() -> Rasterizer:
    from limner.vector.cpu import Numba

    return Numba()


def _cuda() -> Rasterizer:
    from limner.vector.cuda import Cuda

    return Cuda()


def _reference() -> Rasterizer:
    from limner.vector import reference

    return reference.rasterizer()


def _diffvg() -> Rasterizer:
    from limner.vector import diffvg

    return diffvg.rasterizer()


_MAKERS: dict[str, tuple[str, Callable[[], Rasterizer]]] = {  # the preferred first
    "cuda": ("cuda", _cuda),
    "numba": ("any", _numba),
    "reference": ("any", _reference),
    "diffvg": ("any", _diffvg),
}


@cache
def _make(name: str) -> Rasterizer | str:
    """The rasterizer of that name, or why it cannot run."""
    try:
        return _MAKERS[name][1]()
    except (ImportError, RuntimeError) as error:
        return str(error)


def choose(device: torch.device, name: str | None = None) -> Rasterizer:
    """The rasterizer of that name, or the best that runs here.

    That is the GPU's own kernels for CUDA tensors; numba for all others, whose numbers it copies to
    the CPU and back; and the reference where numba cannot run. diffvg comes by name alone.

    Raises:
        ValueError: for an unknown name, or one that does not draw on the device.
        RuntimeError: if it cannot run here; the text says why.
    """
    return _choose(device.type, name)


@cache
def _choose(device: str, name: str | None) -> Rasterizer:
    if name is None:
        for own in ("cuda", "numba"):
            if _MAKERS[own][0] in ("any", device) and not isinstance(found := _make(own), str):
                return found
        name = "reference"
    if name not in _MAKERS:
        raise ValueError(f"no rasterizer {name!r}; there are {', '.join(_MAKERS)}")
    if _MAKERS[name][0] not in ("any", device):
        raise ValueError(f"the rasterizer {name!r} does not draw on {device}")
    made = _make(name)
    if isinstance(made, str):
        raise RuntimeError(f"the rasterizer {name!r} cannot run here: {made}")
    return made


def choices() -> list[Choice]:
    """All rasterizers; tries each out."""
    return [
        Choice(name, kind, made if isinstance(made := _make(name), str) else None)
        for name, (kind, _) in _MAKERS.items()
    ]
