"""Draws with the CUDA kernels in numba's simulator and saves what came out.

    NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 python simulate_cuda.py IN.pt OUT.pt

The simulator must be chosen before numba is imported, so that this is a program of its own
(`test_kernels_cuda` runs it).
"""

from __future__ import annotations

import sys

import torch

from limner.vector.canvas import Canvas, Wanted
from limner.vector.cuda import SIMULATED, Cuda


def main(source: str, target: str) -> None:
    assert SIMULATED, "not in the simulator"
    rasterizer, results = Cuda(), []
    for case in torch.load(source):
        canvas = Canvas(*case["size"], case["scale"], case["offsets"], case["scenes"])
        given = (case["points"], case["width"], case["rgba"], case["background"])
        image, trace = rasterizer.draw(*given, canvas)
        found = rasterizer.pull(trace, case["grad"], Wanted(True, True, True, True))
        results.append((image, *found))
        if len(results) == 1:
            again = rasterizer.pull(trace, case["grad"], Wanted(False, True, True, False))
            assert again.points is None and again.background is None
            assert torch.equal(again.rgba, found.rgba) and torch.equal(again.width, found.width)
    torch.save(results, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
