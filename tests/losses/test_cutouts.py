from __future__ import annotations

import pytest
import torch
import torchvision.transforms.functional as tv

from limner.losses.cutouts import (
    CROP_AREA,
    CROP_RATIO,
    box_map,
    cutouts,
    fixed_maps,
    onto_square,
    random_crops,
    random_maps,
    random_perspectives,
)

SEED = 11


def smooth_picture(side: int) -> torch.Tensor:
    """(3, side, side) low waves: resampling it twice or once then differs by little."""
    ticks = torch.linspace(0, 3.0, side)
    waves = [torch.sin(ticks[:, None] * (k + 1) + ticks[None] * (2 - k)) for k in range(3)]
    return torch.stack(waves) * 0.4 + 0.5


def test_four_points_are_taken_to_the_squares_corners() -> None:
    generator = torch.Generator().manual_seed(SEED)
    square = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    points = square + (torch.rand(5, 4, 2, generator=generator) - 0.5) * 0.4
    seen = torch.cat([points, torch.ones(5, 4, 1)], 2) @ onto_square(points).transpose(1, 2)
    found = seen[..., :2] / seen[..., 2:]
    torch.testing.assert_close(found, square.expand(5, -1, -1), atol=1e-5, rtol=0)


def test_the_whole_box_shows_the_picture_itself() -> None:
    picture = smooth_picture(48)
    view = cutouts(picture, box_map((0.0, 0.0, 1.0, 1.0))[None], 48)
    torch.testing.assert_close(view[0], picture, atol=1e-5, rtol=0)


def test_one_resampling_agrees_with_torchvisions_two() -> None:
    """RandomPerspective and RandomResizedCrop, with the numbers that our maps drew."""
    side, size = 96, 64
    picture = smooth_picture(side)
    noise = torch.Generator().manual_seed(SEED)
    crop = random_crops(1, noise)
    bend = random_perspectives(1, noise)
    ours = cutouts(picture, bend @ crop, size)[0]

    corners = torch.tensor([[0.0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
    seen = corners @ bend[0].inverse().T
    end = (seen[:, :2] / seen[:, 2:] * side).tolist()
    start = (corners[:, :2] * side).tolist()
    bent = tv.perspective(picture, start, end, fill=[1.0])
    left, top = crop[0, 0, 2] * side, crop[0, 1, 2] * side
    width, height = crop[0, 0, 0] * side, crop[0, 1, 1] * side
    theirs = tv.resized_crop(
        bent, round(float(top)), round(float(left)), round(float(height)), round(float(width)),
        [size, size], antialias=False,
    )  # fmt: skip
    inside = (ours < 0.97).all(0) & (theirs < 0.97).all(0)  # away from the white surround's edge
    assert inside.float().mean() > 0.5
    # torchvision's crop stands on whole pixels: up to 1 px of 96, times a slope of 0.04 a px
    assert float((ours - theirs)[:, inside].abs().mean()) < 0.03


def test_crops_are_as_large_and_as_oblong_as_torchvisions_and_stay_inside() -> None:
    maps = random_crops(4000, torch.Generator().manual_seed(SEED))
    width, height = maps[:, 0, 0], maps[:, 1, 1]
    area, ratio = width * height, width / height
    assert area.min() >= CROP_AREA[0] - 1e-5 and area.max() <= CROP_AREA[1] + 1e-5
    assert ratio.min() >= CROP_RATIO[0] - 1e-4 and ratio.max() <= CROP_RATIO[1] + 1e-4
    assert (maps[:, 0, 2] >= 0).all() and (maps[:, 0, 2] + width <= 1 + 1e-5).all()
    assert (maps[:, 1, 2] >= 0).all() and (maps[:, 1, 2] + height <= 1 + 1e-5).all()


def test_perspectives_shrink_the_picture_and_never_cut_it() -> None:
    bend = random_perspectives(500, torch.Generator().manual_seed(SEED))
    corners = torch.tensor([[0.0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
    seen = corners @ bend.inverse().transpose(1, 2)
    where = seen[..., :2] / seen[..., 2:]
    inward = (where - corners[:, :2]).abs()
    assert inward.max() <= 0.25 + 1e-4  # distortion 0.5, half of each side
    assert inward.max() > 0.2


def test_what_lies_outside_is_the_fill() -> None:
    view = cutouts(torch.zeros(3, 8, 8), box_map((-1.0, 0.0, 1.0, 1.0))[None], 8, 0.25)
    torch.testing.assert_close(view, torch.full_like(view, 0.25))


def test_gradients_reach_the_picture() -> None:
    picture = smooth_picture(24).double().requires_grad_()
    maps = random_maps(2, torch.Generator().manual_seed(SEED)).double()
    weights = torch.rand(2, 3, 10, 10, generator=torch.Generator().manual_seed(SEED)).double()

    def total(p: torch.Tensor) -> torch.Tensor:
        return (cutouts(p, maps, 10) * weights).sum()

    (gradient,) = torch.autograd.grad(total(picture), picture)
    move = torch.randn(picture.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        slope = (total(picture + 1e-4 * move) - total(picture - 1e-4 * move)) / 2e-4
    assert float((gradient * move).sum()) == pytest.approx(float(slope), rel=1e-6)


def test_fixed_cutouts_are_the_same_for_everyone() -> None:
    assert torch.equal(fixed_maps(4), fixed_maps(4))
    assert torch.equal(fixed_maps(3)[0], box_map((0.0, 0.0, 1.0, 1.0)))


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_one_picture_through_many_maps_is_many_through_one_each(count: int) -> None:
    """Pictures wider than high, views that look far beyond them, forward and backward."""
    noise = torch.Generator().manual_seed(SEED)
    picture = torch.rand(3, 30, 50, generator=noise).requires_grad_()
    maps = box_map((-0.3, -0.4, 1.7, 1.5)) @ random_maps(count, noise)
    fill = torch.tensor([0.2, 0.9, 0.4])
    upstream = torch.randn(count, 3, 20, 20, generator=noise)
    ours = cutouts(picture, maps, 20, fill)
    (pulled,) = torch.autograd.grad(ours, picture, upstream)
    each = picture.expand(count, -1, -1, -1)
    theirs = cutouts(each, maps, 20, fill)
    (wanted,) = torch.autograd.grad(theirs, picture, upstream)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    torch.testing.assert_close(pulled, wanted, atol=1e-5, rtol=0)
    assert float(ours.detach().std()) > 0.1 and float(pulled.abs().sum()) > 1
