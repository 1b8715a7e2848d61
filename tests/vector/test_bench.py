"""The figures behind `limner bench strokes`."""

from __future__ import annotations

import io
import json
import sys

import pytest
import torch
from rich.console import Console

from limner.vector import bench


def test_the_scenes_are_those_that_diffvg_was_timed_with() -> None:
    strokes, grad = bench.scene("mid", 16, 224)
    assert strokes.count == 16 and grad.shape == (1, 3, 224, 224)
    # from the script that timed diffvg: first point, first radius, last colour
    assert strokes.points[0].tolist() == pytest.approx([219.5655, 51.0402], abs=1e-3)
    assert float(strokes.width[0]) / 2 == pytest.approx(2.72336, abs=1e-4)
    assert strokes.rgba[-1].tolist() == pytest.approx(
        [0.275483, 0.273833, 0.387560, 0.185685], abs=1e-5
    )
    assert set(bench.SCENES) == set(bench.DIFFVG_MS)
    init, _ = bench.scene("init", 16, 224)
    assert torch.equal(init.points, strokes.points) and (init.width == 2).all()


def test_it_measures_and_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limner.vector.diffvg", None)  # the published figures
    before = torch.get_num_threads()
    rows = bench.measure([("init", 16, 224)], budget_s=0.02)
    assert torch.get_num_threads() == before
    assert [row["threads"] for row in rows] == sorted({1, before})
    assert json.loads(json.dumps(rows)) == rows
    for row in rows:
        assert row["rasterizer"] == "numba" and row["forward_ms"] > 0 and row["both_ms"] > 0
        assert row["diffvg_both_ms"] == 346.64 and "85802a7" in row["diffvg"]
    out = io.StringIO()
    Console(file=out, width=80).print(bench.table(rows))
    assert "347" in out.getvalue() and "224" in out.getvalue()
