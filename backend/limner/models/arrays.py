"""Tensors and arrays as PyTorch and numpy describe them in a pickle, checked before they are made.

A description says where in the file's bytes the numbers lie, of which type they are, and what
shape they have. It can say anything: ten gigabytes in a file of ten bytes, tensors that share
bytes, or reach beyond them. All of that is refused here before memory is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limner.models.pickles import Attributes, Damaged, Made, Name, Vocabulary

DIMENSIONS_MAX = 8
STORAGES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}  # fmt: skip
NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")  # numpy's types with a like tensor


@dataclass(slots=True, eq=False)
class Storage:
    """Numbers in a row, somewhere in a file.

    Attributes:
        count: how many there are.
        read: gives their bytes, `count` times the type's size.
    """

    dtype: torch.dtype
    count: int
    read: Callable[[], bytes]
    _row: Tensor | None = field(default=None, init=False)

    @property
    def row(self) -> Tensor:
        """(count,), read once."""
        if self._row is None:
            data = self.read()
            if len(data) != self.count * self.dtype.itemsize:
                raise Damaged("numbers are missing")
            self._row = (
                torch.frombuffer(bytearray(data), dtype=self.dtype)
                if data
                else torch.empty(0, dtype=self.dtype)
            )
        return self._row


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A tensor: which of a storage's numbers it has, and in which order."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (self.offset, *self.shape, *self.strides)
        if not all(isinstance(n, int) and n >= 0 for n in numbers):
            raise Damaged("a tensor of no possible shape")
        if not len(self.shape) == len(self.strides) <= DIMENSIONS_MAX:
            raise Damaged(f"a tensor of {len(self.shape)} dimensions")
        if self.end > self.storage.count or math.prod(self.shape) > self.storage.count:
            raise Damaged(f"a tensor of shape {self.shape} that is larger than its bytes")
        if any(n > 1 and stride == 0 for n, stride in zip(self.shape, self.strides, strict=True)):
            raise Damaged("a tensor whose numbers are all the same one")

    @property
    def end(self) -> int:
        """Behind the last of the storage's numbers that it has."""
        if 0 in self.shape:
            return self.offset
        steps = zip(self.shape, self.strides, strict=True)
        return self.offset + sum((n - 1) * stride for n, stride in steps) + 1

    def tensor(self) -> Tensor:
        """As a tensor of its own."""
        whole = self.storage.row.as_strided(self.shape, self.strides, self.offset)
        return whole.clone(memory_format=torch.contiguous_format)


def tensors(table: Mapping[str, Any]) -> dict[str, Tensor]:
    """What a table describes, made; each with bytes of its own.

    Raises:
        Damaged: if an entry is no tensor or array, or two lie in the same bytes.
    """
    views = {name: value for name, value in table.items() if isinstance(value, View)}
    _refuse_overlaps(views.values())
    return {str(name): _tensor(name, value) for name, value in table.items()}


def _tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, View):
        return value.tensor()
    return torch.from_numpy(array(value, name))


def is_array(value: Any) -> bool:
    """Whether `tensors` can make a tensor of it."""
    known = isinstance(value, Made) and value.name in (*RECONSTRUCT, *FROM_BUFFER)
    return known or isinstance(value, View | Tensor)


def _refuse_overlaps(views: Iterable[View]) -> None:
    by_storage: dict[int, list[View]] = {}
    for view in views:
        if view.end > view.offset:
            by_storage.setdefault(id(view.storage), []).append(view)
    for shared in by_storage.values():
        end = 0
        for view in sorted(shared, key=lambda v: v.offset):
            if view.offset < end:
                raise Damaged("two tensors overlap: they lie in the same bytes")
            end = view.end


# --- numpy ---

RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")


