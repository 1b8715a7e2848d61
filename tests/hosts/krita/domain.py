"""A generator learns a domain with the real backend: live, by its sliders, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drawing import LOAD_S, Docker, make_room
from facts import close, layer, new_document, paint, picture, rgb, same, tree
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QImage

SIZE, CANVAS = (480, 360), (240, 180)  # of the document, and of what is worked on
PROMPT, SECOND = "a red apple", "a green leaf"
STEPS, FULL = 60, 100 / 150  # and where on its slider the amount is 100
FORM = {"source": "a blue sea", "called": "apples", "steps": STEPS, "rate": 0.02, "fit": 40}


def run(host: Any) -> Iterator[float]:
    host.fill_screen()
    make_room(host)
    docker = Docker(host)
    yield 0.5
    document = new_document(size=SIZE)
    portrait = QImage(str(host.folder / "portrait.png"))
    paint(document, portrait.scaled(*SIZE, transformMode=Qt.SmoothTransformation))
    yield 0.5
    yield from host.until(lambda: docker.find("draw").isEnabled(), "that it can draw", LOAD_S)
    docker.choose_method("nada")
    yield 0.3
    assert docker.find("input_picture").currentText() == "what the canvas shows"
    docker.find("more").click()
    for name, value in (
        ("source", "a blue sea"),
        ("rate", 0.02),
        ("fit", 40),
        ("called", "apples"),
    ):
        docker.set(f"form_{name}", value)
    docker.set("form_steps", STEPS)
    docker.set("longest", CANVAS[0])
    yield from _learned(host, docker, document)
    yield from _kept(host, docker, document)
    yield from _without_a_picture(host, docker, document)
    close(document)
    yield 0.3


def _learned(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """A sheet that changes, held and going on, then by its slider; the document is left alone."""
    before, entries = picture(document), host.undo_list()
    docker.type(PROMPT)
    docker.click("draw")
    yield from docker.until_state("Drawing", LOAD_S)
    job = docker.panel.job
    assert job.uploads.keys() == {"picture"} and job.request.canvas == CANVAS
    yield from docker.until_changed(3)
    docker.click("pause")
    yield from docker.until_state("Paused")
    assert 0 < job.step < STEPS and docker.says("pause") == "Go on"
    docker.click("pause")
    yield from docker.until_state("Drawing")
    yield from docker.until_state("Ready to keep")
    assert job.step == STEPS
    yield 0.5  # the last step's frame
    yield from docker.slide("amount", 0.0)
    _leave(host, "before", job.raster[0])
    yield from docker.slide("amount", FULL)
    _leave(host, "learned", job.raster[0])
    host.result["amount"] = job.request.params["amount"]
    assert picture(document) == before and host.undo_list() == entries, "nothing is touched yet"
    host.screenshot("domain")


def _kept(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """The artist's own picture on one new layer; undone and done again."""
    job, before, layers = docker.panel.job, picture(document), tree(document.rootNode())
    docker.click("stop")
    yield from host.until(lambda: len(tree(document.rootNode())) > len(layers), "the layer")
    yield 1.0
    assert docker.says("state") == "Done"
    assert "The generator is kept as apples" in docker.says("notices")
    assert tree(document.rootNode()) == [*layers, (PROMPT, "paintlayer", [])]
    after, result = picture(document), QImage.fromData(job.result.png)
    _leave(host, "kept", job.result.png)
    same(rgb(after, 240, 180), rgb(result, 120, 90))
    assert rgb(after, 240, 180) != rgb(before, 240, 180)
    host.screenshot("domain-kept")
    assert docker.is_in_sight("state") and docker.is_in_sight("notices")
    yield from host.trigger("edit_undo", 0.5)
    assert tree(document.rootNode()) == layers and picture(document) == before
    yield from host.trigger("edit_redo", 0.5)
    assert picture(document) == after


def _without_a_picture(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """What is kept is the sheet; the generator takes nobody's place."""
    docker.choose("picture", "nothing")
    docker.set("form_steps", 20)
    docker.type(SECOND)
    docker.click("draw")
    yield from docker.until_state("Ready to keep", LOAD_S)
    job, count = docker.panel.job, len(tree(document.rootNode()))
    assert not job.uploads
    docker.click("stop")
    yield from host.until(lambda: len(tree(document.rootNode())) > count, "the sheet's layer")
    yield 1.0
    assert layer(document, SECOND).type() == "paintlayer"
    assert "The generator is kept as apples-2" in docker.says("notices")
    _leave(host, "sheet", job.result.png)
    after, sheet = picture(document), QImage.fromData(job.result.png)
    sheet = sheet.scaled(*SIZE, transformMode=Qt.SmoothTransformation)
    for x, y in ((100, 60), (240, 180), (360, 300)):  # the last is empty
        same(rgb(after, x, y), rgb(sheet, x, y))
    host.screenshot("domain-sheet")


def _leave(host: Any, name: str, data: bytes) -> None:
    """A picture for the test to look at."""
    (host.folder / f"{name}.seen").write_bytes(data)
