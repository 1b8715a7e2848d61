"""The one audited place that reads weights from a file.

A file is judged by what it holds, not by its name. safetensors is read as it is, its header
checked against the file's length. A PyTorch archive, zip or of the kind before it, in which VGG16
is still published, is read with `weights_only=True`, which builds tensors and containers and calls
nothing (torch >= 2.10: earlier versions had ways round). Everything else is refused; nothing is
ever retried with less care.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from limner_wire.errors import ErrorCode, LimnerError

HEADER_BYTES = 100 * 2**20  # safetensors' own bound
JSON_BYTES = 32 * 2**20  # the list of a large model's shards has one
HEAD_BYTES = 16
ZIP = b"PK\x03\x04"
BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # PyTorch's magic number until 1.5


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by name, on the CPU.

    Raises:
        LimnerError: UNREADABLE if it is missing or broken, UNSAFE_FILE if it is of a kind that
            can run code or asks for more than tensors.
    """
    head = _head(path)
    if is_safetensors(path, head):
        return _read_safetensors(path)
    if head.startswith((ZIP, BEFORE_ZIP)):
        return _read_archive(path)
    raise LimnerError(
        ErrorCode.UNSAFE_FILE,
        f"{path.name} is neither safetensors nor a PyTorch archive.",
        "Old pickle files can run code and are refused: save the weights as safetensors.",
    )


class Tensors:
    """The tensors of safetensors files, read one at a time, while they are `opened`.

    Attributes:
        shapes: by name, as the files' headers tell.
    """

    def __init__(self, files: Sequence[Any]) -> None:
        self._of = {name: file for file in files for name in file.keys()}  # noqa: SIM118
        self.shapes = {
            name: tuple(file.get_slice(name).get_shape()) for name, file in self._of.items()
        }

    def __getitem__(self, name: str) -> Tensor:
        out: Tensor = self._of[name].get_tensor(name)
        return out


@contextmanager
def opened(paths: Sequence[Path]) -> Iterator[Tensors]:
    """safetensors files, all as one, of which nothing but the headers is read yet.

    Raises:
        LimnerError: UNREADABLE if one is missing or broken, UNSAFE_FILE if it is of another kind.
    """
    with ExitStack() as stack:
        files = []
        for path in paths:
            place = f"{path.parent.name}/{path.name}"  # many are called the same
            if not is_safetensors(path, _head(path)):
                raise LimnerError(ErrorCode.UNSAFE_FILE, f"{place} is no safetensors file.")
            try:
                files.append(stack.enter_context(safe_open(path, "pt")))
            except (safetensors.SafetensorError, OSError) as problem:
                raise LimnerError(
                    ErrorCode.UNREADABLE, f"{place} is damaged: {problem}.", "Fetch it again."
                ) from problem
        yield Tensors(files)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE, f"{path.name} can't be read: {problem.strerror}."
        ) from problem


def is_safetensors(path: Path, head: bytes) -> bool:
    """Whether a file starts as safetensors does: a header length, then JSON."""
    if len(head) < 8:
        return False
    (length,) = struct.unpack("<Q", head[:8])
    if not 2 <= length <= min(HEADER_BYTES, path.stat().st_size - 8):
        return False
    with path.open("rb") as file:
        file.seek(8)
        return file.read(1) == b"{"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (safetensors.SafetensorError, OSError) as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE, f"{path.name} is damaged: {problem}.", "Fetch it again."
        ) from problem


def _read_archive(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file:  # a path's ending would choose torch's reader
            content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as problem:  # torch raises many kinds for a file that is not what it seems
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise LimnerError(
            ErrorCode.UNSAFE_FILE,
            f"{path.name} asks for more than tensors, or is damaged ({reason[:160]}).",
            "Save the weights alone, best as safetensors.",
        ) from problem
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise LimnerError(ErrorCode.UNSAFE_FILE, f"{path.name} holds no table of tensors.")
    return {str(k).removeprefix("module."): v for k, v in content.items()}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a model's folder.

    Raises:
        LimnerError: UNREADABLE if it is missing, is no JSON object, or a very large one.
    """
    try:
        with path.open("rb") as file:
            data = file.read(JSON_BYTES + 1)
        if len(data) > JSON_BYTES:
            raise ValueError("too large")
        content = json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE, f"{path.name} of model {path.parent.name} can't be read."
        ) from problem
    if not isinstance(content, dict):
        raise LimnerError(ErrorCode.UNREADABLE, f"{path.name} holds no JSON object.")
    return content


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
