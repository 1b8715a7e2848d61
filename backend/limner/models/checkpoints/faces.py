"""Networks that look at faces, under the names of their projects: IR-SE50, e4e, pSp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from limner.models import arcface, encoders
from limner.models.arrays import is_array, tensors
from limner.models.checkpoints.found import Found, checked, other
from limner_wire.errors import LimnerError

ARCFACE = "an IR-SE identity network"
ENCODER = "an e4e or pSp encoder"


def from_arcface(table: Mapping[str, Any]) -> Found:
    """`model_ir_se50.pth`: a flat table of 397 tensors."""
    state = _with_counts(tensors({k: v for k, v in table.items() if is_array(v)}))
    try:
        body = arcface.body_of({name: tuple(value.shape) for name, value in state.items()})
        dimensions, flat = state["output_layer.3.weight"].shape
    except (KeyError, IndexError, ValueError, LimnerError) as problem:
        raise _untold(ARCFACE, problem) from problem
    side = round((flat / body.widths[-1]) ** 0.5)
    config = arcface.Config(body, side << len(body.units), dimensions)
    with torch.device("meta"):
        empty = arcface.ArcFace(config)
    kept = checked(empty, state, ARCFACE)
    facts = {"format": "model_ir_se50", "note": f"ArcFace, {config.input_px} px"}
    return Found("identity", config.to_json(), kept, facts)


def from_encoder(
    table: Mapping[str, Any], latent_avg: Any, settings: Mapping[str, Any], beside: Found | None
) -> Found:
    """e4e's or pSp's encoder, its names without "encoder."; the mean that is added lies beside it.

    Args:
        settings: with which it was trained.
        beside: the generator that the file holds too.
    """
    kind = settings.get("encoder_type", "Encoder4Editing")
    if kind not in ("Encoder4Editing", "GradualStyleEncoder"):
        raise other(ENCODER, f"it is a {kind!s:.40}, and only e4e's and pSp's are read")
    if settings.get("learn_in_w"):
        raise other(ENCODER, "it gives W, and only those that give W+ are read")
    extra = {} if latent_avg is None else {"latent_avg": latent_avg}
    state = _with_counts(tensors({**table, **extra}))
    try:
        config = _encoder_config(state, differences=kind == "Encoder4Editing")
    except (KeyError, IndexError, ValueError, LimnerError) as problem:
        raise _untold(ENCODER, problem) from problem
    shape = (config.latents, config.w_dim)
    mean = state.get("latent_avg")
    if mean is None or settings.get("start_from_latent_avg") is False:
        state["latent_avg"] = torch.zeros(shape)
    elif mean.shape[-1:] == shape[-1:]:
        state["latent_avg"] = mean.reshape(-1, config.w_dim).expand(shape).clone()
    with torch.device("meta"):
        empty = encoders.Encoder(config)
    kept = checked(empty, state, ENCODER)
    source = "e4e" if config.differences else "pSp"
    facts = {"format": source, "note": f"{source}, {config.input_px} px to {config.latents} layers"}
    rest = {} if beside is None else {"generator": beside}
    return Found("encoder", config.to_json(), kept, facts, rest)


def _encoder_config(state: Mapping[str, Tensor], *, differences: bool) -> encoders.Config:
    body = arcface.body_of({name: tuple(value.shape) for name, value in state.items()})
    if len(body.units) < 3:
        raise ValueError("its body has too few stages")
    latents = len({n.split(".")[1] for n in state if n.startswith("styles.")})
    halvings = sum(1 for n in state if n.startswith("styles.0.convs.") and n.endswith(".weight"))
    if latents > 64 or halvings > 8:
        raise ValueError("it is larger than any")
    width = state["styles.0.linear.weight"].shape[0]
    side = 1 << (halvings + len(body.units))
    return encoders.Config(body, latents, width, side, differences)


def _with_counts(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """With how many batches each normalisation saw, which some files leave out."""
    for name in [n for n in state if n.endswith("running_mean")]:
        state.setdefault(name.replace("running_mean", "num_batches_tracked"), torch.tensor(0))
    return state


def _untold(what: str, problem: Exception) -> LimnerError:
    if isinstance(problem, KeyError):
        return other(what, f"{problem.args[0]} is missing")
    return other(what, str(problem).rstrip("."))
