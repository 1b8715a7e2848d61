"""The judge of attributes: what a portrait shows, read off its pixels.

It counts whether edits succeed and what they leave alone; so it takes part in no loss. A
convolutional network with one answer for each of the painter's attributes, trained on painted
portraits, some of them as soft or grainy as a generator's. What a portrait hides
(`portraits.attributes.hidden`) is neither trained on nor counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.chance import random_of
from limner.models.loading import read_weights
from limner.models.networks import CARD, CONFIG, WEIGHTS, leave, loaded
from limner.models.stylegan2 import Generator
from limner.training.crew import shared
from limner.training.loop import Figures, Run, course, descend, set_rate
from limner.training.paintings import HELD_OUT, Paintings
from limner.training.portraits.attributes import ATTRIBUTES, labels, visible
from limner.training.portraits.edits import EDITS, MEASURED
from limner.training.portraits.painter import SIDE_PX
from limner_wire.errors import ErrorCode, LimnerError

KIND = "attribute judge"
WIDTHS, HIDDEN = (24, 48, 96, 160), 256
SIZES = [len(a.classes) for a in ATTRIBUTES.values()]
SOFTEST, GRAINIEST = 0.9, 0.05  # a blur's deviation in pixels; noise's, of [-1, 1]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        spoilt: the part of the pictures that are blurred and grainy.
        held_out: how many portraits it is measured on at the end.
    """

    steps: int = 16_000
    batch: int = 32
    rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: int = 200
    cooldown: float = 0.5
    pool: int = 200_000
    spoilt: float = 0.5
    decay: float = 0.999
    seed: int = 1
    held_out: int = 2000
    bf16: bool = False


