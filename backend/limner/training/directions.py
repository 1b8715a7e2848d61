"""What each channel of a generator's style space means to a CLIP (Patashnik et al. 2021, arXiv
2103.17249, section 6, "channelwise relevance").

For some random pictures, every channel in turn is set to its mean plus and minus some deviations;
the difference that CLIP sees, of unit length in each picture and then averaged, is what the channel
means. Colours' layers are left out, and by default what is finer than 128 pixels, as the authors
leave them out; with `colours` all is measured. (Of the starter's portraits, red hair and pale skin
are in the colours' layers and nowhere else.)

It is done once for a generator and a CLIP. The channels measured so far are kept, and a run goes on
where one ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from limner.models.clip import Clip
from limner.models.directions import SEED, TRUNCATION, in_order, style_statistics
from limner.models.networks import leave
from limner.models.stylegan2 import Generator
from limner.training.loop import CHECKPOINT
from limner_wire.errors import ErrorCode, LimnerError

Report = Callable[[int, int], None]  # channels done, and how many there are


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure.

    Attributes:
        samples: pictures on which each channel is tried.
        shift: how far, in deviations.
        until_px: layers of finer output are left out.
        colours: measure every layer, those of the colours too, after the others.
        cutoff: how many of the first rows of W+ are truncated; all if None (the authors' newer
            code has 8).
        batch: pictures at a time.
        as_published: with the authors' slip, by which channels that were tried stay at their mean.
    """

    samples: int = 100
    shift: float = 5.0
    until_px: int = 128
    colours: bool = False
    truncation: float = TRUNCATION
    cutoff: int | None = None
    batch: int = 64
    seed: int = SEED
    as_published: bool = False


class Measurement:
    """Channels, one after the other.

    Attributes:
        rows: (C, D), what each channel means; those from `done` on are still 0.
    """

    def __init__(
        self, generator: Generator, clip: Clip, folder: Path, settings: Settings | None = None
    ) -> None:
        self.generator, self.clip, self.folder = generator, clip, folder
        self.settings = s = settings or Settings()
        self._mean, self.std = style_statistics(generator, truncation=s.truncation, seed=s.seed)
        with torch.no_grad():
            self._styles = generator.styles(
                generator.random(s.samples, s.seed, s.truncation, s.cutoff)
            )
        layers = generator.config.style_layers
        self.channels = [
            (k, c)
            for k in in_order(generator.config)
            if s.colours or (not layers[k].is_rgb and layers[k].size_px <= s.until_px)
            for c in range(layers[k].channels)
        ]
        self.rows = torch.zeros(len(self.channels), 0)
        self.done = 0

    def run(self, report: Report, save_every: int = 50) -> None:
        """Measure what is left, with checkpoints on the way."""
        while self.done < len(self.channels):
            self.advance()
            report(self.done, len(self.channels))
            if self.done % save_every == 0:
                self.save()
        self.save()

    @torch.no_grad()
    def advance(self) -> None:
        """Measure the next channel."""
        layer, channel = self.channels[self.done]
        seen = torch.cat([self._seen(part) for part in self._tried(layer, channel)])
        apart = F.normalize(seen[0::2] - seen[1::2], dim=1)
        row = F.normalize(apart.mean(0), dim=0)
        if self.rows.shape[1] == 0:
            self.rows = row.new_zeros(len(self.channels), len(row))
        self.rows[self.done] = row
        if self.settings.as_published:
            self._styles[layer][:, channel] = self._mean[layer][channel]
        self.done += 1

    def _tried(self, layer: int, channel: int) -> Iterator[list[Tensor]]:
        """Style space with the channel up and down, in turn, for a few pictures at a time."""
        middle, far = self._mean[layer][channel], self.settings.shift * self.std[layer][channel]
        each = max(1, self.settings.batch // 2)
        for first in range(0, self.settings.samples, each):
            own = [s[first : first + each].repeat_interleave(2, 0) for s in self._styles]
            own[layer][0::2, channel] = middle + far
            own[layer][1::2, channel] = middle - far
            yield own

    def _seen(self, styles: list[Tensor]) -> Tensor:
        """(B, D) unit vectors of what they are painted to."""
        images = (self.generator.render(styles).clamp(-1, 1) + 1) / 2
        size = (self.clip.size_px, self.clip.size_px)
        if images.shape[2:] != size:
            images = F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
        return self.clip.encode_image(images)

    def save(self) -> None:
        """What was measured so far, replaced in one move."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "checkpoint.new"
        facts = {"done": str(self.done), "settings": json.dumps(asdict(self.settings))}
        save_file({"rows": self.rows.cpu().contiguous()}, fresh, facts)
        fresh.replace(self.folder / CHECKPOINT)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False if there is none.

        Raises:
            LimnerError: UNREADABLE if it is of another generator or other settings.
        """
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        with safe_open(path, "pt") as file:
            facts, rows = file.metadata(), file.get_tensor("rows")
        same = json.loads(facts["settings"]) == asdict(self.settings)
        if not same or len(rows) != len(self.channels):
            raise LimnerError(
                ErrorCode.UNREADABLE,
                f"{path} is of another generator, or of other settings.",
                "Name another folder with --out.",
            )
        self.rows, self.done = rows.to(self.generator.w_avg.device), int(facts["done"])
        for layer, channel in self.channels[: self.done] if self.settings.as_published else ():
            self._styles[layer][:, channel] = self._mean[layer][channel]
        return True

    def export(self, generator: str = "", neutral: str = "") -> Path:
        """The directions as `models.directions` reads them.

        Args:
            generator: its name; nothing if it has none yet.
            neutral: what its pictures are without any wish: "a person".
        """
        config = {
            "channels": len(self.rows), "dimensions": self.rows.shape[1], "clip": self.clip.name,
            "generator": generator or None, "neutral": neutral,
        }  # fmt: skip
        tensors = {"directions": self.rows}
        tensors |= {f"std.{k:02d}": std for k, std in enumerate(self.std)}
        card = {"note": f"what {len(self.rows)} channels mean to {self.clip.name}",
                "licence": "GPL-3.0-or-later", "settings": self.settings}  # fmt: skip
        return leave(self.folder, "directions", config, tensors, card, whole=("std.",))
