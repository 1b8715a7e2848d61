"""Things in colours and places, to learn how words are put together, and to count whether they are.

A composition is one thing (an icon, or a plain shape) dyed in one colour, small, in one place on
white: "a purple cat on the left". Some combinations of the three are held out of everything that
is trained (`is_held_out`): whoever draws those has understood the words.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from limner.training.augment import COLOURS, colour_fact, dyed, is_coloured
from limner.training.corpora import SIDE_PX, Corpus, Fact
from limner.training.scenes import PLACES, SHAPES, drawn, to_rgba
from limner.vector.strokes import pack

THINGS = (
    "airplane", "anchor", "axe", "balloon", "banana", "bell", "bicycle", "bird", "bus",
    "butterfly", "camera", "candle", "carrot", "castle", "cat", "chair", "cloud", "crab", "crown",
    "deciduous tree", "dolphin", "dress", "duck", "elephant", "envelope", "fish", "gem stone",
    "glasses", "guitar", "hammer", "handbag", "helicopter", "horse", "hot beverage", "house",
    "ice cream", "key", "laptop", "light bulb", "locomotive", "mushroom", "octopus", "owl",
    "palm tree", "pear", "penguin", "pizza", "rabbit", "rocket", "rose", "running shoe",
    "sailboat", "scissors", "snail", "spider", "strawberry", "t-shirt", "telephone", "tractor",
    "trophy", "turtle", "umbrella", "violin", "whale",
)  # fmt: skip
DYES = tuple(name for name in COLOURS if name != "white")  # that is no colour on white
HELD_OUT = 8  # one of so many combinations
SIZE, SIZE_IN_THE_MIDDLE = (0.46, 0.6), (0.75, 0.95)  # of the picture's side
MIDDLE = 0.25  # the part that lies there, and so in no place that is told


@dataclass(frozen=True, slots=True)
class Composition:
    """What one shows: a thing by its label, a colour and a place by their English names."""

    thing: str
    colour: str
    place: str

    @property
    def is_held_out(self) -> bool:
        """Whether nothing may be trained on it."""
        text = f"{self.colour} {self.thing} {self.place}"
        return zlib.crc32(text.encode()) % HELD_OUT == 0

    def __str__(self) -> str:
        return f"a {self.colour} {self.thing} {self.place}"


def all_of(things: Sequence[str]) -> list[Composition]:
    """Every combination of some things with a colour and a place."""
    return [Composition(t, c, p) for t in things for c in DYES for p in PLACES]


def composition_of(facts: Sequence[Fact]) -> Composition | None:
    """Which one a picture's facts tell; None if they tell no colour or no place."""
    told = {f.key.partition(":")[0]: f.key.partition(":")[2] for f in facts}
    if not {"label", "colour", "place"} <= told.keys():
        return None
    return Composition(told["label"], told["colour"], told["place"])


def is_held_out(facts: Sequence[Fact]) -> bool:
    """Whether a picture shows a combination that is held out."""
    shown = composition_of(facts)
    return shown is not None and shown.is_held_out


def trainable(corpus: Corpus) -> Corpus:
    """A corpus without what is held out."""
    rows = [i for i, facts in enumerate(corpus.facts) if not is_held_out(facts)]
    if len(rows) == len(corpus.facts):
        return corpus
    facts = [corpus.facts[i] for i in rows]
    return Corpus(corpus.pictures[rows], facts, [corpus.families[i] for i in rows])


def compositions(icons: Corpus, count: int, seed: int, *, held_out: bool = False) -> Corpus:
    """`count` pictures of compositions, a fifth of them shapes; either nothing else than what is
    held out, or none of it, and then some in no place."""
    chance = random.Random(seed)
    found = _icons_of(icons)
    of_icons = [c for c in all_of(sorted(found)) if c.is_held_out == held_out]
    of_shapes = [c for c in all_of(sorted(SHAPES)) if c.is_held_out == held_out]
    pictures, facts = [], []
    for _ in range(count):
        shown = chance.choice(of_shapes if chance.random() < 0.2 else of_icons)
        row = None if shown.thing in SHAPES else chance.choice(found[shown.thing])
        if not held_out and chance.random() < MIDDLE:
            shown = replace(shown, place="")
        pictures.append(_painted(shown, icons, row, chance))
        label = shape_label(shown.thing) if row is None else icons.facts[row][0]
        places = [place_fact(shown.place)] if shown.place else []
        facts.append([label, colour_fact(shown.colour), *places])
    return Corpus(np.stack(pictures), facts, ["compositions"] * count)


def shape_label(shape: str) -> Fact:
    """The fact that a picture shows a shape."""
    return Fact(f"label:{shape}", {"en": shape, "ko": SHAPES[shape]})


def place_fact(place: str) -> Fact:
    """The fact that what a picture shows lies there."""
    return Fact(f"place:{place}", {"en": place, "ko": PLACES[place][0]}, 1.5)


def _icons_of(icons: Corpus) -> dict[str, list[int]]:
    """The rows of each of `THINGS`."""
    rows: dict[str, list[int]] = {}
    for row, facts in enumerate(icons.facts):
        name = facts[0].key.removeprefix("label:")
        if name in THINGS and not is_coloured(facts):
            rows.setdefault(name, []).append(row)
    return rows


def _painted(
    shown: Composition, icons: Corpus, row: int | None, chance: random.Random
) -> np.ndarray:
    """(4, 80, 80) uint8, about where it should be."""
    at = PLACES[shown.place][1:] if shown.place else (0.5, 0.5)
    x, y = (SIDE_PX * (a + chance.uniform(-0.04, 0.04)) for a in at)
    side = SIDE_PX * chance.uniform(*(SIZE if shown.place else SIZE_IN_THE_MIDDLE))
    rgb = COLOURS[shown.colour][1]
    if row is None:
        turn = chance.uniform(-0.2, 0.2)
        return to_rgba(pack(drawn(shown.thing, "filled", (x, y), side * 0.42, turn, rgb)))
    rgba = torch.from_numpy(np.array(icons.pictures[row])).float() / 255
    coloured = torch.cat([dyed(rgba[:3], rgb) * rgba[3:], rgba[3:]])
    out: np.ndarray = (_moved(coloured, x, y, side) * 255).round().to(torch.uint8).numpy()
    return out


def _moved(rgba: torch.Tensor, x: float, y: float, side: float) -> torch.Tensor:
    """A picture of premultiplied colour made small and put there; straight colour again."""
    small = F.interpolate(rgba[None], (round(side),) * 2, mode="bilinear", antialias=True)[0]
    out = torch.zeros(4, SIDE_PX, SIDE_PX)
    left, top = (min(max(0, round(a - side / 2)), SIDE_PX - round(side)) for a in (x, y))
    out[:, top : top + small.shape[1], left : left + small.shape[2]] = small
    return torch.cat([out[:3] / out[3:].clamp_min(1 / 255), out[3:]]).clamp(0, 1)


def captions_to_rank(count: int, seed: int) -> Iterator[Composition]:
    """`count` different combinations at random, of icons and shapes by halves, those held out among
    them: what a drawing is told from when it is counted."""
    chance = random.Random(seed)
    for things, share in ((THINGS, count - count // 2), (tuple(SHAPES), count // 2)):
        some = all_of(things)
        yield from chance.sample(some, min(share, len(some)))
