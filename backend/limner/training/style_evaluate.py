"""How well drawings take over a style: five hands, five prompts, beside plain CLIPDraw.

Every prompt is drawn once plainly, and once in each of the hands of `training.style_pictures`, with
the same seed and settings. For each drawing it is measured

- how far it is from the style picture, in parts of the plain drawing's distance: by what was
  optimised, by Gram matrices of the same network, which were not, and by those of a network that
  took no part in the drawing (the judge's tower);
- where the judge ranks the prompt among all labels, beside where it ranks the plain drawing's; and
  where a judge does that has seen pictures in many hands. (The first has seen none: of twemoji's
  pictures, plain, it names 31 % first, but 1 % of the same pictures hatched or in outline; the
  second 39 %, 9 % and 11 %.)
- how far the strokes' lengths, widths and bends are from those that the hand is known to have. The
  plain drawing's strokes are also those of the two-step baseline, which restyles the finished
  picture and leaves its strokes as they are;
- what a step costs.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from limner.losses.style import gram_distance, grams
from limner.methods.base import Inputs, Method, Models, Result
from limner.methods.canvas import DETAIL, Canvas, prepare, resized
from limner.methods.clipdraw import ClipDraw
from limner.methods.eye import GRAM, STROTSS, Eye, fitted
from limner.methods.schema import with_recipe
from limner.methods.shaped import features as figures
from limner.methods.styleclipdraw import StyleClipDraw
from limner.models.catalog import STARTER, at, find
from limner.models.clip import Clip, Weighted
from limner.models.features import load
from limner.training.corpora import load as load_corpus
from limner.training.evaluate import judged, labels
from limner.training.style_networks import JUDGE_FOLDER, READER_FOLDER
from limner.training.style_pictures import HANDS, Hand, draw, strokes
from limner.vector import shape
from limner.vector.strokes import Strokes

CANVAS_PX = 224
# The README's six but for the red apple: a hatching has no red.
PROMPTS = ("a teapot", "broccoli", "a dog", "a sailboat", "a potted plant")
CELL_PX, CAPTION_PX = 168, 14


@dataclass(frozen=True, slots=True)
class Cell:
    """One drawing in one hand, beside the plain drawing of its prompt.

    Attributes:
        strotss, gram, judge_gram: its distance from the style picture over the plain drawing's.
        rank, plain_rank: where the judge puts the prompt, 1 for first; read, plain_read: where the
            judge of restyled pictures does.
        length, width, bend: how far its strokes are from the hand's: octaves, octaves, radians
            (NaN for a hand of dots); plain_…: the plain drawing's.
        cost: milliseconds of a step over those of a plain step.
    """

    prompt: str
    hand: str
    strotss: float
    gram: float
    judge_gram: float
    rank: int
    plain_rank: int
    read: int
    plain_read: int
    length: float
    width: float
    bend: float
    plain_length: float
    plain_width: float
    plain_bend: float
    cost: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished drawing: its strokes, (3, 224, 224) what it looks like, and ms for a step."""

    strokes: Strokes
    image: Tensor
    step_ms: float


