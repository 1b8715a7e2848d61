"""Captioned pictures for training a CLIP: what a corpus is, and how one is packed on disk.

Every picture carries *facts*: its label, its tags, and whatever an augmentation adds to it (a
colour, a count). A caption is a few facts put into words of one language. A caption fits every
picture that has all of its facts, so "fruit" is no wrong answer for the picture of an apple:
the trainer's targets come from this containment, not from the place in the batch.

The pictures are drawn elsewhere: `training.icons` renders icon sets, `training.scenes` and
`training.redraw` draw with our own rasterizer.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limner_wire.errors import ErrorCode, LimnerError

SIDE_PX = 80
PICTURES, CAPTIONS = "pictures.npy", "facts.json"

LANGUAGES = ("en", "ko")

TEMPLATES = {
    "en": ("{}", "{}", "a {}", "a drawing of {}", "a drawing of a {}", "a picture of a {}",
           "an icon of a {}", "a painting of a {}", "the {}"),
    "ko": ("{}", "{}", "{} 그림", "{}의 그림"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true of a picture.

    Attributes:
        key: what makes two facts the same; for a tag its language and word.
        words: its wording by language; a language without one can't tell this fact.
        weight: how often captions choose it, beside the picture's other facts.
    """

    key: str
    words: dict[str, str]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pictures and what is true of them.

    Attributes:
        pictures: (N, 4, 80, 80) uint8, straight RGBA; may be a memory map.
        facts: N lists; the first fact is the label.
        families: N names of the source, "noto" or "scenes".
    """

    pictures: np.ndarray
    facts: list[list[Fact]]
    families: list[str]
    index: dict[str, int] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the corpus as two files that `load` maps back."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / PICTURES, self.pictures)
        rows = [
            {"family": family, "facts": [[f.key, f.words, f.weight] for f in facts]}
            for family, facts in zip(self.families, self.facts, strict=True)
        ]
        (folder / CAPTIONS).write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def load(folder: Path) -> Corpus:
    """A corpus that `Corpus.save` wrote.

    Raises:
        LimnerError: UNREADABLE if the folder holds none.
    """
    try:
        pictures = np.load(folder / PICTURES, mmap_mode="r")
        rows = json.loads((folder / CAPTIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE,
            f"{folder} holds no packed corpus ({problem.__class__.__name__}).",
            "Make one with `make corpus`, or `limner train corpus`.",
        ) from problem
    facts = [[Fact(key, words, weight) for key, words, weight in row["facts"]] for row in rows]
    return Corpus(pictures, facts, [row["family"] for row in rows])


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Several corpora as one."""
    return Corpus(
        np.concatenate([c.pictures for c in corpora]),
        [facts for c in corpora for facts in c.facts],
        [family for c in corpora for family in c.families],
    )


def caption(facts: Sequence[Fact], chance: random.Random) -> tuple[str, frozenset[str]]:
    """Some of a picture's facts in words, and the keys of the facts that were told.

    The label alone is the most frequent caption; a modifier (weight above 1: a colour, a
    count) is told whenever it is there, before the label, as a person would say it; a place
    comes after the label in English.
    """
    spoken = [language for language in LANGUAGES if language in facts[0].words]
    language = spoken[0] if chance.random() < 0.75 else chance.choice(spoken)
    known = [f for f in facts if language in f.words]
    label, rest = known[0], known[1:]
    modifiers = [f for f in rest if f.weight > 1]
    tags = [f for f in rest if f.weight <= 1]
    if tags and not modifiers and chance.random() < 0.25:
        told = chance.sample(tags, min(len(tags), chance.choice((1, 2))))
    else:
        told = [m for m in modifiers if chance.random() < 0.8] + [label]
        if language == "en":
            told.sort(key=lambda fact: fact.key.startswith("place:"))
    text = " ".join(f.words[language] for f in told)
    return chance.choice(TEMPLATES[language]).format(text), frozenset(f.key for f in told)


def fits(told: Sequence[frozenset[str]], facts: Sequence[frozenset[str]]) -> Tensor:
    """(pictures, captions) float32: 1 where the picture has every fact that the caption tells."""
    keys = {key: i for i, key in enumerate(sorted(set().union(*told)))}
    needs = torch.zeros(len(told), len(keys))
    for row, caption_keys in enumerate(told):
        needs[row, [keys[key] for key in caption_keys]] = 1
    has = torch.zeros(len(facts), len(keys))
    for row, fact_keys in enumerate(facts):
        has[row, [keys[key] for key in fact_keys if key in keys]] = 1
    return (has @ needs.T >= needs.sum(1)).float()
