from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from limner.training.portraits.attributes import ATTRIBUTES, Portrait, hidden, labels, visible
from limner.training.portraits.latent import portraits_of, sample
from limner.training.portraits.painter import as_tensor, paint, paint_all

MEDIA = ATTRIBUTES["medium"].classes
GRADED = [a.name for a in ATTRIBUTES.values() if a.graded]

# Where in a picture (left, top, right, bottom, in parts of its side) a class may show, beside the
# plain portrait.
PLACES = [
    ("glasses", "round", (0.24, 0.40, 0.76, 0.62)),
    ("glasses", "square", (0.24, 0.40, 0.76, 0.62)),
    ("glasses", "sunglasses", (0.24, 0.40, 0.76, 0.62)),
    ("mouth", "frown", (0.40, 0.60, 0.60, 0.74)),
    ("mouth", "smile", (0.40, 0.60, 0.60, 0.74)),
    ("mouth", "laughing", (0.38, 0.60, 0.62, 0.76)),
    ("beard", "moustache", (0.36, 0.56, 0.64, 0.72)),
    ("beard", "short", (0.26, 0.44, 0.74, 0.80)),
    ("beard", "full", (0.22, 0.44, 0.78, 0.90)),
    ("eyes", "closed", (0.32, 0.36, 0.68, 0.58)),
    ("eyes", "wide", (0.32, 0.36, 0.68, 0.58)),
    ("eye colour", "blue", (0.36, 0.44, 0.64, 0.58)),
    ("brows", "stern", (0.32, 0.36, 0.68, 0.50)),
    ("age", "wrinkled", (0.28, 0.32, 0.72, 0.72)),
    ("hat", "cap", (0.20, 0.10, 0.80, 0.50)),
    ("hat", "straw hat", (0.10, 0.10, 0.90, 0.50)),
    ("hat", "top hat", (0.16, 0.00, 0.84, 0.50)),
    ("earrings", "hoops", (0.20, 0.52, 0.80, 0.72)),
    ("clothes", "suit", (0.10, 0.74, 0.90, 1.00)),
    ("clothes colour", "red", (0.08, 0.78, 0.92, 1.00)),
    ("hair", "bald", (0.24, 0.16, 0.76, 0.60)),
    ("hair", "long", (0.18, 0.14, 0.82, 1.00)),
    ("hair", "mohawk", (0.24, 0.04, 0.76, 0.60)),
    ("skin", "dark", (0.22, 0.20, 0.78, 0.98)),
]


def having(portrait: Portrait, attribute: str, name: str) -> Portrait:
    return replace(portrait, **{attribute.replace(" ", "_"): name})


def changes(one: Portrait, other: Portrait, side_px: int = 64) -> np.ndarray:
    """(side, side) in [0, 1]: how much the most changed channel of each pixel changes."""
    apart = paint(one, side_px).astype(int) - paint(other, side_px).astype(int)
    return np.abs(apart).max(0) / 255


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("side_px", [64, 80, 224])
def test_a_portrait_is_painted_the_same_every_time(medium: str, side_px: int) -> None:
    portrait = replace(portraits_of(sample(1, 4))[0], medium=medium)
    first = paint(portrait, side_px)
    assert first.shape == (3, side_px, side_px) and first.dtype == np.uint8
    assert first.std() > 20
    assert np.array_equal(first, paint(portrait, side_px))


def test_many_are_painted_as_each_is() -> None:
    people = portraits_of(sample(3, 1))
    pictures = paint_all(people)
    assert all(np.array_equal(p, paint(q)) for p, q in zip(pictures, people, strict=True))
    tensor = as_tensor(pictures)
    assert tensor.shape == (3, 3, 64, 64) and 0 <= float(tensor.min()) < float(tensor.max()) <= 1


@pytest.mark.parametrize(("attribute", "name", "box"), PLACES)
def test_an_attribute_shows_where_it_is_and_nowhere_else(
    attribute: str, name: str, box: tuple[float, float, float, float]
) -> None:
    seen = changes(Portrait(), having(Portrait(), attribute, name), 128)
    left, top, right, bottom = (round(part * 128) for part in box)
    inside = seen[top:bottom, left:right]
    outside = seen.copy()
    outside[top:bottom, left:right] = 0
    assert inside.max() > 0.15
    assert outside.max() == 0


