"""A picture in another hand: grey, in a few inks, in outlines, hatched, in dots, in patches.

A tower that has only seen icons in their own colours takes a hatched teapot for a fishing net.
StyleCLIPDraw asks it for teapots in whatever hand the artist brings, so part of its training
pictures are restyled. These hands are pixel patterns, made in a moment for a whole batch; none of
them is drawn with strokes, as the style pictures are that the method is measured on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

LIGHT = torch.tensor([0.299, 0.587, 0.114])
FINER = 2  # patterns are made at so many times the size
TAU = 2 * math.pi


def restyled(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Each picture in a hand of its own, drawn at random.

    Args:
        pictures: (B, 3, H, W) in [0, 1].
        noise: where the randomness comes from, on the CPU.
    """
    which = torch.randint(len(HANDS), (len(pictures),), generator=noise)
    out = pictures.clone()
    for k, hand in enumerate(HANDS):
        mine = (which == k).nonzero().flatten()
        if len(mine):
            large = F.interpolate(
                pictures[mine], scale_factor=FINER, mode="bilinear", align_corners=False
            )
            out[mine] = F.avg_pool2d(hand(large, noise), FINER)
    return out.clamp(0, 1)


def toned(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Grey, or in the shades between a paper and an ink."""
    return _inked(_light(pictures), noise)


def printed(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """In two to four flat inks, light ones for what is light."""
    count = len(pictures)
    paper, dark = _paper_and_ink(count, noise)
    middle = torch.rand(count, 3, 1, 1, generator=noise)
    steps = torch.randint(2, 5, (count, 1, 1, 1), generator=noise)
    tone = ((_light(pictures) * steps).floor() / (steps - 1)).clamp(0, 1)
    over = torch.lerp(middle, paper, (tone * 2 - 1).clamp(0, 1))
    return torch.where(tone < 0.5, torch.lerp(dark, middle, tone * 2), over)


def outlined(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Lines where the picture changes."""
    return _inked(1 - _edges(pictures, noise), noise)


def hatched(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Two layers of parallel lines, the second in the dark parts; half of them with outlines."""
    count = len(pictures)
    dark = 1 - _light(pictures)
    ink = torch.zeros_like(dark)
    angle = _uniform(count, 0, TAU, noise)
    for layer, floor in enumerate(((0.05, 0.35), (0.4, 0.75))):
        turned = angle + layer * _uniform(count, 0.6, 1.6, noise)
        across, _ = _turned(pictures, turned)
        period, share = _uniform(count, 3.5, 12, noise), _uniform(count, 0.2, 0.5, noise)
        line = _edge((across / period).frac().abs() - share, -period)
        ink = torch.maximum(ink, line * (dark > _uniform(count, *floor, noise)))
    outline = _edges(pictures, noise) * (_uniform(count, 0, 1, noise) < 0.5)
    return _inked(1 - torch.maximum(ink, outline), noise)


def dotted(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Round dots on a grid, larger where it is darker; half of them in the picture's colours."""
    count = len(pictures)
    across, along = _turned(pictures, _uniform(count, 0, TAU, noise))
    period = _uniform(count, 4, 12, noise)
    apart = torch.stack([(v / period).remainder(1) - 0.5 for v in (across, along)])
    dark = F.avg_pool2d(1 - _light(pictures), 5, 1, 2, count_include_pad=False)
    radius = (dark * _uniform(count, 0.8, 1.2, noise)).sqrt() * 0.62
    dot = _edge(apart.norm(dim=0) - radius, -period) * (dark > 0.04)
    own = _uniform(count, 0, 1, noise) < 0.5
    paper, ink = _paper_and_ink(count, noise)
    blurred = F.avg_pool2d(pictures, 5, 1, 2, count_include_pad=False)
    return torch.lerp(paper, torch.where(own, blurred, ink.expand_as(blurred)), dot)


def patched(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Short broad strokes, each in one colour; half of them in shades of paper and ink."""
    count, _, height, width = pictures.shape
    turn = _uniform(count, 0, TAU, noise)
    across, along = _turned(pictures, turn)
    broad, long = _uniform(count, 5, 12, noise), _uniform(count, 8, 26, noise)
    row = (across / broad).floor()
    column = (along / long + (row * 0.618).frac()).floor()
    u, v = (row + 0.5) * broad, (column + 0.5 - (row * 0.618).frac()) * long
    x, y = u * turn.cos() - v * turn.sin(), u * turn.sin() + v * turn.cos()
    grid = torch.cat([x / width * 2, y / height * 2], 1).permute(0, 2, 3, 1)
    flat = F.grid_sample(
        F.avg_pool2d(pictures, 5, 1, 2, count_include_pad=False),
        grid, padding_mode="border", align_corners=False,
    )  # fmt: skip
    own = _uniform(count, 0, 1, noise) < 0.5
    return torch.where(own, flat, _inked(_light(flat), noise))


Hand = Callable[[Tensor, torch.Generator], Tensor]
HANDS: tuple[Hand, ...] = (toned, printed, outlined, hatched, dotted, patched)


def _light(pictures: Tensor) -> Tensor:
    """(B, 1, H, W), each picture's own lightest and darkest parts brought apart."""
    light = (pictures * LIGHT[:, None, None]).sum(1, keepdim=True)
    low, high = light.amin((2, 3), True), light.amax((2, 3), True)
    return (light - low) / (high - low).clamp_min(0.2)


def _edges(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """(B, 1, H, W) in [0, 1]: how sharply the picture changes here."""
    smooth = F.avg_pool2d(F.pad(pictures, (2, 2, 2, 2), mode="replicate"), 5, 1)
    dx = F.pad(smooth, (1, 1, 0, 0), mode="replicate")
    dy = F.pad(smooth, (0, 0, 1, 1), mode="replicate")
    change = (dx[..., 2:] - dx[..., :-2]).square() + (dy[..., 2:, :] - dy[..., :-2, :]).square()
    steep = change.sum(1, keepdim=True).sqrt()
    return ((steep - 0.03) * _uniform(len(pictures), 5, 14, noise)).clamp(0, 1)


def _inked(tone: Tensor, noise: torch.Generator) -> Tensor:
    """(B, 3, H, W): ink where the tone is 0, paper where it is 1."""
    paper, ink = _paper_and_ink(len(tone), noise)
    return torch.lerp(ink.expand(-1, -1, *tone.shape[2:]), paper, tone)


def _paper_and_ink(count: int, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, 3, 1, 1) each: half of the papers white, half of the inks black."""
    paper = 1 - 0.35 * torch.rand(count, 3, 1, 1, generator=noise)
    paper = torch.where(_uniform(count, 0, 1, noise) < 0.5, torch.ones(()), paper)
    ink = 0.5 * torch.rand(count, 3, 1, 1, generator=noise)
    ink = torch.where(_uniform(count, 0, 1, noise) < 0.5, torch.full((), 0.08), ink)
    return paper, ink


def _turned(pictures: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 1, H, W) each: pixels from the middle, across and along a direction."""
    height, width = pictures.shape[2:]
    y = torch.arange(height)[:, None] - (height - 1) / 2
    x = torch.arange(width)[None, :] - (width - 1) / 2
    return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()


def _edge(depth: Tensor, sharpness: Tensor) -> Tensor:
    """In [0, 1]: a border that is about one pixel wide."""
    return (depth * sharpness + 0.5).clamp(0, 1)


def _uniform(count: int, low: float, high: float, noise: torch.Generator) -> Tensor:
    """(B, 1, 1, 1) uniform numbers."""
    return low + (high - low) * torch.rand(count, 1, 1, 1, generator=noise)
