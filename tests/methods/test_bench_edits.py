"""The figures behind `limner bench generator`."""

from __future__ import annotations

import os

import pytest

from limner.methods import bench


def test_it_measures_and_leaves_the_models_where_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIMNER_MODELS", "mine")
    figures = bench.edits(16, 2)
    assert figures["parameters, millions"] > 1
    assert 0 < figures["slider, ms"] < figures["step, ms"]
    assert 0.1 < figures["slider, peak GB"] <= figures["step, peak GB"]
    assert os.environ["LIMNER_MODELS"] == "mine"
    monkeypatch.delenv("LIMNER_MODELS")
    with bench.models_in(bench.Path("there")):
        assert os.environ["LIMNER_MODELS"] == "there"
    assert "LIMNER_MODELS" not in os.environ