class Judge(nn.Module):
    """(B, 3, 64, 64) in [-1, 1] to (B, 82): the logits of all classes of all attributes."""

    def __init__(self) -> None:
        super().__init__()
        layers = _layers(3, WIDTHS[0], 1)
        for inputs, outputs in pairwise(WIDTHS):
            layers += [*_layers(inputs, outputs, 2), *_layers(outputs, outputs, 1)]
        self.body = nn.Sequential(*layers, nn.Conv2d(WIDTHS[-1], 32, 1), nn.ReLU())
        side = SIDE_PX >> (len(WIDTHS) - 1)
        self.hidden = nn.Linear(32 * side * side, HIDDEN)
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(HIDDEN, sum(SIZES))

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.body(pictures.contiguous(memory_format=torch.channels_last))
        out: Tensor = self.out(self.dropout(F.relu(self.hidden(x.flatten(1)))))
        return out

    @torch.no_grad()
    def classes(self, pictures: Tensor) -> Tensor:
        """(B, 17) int64: the class of each attribute, in the order of `ATTRIBUTES`.

        Args:
            pictures: (B, 3, H, W) in [-1, 1]; other sizes than 64 are averaged or enlarged to it.
        """
        if pictures.shape[2:] != (SIDE_PX, SIDE_PX):
            pictures = F.interpolate(pictures, (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True)
        rows = [answer.argmax(1) for answer in answers(self(pictures))]
        return torch.stack(rows, 1)


def _layers(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def answers(logits: Tensor) -> Iterator[Tensor]:
    """(B, classes) for each attribute."""
    yield from logits.split(SIZES, 1)


def judging_loss(logits: Tensor, right: Tensor, seen: Tensor) -> Tensor:
    """Cross-entropy over all attributes that can be seen.

    Args:
        right: (B, 17) classes; seen: (B, 17) bool.
    """
    rows = [F.cross_entropy(a, right[:, k], reduction="none")
            for k, a in enumerate(answers(logits))]  # fmt: skip
    return (torch.stack(rows, 1) * seen).sum() / seen.sum().clamp_min(1)


class Trainer:
    """One run."""

    def __init__(
        self, settings: Settings, paintings: Paintings, folder: Path, device: torch.device
    ) -> None:
        self.settings, self.paintings, self.device = settings, paintings, device
        torch.manual_seed(settings.seed)
        self.judge = Judge().to(device)
        self.adam = torch.optim.AdamW(
            self.judge.parameters(), lr=settings.rate, weight_decay=settings.weight_decay,
            fused=True,
        )  # fmt: skip
        self.run = Run(folder, settings, {"judge": self.judge}, {"adam": self.adam}, "judge")

    def advance(self) -> Figures:
        """One step."""
        s, step = self.settings, self.run.step
        set_rate(self.adam, s.rate * course(step, s.steps, s.warmup, s.cooldown))
        chance = random_of(s.seed, step)
        torch.manual_seed(s.seed * 1_000_003 + step)  # of the dropout
        rows = torch.randint(len(self.paintings), (s.batch,), generator=chance).tolist()
        people = self.paintings.portraits(rows)
        right = torch.from_numpy(labels(people)).to(self.device)
        seen = torch.from_numpy(visible(people)).to(self.device)
        pictures = spoilt(self.paintings.pictures(rows), s.spoilt, chance).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=s.bf16):
            logits = shared(lambda part: self.judge(pictures[part]).float(), len(rows))
        loss = judging_loss(logits, right, seen)
        descend(self.adam, loss)
        self.run.step += 1
        self.run.follow(s.decay)
        hits = torch.stack([a.argmax(1) for a in answers(logits)], 1) == right
        return {"loss": loss.item(), "right": hits[seen].float().mean().item()}

    def export(self) -> Path:
        """The averaged judge, with its figures on its card."""
        best = Judge().to(self.device)
        best.load_state_dict(self.run.averaged_state())
        card = {"name": "attributes", "licence": "GPL-3.0-or-later",
                "note": "counts what edits change; it is used in no loss",
                "made": "by `limner train attributes`, from nothing, on painted portraits",
                "steps": self.run.step, "settings": self.settings,
                "measured": evaluate(best.eval(), self.settings.held_out)}  # fmt: skip
        state = best.state_dict()
        return leave(self.run.folder, KIND, {}, state, card)


def spoilt(pictures: Tensor, part: float, chance: torch.Generator) -> Tensor:
    """The first `part` of the pictures blurred, one more than another, and grainy."""
    count = round(len(pictures) * part)
    if count == 0:
        return pictures
    sigma = 0.05 + SOFTEST * torch.rand(count, 1, generator=chance)
    grain = torch.randn(pictures[:count].shape, generator=chance)
    amount = GRAINIEST * torch.rand(count, 1, 1, 1, generator=chance)
    soft = blurred(pictures[:count], sigma) + grain * amount
    return torch.cat([soft.clamp(-1, 1), pictures[count:]])


def blurred(pictures: Tensor, sigma: Tensor) -> Tensor:
    """(B, C, H, W), each with a Gaussian of its own deviation, (B, 1) in pixels, up to 1."""
    offsets = torch.arange(-3.0, 4.0)
    taps = (-0.5 * (offsets / sigma).square()).softmax(1)
    batch, channels, height, width = pictures.shape
    each = taps.repeat_interleave(channels, 0)[:, None]  # (B C, 1, 7)
    x = F.pad(pictures, (3, 3, 3, 3), mode="replicate").flatten(0, 1)[None]
    x = F.conv2d(x, each[:, :, None], groups=batch * channels)
    x = F.conv2d(x, each[..., None], groups=batch * channels)
    return x.reshape(batch, channels, height, width)


@torch.no_grad()
def evaluate(judge: Judge, count: int, generator: Generator | None = None) -> Figures:
    """The part of held-out portraits that is judged right, by attribute, where it shows.

    Also for what the measured edits ask: whether it sees that the portrait has it or not.

    Args:
        generator: whose pictures of the codes are judged instead of painted ones; then the figures
            also tell how well it paints.
    """
    held_out = Paintings(count, HELD_OUT)
    rows, device = list(range(count)), judge.out.weight.device
    people = held_out.portraits(rows)

    def pictures(some: list[int]) -> Tensor:
        if generator is None:
            return held_out.pictures(some)
        codes = torch.from_numpy(held_out.codes[some]).to(generator.w_avg)
        made: Tensor = generator(generator.map(codes), "none")
        return made.clamp(-1, 1)

    said = torch.cat([
        judge.classes(pictures(rows[k : k + 100]).to(device)).cpu() for k in range(0, count, 100)
    ])  # fmt: skip
    right, seen = torch.from_numpy(labels(people)), torch.from_numpy(visible(people))
    figures = {}
    for k, name in enumerate(ATTRIBUTES):
        hits = (said[:, k] == right[:, k])[seen[:, k]]
        figures[name] = round(hits.float().mean().item(), 4)
    for name in MEASURED:
        edit = EDITS[name]
        k, target = list(ATTRIBUTES).index(edit.attribute), torch.tensor(edit.target())
        same = torch.isin(said[:, k], target) == torch.isin(right[:, k], target)
        figures[f"edit: {name}"] = round(same[seen[:, k]].float().mean().item(), 4)
    return figures


def load(folder: Path, device: torch.device | None = None) -> Judge:
    """The judge in a folder, frozen.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none.
    """
    if not all((folder / name).is_file() for name in (CONFIG, WEIGHTS, CARD)):
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"There is no judge of attributes in {folder}.",
            "Train one: limner train attributes.",
        )
    judge = Judge()
    loaded(judge, read_weights(folder / WEIGHTS), folder.name)
    return judge.to(device or torch.device("cpu")).eval().requires_grad_(False)
