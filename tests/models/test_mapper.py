"""Mappers: what they compute, and how they are kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from limner.losses.identity import Identity
from limner.models import arcface, mapper, networks
from limner.models.mapper import Mapper, Part
from limner.models.networks import leave
from limner_wire.errors import LimnerError

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path))


def config(*parts: str, **rest: object) -> dict[str, object]:
    space = "s" if parts[0].startswith("style.") else "w_plus"
    return {"space": space, "parts": parts, "rate": 0.01, "step": 0.1, **rest}


@pytest.mark.parametrize(("normalizes", "axis"), [("layers", 1), ("channels", -1)])
def test_a_part_by_hand(normalizes: str, axis: int) -> None:
    """Four layers of `leaky(x W^T / sqrt(n) rate + b rate) * sqrt 2`, behind the normalisation
    across rows, as the published ones for W+ have it, or channels."""
    made = Mapper(config("all", normalizes=normalizes), studios.CONFIG)
    part = made.parts["all"]
    assert isinstance(part, Part) and part.axis == axis
    for layer in part.layers:
        torch.nn.init.normal_(layer.bias)
    w = torch.randn(2, 6, 16)
    x = w / (w.square().mean(axis, keepdim=True) + 1e-8).sqrt()
    for layer in part.layers:
        x = x @ layer.weight.T * 0.01 / 16**0.5 + layer.bias * 0.01
        x = F.leaky_relu(x, 0.2) * 2**0.5
    torch.testing.assert_close(made(w), x, atol=1e-5, rtol=1e-5)


def test_levels_change_their_rows_only() -> None:
    made, w = Mapper(config("coarse", "fine"), studios.CONFIG), torch.randn(1, 6, 16)
    change = made(w)
    assert bool(change[:, :4].any()) and not change[:, 4:].any()  # six rows have no fine ones
    both = Mapper(config("medium"), studios.CONFIG)(w)
    assert not both[:, :4].any() and bool(both[:, 4:].any())


def test_a_level_normalises_within_itself() -> None:
    made, w = Mapper(config("coarse", normalizes="layers"), studios.CONFIG), torch.randn(1, 6, 16)
    other = w.clone()
    other[:, 4:] *= 7
    assert torch.equal(made(w)[:, :4], made(other)[:, :4])


def test_one_of_style_space() -> None:
    made = Mapper(config("style.00", "style.03"), studios.CONFIG)
    styles = [torch.randn(2, layer.channels) for layer in studios.CONFIG.style_layers]
    changes = made.on_styles(styles)
    moved = [k for k, c in enumerate(changes) if bool(c.any())]
    assert moved == [0, 3] and [c.shape for c in changes] == [s.shape for s in styles]


@pytest.mark.parametrize("parts", [("coarse", "medium"), ("all",), ("style.00", "style.05")])
def test_it_is_kept_and_read_again(parts: tuple[str, ...], tmp_path: Path) -> None:
    made = Mapper(config(*parts, normalizes="layers"), studios.CONFIG)
    told = config(*parts, normalizes="layers", prompt="red hair")
    names = set(made.tensors())
    assert f"{parts[0]}.0.weight" in names and f"{parts[-1]}.3.bias" in names
    leave(tmp_path / "red", "mapper", told, made.tensors(), {}, whole=("",))
    again = mapper.load(networks.find("mapper", "red"), studios.CONFIG, CPU)
    if made.in_styles:
        styles = [torch.randn(1, layer.channels) for layer in studios.CONFIG.style_layers]
        for a, b in zip(made.on_styles(styles), again.on_styles(styles), strict=True):
            assert torch.equal(a, b)
    else:
        w = torch.randn(1, 6, 16)
        assert torch.equal(made(w), again(w)) and again.step == 0.1
    assert not any(p.requires_grad for p in again.parameters())


def test_another_generators_mapper_is_refused(tmp_path: Path) -> None:
    wide = studios.Config(16, (12, 12, 8), z_dim=16, w_dim=20, mapping_layers=2)
    made = Mapper(config("all"), wide)
    leave(tmp_path / "red", "mapper", config("all"), made.tensors(), {})
    with pytest.raises(LimnerError, match="can't be loaded"):
        mapper.load(networks.find("mapper", "red"), studios.CONFIG, CPU)
    with pytest.raises(LimnerError, match="a part 'style"):
        Mapper(config("style.99"), studios.CONFIG)


def test_identity_tells_how_far_a_face_is() -> None:
    torch.manual_seed(0)
    body = arcface.Body((8, 8, 8), (1, 1))
    network = arcface.ArcFace(arcface.Config(body, 16, 8)).eval().requires_grad_(False)
    faces = torch.rand(2, 3, 32, 32) * 2 - 1
    who = Identity(network, faces)
    assert float(who.far(faces)) == pytest.approx(0, abs=1e-5)
    other = faces.flip(0).requires_grad_(True)
    far = who.far(other)
    seen = network.identify(faces)
    assert float(far.detach()) == pytest.approx(
        1 - float((seen * seen.flip(0)).sum(1).mean()), abs=1e-5
    )
    far.backward()
    assert other.grad is not None and bool(other.grad.any())
