"""The extension in a real Blender (the module bpy), against a real `limner serve`.

The zip is built as users get it, installed as Blender installs it, and driven through its
operators by the scripts in `blender/`, which run in a Blender of their own under a time limit. The
module bpy has no windows: what needs one (`draw_view3d`, the panels on a screen) is not here.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sheets
from blender_host import python_ids, pythons
from PIL import Image
from serving import Server
from sheets import SAME, SIZE

from limner import plugins
from limner.models import clip
from limner.pictures import encode_png

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import imaginations
import studios

SCRIPTS = Path(__file__).parent / "blender"
PATIENCE_S = 240
ANSWER_S = 0.5  # from a slider to the pixels: measured 80 to 250 ms, 50 of them to gather changes
Answers = Mapping[str, Callable[[], object]]


@pytest.fixture(params=pythons() or [None], ids=python_ids())
def blender(request: pytest.FixtureRequest) -> Path:
    """Each Blender that there is."""
    if request.param is None:
        why = "no Python with bpy: neither .venv/blender-*, nor named by LIMNER_BPY"
        assert "LIMNER_NEEDS_BLENDER" not in os.environ, why
        pytest.skip(why)
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "data")
    try:
        yield one
    finally:
        one.kill()


def run(blender: Path, script: str, out: Path, answers: Answers, **env: object) -> dict[str, Any]:
    """What a script saw.

    Args:
        answers: what to do when the script asks for it.
    """
    archive = out / "limner-blender.zip"
    archive.write_bytes(plugins.blender())
    (out / "result.json").unlink(missing_ok=True)
    own = {
        "LIMNER_ZIP": archive, "LIMNER_OUT": out, "LIMNER_DATA": out / "data",
        "BLENDER_USER_RESOURCES": out / "blender", "TMPDIR": out, **env,
    }  # fmt: skip
    with (out / "blender.log").open("wb") as log:
        process = subprocess.Popen(
            [blender, SCRIPTS / script], cwd=out, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **{name: str(value) for name, value in own.items()}},
        )  # fmt: skip
        try:
            _attend(process, out, answers)
        finally:
            process.kill()
            process.wait()
    text = (out / "blender.log").read_text("utf-8", "replace")
    assert (out / "result.json").exists(), text[-6000:]
    assert "Traceback" not in text, text[-6000:]
    return json.loads((out / "result.json").read_text("utf-8"))  # type: ignore[no-any-return]


def _attend(process: subprocess.Popen[bytes], out: Path, answers: Answers) -> None:
    end, request = time.monotonic() + PATIENCE_S, out / "request"
    while process.poll() is None:
        assert time.monotonic() < end, f"longer than {PATIENCE_S} s"
        if request.exists() and (wanted := request.read_text("utf-8")):
            request.unlink()
            answers[wanted]()
            (out / "answer").touch()
        time.sleep(0.02)


def test_an_afternoon(blender: Path, server: Server, tmp_path: Path) -> None:
    """From the zip to a drawing that is baked; then, from the saved file, on from it."""
    (tmp_path / "data").mkdir()
    server.serve()
    one = run(blender, "drawing.py", tmp_path, {})
    assert one["why_not_alone"]
    assert one["why_not_empty"] == "Say what to draw."
    assert one["canvas"] == [224, 168]
    assert one["frames"] >= 20 and one["differ"] <= 1e-6 * 224
    step, changes = one["confirmed"]
    assert step > 1 and changes == {"prompt": "a yellow banana"}
    assert one["stays_where_it_was_put"] and one["after_undo"]
    assert one["state"] == "cancelled" and one["differ_at_the_end"] <= 1e-6 * 224
    thing = one["object"]
    assert thing["type"] == "GREASEPENCIL"
    assert thing["prompt"] == "a red apple"  # the undo took the other prompt back, live
    assert thing["seed"] == "3" and thing["about"]["params"]["strokes"] == 64
    assert not one["undone"] and one["redone"] <= 1e-6 * 224
    assert one["second"]["roles"] == ["over"] and one["second"]["frames"] > 1
    assert one["keys"][:3] == [5, 7, 9] and len(one["keys"]) > 5
    assert one["curves"]
    assert one["baked"]["scale"] == pytest.approx([1, 1, 1], abs=1e-6)  # float32
    assert one["baked"]["is_free"]
    assert one["layers"] == ["Paper", "Limner"]
    assert one["space"]["layers"] == ["Limner"]  # what is in space lies on no paper
    assert one["space"]["deep"] > 20 and one["space"]["differ"] <= 1e-6 * 224
    assert one["discarded"] and not one["timer"]
    assert_nothing_is_left(one["left"], one["before"])
    two = run(blender, "again.py", tmp_path, {"kill": server.kill, "serve": server.serve})
    assert ("a white cloud", "done") in [tuple(row) for row in two["earlier"]]
    assert two["why_not"] == "" and two["restored"]["prompt"] == "a white cloud"
    assert two["restored"]["values"]["strokes"] == 24
    assert two["strokes"][0] == two["strokes"][1] and two["apart_px"] < 6
    assert two["away"][0] == "lost" and "not answering" in two["away"][1]
    assert two["why_not_draw"] == two["away"][1]
    assert two["step"] > 5 and two["adopted"][1] == "done"
    assert two["after_load"] == [0, True]
    assert_nothing_is_left(two["left"], one["before"])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a small generator and its directions."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(folder))
        studios.install(folder, clip=clip.load(("starter",))[0].clip)
    return folder


def run_with(
    models: Path, blender: Path, script: str, out: Path, patch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What a script saw, beside a backend that has these models."""
    patch.setenv("LIMNER_MODELS", str(models))
    (out / "data").mkdir()
    server = Server(out / "data")
    server.serve()
    try:
        return run(blender, script, out, {})
    finally:
        server.kill()


