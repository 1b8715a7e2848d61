"""`limner train directions` and `mapper`, on a small generator."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import typer

from limner.cli import train_edits
from limner.models import networks, store
from limner.models.loading import read_weights
from limner.training import directions

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios


@pytest.fixture(autouse=True)
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    studios.install(tmp_path / "models")


class Interrupted(Exception):
    """The power went."""


def limner_train(*argv: str) -> None:
    app = typer.Typer()
    train_edits.register(app)
    app(args=[*argv, "--model", "starter"], standalone_mode=False)


def test_directions_are_measured_in_parts_and_added(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, left = directions.Measurement.advance, [20]

    def advance(self: directions.Measurement) -> None:
        if not left[0]:
            raise Interrupted
        left[0] -= 1
        real(self)

    monkeypatch.setattr(directions.Measurement, "advance", advance)
    measure = ("directions", "--samples", "2", "--neutral", "a person")
    run = directions.Measurement.run
    monkeypatch.setattr(directions.Measurement, "run", lambda s, r: run(s, r, save_every=10))
    with pytest.raises(Interrupted):
        limner_train(*measure)
    monkeypatch.setattr(directions.Measurement, "advance", real)
    limner_train(*measure)
    said = capsys.readouterr()
    assert "going on from channel 20" in said.err and "56 of 56 channels" in said.err
    folder = Path(".cache/train/small-directions")
    store.add(folder, None, None)
    found = networks.belonging("directions", "small")[0]
    assert found.config["neutral"] == "a person" and found.config["clip"] == "starter"
    assert read_weights(found.weights)["directions"].shape[0] == 56


def test_a_mapper_is_trained_and_added() -> None:
    limner_train("mapper", "red hair", "--steps", "2", "--batch", "1", "--part", "coarse",
                 "--further", "3")  # fmt: skip
    folder = Path(".cache/train/small-red-hair")
    store.add(folder, "red", None)
    found = networks.belonging("mapper", "small")[0]
    assert (found.name, found.config["prompt"]) == ("red", "red hair")
    assert found.config["step"] == pytest.approx(0.3)
    assert all(bool(t.isfinite().all()) for t in read_weights(found.weights).values())


def test_a_mapper_learns_on_codes_that_are_here(tmp_path: Path) -> None:
    torch.save(torch.stack([studios.code(studios.generator(), k)[0] for k in range(3)]), "w.pt")
    store.add(Path("w.pt"), "faces", None)
    out = ("--out", "given", "--latents", "faces", "--steps", "1", "--batch", "2")
    limner_train("mapper", "red hair", "--generator", str(tmp_path / "models" / "small"), *out)
    assert (tmp_path / "given" / "model.safetensors").is_file()
