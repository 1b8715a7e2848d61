"""A picture is imagined with the real backend, into a selection; and two layers are blended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drawing import LOAD_S, MASK, Docker
from editing import BOX, SIZE, changed, with_a_portrait
from facts import close, layer, picture, rgb, same, select_ellipse, tree
from PyQt5.QtCore import QByteArray
from PyQt5.QtGui import QImage

PROMPT, STEPS, CANVAS_PX = "a red apple", 200, 128
INK = (0, 80, 200)


def run(host: Any) -> Iterator[float]:
    docker, document = yield from with_a_portrait(host)
    yield from _chosen(host, docker)
    docker.set("longest", CANVAS_PX)
    yield from _imagined(host, docker, document)
    yield from _blended(host, docker, document)
    close(document)
    yield 0.3


def _chosen(host: Any, docker: Docker) -> Iterator[float]:
    """One list of all methods, with a line between two families."""
    chooser = docker.find("methods")
    names = [chooser.itemData(at) for at in range(chooser.count())]
    lines = [at for at, name in enumerate(names) if name is None]
    host.result["methods"] = names
    assert len(lines) == 2 and names[lines[1] + 1] == "imagine", names
    docker.choose_method("imagine")
    yield 0.3
    assert docker.find("input_picture").currentText() == "what the canvas shows"
    chooser.showPopup()
    yield 0.5
    host.screenshot("methods")
    chooser.hidePopup()


def _imagined(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """In a selection: it forms look by look, is held, answers, and is one layer when kept."""
    select_ellipse(document, BOX)
    yield 0.5
    before, layers, entries = picture(document), tree(document.rootNode()), host.undo_list()
    docker.set("form_steps", STEPS)
    docker.type(PROMPT)
    docker.click("draw")
    yield from docker.until_state("Drawing", LOAD_S)
    job = docker.panel.job
    assert job.uploads.keys() == {"picture", "mask"}, job.uploads
    yield from docker.until_changed(3)
    docker.click("pause")
    yield from docker.until_state("Paused")
    held = job.step
    docker.click("pause")
    yield from docker.until_state("Ready to keep", LOAD_S)
    assert 0 < held < job.step
    yield 0.5  # the last step's frame
    shown = job.raster[0]
    yield from docker.slide("guidance", 0.9)
    yield from docker.until_state("Ready to keep", LOAD_S)
    yield 0.5
    assert job.raster[0] != shown, "the slider does nothing"
    assert picture(document) == before and host.undo_list() == entries, "nothing is touched yet"
    host.screenshot("imagine")
    docker.click("stop")
    yield from host.until(lambda: len(tree(document.rootNode())) > len(layers), "the layer")
    yield 1.0
    assert docker.says("state") == "Done"
    assert tree(document.rootNode()) == [*layers, (PROMPT, "paintlayer", MASK)]
    after, result = picture(document), QImage.fromData(job.result.png)
    outside, inside = changed(before, after)
    assert not outside, f"it changed outside the selection, in {outside} rows"
    assert inside > BOX[3] / 2, inside
    same(rgb(after, 400, 300), rgb(result, result.width() // 2, result.height() // 2))
    host.screenshot("imagine-kept")
    for _ in host.undo_list()[len(entries) :]:
        yield from host.trigger("edit_undo", 0.5)
    assert tree(document.rootNode()) == layers and picture(document) == before


def _blended(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """The canvas with a layer that is chosen by its name, all the way to it."""
    document.setSelection(None)
    ink = document.createNode("ink", "paintlayer")
    document.rootNode().addChildNode(ink, None)
    document.waitForDone()
    yield 0.5  # before Krita shows the layer, it has no place for what is said of it
    ink.setPixelData(QByteArray(bytes((*INK[::-1], 255)) * (SIZE[0] * SIZE[1])), 0, 0, *SIZE)
    document.refreshProjection()
    yield 0.3
    ink.setVisible(False)
    document.refreshProjection()
    yield 0.5
    docker.choose_method("blend")
    yield 0.3
    docker.click("draw")
    assert docker.says("said") == "Give it a picture first: “Blend with”."
    assert not docker.find("input_other2").isVisible()
    box = docker.find("input_other")
    box.showPopup()
    box.hidePopup()
    names = [box.itemText(at) for at in range(box.count())]
    docker.choose("other", box.itemData(names.index("layer: ink")))
    assert docker.find("input_other2").isVisible()
    assert not docker.find("form_second").isVisible()
    count = len(tree(document.rootNode()))
    docker.click("draw")
    yield from docker.until_state("Ready to keep", LOAD_S)
    job = docker.panel.job
    assert job.uploads.keys() == {"picture", "other"}, job.uploads
    yield from docker.slide("at", 1.0)
    yield from docker.until_state("Ready to keep", LOAD_S)
    yield 0.5
    host.screenshot("blend")
    docker.click("stop")
    yield from host.until(lambda: len(tree(document.rootNode())) > count, "the layer")
    yield 1.0
    added = tree(document.rootNode())[-1]
    assert added[1] == "paintlayer", added
    host.result["blended"] = added[0]
    have = rgb(picture(document), 400, 300)
    assert all(abs(a - b) < 40 for a, b in zip(have, INK, strict=True)), have
    assert layer(document, "ink").visible() is False
