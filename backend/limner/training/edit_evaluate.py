"""How well edits do what is asked, and nothing else: portraits that nothing was trained on, six
edits, three methods, counted by the judge of attributes.

The portraits are painted, brought into the generator once, and edited from the code that was found.
All of them lack what the edits ask for and would show it (so none is a pencil drawing, which has no
red hair). An edit has succeeded if the judge sees in the edited picture what was asked for; another
attribute was kept if the judge says of it what it said of the painted portrait.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from limner.losses.identity import Identity
from limner.methods.base import Inputs, Method, Models
from limner.methods.canvas import resized
from limner.methods.editing import Portrait, of_generator
from limner.methods.global_directions import GlobalDirections
from limner.methods.latent_mapper import LatentMapper
from limner.methods.latent_optimization import LatentOptimization
from limner.methods.schema import with_recipe
from limner.models import arcface
from limner.models.clip import Weighted
from limner.training.attribute_judge import Judge
from limner.training.paintings import HELD_OUT, Paintings
from limner.training.portraits.attributes import ATTRIBUTES, visible
from limner.training.portraits.edits import EDITS, MEASURED
from limner.training.portraits.painter import SIDE_PX

METHODS: dict[str, Method[Any, Any]] = {
    "direction": GlobalDirections(), "mapper": LatentMapper(), "optimize": LatentOptimization(),
}  # fmt: skip
POOL = 10_000  # held-out portraits to choose from
NAMES = list(ATTRIBUTES)
CELL_PX, CAPTION_PX, SHOWN = 96, 14, 8


@dataclass(frozen=True, slots=True)
class Sitter:
    """A portrait to be edited.

    Attributes:
        picture: (3, 64, 64) in [0, 1], as it was painted.
        w: (L, w_dim), the code that was found for it; `psnr_db`, how near what it paints is.
        said: (17,) what the judge says of the picture.
        seen: (17,) bool: the attributes that show.
    """

    picture: Tensor
    w: Tensor
    psnr_db: float
    said: Tensor
    seen: Tensor


@dataclass(frozen=True, slots=True)
class Outcome:
    """One edit of one portrait.

    Attributes:
        changed: whether the judge sees what was asked for.
        kept: of each other attribute that shows, whether it is what it was.
        identity: the cosine between who is seen before and after.
        seconds: of the edit, without finding the code.
    """

    method: str
    edit: str
    sitter: int
    changed: bool
    kept: dict[str, bool]
    identity: float
    seconds: float


class Evaluation:
    """Edits and counts.

    Args:
        generator: its name.
        judge: of attributes; it takes part in no edit.
        clips: what reads the words.
        settings: of each method, by its short name, beside its defaults.
    """

    def __init__(
        self, generator: str, judge: Judge, clips: Sequence[Weighted],
        settings: dict[str, dict[str, Any]], device: torch.device,
    ) -> None:  # fmt: skip
        self._generator, self._judge, self._clips = generator, judge, clips
        self._settings, self._device = settings, device

    def sitters(self, count: int, fit: int) -> list[Sitter]:
        """The first held-out portraits that all measured edits apply to, and their codes.

        Args:
            fit: steps that look for each code, from the encoder's guess.
        """
        held_out, out = Paintings(POOL, HELD_OUT), list[Sitter]()
        for row in range(POOL):
            if len(out) == count:
                break
            (person,) = held_out.portraits([row])
            if all(EDITS[name].applies(person) for name in MEASURED):
                picture = (held_out.pictures([row])[0] + 1) / 2
                seen = torch.from_numpy(visible([person]))[0]
                out.append(self._sitter(picture, seen, fit))
        return out

    def _sitter(self, picture: Tensor, seen: Tensor, fit: int) -> Sitter:
        inputs = Inputs((SIDE_PX, SIDE_PX), picture=picture)
        portrait = Portrait(self._generator, inputs, fit, 0, 0, self._device)
        while not portrait.is_ready:
            portrait.advance()
        said = self._judge.classes(picture[None] * 2 - 1)[0]
        return Sitter(picture, portrait.w[0], portrait.nearness_db(), said, seen)

    def outcome(self, way: str, name: str, number: int, sitter: Sitter) -> tuple[Outcome, Tensor]:
        """One edit, and (3, 64, 64) what came of it."""
        method, edit, recipe = METHODS[way], EDITS[name], self._clips[0].clip.recipe
        settings: dict[str, Any] = {"prompt": edit.prompt, "generator": self._generator}
        if way != "optimize":
            settings["steps"] = 1
        if way != "mapper":
            settings["neutral"] = edit.neutral
        params = with_recipe(method, recipe, settings | self._settings.get(way, {}))
        if way == "optimize":  # what would bring the picture into the generator is done
            params = replace(params, steps=params.steps - params.fit, fit=0)
        inputs = Inputs((SIDE_PX, SIDE_PX), picture=sitter.picture, latent=sitter.w)
        start = time.perf_counter()
        state = method.setup(params, inputs, Models(self._clips), self._device)
        for _ in range(params.steps):
            method.step(state, params)
        picture = method.result(state).picture
        seconds = time.perf_counter() - start
        assert picture is not None  # noqa: S101  (these methods make pictures)
        said = self._judge.classes(picture[None] * 2 - 1)[0]
        target = NAMES.index(edit.attribute)
        kept = {
            a: bool(said[k] == sitter.said[k])
            for k, a in enumerate(NAMES)
            if a in edit.kept() and sitter.seen[k]
        }
        changed = int(said[target]) in edit.target()
        same = self._same(state.portrait, sitter.picture, picture)
        return Outcome(way, name, number, changed, kept, same, seconds), picture

    def _same(self, portrait: Portrait, before: Tensor, after: Tensor) -> float:
        known = of_generator("identity", portrait)
        if not known:
            return float("nan")
        network = arcface.load(known[0].name, self._device)
        return 1 - float(Identity(network, before[None] * 2 - 1).far(after[None] * 2 - 1))


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """For each method: the part of its edits that succeeded, and for each edit; how many of the
    other attributes were kept, and of the one that was kept least; identity and time."""
    out: dict[str, float] = {}
    for way in dict.fromkeys(o.method for o in outcomes):
        own = [o for o in outcomes if o.method == way]
        out[f"{way}: changed"] = _part(o.changed for o in own)
        for name in dict.fromkeys(o.edit for o in own):
            out[f"{way}: {name}"] = _part(o.changed for o in own if o.edit == name)
        each = {a: _part(o.kept[a] for o in own if a in o.kept) for a in NAMES}
        out[f"{way}: kept"] = _part(kept for o in own for kept in o.kept.values())
        least = min(each, key=lambda a: each[a] if each[a] == each[a] else 2.0)
        out[f"{way}: kept least, {least}"] = each[least]
        out[f"{way}: identity"] = round(statistics.fmean(o.identity for o in own), 3)
        out[f"{way}: seconds, median"] = round(statistics.median(o.seconds for o in own), 3)
    return out


def _part(hits: Iterable[bool]) -> float:
    found = list(hits)
    return round(sum(found) / len(found), 4) if found else float("nan")


def run(
    evaluation: Evaluation, ways: Sequence[str], count: int, fit: int, out: Path
) -> dict[str, float]:
    """The whole table: every outcome as a JSON line and a sheet of the first portraits in `out`;
    returns the summary."""
    out.mkdir(parents=True, exist_ok=True)
    people = evaluation.sitters(count, fit)
    outcomes: list[Outcome] = []
    with (out / "edits.jsonl").open("w", encoding="utf-8") as file:
        for way in ways:
            rows = []
            for number, sitter in enumerate(people):
                made = [evaluation.outcome(way, name, number, sitter) for name in MEASURED]
                for outcome, _ in made:
                    print(json.dumps(asdict(outcome)), file=file, flush=True)
                outcomes += [outcome for outcome, _ in made]
                if number < SHOWN:
                    rows.append([sitter.picture, *(picture for _, picture in made)])
                    sheet(rows, out / f"{way}.png")
                print(f"{way} {number + 1} of {len(people)}", file=sys.stderr, flush=True)
    near = round(statistics.fmean(s.psnr_db for s in people), 2)
    return {"portraits": len(people), "inversion, dB": near, **summary(outcomes)}


def sheet(rows: Sequence[Sequence[Tensor]], path: Path) -> None:
    """A PNG: each row a portrait and its edits, under the edits' names."""
    size = ((1 + len(MEASURED)) * CELL_PX, CAPTION_PX + len(rows) * CELL_PX)
    whole = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(whole)
    for column, name in enumerate(("as painted", *MEASURED)):
        pen.text((column * CELL_PX + 2, 1), name, fill="black")
    for line, row in enumerate(rows):
        for column, picture in enumerate(row):
            large = resized(picture, (CELL_PX - 2, CELL_PX - 2)).clamp(0, 1)
            pixels = (large * 255).round().byte().permute(1, 2, 0).numpy()
            whole.paste(Image.fromarray(pixels), (column * CELL_PX, CAPTION_PX + line * CELL_PX))
    whole.save(path)
