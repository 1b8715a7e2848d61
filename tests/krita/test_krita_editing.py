"""Pictures that are edited: shown as they come, answering sliders after the last step, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from artists import Artist, Backend
from paper import PNG, Source
from PyQt5 import QtGui, QtWidgets

from limner.engine.base import Kept, Over, Ready, Said
from limner_front import i18n
from limner_krita import on_canvas, pictures
from limner_krita import preview as preview_module
from limner_krita.preview import Preview
from limner_wire import messages as m
from limner_wire.frames import Buffer
from limner_wire.session import Heard

Until = Callable[..., None]
METHOD = "global_directions"
MISSING = "There is no generator here. Add one from a file: limner models add FILE"


def png(colour: str, size: tuple[int, int] = (64, 48)) -> bytes:
    image = QtGui.QImage(*size, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtGui.QColor(colour))
    return pictures.encoded(image, "")[0]


def shown(preview: Preview) -> str:
    """The colour of the picture that is shown."""
    image = preview.image
    return "" if image is None else QtGui.QColor(image.pixel(2, 2)).name()


def thumbnail(artist: Artist) -> str:
    """The colour of the newest drawing in the list."""
    icon = artist.panel.gallery.item(0).icon().pixmap(64, 64).toImage()
    return QtGui.QColor(icon.pixel(32, 24)).name()


def edits(artist: Artist, backend: Backend, prompt: str = "a person with red hair") -> None:
    """An edit that runs."""
    backend.start()
    artist.is_connected()
    artist.panel.desk.choose(METHOD)
    artist.begins(backend, prompt)


def stays(artist: Artist, backend: Backend) -> None:
    """An edit that has made its last step, and shows a red picture."""
    edits(artist, backend)
    backend.raster(6, png("#ff0000"))
    backend.stay()
    artist.waits_for("Ready to keep")
    artist.until(lambda: shown(artist.panel.preview) == "#ff0000", "the frame")


def slides(artist: Artist, to: float) -> None:
    """Drag the slider of strength so far, from 0 to 1."""
    slider = artist.find("form_strength_slider")
    slider.setSliderDown(True)
    slider.setSliderPosition(round(to * slider.maximum()))
    slider.setSliderDown(False)


def test_it_asks_for_words_and_edits_what_the_canvas_shows(
    artist: Artist, backend: Backend
) -> None:
    backend.start()
    artist.is_connected()
    artist.paper.has_selection = True
    artist.panel.desk.choose(METHOD)
    form = artist.panel.desk.form
    assert form is not None and artist.find("prompt").isVisible()
    artist.until(form.isVisible, "the form")
    assert [n for n, field in form.fields.items() if field.isVisible()] == [
        "steps", "strength", "threshold", "neutral",
    ]  # fmt: skip
    box = artist.find("input_picture")
    assert box.isVisible() and box.currentText() == "what the canvas shows"
    assert [box.itemData(at) for at in range(box.count())] == [
        "nothing", "projection", "layer", "file", "clipboard",
    ]  # fmt: skip
    artist.draws("a person with red hair")
    assert artist.paper.of("snapshot")[0][3] == {"picture": Source.PROJECTION}
    artist.until(lambda: backend.engine.orders, "the order")
    order = backend.engine.orders[-1]
    assert {role: bytes(data) for role, (_mime, data) in order.blobs.items()} == {
        "picture": PNG + b"picture", "mask": PNG + b"mask",
    }  # fmt: skip
    assert order.submit.method == METHOD and order.submit.canvas == (64, 48)


def test_another_picture_is_edited_if_it_is_chosen(artist: Artist, backend: Backend) -> None:
    backend.start()
    artist.is_connected()
    artist.panel.desk.choose(METHOD)
    artist.panel.desk.inputs.choose("picture", "nothing")
    artist.draws("a person with red hair")
    assert artist.sees("said") == "Give it a picture first: “Edit”."
    artist.panel.desk.inputs.choose("picture", "layer")
    artist.draws("a person with red hair")
    assert artist.paper.of("snapshot")[0][3] == {"picture": Source.LAYER}


def test_what_a_method_lacks_is_said_and_nothing_can_be_drawn(
    artist: Artist, backend: Backend
) -> None:
    backend.start()
    artist.is_connected()
    welcome = artist.transport.welcome
    lacking = tuple({**row, "ready": MISSING if row["name"] == METHOD else ""}
                    for row in welcome.methods)  # fmt: skip
    backend.play(backend.engine.hear, Ready("cpu", lacking, welcome.models))
    artist.until(lambda: artist.panel.desk.methods[METHOD].get("ready"), "that it is heard")
    assert artist.find("draw").isEnabled() and not artist.find("missing").isVisible()
    artist.panel.desk.choose(METHOD)
    artist.until(lambda: not artist.find("draw").isEnabled(), "closed")
    assert artist.find("draw").toolTip() == MISSING == artist.sees("missing")
    assert artist.find("missing").isVisible()
    artist.enters("a person with red hair")
    assert artist.panel.job is None and artist.sees("said") == MISSING
    backend.play(backend.engine.hear, Ready("cpu", welcome.methods, welcome.models))
    artist.until(lambda: artist.find("draw").isEnabled(), "open")
    assert not artist.find("missing").isVisible()


def test_frames_are_shown_and_their_credit_comes_back(artist: Artist, backend: Backend) -> None:
    edits(artist, backend)
    for step, colour in enumerate(("#ff0000", "#00ff00", "#0000ff", "#ffff00"), 1):
        backend.raster(step, png(colour))
        artist.until(lambda c=colour: shown(artist.panel.preview) == c, colour)
    assert artist.panel.preview.frames_painted == 4
    assert thumbnail(artist) == "#ffff00"
    backend.finish("cancelled", png=png("#123456"))
    artist.waits_for("Stopped, and kept as it was")
    assert shown(artist.panel.preview) == "#123456"


def test_after_the_last_step_a_slider_is_answered_at_once(artist: Artist, backend: Backend) -> None:
    stays(artist, backend)
    assert artist.sees("figures").endswith("It answers every change, until you keep it.")
    assert artist.sees("pause") == "Pause" and not artist.find("pause").isEnabled()
    assert artist.find("pause").toolTip() == "It has made its last step."
    assert artist.sees("stop") == "Keep this picture" and artist.find("stop").isEnabled()
    assert not artist.find("apply").isVisible() and not artist.find("history").isVisible()
    took = []
    for at, colour in ((0.6, "#00ff00"), (0.7, "#0000ff"), (1.0, "#ffff00")):
        before, begun = len(backend.of(m.Adjust)), time.monotonic()
        slides(artist, at)
        artist.until(lambda n=before: len(backend.of(m.Adjust)) > n, "the change")
        took.append(time.monotonic() - begun)
        change = backend.of(m.Adjust)[-1]
        backend.play(backend.engine.hear, Said(m.Adjusted(change.job, 0, 7, change.params)))
        backend.raster(6, png(colour))
        artist.until(lambda c=colour: shown(artist.panel.preview) == c, colour)
    print("from the slider to the engine:", " ".join(f"{1000 * t:.0f} ms" for t in took))
    assert [c.params for c in backend.of(m.Adjust)] == [
        {"strength": 9.0}, {"strength": 13.0}, {"strength": 25.0},
    ]  # fmt: skip
    assert min(took) < 0.15
    assert artist.sees("state") == "Ready to keep" and len(artist.panel.easel.history) == 1
    assert not artist.find("note_strength").isVisible(), "the picture says it"
    assert artist.panel.job.about()["params"]["strength"] == 25.0


def test_keeping_it_puts_it_on_the_canvas(artist: Artist, backend: Backend) -> None:
    stays(artist, backend)
    artist.click("stop")
    artist.waits_for("Keeping it…")
    artist.until(lambda: backend.of(m.Cancel), "the command")
    assert backend.of(m.Cancel)[0].keep and not artist.paper.of("raster")
    picture = png("#00ff00")
    backend.finish(png=picture)
    artist.waits_for("Done")
    [(data, name, about)] = artist.paper.of("raster")
    assert (data, name) == (picture, "a person with red hair") and about["method"] == METHOD
    assert artist.paper.memory == [about] and "On the canvas" in artist.sees("said")
    assert shown(artist.panel.preview) == "#00ff00"
    assert thumbnail(artist) == "#00ff00"
    artist.click("apply")  # once more
    assert len(artist.paper.of("raster")) == 2


@pytest.mark.parametrize("way", ["shortcut", "thumbnail"])
def test_there_are_other_ways_to_keep_it(artist: Artist, backend: Backend, way: str) -> None:
    stays(artist, backend)
    if way == "shortcut":
        artist.panel.apply()
    else:
        artist.panel.gallery.applied.emit(artist.panel.job.id)
    artist.until(lambda: backend.of(m.Cancel), "the command")
    backend.finish(png=png("#00ff00"))
    artist.until(lambda: artist.paper.of("raster"), "the layer")


def test_kept_elsewhere_it_waits_to_be_applied(artist: Artist, backend: Backend) -> None:
    stays(artist, backend)
    backend.finish(png=png("#00ff00"))  # someone kept it in the page
    artist.waits_for("Done")
    assert not artist.paper.of("raster")
    artist.click("apply")
    assert artist.paper.of("raster")


def test_cancelled_it_leaves_nothing(artist: Artist, backend: Backend) -> None:
    stays(artist, backend)
    artist.click("cancel")
    artist.until(lambda: backend.of(m.Cancel), "the command")
    assert not backend.of(m.Cancel)[0].keep
    backend.play(backend.engine.ended, "cancelled")
    artist.waits_for("Empty paper")
    assert artist.find("history").count() == 0 and not artist.paper.of("raster")
    assert artist.sees("stop") == "Stop and keep"


def test_a_change_that_can_not_be_shown_is_said(artist: Artist, backend: Backend) -> None:
    stays(artist, backend)
    job = artist.panel.job.id
    slides(artist, 1.0)
    artist.until(lambda: backend.of(m.Adjust), "the change")
    for said in (
        m.Adjusted(job, 0, 7, {"strength": 25.0}),
        m.Failed("bad_input", "It asks for nothing.", retryable=True, job=job),
        m.Adjusted(job, 0, 7, {"strength": 4.0}),  # the way back
    ):
        backend.play(backend.engine.hear, Said(said))
    artist.until(lambda: "It asks for nothing." in artist.sees("notices"), "why")
    assert artist.panel.job.confirmed == (7, {"strength": 4.0})
    slides(artist, 0.6)
    artist.until(lambda: len(backend.of(m.Adjust)) == 2, "the next change")
    artist.until(lambda: artist.sees("notices") == "", "that it is forgotten")


def test_it_makes_way_and_its_thumbnail_brings_its_form_back(
    artist: Artist, backend: Backend
) -> None:
    stays(artist, backend)
    first = artist.panel.job
    backend.play(backend.engine.hear, Kept(first.id, "checkpoint", 6, b"state"))
    artist.click("draw")  # “New drawing”: it frees the form
    artist.until(lambda: artist.sees("draw") == "Draw", "the form")
    assert artist.find("history").isVisible()
    artist.panel.desk.choose("clipdraw")
    artist.draws("a cat")
    artist.until(lambda: len(artist.panel.easel.history) == 2, "both")
    backend.play(backend.engine.hear, Over(first.id))  # it has made way
    artist.until(lambda: len(backend.engine.orders) == 2, "the other's turn")
    backend.play(backend.engine.run)
    artist.waits_for("Drawing")
    artist.panel.gallery.chosen.emit(first.id)
    artist.waits_for("Ready to keep")
    assert artist.panel.desk.settings.method == METHOD
    assert artist.find("prompt").currentText() == "a person with red hair"
    slides(artist, 1.0)
    artist.until(lambda: first.confirmed == (7, {"strength": 25.0}), "what it comes back with")
    artist.until(lambda: artist.sees("state") == "1 drawing before this one", "its turn")


def test_on_the_canvas_the_last_picture_is_always_shown(
    artist: Artist, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_canvas, "GAP_MS", 300)
    backend.start()
    artist.is_connected()
    artist.find("on_canvas").click()
    artist.panel.desk.choose(METHOD)
    artist.begins(backend)
    for step, colour in enumerate(("#ff0000", "#00ff00", "#0000ff"), 1):
        backend.raster(step, png(colour))
        artist.until(lambda c=colour: shown(artist.panel.preview) == c, colour)
    artist.until(lambda: artist.paper.previews, "the layer")
    (layer,) = artist.paper.previews

    def newest() -> str:
        return QtGui.QColor(layer.images[-1].pixel(2, 2)).name() if layer.images else ""

    artist.until(lambda: newest() == "#0000ff", "the newest")
    assert len(layer.images) <= 3
    backend.stay()
    artist.waits_for("Ready to keep")
    backend.raster(3, png("#ffff00"))
    artist.until(lambda: newest() == "#ffff00", "what a change came to")
    artist.click("cancel")
    backend.play(backend.engine.ended, "cancelled")
    artist.until(lambda: not layer.is_there, "its end")


def raster(data: bytes, seq: int) -> Heard:
    head = m.RasterFrame("00000000-0000-0000-0000-000000000000", seq, seq, (64, 48), "image/png")
    return Heard(head, {"picture": Buffer("picture", "u8", (len(data),), data)})


def test_unseen_no_picture_is_read(
    app: QtWidgets.QApplication, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_module, "BLIND_MS", 150)
    preview, acknowledged = Preview(), []
    preview.resize(200, 200)
    preview.shown.connect(lambda heard: acknowledged.append(heard.message.seq))
    preview.begin((64, 48), None)
    for seq, colour in ((1, "#ff0000"), (2, "#00ff00")):
        preview.offer(raster(png(colour), seq))
    until(lambda: 2 in acknowledged, "both")
    assert preview.frames_painted == 0
    preview.show()
    until(lambda: shown(preview) == "#00ff00", "what came meanwhile")
    preview.offer(raster(b"no picture", 3))
    until(lambda: 3 in acknowledged, "what is broken is given back too")
    assert shown(preview) == "#00ff00"
    preview.close()


def test_a_picture_grows_with_the_docker(app: QtWidgets.QApplication, until: Until) -> None:
    preview = Preview()
    preview.resize(100, 100)
    preview.show()
    preview.begin((64, 48), None)
    preview.show_picture(png("#ff0000", (512, 384)))
    small: Any = preview.image
    preview.resize(300, 300)
    until(lambda: preview.image.width() > small.width(), "a larger one")
    assert shown(preview) == "#ff0000" and preview.image.width() / preview.image.height() == 4 / 3
    preview.close()


def test_it_speaks_korean_too(artist: Artist, backend: Backend, until: Until) -> None:
    other = Artist(until, language="ko")
    backend.start()
    other.until(lambda: other.find("draw").isEnabled(), "the line")
    other.panel.desk.choose(METHOD)
    other.draws("빨간 머리")
    other.until(lambda: backend.engine.orders, "the order")
    backend.play(backend.engine.run)
    backend.stay()
    other.until(lambda: other.sees("stop") == "이 그림 남기기", "the words")
    assert other.sees("figures").endswith("바꾸는 대로 바로 보여 줍니다.")
    other.leaves()
    i18n.choose("en")
