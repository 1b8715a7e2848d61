"""The command line as a user meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.cli.app import run
from limner.vector.svg import read_metadata, read_svg

QUICK = ["--steps", "4", "--strokes", "6", "--canvas", "64", "--cutouts", "2"]


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "data"))


def png(path: str, size: tuple[int, int] = (40, 40), colour: str = "red") -> str:
    Image.new("RGB", size, colour).save(path)
    return path


def left_behind(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in tmp_path.rglob("*"))


def test_draw_leaves_an_svg_and_a_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", "a red apple", "--out", "new/apple.svg", *QUICK]) == 0
    svg = (tmp_path / "new" / "apple.svg").read_bytes()
    metadata = read_metadata(svg)
    assert metadata is not None and metadata["prompt"] == "a red apple" and metadata["seed"] == 0
    assert read_svg(svg, (64, 64)).count == metadata["settings"]["strokes_kept"]
    with Image.open(tmp_path / "new" / "apple.png") as picture:
        assert picture.size == (256, 256)
    assert "apple.svg" in capsys.readouterr().out
    assert left_behind(tmp_path) == ["apple.png", "apple.svg", "new"]


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(["draw", "a cat", "--seed", "5", "--out", name + ".svg", *QUICK]) == 0
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", "a cat", "--json", "--best-of", "2", *QUICK]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["svg"] == "drawing.svg" and said["seed"] in (0, 1) and not said["stopped"]
    assert said["settings"]["steps"] == 4 and said["settings"]["seeds_tried"] == 2


def test_a_drawing_can_be_continued_from_its_svg(tmp_path: Path) -> None:
    all_seen = ["--no-tidy", "--freeze", "colour"]  # what fades to nothing is not read again
    assert run(["draw", "a cat", *all_seen, *QUICK]) == 0
    more = ["--init", "drawing.svg", "--lock", "--out", "more.svg"]
    assert run(["draw", "a cat", *all_seen, *QUICK, *more]) == 0
    first = read_svg(tmp_path / "drawing.svg", (64, 64))
    both = read_svg(tmp_path / "more.svg", (64, 64))
    assert both.count == 12
    np.testing.assert_allclose(both.points[: len(first.points)], first.points, atol=0.01)


@pytest.mark.parametrize("kind", [".gif", ".mp4", ".svg"])
def test_a_replay_grows_stroke_by_stroke(tmp_path: Path, kind: str) -> None:
    assert run(["draw", "a cat", *QUICK, "--no-tidy", "--replay", "replay" + kind]) == 0
    data = (tmp_path / ("replay" + kind)).read_bytes()
    if kind == ".gif":
        with Image.open(tmp_path / "replay.gif") as film:
            assert film.n_frames > 3
            film.seek(0)
            bare = np.asarray(film.convert("RGB"))
            film.seek(film.n_frames - 1)
            assert bare.min() > 240 and np.asarray(film.convert("RGB")).min() < 200
    elif kind == ".mp4":
        assert data[4:8] == b"ftyp" and len(data) > 1000
    else:
        assert data.count(b"limner-stroke") > 3 and b"<script" not in data


@pytest.mark.parametrize("kind", [".gif", ".mp4", ".png"])
def test_a_drawing_in_space_turns_round(tmp_path: Path, kind: str) -> None:
    wish = ["draw3d", "a cat", *QUICK, "--no-tidy", "--views", "90: a dog"]
    assert run([*wish, "--turntable", "turn" + kind]) == 0
    strokes = read_svg(tmp_path / "drawing.svg", (64, 64))
    assert strokes.depth is not None and strokes.count == 6
    metadata = read_metadata((tmp_path / "drawing.svg").read_bytes())
    assert metadata is not None and metadata["settings"]["views"] == ["90: a dog"]
    data = (tmp_path / ("turn" + kind)).read_bytes()
    if kind == ".mp4":
        assert data[4:8] == b"ftyp" and len(data) > 1000
        return
    front = np.asarray(Image.open("drawing.png").convert("RGB"), dtype=float)
    with Image.open("turn" + kind) as turn:
        if kind == ".gif":
            assert turn.n_frames == 90 and turn.size == (256, 256)
            pictures = []
            for k in (0, 45):
                turn.seek(k)
                pictures.append(np.asarray(turn.convert("RGB"), dtype=float))
        else:
            assert turn.size == (4 * 256, 2 * 256)
            sheet = np.asarray(turn.convert("RGB"), dtype=float)
            pictures = [sheet[:256, :256], sheet[256:, :256]]
    assert np.abs(pictures[0] - front).mean() < 3, "the first view is not the front"
    mirrored = front[:, ::-1]  # the outline of the back is that of the front, mirrored
    ink = [(p.min(-1) < 250) for p in (pictures[1], mirrored)]
    assert (ink[0] & ink[1]).sum() > 0.9 * ink[1].sum() > 0


def test_a_drawing_in_space_goes_on_from_its_svg(tmp_path: Path) -> None:
    wish = ["draw3d", "a cat", *QUICK, "--no-tidy", "--colour-rate", "0"]
    assert run(wish) == 0
    more = ["--init", "drawing.svg", "--point-rate", "0", "--out", "more.svg"]
    assert run([*wish, *more]) == 0
    first, second = (read_svg(tmp_path / f"{n}.svg", (64, 64)) for n in ("drawing", "more"))
    np.testing.assert_allclose(second.points, first.points, atol=0.001)
    assert first.depth is not None and second.depth is not None
    np.testing.assert_allclose(second.depth, first.depth, atol=0.01)


def test_trace_makes_a_picture_into_strokes(tmp_path: Path) -> None:
    picture = Image.new("RGB", (60, 40), "white")
    picture.paste("blue", (15, 10, 45, 30))
    picture.save("blue.png")
    assert run(["trace", "blue.png", "--strokes", "20", "--steps", "45"]) == 0
    with Image.open("drawing.png") as traced:
        assert traced.size == (240, 160)
        small = np.asarray(traced.convert("RGB").resize((60, 40)), dtype=float)
    assert np.abs(small - np.asarray(picture, dtype=float)).mean() < 15


@pytest.mark.parametrize("kind", ["one.png", "cmyk.jpg", "clear.png", "film.png", "film.webp"])
def test_odd_style_pictures_are_taken_as_they_look(tmp_path: Path, kind: str) -> None:
    """One pixel is a plain colour; ink colours become plain ones; what is transparent is white; of
    a film, the first picture counts."""
    red, lime = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (9, 9), "lime")
    match kind.partition(".")[0]:
        case "one":
            png(kind, (1, 1))
        case "cmyk":
            Image.new("CMYK", (9, 9), (0, 255, 255, 0)).save(kind)
        case "clear":
            Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(kind)
        case "film":
            red.save(kind, save_all=True, append_images=[lime], lossless=True)
    assert run(["style", "a teapot", "--style", kind, "--no-tidy", *QUICK]) == 0
    svg = (tmp_path / "drawing.svg").read_bytes()
    metadata = read_metadata(svg)
    assert metadata is not None
    is_white = kind == "clear.png"  # white paper is no stroke
    assert metadata["settings"]["strokes_kept"] == (6 if is_white else 7)
    if not is_white:
        paper = read_svg(svg, (64, 64)).rgba[0]
        assert paper.tolist() == pytest.approx([1, 0, 0, 1], abs=0.05)


def test_score_ranks_texts(capsys: pytest.CaptureFixture[str]) -> None:
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste("red", (16, 16, 48, 48))
    picture.save("red.png")
    assert run(["score", "red.png", "a red square", "a blue wave", "--json"]) == 0
    chances = json.loads(capsys.readouterr().out)
    assert sum(chances.values()) == pytest.approx(1, abs=1e-4)
    assert chances["a red square"] > chances["a blue wave"]


def test_doctor_says_that_it_can_draw(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rasterizer"].startswith("works") and said["drawing with"].startswith("starter")


def test_models_list_shows_what_is_here_and_what_could_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["starter"]["here"] and not rows["ViT-B-32"]["here"]
    assert rows["FARE2-ViT-L-14"]["licence"] == "MIT"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["draw", ""], "prompt is empty"),
        (["draw", "   "], "prompt is empty"),
        (["draw", "cat", "--steps", "0"], "between 1 and 20000"),
        (["draw", "cat", "--steps", "1e3"], "steps"),
        (["draw", "cat", "--strokes", "99999"], "between 1 and 4096"),
        (["draw", "cat", "--canvas", "8"], "between 16 and 4096"),
        (["draw", "cat", "--canvas", "99999"], "between 16 and 4096"),
        (["draw", "cat", "--canvas", "big"], "no canvas size"),
        (["draw", "cat", "--seed", "-1"], "between 0"),
        (["draw", "cat", "--best-of", "0"], "between 1 and 64"),
        (["draw", "cat", "--model", "nothing"], "no model 'nothing'"),
        (["draw", "cat", "--model", "ViT-B-32"], "limner models pull ViT-B-32"),
        (["draw", "cat", "--model", "starter@0"], "above 0"),
        (["draw", "cat", "--init", "none.png"], "no file none.png"),
        (["draw", "cat", "--init", "text.png"], "text.png"),
        (["draw", "cat", "--init", "huge.png"], "huge.png"),
        (["draw", "cat", "--init", "script.svg"], "script"),
        (["draw", "cat", "--init", "entities.svg"], "entit"),
        (["draw", "cat", "--init", "long.svg"], "commands"),
        (["draw", "cat", "--mask", "text.png"], "text.png"),
        (["draw", "cat", "--mask", "black.png"], "nothing to draw on"),
        (["draw", "cat", "--out", "text.png/drawing.svg"], "drawing"),
        (["draw", "cat", "--replay", "film.avi"], ".avi"),
        (["draw3d", "cat", "--turntable", "turn.svg"], ".gif, .mp4, .png"),
        (["draw3d", "cat", "--turntable", "drawing.png"], "own name, drawing.png"),
        (["draw", "cat", "--out", "film.svg", "--replay", "./film.svg"], "own name, film.svg"),
        (["draw3d", "cat", "--views", "sideways: a dog"], "90: a green leaf"),
        (["draw", "cat", "--nonsense"], "nonsense"),
        (["draw"], "prompt"),
        (["paint"], "paint"),
        (["trace", "text.png"], "text.png"),
        (["style", "a teapot"], "--style"),
        (["style", "a teapot", "--style", "none.png"], "no file none.png"),
        (["style", "a teapot", "--style", "text.png"], "not a PNG, JPEG or WebP"),
        (["style", "a teapot", "--style", "film.gif"], "not a PNG, JPEG or WebP"),
        (["style", "a teapot", "--style", "huge.png"], "50000×50000 pixels, more than 4096"),
        (["style", "a teapot", "--style", "red.png@0"], "above 0"),
        (["style", "a teapot", *(4 * ["--style", "red.png"])], "up to 3"),
        (["score", "text.png", "a"], "text.png"),
        (["models", "add", "text.png"], "--arch"),
        (["models", "pull", "nothing"], "not in the catalogue"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "huge.png").write_bytes(huge_png())
    (tmp_path / "script.svg").write_text(svg("<script>alert(1)</script>"))
    entities = '<!DOCTYPE svg [<!ENTITY a "b">]>' + svg("<text>&a;</text>")
    (tmp_path / "entities.svg").write_text(entities)
    path = "M0 0" + "L1 1" * 1_000_000
    (tmp_path / "long.svg").write_text(svg(f'<path d="{path}" stroke="red"/>'))
    png("black.png", colour="black")
    png("red.png")
    png("film.gif")
    before = left_behind(tmp_path)
    started = time.monotonic()
    assert run(argv) == 2
    seconds = time.monotonic() - started
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and said.err.startswith("limner: "), said.err
    assert words.lower() in said.err.lower()
    assert said.out == "" and left_behind(tmp_path) == before
    assert seconds < 30, "bad input is told before the work"


def svg(inside: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{inside}</svg>'


def huge_png() -> bytes:
    """The header of a PNG of 50,000 by 50,000 pixels, and hardly a pixel behind it."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_ctrl_c_keeps_the_drawing_so_far(tmp_path: Path) -> None:
    """The real program, the real signal."""
    command = [sys.executable, "-m", "limner", "draw", "a cat", "--steps", "20000",
               "--strokes", "8", "--cutouts", "2", "--canvas", "64"]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        assert "clipdraw with starter" in program.stderr.readline()
        time.sleep(3)
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=120)
    assert program.returncode == 130
    metadata = read_metadata((tmp_path / "drawing.svg").read_bytes())
    assert metadata is not None and 0 < metadata["settings"]["steps_done"] < 20000
    assert (tmp_path / "drawing.png").exists()


def test_help_and_version_do_not_wait_for_torch() -> None:
    code = (
        "import sys; from limner.cli import app; app.run(['--help']); print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("False") and "draw" in out.stdout
