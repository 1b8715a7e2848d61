"""`limner bench strokes`: how long a drawing takes, on one thread and on all, beside diffvg.

Eight scenes of random strokes as CLIPDraw begins ("init": 2 px wide) and as they are halfway
("mid": 2 to 16 px at 224 px); three cubic segments a stroke, any colour and opacity. The
time is that of `render` under `no_grad` ("forward") and with `backward` through torch.autograd.

diffvg's figures were measured with the same scenes at its commit 85802a7 on an Intel Xeon, in CPU
milliseconds, pinned to one core (the scenes of 1024 strokes: unpinned, on two): as CLIPDraw calls
it ("mc2x2", 2x2 samples a pixel) and in its faster mode ("prefilter"). Where `pydiffvg` can be
imported it is timed afresh on this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from limner.vector.canvas import Rasterizer
from limner.vector.rasterizer import choose, render_with
from limner.vector.strokes import Strokes

SIZES = ((16, 224), (256, 224), (256, 512), (1024, 512))  # strokes, side in px
SCENES = tuple((widths, count, side) for widths in ("init", "mid") for count, side in SIZES)

PUBLISHED = "commit 85802a7 on one core of an Intel Xeon"
# CPU milliseconds: mc2x2 forward, and with backward; prefiltered forward, and with backward
DIFFVG_MS: dict[tuple[str, int, int], tuple[float, ...]] = {
    ("init", 16, 224): (76.55, 346.64, 24.14, 49.33),
    ("init", 256, 224): (250.57, 1123.71, 135.99, 283.71),
    ("init", 256, 512): (1111.29, 5539.14, 574.5, 1156.57),
    ("init", 1024, 512): (3539.05, 17462.3, 2245.09, 4648.51),
    ("mid", 16, 224): (78.17, 324.9, 27.6, 52.85),
    ("mid", 256, 224): (303.98, 1360.5, 181.35, 379.69),
    ("mid", 256, 512): (1364.35, 6632.25, 780.27, 1572.46),
    ("mid", 1024, 512): (4731.04, 22457.44, 3144.12, 6612.2),
}


def scene(widths: str, count: int, side: int, seed: int = 0) -> tuple[Strokes, Tensor]:
    """A drawing, and a gradient of its image: (1, 3, side, side) of white noise.

    The numbers are those that diffvg was timed with.
    """
    random = np.random.default_rng(seed + 1000003 * count + 17 * side)
    points = np.zeros((count, 10, 2))
    at = points[:, 0] = random.random((count, 2))
    for k in range(1, 10):
        at = points[:, k] = at + 0.1 * (random.random((count, 2)) - 0.5)
    radius = np.ones(count)
    if widths == "mid":
        radius = (1 + 7 * random.random(count) ** 2) * (side / 224)
    rgba = random.random((count, 4))
    grad = random.standard_normal((side, side, 3)).astype(np.float32)
    strokes = Strokes(
        torch.from_numpy((points * side).reshape(-1, 2).astype(np.float32)),
        torch.arange(count + 1) * 10,
        torch.from_numpy(2 * radius.astype(np.float32)),
        torch.from_numpy(rgba.astype(np.float32)),
    )
    return strokes, torch.from_numpy(grad).permute(2, 0, 1)[None].contiguous()


def measure(
    scenes: Sequence[tuple[str, int, int]] = SCENES,
    device: torch.device | None = None,
    budget_s: float = 1.0,
) -> list[dict[str, Any]]:
    """Times the scenes on one thread and on all (on a GPU: once).

    Args:
        scenes: which, as (widths, strokes, side).
        device: the CPU if None.
        budget_s: roughly how long to repeat each figure; the median is reported.

    Returns:
        One row a scene and number of threads, of numbers and text alone: widths, strokes, side_px,
        rasterizer, device, threads (None on a GPU), forward_ms, both_ms (forward and backward),
        diffvg (where its figures come from), diffvg_forward_ms, diffvg_both_ms,
        diffvg_prefilter_forward_ms, diffvg_prefilter_both_ms.
    """
    device = device or torch.device("cpu")
    how = choose(device)
    before = torch.get_num_threads()
    counts: list[int | None] = [None]
    if device.type == "cpu":
        counts = [*sorted({1, before})]
    rows = []
    try:
        for widths, strokes, side in scenes:
            diffvg = _diffvg(widths, strokes, side, budget_s)
            for threads in counts:
                torch.set_num_threads(threads or before)
                forward, both = _times(widths, strokes, side, device, how, budget_s)
                rows.append(
                    {
                        "widths": widths,
                        "strokes": strokes,
                        "side_px": side,
                        "rasterizer": how.name,
                        "device": device.type,
                        "threads": threads,
                        "forward_ms": forward,
                        "both_ms": both,
                        **diffvg,
                    }
                )
    finally:
        torch.set_num_threads(before)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `measure` for people, with how many times faster than diffvg it is."""
    out = Table(title="milliseconds (median): forward, forward and backward", box=None)
    columns = (
        "scene",
        "threads",
        "forward",
        "both",
        "diffvg fwd",
        "and both",
        "times",
        "prefilter",
    )
    for name in columns:
        out.add_column(name, justify="left" if name == "scene" else "right", no_wrap=True)
    for row in rows:
        out.add_row(
            f"{row['strokes']} {row['widths']}, {row['side_px']} px",
            str(row["threads"] or row["device"]),
            f"{row['forward_ms']:.2f}",
            f"{row['both_ms']:.2f}",
            f"{row['diffvg_forward_ms']:.0f}",
            f"{row['diffvg_both_ms']:.0f}",
            f"{row['diffvg_both_ms'] / row['both_ms']:.0f}",
            f"{row['diffvg_prefilter_both_ms'] / row['both_ms']:.0f}",
        )
    sources = ", ".join(sorted({row["diffvg"] for row in rows}))
    out.caption = (
        f"drawn by {', '.join(sorted({r['rasterizer'] for r in rows}))}; diffvg: {sources}"
    )
    return out


