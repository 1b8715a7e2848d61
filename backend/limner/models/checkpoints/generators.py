"""StyleGAN2 generators under other projects' names, and under Limner's.

rosinality's stylegan2-pytorch (and with it StyleGAN-NADA, e4e, StyleCLIP), NVIDIA's PyTorch ones
(stylegan2-ada-pytorch, and stylegan3 for StyleGAN2) and NVIDIA's TensorFlow ones. Between the two
in PyTorch nothing but names and empty dimensions differs. TensorFlow's kernels lie with their
inputs and outputs last, those that enlarge are turned round, and the styles' biases lack the 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from limner.models.arrays import tensors
from limner.models.checkpoints.found import Found, checked, other
from limner.models.stylegan2.config import Config
from limner.models.stylegan2.generator import Generator
from limner.models.stylegan2.ops import low_pass
from limner_wire.errors import ErrorCode, LimnerError

STYLEGAN2 = "a StyleGAN2 generator"
ROSINALITY_RATE = 0.01  # of the mapping network
MEAN_OF = 4096  # latents, where a file comes without the mean of W
Rename = Callable[[str], str | None]  # Limner's name for one of theirs; None for what it has not


def from_rosinality(table: Mapping[str, Any], latent_avg: Any = None) -> Found:
    """rosinality's state dict, and the mean of W that may lie beside it, one or one a layer."""
    extra = {} if latent_avg is None else {"latent_avg": latent_avg}
    state = _renamed({**table, **extra}, rosinality_name)
    if "w_avg" in state:
        state["w_avg"] = state["w_avg"].reshape(-1, state["w_avg"].shape[-1]).mean(0)
    return generator(state, "rosinality")


def rosinality_name(name: str) -> str | None:
    """Limner's name for one of rosinality's."""
    if name == "input.input":
        return "constant"
    if name == "latent_avg":
        return "w_avg"
    if match := re.fullmatch(r"style\.(\d{1,2})\.(weight|bias)", name):
        return f"mapping.layers.{int(match[1]) - 1}.{match[2]}"  # before them is the normalisation
    if match := re.fullmatch(r"noises\.noise_(\d{1,2})", name):
        return f"blocks.{_convolution(int(match[1]))}.noise"
    match = re.fullmatch(r"(conv1|to_rgb1|convs\.(\d{1,2})|to_rgbs\.(\d{1,2}))\.([\w.]+)", name)
    if match is None or match[4] not in _ROSINALITY:
        return None
    first, convolution, colours, part = match.groups()
    if colours is not None:
        place = f"{8 << int(colours)}.rgb"
    else:
        place = "4.rgb" if first == "to_rgb1" else _convolution(int(convolution or -1) + 1)
    return f"blocks.{place}.{_ROSINALITY[part]}"


def to_rosinality(made: Generator) -> dict[str, Any]:
    """A generator as rosinality's code keeps it: {"g_ema": its state dict, "latent_avg": (w_dim,)}.

    Raises:
        LimnerError: BAD_INPUT if it has labels or cuts its features off, which that has not.
    """
    config, state = made.config, made.state_dict()
    if config.c_dim or config.conv_clamp is not None:
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            "rosinality's generators have no labels, and cut nothing off.",
            "Use Limner's own folder.",
        )
    scale = config.mapping_rate / ROSINALITY_RATE
    out = {"input.input": state["constant"][None]}
    for k in range(config.mapping_layers):
        for part in ("weight", "bias"):
            out[f"style.{k + 1}.{part}"] = state[f"mapping.layers.{k}.{part}"] * scale
    parts = {ours: theirs for theirs, ours in _ROSINALITY.items() if theirs != "bias"}
    convolutions = 0
    for place in (layer.name for layer in config.style_layers):
        size, which = place.split(".")
        level = int(size).bit_length() - 4  # of 8 pixels: 0
        if which == "rgb":
            name = "to_rgb1" if level < 0 else f"to_rgbs.{level}"
        else:
            name = "conv1" if level < 0 else f"convs.{2 * level + int(which[-1])}"
        for ours, theirs in parts.items():
            value = state.get(f"blocks.{place}.{ours}")
            if value is None:
                continue
            if which == "rgb" and ours == "bias":
                out[f"{name}.bias"] = value[None, :, None, None]
            else:
                has_one_more = ours in ("weight", "noise_strength")
                out[f"{name}.{theirs}"] = value[None] if has_one_more else value
        if which == "rgb" and level >= 0:
            out[f"{name}.upsample.kernel"] = low_pass(made.w_avg, 4.0)
        if which == "conv0":
            out[f"{name}.conv.blur.kernel"] = low_pass(made.w_avg, 4.0)
        if which != "rgb":
            out[f"noises.noise_{convolutions}"] = state[f"blocks.{place}.noise"][None, None]
            convolutions += 1
    plain = {name: value.float().cpu().contiguous() for name, value in out.items()}
    return {"g_ema": plain, "latent_avg": state["w_avg"].float().cpu()}


