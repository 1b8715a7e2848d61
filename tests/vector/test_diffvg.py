"""The diffvg adapter, with a stand-in for `pydiffvg` that draws as diffvg says it does.

The stand-in takes a radius, an RGBA background and one path a shape, and draws with our reference,
so that the adapter must give what the reference gives. Real diffvg is not installed here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from scribbles import gradients, leaves, line, scribble, smooth_noise
from torch import Tensor

import limner.vector
from limner.vector import reference
from limner.vector.canvas import Canvas
from limner.vector.rasterizer import render, render_with
from limner.vector.strokes import Strokes, pack

SIZE = (24, 31)


class RenderFunction:
    """As in pydiffvg/render_pytorch.py: a scene is a flat list, an image (H, W, 4)."""

    @staticmethod
    def serialize_scene(
        width: int, height: int, shapes: list[Any], groups: list[Any], use_prefiltering: bool
    ) -> list[Any]:
        assert [g.shape_ids.tolist() for g in groups] == [[i] for i in range(len(shapes))]
        assert use_prefiltering and all(g.fill_color is None for g in groups)
        return [shapes, groups]

    @staticmethod
    def apply(
        width: int, height: int, nx: int, ny: int, seed: int, background: Tensor, *scene: Any
    ) -> Tensor:
        assert background.shape == (height, width, 4) and background.is_contiguous()
        assert bool((background[..., 3] == 1).all()), "a clear ground gives dark fringes"
        assert (nx, ny) == (1, 1), "prefiltering takes one sample"
        image = background[..., :3].permute(2, 0, 1)
        canvas = Canvas(height, width, 1.0, torch.zeros(1), torch.zeros(1))
        for path, group in zip(*scene, strict=True):
            assert bool(path.points.isfinite().all()), "diffvg aborts"
            assert path.num_control_points.tolist() == [2] * ((len(path.points) - 1) // 3)
            assert path.is_closed is False
            drawn = reference.coverage(reference.polyline(path.points), path.stroke_width, canvas)
            r, g, b, a = group.stroke_color
            image = image + a * drawn * (torch.stack([r, g, b])[:, None, None] - image)
        return torch.cat([image.permute(1, 2, 0), background[..., 3:]], -1)


@pytest.fixture
def diffvg(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    def path(counts: Tensor, points: Tensor, is_closed: bool, stroke_width: Tensor) -> Any:
        return SimpleNamespace(
            num_control_points=counts, points=points, is_closed=is_closed, stroke_width=stroke_width
        )

    def group(shape_ids: Tensor, fill_color: None, stroke_color: Tensor) -> Any:
        return SimpleNamespace(
            shape_ids=shape_ids, fill_color=fill_color, stroke_color=stroke_color
        )

    fake = ModuleType("pydiffvg")
    vars(fake).update(Path=path, ShapeGroup=group, RenderFunction=RenderFunction)
    monkeypatch.setitem(sys.modules, "pydiffvg", fake)
    yield importlib.import_module("limner.vector.diffvg")
    del sys.modules["limner.vector.diffvg"]
    del limner.vector.diffvg


def test_it_draws_what_the_reference_draws(diffvg: ModuleType) -> None:
    nan = line(3, 3, 20, 9)
    nan.points[1, 0] = float("nan")
    drawings = [scribble(2, 1, SIZE), pack([nan, line(3, 3, 25, 20)]), line(0, 90, 9, 99)]
    strokes, scenes = pack(drawings), torch.tensor([0, 2, 4, 5])
    behind = torch.rand(3, 3, 2 * SIZE[0], 2 * SIZE[1], generator=torch.Generator().manual_seed(1))
    upstream = smooth_noise((2 * SIZE[0], 2 * SIZE[1]), 1, 3)
    found: list[tuple[Tensor, Strokes, Tensor]] = []
    for rasterizer in (diffvg.rasterizer(), reference.rasterizer()):
        own, ground = leaves(strokes), behind.clone().requires_grad_()
        image = render_with(rasterizer, own, SIZE, background=ground, scale=2, scenes=scenes)
        (image * upstream).sum().backward()
        assert ground.grad is not None
        found.append((image.detach(), own, ground.grad))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-6)  # two ways to blend, in float32
    assert torch.equal(found[0][0][2], behind[2]), "a scene where nothing draws"
    for mine, theirs in zip(gradients(found[0][1]), gradients(found[1][1]), strict=True):
        assert theirs.abs().max() > 0 and torch.allclose(mine, theirs, rtol=1e-4, atol=1e-4)
    assert torch.allclose(found[0][2], found[1][2], atol=1e-5)


def test_it_is_absent_where_pydiffvg_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydiffvg", None)
    with pytest.raises(ImportError, match="pydiffvg"):
        importlib.import_module("limner.vector.diffvg")
    assert render(line(0, 0, 9, 9), SIZE).shape == (1, 3, *SIZE)
