"""How well pictures come from words: a hundred captions, each a thing in a colour and a place that
never stood together in training, half of them icons, half plain shapes.

A judge, a CLIP that took no part, ranks a thousand captions for each picture; it counts if its own
is among the first five. The same is asked of painted pictures (what the judge can know at all), and
of pictures from their embeddings (what the decoder can paint). Text diffs are counted on portraits
by the judge of attributes.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from limner.methods import imagine, text_diff
from limner.methods.imagining import alone, network, seen
from limner.models.clip import Clip
from limner.models.inversion import psnr
from limner.models.unclip.decoder import Decoder
from limner.models.unclip.drawing import Drawing, Noising, Told
from limner.models.unclip.embeddings import text_diff as turned
from limner.training.attribute_judge import Judge
from limner.training.captioned import Captioned, resized
from limner.training.compositions import (
    THINGS,
    Composition,
    all_of,
    captions_to_rank,
    composition_of,
)
from limner.training.corpora import Corpus
from limner.training.evaluate import Ranking
from limner.training.paintings import HELD_OUT, Paintings
from limner.training.portraits.edits import EDITS, MEASURED
from limner.training.scenes import SHAPES

COUNT, AMONG, SEED = 100, 1000, 20_261
POOL = 10_000  # held-out portraits to choose from
INVERTED, LOOKS = 24, 100
LOT = 20
CELL_PX, CAPTION_PX = 96, 14


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is measured, and by whom.

    Attributes:
        decoder, reader: what paints, and the CLIP that it was made for.
        judge: of captions; `attributes`, of portraits.
        settings: of the methods, beside their defaults.
    """

    decoder: Decoder
    reader: Clip
    judge: Clip
    attributes: Judge
    settings: Mapping[str, Any]
    device: torch.device

    def params(self, method: type[Any], **given: Any) -> Any:
        """Settings of a method."""
        has = method.__dataclass_fields__
        return method(**{k: v for k, v in {**self.settings, **given}.items() if k in has})

    def imagined(self, captions: Sequence[str], prior: str) -> tuple[Tensor, float]:
        """(B, 3, S, S) in [-1, 1], and the seconds that one took."""
        params = self.params(imagine.Params, prior=prior)
        name = imagine.chosen(prior, self.decoder.config.clip)
        draws, empty = network("prior", name, self.device), self.reader.read([""])
        out, begun = [], time.perf_counter()
        for first in range(0, len(captions), LOT):
            words = self.reader.read(captions[first : first + LOT])
            drawn = draws.sampling(
                words, empty, seed=first, guidance=params.prior_guidance, steps=params.prior_steps
            )
            while drawn.step < drawn.total:
                drawn.advance()
            told = Told(drawn.embedding(), words, empty)
            out.append(self.painted(told, first, params.guidance, params.steps))
        return torch.cat(out), (time.perf_counter() - begun) / len(captions)

    def painted(
        self, told: Told, seed: int, guidance: float, steps: int, start: Tensor | None = None
    ) -> Tensor:
        """(B, 3, S, S) in [-1, 1]."""
        drawing = Drawing(
            self.decoder, told, seed=seed, steps=steps, guidance=guidance, start=start
        )
        while drawing.step < drawing.total:
            drawing.advance()
        return drawing.picture

    def ranked(self, pictures: Tensor, captions: Sequence[str], among: Sequence[str]) -> Ranking:
        """Where the judge puts each picture's caption."""
        with torch.no_grad():
            views = resized((pictures + 1) / 2, self.judge.size_px)
            saw = self.judge.encode_image(views)
        own = (saw * self.judge.encode_text(captions)).sum(1)
        scores = saw @ self.judge.encode_text(among).T
        other = torch.tensor([[text != caption for text in among] for caption in captions])
        return Ranking(((scores > own[:, None]) & other.to(scores.device)).sum(1).cpu())

    def turned(self, count: int, theta: float) -> dict[str, float]:
        """Of `count` held-out portraits to which all measured edits apply: the part of each edit's
        that the judge of attributes sees changed after a text diff."""
        held_out, rows = Paintings(POOL, HELD_OUT), list[int]()
        for row in range(POOL):
            (person,) = held_out.portraits([row])
            if len(rows) < count and all(EDITS[name].applies(person) for name in MEASURED):
                rows.append(row)
        params = self.params(text_diff.Params, prompt="a person", theta=theta)
        hits = dict.fromkeys(MEASURED, 0.0)
        for first in range(0, count, LOT):
            pictures = held_out.pictures(rows[first : first + LOT]).to(self.device)
            noise, z = self.inverted(pictures, params.looks)
            for name in MEASURED:
                edit, read = EDITS[name], self.reader.encode_text
                to, neutral = read([edit.prompt]), read([edit.neutral])
                told = alone(self.reader, turned(z, to, neutral, theta))
                made = self.painted(told, 0, params.guidance, params.steps, noise)
                hits[name] += self.shows(made, name) / count
        return hits

    def shows(self, pictures: Tensor, name: str) -> int:
        """How many pictures show what an edit asks for."""
        from limner.training.edit_evaluate import NAMES

        said = self.attributes.classes(pictures)[:, NAMES.index(EDITS[name].attribute)]
        return int(sum((said == k).sum() for k in EDITS[name].target()))

    def inverted(self, pictures: Tensor, looks: int) -> tuple[Tensor, Tensor]:
        """The noise and the embeddings of pictures."""
        z = seen(self.reader, pictures)
        back = Noising(self.decoder, pictures, alone(self.reader, z), steps=looks)
        while back.step < back.total:
            back.advance()
        return back.noise, z


