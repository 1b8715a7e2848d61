"""Checkpoints that run code, lie, or never end: refused in words, with nothing run or left.

Generators are published as pickles, which are programs. Whoever makes one may write anything into
it; a canary is a file that any code of theirs would make.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from limner.models import store
from limner.models.checkpoints import read
from limner_wire.errors import ErrorCode, LimnerError

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import checkpoint_files as files

REFUSALS = (ErrorCode.UNSAFE_FILE, ErrorCode.UNREADABLE, ErrorCode.UNKNOWN_MODEL)
MEMORY_BYTES = 64 * 2**20  # what reading a small file may take, whatever it declares


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


class Call:
    """Unpickling this calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


def canary(folder: Path) -> Call:
    return Call(os.system, f"touch '{folder / 'canary'}'")


def refused(path: Path, *codes: ErrorCode) -> str:
    """How a file is refused; checks that nothing ran, took memory or was left behind."""
    folder = path.parent
    tracemalloc.start()
    try:
        with pytest.raises(LimnerError) as caught:
            store.add(path, "wrong", None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES + 4 * path.stat().st_size
    error = caught.value
    assert error.code in (codes or (*REFUSALS, ErrorCode.BAD_INPUT)), error
    assert str(folder) not in str(error) and "\n" not in str(error) and len(str(error)) < 600
    assert not (folder / "canary").exists()
    models = folder / "models"
    assert not models.exists() or list(models.iterdir()) == []
    return str(error)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_canary_sings_where_a_pickle_is_unpickled(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(canary(tmp_path)))  # noqa: S301
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_calls_in_a_pickle_of_any_protocol(tmp_path: Path, protocol: int) -> None:
    for content in (canary(tmp_path), [canary(tmp_path)], {"G_ema": canary(tmp_path)}):
        path = written(tmp_path / "net.pkl", pickle.dumps(content, protocol))
        assert f"asks for {os.system.__module__}.system" in refused(path, ErrorCode.UNSAFE_FILE)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.npy", "w", "w.json"])
@pytest.mark.parametrize("kind", ["zip", "old", "plain"])
def test_calls_in_every_wrapping_by_every_name(tmp_path: Path, kind: str, name: str) -> None:
    content = {"g_ema": {"input.input": torch.ones(1)}, "args": canary(tmp_path)}
    if kind == "plain":
        written(tmp_path / name, pickle.dumps(content))
    else:
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=kind == "zip")
    assert "asks for" in refused(tmp_path / name, ErrorCode.UNSAFE_FILE)


def test_calls_inside_the_bytes_of_a_tensor(tmp_path: Path) -> None:
    """NVIDIA's pickles hold archives inside, which PyTorch's own reader unpickles in turn."""
    stream = io.BytesIO()
    torch.save(canary(tmp_path), stream, _use_new_zipfile_serialization=False)
    for inner in (stream.getvalue(), pickle.dumps(canary(tmp_path))):
        nested = Call(torch.storage._load_from_bytes, inner)
        refused(written(tmp_path / "net.pkl", pickle.dumps({"G_ema": nested})))


@pytest.mark.parametrize("count", range(5))
def test_calls_in_each_of_the_pickles_of_an_old_archive(tmp_path: Path, count: int) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "good", _use_new_zipfile_serialization=False)
    data = (tmp_path / "good").read_bytes()
    ends = [0]
    for _ in range(5):
        stream = io.BytesIO(data[ends[-1] :])
        for _ in __import__("pickletools").genops(stream):
            pass
        ends.append(ends[-1] + stream.tell())
    evil = pickle.dumps(canary(tmp_path), 2)
    refused(written(tmp_path / "w.pt", data[: ends[count]] + evil + data[ends[count + 1] :]))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"cos\nsystem\n(S'touch canary'\ntR.", "os.system"),
        (b"(S'touch canary'\nios\nsystem\n.", ""),
        (b"\x80\x02(cos\nsystem\nX\x0c\x00\x00\x00touch canaryo.", "os.system"),
        (b"\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.", "__builtin__.eval"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x011\x85R.", "builtins.exec"),
        (b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.", "builtins.getattr"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x19OrderedDict.__init__.__globals__\x93.", ""),
        (b"\x80\x02ctorch\nload\n.", "torch.load"),
        (b"\x80\x02cnumpy\nload\n.", "numpy.load"),
        (b"\x80\x02csubprocess\nPopen\n.", "subprocess.Popen"),
        (b"\x80\x02cos\nsystem\nq\x000h\x00.", "os.system"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x02cargparse\nNamespace\n)R}X\x01\x00\x00\x00acos\nsystem\nsb.", "os.system"),
        (b"\x80\x02cos.path\n../../x\ny\n.", ""),
    ],
)
def test_names_and_instructions_by_hand(tmp_path: Path, data: bytes, name: str) -> None:
    said = refused(written(tmp_path / "w.pkl", data))
    assert name in said


