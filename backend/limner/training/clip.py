"""Training a small CLIP, by default against small adversarial steps.

The loss is CLIP's contrastive one (Radford et al. 2021, section 2.3) with four changes:

1. A caption fits every picture that has all of its facts (`corpora.fits`), so that the targets
   are spread evenly over all that fit.
2. The captions of the last steps are kept as further negatives (cross-batch memory, Wang et al.
   2020, arXiv 1912.06798): small batches would hardly ever hold two labels that look alike.
3. Each picture is first moved by one L2 step of `attack` on [0, 1] pixels, uphill on the loss
   (Madry et al. 2018). What remains in the image gradient then follows shapes, not noise, and
   CLIPDraw draws with that gradient (CLIPAG: Ganz & Elad 2024, arXiv 2306.16805).
4. Part of each batch are drawings that this very tower made, told to be scribbles; see
   `training.scribbles`.

All randomness comes from (seed, step), so a run that was stopped goes on as if it had not been, but
for the captions and scribbles of the last steps, which gather anew.
"""

from __future__ import annotations

import json
import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from limner.models import conv_tower  # noqa: F401  (registers the starter's tower with timm)
from limner.models.catalog import WORDS
from limner.models.clip import packed, quietly, unpacked, words_of
from limner.models.loading import read_weights
from limner.training.augment import augment
from limner.training.corpora import TEMPLATES, Corpus, caption, fits
from limner.training.crew import is_first, shared, together, wait
from limner.training.scribbles import AT_ONCE, SCRIBBLE, Scribble, centred, cut, scribble

log = logging.getLogger(__name__)

