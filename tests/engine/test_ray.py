"""The engine on a real Ray cluster of two nodes (`ray_cluster`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("ray_cluster.py")


@pytest.mark.timeout(400)
def test_drawings_survive_an_actor_and_a_node(tmp_path: Path) -> None:
    """Twenty of five users: none lost or doubled, and bit for bit what one process draws."""
    for name in ("ray", "alone"):
        (tmp_path / name).mkdir()
    ran = subprocess.run(
        [sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, timeout=380,
        env={**os.environ, "LIMNER_DATA": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-6000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["engines"] == 2
    on_ray, alone = found["ray"]["jobs"], found["alone"]["jobs"]
    assert len(on_ray) == len(alone) == 20
    for job, row in on_ray.items():
        assert (row["state"], row["dones"]) == ("done", 1)
        assert (row["svg"], row["png"]) == (alone[job]["svg"], alone[job]["png"])
    assert len({row["svg"] for row in on_ray.values()}) == 4  # seeds
    again = [row for row in on_ray.values() if row["queued"] > 1]
    assert 1 <= len(again) <= 4  # what was under way when the actor and the node went
    print(f"previews: p50 {found['ray']['p50'] * 1e3:.0f} ms, p99 {found['ray']['p99'] * 1e3:.0f}")
