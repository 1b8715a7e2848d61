"""IR-SE50, e4e and pSp: small ones in their real formats, against a plain reading of the papers.

The reference walks the published names with torch.nn.functional, in float64.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import checkpoint_files as files
import pytest
import torch
import torch.nn.functional as F
from checkpoint_files import Weights
from torch import Tensor

from limner.models import arcface, encoders, networks, store, stylegan2
from limner_wire.errors import ErrorCode, LimnerError

WIDTHS, UNITS = (4, 4, 6, 8, 16), (2, 1, 3, 1)
State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def norm(name: str, width: int) -> State:
    """A trained batch normalisation."""
    return {
        f"{name}.weight": torch.rand(width) + 0.5, f"{name}.bias": torch.randn(width) / 4,
        f"{name}.running_mean": torch.randn(width) / 4,
        f"{name}.running_var": torch.rand(width) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(9),
    }  # fmt: skip


def kernel(outputs: int, inputs: int, taps: int) -> Tensor:
    return torch.randn(outputs, inputs, taps, taps) / (inputs * taps * taps) ** 0.5


def body_state() -> State:
    """`input_layer.*` and `body.*`, by the published names."""
    torch.manual_seed(0)
    state = {"input_layer.0.weight": kernel(WIDTHS[0], 3, 3), **norm("input_layer.1", WIDTHS[0])}
    state["input_layer.2.weight"] = torch.rand(WIDTHS[0]) / 2
    k = 0
    for stage, count in enumerate(UNITS):
        for unit in range(count):
            inputs, outputs = WIDTHS[stage + (unit > 0)], WIDTHS[stage + 1]
            res = f"body.{k}.res_layer"
            if inputs != outputs:
                state[f"body.{k}.shortcut_layer.0.weight"] = kernel(outputs, inputs, 1)
                state |= norm(f"body.{k}.shortcut_layer.1", outputs)
            state |= norm(f"{res}.0", inputs) | norm(f"{res}.4", outputs)
            state[f"{res}.1.weight"] = kernel(outputs, inputs, 3)
            state[f"{res}.2.weight"] = torch.rand(outputs) / 2
            state[f"{res}.3.weight"] = kernel(outputs, outputs, 3)
            state[f"{res}.5.fc1.weight"] = kernel(max(1, outputs // 16), outputs, 1)
            state[f"{res}.5.fc2.weight"] = kernel(outputs, max(1, outputs // 16), 1)
            k += 1
    return state


def normalized(x: Tensor, state: State, name: str) -> Tensor:
    mean, var, weight, bias = (
        state[f"{name}.{part}"].view(1, -1, *[1] * (x.ndim - 2))
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def seen_by_body(x: Tensor, state: State) -> list[Tensor]:
    """What each unit puts out."""
    x = F.conv2d(x, state["input_layer.0.weight"], padding=1)
    x = F.prelu(normalized(x, state, "input_layer.1"), state["input_layer.2.weight"])
    out, k = [], 0
    for count in UNITS:
        for unit in range(count):
            stride, res = 1 if unit else 2, f"body.{k}.res_layer"
            if f"body.{k}.shortcut_layer.0.weight" in state:
                short = F.conv2d(x, state[f"body.{k}.shortcut_layer.0.weight"], stride=stride)
                short = normalized(short, state, f"body.{k}.shortcut_layer.1")
            else:
                short = x[:, :, ::stride, ::stride]
            y = F.conv2d(normalized(x, state, f"{res}.0"), state[f"{res}.1.weight"], padding=1)
            y = F.prelu(y, state[f"{res}.2.weight"])
            y = F.conv2d(y, state[f"{res}.3.weight"], padding=1, stride=stride)
            y = normalized(y, state, f"{res}.4")
            squeezed = F.conv2d(y.mean((2, 3), keepdim=True), state[f"{res}.5.fc1.weight"]).relu()
            x = short + y * F.conv2d(squeezed, state[f"{res}.5.fc2.weight"]).sigmoid()
            out.append(x)
            k += 1
    return out


# --- identity ---


def arcface_state(side: int = 2, dimensions: int = 5) -> State:
    state = body_state() | norm("output_layer.0", WIDTHS[-1])
    state["output_layer.3.weight"] = torch.randn(dimensions, WIDTHS[-1] * side * side) / 8
    state["output_layer.3.bias"] = torch.randn(dimensions)
    return state | norm("output_layer.4", dimensions)


@pytest.mark.parametrize("old", [False, True])
def test_ir_se_gives_the_unit_vectors_that_the_plain_reference_gives(
    tmp_path: Path, old: bool
) -> None:
    state = arcface_state()
    torch.save(state, tmp_path / "face.pth", _use_new_zipfile_serialization=not old)
    store.add(tmp_path / "face.pth", None, None)
    network = arcface.load("face")
    assert network.config == arcface.Config(arcface.Body(WIDTHS, UNITS), 32, 5)
    faces = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    exact = {k: v.double() for k, v in state.items()}
    x = normalized(seen_by_body(faces.double(), exact)[-1], exact, "output_layer.0").flatten(1)
    x = x @ exact["output_layer.3.weight"].T + exact["output_layer.3.bias"]
    expected = F.normalize(normalized(x, exact, "output_layer.4"))
    torch.testing.assert_close(network(faces).double(), expected, atol=1e-5, rtol=0)


def test_ir_se50_has_the_397_tensors_of_the_published_file() -> None:
    with torch.device("meta"):
        names = arcface.ArcFace(arcface.Config()).state_dict()
    assert len(names) == 397
    assert arcface.body_of({k: tuple(v.shape) for k, v in names.items()}) == arcface.IR_SE50
    assert arcface.IR_SE50.ends == (2, 6, 20, 23)


@pytest.mark.parametrize("size", [256, 64, 100, 512, (300, 256)])
def test_a_portrait_is_cut_as_styleclip_cuts_it(size: Any) -> None:
    shape = size if isinstance(size, tuple) else (size, size)
    network = arcface.ArcFace(arcface.Config(arcface.Body(WIDTHS, UNITS), 112, 5)).eval()
    portrait = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0))
    seen = F.adaptive_avg_pool2d(portrait, 256)[:, :, 35:223, 32:220]
    expected = network(F.adaptive_avg_pool2d(seen, 112))
    torch.testing.assert_close(network.identify(portrait), expected, atol=1e-5, rtol=0)
    portrait.requires_grad_()
    network.identify(portrait)[0, 0].backward()
    assert portrait.grad is not None and float(portrait.grad.abs().sum()) > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"body.1.res_layer.1.weight": None}, "body.1.res_layer.1.weight is missing"),
        ({"output_layer.3.weight": torch.ones(5, 7)}, "has the shape"),
        ({"output_layer.3.weight": torch.ones(5)}, "not"),
        ({"body.2.res_layer.5.fc1.weight": torch.ones(9, 6, 1, 1)}, "has the shape"),
        ({"body.7.strange": torch.ones(1)}, "is missing"),
        ({"more": torch.ones(1)}, "it has no more"),
    ],
)
def test_other_identity_networks_are_refused(
    tmp_path: Path, change: dict[str, Tensor | None], words: str
) -> None:
    state = {k: v for k, v in {**arcface_state(), **change}.items() if v is not None}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(LimnerError, match=words) as caught:
        store.add(tmp_path / "w.pth", None, None)
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL


# --- encoders ---


def encoder_state(latents: int) -> State:
    width = WIDTHS[-1]
    state = body_state()
    for k in range(latents):
        halvings = 2 + (k >= 3) + (k >= 7)  # of 4, 8 and 16 pixels, for pictures of 64
        for j in range(halvings):
            state[f"styles.{k}.convs.{2 * j}.weight"] = kernel(width, width, 3)
            state[f"styles.{k}.convs.{2 * j}.bias"] = torch.randn(width) / 4
        state[f"styles.{k}.linear.weight"] = torch.randn(width, width)
        state[f"styles.{k}.linear.bias"] = torch.randn(width)
    for name, inputs in (("latlayer1", WIDTHS[3]), ("latlayer2", WIDTHS[2])):
        state[f"{name}.weight"] = kernel(width, inputs, 1)
        state[f"{name}.bias"] = torch.randn(width)
    return state


def encoded(pictures: Tensor, state: State, latents: int, differences: bool) -> Tensor:
    units = seen_by_body(pictures, state)
    fine, medium, coarse = (units[sum(UNITS[: k + 1]) - 1] for k in (1, 2, 3))
    maps = [coarse]
    for k, large in ((1, medium), (2, fine)):
        name = f"latlayer{k}"
        side = F.conv2d(large, state[f"{name}.weight"], state[f"{name}.bias"])
        small = F.interpolate(maps[-1], side.shape[2:], mode="bilinear", align_corners=True)
        maps.append(small + side)
    rows = []
    for k in range(latents):
        x, j = maps[(k >= 3) + (k >= 7)], 0
        while (name := f"styles.{k}.convs.{j}") + ".weight" in state:
            x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=2, padding=1)
            x, j = F.leaky_relu(x, 0.01), j + 2
        assert x.shape[2:] == (1, 1)
        weight = state[f"styles.{k}.linear.weight"]
        rows.append(x.flatten(1) @ weight.T / weight.shape[1] ** 0.5
                    + state[f"styles.{k}.linear.bias"])  # fmt: skip
    return torch.stack([rows[0], *[rows[0] * differences + r for r in rows[1:]]], 1)


@pytest.mark.parametrize("kind", ["Encoder4Editing", "GradualStyleEncoder"])
@pytest.mark.parametrize("settings", ["dict", "namespace", "none"])
def test_encoders_give_what_the_plain_reference_gives(
    tmp_path: Path, kind: str, settings: str
) -> None:
    if settings == "none" and kind != "Encoder4Editing":
        return
    latents, state = 10, encoder_state(10)
    mean = torch.randn(latents, WIDTHS[-1])
    opts: dict[str, Any] = {"encoder_type": kind, "start_from_latent_avg": True, "device": "cuda"}
    content = {"state_dict": {f"encoder.{k}": v for k, v in state.items()}, "latent_avg": mean,
               "opts": opts if settings == "dict" else argparse.Namespace(**opts)}  # fmt: skip
    if settings == "none":
        del content["opts"]
    torch.save(content, tmp_path / "e4e.pt")
    store.add(tmp_path / "e4e.pt", None, None)
    network = encoders.load("e4e")
    assert network.config.input_px == 64 and network.config.latents == latents
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    exact = {k: v.double() for k, v in state.items()}
    expected = encoded(pictures.double(), exact, latents, kind == "Encoder4Editing") + mean
    torch.testing.assert_close(network(pictures).double(), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(network.encode(pictures), network(pictures))
    larger = F.interpolate(pictures, scale_factor=2)
    torch.testing.assert_close(network.encode(larger), network(pictures), atol=1e-5, rtol=0)
    assert network.encode(pictures[:, :, ::2, ::2]).shape == (2, latents, WIDTHS[-1])


def test_the_generator_beside_an_encoder_is_added_too(tmp_path: Path) -> None:
    weights = Weights(16, w_dim=WIDTHS[-1])
    decoder = files.rosinality_state(weights)
    state = {f"encoder.{k}": v for k, v in encoder_state(6).items()}
    state |= {f"decoder.{k}": v for k, v in decoder.items()}
    mean = files.f32(weights.w_avg).repeat(6, 1)
    torch.save({"state_dict": state, "latent_avg": mean, "opts": {}}, tmp_path / "e4e_ffhq.pt")
    folder = store.add(tmp_path / "e4e_ffhq.pt", "e4e", None)
    assert networks.at(folder).card["generator"] == "e4e-generator"  # type: ignore[union-attr]
    shutil.rmtree(folder)
    with pytest.raises(LimnerError, match="'e4e-generator' already"):
        store.add(tmp_path / "e4e_ffhq.pt", "e4e", None)
    assert not folder.exists(), "both or none"
    shutil.rmtree(tmp_path / "models")
    store.add(tmp_path / "e4e_ffhq.pt", "e4e", None)
    generator = stylegan2.load("e4e-generator")
    torch.testing.assert_close(generator.w_avg, files.f32(weights.w_avg))
    w = encoders.load("e4e")(torch.zeros(1, 3, 64, 64))
    expected = weights.expected(w)
    scale = float(expected.abs().max())  # latents of a random encoder lie far out
    torch.testing.assert_close(generator(w).double(), expected, atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize(
    ("opts", "words"),
    [({"encoder_type": "BackboneEncoderUsingLastLayerIntoW"}, "only e4e's and pSp's"),
     ({"learn_in_w": True}, "only those that give W")],
)  # fmt: skip
def test_other_encoders_are_refused(tmp_path: Path, opts: dict[str, Any], words: str) -> None:
    state = {f"encoder.{k}": v for k, v in encoder_state(4).items()}
    torch.save({"state_dict": state, "opts": opts}, tmp_path / "w.pt")
    with pytest.raises(LimnerError, match=words):
        store.add(tmp_path / "w.pt", None, None)
    torch.save({"state_dict": {k: v for k, v in state.items() if "latlayer1" not in k}},
               tmp_path / "w.pt")  # fmt: skip
    with pytest.raises(LimnerError, match=r"latlayer1.\w+ is missing"):
        store.add(tmp_path / "w.pt", None, None)


@pytest.mark.parametrize(
    "config",
    [{}, {"body": 1}, {"body": {"widths": [1], "units": [1]}},
     {"body": {"widths": [4, 4], "units": [1]}, "latents": 10**9, "input_px": 10**9}],
)  # fmt: skip
def test_configs_that_tell_no_network_are_refused(config: dict[str, Any]) -> None:
    for made in (arcface.Config, encoders.Config):
        with pytest.raises(LimnerError) as caught:
            made.from_json(config)
        assert caught.value.code is ErrorCode.UNREADABLE
