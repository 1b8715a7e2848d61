"""Pictures in five hands, drawn with our own rasterizer: what style transfer is measured on.

Each hand draws arcs whose length, width and bend come from distributions that are written down
here, so that a drawing in its style can be held to them. What the strokes stand for is a soft
pattern of light and dark, made from a seed: the same hand can draw many contents, and many hands
the same content.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.vector.rasterizer import render
from limner.vector.shape import arc
from limner.vector.strokes import Strokes, pack

SIDE_PX = 224
HUMPS = 5  # of the pattern of light and dark

Colour = tuple[float, float, float]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layer:
    """One going-over of the sheet.

    Attributes:
        angle: the direction in which strokes run, in radians, and `stray`, how far they may turn
            from it to both sides.
        gap: how far strokes begin from each other, along that direction and across it, in pixels.
        darker: where the pattern is darker than this, from 0 (everywhere) to 1.
        shift: the place of a beginning is moved at random by up to so many gaps.
    """

    angle: float
    stray: float
    gap: Span
    darker: float = 0.0
    shift: Span = (0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Hand:
    """How someone draws: sizes are those on a sheet of 224 px, and log-uniform.

    Attributes:
        length, width: least and greatest, in pixels.
        bend: least and greatest turn of a stroke, in radians, uniform.
        inks: one is taken by the darkness of the place, the last for the darkest.
    """

    name: str
    paper: Colour
    inks: tuple[Colour, ...]
    opacity: float
    length: Span
    width: Span
    bend: Span
    layers: tuple[Layer, ...]


HANDS = (
    Hand("hatching", (0.98, 0.97, 0.94), ((0.13, 0.12, 0.16),), 1.0, (26, 44), (2.0, 2.6),
         (0.0, 0.12),
         (Layer(-0.8, 0.06, (46, 6.0), 0.2, (0.5, 0.12)),
          Layer(0.75, 0.06, (46, 6.0), 0.6, (0.5, 0.12)))),
    Hand("dots", (0.99, 0.96, 0.88),
         ((0.96, 0.74, 0.18), (0.90, 0.36, 0.22), (0.16, 0.45, 0.60), (0.15, 0.22, 0.42)), 1.0,
         (0.2, 0.6), (6.0, 9.5), (0.0, 0.0), (Layer(0.3, 3.1, (10.5, 10.5), 0.06, (0.3, 0.3)),)),
    Hand("gouache", (0.86, 0.80, 0.68),
         ((0.93, 0.84, 0.66), (0.85, 0.58, 0.42), (0.45, 0.57, 0.52), (0.24, 0.32, 0.40)), 1.0,
         (22, 44), (24.0, 36.0), (0.0, 0.5),
         (Layer(0.3, 0.5, (26, 20)), Layer(0.5, 0.5, (34, 27), 0.35))),
    Hand("line art", (1.0, 1.0, 1.0), ((0.05, 0.05, 0.07),), 1.0, (80, 170), (2.0, 2.6),
         (2.0, 5.0), (Layer(0.0, 3.1, (46, 40), 0.1),)),
    Hand("two-colour print", (0.96, 0.94, 0.89), ((0.93, 0.33, 0.26), (0.12, 0.30, 0.47)), 0.9,
         (45, 90), (9.0, 14.0), (0.2, 1.0),
         (Layer(0.1, 0.2, (52, 17), 0.12), Layer(1.2, 0.2, (52, 20), 0.5))),
)  # fmt: skip


def hand(name: str) -> Hand:
    """The hand of that name.

    Raises:
        KeyError: if there is none.
    """
    return {h.name: h for h in HANDS}[name]


@torch.no_grad()
def draw(style: Hand, content: int = 0, side_px: int = SIDE_PX) -> Tensor:
    """(3, side_px, side_px) in [0, 1]: what this hand makes of a content."""
    scale = side_px / SIDE_PX
    return render(strokes(style, content), (SIDE_PX,) * 2, background=style.paper, scale=scale)[0]


def strokes(style: Hand, content: int = 0) -> Strokes:
    """The strokes of that picture, on a sheet of 224 x 224 px."""
    noise = torch.Generator().manual_seed(content * 7919 + len(style.name))
    dark = darkness(content)
    return pack([s for layer in style.layers for s in _layer(style, layer, dark, noise)])


def darkness(content: int) -> Tensor:
    """(224, 224) in [0, 1]: a pattern of soft humps, its values spread evenly."""
    noise = torch.Generator().manual_seed(content * 104729 + 1)
    at = torch.rand(HUMPS, 2, generator=noise) * SIDE_PX
    wide = (0.12 + 0.2 * torch.rand(HUMPS, generator=noise)) * SIDE_PX
    sign = torch.where(torch.rand(HUMPS, generator=noise) < 0.7, 1.0, -1.0)
    ticks = torch.arange(SIDE_PX) + 0.5
    far = (ticks[None, :, None] - at[:, 1, None, None]) ** 2
    far = far + (ticks[None, None, :] - at[:, 0, None, None]) ** 2
    hills = (sign[:, None, None] * torch.exp(-far / (2 * wide[:, None, None] ** 2))).sum(0)
    return hills.flatten().argsort().argsort().reshape(hills.shape) / hills.numel()


def _layer(style: Hand, layer: Layer, dark: Tensor, noise: torch.Generator) -> list[Strokes]:
    along, across = layer.gap
    reach = int(SIDE_PX / min(layer.gap)) + 2
    a, b = torch.meshgrid(torch.arange(-reach, reach), torch.arange(-reach, reach), indexing="ij")
    cells = torch.stack([a, b], -1).reshape(-1, 2).float()
    shift = (torch.rand(cells.shape, generator=noise) * 2 - 1) * torch.tensor(layer.shift)
    local = (cells + shift) * torch.tensor([along, across])
    turn = torch.tensor([math.cos(layer.angle), math.sin(layer.angle)])
    x = local[:, 0] * turn[0] - local[:, 1] * turn[1] + SIDE_PX / 2
    y = local[:, 0] * turn[1] + local[:, 1] * turn[0] + SIDE_PX / 2
    middles = torch.stack([x, y], 1)[torch.randperm(len(x), generator=noise)]
    inside = ((middles >= 0) & (middles < SIDE_PX)).all(1)
    out = []
    for middle in middles[inside]:
        tone = float(dark[int(middle[1]), int(middle[0])])
        if tone >= layer.darker:
            out.append(_stroke(style, layer, middle, tone, noise))
    return out


def _stroke(
    style: Hand, layer: Layer, middle: Tensor, tone: float, noise: torch.Generator
) -> Strokes:
    u = torch.rand(7, generator=noise).tolist()
    length, width = _between(style.length, u[0]), _between(style.width, u[1])
    bend = style.bend[0] + (style.bend[1] - style.bend[0]) * u[2]
    bend = bend if u[3] < 0.5 else -bend
    heading = layer.angle + (2 * u[4] - 1) * layer.stray
    index = min(len(style.inks) - 1, int((tone + 0.2 * (u[5] - 0.5)) * len(style.inks)))
    ink = style.inks[max(0, index)]
    points = arc(middle, heading, length, bend)
    return Strokes(
        points,
        torch.tensor([0, len(points)]),
        torch.tensor([width]),
        torch.tensor([[*ink, style.opacity]]),
    )


def _between(span: Span, u: float) -> float:
    """Log-uniform."""
    low, high = span
    return low * math.exp(u * math.log(high / low))
