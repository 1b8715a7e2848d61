"""A sheet of a generator's samples, and a generator that was kept, for the tests of all hosts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.utils import make_grid  # type: ignore[import-untyped]

from limner.cli.app import run
from limner.methods import nada
from limner.models import networks, stylegan2

COUNT = 8  # how many are shown when nothing else is said
SIZE = (240, 180)  # of a picture that an artist brings
CENTRE = (30, 0, 210, 180)  # the square of it that the generator takes
FIRST = (30, 0, 90, 60)  # where that lies in a sheet which has it
REST = (90, 0, 240, 180)  # and behind it
SAME, OTHER = 6, 20  # levels on the whole: one picture shown in two ways, and two pictures


@torch.no_grad()
def sheet(generator: str, size: tuple[int, int], *, own: bool = False) -> Image.Image:
    """The samples of a generator on a canvas of (width, height), behind a place for the artist's
    own picture if there is one."""
    made, shape = stylegan2.load(generator), size[::-1]
    painted = (made(made.random(COUNT, 0, nada.TRUNCATION)).clamp(-1, 1) + 1) / 2
    if own:
        painted = torch.cat([torch.ones_like(painted[:1]), painted])
    grid = make_grid(painted, nada.columns(len(painted), shape), padding=0, pad_value=1.0)
    levels = (nada.padded(grid, shape) * 255).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(levels).resize(size, Image.Resampling.BILINEAR)


def apart(one: np.ndarray | Image.Image, other: np.ndarray | Image.Image) -> float:
    """How many levels two pictures are apart, on the whole."""
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def slid_back(before: Image.Image, learned: Image.Image, own: Path, name: str, parent: str) -> None:
    """Two sheets with the artist's own picture first, of one generator as it was and as it has
    become: theirs is as they gave it, then changed; the rest is what each paints."""
    with Image.open(own) as picture:
        square = picture.convert("RGB").crop(CENTRE).resize((FIRST[2] - FIRST[0], FIRST[3]))
    seen = [one.convert("RGB").resize(SIZE, Image.Resampling.BILINEAR) for one in (before, learned)]
    assert apart(seen[0].crop(FIRST), square) < OTHER < apart(seen[1].crop(FIRST), square)
    for one, generator in zip(seen, (parent, name), strict=True):
        assert apart(one.crop(REST), sheet(generator, SIZE, own=True).crop(REST)) < SAME
    assert apart(*(one.crop(REST) for one in seen)) > OTHER / 2


def kept(name: str, parent: str, folder: Path, at: tuple[int, int]) -> networks.Network:
    """The generator of that name: one that learned, with which `limner sample` paints at once.

    Args:
        at: (x, y) of the first sample in the sheet beside it.
    """
    found = networks.find("generator", name)
    assert found.card["parent"] == parent
    painted = []
    for one in (name, parent):
        assert run(["sample", "--generator", one, "--out", str(folder / "one.png")]) == 0
        with Image.open(folder / "one.png") as picture:
            painted.append(np.asarray(picture.convert("RGB")))
    with Image.open(found.folder / nada.SAMPLES) as samples:
        (x, y), side = at, len(painted[0])
        first = np.asarray(samples.convert("RGB").crop((x, y, x + side, y + side)))
    assert apart(painted[0], first) < 1
    assert apart(*painted) > 10
    return found
