"""Weights in eight bits come back near enough, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from limner.models import networks, store
from limner.models.catalog import STARTER_FOLDER
from limner.models.eight_bits import packed, unpacked
from limner.models.networks import WEIGHTS, at, frozen, leave


def test_no_weight_is_further_off_than_half_a_step_of_its_row() -> None:
    torch.manual_seed(0)
    rows = torch.randn(64, 16, 3, 3) * torch.logspace(-3, 2, 64)[:, None, None, None]
    rows[7] = 0
    rows = rows.contiguous(memory_format=torch.channels_last)
    state = {"kernels": rows, "bias": torch.randn(64), "steps": torch.arange(5000).view(50, 100),
             "few": torch.randn(4, 4), "own": torch.ones(80, 80, dtype=torch.int8)}  # fmt: skip
    small = packed(state)
    assert small["kernels"].dtype == torch.int8 and small["kernels"].shape == rows.shape
    again = unpacked(small)
    assert again.keys() == state.keys()
    off = (again["kernels"] - rows).abs().flatten(1).amax(1)
    assert (off <= rows.abs().flatten(1).amax(1) / 254 * 1.001).all()
    for name in ("bias", "steps", "few", "own"):
        assert torch.equal(again[name], state[name]), name


def test_a_model_that_is_left_small_is_read_as_any_other(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(80, 80), nn.Tanh(), nn.Linear(80, 3))
    state = network.state_dict()
    leave(tmp_path / "small", "prior", {}, state, {}, ("2.",), is_small=True)
    kept = load_file(tmp_path / "small" / WEIGHTS)
    assert kept["0.weight"].dtype == torch.int8 and kept["0.bias"].dtype == torch.half
    assert torch.equal(kept["2.weight"], state["2.weight"]), "it was to stay as it is"
    found = at(tmp_path / "small")
    assert found is not None
    blank = nn.Sequential(nn.Linear(80, 80), nn.Tanh(), nn.Linear(80, 3))
    given = torch.randn(100, 80)
    wanted, made = network(given), frozen(found, blank)(given)
    assert 0 < (made - wanted).std() < 0.01 * wanted.std()


def test_it_can_be_added_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    store.add(STARTER_FOLDER.parent / "scenes-prior", "mine", None)
    given, kept = networks.find("prior", "scenes-prior"), networks.find("prior", "mine")
    wanted, held = unpacked(load_file(given.weights)), load_file(kept.weights)
    assert wanted.keys() == held.keys()
    assert all(torch.equal(held[n], t.float()) for n, t in wanted.items())