def array(made: Any, name: str = "") -> np.ndarray:
    """The numpy array that a pickle describes, before protocol 5 and since.

    Raises:
        Damaged: if it is none, holds other things than numbers, or not as many as it says.
    """
    if not isinstance(made, Made):
        raise Damaged(f"{name[:60]!r} is no array of numbers")
    if made.name in FROM_BUFFER and len(made.arguments) >= 3:
        data, dtype, shape, *order = made.arguments
        columns_first = order == ["F"]
    elif made.name in RECONSTRUCT and isinstance(made.state, tuple) and len(made.state) == 5:
        _, shape, dtype, columns_first, data = made.state
    else:
        raise Damaged(f"{name[:60]!r} is no array of numbers")
    if isinstance(data, str):  # from Python 2
        data = data.encode("latin-1")
    kind = _dtype(dtype)
    if not isinstance(data, bytes | bytearray) or not _is_shape(shape):
        raise Damaged("an array that holds other things than numbers")
    if math.prod(shape) * kind.itemsize != len(data):
        raise Damaged(f"an array of shape {shape} in {len(data)} bytes")
    flat = np.frombuffer(data, kind).astype(kind.newbyteorder("="))
    return flat.reshape(shape, order="F" if columns_first else "C").copy()


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, tuple)
        and len(shape) <= DIMENSIONS_MAX
        and all(isinstance(n, int) and n >= 0 for n in shape)
    )


def _dtype(made: Any) -> np.dtype[Any]:
    if not (isinstance(made, Made) and made.name == "numpy.dtype" and made.arguments):
        raise Damaged("an array of no type")
    kind = str(made.arguments[0])
    if kind not in NUMBERS:
        raise Damaged(f"an array of other things than numbers ({kind[:20]})")
    state = made.state if isinstance(made.state, tuple) and len(made.state) > 4 else (3, "<")
    if any(part is not None for part in state[2:5]):
        raise Damaged("an array of records")
    return np.dtype(kind).newbyteorder(">" if state[1] == ">" else "<")


# --- what a pickle may mention ---


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> View:
    if not isinstance(storage, Storage):
        raise Damaged("a tensor without numbers")
    return View(storage, offset, tuple(shape), tuple(strides))


def _first(value: Any, *_: Any) -> Any:
    return value


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Damaged("text in an odd encoding")
    return text.encode("latin-1")


def _row(items: Any = ()) -> list[Any]:
    return list(items)


def _pairs(items: Any = ()) -> dict[Any, Any]:
    out: dict[Any, Any] = {}
    for pair in items.items() if isinstance(items, dict) else items:
        key, value = pair
        if not isinstance(key, str | int):
            raise Damaged("a table whose keys are no names")
        out[key] = value
    return out


def _attributes(*_: Any) -> Attributes:
    return Attributes()


VOCABULARY: Vocabulary = {
    "collections.OrderedDict": _pairs, "argparse.Namespace": _attributes,
    "types.SimpleNamespace": _attributes, "dnnlib.util.EasyDict": _pairs,
    "builtins.set": _row, "__builtin__.set": _row, "builtins.bytearray": None,
    "builtins.object": None, "__builtin__.object": None, "copyreg._reconstructor": None,
    "copy_reg._reconstructor": None, "_codecs.encode": _encode,
    "pathlib.PosixPath": None, "pathlib.WindowsPath": None,
    "torch.Size": _row, "torch.device": None, "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_tensor": _rebuild_tensor, "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": None, "torch.nn.parameter.Parameter": _first,
    **{f"torch.{name}": None for name in STORAGES},
    **{f"torch.cuda.{name}": None for name in STORAGES},
    **{f"torch.{dtype}".replace("torch.torch.", "torch."): None for dtype in STORAGES.values()},
    "numpy.ndarray": None, "numpy.dtype": None,
    **dict.fromkeys((*RECONSTRUCT, *FROM_BUFFER, *SCALAR)),
}  # fmt: skip


def storage_type(name: Any) -> torch.dtype:
    """The type of a storage by the name that a pickle has for it.

    Raises:
        Damaged: if it has none.
    """
    last = name.text.rpartition(".")[2] if isinstance(name, Name) else ""
    if last not in STORAGES:
        raise Damaged("numbers of no type")
    return STORAGES[last]
