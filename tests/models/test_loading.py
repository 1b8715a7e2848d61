"""The one reader of weights: what it takes, and what it must never do."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from limner.models.loading import read_weights, sha256
from limner_wire.errors import ErrorCode, LimnerError

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(1, dtype=torch.int64)}


class Canary:
    """Unpickling this writes a file: a weights file that runs code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def refused(path: Path, code: ErrorCode) -> str:
    with pytest.raises(LimnerError) as caught:
        read_weights(path)
    assert caught.value.code is code
    return str(caught.value)


@pytest.mark.parametrize("name", ["w.safetensors", "w.SAFETENSORS", "w.pt", "w"])
def test_safetensors_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    save_file(TENSORS, tmp_path / name)
    assert torch.equal(read_weights(tmp_path / name)["a"], TENSORS["a"])


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_torch_archive_of_tensors_is_read(tmp_path: Path, wrapped: bool, zipped: bool) -> None:
    path = tmp_path / "w.safetensors"  # its name does not matter
    state = {"module.a": TENSORS["a"]}
    content = {"state_dict": state, "epoch": 3} if wrapped else state
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(read_weights(path)["a"], TENSORS["a"])


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_torch_archive_never_runs(tmp_path: Path, zipped: bool) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "w.pt"
    torch.save({"a": Canary(canary)}, path, _use_new_zipfile_serialization=zipped)
    assert "more than tensors" in refused(tmp_path / "w.pt", ErrorCode.UNSAFE_FILE)
    assert not canary.exists()


def test_code_behind_the_magic_number_of_an_old_archive_never_runs(tmp_path: Path) -> None:
    """The archive is four pickles, one after the other; each of them is read with care."""
    canary = tmp_path / "canary"
    torch.save({"a": torch.ones(2)}, tmp_path / "good", _use_new_zipfile_serialization=False)
    magic = (tmp_path / "good").read_bytes()[:15]
    for count in range(4):
        harmless = pickle.dumps(1001, 2) * count
        (tmp_path / "w.pt").write_bytes(magic + harmless + pickle.dumps(Canary(canary), 2))
        refused(tmp_path / "w.pt", ErrorCode.UNSAFE_FILE)
        assert not canary.exists(), f"pickle {count + 2} ran"


@pytest.mark.parametrize("cut", [16, 40, 200, -1])
def test_an_old_archive_that_was_cut_is_told(tmp_path: Path, cut: int) -> None:
    torch.save(TENSORS, tmp_path / "whole", _use_new_zipfile_serialization=False)
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:cut])
    assert "damaged" in refused(tmp_path / "cut", ErrorCode.UNSAFE_FILE)


@pytest.mark.parametrize("name", ["w.pkl", "w.safetensors", "w.SAFETENSORS"])
def test_a_pickle_is_refused_by_any_name(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    (tmp_path / name).write_bytes(pickle.dumps(Canary(canary)))
    refused(tmp_path / name, ErrorCode.UNSAFE_FILE)
    assert not canary.exists()


def test_other_things_than_a_table_of_tensors_are_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    refused(tmp_path / "list.pt", ErrorCode.UNSAFE_FILE)


def test_a_header_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 10_000) + b"{}" * 10)
    refused(tmp_path / "w.safetensors", ErrorCode.UNSAFE_FILE)


def test_overlapping_tensors_are_refused(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    header = json.dumps({"a": entry, "b": {**entry, "data_offsets": [4, 12]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 12)
    refused(path, ErrorCode.UNREADABLE)


def test_a_cut_file_is_told(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-9])
    assert "cut is damaged" in refused(tmp_path / "cut", ErrorCode.UNREADABLE)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "none can't be read" in refused(tmp_path / "none", ErrorCode.UNREADABLE)


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x").startswith("ba7816bf")
