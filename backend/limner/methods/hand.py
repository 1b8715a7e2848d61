"""The hand of a picture: how long, how wide and how bent its strokes are, read off its pixels.

Strokes can't be told apart where they lie over each other, but what is asked for here is less: how
they are on the whole. From places in the ink it is measured how far the ink's colour reaches to
all sides. The narrowest way across is the stroke's width; along the longest it is followed, bend
by bend, to both of its ends. A long stroke is met more often than a short one, so each place is
counted by one over the area of its stroke.

What is commonest along the picture's edge is taken for the paper, which is no stroke.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.vector.shape import Shape

SIDE_PX = 256  # the longer side at which a picture is read
PLACES = 320
DIRECTIONS = 16  # of half a turn
REACH = 0.6  # of the side: how far a straight look goes
INK = 0.2  # a colour is ink if it is farther than this from the paper, in RGB from 0 to 1
SAME = 0.15  # colours nearer than this are one stroke's
TURNS = torch.linspace(-0.6, 0.6, 9)  # radians: what a stroke may turn from one step to the next
AHEAD = torch.linspace(0.15, 1.0, 7)  # where it is looked whether a stroke goes on, in looks
WINDOW_PX, STRAIGHT = 20.0, 0.15  # radians a window: less is the pixels' own jitter
THIN_PX = 4.0  # a thinner line has no middle to move to
BLOB = 2.5  # times as long as wide: what is shorter has its middle along its length too


def read_hand(picture: Tensor, side: float, seed: int = 0) -> Shape | None:
    """The shapes of a picture's strokes, or None if it has no ink to read.

    Args:
        picture: (3, H, W) in [0, 1].
        side: what the picture's longer side measures, for the answer's unit.

    Returns:
        `PLACES` strokes; those that cover more are met more often, and weigh less.
    """
    scale = SIDE_PX / max(picture.shape[1:])
    small = [max(16, round(s * scale)) for s in picture.shape[1:]]
    picture = F.interpolate(picture[None].cpu(), small, mode="bilinear", antialias=True)[0]
    noise = torch.Generator().manual_seed(seed)
    places = _ink(picture, noise)
    if places is None:
        return None
    colours = _at(picture, places[:, None])[:, 0]
    runs = _runs(picture, places, colours)
    places = _centred(places, runs)
    runs = _runs(picture, places, colours)
    both = runs[:, :DIRECTIONS] + runs[:, DIRECTIONS:]
    width = both.min(1).values.clamp_min(1)
    along = both.argmax(1) * (math.pi / DIRECTIONS)
    length, bend = torch.zeros_like(width), torch.zeros_like(width)
    for heading in (along, along + math.pi):
        way, turned = _followed(picture, places, colours, heading, width)
        length, bend = length + way, bend + turned
    area = (length + width) * width
    length = (length - width).clamp_min(0)  # the round ends are not of the line's length
    unit = side / SIDE_PX
    return Shape(length * unit, width * unit, bend, 1 / area.clamp_min(1))


def paper(picture: Tensor) -> Tensor:
    """(3,) the colour that is commonest along the edge."""
    edge = torch.cat([picture[:, :3].flatten(1), picture[:, -3:].flatten(1),
                      picture[:, :, :3].flatten(1), picture[:, :, -3:].flatten(1)], 1)  # fmt: skip
    coarse = (edge * 7.999).long()
    keys = coarse[0] * 64 + coarse[1] * 8 + coarse[2]
    return edge[:, keys == keys.mode().values].mean(1)


def _ink(picture: Tensor, noise: torch.Generator) -> Tensor | None:
    """(PLACES, 2) x, y in the middle of the ink, some maybe twice."""
    apart = (picture - paper(picture)[:, None, None]).norm(dim=0)
    best = F.max_pool2d(apart[None, None], 5, 1, 2)[0, 0]
    found = ((apart > INK) & (apart >= 0.93 * best)).flatten().nonzero()[:, 0]
    if len(found) < PLACES // 16:
        return None
    chosen = found[torch.randint(len(found), (PLACES,), generator=noise)]
    columns = picture.shape[2]
    return torch.stack([chosen % columns, chosen // columns], 1) + 0.5


def _runs(picture: Tensor, places: Tensor, colours: Tensor) -> Tensor:
    """(K, 2 * DIRECTIONS) how far the colour of a place reaches in all directions, in pixels.

    The end lies where the colour is half of what lies behind the edge.
    """
    steps = torch.arange(1, int(REACH * SIDE_PX) + 1).float()
    out = []
    for k in range(2 * DIRECTIONS):
        angle = k * math.pi / DIRECTIONS
        way = torch.tensor([math.cos(angle), math.sin(angle)])
        off = _unlike(picture, places[:, None] + way * steps[:, None], colours) > SAME
        end = torch.where(off.any(1), off.float().argmax(1), len(steps)).float()[:, None]
        behind = _unlike(picture, places[:, None] + way * (end[..., None] + 3), colours)
        fine = torch.linspace(0, 3, 7)
        gone = _unlike(picture, places[:, None] + way * (end + fine)[..., None], colours)
        gone = gone > behind / 2
        edge = torch.where(gone.any(1), fine[gone.float().argmax(1)], torch.tensor(3.0))
        out.append(end[:, 0] + edge - 0.25)
    return torch.stack(out, 1)


def _centred(places: Tensor, runs: Tensor) -> Tensor:
    """The places moved to the middle of their stroke: across it, and along it if it is short."""
    both = runs[:, :DIRECTIONS] + runs[:, DIRECTIONS:]
    width, length = both.min(1).values, both.max(1).values
    for way, is_moved in (
        (both.argmin(1), width > THIN_PX),
        (both.argmax(1), (width > THIN_PX) & (length < BLOB * width)),
    ):
        angle = way * (math.pi / DIRECTIONS)
        there, back = (runs.gather(1, k[:, None]) for k in (way, way + DIRECTIONS))
        shift = torch.stack([angle.cos(), angle.sin()], 1) * (there - back) / 2
        places = places + shift * is_moved[:, None]
    return places


def _followed(
    picture: Tensor, places: Tensor, colours: Tensor, heading: Tensor, width: Tensor
) -> tuple[Tensor, Tensor]:
    """How far a stroke goes on from each place, in pixels, and the radians that it turns."""
    step = (width / 2).clamp(1.5, 8)
    look = (1.5 * width).clamp(6, 40)[:, None, None, None]
    at, alive = places, torch.ones_like(width, dtype=torch.bool)
    way, turned, since, before = (torch.zeros_like(width) for _ in range(4))
    before = before + heading
    size = torch.tensor([picture.shape[2], picture.shape[1]])
    for _ in range(int(1.5 * SIDE_PX)):
        tried = heading[:, None] + TURNS
        rays = torch.stack([tried.cos(), tried.sin()], 2)[:, :, None] * look * AHEAD[:, None]
        off = _unlike(picture, (at[:, None, None] + rays).flatten(1, 2), colours)
        goes_on = (off.unflatten(1, rays.shape[1:3]) < 1.5 * SAME).float().cumprod(2).sum(2)
        best = (goes_on - 0.8 * TURNS.abs()).argmax(1)
        heading = torch.where(alive, heading + TURNS[best], heading)
        ahead = at + torch.stack([heading.cos(), heading.sin()], 1) * step[:, None]
        alive &= _unlike(picture, ahead[:, None], colours)[:, 0] < 1.5 * SAME
        alive &= ((ahead > 0) & (ahead < size)).all(1)
        if int(alive.sum()) < len(alive) // 50:
            break
        at = torch.where(alive[:, None], ahead, at)
        way, since = way + step * alive, since + step * alive
        is_window = since >= (2 * width).clamp_min(WINDOW_PX)
        bent = ((heading - before).abs() - STRAIGHT).clamp_min(0)
        turned = turned + bent * is_window
        before = torch.where(is_window, heading, before)
        since = torch.where(is_window, torch.zeros_like(since), since)
    return way, turned


def _unlike(picture: Tensor, places: Tensor, colours: Tensor) -> Tensor:
    """(K, N) how far the colours at (K, N, 2) places are from (K, 3) colours."""
    out: Tensor = (_at(picture, places) - colours[:, None]).norm(dim=2)
    return out


def _at(picture: Tensor, places: Tensor) -> Tensor:
    """(K, N, 3) a picture's colours at (K, N, 2) places, in pixels."""
    size = places.new_tensor([picture.shape[2], picture.shape[1]])
    grid = (places / size * 2 - 1)[None]
    seen = F.grid_sample(
        picture[None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return seen[0].permute(1, 2, 0)
