"""The rasterizer on NVIDIA GPUs: launches `kernels_cuda` on torch's tensors and current stream.

Tensors are shared without copies. A forward pass waits for the GPU twice, to learn how many
segments and pairs there are; a backward pass once. Kernels are compiled at their first use (some
seconds, kept on disk).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import cuda
from torch import Tensor

from limner.vector import boxes, flatten
from limner.vector import kernels_cuda as kernels
from limner.vector.canvas import Canvas, Gradients, Wanted

gpu: Any = cuda  # untyped
SIMULATED = kernels.SIMULATED  # numba's simulator, on CPU tensors
_BLOCK = 128  # threads, for kernels of a thread a stroke or segment


class _Trace(NamedTuple):
    """What a forward pass leaves for the backward one."""

    canvas: Canvas
    rgba: Tensor
    background: Tensor
    offsets: Tensor
    steps: Tensor
    first: Tensor
    paint: Tensor
    lines: Tensor
    owner: Tensor
    place: Tensor  # (N+1,) the first pair of each segment
    order: Tensor  # (M,) the place of each sorted pair before sorting
    segment: Tensor  # (M,) sorted
    tile: Tensor  # (M,) sorted
    start: Tensor  # (tiles + 1,)


def _current(device: torch.device) -> AbstractContextManager[Any]:
    """Makes a GPU the current one, for torch and numba alike."""
    return nullcontext() if SIMULATED else torch.cuda.device(device)


def _run(kernel: Any, blocks: Any, threads: Any, *given: Any) -> None:
    """Launches a kernel on torch's current stream; tensors are shared."""
    if SIMULATED:
        kernel[blocks, threads](
            *[g.detach().numpy() if isinstance(g, Tensor) else g for g in given]
        )
        return
    stream = gpu.external_stream(torch.cuda.current_stream().cuda_stream)
    views = [
        gpu.as_cuda_array(g.detach(), sync=False) if isinstance(g, Tensor) else g for g in given
    ]
    kernel[blocks, threads, stream](*views)


