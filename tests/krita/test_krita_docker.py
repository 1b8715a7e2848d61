"""The docker against a real server: what the artist does, and what they then see."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from artists import SVG, Artist, Backend
from paper import PNG, Source
from PyQt5 import QtGui, QtWidgets

from limner.engine.base import Said
from limner_front import i18n
from limner_krita import pictures
from limner_wire import messages as m
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.strokes import Stroke, Strokes

Until = Callable[..., None]
FRAMES = 25


def test_a_drawing_from_prompt_to_layer(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend)
    assert backend.engine.orders[-1].submit.params == {"prompt": "a cat"}  # nothing untouched
    for step in range(1, FRAMES + 1):
        backend.play(backend.engine.progress, step)
        backend.play(backend.engine.frame, step, float(step))
        artist.until(lambda at=step: artist.panel.preview.frames_painted >= at, f"frame {step}")
    artist.until(lambda: f"step {FRAMES} of 100" in artist.sees("figures"), "the figures")
    assert artist.find("chart").isVisible()
    artist.enters("a dog")
    artist.until(lambda: backend.of(m.Adjust), "the change")
    assert backend.of(m.Adjust)[0].params == {"prompt": "a dog"}
    artist.click("stop")
    artist.waits_for("Stopping…")
    artist.until(lambda: backend.of(m.Cancel), "the command")
    assert backend.of(m.Cancel)[0].keep
    backend.finish("cancelled", svg=SVG, png=b"\x89PNG")
    artist.waits_for("Stopped, and kept as it was")
    artist.click("apply")
    [(svg, name, about)] = artist.paper.of("strokes")
    assert svg == SVG and name == "a cat"
    assert (about["method"], about["seed"], about["score"]) == ("clipdraw", 7, 0.25)
    assert artist.paper.memory == [about] and json.dumps(about)
    assert artist.find("history").count() == 1
    assert "a cat" in artist.sees("said")


def test_a_change_in_mid_run_is_confirmed_and_remembered(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend)
    assert not artist.find("form_strokes").isEnabled() and not artist.find("longest").isEnabled()
    assert artist.find("form_ink").isEnabled()
    for value in ("0.1", "0.2", "0.3"):
        artist.types("ink", value)
    artist.until(lambda: backend.of(m.Adjust), "the change")
    assert [c.params for c in backend.of(m.Adjust)] == [{"ink": 0.3}]  # gathered, the last
    job = artist.panel.job
    backend.play(backend.engine.hear, Said(m.Adjusted(job.id, 0, 12, {"ink": 0.3})))
    artist.until(lambda: job.confirmed == (12, {"ink": 0.3}), "the confirmation")
    assert job.about()["params"] == {"prompt": "a cat", "ink": 0.3}
    artist.until(lambda: artist.sees("note_ink") == "from step 12 on", "it is said")


def test_pause_go_on_and_cancel(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend)
    artist.click("pause")
    artist.until(lambda: backend.of(m.Pause), "pause")
    backend.play(backend.engine.state, "paused", 3)
    artist.waits_for("Paused")
    assert artist.sees("pause") == "Go on"
    artist.click("pause")
    artist.until(lambda: backend.of(m.Resume), "resume")
    backend.play(backend.engine.state, "running", 3)
    artist.waits_for("Drawing")
    artist.click("cancel")
    artist.waits_for("Throwing it away…")
    artist.until(lambda: backend.of(m.Cancel), "cancel")
    assert not backend.of(m.Cancel)[0].keep
    job = artist.panel.job.id
    backend.play(backend.engine.ended, "cancelled")
    artist.waits_for("Empty paper")
    assert artist.find("history").count() == 0 and not artist.paper.done[1:]
    artist.until(lambda: backend.play(backend.server.store.job, job) is None, "forgotten")


def test_without_a_backend_it_says_what_to_do(artist: Artist, backend: Backend) -> None:
    artist.until(lambda: artist.sees("link") == "no backend", "the line")
    assert "Start backend" in artist.sees("problem") and "limner serve" in artist.sees("problem")
    assert artist.find("start").isVisible()
    draw = artist.find("draw")
    artist.until(lambda: draw.toolTip() == artist.sees("problem"), "why not")
    assert not draw.isEnabled()
    for name in ("pause", "stop", "cancel", "apply"):
        assert not artist.find(name).isEnabled() and artist.find(name).toolTip().endswith(".")
    backend.start()  # later
    artist.is_connected()
    assert not artist.find("start").isVisible() and not artist.find("problem").isVisible()


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for limner")
def test_a_backend_is_started_from_the_docker(
    artist: Artist, backend: Backend, folder: Path
) -> None:
    program = folder / "limner"
    program.write_text("#!/bin/sh\necho 'The port is taken.'\nexit 2\n")
    program.chmod(0o755)
    artist.settings.limner = str(program)
    artist.until(lambda: artist.sees("link") == "no backend", "the line")
    artist.click("start")
    artist.until(lambda: "did not start: The port is taken." in artist.sees("problem"), "why")
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    artist.click("start")
    artist.until(lambda: artist.sees("problem") == "The backend is starting…", "that it starts")
    assert artist.sees("start") == "Stop backend"
    backend.start()
    artist.is_connected()
    artist.click("start")  # stop the one of ours
    artist.until(lambda: not artist.starter.is_running, "its end")


def test_a_backend_that_dies_and_comes_back(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend)
    backend.play(backend.engine.keep, 5)
    backend.play(backend.engine.progress, 6)
    job = artist.panel.job
    artist.until(lambda: job.step == 6, "the step")
    backend.stop()
    artist.until(lambda: artist.sees("link") != "connected", "that it is gone")
    artist.until(lambda: artist.find("problem").isVisible(), "words")
    artist.until(lambda: not artist.find("stop").isEnabled(), "that it can't be commanded")
    assert artist.find("stop").toolTip() == "The backend is not connected."
    backend.start()  # on another port
    artist.until(lambda: artist.sees("link") == "connected", "that it is back")
    artist.until(lambda: backend.engine.orders, "the job, taken up again")
    assert backend.engine.job == job.id
    backend.play(backend.engine.run)
    artist.waits_for("Drawing")
    backend.play(backend.engine.frame, 7)
    artist.until(lambda: job.frames_heard >= 1, "a frame")
    backend.finish(svg=SVG, png=b"\x89PNG")
    artist.waits_for("Done")
    assert [j.id for j in artist.panel.easel.history] == [job.id]


def test_the_form_is_freed_for_the_next_drawing(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend, "a cat")
    first = artist.panel.job
    assert artist.sees("draw") == "New drawing"
    artist.click("draw")
    artist.until(lambda: artist.sees("draw") == "Draw", "the form is free")
    assert artist.find("form_strokes").isEnabled()
    artist.draws("a dog")
    artist.until(lambda: len(artist.panel.easel.history) == 2, "both")
    second = artist.panel.job
    artist.waits_for("1 drawing before this one")
    backend.finish(svg=SVG, png=b"\x89PNG")  # the first
    artist.until(lambda: first.is_over and len(backend.engine.orders) == 2, "the next begins")
    artist.panel.gallery.chosen.emit(first.id)
    artist.waits_for("Done")
    artist.click("apply")
    assert artist.paper.of("strokes")[0][1] == "a cat"
    assert not second.is_over


@pytest.mark.parametrize("prompt", ["", "   "])
def test_nothing_is_asked_for_without_words(artist: Artist, backend: Backend, prompt: str) -> None:
    backend.start()
    artist.is_connected()
    artist.draws(prompt)
    assert artist.sees("said") == "Say what to draw." and artist.panel.job is None


def test_a_document_that_can_not_be_drawn_on(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.paper.wrong = "No document is open."
    artist.until(lambda: artist.sees("link") == "connected", "connected")
    artist.until(lambda: artist.find("draw").toolTip() == "No document is open.", "why not")
    assert not artist.find("draw").isEnabled()
    artist.paper.wrong = ""
    artist.is_connected()
    artist.paper.refusal = LimnerError(ErrorCode.BAD_INPUT, "The selection is empty.", "Select.")
    artist.draws("a cat")
    assert artist.sees("said") == "The selection is empty. Select." and artist.panel.job is None


def test_inputs_come_from_the_document_and_the_selection(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.is_connected()
    artist.paper.has_selection = True
    over = artist.find("input_over")
    over.setCurrentIndex(over.findData("projection"))
    over.activated.emit(over.currentIndex())
    artist.draws("a moon")
    [(over_source, init_source, longest_px, extra)] = artist.paper.of("snapshot")
    assert (over_source, init_source) == (Source.PROJECTION, Source.NOTHING) and not extra
    assert longest_px == artist.settings.longest_px
    artist.until(lambda: backend.engine.orders, "the order")
    blobs = backend.engine.orders[-1].blobs
    assert {role: bytes(data) for role, (_mime, data) in blobs.items()} == {
        "over": PNG + b"over",
        "mask": PNG + b"mask",
    }


def test_a_method_without_a_mask_is_sent_none(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.is_connected()
    artist.paper.has_selection = True
    chooser = artist.find("methods")
    chooser.setCurrentIndex(chooser.findData("trace"))
    artist.until(lambda: not artist.find("prompt").isVisible(), "no words")
    artist.click("draw")
    assert artist.sees("said") == "Give it a picture first: “Begin from”."
    artist.panel.desk.inputs.choose("init", "layer")
    artist.click("draw")
    artist.until(lambda: backend.engine.orders, "the order")
    assert list(backend.engine.orders[-1].blobs) == ["init"]
    assert backend.engine.orders[-1].submit.params == {}


def test_a_picture_from_a_file(artist: Artist, backend: Backend, folder: Path) -> None:
    backend.start()
    artist.is_connected()
    path = folder / "style.bmp"
    QtGui.QImage(40, 30, QtGui.QImage.Format.Format_RGB32).save(str(path))
    artist.panel.desk.inputs.take_file("over", path)
    artist.draws("a cat")
    artist.until(lambda: backend.engine.orders, "the order")
    mime, data = backend.engine.orders[-1].blobs["over"]
    assert mime == "image/png" and bytes(data).startswith(b"\x89PNG")
    with pytest.raises(LimnerError, match="can’t be read"):
        pictures.from_file(folder / "no.png", "over")


def test_a_result_without_strokes_becomes_a_paint_layer(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend)
    backend.finish(png=b"\x89PNG-raster")
    artist.waits_for("Done")
    artist.click("apply")
    assert artist.paper.of("raster")[0][:2] == (b"\x89PNG-raster", "a cat")
    assert not artist.paper.of("strokes")


def test_strokes_can_be_applied_as_a_picture(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend)
    backend.finish(svg=SVG, png=b"\x89PNG")
    artist.waits_for("Done")
    artist.click("apply_picture")
    assert artist.paper.of("raster") and not artist.paper.of("strokes")


def test_what_can_not_be_applied_is_said(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend)
    backend.finish(svg=SVG, png=b"\x89PNG")
    artist.waits_for("Done")
    artist.paper.refusal = LimnerError(ErrorCode.BAD_INPUT, "The document is closed.", "Open it.")
    artist.click("apply")
    assert artist.sees("said") == "The document is closed. Open it." and not artist.paper.memory
    artist.paper.wrong = "No document is open."
    artist.until(lambda: not artist.find("apply").isEnabled(), "closed")
    assert artist.find("apply").toolTip() == "No document is open."


def test_a_job_that_fails_says_why(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.begins(backend)
    job = artist.panel.job.id
    failed = m.Failed("oom", "There is too little memory.", "Use fewer strokes.", job=job, seq=1)
    backend.play(backend.engine.hear, Said(failed))
    artist.waits_for("It did not work")
    assert "There is too little memory. Use fewer strokes." in artist.sees("notices")
    assert not artist.find("apply").isEnabled()


def test_what_the_backend_refuses_is_said_in_its_words(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.is_connected()
    artist.panel.desk.form.fields["palette"].write(["#000000"] * 65)
    artist.draws("a cat")
    artist.waits_for("It did not work")
    assert "palette may have 64 entries" in artist.sees("notices")


def test_the_preview_on_the_canvas_goes_away_at_the_end(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.is_connected()
    artist.find("on_canvas").click()
    artist.begins(backend)
    stroke = Stroke([(8, 8), (20, 8), (40, 30), (50, 40)], 6.0, (255, 0, 0, 255))
    for step in range(1, 4):
        backend.frame(step, Strokes.of([stroke], (64, 48)))
        artist.until(lambda at=step: artist.panel.preview.frames_painted >= at, "a frame")
    artist.until(lambda: artist.paper.previews and artist.paper.previews[0].images, "the layer")
    image = artist.paper.previews[0].images[0]
    assert (image.width(), image.height()) == (400, 300)
    assert image.pixelColor(50, 50).red() == 255 and image.pixelColor(390, 10).alpha() == 0
    backend.finish(svg=SVG, png=b"\x89PNG")
    artist.waits_for("Done")
    assert [layer.is_there for layer in artist.paper.previews] == [False]


def test_enter_in_the_prompt_draws(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.is_connected()
    artist.enters("a red apple")
    artist.until(lambda: backend.engine.orders, "the order")
    assert artist.panel.job.prompt == "a red apple"
    backend.play(backend.engine.run)
    artist.waits_for("Drawing")
    assert len(artist.panel.easel.history) == 1 and not backend.of(m.Adjust)


def test_a_drawing_of_the_list_gives_its_settings(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.is_connected()
    artist.types("strokes", "17")
    artist.begins(backend, "a cat")
    backend.finish(svg=SVG, png=b"\x89PNG")
    artist.waits_for("Done")
    artist.until(lambda: not artist.panel.gallery.item(0).icon().isNull(), "its picture")
    artist.panel.desk.form.write({})
    artist.find("prompt").setEditText("")
    first = artist.panel.job.id
    artist.panel.gallery.used.emit(first)
    assert artist.find("form_strokes").text() == "17"
    assert artist.find("prompt").currentText() == "a cat"
    artist.panel.gallery.removed.emit(first)
    assert artist.find("history").count() == 0 and artist.panel.job is None
    artist.panel._fill_remembered()  # nothing was applied
    assert [a.text() for a in artist.panel._remembered.menu().actions()][-1] == "none yet"


def test_a_later_role_has_its_choice(artist: Artist, folder: Path) -> None:
    inputs = artist.panel.desk.inputs
    inputs.build(["style", "init"], ["style"])
    box = artist.find("input_style")
    assert [box.itemData(i) for i in range(box.count())] == [
        "nothing", "layer", "projection", "file", "clipboard",
    ]  # fmt: skip
    assert inputs.problem() == "Give it a picture first: “In the style of”."
    inputs.choose("style", "layer")
    assert inputs.given().sources == {"style": "layer"} and not inputs.problem()
    snapshot = artist.panel.easel.snapshot(inputs.given(), 224)
    assert list(snapshot.inputs) == ["style"]
    assert artist.paper.of("snapshot")[0][3] == {"style": Source.LAYER}
    clipboard = QtWidgets.QApplication.clipboard()
    clipboard.clear()
    inputs.choose("style", "clipboard")
    with pytest.raises(LimnerError, match="no picture on the clipboard"):
        inputs.given()
    clipboard.setImage(QtGui.QImage(30, 20, QtGui.QImage.Format.Format_RGB32))
    mime, data = reversed(inputs.given().files["style"])
    assert mime == "image/png" and QtGui.QImage.fromData(data).width() == 30
    sketch = folder / "sketch.svg"
    sketch.write_bytes(SVG)
    inputs.take_file("init", sketch)
    assert inputs.given().files["init"] == (SVG, "image/svg+xml")


def test_a_layer_is_taken_up_again(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.is_connected()
    artist.panel._continue_layer()
    assert "was not drawn by Limner" in artist.sees("said")
    artist.paper.about = {
        "prompt": "a boat", "seed": 3,
        "settings": {"method": "clipdraw", "prompt": "a boat", "seed": 3, "strokes": 12,
                     "freeze": ["width"], "models": ["starter"], "steps_done": 250},
    }  # fmt: skip
    artist.panel._continue_layer()
    assert artist.find("prompt").currentText() == "a boat"
    artist.click("draw")
    artist.until(lambda: backend.engine.orders, "the order")
    submit = backend.engine.orders[-1].submit
    assert submit.params == {"prompt": "a boat", "seed": 3, "strokes": 12, "freeze": ["width"]}
    assert artist.paper.of("snapshot")[0][1] is Source.STROKES
    assert list(backend.engine.orders[-1].blobs) == ["init"]


def test_the_settings_are_remembered(artist: Artist, backend: Backend, until: Until) -> None:
    backend.start()
    artist.is_connected()
    artist.types("strokes", "33")
    artist.find("longest").setValue(256)
    artist.begins(backend, "a castle")
    artist.panel.desk._saving.timeout.emit()
    other = Artist(until)
    other.is_connected()
    assert other.settings.prompts == ["a castle"] and other.settings.longest_px == 256
    assert other.find("prompt").itemText(0) == "a castle" and other.find("prompt").count() == 1
    assert other.find("form_strokes").text() == "33"
    other.leaves()


def test_it_speaks_korean(artist: Artist, backend: Backend, until: Until) -> None:
    assert i18n.choose("ko_KR") == "ko"
    other = Artist(until, language="ko_KR")
    assert other.sees("draw") == "그리기" and other.sees("pause") == "잠시 멈춤"
    other.leaves()
    assert i18n.choose("xx") == "en"


def test_diagnostics_hold_no_secret(artist: Artist, backend: Backend, folder: Path) -> None:
    backend.start()
    artist.is_connected()
    token = (folder / "token").read_text()
    artist.starter._say(f"page: http://127.0.0.1/#ticket=abc-DEF {token}")
    text = artist.panel.link.diagnostics()
    assert token not in text and "abc-DEF" not in text
    for word in ("Limner for Krita: 0.1.0", "Krita: 5.1.5", "limner/0.1.0", "starter", "ready"):
        assert word in text
