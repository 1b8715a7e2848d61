"""Training of unCLIP's priors, on pictures of six things that are only numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import typer
from torch import Tensor
from typer.testing import CliRunner

from limner.chance import random_of
from limner.cli import train_unclip
from limner.models.clip import Words
from limner.models.networks import at
from limner.models.unclip import autoregressive_prior as autoregressive
from limner.models.unclip import diffusion_prior as diffusion
from limner.models.unclip import prior as priors
from limner.training.captioned import Captioned
from limner.training.corpora import Corpus, Fact
from limner.training.loop import Trainer, train
from limner.training.priors import (
    DiffusionTrainer,
    Settings,
    TokenSettings,
    TokenTrainer,
    agreements,
    sizes,
)

CPU = torch.device("cpu")
THINGS, DIM = 6, 8
SHORT = Settings(steps=4, batch=4, warmup=1)
TOKENS = TokenSettings(steps=4, batch=4, warmup=1)


class Reader:
    """Knows six words, and nothing."""

    name = "reader"

    def __init__(self) -> None:
        chance = random_of(0, 0)
        self.texts = F.normalize(torch.randn(THINGS + 1, DIM, generator=chance), dim=1)
        self.states = torch.randn(THINGS + 1, 3, 5, generator=chance)

    def read(self, texts: Sequence[str]) -> Words:
        rows = [int(text) if text else THINGS for text in texts]
        known = torch.tensor([[True, True, bool(text)] for text in texts])
        return Words(self.texts[rows], self.states[rows], known)


class Things:
    """Unit vectors near those of their words."""

    def __init__(self, count: int = 300) -> None:
        self.clip = Reader()
        self.who = [k % THINGS for k in range(count)]
        noise = 0.15 * torch.randn(count, DIM, generator=random_of(0, 1))
        self.embeddings = F.normalize(self.clip.texts[self.who] + noise, dim=1)

    def __len__(self) -> int:
        return len(self.who)

    def captions(self, rows: Sequence[int], chance: random.Random) -> list[str]:
        return [str(self.who[row]) for row in rows]


@pytest.fixture(scope="module")
def data() -> Captioned:
    return cast(Captioned, Things())


def diffusing(data: Captioned, folder: Path, settings: Settings = SHORT) -> DiffusionTrainer:
    config = diffusion.Config(**sizes(data.clip), heads=2, head=16, layers=2)
    return DiffusionTrainer(settings, config, data, folder, CPU)


def telling(
    data: Captioned, folder: Path, settings: TokenSettings = TOKENS, kept: int = 99
) -> TokenTrainer:
    config = autoregressive.Config(
        **sizes(data.clip), width=32, heads=2, layers=2, kept=kept, buckets=8
    )
    return TokenTrainer(settings, config, data, folder, CPU)


BOTH = pytest.mark.parametrize("make", [diffusing, telling])


def silent(step: int, figures: dict[str, float]) -> None:
    pass


@BOTH
def test_two_and_two_steps_are_four_bit_for_bit(make: Any, data: Captioned, tmp_path: Path) -> None:
    whole, first, second = (make(data, tmp_path / name) for name in ("whole", "part", "part"))
    for _ in range(4):
        whole.advance()
    first.advance(), first.advance()
    first.run.save()
    assert second.run.resume()
    second.advance(), second.advance()
    began = make(data, tmp_path / "new").run.averaged_state()
    states = zip(
        whole.run.averaged_state().items(), second.run.averaged_state().values(), strict=True
    )
    for (name, tensor), other in states:
        assert torch.equal(tensor, other), name
    assert any(not torch.equal(began[k], v) for k, v in whole.run.averaged_state().items())


@BOTH
def test_it_learns_and_what_it_draws_fits(make: Any, data: Captioned, tmp_path: Path) -> None:
    kind = TokenSettings if make is telling else Settings
    settings = kind(steps=150, batch=64, rate=4e-3, warmup=10, decay=0.95)
    trainer = make(data, tmp_path, settings)
    losses = [trainer.advance()["loss"] for _ in range(150)]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10]), (losses[:10], losses[-10:])
    trainer.prior.load_state_dict(trainer.run.averaged_state())
    who = [k % THINGS for k in range(60)]
    words, empty = data.clip.read([str(k) for k in who]), data.clip.read([""])
    sampling = trainer.prior.eval().sampling(words, empty, seed=1, steps=10)
    while sampling.step < sampling.total:
        sampling.advance()
    near = sampling.embedding() @ data.clip.read([str(k) for k in range(THINGS)]).embedding.T
    right = (near.argmax(1) == torch.tensor(who)).float().mean()
    assert right > 0.8, right  # one in six by chance


@BOTH
def test_a_tenth_of_the_captions_is_left_out_whole(
    make: Any, data: Captioned, tmp_path: Path
) -> None:
    trainer = make(data, tmp_path, replace(TOKENS if make is telling else SHORT, batch=4000))
    z, words, told = trainer.batch(random_of(0, 0))
    empty = data.clip.read([""])
    without = (told.embedding == empty.embedding).all(1)
    for name in ("embedding", "states", "known"):
        rows, none = getattr(told, name), getattr(empty, name)
        assert torch.equal(rows[~without], getattr(words, name)[~without])
        assert torch.equal(rows[without], none.expand(len(z), *none.shape[1:])[without])
    # five standard deviations of a share of 4000 draws, sqrt(0.1 * 0.9 / 4000) each
    assert without.float().mean() == pytest.approx(0.1, abs=0.024)


@BOTH
def test_the_model_is_left_and_found(
    make: Any, data: Captioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path))
    trainer = make(data, tmp_path / "mine")
    train(cast(Trainer, trainer), 2, silent)
    found = at(tmp_path / "mine")
    assert found is not None and found.kind == "prior"
    assert found.config["clip"] == "reader" and found.card["steps"] == 2
    prior: Any = priors.load("mine")
    assert prior.config == trainer.prior.config
    for name, value in prior.state_dict().items():
        right = trainer.run.averaged_state()[name]
        counted = name.startswith(("clip_", *autoregressive.FITTED))
        off = (value - right).abs().max()
        assert off <= (0 if counted else right.abs().max() / 220), name


@BOTH
def test_bfloat16_is_near(make: Any, data: Captioned, tmp_path: Path) -> None:
    settings = replace(TOKENS if make is telling else SHORT, batch=64)
    exact = make(data, tmp_path / "a", settings).advance()["loss"]
    rough = make(data, tmp_path / "b", replace(settings, bf16=True)).advance()["loss"]
    assert rough == pytest.approx(exact, rel=0.02) and rough != exact  # 8 bits of mantissa


def test_what_embeddings_are_whitened_with_stays(data: Captioned, tmp_path: Path) -> None:
    trainer = diffusing(data, tmp_path, replace(SHORT, rate=0.1, weight_decay=1.0))
    for _ in range(3):
        trainer.advance()
    layers = trainer.prior.layers
    assert (layers.clip_mean == 0).all() and (layers.clip_std == DIM**-0.5).all()


def test_components_are_as_many_as_are_needed_and_it_says_what_is_lost(
    data: Captioned, tmp_path: Path
) -> None:
    enough, few = telling(data, tmp_path), telling(data, tmp_path, kept=2)
    assert enough.lost < 0.01 < few.lost
    assert 2 < enough.prior.config.kept <= DIM and few.prior.config.kept == 2
    few.export()
    found = at(tmp_path)
    assert found is not None and found.card["lost"] == few.lost and found.config["kept"] == 2


def test_agreements_are_of_a_picture_and_its_own_caption(data: Captioned, tmp_path: Path) -> None:
    right = [
        (data.embeddings[k] @ data.clip.read([str(k % THINGS)]).embedding[0]).item()
        for k in range(len(data))
    ]
    found = agreements(data, 0)
    torch.testing.assert_close(found.sort().values, torch.tensor(right).sort().values)
    counts = telling(data, tmp_path).prior.dots.quantise(found[:, None]).flatten().bincount()
    assert counts.tolist() == pytest.approx([300 / 8] * 8, abs=1)  # equally full


def test_that_a_caption_is_left_out_does_not_change_how_well_it_agrees(
    data: Captioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = telling(data, tmp_path, replace(TOKENS, drop=1.0))
    seen: list[tuple[Words, Tensor]] = []

    def loss(words: Words, agreement: Tensor, tokens: Tensor) -> Tensor:
        seen.append((words, agreement))
        return tokens.sum().float()

    monkeypatch.setattr(trainer.prior, "loss", loss)
    trainer.loss(random_of(0, 0))
    z, words, _ = trainer.batch(random_of(0, 0))
    ((told, agreement),) = seen
    assert (told.embedding == data.clip.read([""]).embedding).all()
    assert torch.equal(agreement, trainer.prior.agreement(z, words))


@pytest.mark.parametrize("command", ["prior", "ar-prior"])
def test_the_command_trains_on_a_packed_corpus_and_goes_on(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures = np.random.default_rng(0).integers(0, 255, (12, 4, 80, 80), dtype=np.uint8)
    facts = [[Fact(f"label:{name}", {"en": name})] for name in ("cat", "house", "tree") * 4]
    Corpus(pictures, facts, ["test"] * 12).save(tmp_path / "corpus")
    group = typer.Typer()
    train_unclip.register(group)
    for steps in ("1", "2"):
        words = [
            command,
            "--corpus",
            "corpus",
            "--clip",
            "starter",
            "--out",
            "made",
            "--batch",
            "2",
        ]
        done = CliRunner().invoke(
            group, [*words, "--steps", steps, "--width", "64", "--layers", "1"]
        )
        assert done.exit_code == 0, done.output
    assert "going on from step 1" in done.output
    found = at(tmp_path / "made")
    assert found is not None and found.kind == "prior" and found.config["clip"] == "starter"
    odd = CliRunner().invoke(
        group, [command, "--corpus", "corpus", "--clip", "starter", "--width", "65"]
    )
    assert "multiple of 64" in str(odd.exception)