def asked(seed: int = SEED) -> list[Composition]:
    """The hundred: different combinations that are held out, half icons, half shapes."""
    chance = random.Random(seed)
    halves = (sorted(THINGS), COUNT - COUNT // 2), (sorted(SHAPES), COUNT // 2)
    out: list[Composition] = []
    for things, count in halves:
        out += chance.sample([c for c in all_of(things) if c.is_held_out], count)
    return out


def run(
    evaluation: Evaluation, held_out: Corpus, priors: Sequence[str], out: Path, portraits: int
) -> dict[str, Any]:
    """All figures, and a sheet for each prior in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {}
    among = [str(c) for c in captions_to_rank(AMONG, SEED)]
    painted = Captioned(held_out, evaluation.reader, evaluation.decoder.config.size)
    rows = range(min(COUNT, len(painted)))
    own = [str(composition_of(held_out.facts[row])) for row in rows]
    pictures = painted.pictures(rows).to(evaluation.device)

    def tell(name: str, made: Tensor, captions: list[str], seconds: float = 0.0) -> None:
        ranking = evaluation.ranked(made, captions, among)
        told[name] = {"top 5": ranking.top(5), "top 1": ranking.top(1), "median": ranking.median,
                      **({"seconds each": round(seconds, 2)} if seconds else {})}  # fmt: skip
        print(name, told[name], file=sys.stderr, flush=True)
        sheet(made, captions, ranking, out / f"{name.replace(' ', '-')}.png")

    tell("painted", pictures, own)
    params = evaluation.params(imagine.Params)
    from_them = alone(evaluation.reader, painted.embeddings[: len(rows)].to(evaluation.device))
    tell("from embeddings", evaluation.painted(from_them, 0, params.guidance, params.steps), own)
    wanted = [str(c) for c in asked()]
    for prior in priors:
        made, seconds = evaluation.imagined(wanted, prior)
        tell(f"{prior} prior", made, wanted, seconds)
    some = pictures[:INVERTED]
    noise, z = evaluation.inverted(some, LOOKS)
    again = evaluation.painted(alone(evaluation.reader, z), 0, 1.0, LOOKS, noise)
    told["inverted at 100 steps"] = f"{psnr(again, some):.1f} dB, noise {float(noise.std()):.2f}"
    for theta in (0.25, 0.5) if portraits else ():
        told[f"text diffs to {theta}"] = evaluation.turned(portraits, theta)
    (out / "imagine.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    return told


def sheet(pictures: Tensor, names: Sequence[str], ranking: Ranking, path: Path) -> None:
    """A PNG of all, ten a row, each with its caption and its place (1 for first)."""
    lines = (len(pictures) + 9) // 10
    whole = Image.new("RGB", (10 * CELL_PX, lines * (CELL_PX + CAPTION_PX)), "white")
    pen = ImageDraw.Draw(whole)
    small = (resized((pictures + 1) / 2, CELL_PX) * 255).round().byte()
    for k, pixels in enumerate(small.permute(0, 2, 3, 1).cpu().numpy()):
        x, y = (k % 10) * CELL_PX, (k // 10) * (CELL_PX + CAPTION_PX)
        whole.paste(Image.fromarray(pixels), (x, y))
        pen.text(
            (x + 2, y + CELL_PX), f"{names[k][2:18]} {int(ranking.ranks[k]) + 1}", fill="black"
        )
    whole.save(path)
