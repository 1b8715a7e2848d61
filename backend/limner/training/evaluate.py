"""How good a small CLIP is: at naming pictures in an unseen style, and at drawing.

Retrieval ranks every label for each picture of an icon set that nothing was trained on. Drawn
recognition draws labels with the model and asks a judge, another CLIP that took no part in the
drawing, to rank all labels for each drawing: a drawing counts if its label is among the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from limner import session
from limner.methods.base import Inputs, Models, Result
from limner.methods.canvas import resized
from limner.methods.clipdraw import ClipDraw
from limner.methods.schema import with_recipe
from limner.models.clip import Clip, Weighted
from limner.output import picture
from limner.training.corpora import Corpus
from limner.training.icons import DRAWABLE

CANVAS_PX = 224
CELL_PX, CAPTION_PX = 96, 14


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where the right label came among all of them, 0 for first."""

    ranks: Tensor  # (N,) int64

    def top(self, count: int) -> float:
        """The part of the pictures whose label is among the first `count`."""
        return float((self.ranks < count).float().mean())

    @property
    def median(self) -> int:
        """The median place, 1 for first."""
        return int(self.ranks.median()) + 1


def labels(corpus: Corpus) -> list[str]:
    """Every label's English name, once each, in the order of the corpus."""
    return list(dict.fromkeys(facts[0].words["en"] for facts in corpus.facts))


@torch.no_grad()
def retrieval(clip: Clip, corpus: Corpus) -> Ranking:
    """Every picture of the corpus, on white, ranked against every label."""
    names = labels(corpus)
    texts = embed(clip, names)
    right = torch.tensor([names.index(facts[0].words["en"]) for facts in corpus.facts])
    places = []
    for start in range(0, len(right), 128):
        rgba = torch.from_numpy(corpus.pictures[start : start + 128].copy()).float() / 255
        views = F.interpolate(
            rgba[:, :3] * rgba[:, 3:] + 1 - rgba[:, 3:], (clip.size_px, clip.size_px),
            mode="bilinear", antialias=True,
        )  # fmt: skip
        scores = clip.encode_image(views) @ texts.T
        own = scores.gather(1, right[start : start + 128, None])
        places.append((scores > own).sum(1))
    return Ranking(torch.cat(places))


def embed(clip: Clip, names: Sequence[str]) -> Tensor:
    """(N, D) unit vectors of many labels."""
    return torch.cat([clip.encode_text(names[k : k + 256]) for k in range(0, len(names), 256)])


def drawn_labels(corpus: Corpus, count: int) -> list[str]:
    """`count` labels spread evenly over all that are things one can draw.

    Things: emojibase's groups of animals, food, travel, activities and objects; not faces, people
    and signs.
    """
    things = [
        facts[0].words["en"] for facts in corpus.facts if any(f.key in DRAWABLE for f in facts)
    ]
    things = list(dict.fromkeys(things))
    return [things[(2 * k + 1) * len(things) // (2 * count)] for k in range(count)]


def draw_all(
    clip: Clip, names: Sequence[str], report: Callable[[str, Result], None], **settings: object
) -> list[Tensor]:
    """(3, 224, 224) drawings of the labels, as `limner draw` makes them."""
    out = []
    for name in names:
        params = with_recipe(ClipDraw(), clip.recipe, {"prompt": name, **settings})
        outcome = session.run(
            ClipDraw(), params, Inputs((CANVAS_PX, CANVAS_PX)), Models([Weighted(clip)]),
            device=clip.device,
        )  # fmt: skip
        report(name, outcome.result)
        out.append(resized(picture(outcome.result, None), (CANVAS_PX, CANVAS_PX)).clamp(0, 1))
    return out


@torch.no_grad()
def judged(
    judge: Clip, drawings: Sequence[Tensor], names: Sequence[str], all_names: Sequence[str]
) -> Ranking:
    """Where the judge puts each drawing's label among all labels."""
    texts = embed(judge, all_names)
    size = (judge.size_px, judge.size_px)
    views = torch.stack([resized(d, size) for d in drawings])
    scores = judge.encode_image(views) @ texts.T
    right = torch.tensor([list(all_names).index(name) for name in names])
    own = scores.gather(1, right[:, None])
    return Ranking((scores > own).sum(1))


def contact_sheet(
    drawings: Sequence[Tensor], names: Sequence[str], ranking: Ranking, path: Path
) -> None:
    """A PNG of all drawings, ten a row, each with its label and its place (1 for first)."""
    rows = (len(drawings) + 9) // 10
    sheet = Image.new("RGB", (10 * CELL_PX, rows * (CELL_PX + CAPTION_PX)), "white")
    pen = ImageDraw.Draw(sheet)
    for k, (drawing, name) in enumerate(zip(drawings, names, strict=True)):
        x, y = (k % 10) * CELL_PX, (k // 10) * (CELL_PX + CAPTION_PX)
        small = resized(drawing, (CELL_PX, CELL_PX)).clamp(0, 1)
        pixels = (small * 255).round().byte().permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(pixels), (x, y))
        pen.text((x + 2, y + CELL_PX), f"{name[:14]} {int(ranking.ranks[k]) + 1}", fill="black")
    sheet.save(path)
