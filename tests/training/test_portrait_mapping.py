"""The written mapping network says what the painter would paint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.models.stylegan2 import Config, Generator
from limner.training.portrait_mapping import CLASS, JUMPING, coordinates, softened, write
from limner.training.portraits.attributes import ATTRIBUTES, POSE, labels
from limner.training.portraits.latent import changed, portraits_of, read, sample
from limner.training.portraits.palette import COLOUR_PLATEAU, FORM_PLATEAU, TABLES, graded

W_DIM = 112


def blank(w_dim: int = W_DIM, layers: int = 4) -> Generator:
    return Generator(Config(8, (4, 4), 64, w_dim, mapping_layers=layers, mapping_rate=1.0))


@pytest.fixture(scope="module")
def reader() -> Generator:
    generator = blank().requires_grad_(False)
    write(generator.mapping)
    return generator


def said(w: Tensor, name: str) -> Tensor:
    """(N, classes) in [0, 1] of an attribute."""
    own = coordinates(W_DIM)[name][: len(ATTRIBUTES[name].classes)]
    return w[:, list(own)] / CLASS


def test_it_says_every_jumping_class(reader: Generator) -> None:
    z = sample(2000, 3)
    w, right = reader.mapping(torch.from_numpy(z)), torch.from_numpy(labels(portraits_of(z)))
    for k, name in enumerate(ATTRIBUTES):
        if name in JUMPING:
            share = said(w, name)
            assert (share.argmax(1) == right[:, k]).float().mean() > 0.998, name
            assert (share.max(1).values > 0.99).float().mean() > 0.985, name
            torch.testing.assert_close(share.sum(1), torch.ones(len(w)), atol=1e-3, rtol=0)


def test_graded_classes_pass_into_each_other_where_the_painter_mixes_them(
    reader: Generator,
) -> None:
    z = sample(300, 4)
    w, portraits = reader.mapping(torch.from_numpy(z)), portraits_of(z)
    for name, a in ATTRIBUTES.items():
        if not a.graded:
            continue
        plateau = COLOUR_PLATEAU if name in TABLES else FORM_PLATEAU
        shares = {c: tuple(np.eye(len(a.classes))[k]) for k, c in enumerate(a.classes)}
        painted = [graded(p, name, shares, plateau) for p in portraits]  # type: ignore[arg-type]
        apart = (said(w, name) - torch.from_numpy(np.stack(painted))).abs().amax(1)
        # a straight ramp for the painter's curve; where classes are not equally frequent, it also
        # reaches a half beside the border
        assert apart.max() < 0.4 and apart.mean() < 0.05, (name, apart.max(), apart.mean())
        pure = torch.from_numpy(np.stack(painted)).amax(1) == 1
        assert apart[pure].max() < 1e-3, name


def test_the_pose_is_read_both_ways(reader: Generator) -> None:
    z = sample(50, 5)
    w = reader.mapping(torch.from_numpy(z))
    readings = torch.from_numpy(read(z)).float()
    for k, name in enumerate(POSE):
        up, down = coordinates(W_DIM)[name][:2]
        value = (w[:, up] - w[:, down]) / 1.2  # leaky ReLUs: x and 0.2 x
        torch.testing.assert_close(value, readings[:, len(ATTRIBUTES) + k], atol=1e-4, rtol=1e-4)


def test_changing_one_attribute_moves_its_own_coordinates_alone(reader: Generator) -> None:
    z = sample(1, 8)[0]
    for name in ("hat", "mouth", "turn"):
        other = changed(z, name, ATTRIBUTES[name].classes[-1] if name in ATTRIBUTES else 0.9)
        before, after = reader.mapping(torch.from_numpy(np.stack([z, other])))
        moved = (before - after).abs() > 1e-3
        own = torch.zeros(W_DIM, dtype=torch.bool)
        own[list(coordinates(W_DIM)[name])] = True
        assert moved.any() and not moved[~own].any(), name


def test_softened_classes_are_still_their_own(reader: Generator) -> None:
    w = reader.mapping(torch.from_numpy(sample(64, 6)))
    shuffle = torch.rand(64, len(JUMPING), 2, generator=torch.Generator().manual_seed(1))
    soft = softened(w, shuffle, 0.4)
    for name in ATTRIBUTES:
        before, after = said(w, name), said(soft, name)
        if name in JUMPING:
            certain = before.amax(1) > 0.99
            assert (before.argmax(1) == after.argmax(1))[certain].all(), name
            assert (before - after).abs().max() > 0.2, name
        else:
            assert torch.equal(before, after), name


@pytest.mark.parametrize(("w_dim", "layers"), [(111, 4), (112, 3)])
def test_other_networks_are_refused(w_dim: int, layers: int) -> None:
    with pytest.raises(ValueError):
        write(blank(w_dim, layers).mapping)