def test_a_background_changes_behind_the_figure_alone() -> None:
    seen = changes(Portrait(), replace(Portrait(), background="blue"))
    assert seen[0, 0] > 0.15 and seen[2, 40] > 0.15
    assert seen[28:44, 24:40].max() == 0  # the face


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("attribute", [a for a in ATTRIBUTES if a != "medium"])
def test_classes_look_different_where_they_can_be_seen(medium: str, attribute: str) -> None:
    plain = Portrait(medium=medium, hair="short")
    first, *others = (having(plain, attribute, name) for name in ATTRIBUTES[attribute].classes)
    for other in others:
        if attribute not in hidden(first) | hidden(other):
            seen = changes(first, other)
            assert seen.max() > 0.06 and (seen > 0.03).sum() >= 4


@pytest.mark.parametrize(
    ("portrait", "attribute", "one", "other"),
    [
        (Portrait(eyes="closed"), "eye colour", "brown", "blue"),
        (Portrait(glasses="sunglasses"), "eye colour", "brown", "blue"),
        (Portrait(hat="cap"), "hair", "bald", "bun"),
        (Portrait(hair="long"), "earrings", "none", "hoops"),
    ],
)
def test_what_is_hidden_does_not_show(
    portrait: Portrait, attribute: str, one: str, other: str
) -> None:
    pair = [having(portrait, attribute, name) for name in (one, other)]
    bare = [having(Portrait(), attribute, name) for name in (one, other)]
    assert all(attribute in hidden(p) for p in pair)
    # lenses let 3 % through; combed-back hair shows a little at the temples
    assert changes(*pair).sum() < 0.25 * changes(*bare).sum()


@pytest.mark.parametrize("attribute", GRADED)
def test_a_graded_attribute_passes_from_one_class_into_the_next(attribute: str) -> None:
    names = ATTRIBUTES[attribute].classes
    for one, other in pairwise(names):
        base = Portrait(hat="top hat", clothes="suit", medium="flat")
        before = replace(having(base, attribute, one), leans={attribute: 1.0})
        after = replace(having(base, attribute, other), leans={attribute: -1.0})
        assert changes(before, after).max() <= 2 / 255


def test_media_are_what_they_are_called() -> None:
    person = replace(Portrait(), hair_colour="red", background="blue")
    flat, water, pencil, pixels = (
        paint(replace(person, medium=m)).astype(int)
        for m in ("flat", "watercolour", "pencil", "pixel art")
    )
    assert np.ptp(pencil, axis=0).max() < 16  # nearly gray
    assert np.ptp(flat, axis=0).max() > 120
    assert flat[:, :6, :6].std(axis=(1, 2)).max() == 0  # even
    assert water[:, :1].mean() > 235 and water[:, 10:16, 5:9].std(axis=(1, 2)).max() > 1  # paper
    assert np.array_equal(pixels, pixels[:, ::2, ::2].repeat(2, 1).repeat(2, 2))  # a grid of 32
    assert len(np.unique(pixels.reshape(3, -1), axis=1).T) <= 40  # a small palette


@pytest.mark.parametrize("medium", MEDIA)
def test_paper_and_hatching_are_the_same_in_every_portrait(medium: str) -> None:
    plain = Portrait(medium=medium)
    assert changes(plain, replace(plain, mouth="laughing"))[:16].max() == 0
    assert changes(plain, replace(plain, clothes_colour="red"))[:32].max() <= 0.01  # washes bleed


def test_labels_and_what_is_visible_go_by_the_table() -> None:
    people = [Portrait(), Portrait(medium="pencil", hair="bald", glasses="sunglasses")]
    names = list(ATTRIBUTES)
    assert [ATTRIBUTES[n].classes[i] for n, i in zip(names, labels(people)[1], strict=True)] == [
        people[1][n] for n in names
    ]
    unseen = {n for n, v in zip(names, visible(people)[1], strict=True) if not v}
    assert unseen == {
        "hair colour", "eye colour", "clothes colour", "background", "eyes",
    }  # fmt: skip
    assert visible(people)[0].all()


def test_shares_sum_to_one() -> None:
    for a in ATTRIBUTES.values():
        assert sum(a.shares) == pytest.approx(1)
        assert len(a.classes) == len(a.korean) == len(a.shares)
