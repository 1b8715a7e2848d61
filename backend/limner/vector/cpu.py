"""The rasterizer on the CPU: numba kernels, spread over threads.

Tensors of other devices are copied to the CPU and back, which costs less than drawing there without
kernels of their own (on Apple's GPUs, say).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from limner.vector import boxes, flatten, kernels_cpu
from limner.vector.canvas import Canvas, Gradients, Wanted

_WORTH_A_THREAD = 1500  # items (segments in strips) under which a second thread costs more


class _Trace(NamedTuple):
    """What a forward pass leaves for the backward one."""

    plan: tuple[Any, ...]  # the arguments that both kernels begin with
    counts: Any
    steps: Any
    first: Any
    rgba: Any
    offsets: Any
    scale: Any


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="limner-strips")


if hasattr(os, "register_at_fork"):  # a fork has no threads; not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _spread(kernel: Callable[[int, int], None], jobs: int, threads: int) -> None:
    """Runs kernel(job, end) for all jobs, in chunks that threads take as they become free."""
    if threads <= 1:
        kernel(0, jobs)
        return
    size = max(1, jobs // (threads * 4))
    chunks = itertools.count(0, size)  # next() is atomic

    def work() -> None:
        while (job := next(chunks)) < jobs:
            kernel(job, min(job + size, jobs))

    others = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        other.result()


class Numba:
    """Draws on the CPU.

    Args:
        threads: how many; `torch.get_num_threads()` if None. The result does not depend on it.
    """

    name = "numba"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads

    def _threads(self, items: int) -> int:
        if items < _WORTH_A_THREAD:
            return 1
        return self.threads or torch.get_num_threads()

    def draw(
        self, points: Tensor, width: Tensor, rgba: Tensor, background: Tensor, canvas: Canvas
    ) -> tuple[Tensor, _Trace]:
        offsets, scenes = canvas.offsets.numpy(), canvas.scenes.numpy()
        scale = np.float32(canvas.scale)
        at, colours = points.cpu().numpy(), rgba.cpu().numpy()
        steps, first, paint = flatten.survey(
            at,
            offsets,
            width.cpu().numpy(),
            colours,
            scale,
            canvas.height,
            canvas.width,
            np.float32(flatten.TOLERANCE_PX),
        )
        lines, owner = flatten.draw_all(at, offsets, scale, steps, first)
        items, start = boxes.sort(lines, first, paint, scenes, canvas.height, canvas.width)
        px, py = kernels_cpu.PIXEL_X, kernels_cpu.PIXEL_Y
        plan = (lines, owner, paint, items, start, background.cpu().numpy(), px, py)
        jobs = len(start) - 1
        image = np.empty((len(scenes) - 1, 3, canvas.height, canvas.width), np.float32)
        counts = np.empty(jobs, np.int64)
        _spread(
            lambda job, end: kernels_cpu.forward(*plan, image, counts, job, end),
            jobs,
            self._threads(len(items)),
        )
        trace = _Trace(plan, counts, steps, first, colours, offsets, scale)
        return torch.from_numpy(image).to(points.device), trace

    def pull(self, trace: _Trace, grad: Tensor, wanted: Wanted) -> Gradients:
        lines, owner, paint, items, start, *_ = trace.plan
        upstream = grad.cpu().contiguous().numpy()
        pulls = np.empty((len(items) if wanted.points else 0, 4), np.float32)
        sums = np.empty((len(items), 5), np.float32)
        behind = np.empty(upstream.shape if wanted.background else (0, 0, 0, 0), np.float32)
        given = (*trace.plan, upstream, trace.counts, wanted.points, pulls, sums, behind)
        kernel = kernels_cpu.backward
        threads = self._threads(len(items))
        _spread(lambda job, end: kernel(*given, job, end), len(start) - 1, threads)
        ends = np.zeros((len(lines), 4), np.float32)
        width, rgba = np.zeros(len(paint), np.float32), np.zeros((len(paint), 4), np.float32)
        kernels_cpu.gather(
            owner,
            items,
            start,
            wanted.points,
            pulls,
            sums,
            trace.rgba,
            trace.scale * np.float32(0.5),
            ends,
            width,
            rgba,
        )
        points = None
        if wanted.points:
            offsets, steps, first = trace.offsets, trace.steps, trace.first
            points = flatten.control_gradients(
                ends, offsets, trace.scale, steps, first, int(offsets[-1])
            )
        device = grad.device
        return Gradients(
            None if points is None else torch.from_numpy(points).to(device),
            torch.from_numpy(width).to(device),
            torch.from_numpy(rgba).to(device),
            torch.from_numpy(behind).to(device) if wanted.background else None,
        )
