"""A pool of painted portraits, each painted when it is first asked for and kept from then on.

Painting takes some milliseconds, as long as a small network's step, and trainers go through the
same portraits many times. A pool is a function of its seed alone, whoever painted what.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.latent import portraits_of, sample
from limner.training.portraits.painter import SIDE_PX, paint_all

HELD_OUT = 990_001  # seed of portraits that nothing is trained on
LOT = 256  # portraits that a process paints at a time
IDENTITY = ("skin", "face", "eye colour", "nose_size", "eye_gap", "brow_width")


class Paintings:
    """`count` portraits of codes drawn with a seed.

    Attributes:
        codes: (N, 64) float32.
    """

    kind = "portraits"

    def __init__(self, count: int, seed: int, folder: Path | None = None) -> None:
        """The folder is where they are kept from run to run; in memory alone if None."""
        self.codes = sample(count, seed)
        stem = None if folder is None else folder / f"{self.kind}-{seed}-{count}"
        self._pictures = _array(stem, ".pictures", (count, 3, SIDE_PX, SIDE_PX), np.uint8)
        self._painted = _array(stem, ".painted", (count,), np.bool_)

    def __len__(self) -> int:
        return len(self.codes)

    def portraits(self, rows: Sequence[int]) -> list[Portrait]:
        """What the portraits show."""
        return portraits_of(self.codes[list(rows)])

    def pictures(self, rows: Sequence[int]) -> Tensor:
        """(B, 3, 64, 64) float32 in [-1, 1]."""
        at = np.asarray(rows, dtype=np.int64)
        missing = at[~self._painted[at]]
        if len(missing):
            self._pictures[missing] = paint_all(self.portraits(missing.tolist()))
            self._painted[missing] = True
        return torch.from_numpy(self._pictures[at]).float() / 127.5 - 1

    def paint(self, processes: int) -> None:
        """Paint all that is missing, in several processes: for machines whose GPU would wait."""
        missing = np.flatnonzero(~self._painted)
        lots = [missing[k : k + LOT].tolist() for k in range(0, len(missing), LOT)]
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            for k in range(0, len(lots), 4 * processes):
                some = lots[k : k + 4 * processes]
                painted = pool.map(paint_all, [self.portraits(rows) for rows in some])
                for rows, pictures in zip(some, painted, strict=True):
                    self._pictures[rows], self._painted[rows] = pictures, True


class People(Paintings):
    """Several portraits of each of many people, in other looks: rows k·views to (k + 1)·views - 1
    are the same person.

    A person is `IDENTITY`, what stays with one: the skin, the face's and the nose's form, the eyes'
    colour and distance, how thick the brows are. Hair, beard, hat, glasses, expression, age,
    clothes, pose, background and medium are looks.
    """

    kind = "people"

    def __init__(self, people: int, views: int, seed: int, folder: Path | None = None) -> None:
        super().__init__(people * views, seed, folder)
        self.views = views

    def portraits(self, rows: Sequence[int]) -> list[Portrait]:
        looks = super().portraits(rows)
        people = super().portraits([row - row % self.views for row in rows])
        return [seen_as(person, look) for person, look in zip(people, looks, strict=True)]


def seen_as(person: Portrait, look: Portrait) -> Portrait:
    """The person of one portrait in the looks of another."""
    leans = {name: person.leans[name] for name in IDENTITY if name in person.leans}
    fields = [name.replace(" ", "_") for name in IDENTITY]
    return replace(look, **{f: getattr(person, f) for f in fields}, leans={**look.leans, **leans})


def _array(
    stem: Path | None, ending: str, shape: tuple[int, ...], dtype: type[np.generic]
) -> np.ndarray:
    """Zeros, or what lies in the file; a new file's zeros take no room on most disks."""
    if stem is None:
        return np.zeros(shape, dtype)
    stem.parent.mkdir(parents=True, exist_ok=True)
    path = stem.with_name(stem.name + ending)
    out: np.ndarray = np.memmap(path, dtype, "r+" if path.exists() else "w+", shape=shape)
    return out
