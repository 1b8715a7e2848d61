"""VGG16 from files in the formats in which it is published, at a small size."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.vgg import make_layers

from limner.cli.app import run
from limner.models import catalog, features, store
from limner.models.vgg import CAPTURED, Vgg16Features
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")
LAYOUT = [4, 4, "M", 6, 6, "M", 8, 8, 8, "M", 10, 10, 10, "M", 12, 12, 12, "M"]  # torchvision's "D"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    features.load.cache_clear()


def theirs() -> nn.Sequential:
    """torchvision's own layers, narrow."""
    torch.manual_seed(0)
    return make_layers(LAYOUT)  # type: ignore[arg-type]


def published(layers: nn.Sequential) -> dict[str, Tensor]:
    """The state as it is published: with the classifier."""
    state = {f"features.{name}": value for name, value in layers.state_dict().items()}
    for k, (rows, columns) in {0: (5, 7), 3: (5, 5), 6: (3, 5)}.items():
        state[f"classifier.{k}.weight"] = torch.randn(rows, columns)
        state[f"classifier.{k}.bias"] = torch.randn(rows)
    return {name: value.contiguous() for name, value in state.items()}


def written(path: Path, kind: str, state: dict[str, Tensor]) -> Path:
    """`state` as a file: as vgg16-397923af.pth is, as newer archives are, or as safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    return path


@pytest.mark.parametrize("kind", ["before zip", "zip", "safetensors"])
def test_published_weights_see_what_torchvisions_layers_see(tmp_path: Path, kind: str) -> None:
    layers = theirs()
    eye = Vgg16Features(CPU, written(tmp_path / "vgg16-397923af.pth", kind, published(layers)))
    picture = torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(1))
    maps = eye.maps(picture)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((picture - mean[:, None, None]) / std[:, None, None])[None]
    assert torch.equal(maps[0], x)
    expected = []
    with torch.no_grad():
        for index, layer in enumerate(layers):
            x = layer(x)
            if index in CAPTURED:
                expected.append(x.clone())  # the next layer may work in place
    assert len(maps) == 1 + len(CAPTURED) == 10
    for got, wanted in zip(maps[1:], expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=0)
    assert sum(m.shape[1] for m in maps) == 3 + 2 * 4 + 2 * 6 + 3 * 8 + 10 + 12


def test_the_picture_has_a_gradient_and_the_network_none(tmp_path: Path) -> None:
    eye = Vgg16Features(CPU, written(tmp_path / "w", "zip", published(theirs())))
    picture = torch.rand(3, 32, 32, requires_grad=True)
    eye.maps(picture)[-1].sum().backward()
    assert picture.grad is not None and float(picture.grad.abs().sum()) > 0
    assert not any(p.requires_grad for p in eye._network.parameters())


@pytest.mark.parametrize("change", ["missing", "more", "vgg19", "shape", "other"])
def test_other_weights_are_refused_in_words(tmp_path: Path, change: str) -> None:
    state = published(theirs())
    match change:
        case "missing":
            del state["features.17.bias"]
        case "more":
            state["extra.weight"] = torch.ones(2)
        case "vgg19":
            state["features.34.weight"] = torch.ones(4, 4, 3, 3)
        case "shape":
            state["features.5.weight"] = torch.ones(6, 5, 3, 3)
        case "other":
            state = {"weight": torch.ones(2)}
    path = written(tmp_path / "w.pth", "before zip", state)
    with pytest.raises(LimnerError, match="not the weights of VGG16") as caught:
        store.add(path, None, "vgg16")
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL
    assert list((tmp_path / "models").iterdir()) == []


def test_without_vgg16_the_starter_looks_and_with_it_vgg16_does(tmp_path: Path) -> None:
    assert features.load("best", CPU).name == "the starter's image tower"
    with pytest.raises(LimnerError, match="limner models pull vgg16"):
        features.load("vgg16", CPU)
    features.load.cache_clear()
    folder = store.add(
        written(tmp_path / "vgg16-397923af.pth", "before zip", published(theirs())), None, "vgg16"
    )
    card = json.loads((folder / "card.json").read_text())
    assert card["licence"] == "BSD-3-Clause" and card["added"] == "vgg16-397923af.pth"
    assert not any("classifier" in k for k in store.read_weights(folder / "model.safetensors"))
    assert features.load("best", CPU).name == "VGG16"
    assert features.load("starter", CPU).name == "the starter's image tower"
    assert all(m.name != "vgg16" for m in catalog.installed()), "it is no CLIP to draw with"
    with pytest.raises(LimnerError, match="already"):
        store.add(tmp_path / "vgg16-397923af.pth", None, "vgg16")


def test_what_torchvision_fetched_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "torch" / "hub" / "checkpoints" / "vgg16-397923af.pth"
    written(path, "before zip", published(theirs()))
    assert catalog.vgg16() == path
    assert run(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["vgg16"]["here"] is True and rows["starter"]["here"] is True


def test_the_starters_tower_is_looked_into_at_any_size() -> None:
    eye = features.StarterFeatures(CPU)
    for size in ((128, 128), (16, 200), (97, 64)):
        picture = torch.rand(3, *size, requires_grad=True)
        maps = eye.maps(picture)
        assert sum(m.shape[1] for m in maps) == 515
        assert all(a.shape[2] >= b.shape[2] >= 1 for a, b in pairwise(maps))
        maps[-1].sum().backward()
        assert picture.grad is not None and bool(picture.grad.isfinite().all())


def test_the_last_layer_that_is_looked_at_is_what_the_tower_goes_on_with() -> None:
    eye = features.StarterFeatures(CPU)
    tower = eye._clip._network.visual.trunk
    picture = torch.rand(3, 64, 64)
    last = eye.maps(picture)[-1]
    inputs = ((picture - eye._clip._mean) / eye._clip._std)[None]
    with torch.no_grad():
        expected = tower.blocks[:2](tower.stem(inputs))
    torch.testing.assert_close(last, expected, atol=1e-5, rtol=0)
