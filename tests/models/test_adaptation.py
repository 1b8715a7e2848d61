"""A generator that moves to another domain: what learns, what is chosen, what can be mixed."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from limner.models.adaptation import PHASES, Adaptation, Settings, mixed, phase_of, swapped
from limner.models.stylegan2 import Config, Generator

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios

SETTINGS = Settings(rate=0.01, batch=2, layer_batch=2)


def darker(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    return (after - before + 0.3).square().mean()


def dark(after: torch.Tensor) -> torch.Tensor:
    return after.mean()


def advanced(adaptation: Adaptation, steps: int) -> list[float]:
    return [float(adaptation.advance(darker, dark)) for _ in range(steps)]


def changed(adaptation: Adaptation) -> set[str]:
    """The parameters that have learned."""
    before = dict(adaptation.frozen.named_parameters())
    after = adaptation.learned.named_parameters()
    return {name for name, value in after if not torch.equal(value, before[name])}


def test_it_learns_and_the_other_copy_stays() -> None:
    given = studios.generator()
    kept = copy.deepcopy(given.state_dict())
    adaptation = Adaptation(given, SETTINGS, 1)
    losses = advanced(adaptation, 30)
    assert losses[-1] < 0.3 * losses[0]
    assert all(torch.equal(value, kept[name]) for name, value in given.state_dict().items())
    assert not any(p.requires_grad for p in adaptation.learned.parameters())


def test_what_learns_is_what_the_authors_let_learn() -> None:
    """All convolutions and the constant: no colours, no mapping network."""
    adaptation = Adaptation(studios.generator(noise=0.1), SETTINGS, 1)
    advanced(adaptation, 1)
    names = {n for n, _ in adaptation.learned.named_parameters()}
    usual = {n for n in names if not n.startswith("mapping.") and ".rgb." not in n}
    assert changed(adaptation) == usual and len(usual) == 1 + 5 * 5
    everything = Adaptation(studios.generator(noise=0.1), replace(SETTINGS, phase="all"), 1)
    advanced(everything, 1)
    assert changed(everything) == {n for n in names if not n.startswith("mapping.")}


def test_phases_are_the_authors() -> None:
    """Of 17 convolutions, as at 1024 pixels; theirs are the first, and the others from 0 on."""
    large = Generator(Config(1024, (8,) * 9, z_dim=8, w_dim=8))
    theirs = {"usual": range(16), "texture": range(2, 10), "shape": range(2),
              "shape expanded": range(3), "no fine": range(10), "all": range(16)}  # fmt: skip
    assert {*theirs, "affine"} == set(PHASES)
    for phase, others in theirs.items():
        assert phase_of(large, phase) == [0, *(k + 1 for k in others)]


@pytest.mark.parametrize("layers", [0, 2])
def test_only_what_reads_the_codes_learns(layers: int) -> None:
    settings = replace(SETTINGS, phase="affine", layers=layers)
    adaptation = Adaptation(studios.generator(noise=0.1), settings, 1)
    advanced(adaptation, 1)
    names = [place.name for place in adaptation.frozen.config.style_layers]
    own = {f"blocks.{n}.style.{part}" for n in names for part in ("weight", "bias")}
    chosen = {n for n in own if not layers or n.split(".style")[0][7:] in adaptation.chosen}
    assert changed(adaptation) == chosen and len(chosen) == 2 * (layers or len(names))


def test_a_leap_paints_codes_as_those_further_on() -> None:
    made = studios.generator()
    adaptation = Adaptation(made, SETTINGS, 1)
    code = studios.code(made)
    shift = torch.linspace(-1, 1, code[0].numel()).view_as(code[0])
    for _ in range(2):  # a first step that is tried again leaps again
        adaptation.leap(shift)
    expected = made(code + shift)
    torch.testing.assert_close(adaptation.learned(code), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(made(code), expected, atol=1e-2)


@pytest.mark.parametrize("row", range(6))
def test_the_layers_that_matter_are_chosen(row: int) -> None:
    """Only one row of W+ changes the pictures: by the convolution that it drives."""
    one = studios.generator()
    for place, layer in zip(one.config.style_layers, one._layers(), strict=True):
        if place.latent != row or (place.is_rgb and row != 5):
            layer.style.weight.zero_()
    settings = replace(SETTINGS, layers=1)
    corrected = Adaptation(one, settings, 1)
    advanced(corrected, 1)
    own = ["4.conv1", "8.conv0", "8.conv1", "16.conv0", "16.conv1"]
    if row < 5:  # the last one drives nothing but colours, which do not learn
        assert corrected.chosen == [own[row]]
    published = Adaptation(one, replace(settings, as_published=True), 1)
    advanced(published, 1)
    theirs = ["4.conv1", "4.rgb", "8.conv0", "8.conv1", "16.conv0", "16.conv1"]
    assert published.chosen == [theirs[row]]
    for adaptation in (corrected, published):
        learned = changed(adaptation)
        assert learned and all(n.startswith(f"blocks.{adaptation.chosen[0]}.") for n in learned)


def test_as_many_are_chosen_as_are_asked_for() -> None:
    for count in (1, 3, 5, 0, 9):
        adaptation = Adaptation(studios.generator(), replace(SETTINGS, layers=count), 1)
        advanced(adaptation, 1)
        assert len(adaptation.chosen) == (count if 0 < count < 5 else 5)


@pytest.mark.parametrize("layers", [0, 2])
def test_it_goes_on_bit_for_bit(layers: int) -> None:
    settings = replace(SETTINGS, layers=layers, mixing=0.5, shared_noise=False)
    whole = Adaptation(studios.generator(noise=0.1), settings, 4)
    first = advanced(whole, 3)
    saved = whole.saved()
    rest = advanced(whole, 3)
    again = Adaptation(studios.generator(noise=0.1), settings, 4)
    again.restore(saved)
    assert advanced(again, 3) == rest and first != rest
    for name, value in whole.learned.state_dict().items():
        assert torch.equal(value, again.learned.state_dict()[name]), name


def test_shared_noise_is_the_same_for_both() -> None:
    """Before anything is learned, both copies then paint the same."""
    for shared in (True, False):
        apart: list[float] = []

        def loss(
            before: torch.Tensor, after: torch.Tensor, out: list[float] = apart
        ) -> torch.Tensor:
            out.append(float((after - before).detach().abs().max()))
            return after.mean()

        settings = replace(SETTINGS, shared_noise=shared)
        Adaptation(studios.generator(noise=0.5), settings, 1).advance(loss, dark)
        assert (apart[0] == 0) == shared


def test_it_learns_on_the_codes_that_are_given() -> None:
    made = studios.generator()
    codes = studios.code(made).expand(3, -1, -1) + torch.arange(3)[:, None, None]
    adaptation = Adaptation(made, SETTINGS, 1, codes)
    rows = {round(float((w - codes[0]).mean()), 3) for w in adaptation._codes(40)}
    assert rows == {0.0, 1.0, 2.0}


def test_between_two_generators() -> None:
    one, other = studios.generator(3), studios.generator(4)
    code = studios.code(one)
    assert torch.equal(mixed([one, other], [1, 0])(code), one(code))
    assert torch.equal(mixed([one, other], [0, 1])(code), other(code))
    third = mixed([one, other], [0.25, 0.75])
    for name, value in third.state_dict().items():
        expected = 0.25 * one.state_dict()[name] + 0.75 * other.state_dict()[name]
        torch.testing.assert_close(value, expected)
    with pytest.raises(ValueError, match="one form"):
        mixed([one, Generator(Config(8, (4, 4), z_dim=4, w_dim=4))], [0.5, 0.5])


def test_the_coarse_layers_of_one_and_the_fine_ones_of_another() -> None:
    one, other = studios.generator(3), studios.generator(4)
    both = swapped(one, other, 8)
    for name, value in both.state_dict().items():
        source = other if name.startswith(("blocks.8.", "blocks.16.")) else one
        assert torch.equal(value, source.state_dict()[name]), name
    assert torch.equal(swapped(one, other, 32)(studios.code(one)), one(studios.code(one)))