_ROSINALITY = {
    "conv.weight": "weight", "conv.modulation.weight": "style.weight",
    "conv.modulation.bias": "style.bias", "noise.weight": "noise_strength",
    "activate.bias": "bias", "bias": "bias",
}  # fmt: skip


def _convolution(index: int) -> str:
    """ "4.conv1", "8.conv0", "8.conv1", "16.conv0", …"""
    return "4.conv1" if index == 0 else f"{8 << (index - 1) // 2}.conv{(index - 1) % 2}"


def nvidia_name(name: str) -> str | None:
    """Limner's name for one of NVIDIA's, in PyTorch."""
    if name == "mapping.w_avg":
        return "w_avg"
    if re.fullmatch(r"mapping\.embed\.(weight|bias)", name):
        return name
    if match := re.fullmatch(r"mapping\.fc(\d{1,2})\.(weight|bias)", name):
        return f"mapping.layers.{match[1]}.{match[2]}"
    if name == "synthesis.b4.const":
        return "constant"
    match = re.fullmatch(r"synthesis\.b(\d{1,5})\.(conv0|conv1|torgb)\.([\w.]+)", name)
    if match is None or match[3] not in _NVIDIA:
        return None
    layer = match[2].replace("torgb", "rgb")
    return f"blocks.{match[1]}.{layer}.{_NVIDIA[match[3]]}"


_NVIDIA = {
    "weight": "weight", "bias": "bias", "affine.weight": "style.weight",
    "affine.bias": "style.bias", "noise_strength": "noise_strength", "noise_const": "noise",
}  # fmt: skip


def tensorflow_name(name: str) -> str | None:
    """Limner's name for one of NVIDIA's, in TensorFlow."""
    if name in ("dlatent_avg", "synthesis/4x4/Const/const"):
        return "w_avg" if name == "dlatent_avg" else "constant"
    if match := re.fullmatch(r"mapping/Dense(\d{1,2})/(weight|bias)", name):
        return f"mapping.layers.{match[1]}.{match[2]}"
    if match := re.fullmatch(r"mapping/LabelEmbed/(weight|bias)", name):
        return f"mapping.embed.{match[1]}"
    if match := re.fullmatch(r"synthesis/noise(\d{1,2})", name):
        return f"blocks.{_convolution(int(match[1]))}.noise"
    match = re.fullmatch(r"synthesis/(\d{1,5})x\1/(Conv|Conv0_up|Conv1|ToRGB)/(\w+)", name)
    if match is None or match[3] not in _TENSORFLOW:
        return None
    return f"blocks.{match[1]}.{_TENSORFLOW_LAYERS[match[2]]}.{_TENSORFLOW[match[3]]}"


_TENSORFLOW_LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "rgb"}
_TENSORFLOW = {
    "weight": "weight", "bias": "bias", "mod_weight": "style.weight", "mod_bias": "style.bias",
    "noise_strength": "noise_strength",
}  # fmt: skip


def from_tensorflow(table: Mapping[str, Any], clamp: float | None, rate: float) -> Found:
    """TensorFlow's variables by name, with the components' names before them."""
    kept = {k: v for k, v in table.items() if k.rpartition("/")[2] not in ("lod", "lod_in")}
    state = {}
    for name, value in _renamed(kept, tensorflow_name).items():
        if name.endswith("style.bias"):
            value = value + 1
        elif name.endswith("weight"):
            value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T
        if name.endswith("conv0.weight"):
            value = value.flip(2, 3)
        state[name] = value
    return generator(state, "stylegan2 (TensorFlow)", clamp, rate)


def from_nvidia(table: Mapping[str, Any], clamp: float | None, rate: float) -> Found:
    """NVIDIA's parameters and buffers by name, "synthesis.b4.const"."""
    return generator(_renamed(table, nvidia_name), "stylegan2-ada-pytorch", clamp, rate)


