"""A few steps of every kind of training, by one process or as one of several.

python crew_run.py OUT.npz          under a launcher or not; the first writes what was learned
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("training", "methods"))
import studios
import test_clip_training as clips
import test_generator_training as generators
import test_imagine_training as imagining
import test_portrait_networks as portraits
import test_priors_training as priors
import test_upsampler_training as upsamplers

from limner.models.clip import load
from limner.training import adversarial, attribute_judge, crew, encoder, generator, mapper
from limner.training import clip as clip_training
from limner.training.paintings import Paintings
from limner.training.scenes import scenes

CPU, STEPS = torch.device("cpu"), 3


def trainers(folder: Path) -> dict[str, Callable[[], tuple[Any, nn.Module]]]:
    """Each kind of trainer, and the network that it trains."""
    reader = load(("starter",))[0].clip

    def of(made: Any, name: str) -> tuple[Any, nn.Module]:
        return made, getattr(made, name)

    def a_clip(**more: Any) -> tuple[Any, nn.Module]:
        settings = replace(clips.QUICK, batch=6, **more)
        return of(clip_training.Trainer(settings, scenes(12, seed=9), folder / "clip"), "model")

    def a_mapper() -> tuple[Any, nn.Module]:
        settings = mapper.Settings("a hat", "a person", steps=9, batch=3, warmup=1)
        return of(mapper.Trainer(settings, studios.generator(), reader, folder / "m"), "mapper")

    def an_upsampler() -> tuple[Any, nn.Module]:
        settings, pictures = replace(upsamplers.BRIEF, batch=3), upsamplers.shapes(3, 0)
        made = upsamplers.Trainer(settings, upsamplers.SMALL, pictures, folder / "u", CPU)
        return made, made.upsampler.network

    painted = Paintings(8, 1)
    pictures = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    return {
        "clip": a_clip,
        "clip, sharpness-aware": lambda: a_clip(sam=0.05, attack=0.0),
        "decoder": lambda: of(imagining.trainer(folder / "d", reader), "decoder"),
        "diffusion prior": lambda: of(priors.diffusing(priors.Things(), folder / "p"), "prior"),
        "token prior": lambda: of(priors.telling(priors.Things(), folder / "t"), "prior"),
        "upsampler": an_upsampler,
        "generator": lambda: of(
            generator.Trainer(generators.QUICK, painted, folder / "g", CPU), "generator"),
        "adversaries": lambda: of(
            adversarial.Trainer(generators.TINY, pictures, folder / "a", CPU), "generator"),
        "encoder": lambda: of(
            encoder.Trainer(portraits.ENCODE, generator.blank((8, 8, 8, 8, 4)), painted,
                            folder / "e", CPU), "encoder"),
        "judge": lambda: of(
            attribute_judge.Trainer(portraits.JUDGE, painted, folder / "j", CPU), "judge"),
        "mapper": a_mapper,
    }  # fmt: skip


def main(out: str) -> None:
    torch.set_num_threads(1)
    crew.join()
    learned = {"processes": np.array(crew.count())}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in trainers(Path(folder)).items():
            trainer, network = make()
            for _ in range(STEPS):
                trainer.advance()
            learned[name] = np.concatenate(
                [p.detach().numpy().ravel() for p in network.parameters() if p.requires_grad]
            )
    if crew.is_first():
        np.savez(out, **learned)
    crew.wait()


if __name__ == "__main__":
    main(sys.argv[1])
