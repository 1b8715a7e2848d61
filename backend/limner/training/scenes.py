"""Generated pictures for a training corpus: plain shapes, and icons re-drawn as strokes.

Both are drawn with our own rasterizer. Shapes teach colour, count, place, size and texture, which
icons' words hardly hold; re-drawn icons show the network what a drawing made of strokes looks like.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from limner.methods.trace import fit
from limner.training.augment import COLOURS, colour_fact
from limner.training.corpora import SIDE_PX, Corpus, Fact
from limner.vector.rasterizer import render
from limner.vector.strokes import Strokes, pack
from limner_wire.limits import STROKES_MIN

SHAPES = {
    "circle": "원", "square": "사각형", "triangle": "삼각형", "star": "별", "heart": "하트",
    "line": "선", "cross": "십자", "ring": "고리", "wave": "물결", "spiral": "나선",
}  # fmt: skip
COUNTS = {
    1: ("one", "하나의"),
    2: ("two", "두 개의"),
    3: ("three", "세 개의"),
    4: ("four", "네 개의"),
}
SIZES = {"small": ("작은", 0.55), "big": ("큰", 1.3)}
PLACES = {
    "at the top": ("위쪽의", 0.5, 0.25), "at the bottom": ("아래쪽의", 0.5, 0.75),
    "on the left": ("왼쪽의", 0.25, 0.5), "on the right": ("오른쪽의", 0.75, 0.5),
}  # fmt: skip
TEXTURES = {"filled": "칠해진", "outlined": "윤곽만 있는", "striped": "줄무늬"}


def scenes(count: int, seed: int) -> Corpus:
    """`count` pictures of shapes, with what is true of them."""
    chance = random.Random(seed)
    pictures, facts = [], []
    for _ in range(count):
        drawing, known = scene(chance)
        pictures.append(to_rgba(drawing))
        facts.append(known)
    return Corpus(np.stack(pictures), facts, ["scenes"] * count)


def scene(chance: random.Random) -> tuple[Strokes, list[Fact]]:
    """One picture: some shapes of one kind, colour, size and texture, perhaps in one place."""
    shape, colour = chance.choice(sorted(SHAPES)), chance.choice(sorted(COLOURS))
    texture = chance.choice(sorted(TEXTURES))
    count = chance.choice((1, 1, 2, 3, 4))
    size = chance.choice((None, "small", "big"))
    place = chance.choice(sorted(PLACES)) if count == 1 and size != "big" else None
    radius = (
        0.5 * SIDE_PX * {1: 0.6, 2: 0.4, 3: 0.36, 4: 0.32}[count] * (SIZES[size][1] if size else 1)
    )
    middles = [
        (x * SIDE_PX, y * SIDE_PX)
        for x, y in _middles(count, PLACES[place][1:] if place else None, chance)
    ]
    turn = chance.uniform(-0.3, 0.3)
    strokes = [
        s for x, y in middles
        for s in drawn(shape, texture, (x, y), min(radius, 38), turn, COLOURS[colour][1])
    ]  # fmt: skip
    name = shape + ("s" if count > 1 else "")
    facts = [Fact(f"label:{shape}", {"en": name, "ko": SHAPES[shape]}), colour_fact(colour)]
    facts.append(Fact(f"texture:{texture}", {"en": texture, "ko": TEXTURES[texture]}, 1.5))
    facts.insert(
        1, Fact(f"count:{count}", dict(zip(("en", "ko"), COUNTS[count], strict=True)), 1.5)
    )
    if size:
        facts.insert(2, Fact(f"size:{size}", {"en": size, "ko": SIZES[size][0]}, 1.5))
    if place:
        facts.append(Fact(f"place:{place}", {"en": place, "ko": PLACES[place][0]}, 1.5))
    return pack(strokes), facts


def _middles(
    count: int, place: Sequence[float] | None, chance: random.Random
) -> list[tuple[float, float]]:
    if place is not None:
        return [(place[0] + chance.uniform(-0.05, 0.05), place[1] + chance.uniform(-0.05, 0.05))]
    if count == 1:
        return [(chance.uniform(0.4, 0.6), chance.uniform(0.4, 0.6))]
    turn = chance.uniform(0, 2 * math.pi)
    steps = [turn + 2 * math.pi * k / count for k in range(count)]
    return [(0.5 + 0.27 * math.cos(a), 0.5 + 0.27 * math.sin(a)) for a in steps]


def drawn(
    shape: str,
    texture: str,
    middle: tuple[float, float],
    radius: float,
    turn: float,
    rgb: tuple[float, float, float],
) -> list[Strokes]:
    """A shape as strokes: an outline, filled by ever smaller outlines, or cut by stripes."""
    outline = _outline(shape)
    closed = shape not in ("line", "cross", "wave", "spiral")
    width = max(2.0, radius * 0.18)
    rings = [1.0]
    if texture == "filled" and closed and shape != "ring":
        rings = [1 - k * width * 0.8 / radius for k in range(int(radius / (width * 0.8)) + 1)]
    elif texture == "striped":
        rings = [1.0, 0.6, 0.25] if closed else [1.0, 0.7]
    out = []
    for ring in rings:
        for line in outline:
            points = _placed(line * max(ring, 0.02) * radius, middle, turn)
            out.append(polyline(points, width * (0.7 if texture == "striped" else 1), rgb))
    return out


def _placed(points: Tensor, middle: tuple[float, float], turn: float) -> Tensor:
    spin = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return points @ spin.T + torch.tensor(middle)


def _outline(shape: str) -> list[Tensor]:
    """Polylines (N, 2) of a shape of radius 1."""
    t = torch.linspace(0, 2 * math.pi, 25)
    circle = torch.stack([t.cos(), t.sin()], 1)
    if shape in ("circle", "ring"):
        return [circle] if shape == "circle" else [circle, circle * 0.9]
    if shape == "heart":
        x = 16 * t.sin() ** 3 / 17
        y = -(13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos()) / 17
        return [torch.stack([x, y], 1)]
    if shape == "wave":
        x = torch.linspace(-1, 1, 25)
        return [torch.stack([x, (x * 2.5 * math.pi).sin() * 0.35], 1)]
    if shape == "spiral":
        s = torch.linspace(0, 5 * math.pi, 40)
        return [torch.stack([s.cos(), s.sin()], 1) * (s / s[-1])[:, None]]
    corners = {"square": 4, "triangle": 3, "star": 10}.get(shape)
    if corners:
        first = -math.pi / 2 + (math.pi / 4 if shape == "square" else 0)
        angles = first + torch.arange(corners + 1) * 2 * math.pi / corners
        size = torch.ones(corners + 1)
        if shape == "star":
            size[1::2] = 0.42
        return [torch.stack([angles.cos(), angles.sin()], 1) * size[:, None]]
    line = torch.tensor([[-1.0, 0], [1, 0]])
    return [line] if shape == "line" else [line, line.flip(1)]


def polyline(points: Tensor, width: float, rgb: tuple[float, float, float]) -> Strokes:
    """One opaque stroke of straight segments through (N, 2) points."""
    a, b = points[:-1], points[1:]
    thirds = torch.stack([a, a + (b - a) / 3, a + (b - a) * 2 / 3], 1).reshape(-1, 2)
    return Strokes(
        torch.cat([thirds, points[-1:]]).float(),
        torch.tensor([0, 3 * len(a) + 1]),
        torch.tensor([width]),
        torch.tensor([[*rgb, 1.0]]),
    )


def redrawn(corpus: Corpus, count: int, seed: int) -> Corpus:
    """`count` of a corpus' pictures, re-drawn on white with 12 to 64 strokes each."""
    chance = random.Random(seed)
    chosen = sorted(chance.sample(range(len(corpus.facts)), min(count, len(corpus.facts))))
    pictures = list(_redraw(corpus, chosen, chance))
    families = [f"{corpus.families[i]}-redrawn" for i in chosen]
    return Corpus(np.stack(pictures), [corpus.facts[i] for i in chosen], families)


