from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limner.training.augment import COLOURS, augment, colour_fact, dyed
from limner.training.clip import spread
from limner.training.corpora import (
    Corpus,
    Fact,
    caption,
    fits,
    join,
    load,
)
from limner.training.folders import read_folder
from limner.training.scenes import SHAPES, redrawn, scenes
from limner_wire.errors import LimnerError

APPLE = [
    Fact("label:apple", {"en": "apple", "ko": "사과"}),
    Fact("en:fruit", {"en": "fruit"}, 0.5),
    Fact("ko:과일", {"ko": "과일"}, 0.5),
]


def small(count: int = 3) -> Corpus:
    pictures = np.zeros((count, 4, 80, 80), np.uint8)
    pictures[:, 0, 20:60, 20:60] = 200
    pictures[:, 3, 20:60, 20:60] = 255
    return Corpus(pictures, [APPLE] * count, ["test"] * count)


def test_a_corpus_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    corpus = join([small(2), scenes(2, seed=1)])
    corpus.save(tmp_path / "packed")
    again = load(tmp_path / "packed")
    assert np.array_equal(again.pictures, corpus.pictures)
    assert again.facts == corpus.facts and again.families == ["test"] * 2 + ["scenes"] * 2


def test_a_folder_without_a_corpus_is_told(tmp_path: Path) -> None:
    with pytest.raises(LimnerError, match="no packed corpus"):
        load(tmp_path)


def test_captions_tell_only_what_is_true_in_one_language() -> None:
    chance = random.Random(5)
    blue = [*APPLE, colour_fact("blue")]
    seen = [caption(blue, chance) for _ in range(400)]
    for text, told in seen:
        assert told <= {f.key for f in blue}
        hangul = any("가" <= c <= "힣" for c in text)
        assert hangul == ("사과" in text or "과일" in text or "파란" in text)
        assert not (hangul and "apple" in text)
        assert ("blue" in text or "파란" in text) == ("colour:blue" in told)
    assert any("blue apple" in text for text, _ in seen)
    assert any("사과" in text for text, _ in seen)


def test_a_picture_of_only_korean_captions_is_told_in_korean() -> None:
    facts = [Fact("ko:고양이", {"ko": "고양이"}), Fact("ko:동물", {"ko": "동물"})]
    chance = random.Random(0)
    assert all("고양이" in t or "동물" in t for t, _ in (caption(facts, chance) for _ in range(50)))


def test_a_caption_fits_every_picture_that_has_all_its_facts() -> None:
    told = [frozenset({"label:apple"}), frozenset({"fruit"}), frozenset({"fruit", "blue"})]
    true = [frozenset({"label:apple", "fruit"}), frozenset({"label:pear", "fruit", "blue"})]
    expected = torch.tensor([[1.0, 1, 0], [0, 1, 1]])
    assert torch.equal(fits(told, true), expected)


def test_the_loss_is_cross_entropy_against_all_that_fits() -> None:
    logits = torch.tensor([[2.0, 1.0, -1.0]])
    target = torch.tensor([[1.0, 1.0, 0.0]])
    chances = (logits.exp() / logits.exp().sum()).log()[0]
    assert float(spread(logits, target)) == pytest.approx(-float(chances[:2].mean()), rel=1e-6)


def test_views_have_the_networks_size_and_dyed_ones_say_their_colour() -> None:
    chance = random.Random(2)
    rgba = torch.from_numpy(small(40).pictures.copy()).float() / 255
    views, added = augment(rgba, [APPLE] * 40, chance)
    assert views.shape == (40, 3, 64, 64)
    assert views.min() >= 0 and views.max() <= 1
    keys = [f.key for facts in added for f in facts]
    assert 2 <= len(keys) <= 20 and all(k.startswith("colour:") for k in keys)
    again, _ = augment(rgba, [APPLE] * 40, random.Random(2))
    first = augment(rgba, [APPLE] * 40, random.Random(2))[0]
    assert torch.equal(again, first), "the same chance gave other views"


