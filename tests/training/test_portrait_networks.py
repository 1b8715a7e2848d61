"""The judge of attributes, the identity network and the encoder: short runs, and their losses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from limner.chance import random_of
from limner.models import arcface, encoders
from limner.models.networks import at
from limner.training import attribute_judge, encoder, identity
from limner.training.attribute_judge import Judge, answers, blurred, judging_loss, spoilt
from limner.training.generator import blank
from limner.training.identity import contrast, equal_error
from limner.training.loop import Trainer, train
from limner.training.paintings import IDENTITY, Paintings, People
from limner.training.portraits.attributes import ATTRIBUTES, POSE, labels, visible
from limner.training.portraits.painter import paint_all
from limner_wire.errors import LimnerError

CPU = torch.device("cpu")
JUDGE = attribute_judge.Settings(steps=4, batch=4, pool=8, warmup=1, held_out=8)
IDENTIFY = identity.Settings(steps=4, people=3, pool=4, views=4, warmup=1, held_out=4)
ENCODE = encoder.Settings(steps=4, batch=4, pool=8, warmup=1, held_out=4, seeing_from=0.5)


@pytest.fixture(scope="module")
def painted() -> Paintings:
    return Paintings(8, 1)


@pytest.fixture(scope="module")
def people() -> People:
    return People(IDENTIFY.pool, IDENTIFY.views, 2)


def silent(step: int, figures: dict[str, float]) -> None:
    pass


def goes_on_bit_for_bit(whole: Trainer, first: Trainer, second: Trainer) -> None:
    """Four steps at once, and two and two, come to the same."""
    for _ in range(4):
        whole.advance()
    first.advance(), first.advance()
    first.run.save()
    assert second.run.resume()
    second.advance(), second.advance()
    for name, tensor in whole.run.averaged_state().items():
        assert torch.equal(tensor, second.run.averaged_state()[name]), name


def test_a_pool_paints_what_is_asked_for_and_keeps_it(tmp_path: Path) -> None:
    pool = Paintings(6, 3, tmp_path)
    right = torch.from_numpy(paint_all(pool.portraits([4, 1]))).float() / 127.5 - 1
    assert torch.equal(pool.pictures([4, 1]), right)
    again = Paintings(6, 3, tmp_path)
    again.portraits = lambda rows: pytest.fail("painted again")  # type: ignore[method-assign]
    assert torch.equal(again.pictures([1, 4]), right.flip(0))


def test_several_processes_paint_the_same(tmp_path: Path) -> None:
    pool = Paintings(5, 3)
    pool.paint(1)
    assert torch.equal(pool.pictures(range(5)), Paintings(5, 3).pictures(range(5)))
    pool.portraits = lambda rows: pytest.fail("painted again")  # type: ignore[method-assign]
    pool.paint(1)


def test_a_person_is_the_same_in_every_look(people: People) -> None:
    first, second = people.portraits([4, 6])
    for name in IDENTITY:
        field = name.replace(" ", "_")
        assert getattr(first, field) == getattr(second, field), name
        assert first.leans.get(name) == second.leans.get(name), name
    looks = [n for n in (*ATTRIBUTES, *POSE) if n not in IDENTITY]
    differing = sum(getattr(first, n.replace(" ", "_")) != getattr(second, n.replace(" ", "_"))
                    for n in looks)  # fmt: skip
    assert differing > len(looks) / 2
    assert people.portraits([4])[0].skin == people.portraits([7])[0].skin


# --- the judge of attributes ---


def test_what_is_hidden_teaches_the_judge_nothing(painted: Paintings) -> None:
    portraits = painted.portraits(range(8))
    right, seen = torch.from_numpy(labels(portraits)), torch.from_numpy(visible(portraits))
    logits = torch.randn(8, 82, generator=random_of(0, 0)).requires_grad_(True)
    judging_loss(logits, right, seen).backward()
    assert logits.grad is not None and not seen.all()
    for k, gradient in enumerate(answers(logits.grad)):
        assert torch.equal(gradient.abs().amax(1) > 0, seen[:, k])


def test_the_judges_loss_is_the_mean_over_what_is_seen() -> None:
    logits, right = torch.randn(2, 82, generator=random_of(1, 0)), torch.zeros(2, 17).long()
    seen = torch.zeros(2, 17, dtype=torch.bool)
    seen[0, 0] = seen[1, 3] = True
    rows = list(answers(logits))
    by_hand = (F.cross_entropy(rows[0][:1], right[:1, 0])
               + F.cross_entropy(rows[3][1:], right[1:, 3])) / 2  # fmt: skip
    torch.testing.assert_close(judging_loss(logits, right, seen), by_hand)


def test_blur_keeps_the_light_and_spreads_as_told() -> None:
    dots = torch.zeros(2, 3, 15, 15)
    dots[:, :, 7, 7] = 1.0
    sigma = torch.tensor([[0.3], [0.9]])
    soft = blurred(dots, sigma)
    torch.testing.assert_close(soft.sum((2, 3)), torch.ones(2, 3))
    offsets = torch.arange(-7.0, 8.0)
    variance = (soft[1, 0].sum(0) * offsets.square()).sum()
    assert variance.item() == pytest.approx(0.81, abs=0.02)  # cut off at three pixels
    assert soft[0].amax() > 0.95 > soft[1].amax()


def test_spoiling_leaves_the_rest_as_it_is(painted: Paintings) -> None:
    pictures = painted.pictures(range(4))
    out = spoilt(pictures, 0.5, random_of(0, 0))
    assert torch.equal(out[2:], pictures[2:]) and not torch.equal(out[:2], pictures[:2])
    assert out.abs().max() <= 1 and torch.equal(spoilt(pictures, 0.0, random_of(0, 0)), pictures)


def test_the_judge_goes_on_learns_and_is_found(tmp_path: Path, painted: Paintings) -> None:
    def fresh(name: str, settings: attribute_judge.Settings = JUDGE) -> attribute_judge.Trainer:
        return attribute_judge.Trainer(settings, painted, tmp_path / name, CPU)

    goes_on_bit_for_bit(fresh("whole"), fresh("part"), fresh("part"))
    by_heart = fresh("heart", replace(JUDGE, steps=12, spoilt=0.0, rate=3e-3))
    losses = [by_heart.advance()["loss"] for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0], losses
    train(trainer := fresh("mine"), 1, silent)
    assert at(tmp_path / "mine") is None  # it is no model to draw or edit with
    judge = attribute_judge.load(tmp_path / "mine")
    assert isinstance(judge, Judge) and judge.classes(torch.zeros(2, 3, 128, 96)).shape == (2, 17)
    assert trainer.run.step == 1
    with pytest.raises(LimnerError, match="no judge"):
        attribute_judge.load(tmp_path)


# --- identity ---


def test_contrast_by_hand() -> None:
    vectors = F.normalize(torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]), dim=1)
    who, root = torch.tensor([0, 0, 1, 1]), 0.5**0.5
    loss, found = contrast(vectors, who, 0.5)
    near = [[root, 0.0, -root], [root, root, 0.0], [0.0, root, root], [-root, 0.0, root]]
    same = [0, 0, 2, 2]
    by_hand = [
        -2 * row[k] + np.log(np.exp(2 * np.array(row)).sum())
        for row, k in zip(near, same, strict=True)
    ]
    assert loss.item() == pytest.approx(np.mean(by_hand), abs=1e-4)
    assert 0.5 <= found.item() <= 1.0  # two are as near to another person as to their own


def test_the_equal_error_rate_of_known_similarities() -> None:
    apart = equal_error(torch.linspace(0.5, 1.0, 50), torch.linspace(-1.0, 0.4, 70))
    mixed = equal_error(torch.linspace(0.0, 1.0, 101), torch.linspace(-0.5, 0.5, 101))
    assert apart == pytest.approx(0.0, abs=0.02) and mixed == pytest.approx(0.25, abs=0.02)


def test_identity_goes_on_and_is_found(tmp_path: Path, people: People) -> None:
    def fresh(name: str) -> identity.Trainer:
        return identity.Trainer(IDENTIFY, people, tmp_path / name, CPU)

    goes_on_bit_for_bit(fresh("whole"), fresh("part"), fresh("part"))
    train(fresh("mine"), 1, silent)
    found = at(tmp_path / "mine")
    assert found is not None and found.kind == "identity"
    assert arcface.Config.from_json(found.config) == identity.CONFIG
    assert set(found.card["measured"]) == {"same", "others", "equal error rate"}


# --- the encoder ---


def test_the_encoder_goes_on_and_is_found(tmp_path: Path, painted: Paintings) -> None:
    network = blank((8, 8, 8, 8, 4))

    def fresh(name: str) -> encoder.Trainer:
        return encoder.Trainer(ENCODE, network, painted, tmp_path / name, CPU)

    goes_on_bit_for_bit(fresh("whole"), fresh("part"), fresh("part"))
    train(fresh("mine"), 1, silent)
    found = at(tmp_path / "mine")
    assert found is not None and found.kind == "encoder"
    config = encoders.Config.from_json(found.config)
    assert (config.latents, config.w_dim, config.input_px) == (10, 112, 64)


def test_an_encoder_that_knows_nothing_finds_the_mean(painted: Paintings) -> None:
    network = blank((8, 8, 8, 8, 4))
    unlearned = encoder.blank(network).eval()
    with torch.no_grad():
        for style in unlearned.styles:
            assert isinstance(style, encoders.Style)
            style.linear.weight.zero_()
        found = unlearned.encode(painted.pictures(range(2)))
    torch.testing.assert_close(found, network.w_avg.expand(2, 10, -1))
