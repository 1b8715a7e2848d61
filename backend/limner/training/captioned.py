"""Captioned pictures with what a CLIP sees of each: what the parts of unCLIP are trained on."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.clip import Clip
from limner.training.corpora import Corpus, caption

LOT = 128  # pictures at a time


class Captioned:
    """The pictures of a corpus on white.

    Args:
        side_px: what they are made.
        keep: a folder in which what was computed stays, for the next run; None for nowhere.

    Attributes:
        clip: what looks at them and reads their captions.
        embeddings: (N, D) unit vectors, what it sees of each.
    """

    def __init__(self, corpus: Corpus, clip: Clip, side_px: int, keep: Path | None = None) -> None:
        self.clip, self.facts = clip, corpus.facts
        rows = range(0, len(corpus.facts), LOT)
        file = None if keep is None else keep / f"{_digest(corpus, clip, side_px)}.npz"
        if file is not None and file.is_file():
            with np.load(file) as kept:
                self._pictures, embeddings = kept["pictures"], kept["embeddings"]
        else:
            lots = [self._seen(corpus.pictures[k : k + LOT], side_px) for k in rows]
            self._pictures = np.concatenate([pictures for pictures, _ in lots])
            embeddings = np.concatenate([seen for _, seen in lots])
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(file, pictures=self._pictures, embeddings=embeddings)
        self.embeddings = torch.from_numpy(embeddings)

    def _seen(self, rgba: np.ndarray, side_px: int) -> tuple[np.ndarray, np.ndarray]:
        straight = torch.from_numpy(np.array(rgba)).float() / 255
        on_white = straight[:, :3] * straight[:, 3:] + 1 - straight[:, 3:]
        small = resized(on_white, side_px)
        with torch.no_grad():
            view = resized(small, self.clip.size_px).to(self.clip.device)
            seen = self.clip.encode_image(view)
        return (small * 255).round().byte().numpy(), seen.cpu().numpy()

    def __len__(self) -> int:
        return len(self.facts)

    def captions(self, rows: Sequence[int], chance: random.Random) -> list[str]:
        """Some of what is true of each, in words."""
        return [caption(self.facts[row], chance)[0] for row in rows]

    def pictures(self, rows: Sequence[int]) -> Tensor:
        """(B, 3, side_px, side_px) in [-1, 1]."""
        return torch.from_numpy(self._pictures[list(rows)]).float() / 127.5 - 1


def resized(pictures: Tensor, side_px: int) -> Tensor:
    """(B, 3, side_px, side_px) of (B, 3, H, W) in [0, 1]."""
    out = F.interpolate(pictures, (side_px, side_px), mode="bilinear", antialias=True)
    return out.clamp(0, 1)


def _digest(corpus: Corpus, clip: Clip, side_px: int) -> str:
    """What a corpus, a CLIP and a size come to, in a few letters."""
    keys = json.dumps([[f.key for f in facts] for facts in corpus.facts])
    sample = np.ascontiguousarray(corpus.pictures[:: max(1, len(corpus.facts) // 64)]).tobytes()
    seen = clip.encode_text(["a picture of a thing"]).cpu().numpy().tobytes()
    return f"{zlib.crc32(seen, zlib.crc32(sample, zlib.crc32(keys.encode()))):08x}-{side_px}"
