"""The generator's trainers: they learn, go on bit for bit, and leave models that are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limner.models.networks import at
from limner.training import adversarial
from limner.training import generator as regression
from limner.training.encoder import generator_in
from limner.training.generator import Settings, Trainer, blank, edge_loss, psnr
from limner.training.loop import course, train
from limner.training.paintings import Paintings
from limner_wire.errors import LimnerError

CPU = torch.device("cpu")
QUICK = Settings(steps=4, batch=4, pool=8, warmup=1, held_out=4, channels=(8, 8, 8, 8, 4), soft=0.5)


@pytest.fixture(scope="module")
def painted() -> Paintings:
    return Paintings(QUICK.pool, 1)


def silent(step: int, figures: dict[str, float]) -> None:
    pass


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    rates = [course(step, 100, 10, 0.4) for step in range(101)]
    assert rates[0] == 0.1 and rates[9] == rates[60] == 1.0 and rates[100] == 0.0
    assert rates[80] == pytest.approx(0.5)


def test_a_run_goes_on_bit_for_bit(tmp_path: Path, painted: Paintings) -> None:
    whole = Trainer(QUICK, painted, tmp_path / "whole", CPU)
    train(whole, 4, silent)
    first = Trainer(QUICK, painted, tmp_path / "part", CPU)
    first.advance(), first.advance()
    first.run.save()
    second = Trainer(QUICK, painted, tmp_path / "part", CPU)
    assert second.run.resume() and second.run.step == 2
    train(second, 4, silent)
    for name, tensor in whole.run.averaged_state().items():
        assert torch.equal(tensor, second.run.averaged_state()[name]), name
    wrong = Trainer(replace(QUICK, channels=(8, 8, 8, 8, 8)), painted, tmp_path / "part", CPU)
    with pytest.raises(LimnerError, match="another network"):
        wrong.run.resume()


def test_it_learns_portraits_by_heart(tmp_path: Path, painted: Paintings) -> None:
    settings = replace(QUICK, steps=40, rate=2e-2, channels=(16, 16, 16, 16, 8), soft=0.0)
    trainer = Trainer(settings, painted, tmp_path, CPU)
    figures = [trainer.advance()["pixels"] for _ in range(40)]
    assert sum(figures[-8:]) < 0.6 * sum(figures[:8]), figures


def test_what_it_leaves_is_found_and_paints_the_same(tmp_path: Path, painted: Paintings) -> None:
    trainer = Trainer(QUICK, painted, tmp_path / "mine", CPU)
    train(trainer, 2, silent)
    found = at(tmp_path / "mine")
    assert found is not None and found.kind == "generator"
    assert found.card["steps"] == 2 and found.card["measured"]["PSNR"] > 0
    network, exact = generator_in(tmp_path / "mine"), blank(QUICK.channels)
    exact.load_state_dict(trainer.run.averaged_state())
    assert torch.equal(network.mapping.layers[0].weight, exact.mapping.layers[0].weight)
    codes = torch.from_numpy(painted.codes)
    made, again = network(network.map(codes)), exact(exact.map(codes))
    torch.testing.assert_close(made, again, atol=0.02, rtol=0)  # weights are kept as halves
    assert all(layer.noise_strength.item() == 0 for layer in network.convolutions())
    with pytest.raises(LimnerError, match="no generator"):
        generator_in(tmp_path)


def test_the_losses_by_hand() -> None:
    flat, line = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    line[..., 1] = 1.0
    # full size: 2 of 3 columns' differences are 1, rows' are 0; half size: one of one is 1 / 2
    assert edge_loss(line, flat).item() == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert psnr(line, flat).item() == pytest.approx(-10 * np.log10(0.25 / 4), abs=1e-4)
    assert psnr(flat + 3, flat + 1).item() == pytest.approx(100, abs=0.1)  # as it is shown


def test_a_lasso_counts_each_attribute_that_drives_a_channel(
    tmp_path: Path, painted: Paintings
) -> None:
    trainer = Trainer(QUICK, painted, tmp_path, CPU)
    with torch.no_grad():
        for name, p in trainer.generator.named_parameters():
            if name.endswith("style.weight"):
                p.zero_()
                p[0, regression.coordinates(regression.W_DIM)["hat"][0]] = 3.0
    layers = trainer.generator.config.style_layers
    channels = sum(layer.channels for layer in layers)
    expected = 3.0 * len(layers) / (channels * 25)
    assert trainer.spread().item() == pytest.approx(expected, abs=2e-4)


TINY = adversarial.Settings(
    steps=4, batch=4, size=8, base=64, widest=8, z_dim=8, w_dim=8, mapping_layers=2,
    r1_every=2, path_every=2, half_life=0.02,
)  # fmt: skip


def folder_of(path: Path, colour: tuple[int, int, int], count: int = 4) -> Path:
    (path / "deeper").mkdir(parents=True)
    for k in range(count):
        picture = Image.new("RGB", (12, 10 + k), colour)
        picture.save(path / ("deeper" if k % 2 else ".") / f"{k}.png")
    return path


def test_adversaries_go_on_bit_for_bit(tmp_path: Path) -> None:
    pictures = adversarial.read_pictures(folder_of(tmp_path / "in", (200, 40, 40)), 8)
    assert pictures.shape == (4, 3, 8, 8)
    whole = adversarial.Trainer(TINY, pictures, tmp_path / "whole", CPU)
    train(whole, 4, silent)
    assert whole.path.mean > 0 and whole.generator.w_avg.abs().max() > 0
    part = adversarial.Trainer(TINY, pictures, tmp_path / "part", CPU)
    train(part, 2, silent)
    part = adversarial.Trainer(TINY, pictures, tmp_path / "part", CPU)
    assert part.run.resume()
    train(part, 4, silent)
    for name, tensor in whole.run.averaged_state().items():
        assert torch.equal(tensor, part.run.averaged_state()[name]), name
    assert generator_in(tmp_path / "part").config == whole.config


def test_a_generator_learns_the_colour_of_its_pictures(tmp_path: Path) -> None:
    pictures = adversarial.read_pictures(folder_of(tmp_path / "in", (230, 26, 26)), 8)
    settings = replace(TINY, batch=8, rate=1e-2, gamma=0.1, r1_every=8, path_every=0)
    trainer = adversarial.Trainer(settings, pictures, tmp_path, CPU)
    for _ in range(60):
        trainer.advance()
    best = trainer.generator
    best.load_state_dict(trainer.run.averaged_state())
    with torch.no_grad():
        z = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
        colour = best(best.map(z), "none").mean((0, 2, 3))
    assert colour[0] > 0.3 and colour[1] < -0.3 and colour[2] < -0.3, colour


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LimnerError, match="no pictures"):
        adversarial.read_pictures(tmp_path, 8)