def test_a_picture_is_edited(
    blender: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slider answers after the last step; what is kept is one image, and undo takes it away."""
    square = Image.open(io.BytesIO(encode_png(studios.picture(studios.generator()))))
    square.resize((96, 64), Image.Resampling.BICUBIC).save(tmp_path / "portrait.png")
    one = run_with(models, blender, "editing.py", tmp_path, monkeypatch)
    print("from the slider to the pixels:", " ".join(f"{s * 1e3:.0f} ms" for s in one["took_s"]))
    assert one["why_not"] == "Give it a picture first: “Edit”."
    assert one["at_hand"] == "portrait.png" and one["canvas"] == [96, 64]
    assert one["frames"] > 1 and one["differ"] > 0 and one["kinds"] == "image/png"
    assert one["state"] == ["Ready to keep", "It answers every change, until you keep it."]
    assert one["preview"] == one["in_editor"] == "a red apple"
    assert one["in_panel"] == [96, 64]
    assert min(one["took_s"]) < ANSWER_S and min(one["answers_differ"]) > 0
    assert one["drawings"] == 1 and one["step"] == 40 and one["params"]["strength"] == 25
    assert one["why_not_keep"]
    kept, result = one["kept"], np.asarray(Image.open(tmp_path / "result.png"))
    assert kept["images"] == sorted([*one["images"], "a red apple"]) and kept["is_packed"]
    assert (kept["state"], kept["svg"], kept["objects"]) == ("done", 0, [])
    assert kept["why_not_strokes"] == "It is a picture: it has no strokes."
    assert result.shape == (64, 96, 3)
    assert np.array_equal(np.load(tmp_path / "kept.npy"), result)
    assert one["undone"] == one["images"] and one["editor_after_undo"] == "portrait.png"
    assert one["redone"] == kept["images"]
    assert np.array_equal(np.load(tmp_path / "redone.npy"), result)
    assert len(one["while_it_stays"][0]) == len(kept["images"]) + 1
    assert one["thrown"] == [True, "portrait.png", True] and one["after_undo"]
    assert one["stopped"] == ["cancelled", True] and one["discarded"]
    assert one["adopted"] == ["cancelled", [96, 64]]
    assert one["of_camera"] == ["done", ["picture"], [64, 48]]
    assert one["failure"]
    assert_nothing_is_left(one["left"], one["before"])


def test_a_domain_is_learnt(
    blender: Path, models: Path, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sheet that changes, held and slid back; kept: one image, and a generator that paints."""
    one = run_with(shutil.copytree(models, tmp_path / "models"), blender, "domain.py", tmp_path,
                   monkeypatch)  # fmt: skip
    assert one["why_not"] == ""
    assert 0 < one["held"][0] < one["step"] == 60 and not one["held"][1]
    assert one["canvas"] == list(SIZE) and one["uploads"] == ["picture"]
    assert one["in_editor"] == "a red apple" and one["amount"] == 100
    before, learned, kept, sheet = (
        Image.fromarray(np.load(tmp_path / f"{name}.npy"))
        for name in ("before", "learned", "kept", "sheet")
    )
    sheets.slid_back(before, learned, portrait, "apples", studios.NAME)
    assert one["kept"] == ["done", sorted([*one["images"], "a red apple"]), True]
    assert np.array_equal(kept, Image.open(tmp_path / "result.png"))
    assert kept.size == SIZE
    assert sheets.apart(kept, Image.open(portrait).convert("RGB")) > SAME
    assert one["undone"] == one["images"] and one["redone"] == [one["kept"][1], True]
    assert "kept as apples:" in one["notices"][-1]
    sheets.kept("apples", studios.NAME, tmp_path, at=(24, 0))
    uploads, canvas, notices = one["sheet"]
    assert uploads == [] and max(canvas) == 128 and "kept as apples-2:" in notices[-1]
    wanted = sheets.sheet("apples-2", (canvas[0], canvas[1]))
    assert sheets.apart(sheet.resize(wanted.size), wanted) < SAME
    assert one["edited_by"] == ["done", "apples"]
    assert_nothing_is_left(one["left"], one["before"])


def test_a_picture_is_imagined(
    blender: Path, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It forms look by look, answers its slider, and is one image; a blend ends at its picture."""
    imaginations.install(tmp_path / "models")
    one = run_with(tmp_path / "models", blender, "imagining.py", tmp_path, monkeypatch)
    assert one["why_not"] == "" and one["uploads"] == []
    assert 0 < one["held"] < one["step"] and max(one["canvas"]) == 128
    state, names, guidance, in_editor = one["kept"]
    assert (state, guidance, in_editor) == ("done", 12, "portrait.png")  # it takes no one's place
    assert names == sorted([*one["images"], "a red apple"])
    result = np.asarray(Image.open(tmp_path / "result.png").convert("RGB"))
    assert np.array_equal(np.load(tmp_path / "kept.npy"), result)
    assert one["undone"] == one["images"] and one["redone"] == [names, True]
    assert one["why_not_blend"] == "Give it a picture first: “Blend with”."
    assert one["blend"][:2] == ["done", ["other", "picture"]]
    high, wide, _ = np.load(tmp_path / "blend.npy").shape
    square = slice((wide - high) // 2, (wide + high) // 2)
    painted = np.load(tmp_path / "blend.npy")[:, square].mean((0, 1))
    assert np.abs(painted - (0.1 * 255, 0.3 * 255, 0.8 * 255)).mean() < 40
    assert_nothing_is_left(one["left"], one["before"])


def assert_nothing_is_left(left: dict[str, Any], before: dict[str, Any]) -> None:
    """Of threads, sockets, handlers, properties and classes."""
    assert left == before
