"""Style transfer on a finished picture's pixels (STROTSS), for comparison with styled strokes.

It is what the StyleCLIPDraw paper measures itself by: draw first, restyle the raster afterwards.
The strokes below stay what they were; only the picture changes. What is optimised are the levels
of a Laplacian pyramid, with RMSprop, as STROTSS' authors do, on one scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.chance import random_of
from limner.losses.hypercolumns import columns, drawing_places
from limner.losses.style import arrangement_gap
from limner.methods.eye import Eye

STEPS = 200
RATE = 2e-3  # the authors', on pixels from -1 to 1
LEVELS = 5
CONTENT = 1.0  # beside a style that counts twice: the authors' weight on their finest scale


def transfer(
    image: Tensor,
    eye: Eye,
    weights: Sequence[float],
    *,
    measure: str,
    mask: Tensor | None = None,
    seed: int = 0,
    steps: int = STEPS,
) -> Tensor:
    """(3, h, w) in [0, 1]: the picture with the look of the style pictures.

    Args:
        image: (3, h, w) in [0, 1], its longer side about the network's `side_px`.
        weights, measure, mask: as `Eye.far` takes them; outside the mask the picture stays.
    """
    levels = [level.requires_grad_(True) for level in pyramid(image * 2 - 1)]
    optimizer = torch.optim.RMSprop(levels, lr=RATE)
    size = (image.shape[1], image.shape[2])
    with torch.no_grad():
        before = eye.features.maps(image)
    for step in range(steps):
        noise = random_of(seed, step)
        now = _within((joined(levels) + 1) / 2, image, mask)
        places = drawing_places(size, eye.features.columns, noise, mask).to(image.device)
        seen = columns(eye.features.maps(now), places)
        kept = arrangement_gap(seen, columns(before, places))
        loss = CONTENT * kept + 2 * eye.far(now, weights, noise, measure=measure, mask=mask)
        optimizer.zero_grad()
        (loss / (CONTENT + 2)).backward()
        optimizer.step()
    with torch.no_grad():
        return _within((joined(levels) + 1) / 2, image, mask).clamp(0, 1)


def _within(image: Tensor, ground: Tensor, mask: Tensor | None) -> Tensor:
    return image if mask is None else ground + mask * (image - ground)


def pyramid(image: Tensor) -> list[Tensor]:
    """The picture's details from fine to coarse, and what is left: `joined` undoes it."""
    out, rest = [], image[None]
    for _ in range(LEVELS):
        if min(rest.shape[2:]) < 4:
            break
        half = [max(1, side // 2) for side in rest.shape[2:]]
        smaller = F.interpolate(rest, half, mode="bilinear", antialias=True)
        out.append(rest - _grown(smaller, rest))
        rest = smaller
    return [level.detach() for level in (*out, rest)]


def joined(levels: Sequence[Tensor]) -> Tensor:
    """(3, h, w) from its pyramid."""
    image = levels[-1]
    for level in reversed(levels[:-1]):
        image = _grown(image, level) + level
    return image[0]


def _grown(small: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(small, like.shape[2:], mode="bilinear", align_corners=False)
