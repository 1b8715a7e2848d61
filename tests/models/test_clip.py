from __future__ import annotations

import pytest
import torch

from limner.losses.words import set_apart
from limner.methods.base import Models
from limner.models.clip import split_weight


def test_texts_and_pictures_are_unit_vectors_in_one_space(starter: Models) -> None:
    clip = starter.clips[0].clip
    texts = clip.encode_text(["a red apple", "빨간 사과"])
    pictures = clip.encode_image(torch.rand(3, 3, clip.size_px, clip.size_px))
    assert texts.shape[1] == pictures.shape[1]
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(pictures.norm(dim=1), torch.ones(3), atol=1e-5, rtol=0)


def test_the_korean_for_a_thing_is_nearer_to_it_than_to_another(starter: Models) -> None:
    clip = starter.clips[0].clip
    apple, house, korean = set_apart(clip, ["a red apple", "a house", "빨간 사과"], 1.0)
    assert korean @ apple > korean @ house + 0.2


def test_gradients_reach_the_picture_and_not_the_network(starter: Models) -> None:
    clip = starter.clips[0].clip
    picture = torch.rand(1, 3, clip.size_px, clip.size_px, requires_grad=True)
    clip.encode_image(picture)[0, 0].backward()
    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert all(p.grad is None for p in clip._network.parameters())


def test_one_picture_is_seen_the_same_alone_and_among_others(starter: Models) -> None:
    clip = starter.clips[0].clip
    pictures = torch.rand(4, 3, clip.size_px, clip.size_px)
    alone, among = clip.encode_image(pictures[2:3])[0], clip.encode_image(pictures)[2]
    torch.testing.assert_close(alone, among, atol=1e-5, rtol=0)  # float sums in another order


def test_probabilities_sum_to_one(starter: Models) -> None:
    chances = starter.clips[0].clip.probabilities(torch.rand(3, 50, 80), ["a", "b", "c"])
    assert float(chances.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat@0.5", ("a cat", 0.5)), ("a cat", ("a cat", 1.0)), ("me@home", ("me@home", 1.0)),
        ("@2", ("", 2.0)), ("a @ b@-1", ("a @ b", -1.0)),
    ],
)  # fmt: skip
def test_weights_stand_behind_the_last_at_sign(text: str, expected: tuple[str, float]) -> None:
    assert split_weight(text) == expected