TEXT = {"context_length": 28, "vocab_size": 49408, "width": 192, "heads": 4, "layers": 2}
TOWERS: dict[str, dict[str, Any]] = {
    "starter": {"timm_model_name": "limner_conv64", "timm_pool": ""},
    "judge": {"timm_model_name": "limner_plain64", "timm_pool": ""},
    "portraits": {"timm_model_name": "limner_detail64", "timm_pool": ""},
    "scenes": {"timm_model_name": "limner_scene64", "timm_pool": ""},
    "scenes-judge": {"timm_model_name": "limner_placed64", "timm_pool": ""},
}
MEAN, STD = (0.6, 0.6, 0.6), (0.35, 0.35, 0.35)
EMA_DECAY = 0.999
MEMORY = 1024  # captions of past steps
RADIUS_FROM = (1500, 4000)  # steps at which the attack begins, and has its full length
SCRIBBLES, SCRIBBLE_EVERY = 384, 24  # drawings kept; steps between two lots of new ones
MEMORY_FROM = 2000  # embeddings move too fast before: old ones would only tell time


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        attack: L2 length of the adversarial step on (3, 64, 64) pixels in [0, 1]; 0 for none.
        cooldown: the part of the steps, at the end, over which the rate falls to zero.
        start: weights to begin from, of the same tower; then the attack has its full length from
            the first step. Empty to begin from nothing.
        scribbles: the part of a batch that are the tower's own drawings, from the step at which
            the attack has its full length.
        restyle: the part of the other pictures that is shown in another hand, where no colour is
            told of them.
        aligned: the pictures are a generator's, in which all lies where it always does: they are
            shown nearly whole.
        bf16: run both towers in bfloat16, about 1.4 times as fast on CPUs that multiply it.
        sam: length of the step to worse weights at which the gradient is taken (sharpness-aware
            minimisation, which unCLIP's CLIP was trained with, at 0.1); 0 for none. It takes twice
            the time.
    """

    tower: str = "starter"
    steps: int = 16000
    batch: int = 64
    rate: float = 1e-3
    weight_decay: float = 0.05
    attack: float = 1.25
    warmup: int = 300
    cooldown: float = 0.4
    seed: int = 0
    scribbles: float = 0.0
    restyle: float = 0.0
    start: str = ""
    aligned: bool = False
    bf16: bool = False
    sam: float = 0.0


def config(tower: str) -> dict[str, Any]:
    """The `open_clip_config.json` of a small CLIP of ours."""
    vision = {"image_size": 64, "timm_proj": "linear", "timm_model_pretrained": False}
    return {
        "model_cfg": {"embed_dim": 256, "vision_cfg": vision | TOWERS[tower], "text_cfg": TEXT},
        "preprocess_cfg": {
            "mean": MEAN, "std": STD, "interpolation": "bilinear", "resize_mode": "squash",
        },
    }  # fmt: skip


class Trainer:
    """One run: model, optimiser, moving average, and the step that joins them."""

    def __init__(self, settings: Settings, corpus: Corpus, folder: Path) -> None:
        self.settings, self.corpus, self.folder = settings, corpus, folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "open_clip_config.json").write_text(json.dumps(config(settings.tower), indent=1))
        torch.manual_seed(settings.seed)
        with quietly():
            self.model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
        if settings.start:
            self.model.load_state_dict(unpacked(read_weights(Path(settings.start)), self.model))
        self.model.to(memory_format=torch.channels_last)
        self.tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self._groups(), lr=settings.rate, fused=True)
        self.memory: deque[tuple[Tensor, frozenset[str]]] = deque(maxlen=MEMORY)
        self.keys = [frozenset(f.key for f in facts) for facts in corpus.facts]
        self.scribbles: deque[Scribble] = deque(maxlen=SCRIBBLES)
        self.fakes = round(settings.batch * settings.scribbles)
        self.scribbles_from = 0 if settings.start else RADIUS_FROM[1]
        self.step = 0

    def _groups(self) -> list[dict[str, Any]]:
        decayed: list[Tensor] = []
        free: list[Tensor] = []
        for name, p in self.model.named_parameters():
            (decayed if p.ndim > 1 and "embedding" not in name else free).append(p)
        return [
            {"params": decayed, "weight_decay": self.settings.weight_decay},
            {"params": free, "weight_decay": 0.0},
        ]

    def rate(self) -> float:
        """Warm-up, then constant, then linearly to zero over the cool-down."""
        s = self.settings
        left = (s.steps - self.step) / max(1, s.steps * s.cooldown)
        return s.rate * min(1.0, (self.step + 1) / s.warmup, max(0.0, left))

    def radius(self) -> float:
        """The attack grows from nothing: a tower that sees little yet can't resist it."""
        first, full = RADIUS_FROM
        if self.settings.start:
            return self.settings.attack
        return self.settings.attack * min(1.0, max(0.0, (self.step - first) / (full - first)))

    def scribble_now(self) -> None:
        """Draw a few labels with the tower as it is; the oldest drawings go."""
        chance = random.Random(self.settings.seed * 7_000_003 + self.step)
        chosen = chance.sample(range(len(self.keys)), min(AT_ONCE, len(self.keys)))
        meant = [self.corpus.facts[i] for i in chosen]
        with torch.no_grad():
            texts = self.told([facts[0].words["en"] for facts in meant])
            around = torch.cat([texts, *(row[None] for row, _ in self.memory)])
            aims = centred(texts, around.mean(0))
        self.model.requires_grad_(False)
        self.scribbles.extend(scribble(meant, aims, self.seen, chance))
        self.model.requires_grad_(True)

    def batch(self) -> tuple[Tensor, list[str], list[frozenset[str]], list[frozenset[str]]]:
        """Pictures, captions, what each caption tells, and what is true of each picture.

        Captions may be more than pictures: what scribbles were meant to be is told as well.
        """
        chance = random.Random(self.settings.seed * 1_000_003 + self.step)
        fakes = chance.sample(list(self.scribbles), min(len(self.scribbles), self.fakes))
        size = min(self.settings.batch - len(fakes), len(self.keys))
        rows = sorted(chance.sample(range(len(self.keys)), size))
        rgba = torch.from_numpy(np.asarray(self.corpus.pictures[rows])).float() / 255
        pictures, added = augment(
            rgba,
            [self.corpus.facts[i] for i in rows],
            chance,
            self.settings.restyle,
            aligned=self.settings.aligned,
        )
        facts = [[*self.corpus.facts[i], *more] for i, more in zip(rows, added, strict=True)]
        told = [caption(f, chance) for f in facts]
        true = [self.keys[i] | {f.key for f in more} for i, more in zip(rows, added, strict=True)]
        if fakes:
            pictures = torch.cat([pictures, cut(fakes, chance)])
            told += [caption([SCRIBBLE], chance) for _ in fakes]
            told += [caption(fake.meant[:1], chance) for fake in fakes]
            true += [frozenset({SCRIBBLE.key})] * len(fakes)
        return pictures, [t for t, _ in told], [k for _, k in told], true

    def advance(self) -> dict[str, float]:
        """One step.

        Raises:
            FloatingPointError: if the loss is not finite.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        if self.fakes and self.step >= self.scribbles_from and self.step % SCRIBBLE_EVERY == 0:
            self.scribble_now()
        pictures, captions, told, true = self.batch()
        texts = self.told(captions)
        target = fits([*told, *(keys for _, keys in self.memory)], true)
        if radius := self.radius():
            pictures = self.attacked(pictures, self._bank(texts).detach(), target, radius)
        loss, logits = self.loss(pictures, texts, target)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()} at step {self.step}")
        weights = list(self.model.parameters())
        self.optimizer.zero_grad()
        loss.backward()
        together(weights)
        if self.settings.sam:
            with climbed(weights, self.settings.sam):
                self.optimizer.zero_grad()
                self.loss(pictures, self.told(captions), target)[0].backward()
                together(weights)
        self.optimizer.step()
        scale = self.model.logit_scale.exp().item()
        self._remember(texts[: len(pictures)], told[: len(pictures)])
        self.step += 1
        right = target.gather(1, logits.argmax(1, keepdim=True)).mean()
        return {"loss": loss.item(), "top1": right.item(), "scale": scale}

    def loss(self, pictures: Tensor, texts: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The contrastive loss, (), and the logits of pictures against captions, those of past
        steps last."""
        logits = self.model.logit_scale.exp() * self.seen(pictures) @ self._bank(texts).T
        size = len(texts)
        loss = (spread(logits, target) + spread(logits[:, :size].T, target[:, :size].T)) / 2
        return loss, logits

    def _bank(self, texts: Tensor) -> Tensor:
        """Captions, and those of past steps."""
        return torch.cat([texts, *(row[None] for row, _ in self.memory)])

    def told(self, captions: list[str]) -> Tensor:
        """(B, D) unit vectors of captions."""
        tokens = self.tokenizer(captions)
        with self._precision():
            out = shared(lambda part: self.model.encode_text(tokens[part]).float(), len(tokens))
        return F.normalize(out, dim=-1)

    def seen(self, pictures: Tensor) -> Tensor:
        """(B, D) unit vectors of (B, 3, 64, 64) pictures in [0, 1]."""
        views = normalised(pictures)
        with self._precision():
            out = shared(lambda part: self.model.encode_image(views[part]).float(), len(views))
        return F.normalize(out, dim=-1)

    def _precision(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bf16)

    def attacked(self, pictures: Tensor, bank: Tensor, target: Tensor, radius: float) -> Tensor:
        """The pictures, one L2 step of `radius` up the loss from a random start."""
        start = torch.randn_like(pictures)
        start = start / length(start) * radius * 0.3
        moved = (pictures + start).requires_grad_(True)
        embeddings = self.seen(moved)
        loss = spread(self.model.logit_scale.exp().detach() * embeddings @ bank.T, target)
        (gradient,) = torch.autograd.grad(loss, moved)
        shift = start + gradient / length(gradient).clamp_min(1e-12) * radius
        shift = shift * (radius / length(shift).clamp_min(radius))
        return (pictures + shift).clamp(0, 1).detach()

    @torch.no_grad()
    def _remember(self, texts: Tensor, told: list[frozenset[str]]) -> None:
        self.model.logit_scale.clamp_(max=math.log(100))
        if self.step >= MEMORY_FROM or self.settings.start:
            self.memory.extend(zip(texts.detach(), told, strict=True))
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        floats = [k for k, v in state.items() if v.is_floating_point()]
        torch._foreach_lerp_(
            [self.average[k] for k in floats], [state[k] for k in floats], 1 - decay
        )

    def run(self, report: Callable[[int, dict[str, float]], None], save_every: int = 500) -> None:
        """Train to the last step, with checkpoints on the way and the weights at the end."""
        while self.step < self.settings.steps:
            figures = self.advance()
            if is_first():
                report(self.step, figures)
                if self.step % save_every == 0:
                    self.save()
        if is_first():
            self.save()
            self.export()
        wait()

    def save(self) -> None:
        """A checkpoint, replaced in one move."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": v for k, v in state.items()}
        fresh = self.folder / "checkpoint.new"
        save_file(
            {k: v.contiguous() for k, v in tensors.items()},
            fresh,
            {"step": str(self.step), "settings": json.dumps(asdict(self.settings))},
        )
        fresh.replace(self.folder / "checkpoint.safetensors")

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False if there is none."""
        path = self.folder / "checkpoint.safetensors"
        if not path.exists():
            return False
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
        tensors = load_file(path)

        def part(name: str) -> dict[str, Tensor]:
            return {k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)}

        self.model.load_state_dict(part("model."))
        self.average = part("average.")
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in part("adam.").items():
            index, name = key.split(".", 1)
            # fused Adam walks memory: its state must lie as its parameter does
            like = torch.channels_last if value.ndim == 4 else torch.contiguous_format
            state.setdefault(int(index), {})[name] = value.to(memory_format=like)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        return True

    def export(self) -> Path:
        """The averaged weights, packed, and the words known.

        Rows of the token embedding that no caption ever used are left out: they carry nothing.
        """
        told = {t for facts in self.corpus.facts for fact in facts for t in fact.words.values()}
        told |= {template for templates in TEMPLATES.values() for template in templates}
        used = torch.zeros(TEXT["vocab_size"], dtype=torch.bool)
        used[self.tokenizer(sorted(told)).flatten()] = True
        path = self.folder / "model.safetensors"
        save_file(packed(self.average, used), path, {"format": "pt"})
        words = sorted({word for text in told for word in words_of(text)})
        (self.folder / WORDS).write_text(json.dumps(words, ensure_ascii=False), "utf-8")
        return path


