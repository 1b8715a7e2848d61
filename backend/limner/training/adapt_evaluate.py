"""How well a generator learns a domain from words: flat portraits become pencil drawings, pixel art
and watercolours, counted by the judge of attributes.

The generator learns on flat portraits' codes and is measured on others'. Of each picture before and
after it is asked which medium it is in, and which of its attributes are what they were (those that
both media can show). A collapsed generator paints everyone alike: so the pictures' mean distance
from each other, in what a CLIP that took no part sees, is told over the same before.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from limner.methods.base import Inputs, Models
from limner.methods.nada import Nada, Params
from limner.methods.schema import with_recipe
from limner.models.clip import Clip, Weighted
from limner.models.stylegan2 import Generator
from limner.models.stylegan2.files import load
from limner.training.attribute_judge import Judge
from limner.training.paintings import HELD_OUT, Paintings
from limner.training.portraits.attributes import ATTRIBUTES, visible
from limner.training.portraits.painter import SIDE_PX

POOL = 4000  # held-out portraits to choose from
NAMES = list(ATTRIBUTES)
MEDIUM = NAMES.index("medium")
SOURCE = "a flat illustration of a person"
TARGETS = {
    "pencil": "a pencil drawing of a person",
    "pixel art": "pixel art of a person",
    "watercolour": "a watercolour of a person",
}
LATENTS, COUNT = "flat-portraits", 200  # the starter's codes to learn on; what is counted
PICTURES = "three pictures"
WAYS: dict[str, dict[str, Any]] = {
    "direction": {},
    "from nothing": {"leap": 0, "phase": "usual", "rate": 0.015},
    "adaptive layers": {"layers": 4},
    "global": {"direction": 0.0, "distance": 0.0, "whole": 1.0},
    PICTURES: {},
}
STYLES_SEED = 990_002  # of the portraits that are shown where pictures say what is aimed at
CELL_PX, CAPTION_PX, SHOWN = 64, 14, 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a generator has become.

    Attributes:
        hits: the part of its pictures that are in the medium asked for.
        kept: the part of the other attributes, of those that both media show, that are as before.
        least: the attribute that is kept least; how_much of it.
        diversity: the mean distance between two of its pictures over that before.
        seconds: of its learning.
    """

    medium: str
    way: str
    hits: float
    kept: float
    least: str
    how_much: float
    diversity: float
    seconds: float

    def told(self) -> str:
        """In words."""
        return (
            f"{self.hits:.0%} in the medium, {self.kept:.0%} kept (least, {self.least}: "
            f"{self.how_much:.0%}), diversity {self.diversity:.0%}, {self.seconds:.0f} s"
        )


