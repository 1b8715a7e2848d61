"""Checkpoints as other projects write them, made here with small random weights.

Nothing of theirs is used: the formats are written down in this file, by the same calls (torch.save,
pickle.dump) on objects of the same names and shapes. `expected` is what the plain reference makes
of the same numbers.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import stylegan2_reference as reference
import torch
from torch import Tensor, nn

FILTER = torch.outer(*[torch.tensor([1.0, 3.0, 3.0, 1.0])] * 2) / 64
WIDTHS = (7, 6, 5, 4)


class Weights:
    """The numbers of a small generator, in no project's layout.

    weight (O, I, K, K) as PyTorch's projects have them: correlated where the size stays, convolved
    where it doubles.
    """

    def __init__(
        self, size: int = 16, w_dim: int = 6, z_dim: int = 5, depth: int = 3, c_dim: int = 0
    ) -> None:
        self.size, self.w_dim, self.z_dim, self.depth, self.c_dim = size, w_dim, z_dim, depth, c_dim
        self.sizes = [2**k for k in range(2, size.bit_length())]
        self.random = np.random.default_rng(size + depth)
        inputs = [z_dim + (w_dim if c_dim else 0)] + [w_dim] * (depth - 1)
        self.mapping = [(self.draw(w_dim, n) * 100, self.draw(w_dim) * 50) for n in inputs]
        self.embed = (self.draw(w_dim, c_dim), self.draw(w_dim)) if c_dim else None
        self.w_avg = self.draw(w_dim)
        self.constant = self.draw(WIDTHS[0], 4, 4)
        self.layers: dict[str, reference.Layer] = {}
        before = 0
        for n, width in zip(self.sizes, WIDTHS, strict=False):
            if n > 4:
                self.layers[f"{n}.conv0"] = self.layer(width, before, 3, n)
            self.layers[f"{n}.conv1"] = self.layer(width, width, 3, n)
            self.layers[f"{n}.rgb"] = self.layer(3, width, 1, None)
            before = width

    def draw(self, *shape: int) -> reference.Array:
        return self.random.standard_normal(shape).astype(np.float32).astype(np.float64)

    def layer(self, outputs: int, inputs: int, taps: int, size: int | None) -> reference.Layer:
        weight, bias = self.draw(outputs, inputs, taps, taps), self.draw(outputs)
        affine, affine_bias = self.draw(inputs, self.w_dim), 1 + self.draw(inputs)
        if size is None:
            return reference.Layer(weight, bias, affine, affine_bias)
        return reference.Layer(
            weight, bias, affine, affine_bias, self.draw(size, size), float(self.draw(1)[0])
        )

    def expected(self, w_plus: Tensor, clamp: float = np.inf) -> Tensor:
        """(B, 3, size, size), by the plain reference."""
        pictures = [
            reference.rendered(
                self.size, self.constant, self.layers.__getitem__,
                lambda latent, layer, one=one: reference.styled(layer, one[latent]), clamp=clamp,
            )
            for one in w_plus.double().numpy()
        ]  # fmt: skip
        return torch.tensor(np.stack(pictures))

    def mapped(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """(B, w_dim), by the plain reference."""
        rows = []
        for k, one in enumerate(z.double().numpy()):
            start = reference.normalized(one)
            if self.embed is not None and c is not None:
                label = self.embed[0] @ c[k].double().numpy() / self.c_dim**0.5 + self.embed[1]
                start = np.concatenate([start, reference.normalized(label)])
            # the first layer normalises what it gets, which has unit length already
            rows.append(reference.mapped(start, self.mapping))
        return torch.tensor(np.stack(rows))


def f32(values: Any) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)


# --- rosinality's stylegan2-pytorch ---------------------------------------------------------------


def rosinality_state(weights: Weights) -> dict[str, Tensor]:
    """`g_ema.state_dict()`."""
    state = {"input.input": f32(weights.constant)[None]}
    for k, (weight, bias) in enumerate(weights.mapping):
        state |= {f"style.{k + 1}.weight": f32(weight), f"style.{k + 1}.bias": f32(bias)}
    convolutions = 0
    for name, layer in weights.layers.items():
        size, which = name.split(".")
        j = weights.sizes.index(int(size)) - 1
        if which == "rgb":
            place = "to_rgb1" if size == "4" else f"to_rgbs.{j}"
            state[f"{place}.bias"] = f32(layer.bias)[None, :, None, None]
            if size != "4":
                state[f"{place}.upsample.kernel"] = FILTER * 4
        else:
            place = "conv1" if size == "4" else f"convs.{2 * j + int(which[-1])}"
            state[f"{place}.noise.weight"] = f32([layer.noise_strength])
            state[f"{place}.activate.bias"] = f32(layer.bias)
            state[f"noises.noise_{convolutions}"] = f32(layer.noise)[None, None]
            convolutions += 1
            if which == "conv0":
                state[f"{place}.conv.blur.kernel"] = FILTER * 4
        state[f"{place}.conv.weight"] = f32(layer.weight)[None]
        state[f"{place}.conv.modulation.weight"] = f32(layer.affine)
        state[f"{place}.conv.modulation.bias"] = f32(layer.affine_bias)
    return OrderedDict(state)


# --- NVIDIA's PyTorch projects --------------------------------------------------------------------


class EasyDict(dict[str, Any]):
    """As in dnnlib.util: a table whose items are attributes too."""


class Persistent(nn.Module):
    """A module that pickles as NVIDIA's do: with its class's source code."""

    source = "raise SystemExit('this source code must not run')"

    def __init__(self, parts: dict[str, nn.Module] | None = None, **attributes: Any) -> None:
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)
        for name, part in (parts or {}).items():
            self.add_module(name, part)

    def __reduce__(self) -> tuple[Any, ...]:
        meta = EasyDict(
            type="class", version=6, module_src=self.source, class_name="Generator",
            state=self.__dict__,
        )  # fmt: skip
        return (sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,), None)


def _reconstruct_persistent_obj(meta: Any) -> None:
    raise AssertionError("the file was unpickled")


class Network:
    """As in dnnlib.tflib.network."""

    def __init__(self, **state: Any) -> None:
        self.state = state

    def __getstate__(self) -> dict[str, Any]:
        return self.state

    def __setstate__(self, state: Any) -> None:
        raise AssertionError("the file was unpickled")


@contextmanager
def their_modules() -> Iterator[None]:
    """Modules of the names that NVIDIA's pickles mention, while one is written."""
    members = {
        "torch_utils": {}, "dnnlib": {}, "dnnlib.tflib": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
        "dnnlib.util": {"EasyDict": EasyDict}, "dnnlib.tflib.network": {"Network": Network},
    }  # fmt: skip
    homes = {value: value.__module__ for row in members.values() for value in row.values()}
    for name, row in members.items():
        sys.modules[name] = types.ModuleType(name)
        for key, value in row.items():
            setattr(sys.modules[name], key, value)
            value.__module__ = name
    try:
        yield
    finally:
        for name in members:
            del sys.modules[name]
        for value, home in homes.items():
            value.__module__ = home


