"""Files of weights as people have them, opened without running anything that is in them.

PyTorch's zip archives and those before it, plain pickles, numpy arrays and safetensors, each known
by what it holds. Pickles inside are only spelled out (`models.pickles`); tensors are described
(`models.arrays`) and made when somebody asks for them, from bytes that are there.
"""

from __future__ import annotations

import io
import math
import mmap
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limner.models.arrays import NUMBERS, VOCABULARY, Storage, storage_type
from limner.models.loading import BEFORE_ZIP, ZIP, is_safetensors, read_weights
from limner.models.pickles import NONSENSE, Damaged, Vocabulary, asked_for, read_pickle, shown
from limner_wire.errors import ErrorCode, LimnerError

FILE_BYTES_MAX = 8 * 2**30
PICKLE_BYTES_MAX = 256 * 2**20  # beside its tensors
HEAD_BYTES = 256
NUMPY = b"\x93NUMPY"
# From protocol 2 they begin with its number, before with a container or a name.
PICKLE = re.compile(rb"\x80[\x02-\x05]|\([dlt]p\d|[\]}]q|[(\]}]{0,3}[ci][\w.]+\n[\w.]+\n")
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of PyTorch's archives until 1.5


class UnknownKind(LimnerError):
    """A file that is none of those that can be opened here."""

    def __init__(self, name: str) -> None:
        super().__init__(
            ErrorCode.UNREADABLE,
            f"{name} is no weights file that Limner knows.",
            "It reads PyTorch's, safetensors, numpy's, and StyleGAN2's .pkl.",
        )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """What a file holds: tables, lists, numbers, and tensors that `arrays.tensors` can make while
    the file is open.

    Raises:
        LimnerError: UNREADABLE if it is missing, broken or too large, or `UnknownKind`; UNSAFE_FILE
            if it asks for something that weights have no need of.
    """
    try:
        with path.open("rb") as file:
            head, size = file.read(HEAD_BYTES), path.stat().st_size
            if size > FILE_BYTES_MAX:
                raise LimnerError(
                    ErrorCode.UNREADABLE,
                    f"{path.name} has {size / 2**30:.0f} GiB; {FILE_BYTES_MAX >> 30} are the most.",
                )
            if is_safetensors(path, head):
                yield read_weights(path)
            elif head.startswith(ZIP):
                with zipfile.ZipFile(file) as archive:
                    yield _read_zip(archive, path.name, size)
            elif head.startswith((NUMPY, BEFORE_ZIP)) or PICKLE.match(head):
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                    yield _read_plain(data, head)
            else:
                raise UnknownKind(path.name)
    except (zipfile.BadZipFile, *NONSENSE, RuntimeError, MemoryError, struct.error) as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE,
            f"{path.name} is damaged, or not what it seems: {shown(str(problem), 200)}.",
            "Fetch it again.",
        ) from problem
    except OSError as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE, f"{path.name} can't be read: {problem.strerror}."
        ) from problem


def _read_plain(data: mmap.mmap, head: bytes) -> Any:
    if head.startswith(NUMPY):
        return _read_numpy(data)
    if head.startswith(BEFORE_ZIP):
        return _read_before_zip(data, _WHOLE)
    return read_pickle(data, _WHOLE)  # type: ignore[arg-type]  # a map can be read as a file


# --- PyTorch's zip: data.pkl, and the numbers of each storage in a file of its own ---


def _read_zip(archive: zipfile.ZipFile, name: str, size: int) -> Any:
    entries = {entry.filename: entry for entry in archive.infolist()}
    if any(re.match(r"[^/]+/(code/|constants\.pkl$)", entry) for entry in entries):
        raise LimnerError(
            ErrorCode.UNSAFE_FILE,
            f"{name} is a TorchScript program, not weights.",
            "Save its state_dict() instead.",
        )
    pickles = [entry for entry in entries if re.fullmatch(r"[^/]*/?data\.pkl", entry)]
    if len(pickles) != 1:
        raise UnknownKind(name)
    if any(e.compress_type != zipfile.ZIP_STORED or e.flag_bits & 1 for e in entries.values()):
        raise Damaged("PyTorch compresses and encrypts nothing")
    if sum(entry.file_size for entry in entries.values()) > size:
        raise Damaged("its parts are longer than the whole")
    folder = pickles[0].removesuffix("data.pkl")
    order = archive.read(folder + "byteorder") if folder + "byteorder" in entries else b"little"
    if order != b"little":
        raise Damaged("its numbers are in the byte order of another machine")
    if entries[pickles[0]].file_size > PICKLE_BYTES_MAX:
        raise Damaged("its table of contents is too long")
    storages = _Storages()

    def stored(which: Any) -> Storage:
        storage = storages.of(which)
        entry = entries.get(f"{folder}data/{which[2]}")
        if entry is None or entry.file_size != storage.count * storage.dtype.itemsize:
            held = 0 if entry is None else entry.file_size
            raise Damaged(f"it has {held} bytes for {storage.count} numbers of {storage.dtype}")
        storage.read = lambda: archive.read(entry)
        return storage

    return read_pickle(io.BytesIO(archive.read(pickles[0])), _WHOLE, stored)


