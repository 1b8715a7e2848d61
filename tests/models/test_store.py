"""Models coming onto the machine: from a folder, from a weights file, and over a real hub client.

The hub is a small HTTP server of the tests' own (`hub_server`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import open_clip
import pytest
import torch
from hub_server import pulled, serving
from safetensors.torch import save_file

from limner.models import catalog, clip, store
from limner.models.catalog import STARTER_FOLDER
from limner.models.loading import read_weights
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_a_folder_is_added_and_drawn_with(own_folder: Path) -> None:
    folder = store.add(STARTER_FOLDER, "mine", None)
    assert folder == own_folder / "mine"
    card = json.loads((folder / "card.json").read_text())
    assert card["sha256"] == sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    loaded = clip.load(["mine@2"], CPU)[0]
    assert loaded.weight == 2 and loaded.clip.name == "mine"
    own, starter = (m.clip.encode_text(["a cat"]) for m in (loaded, clip.load(["starter"])[0]))
    assert torch.equal(own, starter)
    assert loaded.clip.recipe == card["recipe"] != {}
    assert loaded.clip.unknown_words("a red qwertz") == ["qwertz"]


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_a_weights_file_is_added_with_its_architecture(tmp_path: Path, kind: str) -> None:
    """A real open_clip architecture, the smallest it knows, with random weights."""
    arch = "ViT-S-32-alt"
    network = open_clip.create_model(arch, pretrained=None)
    path = tmp_path / "weights.bin"
    state = {k: v.contiguous() for k, v in network.state_dict().items()}
    if kind == "torch":
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    else:
        save_file(state, path)
    store.add(path, "small", arch)
    loaded = clip.load(["small"], CPU)[0].clip
    assert loaded.size_px == 224
    picture = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    network.eval()
    normal = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**network.visual.preprocess_cfg), is_train=False
    ).transforms[-1]
    with torch.no_grad():
        expected = network.encode_image(normal(picture), normalize=True)
        torch.testing.assert_close(loaded.encode_image(picture), expected, atol=1e-5, rtol=0)


def test_weights_of_another_network_are_refused_and_leave_nothing(
    tmp_path: Path, own_folder: Path
) -> None:
    save_file({"x": torch.ones(2)}, tmp_path / "w.safetensors")
    with pytest.raises(LimnerError, match="not the weights of that network") as caught:
        store.add(tmp_path / "w.safetensors", "wrong", "ViT-S-32-alt")
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "starter", "x" * 99])
def test_names_that_could_lie_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(LimnerError, match="can't be a model's name"):
        store.keep(name, {}, STARTER_FOLDER / "model.safetensors", {})


def test_a_name_is_not_taken_twice() -> None:
    store.add(STARTER_FOLDER, "mine", None)
    with pytest.raises(LimnerError, match="already"):
        store.add(STARTER_FOLDER, "mine", None)


def test_the_best_model_on_the_machine_is_the_default(own_folder: Path) -> None:
    assert catalog.find(None).name == "starter"
    shutil.copytree(STARTER_FOLDER, own_folder / "FARE2-ViT-L-14")
    assert catalog.find(None).name == "FARE2-ViT-L-14"


@pytest.fixture
def hub() -> Iterator[str]:
    files = {
        "open_clip_config.json": (STARTER_FOLDER / "open_clip_config.json").read_bytes(),
        "open_clip_model.safetensors": (STARTER_FOLDER / "model.safetensors").read_bytes(),
    }
    with serving({"test/tiny": files}) as endpoint:
        yield endpoint


def test_a_model_is_fetched_when_asked_for(hub: str, tmp_path: Path, own_folder: Path) -> None:
    done = pulled("hf-hub:test/tiny", hub, tmp_path / "hf")
    assert done.returncode == 0, done.stderr
    assert "licence" in done.stderr
    starter = read_weights(STARTER_FOLDER / "model.safetensors")
    fetched = read_weights(own_folder / "tiny" / "model.safetensors")
    assert all(torch.equal(fetched[k], v) for k, v in starter.items())
    assert json.loads((own_folder / "tiny" / "card.json").read_text())["repository"] == "test/tiny"


def test_what_can_t_be_fetched_is_one_line(hub: str, tmp_path: Path, own_folder: Path) -> None:
    done = pulled("hf-hub:test/other", hub, tmp_path / "hf")
    assert done.returncode == 2
    assert "can't be fetched" in done.stderr.splitlines()[-1]
    assert not own_folder.exists()