def normalised(pictures: Tensor) -> Tensor:
    """(B, 3, 64, 64) in [0, 1], as the tower wants them."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    scaled = (pictures - mean[:, None, None]) / std[:, None, None]
    return scaled.contiguous(memory_format=torch.channels_last)


def spread(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy with each row's target spread evenly over all that fits."""
    fitting: Tensor = (target * logits.log_softmax(1)).sum(1) / target.sum(1).clamp_min(1)
    loss: Tensor = -fitting.mean()
    return loss


def length(x: Tensor) -> Tensor:
    """(B, 1, 1, 1): the L2 length of each picture."""
    lengths: Tensor = x.flatten(1).norm(dim=1)
    return lengths[:, None, None, None]


@contextmanager
def climbed(parameters: list[Tensor], radius: float) -> Iterator[None]:
    """The weights where the loss is worst within a radius, by the gradient that they have; then
    again what they were, to the bit (Foret et al. 2021, arXiv 2010.01412, eq. 2)."""
    moved = [p for p in parameters if p.grad is not None]
    slopes = [p.grad for p in moved if p.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(slopes)))
    were = [p.detach().clone() for p in moved]
    with torch.no_grad():
        torch._foreach_add_(moved, [g * (radius / norm.clamp_min(1e-12)) for g in slopes])
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(moved, were)


def timed_report(total: int, every: int = 50) -> Callable[[int, dict[str, float]], None]:
    """A reporter that prints a line every so many steps."""
    start, first = time.monotonic(), [-1]
    smooth: dict[str, float] = {}

    def report(step: int, figures: dict[str, float]) -> None:
        if first[0] < 0:
            first[0] = step - 1
        for key, value in figures.items():
            smooth[key] = smooth.get(key, value) * 0.98 + value * 0.02
        if step % every == 0 or step == total:
            rate = (step - first[0]) / (time.monotonic() - start)
            words = "  ".join(f"{k} {v:.3f}" for k, v in smooth.items())
            print(f"{step}/{total}  {words}  {rate:.2f} it/s", flush=True)

    return report
