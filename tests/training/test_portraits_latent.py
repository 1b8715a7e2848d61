from __future__ import annotations

import numpy as np
import pytest

from limner.training.portraits.attributes import ATTRIBUTES, POSE, Portrait
from limner.training.portraits.edits import EDITS, MEASURED
from limner.training.portraits.latent import (
    LATENT,
    NAMES,
    changed,
    direction,
    directions,
    encode,
    portrait_of,
    portraits_of,
    read,
    sample,
)


def same(one: Portrait, other: Portrait, but: str = "") -> bool:
    """Whether two portraits have the same classes and, to float32's precision, the same figures."""
    classes = all(one[a] == other[a] for a in ATTRIBUTES if a != but)
    figures = [getattr(one, n) - getattr(other, n) for n in POSE if n != but]
    figures += [one.leans[a] - other.leans[a] for a in one.leans if a != but]
    return classes and max(abs(x) for x in figures) < 1e-4  # a lean is up to 20 times finer than u


def test_directions_are_orthonormal() -> None:
    assert np.allclose(directions() @ directions().T, np.eye(LATENT), atol=1e-12)
    assert np.array_equal(direction("hat"), directions()[NAMES.index("hat")])


def test_a_code_has_one_portrait_whatever_its_length() -> None:
    z = sample(20, 3)
    assert np.array_equal(z, sample(20, 3)) and not np.array_equal(z, sample(20, 4))
    first = portraits_of(z)
    assert first == portraits_of(z)
    assert all(same(a, b) for a, b in zip(first, portraits_of(z * np.float32(2.5)), strict=True))
    assert same(first[7], portrait_of(z[7]))


def test_this_code_has_this_portrait() -> None:
    """The map is fixed: a generator's weights are worth nothing with another."""
    p = portrait_of(np.linspace(-1, 1, LATENT))
    assert [p[a] for a in ATTRIBUTES] == [
        "flat", "dark", "square", "curly", "black", "brown", "wide", "level", "square", "neutral",
        "none", "none", "smooth", "studs", "hoodie", "yellow", "pink",
    ]  # fmt: skip
    assert p.turn == pytest.approx(0.475367, abs=1e-6)


def test_classes_are_as_frequent_as_they_are_said_to_be() -> None:
    people = portraits_of(sample(20_000, 11))
    for a in ATTRIBUTES.values():
        for name, share in zip(a.classes, a.shares, strict=True):
            found = sum(p[a.name] == name for p in people) / len(people)
            # four standard deviations of 20,000 draws, and half a percent for the fixed length
            assert found == pytest.approx(share, abs=4 * (share / 20_000) ** 0.5 + 0.005)
    turns = np.array([p.turn for p in people])
    assert abs(turns.mean()) < 0.02 and turns.std() == pytest.approx(3**-0.5, abs=0.01)


def test_attributes_are_independent() -> None:
    read_of = read(sample(20_000, 12))[:, : len(NAMES)]
    apart = np.corrcoef(read_of.T) - np.eye(len(NAMES))
    assert np.abs(apart).max() < 5 / 20_000**0.5  # five standard deviations, of 300 pairs


@pytest.mark.parametrize("name", NAMES)
def test_one_attribute_is_changed_and_no_other(name: str) -> None:
    for z in sample(5, 6):
        before = portrait_of(z)
        for value in ATTRIBUTES[name].classes if name in ATTRIBUTES else (-0.9, 0.3):
            code = changed(z, name, value)
            after = portrait_of(code)
            assert np.linalg.norm(code) == pytest.approx(LATENT**0.5, rel=1e-5)
            assert same(before, after, but=name)
            if name in ATTRIBUTES:
                assert after[name] == value
            else:
                assert getattr(after, name) == pytest.approx(value, abs=1e-4)


def test_a_lean_can_be_asked_for() -> None:
    after = portrait_of(changed(sample(1, 2)[0], "mouth", "smile", lean=0.6))
    assert after.mouth == "smile" and after.leans["mouth"] == pytest.approx(0.6, abs=1e-4)


def test_a_portrait_has_codes_and_they_lead_back() -> None:
    for person in portraits_of(sample(10, 8)):
        codes = [encode(person, seed) for seed in (0, 1)]
        assert not np.allclose(*codes, atol=0.1)
        assert all(same(person, portrait_of(z)) for z in codes)


def test_a_class_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="turban"):
        changed(sample(1, 1)[0], "hat", "turban")


@pytest.mark.parametrize("name", EDITS)
def test_a_perfect_edit_reaches_its_target_and_keeps_the_rest(name: str) -> None:
    edit = EDITS[name]
    codes = [z for z in sample(60, 21) if edit.applies(portrait_of(z))][:10]
    assert len(codes) == 10
    for z in codes:
        before, after = portrait_of(z), portrait_of(edit.made(z))
        assert after[edit.attribute] in edit.classes and before[edit.attribute] not in edit.classes
        assert ATTRIBUTES[edit.attribute].classes.index(after[edit.attribute]) in edit.target()
        assert same(before, after, but=edit.attribute)
    assert edit.attribute not in edit.kept() and len(edit.kept()) >= 11
    assert edit.prompt != edit.neutral and edit.prompt_ko != edit.neutral_ko


def test_the_measured_edits_are_there() -> None:
    assert set(MEASURED) <= set(EDITS)
    assert len({EDITS[name].attribute for name in MEASURED}) == 6
