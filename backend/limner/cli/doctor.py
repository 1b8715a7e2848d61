"""`limner doctor`: what is here, what is missing, and how to get it.

It draws a few strokes and loads the default model, so what it calls ready has just worked; this
also compiles the rasterizer's kernels into their cache, which is why set-up runs it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer

from limner import __version__
from limner.methods import own
from limner.methods.registry import METHODS
from limner.models.catalog import installed, models_folder
from limner.models.device import best_device
from limner.vector.rasterizer import render
from limner.vector.strokes import Strokes
from limner_wire.errors import LimnerError

EXTRAS = {
    "av": ("replays as .mp4", "pip install 'limner[video]'"),
    "numba_cuda": ("the rasterizer on NVIDIA GPUs", "pip install 'limner[cuda]'"),
    "pydiffvg": ("diffvg as a second rasterizer", "build it from its repository"),
    "ray": ("engines on a cluster", "pip install 'limner[ray]'"),
    "resvg_py": ("rendering training corpora", "pip install 'limner[train]'"),
}
PACKAGES = ("torch", "torchvision", "open_clip_torch", "timm", "numba", "numpy", "Pillow")


def register(app: typer.Typer, name: str) -> None:
    """Put the command into the program."""
    app.command(name)(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> int:
    """Say what is here, what is missing, and how to get it. Exit code 1 if it can't draw."""
    facts = {
        "limner": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": _device(),
        "threads": torch.get_num_threads(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "models folder": str(models_folder()),
        "models": [m.name for m in installed()],
        "methods folder": str(own.folder()),
        "methods": list(METHODS),
        **({"methods left out": own.PROBLEMS} if own.PROBLEMS else {}),
        "rasterizer": _tried(_rasterizer),
        "drawing with": _tried(_model),
        "missing, not needed": {
            f"{name}: {what}": how
            for name, (what, how) in EXTRAS.items()
            if importlib.util.find_spec(name) is None
        },
    }
    broken = any(str(facts[k]).startswith("failed") for k in ("rasterizer", "drawing with"))
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        for key, value in facts.items():
            _print(key, value)
    return 1 if broken else 0


def _print(key: str, value: object) -> None:
    if isinstance(value, dict):
        typer.echo(f"{key}:" + ("" if value else " nothing"))
        for name, entry in value.items():
            typer.echo(f"    {name}  {entry}")
    else:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        typer.echo(f"{key}: {shown}")


def _device() -> str:
    device = best_device()
    if device.type == "cuda":
        return f"cuda, {torch.cuda.get_device_name()}"
    return device.type


def _tried(work: Callable[[], str]) -> str:
    try:
        return work()
    except (LimnerError, RuntimeError, ImportError) as problem:
        return f"failed: {' '.join(str(problem).split())}"


def _rasterizer() -> str:
    device = best_device()
    points = torch.tensor([[2.0, 2], [10, 2], [2, 10], [13, 13]], device=device)
    width = torch.tensor([3.0], device=device)
    rgba = torch.tensor([[0.8, 0.1, 0.1, 1.0]], device=device)
    started = time.monotonic()
    stroke = Strokes(points.requires_grad_(), torch.tensor([0, 4]), width, rgba)
    render(stroke, (16, 16)).square().mean().backward()
    if points.grad is None or not bool(points.grad.abs().sum() > 0):
        raise RuntimeError("a stroke was drawn without a gradient")
    return f"works ({time.monotonic() - started:.2f} s for the first stroke)"


def _model() -> str:
    from limner.models import clip

    model = clip.load(device=best_device())[0].clip
    model.encode_text(["a red apple"])
    return f"{model.name}, {model.size_px} px"
