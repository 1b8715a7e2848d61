"""A small unCLIP that nobody trained, as files in a models folder; it paints what the starter's
CLIP sees."""

from __future__ import annotations

from pathlib import Path

import torch

from limner.models import networks
from limner.models.unclip import autoregressive_prior as autoregressive
from limner.models.unclip import diffusion_prior as diffusion
from limner.models.unclip import upsampler
from limner.models.unclip.decoder import Config, Decoder
from limner.models.unclip.quantizer import PCA, Buckets

SIZE = 16
CONFIG = Config("starter", SIZE, widths=(32, 32), attends=(False, True), context=32, head=16,
                prediction="v")  # fmt: skip


def decoder(seed: int = 1) -> Decoder:
    """One whose pictures have something to do with what it is told."""
    torch.manual_seed(seed)
    return Decoder(CONFIG).eval().requires_grad_(False)


def install(folder: Path) -> None:
    """All parts."""
    made = decoder()
    networks.leave(folder / "d", "decoder", CONFIG.to_json(), made.state_dict(), {}, whole=("",))
    torch.manual_seed(2)
    looks = diffusion.Config("starter", heads=2, head=16, layers=1)
    first = diffusion.DiffusionPrior(looks)
    tensors = first.state_dict()
    networks.leave(folder / "p", "prior", looks.to_json(), tensors, {}, whole=("",))
    reads = autoregressive.Config("starter", 32, 2, 1, kept=5, buckets=8)
    second = autoregressive.AutoregressivePrior(reads)
    z = torch.nn.functional.normalize(torch.randn(400, 256), dim=1)
    second.pca, _ = PCA.fit(z, 5)
    second.buckets = Buckets.fit(second.pca.project(z), 8)
    tensors = second.state_dict()
    networks.leave(folder / "a", "prior", reads.to_json(), tensors, {}, whole=("",))
    large = upsampler.Config((32, 32))
    tensors = upsampler.blank(large).state_dict()
    networks.leave(folder / "u", "upsampler", large.to_json(), tensors, {}, whole=("",))