def _times(
    widths: str, count: int, side: int, device: torch.device, how: Rasterizer, budget_s: float
) -> tuple[float, float]:
    """(forward, forward and backward) of one scene, ms."""
    strokes, grad = scene(widths, count, side)
    strokes, grad = strokes.to(device), grad.to(device)
    leaves = [strokes.points, strokes.width, strokes.rgba]

    def draw() -> Tensor:
        return render_with(how, strokes, (side, side))

    def forward() -> None:
        with torch.no_grad():
            draw()

    def both() -> None:
        for leaf in leaves:
            leaf.grad = None
        draw().backward(grad)

    first = _median_ms(forward, device, budget_s)
    for leaf in leaves:
        leaf.requires_grad_()
    return first, _median_ms(both, device, budget_s)


def _median_ms(work: Callable[[], None], device: torch.device, budget_s: float) -> float:
    """The median wall time of at least three runs after one that does not count."""
    times: list[float] = []
    work()
    while len(times) < 3 or (sum(times) < budget_s and len(times) < 1000):
        _finish(device)
        started = time.perf_counter()
        work()
        _finish(device)
        times.append(time.perf_counter() - started)
    return median(times) * 1e3


def _finish(device: torch.device) -> None:
    """Waits for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _diffvg(widths: str, count: int, side: int, budget_s: float) -> dict[str, Any]:
    """diffvg's figures for one scene: of this machine where it is installed, else the published."""
    source, figures = PUBLISHED, DIFFVG_MS[widths, count, side]
    try:
        from limner.vector import diffvg
    except ImportError:
        pass
    else:
        cpu = torch.device("cpu")
        sampled, prefiltered = diffvg.rasterizer(2, False), diffvg.rasterizer()
        figures = (
            *_times(widths, count, side, cpu, sampled, budget_s),
            *_times(widths, count, side, cpu, prefiltered, budget_s),
        )
        source = "timed on this machine"
    names = ("forward_ms", "both_ms", "prefilter_forward_ms", "prefilter_both_ms")
    return {"diffvg": source} | {f"diffvg_{n}": f for n, f in zip(names, figures, strict=True)}
