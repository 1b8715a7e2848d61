"""What a training picture goes through: colour, place, background, light and noise.

The pictures that CLIPDraw shows a CLIP are cutouts, shifted, scaled and bent, on the canvas'
background: training shows it the same kind, half of them by CLIPDraw's own augmentation. A picture
may also be dyed in a named colour; it then carries the colour as a further fact, so that "a blue
cat" means something although no icon is one. Or it is restyled (`training.restyle`), unless its
colours are told.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.losses.cutouts import random_maps, sampling_grid
from limner.models.clip import words_of
from limner.training.corpora import Fact
from limner.training.restyle import restyled

VIEW_PX = 64

COLOURS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "red": ("빨간", (0.86, 0.12, 0.12)),
    "orange": ("주황색", (0.96, 0.52, 0.08)),
    "yellow": ("노란", (0.97, 0.83, 0.16)),
    "green": ("초록", (0.18, 0.62, 0.22)),
    "blue": ("파란", (0.13, 0.36, 0.86)),
    "purple": ("보라색", (0.52, 0.20, 0.70)),
    "pink": ("분홍", (0.96, 0.50, 0.70)),
    "brown": ("갈색", (0.50, 0.30, 0.14)),
    "black": ("검은", (0.10, 0.10, 0.11)),
    "white": ("하얀", (0.94, 0.94, 0.95)),
    "gray": ("회색", (0.55, 0.56, 0.58)),
}
COLOUR_WORDS = {word for name, (ko, _) in COLOURS.items() for word in (name, ko)} | {"grey"}


def colour_fact(name: str) -> Fact:
    """The fact that a picture has this colour."""
    return Fact(f"colour:{name}", {"en": name, "ko": COLOURS[name][0]}, 2.0)


def augment(
    rgba: Tensor,
    facts: Sequence[Sequence[Fact]],
    chance: random.Random,
    restyle: float = 0.0,
    *,
    aligned: bool = False,
) -> tuple[Tensor, list[list[Fact]]]:
    """Cutouts of a batch of pictures, and the facts that this added to each.

    Args:
        rgba: (B, 4, H, W) in [0, 1], straight alpha.
        facts: what is true of each picture.
        chance: where the randomness comes from.
        restyle: the part of the pictures without a told colour that is restyled.
        aligned: show them nearly whole, as they are seen where something always lies the same.

    Returns:
        (B, 3, 64, 64) in [0, 1], and B lists.
    """
    noise = torch.Generator().manual_seed(chance.getrandbits(48))
    rgb, alpha = rgba[:, :3].clone(), rgba[:, 3:]
    added: list[list[Fact]] = [[] for _ in facts]
    for i, known in enumerate(facts):
        if chance.random() < 0.25 and not is_coloured(known):
            name = chance.choice(sorted(COLOURS))
            rgb[i] = dyed(rgb[i], COLOURS[name][1])
            added[i].append(colour_fact(name))
    ground = backgrounds(len(rgba), noise)
    view = whole(len(rgba), noise) if aligned else views(len(rgba), noise)
    if placed := [i for i, known in enumerate(facts) if is_placed(known)]:
        view[placed] = whole(len(placed), noise, mirrored=0.0)
    seen = F.grid_sample(
        torch.cat([rgb * alpha, alpha], 1), view, mode="bilinear", align_corners=False
    )
    out = seen[:, :3] + ground * (1 - seen[:, 3:])
    plain = [i for i, f in enumerate(facts) if not added[i] and not is_coloured(f)]
    if some := [i for i in plain if chance.random() < restyle]:
        out[some] = restyled(out[some], noise)
    return lit(out, noise), added


def lit(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """(B, 3, H, W) in other light, half of them with grain."""
    light = uniform(len(pictures), 0.85, 1.15, noise)
    grain = uniform(len(pictures), 0.0, 0.06, noise) * (uniform(len(pictures), 0, 1, noise) < 0.5)
    return (pictures * light + torch.randn(pictures.shape, generator=noise) * grain).clamp(0, 1)


def views(count: int, noise: torch.Generator) -> Tensor:
    """(B, 64, 64, 2) sampling grids: CLIPDraw's cutouts for the first half, placements else."""
    cut = sampling_grid(random_maps(count // 2, noise), VIEW_PX)
    mirrored = torch.rand(count // 2, generator=noise) < 0.25
    cut[mirrored] = cut[mirrored].flip(2)
    rest = count - count // 2
    placed = F.affine_grid(
        placements(rest, noise), [rest, 1, VIEW_PX, VIEW_PX], align_corners=False
    )
    return torch.cat([cut, placed])


def whole(count: int, noise: torch.Generator, mirrored: float = 0.25) -> Tensor:
    """(B, 64, 64, 2) sampling grids of pictures that are hardly moved, some of them mirrored."""
    usual = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    maps = usual + 0.04 * torch.randn(count, 2, 3, generator=noise)
    maps[torch.rand(count, generator=noise) < mirrored, :, 0] *= -1  # x alone
    return F.affine_grid(maps, [count, 1, VIEW_PX, VIEW_PX], align_corners=False)


def is_coloured(facts: Sequence[Fact]) -> bool:
    """Whether a picture's label already names a colour, or another fact does."""
    words = set(words_of(" ".join(facts[0].words.values())))
    return bool(words & COLOUR_WORDS) or any(f.key.startswith("colour:") for f in facts)


def is_placed(known: Sequence[Fact]) -> bool:
    """Whether it is told where in the picture something lies."""
    return any(f.key.startswith("place:") for f in known)


def dyed(rgb: Tensor, colour: tuple[float, float, float]) -> Tensor:
    """(3, H, W) with its light and dark kept, in shades of one colour."""
    weights = torch.tensor([0.299, 0.587, 0.114])
    light = (rgb * weights[:, None, None]).sum(0, keepdim=True)
    hue = torch.tensor(colour)[:, None, None]
    dark = hue * (0.35 + 1.3 * light)
    bright = hue + (1 - hue) * (2 * light - 1) * 0.55
    return torch.where(light < 0.5, dark, bright).clamp(0, 1)


def placements(count: int, noise: torch.Generator) -> Tensor:
    """(B, 2, 3) affine maps: size, turn, a slight shear, shift, and a mirror for every fourth."""
    size = uniform(count, 0.8, 1.4, noise).flatten()
    turn = uniform(count, -0.25, 0.25, noise).flatten()
    shear = uniform(count, -0.12, 0.12, noise).flatten()
    mirror = torch.where(uniform(count, 0, 1, noise).flatten() < 0.25, -1.0, 1.0)
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0] = size * turn.cos() * mirror
    maps[:, 0, 1] = size * (shear - turn.sin())
    maps[:, 1, 0] = size * turn.sin() * mirror
    maps[:, 1, 1] = size * turn.cos()
    maps[:, :, 2] = (torch.rand(count, 2, generator=noise) - 0.5) * 0.5
    return maps


def backgrounds(count: int, noise: torch.Generator) -> Tensor:
    """(B, 3, 1, 1): white for most, a light colour or any colour for the others."""
    kind = uniform(count, 0, 1, noise)
    free = torch.rand(count, 3, 1, 1, generator=noise)
    white = torch.ones(count, 3, 1, 1)
    return torch.where(kind < 0.6, white, torch.where(kind < 0.85, 0.7 + 0.3 * free, free))


def uniform(count: int, low: float, high: float, noise: torch.Generator) -> Tensor:
    """(B, 1, 1, 1) uniform numbers."""
    return low + (high - low) * torch.rand(count, 1, 1, 1, generator=noise)
