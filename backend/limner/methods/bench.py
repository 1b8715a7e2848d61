"""Where the time of a CLIPDraw step goes: rasterizer, augmentation, CLIP, optimiser.

Each part is timed by running it alone, forward and backward, at the settings and in the state of
a real run, interleaved step by step, so that a noisy machine disturbs all parts alike.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch

from limner.losses.cutouts import cutouts, random_maps
from limner.methods.base import Inputs, Models
from limner.methods.clipdraw import ClipDraw, Params
from limner.methods.schema import with_recipe
from limner.models import clip
from limner.models.device import best_device

CANVAS_PX = 224
WARM_UP = 5


def measure(model: str | None, steps: int) -> dict[str, Any]:
    """Median milliseconds of a step and of its parts, and the share of all that is not CLIP."""
    device = best_device()
    models = clip.load([model] if model else (), device)
    params = with_recipe(Params, models[0].clip.recipe, {"prompt": "a red apple"})
    method = ClipDraw()
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
    views = torch.rand(params.cutouts, 3, size_px, size_px, device=device, requires_grad=True)
    image = torch.rand(state.canvas.ground.shape, device=device, requires_grad=True)
    noise = torch.Generator().manual_seed(0)

    def augmented() -> torch.Tensor:
        maps = random_maps(params.cutouts, noise, state.canvas.box).to(device)
        return _pulled(cutouts(image, maps, size_px, state.canvas.fill))

    for _ in range(steps + WARM_UP):
        timed("step", lambda: method.step(state, params))
        timed("rasterizer", lambda: _pulled(state.canvas.paint(state.optimizer.drawn())))
        timed("augmentation", augmented)
        timed("CLIP", lambda: _pulled(network.encode_image(views)))
    medians = {name: statistics.median(ms[WARM_UP:]) for name, ms in times.items()}
    step = medians.pop("step")
    parts = {**medians, "optimiser and the rest": step - sum(medians.values())}
    about = f"{network.name}, {params.strokes} strokes, {params.cutouts} cutouts, {device.type}, "
    about += f"{torch.get_num_threads()} threads"
    return {
        "step_ms": step,
        "parts_ms": parts,
        "all_but_clip": 1 - parts["CLIP"] / step,
        "about": about,
    }


def _pulled(out: torch.Tensor) -> torch.Tensor:
    out.sum().backward()
    return out


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
