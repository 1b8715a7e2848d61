"""A picture that is edited with the real backend: live, by its sliders, kept, and thrown away."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from drawing import LOAD_S, MASK, Docker, make_room
from facts import (
    bytes_of,
    close,
    is_in_ellipse,
    layer,
    new_document,
    paint,
    picture,
    rgb,
    same,
    select_ellipse,
    tree,
)
from PyQt5.QtCore import QByteArray, Qt
from PyQt5.QtGui import QColor, QImage, QLinearGradient, QPainter

SIZE, BOX = (800, 600), (144, 44, 512, 512)  # of the document, and of the selection
PROMPT = "a red apple"
METHOD, STEPS, CANVAS_PX = "global_directions", 60, 256
ANSWER_S = 2.0  # from a slider to the screen; a machine may do other things too


def with_a_portrait(host: Any) -> Generator[float, None, tuple[Docker, Any]]:
    """The docker, when it can draw, beside a document with a portrait where `BOX` is."""
    host.fill_screen()
    make_room(host)
    docker = Docker(host)
    yield 0.5
    document = new_document(size=SIZE)
    paint_portrait(document, QImage(str(host.folder / "portrait.png")))
    host.app.activeWindow().activeView().canvas().setZoomLevel(1.0)
    yield 0.5
    yield from host.until(lambda: docker.find("draw").isEnabled(), "that it can draw", LOAD_S)
    return docker, document


def run(host: Any) -> Iterator[float]:
    docker, document = yield from with_a_portrait(host)
    docker.choose_method(METHOD)
    yield 0.3
    assert docker.find("input_picture").currentText() == "what the canvas shows"
    docker.set("form_steps", STEPS)
    docker.set("longest", CANVAS_PX)
    host.result["figures"] = {}
    yield from _kept(host, docker, document)
    yield from _thrown_away(host, docker, document)
    yield from _where_it_changed(host, document)
    yield from _as_transparent(host, document)
    close(document)
    yield 0.3


def _kept(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """In a selection: frames, sliders after the last step, one layer, undone and done again."""
    select_ellipse(document, BOX)
    yield 0.5
    before, layers, entries = picture(document), tree(document.rootNode()), host.undo_list()
    docker.type(PROMPT)
    docker.click("draw")
    yield from docker.until_state("Ready to keep", LOAD_S)
    job = docker.panel.job
    host.result["frames"] = docker.panel.preview.frames_painted
    assert job.frames_heard > 3 and job.request.canvas == (CANVAS_PX, CANVAS_PX)
    assert job.uploads.keys() == {"picture", "mask"}, job.uploads
    assert (job.raster[1], job.strokes) == ("image/png", None)
    assert docker.says("figures").endswith("It answers every change, until you keep it.")
    assert docker.says("stop") == "Keep this picture" and not docker.find("pause").isEnabled()
    yield 0.5  # the last step's frame
    took = []
    for share in (0.6, 0.75, 0.9, 1.0):
        took.append((yield from docker.slide("strength", share)))
    host.result["figures"]["answer_ms"] = [round(1000 * t) for t in took]
    assert min(took) < ANSWER_S
    assert docker.panel.job is job and job.step == STEPS, "it is the same drawing"
    assert picture(document) == before and host.undo_list() == entries, "nothing is touched yet"
    host.screenshot("edit")
    shown = QImage.fromData(job.raster[0])
    docker.click("stop")
    yield from host.until(lambda: len(tree(document.rootNode())) > len(layers), "the layer")
    yield 1.0
    assert docker.says("state") == "Done"
    assert tree(document.rootNode()) == [*layers, (PROMPT, "paintlayer", MASK)]
    after = picture(document)
    outside, inside = changed(before, after)
    assert not outside, f"it changed outside the selection, in {outside} rows"
    assert inside > BOX[3] / 2, inside
    same(rgb(after, 400, 300), rgb(shown, CANVAS_PX // 2, CANVAS_PX // 2))
    added = host.undo_list()[len(entries) :]
    host.result["undo"] = added
    assert host.undo_list()[: len(entries)] == entries and 1 <= len(added) <= 2, added
    assert document.activeNode().name() == "Background"
    host.screenshot("edit-kept")
    for _ in added:
        yield from host.trigger("edit_undo", 0.5)
    assert tree(document.rootNode()) == layers and picture(document) == before
    for _ in added:
        yield from host.trigger("edit_redo", 0.5)
    assert picture(document) == after
    for _ in added:
        yield from host.trigger("edit_undo", 0.5)


def _thrown_away(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """The whole canvas, shown on it while it forms; then cancelled: nothing is left."""
    document.setSelection(None)
    yield 0.3
    before, layers, entries = picture(document), tree(document.rootNode()), host.undo_list()
    history = docker.find("history").count()
    docker.find("on_canvas").click()
    docker.click("draw")
    yield from docker.until_state("Ready to keep", LOAD_S)
    assert docker.panel.job.request.canvas == (CANVAS_PX, 192)
    assert docker.panel.job.uploads.keys() == {"picture"}
    yield from docker.slide("strength", 0.2)
    yield 1.0
    want = QImage.fromData(docker.panel.job.raster[0])
    same(rgb(picture(document), 400, 300), rgb(want, CANVAS_PX // 2, 96))
    host.screenshot("edit-on-canvas")
    docker.click("cancel")
    yield from docker.until_state("Empty paper")
    yield 1.0
    assert tree(document.rootNode()) == layers and picture(document) == before
    assert host.undo_list() == entries, host.undo_list()
    assert docker.find("history").count() == history
    docker.find("on_canvas").click()


def _as_transparent(host: Any, document: Any) -> Iterator[float]:
    """What comes of a layer is as transparent as the layer; of nothing, nothing is made."""
    from limner_krita import document as limner
    from limner_wire.errors import LimnerError

    sketch = document.createNode("sketch", "paintlayer")
    document.rootNode().addChildNode(sketch, None)
    yield 0.5
    document.setActiveNode(sketch)
    yield 0.3
    nothing, wanted = limner.Source.NOTHING, {"picture": limner.Source.LAYER}
    try:
        limner.take_snapshot(nothing, nothing, 200, wanted)
    except LimnerError as problem:
        assert "There is nothing on the layer “sketch”." in str(problem)
    else:
        raise AssertionError("it was not refused")
    sketch.setPixelData(QByteArray(bytes((0, 0, 255, 255)) * (400 * 600)), 0, 0, 400, 600)
    document.refreshProjection()
    yield 0.3
    snapshot = limner.take_snapshot(nothing, nothing, 200, wanted)
    assert snapshot.canvas == (200, 150)
    blue = QImage(200, 150, QImage.Format_RGB32)
    blue.fill(QColor(0, 0, 255))
    limner.apply_raster(snapshot, _png(host, blue), "blue", {"method": METHOD})
    yield 1.0
    pixels = bytes(layer(document, "blue").pixelData(0, 300, 800, 1))
    assert pixels[:4] == bytes((255, 0, 0, 255)) and pixels[-4:] == bytes(4), pixels[-4:]


def _where_it_changed(host: Any, document: Any) -> Iterator[float]:
    """What was left alone is not painted over, however coarse the picture is that came back."""
    from limner_krita import document as limner

    before, wanted = picture(document), {"picture": limner.Source.PROJECTION}
    snapshot = limner.take_snapshot(limner.Source.NOTHING, limner.Source.NOTHING, 80, wanted)
    back = QImage.fromData(snapshot.inputs["picture"][0])
    painter = QPainter(back)
    painter.fillRect(20, 10, 40, 30, QColor(0, 0, 255))
    painter.end()
    limner.apply_raster(snapshot, _png(host, back), "box", {"method": METHOD})
    yield 1.0
    after = picture(document)
    same(rgb(after, 400, 250), (0, 0, 255))
    for x in range(0, 800, 7):
        for y in range(0, 600, 7):
            is_near = 190 <= x < 610 and 90 <= y < 410  # ten pixels to one
            assert is_near or after.pixel(x, y) == before.pixel(x, y), (x, y)


def paint_portrait(document: Any, portrait: QImage) -> None:
    """Something to look at, all over the background; where the selection will be, the portrait."""
    image = QImage(*SIZE, QImage.Format_ARGB32)
    sky = QLinearGradient(0, 0, *SIZE)
    sky.setColorAt(0, QColor("#f2c14e"))
    sky.setColorAt(1, QColor("#264653"))
    painter = QPainter(image)
    painter.fillRect(image.rect(), sky)
    smooth = portrait.scaled(*BOX[2:], transformMode=Qt.SmoothTransformation)
    painter.drawImage(BOX[0], BOX[1], smooth)
    painter.end()
    paint(document, image)


def changed(before: QImage, after: QImage) -> tuple[int, int]:
    """In how many rows it is not what it was outside the selection, and inside."""
    old, new = bytes_of(before), bytes_of(after)
    outside = inside = 0
    for y in range(SIZE[1]):
        row = [x for x in range(SIZE[0]) if is_in_ellipse(BOX, x + 0.5, y + 0.5)]
        begin, end = (4 * (y * SIZE[0] + x) for x in ((row[0], row[-1] + 1) if row else (0, 0)))
        first, last = 4 * y * SIZE[0], 4 * (y + 1) * SIZE[0]
        inside += old[begin:end] != new[begin:end]
        outside += old[first:begin] != new[first:begin] or old[end:last] != new[end:last]
    return outside, inside


def _png(host: Any, image: QImage) -> bytes:
    path = host.folder / "blue.png"
    image.save(str(path))
    data: bytes = path.read_bytes()
    path.unlink()  # it is no screenshot
    return data