def _dense(weight: Any, bias: Any, **attributes: Any) -> Persistent:
    layer = Persistent(in_features=weight.shape[1], **attributes)
    layer.weight, layer.bias = nn.Parameter(f32(weight)), nn.Parameter(f32(bias))
    return layer


def nvidia_module(
    weights: Weights,
    clamp: float | None = None,
    architecture: str = "skip",
    use_noise: bool = True,
) -> Persistent:
    """`G_ema`, a generator of stylegan2-ada-pytorch."""
    slow = {"activation": "lrelu", "weight_gain": 0.004, "bias_gain": 0.01}
    parts: dict[str, nn.Module] = {
        f"fc{k}": _dense(w, b, **slow) for k, (w, b) in enumerate(weights.mapping)
    }
    linear = {"activation": "linear", "bias_gain": 1}
    if weights.embed is not None:
        parts["embed"] = _dense(*weights.embed, **linear)
    mapping = Persistent(parts, z_dim=weights.z_dim, num_ws=2 * len(weights.sizes))
    mapping.register_buffer("w_avg", f32(weights.w_avg))
    blocks: dict[str, nn.Module] = {}
    for name, numbers in weights.layers.items():
        size, which = name.split(".")
        kind = {"activation": "linear"} if which == "rgb" else {"activation": "lrelu"}
        layer = _dense(numbers.weight, numbers.bias, **kind)
        layer.conv_clamp, layer.use_noise = clamp, use_noise and which != "rgb"
        layer.add_module("affine", _dense(numbers.affine, numbers.affine_bias, **linear))
        if which != "rgb":
            layer.register_buffer("resample_filter", FILTER.clone())
            if use_noise:
                layer.register_buffer("noise_const", f32(numbers.noise))
                layer.noise_strength = nn.Parameter(f32(numbers.noise_strength))
        block = blocks.setdefault(
            f"b{size}", Persistent(architecture=architecture, img_channels=3, use_fp16=False)
        )
        block.register_buffer("resample_filter", FILTER.clone())
        block.add_module(which.replace("rgb", "torgb"), layer)
    blocks["b4"].register_parameter("const", nn.Parameter(f32(weights.constant)))
    synthesis = Persistent(blocks, img_resolution=weights.size, img_channels=3)
    whole = Persistent({"synthesis": synthesis, "mapping": mapping}, c_dim=weights.c_dim)
    whole._init_kwargs = EasyDict(z_dim=weights.z_dim, synthesis_kwargs=EasyDict())
    return whole.eval().requires_grad_(False)


