"""Generators from files in the formats in which people have them.

Each is written in its real format with random weights, added, loaded, and must draw the same
pictures as the plain reference does from the same numbers.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import checkpoint_files as files
import pytest
import torch
from checkpoint_files import Weights
from safetensors.torch import load_file, save_file
from torch import Tensor

from limner.cli.app import run
from limner.models import catalog, networks, store, stylegan2
from limner.models.catalog import STARTER_FOLDER
from limner_wire.errors import ErrorCode, LimnerError

TOLERANCE = 1e-4  # float32 against float64


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def latents(weights: Weights, batch: int = 2) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(batch, 2 * len(weights.sizes), weights.w_dim, generator=random)


def added(path: Path) -> stylegan2.Generator:
    folder = store.add(path, None, None)
    assert networks.find("generator", path.stem).folder == folder
    return stylegan2.load(path.stem)


def draws_as(generator: stylegan2.Generator, weights: Weights, clamp: float = float("inf")) -> None:
    w = latents(weights)
    got, expected = generator(w).double(), weights.expected(w, clamp)
    torch.testing.assert_close(got, expected, atol=TOLERANCE, rtol=0)
    random = torch.Generator().manual_seed(1)
    z = torch.randn(2, weights.z_dim, generator=random)
    c = torch.eye(2, weights.c_dim) if weights.c_dim else None
    mapped = generator.map(z, c)[:, 0].double()
    torch.testing.assert_close(mapped, weights.mapped(z, c), atol=TOLERANCE, rtol=0)


# --- rosinality -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize(
    "kind", ["training", "converted", "code", "nada", "bare", "old", "safetensors"]
)
def test_rosinality(tmp_path: Path, kind: str, size: int) -> None:
    weights = Weights(size, depth=3 if size == 16 else 2)
    state, mean = files.rosinality_state(weights), files.f32(weights.w_avg)
    path = tmp_path / f"{kind}.pt"
    match kind:
        case "training":
            optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])
            args = argparse.Namespace(size=size, channel_multiplier=2, path="data", lr=0.002)
            torch.save({"g": state, "d": {"x": torch.ones(1)}, "g_ema": state, "args": args,
                        "g_optim": optimizer.state_dict(), "latent_avg": mean,
                        "ada_aug_p": 0.0}, path)  # fmt: skip
        case "converted" | "code":  # a file of the latter name has a folder "code", as scripts do
            torch.save({"g_ema": state, "latent_avg": mean}, path)
        case "nada":
            torch.save({"g_ema": state, "g_optim": {}}, path)
        case "bare":
            torch.save(state, path)
        case "old":
            torch.save({"g_ema": state, "latent_avg": mean}, path,
                       _use_new_zipfile_serialization=False)  # fmt: skip
        case "safetensors":
            save_file(dict(state), path)
    generator = added(path)
    draws_as(generator, weights)
    assert generator.config == stylegan2.Config(
        size, files.WIDTHS[: len(weights.sizes)], weights.z_dim, weights.w_dim, 0, weights.depth
    )
    if kind in ("training", "converted", "code", "old"):
        assert torch.equal(generator.w_avg, mean)
    else:  # computed, always the same
        assert torch.equal(generator.w_avg, generator.mean_w(4096, _seeded()))


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_without_noise_in_the_file_there_is_new_noise_always_the_same(tmp_path: Path) -> None:
    state = files.rosinality_state(Weights())
    quiet = {k: v for k, v in state.items() if not k.startswith("noises")}
    for name in ("one", "two"):
        torch.save({"g_ema": quiet}, tmp_path / f"{name}.pt")
    one, two = (added(tmp_path / f"{name}.pt") for name in ("one", "two"))
    w = latents(Weights())
    assert torch.equal(one(w), two(w))
    loud = one.convolutions()[2].noise
    assert 0.5 < float(loud.std()) < 1.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"conv1.conv.weight": None}, "blocks.4.conv1.weight is missing"),
        ({"style.2.bias": None}, "mapping.layers.1.bias is missing"),
        ({"to_rgb1.bias": torch.ones(1, 1, 1, 1)}, "has the shape"),
        ({"convs.0.conv.weight": torch.ones(1, 6, 9, 3, 3)}, "has the shape"),
        ({"input.input": torch.ones(1, 7, 4, 8)}, "has the shape"),
        ({"noises.noise_1": torch.ones(1, 1, 16, 16)}, "has the shape"),
        ({"convs.0.conv.blur.kernel": torch.ones(4, 4) / 4}, "another filter"),
        ({"convs.0.conv.blur.kernel": torch.ones(2)}, "another filter"),
        ({"convs.99.conv.weight": torch.ones(1)}, "resolutions"),
        ({"extra.weight": torch.ones(2)}, "it has no extra.weight"),
        ({"conv1.activate.bias": torch.full((7,), float("nan"))}, "not finite"),
        ({"conv1.conv.weight": torch.ones(3)}, "not"),
        ({"conv1.conv.weight": torch.ones(())}, "too few dimensions"),
        ({"style.1.weight": torch.ones(5)}, "too few dimensions"),
        ({"style.1.weight": torch.empty(6, 0)}, "a width is not"),
        ({f"to_rgbs.{k}.bias": torch.ones(1, 3, 1, 1) for k in range(20)}, "is missing"),
        ({"conv1.conv.weight": "text"}, "no array"),
    ],
)
def test_other_shapes_are_refused_in_words_and_leave_nothing(
    tmp_path: Path, own_folder: Path, change: dict[str, Any], words: str
) -> None:
    state = {k: v for k, v in {**files.rosinality_state(Weights()), **change}.items()
             if v is not None}  # fmt: skip
    torch.save({"g_ema": state}, tmp_path / "w.pt")
    with pytest.raises(LimnerError, match=words) as caught:
        store.add(tmp_path / "w.pt", None, None)
    assert caught.value.code in (ErrorCode.UNKNOWN_MODEL, ErrorCode.UNREADABLE)
    assert str(tmp_path) not in str(caught.value)
    assert not own_folder.exists() or list(own_folder.iterdir()) == []


@pytest.mark.parametrize(("size", "rate"), [(16, 0.01), (32, 1.0)])
def test_what_is_exported_is_rosinalitys(tmp_path: Path, size: int, rate: float) -> None:
    weights = Weights(size, depth=3)
    state = files.rosinality_state(weights)
    torch.save({"g_ema": state, "latent_avg": files.f32(weights.w_avg)}, tmp_path / "theirs.pt")
    made = added(tmp_path / "theirs.pt")
    made.config = replace(made.config, mapping_rate=rate)
    folder = catalog.models_folder() / "ours"
    mapping = {k: v * (0.01 / rate) if k.startswith("mapping.") else v
               for k, v in made.state_dict().items()}  # fmt: skip
    networks.leave(folder, "generator", made.config.to_json(), mapping, {}, whole=("",))
    assert run(["models", "export", "ours", str(tmp_path / "out.pt")]) == 0
    out = torch.load(tmp_path / "out.pt", weights_only=True)
    assert set(out) == {"g_ema", "latent_avg"} and set(out["g_ema"]) == set(state)
    for name, value in state.items():
        torch.testing.assert_close(out["g_ema"][name], value, msg=name)
    torch.testing.assert_close(out["latent_avg"], files.f32(weights.w_avg))
    draws_as(added(tmp_path / "out.pt"), weights)


# --- NVIDIA, PyTorch ------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nvidia_pickles_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    weights = Weights(16)
    module = files.nvidia_module(weights)
    generator = added(files.write_nvidia(tmp_path / f"net{protocol}.pkl", module, protocol))
    draws_as(generator, weights)
    assert torch.equal(generator.w_avg, files.f32(weights.w_avg))
    assert generator.config.conv_clamp is None and generator.config.mapping_rate == 0.01


def test_nvidia_with_labels_clamp_and_a_short_mapping(tmp_path: Path) -> None:
    weights = Weights(16, depth=2, c_dim=3)
    path = files.write_nvidia(tmp_path / "net.pkl", files.nvidia_module(weights, clamp=1.5))
    generator = added(path)
    assert generator.config.conv_clamp == 1.5 and generator.config.c_dim == 3
    assert generator.config.mapping_layers == 2
    draws_as(generator, weights, clamp=1.5)
    assert networks.find("generator", "net").card["note"].endswith("labels of 3")


def test_nvidia_trained_without_noise(tmp_path: Path) -> None:
    weights = Weights(8)
    module = files.nvidia_module(weights, use_noise=False)
    generator = added(files.write_nvidia(tmp_path / "net.pkl", module))
    for layer in weights.layers.values():
        layer.noise_strength = 0.0
    draws_as(generator, weights)


def test_a_whole_module_in_a_torch_archive_is_pti(tmp_path: Path) -> None:
    weights = Weights(16)
    draws_as(added(files.write_pti(tmp_path / "model_x.pt", files.nvidia_module(weights))), weights)


def test_what_nvidia_has_besides_is_refused_in_words(tmp_path: Path) -> None:
    resnet = files.nvidia_module(Weights(8), architecture="resnet")
    sg3 = files.Persistent({"synthesis": files.Persistent({"input": files.Persistent()}),
                            "mapping": files.Persistent()})  # fmt: skip
    grey = files.nvidia_module(Weights(8))
    grey.synthesis.img_channels = 1
    swish = files.nvidia_module(Weights(8))
    swish.synthesis.b4.conv1.activation = "swish"
    other = files.Persistent({"body": files.Persistent()})
    cases = {"architecture is resnet": resnet, "StyleGAN3": sg3, "1 channels": grey,
             "swish": swish, "no mapping": other}  # fmt: skip
    for words, module in cases.items():
        path = files.write_nvidia(tmp_path / "net.pkl", module)
        with pytest.raises(LimnerError, match=words) as caught:
            store.add(path, None, None)
        assert caught.value.code is ErrorCode.UNKNOWN_MODEL


# --- NVIDIA, TensorFlow ---------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("c_dim", [0, 2])
def test_tensorflow_pickles(tmp_path: Path, protocol: int, c_dim: int) -> None:
    weights = Weights(16, c_dim=c_dim)
    networks_ = files.tensorflow_networks(weights, conv_clamp=2.0 if c_dim else None)
    generator = added(files.write_tensorflow(tmp_path / "tf.pkl", networks_, protocol))
    draws_as(generator, weights, clamp=2.0 if c_dim else float("inf"))
    assert torch.equal(generator.w_avg, files.f32(weights.w_avg))


def test_other_tensorflow_networks_are_refused(tmp_path: Path) -> None:
    weights = Weights(8)
    resnet = files.tensorflow_networks(weights, architecture="resnet")
    box = files.tensorflow_networks(weights, resample_kernel=[1, 1])
    lone = (files.tensorflow_networks(weights)[0],)
    for words, networks_ in {"resnet": resnet, "filter": box, "no mapping": lone}.items():
        path = files.write_tensorflow(tmp_path / "tf.pkl", networks_)
        with pytest.raises(LimnerError, match=words):
            store.add(path, None, None)


# --- Limner's own ---------------------------------------------------------------------------------


def test_what_was_added_can_be_added_elsewhere(tmp_path: Path, own_folder: Path) -> None:
    weights = Weights(16, c_dim=2)
    module = files.nvidia_module(weights, clamp=2.0)
    first = store.add(files.write_nvidia(tmp_path / "net.pkl", module), None, None)
    second = store.add(first, "again", None)
    one, two = (load_file(folder / networks.WEIGHTS) for folder in (first, second))
    assert one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)
    assert json.loads((second / "config.json").read_text())["conv_clamp"] == 2.0
    draws_as(stylegan2.load("again"), weights, clamp=2.0)
    (second / "config.json").write_text('{"kind": "generator", "size": 1e99, "channels": [1]}')
    with pytest.raises(LimnerError, match="tells no generator"):
        store.add(second, "third", None)
    with pytest.raises(LimnerError, match="tells no generator"):
        stylegan2.load("again")
    (own_folder / "broken").mkdir()
    (own_folder / "broken" / "config.json").write_text("{")
    assert {n.name for n in networks.installed() if not n.is_starter} == {"net", "again"}


def test_the_command_adds_and_lists_with_the_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"g_ema": files.rosinality_state(Weights())}, tmp_path / "church.pt")
    assert run(["models", "add", str(tmp_path / "church.pt")]) == 0
    said = capsys.readouterr()
    assert said.out.strip().endswith("church") and "StyleGAN2, 16 px, 7 to 5 channels" in said.err
    assert run(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["church"]["kind"] == "generator" and rows["starter"]["kind"] == "clip"
    assert rows["vgg16"]["kind"] == "features"
    card = json.loads((tmp_path / "models" / "church" / "card.json").read_text())
    assert card["format"] == "rosinality" and card["added"] == "church.pt" and card["sha256"]
    assert run(["models", "list"]) == 0
    assert "generator" in capsys.readouterr().out


def test_a_name_is_taken_once_and_not_a_starters(tmp_path: Path) -> None:
    torch.save({"g_ema": files.rosinality_state(Weights(8))}, tmp_path / "w.pt")
    store.add(tmp_path / "w.pt", None, None)
    for name, words in (("w", "already"), ("clip", "can't be"), ("../up", "can't be")):
        with pytest.raises(LimnerError, match=words):
            store.add(tmp_path / "w.pt", name, None)


def test_a_clip_folder_with_a_config_of_another_program_is_a_clip(tmp_path: Path) -> None:
    shutil.copytree(STARTER_FOLDER, tmp_path / "mine")
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "clip"}')
    store.add(tmp_path / "mine", None, None)
    assert catalog.find("mine").name == "mine"
    assert all(n.name != "mine" for n in networks.installed())


def test_generators_are_found_by_name_or_told(tmp_path: Path) -> None:
    with pytest.raises(LimnerError, match="no generator 'nothing'") as caught:
        networks.find("generator", "nothing")
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL
    torch.save({"g_ema": files.rosinality_state(Weights(8))}, tmp_path / "w.pt")
    store.add(tmp_path / "w.pt", None, None)
    assert networks.find("generator").name == "w", "the user's own goes before a starter's"
    with pytest.raises(LimnerError, match=r"On this machine: w"):
        networks.find("generator", "nothing")