def _each(count: int) -> tuple[int, int]:
    """(blocks, threads) for one thread each."""
    return max(1, -(-count // _BLOCK)), _BLOCK


def _sums(counts: Tensor) -> Tensor:
    """(N+1,) int64: 0 and the running sums."""
    return torch.nn.functional.pad(counts.cumsum(0), (1, 0))


class Cuda:
    """Draws on one NVIDIA GPU.

    Raises:
        RuntimeError: if there is none that numba-cuda can use.
    """

    name = "cuda"

    def __init__(self) -> None:
        if SIMULATED:
            return
        if not (torch.cuda.is_available() and gpu.is_available()):
            raise RuntimeError("no NVIDIA GPU that torch and numba-cuda can use")
        try:  # whether it can compile shows only when it does
            box, pairs = torch.zeros(1, boxes.BOX).cuda(), torch.zeros(1).long().cuda()
            _run(kernels.count_pairs, *_each(1), box, 8, 8, pairs)
        except Exception as error:
            raise RuntimeError(f"numba-cuda cannot compile for this GPU: {error}") from error

    def draw(
        self, points: Tensor, width: Tensor, rgba: Tensor, background: Tensor, canvas: Canvas
    ) -> tuple[Tensor, _Trace]:
        device = points.device
        with _current(device):
            trace = self._plan(points, width, rgba, background, canvas)
            image = torch.empty(
                len(canvas.scenes) - 1, 3, canvas.height, canvas.width, device=device
            )
            _run(kernels.forward, *self._tiles(canvas), *self._scene(trace), image)
        return image, trace

    def pull(self, trace: _Trace, grad: Tensor, wanted: Wanted) -> Gradients:
        device, canvas = grad.device, trace.canvas
        with _current(device):
            group, groups = self._groups(trace)
            pairs, strokes = len(trace.segment), len(trace.paint)
            new = partial(torch.zeros, device=device)
            kept = torch.empty(groups, kernels.THREADS, device=device)
            pulls = new(pairs if wanted.points else 0, 4)
            sums = new(pairs, 5)
            behind = new(grad.shape if wanted.background else (0, 3, 1, 1))
            own = (grad.contiguous(), group, kept, trace.order, pulls, sums, behind)
            _run(kernels.backward, *self._tiles(canvas), *self._scene(trace), *own)
            count = int(canvas.offsets[-1])
            points = new(count if wanted.points else 0, 2)
            width, rgba = new(strokes), new(strokes, 4)
            _run(
                kernels.gather,
                *_each(strokes),
                trace.offsets,
                np.float32(canvas.scale),
                trace.steps,
                trace.first,
                trace.place,
                trace.rgba,
                pulls,
                sums,
                new(len(trace.lines), 4),
                points,
                width,
                rgba,
            )
        return Gradients(
            points if wanted.points else None,
            width if wanted.width else None,
            rgba if wanted.rgba else None,
            behind if wanted.background else None,
        )

    @staticmethod
    def _tiles(canvas: Canvas) -> tuple[tuple[int, int, int], tuple[int, int]]:
        side = kernels.TILE
        across, down = -(-canvas.width // side), -(-canvas.height // side)
        return (across, down, len(canvas.scenes) - 1), (side, side)

    @staticmethod
    def _scene(trace: _Trace) -> tuple[Tensor, ...]:
        """What both passes begin with."""
        return (
            trace.lines,
            trace.owner,
            trace.paint,
            trace.segment,
            trace.start,
            trace.background,
        )

    @staticmethod
    def _groups(trace: _Trace) -> tuple[Tensor, int]:
        """A number for the (stroke, tile) of each sorted pair, and how many there are."""
        if len(trace.segment) == 0:
            return torch.zeros_like(trace.order), 0
        stroke = trace.owner[trace.segment.long()]
        new = (stroke.diff() != 0) | (trace.tile.diff() != 0)
        group = _sums(new)
        return group, int(group[-1]) + 1

    def _plan(
        self, points: Tensor, width: Tensor, rgba: Tensor, background: Tensor, canvas: Canvas
    ) -> _Trace:
        """Segments, and the pairs of segments and tiles in painting order."""
        device, strokes = points.device, len(width)
        scale = np.float32(canvas.scale)
        height, columns = canvas.height, canvas.width
        whole = partial(torch.zeros, device=device, dtype=torch.int64)
        offsets = canvas.offsets.to(device)
        # 1. strokes
        steps = torch.empty((len(points) - strokes) // 3, dtype=torch.int32, device=device)
        paint = torch.empty(strokes, 5, device=device)
        counts = whole(strokes)
        tolerance = np.float32(flatten.TOLERANCE_PX)
        given = (points, offsets, width, rgba, scale, height, columns, tolerance)
        _run(kernels.survey, *_each(strokes), *given, steps, paint, counts)
        first = _sums(counts)
        # 2. segments
        total = int(first[-1])
        lines = torch.empty(total, flatten.LINE, device=device)
        box = torch.empty(total, boxes.BOX, device=device)
        owner = torch.empty(total, dtype=torch.int32, device=device)
        drawn = (points, offsets, scale, steps, first, paint, lines, owner, box)
        _run(kernels.draw_lines, *_each(strokes), *drawn)
        # 3. pairs
        counts = whole(total)
        _run(kernels.count_pairs, *_each(total), box, height, columns, counts)
        place = _sums(counts)
        pairs = int(place[-1])
        tile = torch.empty(pairs, dtype=torch.int32, device=device)
        segment = torch.empty(pairs, dtype=torch.int32, device=device)
        scene = torch.repeat_interleave(
            torch.arange(len(canvas.scenes) - 1, dtype=torch.int32), canvas.scenes.diff()
        ).to(device)
        listed = (box, owner, scene, height, columns, place, tile, segment)
        _run(kernels.list_pairs, *_each(total), *listed)
        tile, order = tile.sort(stable=True)
        (across, down, scenes), _ = self._tiles(canvas)
        edges = torch.arange(across * down * scenes + 1, dtype=torch.int32, device=device)
        start = torch.searchsorted(tile, edges)
        return _Trace(
            canvas,
            rgba,
            background,
            offsets,
            steps,
            first,
            paint,
            lines,
            owner,
            place,
            order,
            segment[order],
            tile,
            start,
        )