def test_aligned_pictures_are_shown_nearly_whole() -> None:
    """A dot in the middle of opaque pictures: it stays near there, and some are mirrored."""
    rgba = torch.ones(64, 4, 80, 80)
    rgba[:, :3, 36:44, 20:28] = 0
    known = [[Fact("thing", {"en": "dot"}), Fact("colour:as it is", {})]] * 64
    seen, _ = augment(rgba, known, random.Random(1), aligned=True)
    dark = (1 - seen.mean(1)).clamp_min(0.4) - 0.4
    mass = dark.sum((1, 2))
    x = (dark.sum(1) * torch.arange(64)).sum(1) / mass
    y = (dark.sum(2) * torch.arange(64)).sum(1) / mass
    mirrored = x > 32
    assert 4 < int(mirrored.sum()) < 32
    moved = torch.stack([torch.where(mirrored, 63 - x, x) - 18.7, y - 31.5]).abs()
    assert moved.mean() < 3 and moved.max() < 16


def test_a_picture_whose_label_names_a_colour_is_not_dyed() -> None:
    facts = [[Fact("label:red apple", {"en": "red apple"})]] * 60
    rgba = torch.rand(60, 4, 80, 80)
    assert not any(augment(rgba, facts, random.Random(1))[1])


@pytest.mark.parametrize("name", sorted(COLOURS))
def test_dyeing_gives_the_colour_and_keeps_light_and_dark(name: str) -> None:
    grey = torch.linspace(0, 1, 9).expand(3, 1, 9)
    out = dyed(grey, COLOURS[name][1])
    light = out.mean(0)[0]
    assert (light.diff() >= -1e-6).all()
    middle = out[:, 0, 4]
    nearest = min(COLOURS, key=lambda n: float((middle - torch.tensor(COLOURS[n][1])).norm()))
    assert nearest == name


def test_scenes_show_what_they_say() -> None:
    corpus = scenes(24, seed=3)
    assert len({f[0].key for f in corpus.facts}) > 3
    for picture, facts in zip(corpus.pictures, corpus.facts, strict=True):
        keys = {f.key for f in facts}
        assert facts[0].key.removeprefix("label:") in SHAPES
        solid = picture[3] > 200
        assert 20 < solid.sum() < 0.9 * solid.size
        colour = next(k for k in keys if k.startswith("colour:")).removeprefix("colour:")
        seen = torch.from_numpy(picture[:3][:, solid].mean(1)) / 255
        assert float((seen - torch.tensor(COLOURS[colour][1])).abs().max()) < 0.05
        if "place:on the left" in keys:
            assert np.nonzero(solid)[1].mean() < 40
        if "place:at the bottom" in keys:
            assert np.nonzero(solid)[0].mean() > 40
    assert np.array_equal(scenes(24, seed=3).pictures, corpus.pictures)


def test_redrawn_pictures_look_like_the_picture() -> None:
    corpus = small(2)
    drawn = redrawn(corpus, 1, seed=0)
    assert drawn.families == ["test-redrawn"] and drawn.facts[0] == APPLE
    difference = drawn.pictures[0].astype(float) - corpus.pictures[0].astype(float)
    assert np.abs(difference[3]).mean() < 25  # of 255; the whole square would be 64


def test_a_folder_of_captioned_pictures_is_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (50, 30), "red").save(tmp_path / "in" / "apple.png")
    (tmp_path / "in" / "apple.txt").write_text("Red apple\nko\t빨간 사과\nfruit\n")
    Image.new("RGB", (9, 9)).save(tmp_path / "uncaptioned.png")
    corpus = read_folder(tmp_path)
    assert corpus.pictures.shape == (1, 4, 80, 80)
    assert [f.key for f in corpus.facts[0]] == ["en:red apple", "ko:빨간 사과", "en:fruit"]
    assert corpus.pictures[0, 3, 0, 0] == 0 and corpus.pictures[0, 3, 40, 40] == 255
    with pytest.raises(LimnerError, match="no captioned pictures"):
        read_folder(tmp_path / "none")
