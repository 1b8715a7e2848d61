"""Training an upsampler: what it learns from, that it goes on bit for bit, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image

from limner.chance import random_of
from limner.cli import train_unclip
from limner.models.networks import at
from limner.models.unclip.upsampler import Config
from limner.training import large_pictures
from limner.training.loop import train
from limner.training.upsampler import Settings, Trainer, read_packed
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")
SMALL = Config((16, 24), groups=8)
BRIEF = Settings(steps=4, batch=2, warmup=1, crop=16, held_out=2)


def shapes(count: int, seed: int, side: int = 64) -> list[np.ndarray]:
    """Pictures of discs and bars with sharp edges."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] + 0.5
    out = []
    for _ in range(count):
        picture = np.full((3, side, side), 255.0)
        for _ in range(5):
            (cx, cy), radius = chance.uniform(0, side, 2), chance.uniform(5, 16)
            turn, colour = chance.uniform(0, np.pi), chance.integers(0, 256, 3)
            along = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
            across = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
            disc, bar = np.hypot(along, across), np.maximum(np.abs(along), 3 * np.abs(across))
            inside = np.clip(radius + 0.5 - (disc if chance.random() < 0.5 else bar), 0, 1)
            picture += inside * (colour[:, None, None] - picture)
        out.append(picture.round().astype(np.uint8))
    return out


def silent(step: int, figures: dict[str, float]) -> None:
    pass


@pytest.mark.parametrize("degradation", ["blur", "bsr"])
def test_it_goes_on_bit_for_bit(tmp_path: Path, degradation: str) -> None:
    settings, some = replace(BRIEF, degradation=degradation), shapes(3, 0)

    def fresh(name: str) -> Trainer:
        return Trainer(settings, SMALL, some, tmp_path / name, CPU)

    whole, first, second = fresh("whole"), fresh("part"), fresh("part")
    losses = [whole.advance()["loss"] for _ in range(4)]
    assert len(set(losses)) == 4
    first.advance(), first.advance()
    first.run.save()
    assert second.run.resume() and second.run.step == 2
    assert [second.advance()["loss"] for _ in range(2)] == losses[2:]
    for name, value in whole.run.averaged_state().items():
        assert torch.equal(value, second.run.averaged_state()[name]), name
    for name, value in whole.upsampler.network.state_dict().items():
        assert torch.equal(value, second.upsampler.network.state_dict()[name]), name


def test_crops_are_parts_of_the_pictures(tmp_path: Path) -> None:
    some = shapes(20, 1, side=20)
    trainer = Trainer(replace(BRIEF, batch=12), SMALL, some, tmp_path, CPU)
    assert len(trainer.held_out) == 2 and len(trainer.pictures) == 18
    crops = trainer.crops(random_of(0, 1))
    windows = np.concatenate([
        np.lib.stride_tricks.sliding_window_view(p, (3, 16, 16)).reshape(-1, 3, 16, 16)
        for p in trainer.pictures
    ])  # fmt: skip
    windows = np.concatenate([windows, windows[..., ::-1]])
    known = {window.tobytes() for window in windows}
    for crop in ((crops + 1) * 127.5).round().to(torch.uint8):
        assert crop.numpy().tobytes() in known
    assert torch.equal(crops, trainer.crops(random_of(0, 1)))


@pytest.mark.parametrize(
    ("settings", "pictures"),
    [
        (BRIEF, []),
        (BRIEF, shapes(1, 0, side=15)),
        (replace(BRIEF, crop=12), shapes(1, 0)),
        (replace(BRIEF, degradation="fog"), shapes(1, 0)),
    ],
    ids=["none", "too small", "crop", "degradation"],
)
def test_what_it_cannot_learn_from_is_refused(
    settings: Settings, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(LimnerError) as caught:
        Trainer(settings, SMALL, pictures, tmp_path, CPU)
    assert caught.value.code == ErrorCode.BAD_INPUT


def test_it_comes_nearer_than_bicubic_interpolation(tmp_path: Path) -> None:
    """On pictures that it has not seen, after some seconds."""
    settings = Settings(
        steps=200, batch=8, rate=3e-3, warmup=10, cooldown=0.5, crop=32, decay=0.97, held_out=8
    )
    trainer = Trainer(settings, Config((32, 32)), shapes(200, 2), tmp_path / "mine", CPU)
    train(trainer, settings.steps, silent)
    found = at(tmp_path / "mine")
    assert found is not None and found.kind == "upsampler"
    assert Config.from_json(found.config) == Config((32, 32))
    measured = found.card["measured"]
    assert measured["PSNR"] > measured["bicubic"] + 0.5, measured


# --- what it is given ---


def test_packed_pictures_are_read_one_by_one(tmp_path: Path) -> None:
    some = shapes(3, 3)
    np.save(tmp_path / "a.npy", np.stack(some))
    read = read_packed(tmp_path / "a.npy")
    assert all(np.array_equal(a, b) for a, b in zip(read, some, strict=True))
    np.save(tmp_path / "b.npy", np.stack(some).astype(np.float32))
    np.save(tmp_path / "c.npy", some[0])
    (tmp_path / "d.npy").write_bytes(b"no pictures")
    for name in "bcde":
        with pytest.raises(LimnerError) as caught:
            read_packed(tmp_path / f"{name}.npy")
        assert caught.value.code == ErrorCode.UNREADABLE


def test_large_pictures_are_packed_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">'
    drawn = f'{head}<circle r="4" cx="4" cy="4" fill="teal"/></svg>'
    monkeypatch.setattr(large_pictures, "labels", lambda modules: {"disc": []})
    monkeypatch.setattr(
        large_pictures, "icons",
        lambda modules, name: iter([("disc", drawn), ("disc", "<svg"), ("other", "")]),
    )  # fmt: skip
    for name in ("a", "b"):
        large_pictures.pack(tmp_path / f"{name}.npy", tmp_path, (3, 2, 2), side_px=96)
    first, second = (np.stack(read_packed(tmp_path / f"{name}.npy")) for name in ("a", "b"))
    assert first.shape == (7, 3, 96, 96) and np.array_equal(first, second)
    assert len({picture.tobytes() for picture in first}) >= 6  # a disc may lie on white twice
    assert all(picture.std() > 1 for picture in first)
    with pytest.raises(ValueError, match="not so many"):
        large_pictures.pack(tmp_path / "c.npy", tmp_path, (99, 0, 0), side_px=16)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.stack(shapes(11, 4)))
    (tmp_path / "b").mkdir()
    Image.new("RGB", (70, 80), "teal").save(tmp_path / "b" / "a.png")

    def run(*argv: str) -> None:
        app = typer.Typer()
        train_unclip.register(app)
        app(args=["upsampler", *argv, "--out", str(tmp_path / "u")], standalone_mode=False)

    asked = ["--pictures", str(tmp_path / "a.npy"), "--folder", str(tmp_path / "b"),
             "--size", "64", "--batch", "2", "--width", "16", "--width", "24"]  # fmt: skip
    run(*asked, "--steps", "1")
    assert "model.safetensors" in capsys.readouterr().out
    run(*asked, "--steps", "2", "--degradation", "bsr")
    assert "going on from step 1" in capsys.readouterr().err
    found = at(tmp_path / "u")
    assert found is not None and found.config["widths"] == [16, 24]
    assert found.card["pictures"] == 11 and found.card["settings"]["crop"] == 16
    with pytest.raises(LimnerError, match="Name pictures"):
        run("--steps", "1")
    with pytest.raises(LimnerError, match="8 groups"):
        run(*asked[:6], "--width", "20")
