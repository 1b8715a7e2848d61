"""Where the time of a CLIPDraw step goes: rasterizer, augmentation, CLIP, optimiser; and what edits
cost with a generator of any size.

CLIP is timed where it runs, within the step, forward and backward; the other parts by running them
alone, at the settings and in the state of a real run, interleaved step by step, so that a noisy
machine disturbs all parts alike.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from limner.losses.cutouts import cutouts, random_maps
from limner.methods.base import Inputs, Models
from limner.methods.clipdraw import ClipDraw
from limner.methods.latent_optimization import LatentOptimization
from limner.methods.latent_optimization import Params as EditParams
from limner.methods.schema import with_recipe
from limner.models import clip
from limner.models.device import best_device
from limner.models.networks import leave
from limner.models.stylegan2 import Config, Generator

CANVAS_PX = 224
WARM_UP = 5


def measure(
    model: str | None, steps: int, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Median milliseconds of a step and of its parts, the share of all that is not CLIP, and the
    seconds of all steps.

    Args:
        given: settings of CLIPDraw that are not its defaults.
    """
    device = best_device()
    models = clip.load([model] if model else (), device)
    method = ClipDraw()
    asked = {"prompt": "a red apple", **(given or {})}
    params = with_recipe(method, models[0].clip.recipe, asked)
    state = method.setup(params, Inputs((CANVAS_PX, CANVAS_PX)), Models(models), device)
    times: dict[str, list[float]] = defaultdict(list)

    def timed(name: str, work: Callable[[], Any]) -> Any:
        _finish(device)
        start = time.perf_counter()
        out = work()
        _finish(device)
        times[name].append((time.perf_counter() - start) * 1000)
        return out

    network, size_px = models[0].clip, models[0].clip.size_px
    timers = [cast(clip.Clip, _Timed(aim.clip, times["CLIP"])) for aim in state.aims]
    state.aims = [replace(a, clip=c) for a, c in zip(state.aims, timers, strict=True)]
    image = torch.rand(state.canvas.ground.shape, device=device, requires_grad=True)
    noise = torch.Generator().manual_seed(0)

    def augmented() -> torch.Tensor:
        maps = random_maps(params.cutouts, noise, state.canvas.box).to(device)
        return _pulled(cutouts(image, maps, size_px, state.canvas.fill))

    for _ in range(steps + WARM_UP):
        timed("step", lambda: method.step(state, params))
        timed("rasterizer", lambda: _pulled(state.canvas.paint(state.optimizer.drawn())))
        timed("augmentation", augmented)
    medians = {name: statistics.median(ms[WARM_UP:]) for name, ms in times.items()}
    step = medians.pop("step")
    parts = {**medians, "optimiser and the rest": step - sum(medians.values())}
    about = f"{network.name}, {params.strokes} strokes, {params.cutouts} cutouts, {device.type}, "
    about += f"{torch.get_num_threads()} threads"
    return {
        "step_ms": step,
        "parts_ms": parts,
        "all_but_clip": 1 - parts["CLIP"] / step,
        "steps_s": sum(times["step"][WARM_UP:]) / 1000,
        "about": about,
    }


class _Timed:
    """A CLIP whose `encode_image` writes down how many milliseconds it takes, there and back."""

    def __init__(self, network: clip.Clip, took: list[float]) -> None:
        self._network, self._took = network, took
        self._spent = self._since = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def encode_image(self, pictures: torch.Tensor) -> torch.Tensor:
        """As `Clip.encode_image`."""
        pictures.register_hook(self._pulled)
        begun = self._now()
        seen = self._network.encode_image(pictures)
        self._spent = self._now() - begun
        seen.register_hook(self._pulls)
        return seen

    def _pulls(self, _grad: torch.Tensor) -> None:
        self._since = self._now()

    def _pulled(self, _grad: torch.Tensor) -> None:
        self._took.append((self._spent + self._now() - self._since) * 1000)

    def _now(self) -> float:
        _finish(self._network.device)
        return time.perf_counter()


def _pulled(out: torch.Tensor) -> torch.Tensor:
    out.sum().backward()
    return out


def edits(size: int, rounds: int) -> dict[str, float]:
    """What an edit costs with a StyleGAN2 of `size` pixels, its weights random, which cost what
    trained ones do: median milliseconds from a slider to the canvas with its picture in it, and of
    a step of latent optimisation; and the peak of memory in GB after each, of the GPU if there is
    one, else of the whole process (NaN on Windows)."""
    device, method = best_device(), LatentOptimization()
    made = Generator(Config.of(size)).requires_grad_(False)
    out: dict[str, float] = {
        "parameters, millions": sum(p.numel() for p in made.parameters()) / 1e6
    }
    models = Models(clip.load((), device))
    params = EditParams("a person", steps=10_000, fit=0, generator="random", identity=0.0)
    with tempfile.TemporaryDirectory() as folder, models_in(Path(folder)):
        leave(Path(folder) / "random", "generator", made.config.to_json(), made.state_dict(), {})
        inputs = Inputs((size, size), picture=torch.rand(3, size, size),
                        latent=made.random(1, 0, 0.7)[0])  # fmt: skip
        state = method.setup(params, inputs, models, device)

        def timed(name: str, work: Callable[[int], Any]) -> None:
            took = []
            for k in range(rounds + 1):
                _finish(device)
                start = time.perf_counter()
                work(k)
                _finish(device)
                took.append((time.perf_counter() - start) * 1000)
            out[f"{name}, ms"] = round(statistics.median(took[1:]), 1)
            out[f"{name}, peak GB"] = round(_peak_gb(device), 2)

        timed("slider", lambda k: method.show(state, replace(params, strength=float(k))).image)
        timed("step", lambda k: method.step(state, params))
    return out


def _peak_gb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    try:
        import resource
    except ImportError:  # Windows has none
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9


@contextmanager
def models_in(folder: Path) -> Iterator[None]:
    """Models are those of a folder, while the block runs."""
    before = os.environ.get("LIMNER_MODELS")
    os.environ["LIMNER_MODELS"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["LIMNER_MODELS"]
        else:
            os.environ["LIMNER_MODELS"] = before


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