def write_nvidia(path: Path, module: Persistent, protocol: int = 4) -> Path:
    """A network snapshot."""
    with their_modules():
        content = {
            "G": None, "D": None, "G_ema": module, "augment_pipe": None,
            "training_set_kwargs": EasyDict(class_name="training.dataset", resolution=16),
        }  # fmt: skip
        path.write_bytes(pickle.dumps(content, protocol))
    return path


def write_pti(path: Path, module: Persistent) -> Path:
    """PTI's `model_*.pt`."""
    with their_modules():
        torch.save(module, path)
    return path


# --- NVIDIA's TensorFlow projects -----------------------------------------------------------------


def tensorflow_networks(weights: Weights, **settings: Any) -> tuple[Network, Network, Network]:
    """G, D, Gs. Kernels (K, K, I, O), those that enlarge turned round; styles' biases less 1."""
    mapping: list[tuple[str, Any]] = []
    for k, (weight, bias) in enumerate(weights.mapping):
        mapping += [(f"Dense{k}/weight", weight.T), (f"Dense{k}/bias", bias)]
    if weights.embed is not None:
        mapping += [
            ("LabelEmbed/weight", weights.embed[0].T),
            ("LabelEmbed/bias", weights.embed[1]),
        ]
    synthesis: list[tuple[str, Any]] = [("4x4/Const/const", weights.constant[None])]
    noises = 0
    for name, layer in weights.layers.items():
        size, which = name.split(".")
        theirs = {"conv0": "Conv0_up", "conv1": "Conv1", "rgb": "ToRGB"}[which]
        place = f"{size}x{size}/{'Conv' if (size, which) == ('4', 'conv1') else theirs}"
        kernel = layer.weight[:, :, ::-1, ::-1] if which == "conv0" else layer.weight
        synthesis += [
            (f"{place}/weight", kernel.transpose(2, 3, 1, 0)), (f"{place}/bias", layer.bias),
            (f"{place}/mod_weight", layer.affine.T), (f"{place}/mod_bias", layer.affine_bias - 1),
        ]  # fmt: skip
        if layer.noise is not None:
            synthesis.append((f"{place}/noise_strength", layer.noise_strength))
            synthesis.append((f"noise{noises}", layer.noise[None, None]))
            noises += 1
    shared = {"version": 4, "build_module_src": "raise SystemExit", "build_func_name": "G_main"}

    def network(rows: list[tuple[str, Any]], **state: Any) -> Network:
        arrays = [(name, np.array(value, np.float32)) for name, value in rows]
        kwargs = EasyDict(func_name="G_main", resolution=weights.size, num_channels=3, **settings)
        empty: dict[str, Any] = {"components": EasyDict(), "static_kwargs": kwargs}
        return Network(**shared, **(empty | state), variables=arrays)

    components = EasyDict(synthesis=network(synthesis), mapping=network(mapping))
    whole = network([("lod", 0.0), ("dlatent_avg", weights.w_avg)], components=components)
    return network([]), network([]), whole


def write_tensorflow(path: Path, networks: tuple[Network, ...], protocol: int = 3) -> Path:
    """A network pickle as numpy 1 wrote them."""
    with their_modules():
        data = pickle.dumps(networks, protocol)
    if protocol <= 3:  # names lie there as lines of text
        data = data.replace(b"numpy._core.", b"numpy.core.")
    path.write_bytes(data)
    return path
