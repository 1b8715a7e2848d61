"""Mappers, directions, statistics and latents, in the formats of StyleCLIP and its kin."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import checkpoint_files as files
import numpy as np
import pytest
import torch
from checkpoint_files import Weights

from limner.models import networks, store
from limner.models.checkpoints import Found, UnknownKind, read, rows_of
from limner.models.loading import read_weights
from limner_wire.errors import LimnerError


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))


def saved(path: Path, content: Any) -> Found:
    torch.save(content, path)
    return read(path)


def mapper_state(name: str, width: int = 6) -> dict[str, torch.Tensor]:
    state = {}
    for k in range(1, 5):  # 0 is the normalisation
        state[f"mapper.{name}.mapping.{k}.weight"] = torch.randn(width, width)
        state[f"mapper.{name}.mapping.{k}.bias"] = torch.randn(width)
    return state


@pytest.mark.parametrize(
    ("parts", "space"),
    [
        ({"course_mapping": "coarse", "medium_mapping": "medium"}, "w_plus"),
        ({"course_mapping": "coarse", "medium_mapping": "medium", "fine_mapping": "fine"},
         "w_plus"),
        ({"mapping": "all"}, "w_plus"),
        ({"mapper_0": "style.00", "mapper_2": "style.02", "mapper_11": "style.11"}, "s"),
    ],
)  # fmt: skip
def test_mappers(tmp_path: Path, parts: dict[str, str], space: str) -> None:
    state = {k: v for name in parts for k, v in mapper_state(name).items()}
    decoder = {f"decoder.{k}": v for k, v in files.rosinality_state(Weights(8)).items()}
    opts = argparse.Namespace(mapper_type="LevelsMapper", no_fine_mapper=True)
    torch.save({"state_dict": state | decoder, "opts": vars(opts)}, tmp_path / "afro.pt")
    folder = store.add(tmp_path / "afro.pt", None, None)
    mapper = networks.find("mapper", "afro")
    assert mapper.config["parts"] == sorted(parts.values()) and mapper.config["space"] == space
    assert mapper.config["normalizes"] == ("channels" if space == "s" else "layers")
    tensors = read_weights(folder / networks.WEIGHTS)
    assert len(tensors) == len(state)
    for theirs, ours in parts.items():
        for k in range(4):
            expected = state[f"mapper.{theirs}.mapping.{k + 1}.weight"]
            assert torch.equal(tensors[f"{ours}.{k}.weight"], expected)
    assert networks.find("generator", "afro-generator").card["format"] == "rosinality"


def test_other_mappers_are_refused(tmp_path: Path) -> None:
    state = mapper_state("mapping")
    cases = {
        "it has no other.1.weight": state | {"mapper.other.1.weight": torch.ones(6, 6)},
        "not square": state | {"mapper.mapping.mapping.2.weight": torch.ones(6, 5)},
        "lacks a layer": {k: v for k, v in state.items() if "mapping.3." not in k},
        "not finite": state | {"mapper.mapping.mapping.1.bias": torch.full((6,), torch.inf)},
    }
    for words, changed in cases.items():
        with pytest.raises(LimnerError, match=words):
            saved(tmp_path / "w.pt", {"state_dict": changed, "opts": {}})


def test_directions_are_told_from_latents_by_their_lengths(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((300, 32)).astype(np.float32)
    np.save(tmp_path / "W.npy", rows)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    unit[7] = 0  # a channel that moves nothing
    np.save(tmp_path / "fs3.npy", np.asfortranarray(unit))
    latents, directions = read(tmp_path / "W.npy"), read(tmp_path / "fs3.npy")
    assert latents.kind == "latents" and latents.config["space"] == "w"
    assert torch.equal(rows_of(latents), torch.from_numpy(rows))  # type: ignore[arg-type]
    assert directions.kind == "directions" and directions.config["channels"] == 300
    assert torch.equal(directions.tensors["directions"], torch.from_numpy(unit))
    with pytest.raises(LimnerError, match="not the weights of latents"):
        rows_of(directions)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ">f4"])
@pytest.mark.parametrize("form", ["npy", "pt", "wrapped", "pickle"])
def test_latents_of_w_plus(tmp_path: Path, form: str, dtype: Any) -> None:
    rows = np.random.default_rng(0).standard_normal((3, 4, 8)).astype(dtype)
    path = tmp_path / "faces"
    native = torch.from_numpy(rows.astype(rows.dtype.newbyteorder("=")))
    match form:
        case "npy":
            with path.open("wb") as file:
                np.save(file, rows)
        case "pt":
            torch.save(native, path)
        case "wrapped":
            torch.save({"latents": torch.nn.Parameter(native)}, path)
        case "pickle":
            path.write_bytes(pickle.dumps(rows))
    found = read(path)
    assert dict(found.config) == {"space": "w_plus", "count": 3, "latents": 4, "w_dim": 8}
    assert torch.equal(rows_of(found), native.float())  # type: ignore[arg-type]


def test_one_of_many_latents_is_a_view_of_all(tmp_path: Path) -> None:
    rows = torch.randn(5, 4, 8)
    found = saved(tmp_path / "one.pt", rows[3:4].transpose(1, 2))
    assert torch.equal(rows_of(found), rows[3:4].transpose(1, 2))  # type: ignore[arg-type]


def test_latents_of_style_space(tmp_path: Path) -> None:
    layers = [torch.randn(2, 1, n, 1, 1) for n in (7, 7, 6)]
    found = saved(tmp_path / "s.pt", layers)
    rows = rows_of(found)
    assert found.config["space"] == "s" and isinstance(rows, list)
    assert all(torch.equal(a, b.flatten(1)) for a, b in zip(rows, layers, strict=True))
    layers[1] = layers[1][:1]
    with pytest.raises(LimnerError, match="different counts"):
        saved(tmp_path / "s.pt", layers)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_style_pickles_of_global_directions(tmp_path: Path, protocol: int) -> None:
    """`S` and `S_mean_std`: pickles of names, lists and arrays, as numpy 1 and 2 write them."""
    random = np.random.default_rng(0)
    arrays = [random.standard_normal((20, n)).astype(np.float32) for n in (7, 7, 6)]
    names = [f"G_synthesis_1/layer{k}" for k in range(3)]
    stats = [[a.mean(0) for a in arrays], [a.std(0) for a in arrays]]
    for name, content in (("S", [names, arrays]), ("S_mean_std", stats)):
        data = pickle.dumps(content, protocol)
        if protocol < 4:
            data = data.replace(b"numpy._core.", b"numpy.core.")
        (tmp_path / name).write_bytes(data)
    samples, numbers = read(tmp_path / "S"), read(tmp_path / "S_mean_std")
    assert samples.kind == "latents" and samples.config["count"] == 20
    assert numbers.kind == "statistics" and numbers.config["layers"] == 3
    for k, rows in enumerate(rows_of(samples)):
        assert torch.equal(rows, torch.from_numpy(arrays[k]))
        assert torch.equal(numbers.tensors[f"mean.{k:02d}"], torch.from_numpy(stats[0][k]))
        assert torch.equal(numbers.tensors[f"std.{k:02d}"], torch.from_numpy(stats[1][k]))


@pytest.mark.parametrize(
    "content",
    [{}, [], 7, "text", None, {"a": 1}, {"a": torch.ones(2), "b": torch.ones(3)},
     {"state_dict": {}}, {"g_ema": {}}, {"G_ema": None}, [1, 2], [[1], [2]], (), {"state_dict": 3}],
)  # fmt: skip
def test_what_is_not_known_is_told(tmp_path: Path, content: Any) -> None:
    with pytest.raises(LimnerError) as caught:
        saved(tmp_path / "w.pt", content)
    assert isinstance(caught.value, UnknownKind) or "not" in caught.value.message
    with pytest.raises(LimnerError):
        store.add(tmp_path / "w.pt", None, None)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 2, 3, 4), (2, 2, 2, 2, 2)])
def test_arrays_of_other_shapes_are_no_latents(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(LimnerError, match="array of shape"):
        saved(tmp_path / "w.pt", torch.zeros(shape))