def test_source_code_in_nvidias_pickles_is_not_looked_at(tmp_path: Path) -> None:
    """A good file with bad code: it is read, and the code is not run."""
    weights = files.Weights(8)
    module = files.nvidia_module(weights)
    files.Persistent.source = f"open({str(tmp_path / 'canary')!r}, 'w')"
    found = read(files.write_nvidia(tmp_path / "net.pkl", module))
    assert found.kind == "generator" and not (tmp_path / "canary").exists()
    assert "source" not in json.dumps(dict(found.config)) + json.dumps(dict(found.facts))


# --- files that lie -------------------------------------------------------------------------------


def torch_zip(content: bytes, parts: dict[str, bytes], **options: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        archive.writestr("archive/data.pkl", content)
        for name, data in parts.items():
            archive.writestr(f"archive/{name}", data)
    return stream.getvalue()


def described(count: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """data.pkl of one tensor, as PyTorch writes it."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            key = ("storage", torch.FloatStorage, "0", "cpu", count)
            return key if value is Ellipsis else None

    rebuild = torch._utils._rebuild_tensor_v2
    stream = io.BytesIO()
    tensor = Call(rebuild, ..., offset, shape, strides, False, {})
    Pickler(stream, 2).dump({"latent": tensor})
    return stream.getvalue()


@pytest.mark.parametrize(
    ("count", "offset", "shape", "strides"),
    [
        (5 * 2**29, 0, (5 * 2**29,), (1,)),  # 10 GB declared
        (4, 0, (2**16, 2**16), (0, 0)),  # 16 GB out of one number
        (4, 0, (2**40,), (0,)),
        (4, 0, (2, 2**40), (1, 1)),
        (4, 3, (2,), (1,)),
        (4, -1, (2,), (1,)),
        (4, 0, (-2, -2), (1, 1)),
        (4, 0, (2, 2), (-1, 1)),
        (4, 0, (2,), (1, 1)),
        (4, 0, (1,) * 40, (1,) * 40),
        (4, 0, (2**62, 2**62, 4), (0, 0, 1)),
        (-4, 0, (1,), (1,)),
        (4, 2**70, (0,), (1,)),
    ],
)
def test_tensors_that_are_larger_than_their_bytes(
    tmp_path: Path, count: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    content = described(count, offset, shape, strides)
    data = torch_zip(content, {"data/0": bytes(16), "version": b"3"})
    refused(written(tmp_path / "w.pt", data))
    good = described(4, 0, (1, 2, 2), (4, 2, 1))
    path = written(tmp_path / "good.pt", torch_zip(good, {"data/0": bytes(16)}))
    assert read(path).kind == "latents", "the form itself is right"


def test_old_archives_that_declare_more_than_they_hold(tmp_path: Path) -> None:
    torch.save(torch.ones(1, 2, 4), tmp_path / "good", _use_new_zipfile_serialization=False)
    data = (tmp_path / "good").read_bytes()
    assert read(tmp_path / "good").kind == "latents"
    count = struct.pack("<q", 8)
    assert data.count(count) == 1
    for wrong in (2**40, -8, 7, 0):
        refused(written(tmp_path / "w.pt", data.replace(count, struct.pack("<q", wrong))))
    refused(written(tmp_path / "w.pt", data[:-4]))


def test_tensors_that_overlap(tmp_path: Path) -> None:
    storage = torch.randn(64)
    state = files.rosinality_state(files.Weights(8))
    state["style.1.bias"], state["style.2.bias"] = storage[:6], storage[3:9]
    torch.save({"g_ema": state}, tmp_path / "w.pt")
    assert "overlap" in refused(tmp_path / "w.pt", ErrorCode.UNREADABLE)
    state["style.2.bias"] = storage[6:12]
    torch.save({"g_ema": state}, tmp_path / "good.pt")
    assert read(tmp_path / "good.pt").kind == "generator"


def test_parts_of_an_archive_that_lie(tmp_path: Path) -> None:
    good = described(4, 0, (1, 2, 2), (4, 2, 1))
    part = {"data/0": bytes(16)}
    bomb = torch_zip(good, {"data/0": bytes(2**26)}, compression=zipfile.ZIP_DEFLATED)
    cases = {
        "missing": torch_zip(good, {}),
        "short": torch_zip(good, {"data/0": bytes(12)}),
        "long": torch_zip(good, {"data/0": bytes(20)}),
        "compressed": torch_zip(good, part, compression=zipfile.ZIP_DEFLATED),
        "bomb": bomb,
        "other order": torch_zip(good, {**part, "byteorder": b"big"}),
        "script": torch_zip(good, {**part, "code/__torch__.py": b"import os"}),
        "constants": torch_zip(good, {**part, "constants.pkl": b""}),
        "no table": torch_zip(b"", part),
        "no end": torch_zip(good, part)[:-22],
        "only a head": b"PK\x03\x04",
    }
    for name, data in cases.items():
        said = refused(written(tmp_path / "w.pt", data))
        assert name != "script" or "TorchScript" in said
    broken = torch_zip(good, {"data/0": b"\x01" * 16}).replace(b"\x01" * 16, b"\x02" * 16)
    assert "CRC" in refused(written(tmp_path / "w.pt", broken), ErrorCode.UNREADABLE)


def npy(header: str, data: bytes = bytes(16)) -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2500000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -2), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os').system('true'), }",
        "[" * 100,
        "",
    ],
)
def test_numpy_arrays_that_lie(tmp_path: Path, header: str) -> None:
    good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }")
    assert read(written(tmp_path / "good.npy", good)).kind == "latents"
    refused(written(tmp_path / "w.npy", npy(header)))


def test_numpy_arrays_of_objects(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.array([canary(tmp_path)], dtype=object), allow_pickle=True)
    assert "Python objects" in refused(tmp_path / "w.npy", ErrorCode.UNSAFE_FILE)
    objects = pickle.dumps([["a"], [np.array([1, None], dtype=object)]])
    refused(written(tmp_path / "S", objects))


def test_arrays_in_a_pickle_that_declare_more_than_they_hold(tmp_path: Path) -> None:
    good = pickle.dumps(np.ones((1, 2, 4), np.float32), 2)
    assert read(written(tmp_path / "good.pkl", good)).kind == "latents"
    shape = pickle.dumps((1, 2, 4), 2)[2:-3]
    assert good.count(shape) == 1
    larger = pickle.dumps((1, 2**31, 4), 2)[2:-3]
    refused(written(tmp_path / "w.pkl", good.replace(shape, larger)))


def test_safetensors_that_declare_ten_gigabytes(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [5 * 2**29], "data_offsets": [0, 10 * 2**30]}
    header = json.dumps({"blocks.4.conv1.weight": entry}).encode()
    data = struct.pack("<Q", len(header)) + header + bytes(16)
    refused(written(tmp_path / "w.safetensors", data))


def test_files_that_are_too_large_are_not_opened(tmp_path: Path) -> None:
    with (tmp_path / "w.pt").open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(9 * 2**30)  # with a hole: it takes no space
    with pytest.raises(LimnerError, match=r"9 GiB; 8 are the most"):
        read(tmp_path / "w.pt")


# --- files that never end -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".",  # lists in lists
        b"\x80\x02)" + b"\x85" * 50_000 + b".",  # tuples in tuples
        b"\x80\x02}" + b")" + b"\x85" * 50_000 + b"Ks.",  # as the key of a table
        b"\x80\x02]q\x00h\x00a.",  # a list that holds itself
        b"\x80\x02}q\x00X\x05\x00\x00\x00g_emah\x00s.",  # a table that holds itself
        b"\x80\x02" + b"(" * 50_000 + b".",
        b"\x80\x02\x8b\xff\xff\xff\x7f" + b"\x01" * 64 + b".",  # a number of 2 GB
        b"\x80\x04B\xff\xff\xff\xff" + b"\x01" * 64,  # bytes of 4 GB
        b"\x80\x04\x8e" + b"\xff" * 8 + b"\x01" * 64,  # bytes of 16 EB
        b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
        b"\x80\x02.",
        b"\x80\x02a.",
        b"\x80\x02N0a.",
        b"\x80\x02NNb.",
        b"\x80\x02h\x05.",
        b"\x80\x02t.",
        b"\x80\x02}(NNNu.",
        b"\x80\x02" + b"N" * 1000,
        b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
        b"\x80\x02I" + b"9" * 5000 + b"\n.",
        b"\x80\x02Vq\\ud8\n.",
        b"\x80",
    ],
)  # fmt: skip
def test_pickles_that_make_no_sense_or_no_end(tmp_path: Path, data: bytes) -> None:
    refused(written(tmp_path / "w.pkl", data))


def test_a_rebuilding_of_a_rebuilding(tmp_path: Path) -> None:
    """The one name that calls another, on itself again and again."""
    data = b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\x00)q\x01"
    # (itself, nothing, what was before, nothing), twenty thousand times
    data += b"0(h\x00Nh\x01Ntq\x01" * 20_000 + b"0h\x00h\x01R."
    refused(written(tmp_path / "w.pkl", data))


def test_modules_within_modules_without_end(tmp_path: Path) -> None:
    inner = files.Persistent()
    for _ in range(60):
        inner = files.Persistent({"mapping": inner})
    refused(files.write_nvidia(tmp_path / "deep.pkl", inner), ErrorCode.UNREADABLE)
    for state in ({}, {"_modules": {}}, {"_modules": {"mapping": 1}}, None, {"_modules": 3}):
        with files.their_modules():
            rebuild = sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj
            data = pickle.dumps({"G_ema": Call(rebuild, {"state": state})})
        refused(written(tmp_path / "empty.pkl", data))
    # a module that is its own part: the memo's first entry is put into itself
    with files.their_modules():
        state = {"_modules": {"mapping": "itself"}}
        data = pickle.dumps(Call(rebuild, {"state": state}), 2)
    itself = pickle.dumps("itself", 2)[2:-3]
    refused(written(tmp_path / "loop.pkl", data.replace(itself, b"h\x01")))


@pytest.mark.parametrize("shown", ["a\x1b[2Jb", "a\u202eb", "x" * 5000])
def test_names_that_paint_the_terminal_are_not_repeated(tmp_path: Path, shown: str) -> None:
    name = shown.encode()
    data = b"\x80\x04\x8c\x01m" + b"X" + struct.pack("<I", len(name)) + name + b"\x93."
    said = refused(written(tmp_path / "w.pkl", data), ErrorCode.UNSAFE_FILE)
    assert "\x1b" not in said and "\u202e" not in said
    state = {**files.rosinality_state(files.Weights(8)), shown: torch.ones(1)}
    torch.save({"g_ema": state}, tmp_path / "w.pt")
    said = refused(tmp_path / "w.pt", ErrorCode.UNKNOWN_MODEL)
    assert "\x1b" not in said and "\u202e" not in said


# --- every cut and many flips ---------------------------------------------------------------------


def samples(folder: Path) -> dict[str, bytes]:
    """Small good files of every format."""
    weights = files.Weights(8, w_dim=3, z_dim=3, depth=1)
    state = files.rosinality_state(weights)
    torch.save({"g_ema": state}, folder / "new")
    torch.save({"g_ema": state}, folder / "old", _use_new_zipfile_serialization=False)
    files.write_nvidia(folder / "nvidia", files.nvidia_module(weights))
    files.write_tensorflow(folder / "tf", files.tensorflow_networks(weights))
    np.save(folder / "w.npy", np.ones((1, 4, 3), np.float32))
    names = ("new", "old", "nvidia", "tf", "w.npy")
    return {name: (folder / name).read_bytes() for name in names}


def test_every_format_cut_anywhere(tmp_path: Path) -> None:
    for data in samples(tmp_path).values():
        for part in range(24):
            path = written(tmp_path / "cut", data[: len(data) * part // 24])
            with pytest.raises(LimnerError) as caught:
                read(path)
            assert caught.value.code in REFUSALS


def test_every_format_with_bytes_changed(tmp_path: Path) -> None:
    """It is read or refused, never anything else; most changes fall on numbers."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for data in samples(tmp_path).values():
        for _ in range(60):
            changed = bytearray(data)
            for _ in range(dice.choice((1, 3, 20))):
                changed[dice.randrange(len(changed))] = dice.randrange(256)
            path = written(tmp_path / "changed", bytes(changed))
            try:
                read(path)
            except LimnerError as refusal:
                assert refusal.code in REFUSALS, refusal
    assert not (tmp_path / "canary").exists()