def _renamed(table: Mapping[str, Any], rename: Rename) -> dict[str, Tensor]:
    """Tensors by Limner's names; the low-pass filters are looked at and left out.

    Raises:
        LimnerError: UNKNOWN_MODEL for a name that no StyleGAN2 has, or for another filter.
    """
    names = {}
    filters = {}
    for name, value in table.items():
        if name.endswith((".kernel", "resample_filter")):
            filters[name] = value
        elif (ours := rename(name)) is not None:
            names[ours] = value
        else:
            raise other(STYLEGAN2, f"it has no {name[:80]}")
    for name, value in tensors(filters).items():
        _check_filter(name, value)
    return tensors(names)


def _check_filter(name: str, value: Tensor) -> None:
    flat = value.double()
    known = low_pass(flat)
    if flat.ndim == 1:
        flat, known = flat / flat.sum(), known.sum(0)
    elif flat.numel():
        flat = flat / flat.sum()
    if flat.shape != known.shape or not torch.allclose(flat, known, atol=1e-4):
        raise other(STYLEGAN2, f"{name} is another filter than [1, 3, 3, 1]")


def generator(
    state: Mapping[str, Tensor],
    source: str,
    clamp: float | None = None,
    rate: float = 0.01,
) -> Found:
    """A generator's tensors by Limner's names, but for empty dimensions, and what tells its config.

    Without a mean of W it is computed; without noise it gets new.
    """
    state = {name: _squeezed(name, value) for name, value in state.items()}
    config = config_of(state, clamp, rate)
    with torch.device("meta"):
        empty = Generator(config)
    random = torch.Generator().manual_seed(0)
    for name, value in empty.state_dict().items():
        if name.endswith(".noise") and name not in state:
            state[name] = torch.randn(value.shape, generator=random)
    had_mean = "w_avg" in state
    state.setdefault("w_avg", torch.zeros(config.w_dim))
    kept = checked(empty, state, STYLEGAN2)
    if not had_mean:
        made = Generator(config)
        made.load_state_dict(kept)
        kept["w_avg"] = _mean(made, random)
    return Found("generator", config.to_json(), kept, _facts(config, source))


def _mean(made: Generator, random: torch.Generator) -> Tensor:
    """For those with labels, over labels of one class each, as they are trained."""
    if not (classes := made.config.c_dim):
        return made.mean_w(MEAN_OF, random)
    each = torch.eye(classes)
    means = [made.mean_w(max(MEAN_OF // classes, 1), random, label[None]) for label in each]
    return torch.stack(means).mean(0)


def _facts(config: Config, source: str) -> dict[str, Any]:
    return {
        "format": source,
        "note": f"StyleGAN2, {config.size} px, {max(config.channels)} to {config.channels[-1]} "
        f"channels, {config.mapping_layers} mapping layers"
        + (f", labels of {config.c_dim}" if config.c_dim else ""),
    }


def _squeezed(name: str, value: Tensor) -> Tensor:
    """Without the dimensions of length 1 that others keep."""
    last = name.rpartition(".")[2]
    wanted = {"constant": 3, "noise": 2, "noise_strength": 0, "bias": 1, "w_avg": 1}.get(last)
    if last == "weight":
        wanted = 4 if re.fullmatch(r"blocks\.\d+\.\w+\.weight", name) else 2
    while wanted is not None and value.ndim > wanted and 1 in value.shape:
        value = value.squeeze(value.shape.index(1))
    return value


def config_of(state: Mapping[str, Tensor], clamp: float | None, rate: float) -> Config:
    """What the shapes tell.

    Raises:
        LimnerError: UNKNOWN_MODEL if they tell no generator.
    """
    try:
        sizes = sorted({int(n.split(".")[1]) for n in state if n.startswith("blocks.")})
        if not sizes or sizes[0] != 4 or any(2 * a != b for a, b in pairwise(sizes)):
            raise other(STYLEGAN2, f"its resolutions are {sizes}")
        layers = {n.split(".")[2] for n in state if n.startswith("mapping.layers.")}
        w_dim = state["blocks.4.conv1.style.weight"].shape[1]
        embed = state.get("mapping.embed.weight")
        return Config(
            size=sizes[-1],
            channels=tuple(state[f"blocks.{n}.conv1.weight"].shape[0] for n in sizes),
            z_dim=state["mapping.layers.0.weight"].shape[1] - (0 if embed is None else w_dim),
            w_dim=w_dim,
            c_dim=0 if embed is None else embed.shape[1],
            mapping_layers=len(layers),
            mapping_rate=rate,
            conv_clamp=clamp,
        )
    except KeyError as problem:
        raise other(STYLEGAN2, f"{problem.args[0]} is missing") from problem
    except IndexError as problem:
        raise other(STYLEGAN2, "a weight has too few dimensions") from problem
    except LimnerError as problem:
        raise other(STYLEGAN2, problem.message.rstrip(".")) from problem
