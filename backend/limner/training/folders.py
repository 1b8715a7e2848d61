"""A folder of captioned pictures as a training corpus: `apple.png` beside `apple.txt`.

Each line of the text file is one caption. The first is the label; the others are told as often
together as the label alone. A line may begin with a language and a tab ("ko\\t빨간 사과").
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from limner.pictures import read_with_alpha
from limner.training.corpora import LANGUAGES, SIDE_PX, Corpus, Fact
from limner_wire.errors import ErrorCode, LimnerError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def read_folder(folder: Path) -> Corpus:
    """Every captioned picture of a folder and of the folders in it.

    Raises:
        LimnerError: UNREADABLE if there is none, or if a picture can't be read.
    """
    pictures, facts = [], []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS):
        captions = path.with_suffix(".txt")
        if not captions.is_file():
            continue
        told = [_fact(line) for line in captions.read_text("utf-8").splitlines() if line.strip()]
        if told:
            pictures.append(_square(path))
            facts.append(told)
    if not pictures:
        raise LimnerError(
            ErrorCode.UNREADABLE,
            f"{folder} holds no captioned pictures.",
            "Put a text file beside each picture: apple.png and apple.txt.",
        )
    return Corpus(np.stack(pictures), facts, [folder.name] * len(facts))


def _fact(line: str) -> Fact:
    language, tab, text = line.strip().partition("\t")
    if not tab or language not in LANGUAGES:
        language, text = "en", line.strip()
    return Fact(f"{language}:{text.lower()}", {language: text.lower()})


def _square(path: Path) -> np.ndarray:
    """(4, 80, 80) uint8: the picture centred in a square, clear where it doesn't reach."""
    rgba = read_with_alpha(path)
    height, width = rgba.shape[1:]
    longest = max(height, width)
    sides = ((longest - width) // 2, (longest - width + 1) // 2,
             (longest - height) // 2, (longest - height + 1) // 2)  # fmt: skip
    square = F.pad(rgba, sides)
    small = F.interpolate(square[None], (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True)[0]
    out: np.ndarray = (small.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return out