class Evaluation:
    """Lets generators learn, and counts.

    Args:
        generator: its name.
        judge: of attributes; `eye`, what tells pictures apart; they take part in no loss.
        clips: what reads the words.
    """

    def __init__(
        self, generator: str, judge: Judge, eye: Clip, clips: Sequence[Weighted],
        device: torch.device,
    ) -> None:  # fmt: skip
        self._name, self._judge, self._eye = generator, judge, eye
        self._clips, self._device = clips, device
        self.generator = load(generator, device)
        held_out = Paintings(POOL, HELD_OUT)
        people = held_out.portraits(range(POOL))
        rows = [k for k, p in enumerate(people) if p.medium == "flat"][-COUNT:]
        self.people = [people[k] for k in rows]
        self.codes = self.generator.map(torch.from_numpy(held_out.codes[rows]).to(device))
        self.before = self.painted(self.generator)
        self._said = judge.classes(self.before)
        self._spread = self._spread_of(self.before)

    @torch.no_grad()
    def painted(self, generator: Generator) -> Tensor:
        """(200, 3, 64, 64) in [-1, 1]."""
        return torch.cat([generator(w).clamp(-1, 1) for w in self.codes.split(50)])

    @torch.no_grad()
    def _spread_of(self, pictures: Tensor) -> float:
        """The mean distance between the embeddings of two of (B, 3, H, W)."""
        small = F.interpolate((pictures + 1) / 2, (self._eye.size_px,) * 2, mode="bilinear")
        seen = F.normalize(self._eye.encode_image(small), dim=-1)
        return float(torch.pdist(seen).mean())

    def adapted(
        self, medium: str, settings: Mapping[str, Any], styles: Sequence[Tensor] = ()
    ) -> tuple[Generator, float]:
        """A generator that has learned a medium, and the seconds that it took."""
        nada = Nada()
        asked = {"prompt": TARGETS[medium], "source": SOURCE, "generator": self._name,
                 "latents": LATENTS, **settings}  # fmt: skip
        params: Params = with_recipe(nada, self._clips[0].clip.recipe, asked)
        inputs = Inputs((SIDE_PX, SIDE_PX), styles=tuple(styles))
        start = time.perf_counter()
        state = nada.setup(params, inputs, Models(self._clips), self._device)
        for _ in range(params.steps):
            nada.step(state, params)
        return nada.painter(state), time.perf_counter() - start

    def measured(self, medium: str, way: str, pictures: Tensor, seconds: float) -> Outcome:
        """What there is to say of (200, 3, 64, 64) of the held-out codes."""
        said = self._judge.classes(pictures)
        hits = said[:, MEDIUM] == ATTRIBUTES["medium"].classes.index(medium)
        there = [replace(p, medium=medium) for p in self.people]
        both = torch.from_numpy(visible(self.people) & visible(there)).to(said.device)
        both[:, MEDIUM] = False
        same = (said == self._said) & both
        each = (same.sum(0) / both.sum(0)).nan_to_num(2.0).tolist()
        least = min(range(len(NAMES)), key=lambda k: each[k])
        return Outcome(
            medium, way, round(float(hits.float().mean()), 4),
            round(float(same.sum() / both.sum()), 4), NAMES[least], round(each[least], 4),
            round(self._spread_of(pictures) / self._spread, 4), round(seconds, 1),
        )  # fmt: skip


def styles(medium: str) -> list[Tensor]:
    """Three (3, 64, 64) pictures in [0, 1] of a medium, of people who are in nothing else here."""
    some = Paintings(POOL, STYLES_SEED)
    people = some.portraits(range(100))
    rows = [k for k, p in enumerate(people) if p.medium == medium][:3]
    return list((some.pictures(rows) + 1) / 2)


def run(
    evaluation: Evaluation, media: Sequence[str], ways: Sequence[str], settings: Mapping[str, Any],
    out: Path,
) -> dict[str, str]:  # fmt: skip
    """The whole table: every outcome as a JSON line, and a sheet of the first portraits, in `out`;
    returns it in words."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [("as they were", evaluation.before[:SHOWN])]
    told = {}
    with (out / "adapt.jsonl").open("w", encoding="utf-8") as file:
        for medium in media:
            for way in ways:
                shown = styles(medium) if way == PICTURES else []
                made, seconds = evaluation.adapted(medium, {**WAYS[way], **settings}, shown)
                pictures = evaluation.painted(made)
                outcome = evaluation.measured(medium, way, pictures, seconds)
                print(json.dumps(asdict(outcome)), file=file, flush=True)
                print(outcome, file=sys.stderr, flush=True)
                told[f"{medium}, {way}"] = outcome.told()
                rows.append((f"{medium}, {way}", pictures[:SHOWN]))
                sheet(rows, out / "adapt.png")
    return told


def sheet(rows: Sequence[tuple[str, Tensor]], path: Path) -> None:
    """A PNG: each row some pictures, (B, 3, 64, 64) in [-1, 1], under its name."""
    step = CELL_PX + CAPTION_PX
    whole = Image.new("RGB", (SHOWN * CELL_PX, len(rows) * step), "white")
    pen = ImageDraw.Draw(whole)
    for line, (name, pictures) in enumerate(rows):
        pen.text((2, line * step + 1), name, fill="black")
        pixels = ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        for column, picture in enumerate(pixels):
            whole.paste(Image.fromarray(picture), (column * CELL_PX, line * step + CAPTION_PX))
    whole.save(path)