def _redraw(corpus: Corpus, chosen: list[int], chance: random.Random) -> Iterator[np.ndarray]:
    for i in chosen:
        rgba = torch.from_numpy(np.array(corpus.pictures[i])).float() / 255
        picture = rgba[:3] * rgba[3:] + 1 - rgba[3:]
        noise = torch.Generator().manual_seed(chance.getrandbits(48))
        strokes = max(STROKES_MIN, round(12 * 2 ** chance.uniform(0, 2.4)))
        yield to_rgba(fit(picture, strokes, (SIDE_PX, SIDE_PX), noise, steps=16))


def to_rgba(drawing: Strokes) -> np.ndarray:
    """(4, 80, 80) uint8: the drawing's colour and coverage.

    Coverage is what differs between the drawing on white and on black.
    """
    size = (SIDE_PX, SIDE_PX)
    white = render(drawing, size, background=(1.0, 1.0, 1.0))[0].detach()
    black = render(drawing, size, background=(0.0, 0.0, 0.0))[0].detach()
    alpha = (1 - (white - black).mean(0, keepdim=True)).clamp(0, 1)
    rgb = (black / alpha.clamp_min(1 / 255)).clamp(0, 1)
    out: np.ndarray = (torch.cat([rgb, alpha]) * 255).round().to(torch.uint8).numpy()
    return out