class _Storages:
    """Those that an archive speaks of, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def of(self, which: Any) -> Storage:
        """The storage of a persistent id: ("storage", type, key, device, count, maybe a part)."""
        if not (isinstance(which, tuple) and len(which) in (5, 6) and which[0] == "storage"):
            raise Damaged("it speaks of something else than numbers")
        dtype, key, count = storage_type(which[1]), which[2], which[4]
        if not isinstance(key, str) or not isinstance(count, int) or count < 0:
            raise Damaged("it speaks of numbers without saying which")
        if len(which) == 6 and which[5] is not None:
            raise Damaged("it speaks of a part of other numbers")
        known = self.by_key.setdefault(key, Storage(dtype, count, bytes))
        if (known.dtype, known.count) != (dtype, count):
            raise Damaged("it says two things of the same numbers")
        return known


# --- PyTorch's archive until 1.5: five pickles, then the numbers ---


def _read_before_zip(data: bytes | mmap.mmap, vocabulary: Vocabulary) -> Any:
    stream: Any = io.BytesIO(data) if isinstance(data, bytes) else data
    if read_pickle(stream, {}) != MAGIC or read_pickle(stream, {}) != PROTOCOL:
        raise Damaged("it is no PyTorch archive")
    system = read_pickle(stream, {})
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Damaged("its numbers are in the byte order of another machine")
    storages = _Storages()
    content = read_pickle(stream, vocabulary, storages.of)
    keys = read_pickle(stream, {})
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages.by_key):
        raise Damaged("its list of numbers is another")
    for key in keys:
        _place(storages.by_key[key], data, stream)
    return content


def _place(storage: Storage, data: bytes | mmap.mmap, stream: Any) -> None:
    """Note where a storage's numbers lie: behind their count, where the stream stands."""
    head = stream.read(8)
    start, length = stream.tell(), storage.count * storage.dtype.itemsize
    if len(head) != 8 or struct.unpack("<q", head)[0] != storage.count:
        raise Damaged("it counts its numbers otherwise than it says")
    if start + length > len(data):
        raise Damaged(f"it says to hold {length} bytes more than there are")
    storage.read = lambda: data[start : start + length]
    stream.seek(start + length)


def _load_from_bytes(data: Any) -> Storage:
    """A storage inside a plain pickle: an archive of the kind before zip, whole, as bytes."""
    if not isinstance(data, bytes | bytearray) or not data.startswith(BEFORE_ZIP):
        raise Damaged("numbers in an unknown wrapping")
    storage = _read_before_zip(bytes(data), VOCABULARY)
    if not isinstance(storage, Storage):
        raise Damaged("something else than numbers in their wrapping")
    return storage


# What whole networks mention besides: NVIDIA's modules, TensorFlow's, and numbers as bytes.
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
NETWORK = "dnnlib.tflib.network.Network"
_WHOLE: Vocabulary = {
    **VOCABULARY, "torch.storage._load_from_bytes": _load_from_bytes,
    PERSISTENT: None, NETWORK: None,
}  # fmt: skip


# --- numpy's array: a header that tells type and shape, then the numbers ---


def _read_numpy(data: mmap.mmap) -> Tensor:
    stream: Any = data
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            reader = np.lib.format.read_array_header_2_0
        shape, columns_first, dtype = reader(stream)
    except Exception as problem:  # numpy parses it as Python, which raises many kinds
        raise Damaged(f"its header says nothing: {problem}") from problem
    if dtype.hasobject:
        raise asked_for("Python objects in an array")
    if dtype.kind + str(dtype.itemsize) not in NUMBERS:
        raise Damaged(f"it holds other things than numbers ({dtype})")
    start = stream.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data) - start:
        raise Damaged(f"an array of shape {shape} in {len(data) - start} bytes")
    numbers = np.frombuffer(data[start:], dtype).astype(dtype.newbyteorder("="))
    return torch.from_numpy(numbers.reshape(shape, order="F" if columns_first else "C").copy())
