"""Where a run stands, as bytes: safetensors, with the settings of the moment in its header."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A saved run.

    Attributes:
        params: the settings, which may have been adjusted since the job was submitted.
        tensors: from the method's `save`.
    """

    method: str
    params: dict[str, Any]
    tensors: dict[str, Tensor]

    def to_bytes(self) -> bytes:
        """One safetensors file."""
        head = {"limner": VERSION, "method": self.method, "params": json.dumps(self.params)}
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.tensors.items()}
        return save(tensors, head)


def from_bytes(data: bytes, device: torch.device) -> Checkpoint:
    """The run that was saved.

    Raises:
        ValueError: if the bytes are no checkpoint of this version.
    """
    try:
        tensors = load(data)
        length = int.from_bytes(data[:8], "little")
        head = json.loads(data[8 : 8 + length])["__metadata__"]
        if head["limner"] != VERSION:
            raise ValueError(f"a checkpoint of version {head['limner']}")
        params = json.loads(head["params"])
        return Checkpoint(head["method"], params, {k: v.to(device) for k, v in tensors.items()})
    except (SafetensorError, KeyError, TypeError) as problem:
        raise ValueError(f"no checkpoint: {problem}") from problem