class Evaluation:
    """Draws and measures.

    Args:
        clip: what draws.
        judge, reader: what ranks; they take no part in the drawing.
        labels: what it ranks, the prompts without their articles among them.
        settings: for plain and styled drawings alike; `style`, for styled ones.
    """

    def __init__(
        self, clip: Clip, judge: Clip, reader: Clip, labels: Sequence[str],
        settings: dict[str, Any], style: dict[str, Any],
    ) -> None:  # fmt: skip
        self._clip, self._judge, self._reader, self._labels = clip, judge, reader, labels
        self._settings, self._style = settings, style
        self._features = load(style.get("features", "best"), clip.device)
        self._canvas: Canvas = prepare(
            Inputs((CANVAS_PX, CANVAS_PX)), round(self._features.side_px / DETAIL), clip.device
        )

    def plain(self, prompt: str) -> Drawn:
        """CLIPDraw's own drawing."""
        return self._drawn(ClipDraw(), {"prompt": prompt, **self._settings})

    def styled(self, prompt: str, hand: Hand) -> Drawn:
        """The same in a hand."""
        settings = {"prompt": prompt, **self._settings, **self._style}
        return self._drawn(StyleClipDraw(), settings, draw(hand, side_px=2 * CANVAS_PX))

    def measured(self, prompt: str, hand: Hand, plain: Drawn, styled: Drawn) -> Cell:
        """What there is to say of a drawing."""
        picture = draw(hand, side_px=2 * CANVAS_PX)
        eye = Eye(self._features, [picture], self._clip.device)
        far, gram = (
            [eye.judged(self._seen(d), [1.0], measure=m) for d in (styled, plain)]
            for m in (STROTSS, GRAM)
        )
        judge_gram = [self._gram(picture, d) for d in (styled, plain)]
        ranks = [(self._rank(j, prompt, styled), self._rank(j, prompt, plain))
                 for j in (self._judge, self._reader)]  # fmt: skip
        ours, before = gaps(styled.strokes, hand), gaps(plain.strokes, hand)
        return Cell(
            prompt, hand.name, far[0] / far[1], gram[0] / gram[1], judge_gram[0] / judge_gram[1],
            *ranks[0], *ranks[1],
            *ours, *before, styled.step_ms / plain.step_ms,
        )  # fmt: skip

    def _drawn(self, method: Method[Any, Any], settings: dict[str, Any], *styles: Tensor) -> Drawn:
        params = with_recipe(method, self._clip.recipe, settings)
        inputs = Inputs((CANVAS_PX, CANVAS_PX), styles=styles)
        state = method.setup(params, inputs, Models([Weighted(self._clip)]), self._clip.device)
        times = []
        for _ in range(params.steps):
            start = time.process_time()
            method.step(state, params)
            times.append((time.process_time() - start) * 1000)
        result: Result = method.result(state)
        whole = prepare(Inputs((CANVAS_PX, CANVAS_PX)), CANVAS_PX, self._clip.device)
        image = result.picture
        if image is None:
            image = whole.paint(result.drawing).detach()
        return Drawn(result.drawing, resized(image, (CANVAS_PX,) * 2), statistics.median(times))

    def _seen(self, drawn: Drawn) -> Tensor:
        return fitted(drawn.image, self._features.side_px)

    def _rank(self, judge: Clip, prompt: str, drawn: Drawn) -> int:
        label = prompt.removeprefix("a ")
        ranking = judged(judge, [drawn.image], [label], self._labels)
        return int(ranking.ranks[0]) + 1

    @torch.no_grad()
    def _gram(self, picture: Tensor, drawn: Drawn) -> float:
        seen = [grams(self._judge.maps(fitted(p, 2 * self._judge.size_px), 3)[1:])
                for p in (drawn.image, picture)]  # fmt: skip
        return float(gram_distance(*seen))


def gaps(drawing: Strokes, hand: Hand) -> tuple[float, float, float]:
    """How far strokes are from a hand's, each counted by its opacity: in octaves of length and of
    width, and in radians of bend, NaN if either has nothing but dots."""
    ours, theirs = (figures(shape.shape(s), 1.0) for s in (drawing, strokes(hand)))
    weight = drawing.rgba[:, 3]
    bend = float("nan")
    if ours.is_line.any() and theirs.is_line.any():
        line = ours.is_line
        bend = shape.distance(ours.bend[line], theirs.bend[theirs.is_line], weight[line])
    return (
        shape.distance(ours.length, theirs.length, weight),
        shape.distance(ours.width, theirs.width, weight),
        bend,
    )


