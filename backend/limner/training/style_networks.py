"""How well networks tell hands apart, whatever is drawn.

Twenty hands in one ink draw three contents each. Of every picture a crop looks for its nearest, by
STROTSS, among the crops of the other contents: it should be in the same hand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from limner.losses.hypercolumns import columns, drawing_places
from limner.losses.style import distance, look
from limner.models.catalog import at, vgg16
from limner.models.clip import Clip
from limner.models.features import Features, StarterFeatures, load
from limner.training.style_pictures import HANDS, Hand, draw

JUDGE_FOLDER = Path(__file__).parent.parent / "starter" / "judge"
READER_FOLDER = JUDGE_FOLDER.with_name("style-judge")  # has seen pictures in many hands
BLACK = ((0.08, 0.08, 0.10),)
GREYS = tuple((g, g, g) for g in (0.9, 0.6, 0.3, 0.08))


def variants() -> list[Hand]:
    """Twenty hands of one ink, so that colour tells nothing: each of the five as it is, larger,
    shorter, and more bent."""
    out = []
    for hand in HANDS:
        inks = GREYS if hand.name == "gouache" else BLACK
        plain = replace(hand, paper=(1.0, 1.0, 1.0), inks=inks, opacity=1.0)
        (a, b), (c, d), (e, f) = hand.length, hand.width, hand.bend
        large = (1.6 * a, 1.6 * b), (1.6 * c, 1.6 * d)
        out += [
            plain,
            replace(plain, name=f"large {hand.name}", length=large[0], width=large[1]),
            replace(plain, name=f"short {hand.name}", length=(a / 2, b / 2)),
            replace(plain, name=f"bent {hand.name}", bend=(e + 1.5, f + 1.5)),
        ]
    return out


class TowerFeatures(StarterFeatures):
    """The judge's tower, looked into as the starter's is: a small VGG (plain convolutions, ReLU,
    max pooling) that was trained beside it, on the same pictures."""

    name = "the judge's image tower"

    def __init__(self, device: torch.device) -> None:
        judge = at(JUDGE_FOLDER, "judge")
        assert judge is not None  # noqa: S101  (it comes with Limner)
        self._clip, self._depth = Clip(judge, device), 3


def measure() -> dict[str, float]:
    """How well each network that is here tells hands apart."""
    device = torch.device("cpu")
    here: list[Features] = [StarterFeatures(device), TowerFeatures(device)]
    if vgg16() is not None:
        here.append(load("vgg16", device))
    return {features.name: round(retrieval(features), 3) for features in here}


@torch.no_grad()
def retrieval(features: Features, contents: int = 3) -> float:
    """The part of the crops whose nearest crop of another content, by STROTSS, is in their hand."""
    side, seen, looks = features.side_px, {}, {}
    for hand in variants():
        for content in range(contents):
            noise = torch.Generator().manual_seed(content)
            x, y = torch.randint(0, side // 2, (2,), generator=noise).tolist()
            crop = draw(hand, content, side + side // 2)[:, y : y + side, x : x + side]
            places = drawing_places((side, side), features.style_columns, noise)
            found = columns(features.maps(crop), places)
            seen[hand.name, content] = found[: features.columns]
            looks[hand.name, content] = look(found)
    right = 0
    for (name, content), own in seen.items():
        others = {key: float(distance(own, theirs).total)
                  for key, theirs in looks.items() if key[1] != content}  # fmt: skip
        right += min(others, key=lambda key: others[key])[0] == name
    return right / len(seen)
