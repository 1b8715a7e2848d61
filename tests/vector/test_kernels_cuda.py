"""The CUDA kernels against the CPU's, in numba's simulator: no GPU is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from scribbles import line, scribble, smooth_noise
from torch import Tensor

from limner.vector.canvas import Canvas, Wanted
from limner.vector.cpu import Numba
from limner.vector.strokes import Strokes, empty, pack

SIZE = (18, 22)  # tiles of 4x4 pixels in the simulator, those at two sides not whole


def case(
    drawings: list[Strokes], background: Tensor, size: tuple[int, int] = SIZE, scale: float = 1
) -> dict[str, Any]:
    strokes = pack(drawings)
    scenes = torch.tensor([0] + [d.count for d in drawings]).cumsum(0)
    return {
        "size": size,
        "scale": scale,
        "points": strokes.points,
        "width": strokes.width,
        "rgba": strokes.rgba,
        "offsets": strokes.offsets,
        "scenes": scenes,
        "background": background,
        "grad": smooth_noise(size, 7, len(drawings)),
    }


def spoilt() -> Strokes:
    """A good stroke between two that cannot draw, and a dot."""
    nan = line(3, 3, 20, 9)
    nan.points[1, 0] = float("nan")
    return pack([nan, line(4, 12, 24, 6, width=5, rgba=(0, 1, 0, 0.6)), line(1e30, 0, 1, 1)])


CASES = {
    "thick": case([scribble(2, 3, SIZE, (3, 9), segments=1)], torch.ones(1, 3, 1, 1)),
    "thin": case([scribble(2, 4, SIZE, (0.2, 1.3), segments=1)], torch.zeros(1, 3, 1, 1)),
    "scenes": case(
        [scribble(1, 5, SIZE, segments=1), empty(), spoilt(), line(8, 8, 8, 8, width=7)],
        torch.rand(4, 3, *SIZE, generator=torch.Generator().manual_seed(5)),
    ),
    "scaled": case(
        [scribble(1, 6, (9, 11), segments=1)],
        torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(6)),
        scale=2,
    ),
    "empty": case([empty()], torch.ones(1, 3, 1, 1)),
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Tensor, ...]]:
    """What the simulator made of all cases."""
    folder = tmp_path_factory.mktemp("cuda")
    torch.save(list(CASES.values()), folder / "in.pt")
    program = Path(__file__).with_name("simulate_cuda.py")
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(
        [sys.executable, str(program), str(folder / "in.pt"), str(folder / "out.pt")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert run.returncode == 0, run.stderr
    return dict(zip(CASES, torch.load(folder / "out.pt"), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_gpu_draws_what_the_cpu_draws(
    name: str, simulated: dict[str, tuple[Tensor, ...]]
) -> None:
    given, found = CASES[name], simulated[name]
    canvas = Canvas(*given["size"], given["scale"], given["offsets"], given["scenes"])
    image, trace = Numba(1).draw(
        given["points"], given["width"], given["rgba"], given["background"], canvas
    )
    wanted = Numba(1).pull(trace, given["grad"], Wanted(True, True, True, True))
    assert found[0].shape == image.shape
    # the same arithmetic, in another order and without fused multiply-adds
    assert (found[0] - image).abs().max() < 1e-4
    for mine, theirs in zip(found[1:], wanted, strict=True):
        assert theirs is not None and mine.shape == theirs.shape
        assert bool(mine.isfinite().all())
        if theirs.numel():
            assert (mine - theirs).abs().max() <= 1e-3 * theirs.abs().max()
    if name != "empty":
        assert any(bool((g != 0).any()) for g in found[1:4]), "nothing was drawn"
