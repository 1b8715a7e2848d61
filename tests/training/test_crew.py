"""Two processes train as one does (`crew_run` has a few steps of every kind of training)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from limner.training import crew

SCRIPT = Path(__file__).with_name("crew_run.py")
NEAR = 1e-3  # sums in another order, which Adam's first steps make much of
# what looks at a whole batch at once sees a part of it: batch norms, and dropout of its own
FAR = {"encoder": 0.05, "judge": 0.15}


@pytest.mark.timeout(320)
def test_two_learn_what_one_learns(tmp_path: Path) -> None:
    alone = [sys.executable, str(SCRIPT), str(tmp_path / "one.npz")]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    several = [sys.executable, *launcher, str(SCRIPT), str(tmp_path / "two.npz")]
    env = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    for command in (alone, several):
        ran = subprocess.run(command, capture_output=True, text=True, timeout=150, env=env)
        assert ran.returncode == 0, ran.stderr[-4000:]
    one, two = (dict(np.load(tmp_path / name)) for name in ("one.npz", "two.npz"))
    assert (one.pop("processes"), two.pop("processes")) == (1, 2)
    assert set(one) == set(two) and len(one) == 11
    for name in one:
        far = np.linalg.norm(one[name] - two[name]) / np.linalg.norm(one[name])
        print(f"{name:24} {far:.1e}")
        assert far < FAR.get(name, NEAR), name


def test_alone_nothing_is_divided() -> None:
    seen = []
    out = crew.shared(lambda part: seen.append(part) or torch.arange(5)[part], 5)  # type: ignore[func-returns-value,arg-type,return-value]
    assert seen == [slice(0, 5)] and out.tolist() == [0, 1, 2, 3, 4]
    assert crew.count() == 1 and crew.is_first()