def summary(cells: Sequence[Cell]) -> dict[str, float]:
    """The figures of a whole table."""
    bent = [c for c in cells if c.bend == c.bend]
    count = len(cells)
    return {
        "drawings": count,
        "strotss over plain, mean": _mean(c.strotss for c in cells),
        "strotss at least halved": sum(c.strotss <= 0.5 for c in cells),
        "gram over plain, mean": _mean(c.gram for c in cells),
        "gram at least halved": sum(c.gram <= 0.5 for c in cells),
        "judge's gram over plain, mean": _mean(c.judge_gram for c in cells),
        "judge's gram at least halved": sum(c.judge_gram <= 0.5 for c in cells),
        "rank worse than plain": sum(c.rank > c.plain_rank for c in cells),
        "rank worse, by who reads restyled pictures": sum(c.read > c.plain_read for c in cells),
        "length, octaves": _mean(c.length for c in cells),
        "length, two steps": _mean(c.plain_length for c in cells),
        "length nearer": sum(c.length < c.plain_length for c in cells),
        "width, octaves": _mean(c.width for c in cells),
        "width, two steps": _mean(c.plain_width for c in cells),
        "width nearer": sum(c.width < c.plain_width for c in cells),
        "bend, radians": _mean(c.bend for c in bent),
        "bend, two steps": _mean(c.plain_bend for c in bent),
        "bend nearer": sum(c.bend < c.plain_bend for c in bent),
        "step over plain, median": round(statistics.median(c.cost for c in cells), 2),
    }


def _mean(values: Iterable[float]) -> float:
    return round(statistics.fmean(values), 3)


def run(
    prompts: Sequence[str],
    hands: Sequence[str],
    settings: dict[str, Any],
    style: dict[str, Any],
    unseen: Path,
    out: Path,
) -> dict[str, float]:
    """The whole table: a line for each drawing on stderr, a contact sheet and all figures as JSON
    lines in `out`; returns the summary.

    Raises:
        LimnerError: UNREADABLE if there are no labels to rank.
    """
    device = torch.device("cpu")
    found = [at(folder, folder.name) for folder in (JUDGE_FOLDER, READER_FOLDER)]
    judge, reader = (Clip(f, device) for f in found if f is not None)  # they come with Limner
    known = labels(load_corpus(unseen))
    evaluation = Evaluation(Clip(find(STARTER), device), judge, reader, known, settings, style)
    chosen = [h for h in HANDS if not hands or h.name in hands]
    cells: list[Cell] = []
    rows: list[list[Tensor]] = []
    out.mkdir(parents=True, exist_ok=True)
    with (out / "style.jsonl").open("w", encoding="utf-8") as file:
        for prompt in prompts or PROMPTS:
            plain = evaluation.plain(prompt)
            rows.append([plain.image])
            for hand in chosen:
                styled = evaluation.styled(prompt, hand)
                rows[-1].append(styled.image)
                cells.append(evaluation.measured(prompt, hand, plain, styled))
                print(json.dumps(asdict(cells[-1])), file=file, flush=True)
                print(cells[-1], file=sys.stderr, flush=True)
            contact_sheet(rows, cells, chosen, out / "style.png")
    return summary(cells)


def contact_sheet(
    rows: Sequence[Sequence[Tensor]], cells: Sequence[Cell], hands: Sequence[Hand], path: Path
) -> None:
    """A PNG: the style pictures, and below them each prompt's drawings with the judge's ranks."""
    step = CELL_PX + CAPTION_PX
    size = ((1 + len(hands)) * CELL_PX, (1 + len(rows)) * step)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)

    def put(picture: Tensor, column: int, line: int, caption: str) -> None:
        small = resized(picture, (CELL_PX - 4, CELL_PX - 4)).clamp(0, 1)
        pixels = (small * 255).round().byte().permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(pixels), (column * CELL_PX + 2, line * step + 2))
        pen.text((column * CELL_PX + 4, line * step + CELL_PX - 1), caption, fill="black")

    for column, hand in enumerate(hands):
        put(draw(hand, side_px=2 * CANVAS_PX), column + 1, 0, hand.name)
    for line, row in enumerate(rows):
        own = cells[line * len(hands) : (line + 1) * len(hands)]
        put(row[0], 0, line + 1, f"{own[0].prompt}: {own[0].plain_rank}")
        for column, (picture, cell) in enumerate(zip(row[1:], own, strict=True)):
            put(picture, column + 1, line + 1, f"rank {cell.rank}, style {cell.strotss:.2f}")
    sheet.save(path)
