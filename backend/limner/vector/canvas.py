"""What `render` hands to a rasterizer, and what a rasterizer is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


class Canvas(NamedTuple):
    """What stays fixed in one call: sizes, and where strokes and scenes begin.

    Attributes:
        height, width: px of the picture that is drawn (after scaling).
        scale: factor of all points and widths.
        offsets: (S+1,) int64 on the CPU, as `Strokes.offsets`.
        scenes: (B+1,) int64 on the CPU: scene b holds the strokes scenes[b]:scenes[b+1].
    """

    height: int
    width: int
    scale: float
    offsets: Tensor
    scenes: Tensor


class Wanted(NamedTuple):
    """Which gradients a backward pass must find."""

    points: bool
    width: bool
    rgba: bool
    background: bool


class Gradients(NamedTuple):
    """What it found: like the tensors given to `draw`; None where not wanted."""

    points: Tensor | None
    width: Tensor | None
    rgba: Tensor | None
    background: Tensor | None


class Rasterizer(Protocol):
    """One way to draw. The autograd function in `rasterizer` wraps it; neither method sees a graph.

    Tensors are float32, contiguous, on one device: points (P, 2), width (S,), rgba (S, 4), and
    background (1 or B, 3, 1, 1), a colour, or (1 or B, 3, H, W), an image.
    """

    name: str

    def draw(
        self, points: Tensor, width: Tensor, rgba: Tensor, background: Tensor, canvas: Canvas
    ) -> tuple[Tensor, Any]:
        """The picture (B, 3, H, W), and whatever `pull` needs of this call."""

    def pull(self, trace: Any, grad: Tensor, wanted: Wanted) -> Gradients:
        """The gradients, from that of the picture; may be called more than once."""


class Differentiated:
    """A rasterizer from a function that torch itself can differentiate.

    Args:
        name: of the rasterizer.
        render: from what `draw` is given to the picture.
    """

    def __init__(
        self, name: str, render: Callable[[Tensor, Tensor, Tensor, Tensor, Canvas], Tensor]
    ) -> None:
        self.name = name
        self._render = render

    def draw(
        self, points: Tensor, width: Tensor, rgba: Tensor, background: Tensor, canvas: Canvas
    ) -> tuple[Tensor, tuple[list[Tensor], Tensor]]:
        leaves = [t.detach().requires_grad_() for t in (points, width, rgba, background)]
        with torch.enable_grad():
            image = self._render(leaves[0], leaves[1], leaves[2], leaves[3], canvas)
        return image.detach().contiguous(), (leaves, image)

    def pull(self, trace: tuple[list[Tensor], Tensor], grad: Tensor, wanted: Wanted) -> Gradients:
        leaves, image = trace
        asked = [leaf for leaf, want in zip(leaves, wanted, strict=True) if want]
        found = iter(
            torch.autograd.grad(
                image, asked, grad, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        )
        return Gradients(*(next(found) if want else None for want in wanted))
