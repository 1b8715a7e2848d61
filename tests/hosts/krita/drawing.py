"""An artist's afternoon in Krita with the real backend, by the docker's own widgets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from facts import (
    WHITE,
    bytes_of,
    close,
    inked,
    is_in_ellipse,
    layer,
    new_document,
    picture,
    rgb,
    select_ellipse,
    tree,
)
from measure import Ages, Stalls
from PyQt5.QtCore import QByteArray, Qt
from PyQt5.QtGui import QColor, QImage, QInputMethodEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QDockWidget, QLabel, QWidget

BOX = (144, 44, 512, 512)  # of the selection, on 800 × 600
PROMPT, CHANGED = "an apple", "a red apple"
FRAMES, FIGURES_S = 20, 10.0
MASK = [("Selection", "transparencymask", [])]
KOREAN = "빨간 사과"
LOAD_S = 120.0  # a backend that starts, on a busy machine


class Docker:
    """The docker as the artist has it."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.window = host.app.activeWindow().qwindow()
        self.panel: Any = self.find("panel")

    def find(self, name: str) -> Any:
        found = self.window.findChild(QWidget, f"limner_{name}")
        assert found is not None, f"there is no limner_{name}"
        return found

    def says(self, name: str) -> str:
        label: QLabel = self.find(name)
        return str(label.text())

    def is_in_sight(self, name: str) -> bool:
        """Whether it is not scrolled away."""
        return not self.find(name).visibleRegion().isEmpty()

    def click(self, name: str) -> None:
        button = self.find(name)
        assert button.isEnabled(), f"{name}: {button.toolTip()}"
        QTest.mouseClick(button, Qt.LeftButton)

    def type(self, text: str) -> None:
        """Type a prompt as an input method does, which is how Korean comes."""
        line = self.find("prompt").lineEdit()
        line.setFocus()
        line.selectAll()
        commit = QInputMethodEvent()
        commit.setCommitString(text)
        QApplication.sendEvent(line, commit)

    def set(self, name: str, value: Any) -> None:
        """A number of the form."""
        box = self.find(name)
        line = box.lineEdit() if hasattr(box, "lineEdit") else box
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, str(value))
        QTest.keyClick(line, Qt.Key_Return)

    def choose_method(self, name: str) -> None:
        chooser = self.find("methods")
        chooser.setCurrentIndex(chooser.findData(name))

    def choose(self, role: str, source: str) -> None:
        """Where a picture comes from."""
        box = self.find(f"input_{role}")
        box.setCurrentIndex(box.findData(source))
        box.activated.emit(box.currentIndex())

    def slide(self, name: str, share: float) -> Iterator[float]:
        """Drag a slider so far, until the picture has followed; how long that took."""
        preview, slider = self.panel.preview, self.find(f"form_{name}_slider")
        shown, begun = preview.image.copy(), time.perf_counter()
        slider.setSliderDown(True)
        slider.setSliderPosition(round(share * slider.maximum()))
        slider.setSliderDown(False)
        yield from self.host.until(lambda: preview.image != shown, f"{name} at {share}", LOAD_S)
        return time.perf_counter() - begun

    def until_state(self, words: str, patience_s: float = 60) -> Iterator[float]:
        def is_so() -> bool:
            return words in self.says("state")

        what = f"the state “{words}”"
        yield from self.host.until(is_so, what, patience_s)

    def until_frames(self, count: int) -> Iterator[float]:
        """Until so many more have been painted."""
        begun, preview = self.panel.preview.frames_painted, self.panel.preview
        enough = begun + count
        yield from self.host.until(lambda: preview.frames_painted >= enough, f"{count} frames")

    def until_changed(self, count: int) -> Iterator[float]:
        """Until so many more have been painted, each another picture."""
        seen = set()
        for _ in range(count):
            yield from self.until_frames(1)
            seen.add(bytes_of(self.panel.preview.image))
        assert len(seen) == count, "the picture stays as it is"


def run(host: Any) -> Iterator[float]:
    host.fill_screen()
    make_room(host)
    docker = Docker(host)
    yield 0.5
    yield from host.until(lambda: docker.find("draw").toolTip(), "the backend", LOAD_S)
    document = new_document(size=(800, 600))
    host.app.activeWindow().activeView().canvas().setZoomLevel(1.0)
    yield 0.5
    yield from host.until(lambda: docker.find("draw").isEnabled(), "that it can draw", LOAD_S)
    yield from _first_drawing(host, docker, document)
    yield from _on_the_canvas(host, docker, document)
    document = yield from _saved_and_reopened(host, docker, document)
    yield from _without_the_backend(host, docker)
    yield from _thrown_away(host, docker)
    yield from _as_a_picture(host, docker, document)
    yield from _in_a_style(host, docker, document)
    close(document)
    yield 0.3


def make_room(host: Any) -> None:
    """The docker at the artist's size: the others of its column go."""
    window = host.app.activeWindow().qwindow()
    for docker in host.app.dockers():
        if docker.objectName() in ("PresetDocker", "ColorSelectorNg", "sharedtooldocker"):
            docker.close()
    dockers = {d.objectName(): d for d in window.findChildren(QDockWidget)}
    own = next(d for d in dockers.values() if d.findChild(QWidget, "limner_panel") is not None)
    own.raise_()
    column = [dockers["KisLayerBox"], own]
    window.resizeDocks(column, [200, 760], Qt.Vertical)
    window.resizeDocks([own], [340], Qt.Horizontal)


def _first_drawing(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """From a selection and a prompt: live frames, a change in mid-run, stopped and kept."""
    sketch = document.createNode("sketch", "paintlayer")
    document.rootNode().addChildNode(sketch, None)
    yield 0.5
    document.setActiveNode(sketch)
    select_ellipse(document, BOX)
    yield 0.5
    docker.set("form_steps", 300)
    docker.choose("over", "projection")
    docker.type(PROMPT)
    docker.click("draw")
    yield from docker.until_state("Drawing", LOAD_S)
    job = docker.panel.job
    yield from docker.until_frames(FRAMES)
    yield from host.until(lambda: job.step > 60, "step 60")
    docker.type(CHANGED)
    QTest.keyClick(docker.find("prompt").lineEdit(), Qt.Key_Return)
    said = docker.find("said")
    yield from host.until(lambda: f"{CHANGED}” from step" in said.text(), "the change")
    host.result["adjusted"] = said.text()
    yield from host.until(lambda: job.step > 240, "step 240", LOAD_S)
    host.result["frames"] = docker.panel.preview.frames_painted
    docker.click("stop")
    yield from docker.until_state("Stopped, and kept")


def _on_the_canvas(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """Applied: the layer tree, the shapes, the pixels, the undo history, there and back."""
    before, entries = picture(document), host.undo_list()
    svg = docker.panel.job.result.svg.decode()
    begun = time.perf_counter()
    docker.click("apply")
    held = time.perf_counter() - begun
    name = docker.panel.job.prompt

    def is_there() -> bool:
        found = [n for n in document.topLevelNodes() if n is not None and n.name() == name]
        return bool(found) and found[0].visible() and len(host.undo_list()) == len(entries) + 1

    while not is_there():
        assert time.perf_counter() < begun + 20, (tree(document.rootNode()), host.undo_list())
        yield 0.0
    host.result["figures"] = {}
    host.result["figures"]["apply_ms"] = round(1000 * (time.perf_counter() - begun), 1)
    host.result["figures"]["apply_held_ms"] = round(1000 * held, 1)
    yield 1.0
    names = ["Background", "sketch", name]
    assert [n[0] for n in tree(document.rootNode())] == names, tree(document.rootNode())
    assert tree(document.rootNode())[-1] == (name, "vectorlayer", MASK)
    (group,) = layer(document, name).shapes()
    assert len(group.children()) == svg.count("<path ") > 20
    host.result["strokes"] = len(group.children())
    after = picture(document)
    ink = inked(after)
    assert not {p for p in ink if not is_in_ellipse(BOX, *p, more=2)}, "ink outside the selection"
    inside = sum(is_in_ellipse(BOX, x, y) for x in range(0, 800, 2) for y in range(0, 600, 2))
    host.result["inked"] = round(len(ink) / inside, 3)
    assert len(ink) > inside / 20, "hardly any ink"
    assert host.undo_list() == [*entries, "Add Layer"]
    assert document.activeNode().name() == "sketch"
    assert document.selection().width() == BOX[2]
    host.screenshot("applied")
    host.result["undo_list"] = host.undo_list()
    for want in (names[:-1], names[:-2]):
        yield from host.trigger("edit_undo", 0.5)
        assert [n[0] for n in tree(document.rootNode())] == want, tree(document.rootNode())
        assert picture(document) == before  # the sketch is empty
    for want in (names[:-1], names):
        yield from host.trigger("edit_redo", 0.5)
        assert [n[0] for n in tree(document.rootNode())] == want
    assert picture(document) == after, "redo restores every pixel"
    assert len(layer(document, name).shapes()[0].children()) == svg.count("<path ")


def _saved_and_reopened(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """In the file there are the strokes and the settings; from them one can go on."""
    name = docker.panel.job.prompt
    path, count = str(host.folder / "drawing.kra"), host.result["strokes"]
    before = picture(document)
    assert document.saveAs(path)
    document.waitForDone()
    close(document)
    yield 0.5
    document = host.app.openDocument(path)
    document.setBatchmode(True)
    host.app.activeWindow().addView(document)
    yield 1.0
    host.result["reopened_differs"] = round(_difference(picture(document), before), 2)
    assert host.result["reopened_differs"] < 1  # Krita writes strokes with fewer digits
    found = layer(document, name)
    assert len(found.shapes()[0].children()) == count
    docker.type("something else")
    document.setActiveNode(found)
    yield 0.5
    menu = docker.find("remembered").menu()
    menu.aboutToShow.emit()
    texts = [action.text() for action in menu.actions()]
    assert any(name in text for text in texts), texts
    next(a for a in menu.actions() if a.objectName() == "limner_continue").trigger()
    assert docker.find("prompt").currentText() == name
    about = json.loads(bytes(document.annotation("limner/drawings")))[0]
    assert (about["prompt"], about["method"], about["seed"]) == (name, "clipdraw", 0), about
    host.result["remembered"] = about
    document.setSelection(None)
    yield 0.3
    docker.set("form_steps", 20)
    docker.click("draw")  # from the strokes of that layer
    yield from docker.until_state("Done")
    result = docker.panel.job.result
    host.result["continued"] = {"strokes": result.svg.count(b"<path ")}
    assert docker.panel.job.uploads.keys() == {"init", "over"}, docker.panel.job.uploads
    docker.choose("init", "nothing")
    docker.choose("over", "nothing")
    return document


def _without_the_backend(host: Any, docker: Docker) -> Iterator[float]:
    """It is killed in mid-job, and comes back: the docker says so, and the job is finished."""
    docker.type("a sailboat")
    docker.set("form_strokes", 48)
    docker.set("form_steps", 300)
    docker.click("draw")
    yield from docker.until_state("Drawing", LOAD_S)
    job = docker.panel.job
    yield from host.until(lambda: job.step > 100, "a checkpoint", LOAD_S)
    host.screenshot("drawing")
    yield from host.ask("kill")
    link = docker.find("link")
    yield from host.until(lambda: link.text() != "connected", "that it is gone")
    yield 0.5
    host.result["lost"] = [link.text(), docker.says("problem")]
    assert not docker.find("stop").isEnabled()
    host.screenshot("lost")
    begun = time.monotonic()
    yield from host.ask("serve")
    yield from host.until(lambda: link.text() == "connected", "that it is back", LOAD_S)
    yield from docker.until_state("Done", LOAD_S)
    host.result["figures"]["back_and_done_s"] = round(time.monotonic() - begun, 1)
    assert docker.panel.job is job and job.step == 300


def _thrown_away(host: Any, docker: Docker) -> Iterator[float]:
    """Measured while it is drawn, large and with many strokes; then cancelled: nothing is left."""
    history = docker.find("history").count()
    host.app.activeDocument().setSelection(None)
    docker.type("a fish")
    docker.find("more").click()
    for name, value in (("strokes", 256), ("steps", 2000), ("cutouts", 2)):
        docker.set(f"form_{name}", value)
    docker.set("longest", 512)
    idle = Stalls()
    yield 3.0
    idle.stop()
    docker.click("draw")
    yield from docker.until_state("Drawing")
    yield from docker.until_frames(FRAMES)
    ages, stalls = Ages(docker.panel.preview), Stalls()
    yield FIGURES_S
    stalls.stop()
    host.result["figures"] |= {
        **ages.figures(),
        "idle": idle.figures(),
        "drawing": stalls.figures(),
    }
    assert len(docker.panel.job.strokes) == 256
    docker.click("cancel")
    yield from docker.until_state("Empty paper")
    assert docker.find("history").count() == history


def _as_a_picture(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """In Korean, for the whole canvas; its picture is applied as a paint layer."""
    layers = len(tree(document.rootNode()))
    docker.type(KOREAN)
    for name, value in (("strokes", 64), ("steps", 100), ("cutouts", 8)):
        docker.set(f"form_{name}", value)
    docker.set("longest", 224)
    docker.click("draw")
    yield from docker.until_state("Done")
    job, entries = docker.panel.job, host.undo_list()
    assert job.request.canvas == (224, 168) and job.prompt == KOREAN
    docker.click("apply_picture")
    yield 1.0
    assert host.undo_list() == [*entries, "Add Layer"]
    assert len(tree(document.rootNode())) == layers + 1
    found = layer(document, KOREAN)
    assert found.type() == "paintlayer"
    png = QImage.fromData(job.result.png)
    near = _difference(picture(document), png.scaled(800, 600))
    host.result["picture_differs"] = round(near, 2)
    assert near < 6, near
    assert rgb(picture(document), 2, 2) == WHITE
    host.screenshot("korean")


def _in_a_style(host: Any, docker: Docker, document: Any) -> Iterator[float]:
    """In the look of a layer that is chosen by its name; the second style follows the first."""
    ink = document.createNode("wet ink", "paintlayer")
    document.rootNode().addChildNode(ink, layer(document, "sketch"))
    blue = bytes((200, 80, 0, 255))  # BGRA
    ink.setPixelData(QByteArray(blue * (60 * 40)), 500, 400, 60, 40)
    document.refreshProjection()
    yield 0.5
    docker.choose_method("styleclipdraw")
    yield 0.3
    docker.type("a red apple")
    docker.click("draw")
    assert docker.says("said") == "Give it a picture first: “In the style of”."
    assert not docker.find("input_style2").isVisible()
    box = docker.find("input_style")
    box.showPopup()
    box.hidePopup()
    names = [box.itemText(at) for at in range(box.count())]
    assert "layer: wet ink" in names, names
    docker.choose("style", box.itemData(names.index("layer: wet ink")))
    assert docker.find("input_style2").isVisible()
    assert not docker.find("form_second_style").isVisible()
    docker.set("form_steps", 40)
    docker.click("draw")
    yield from docker.until_state("Done", LOAD_S)
    job = docker.panel.job
    assert job.uploads.keys() == {"style"}, job.uploads
    paper = QImage.fromData(job.result.png)
    host.result["in_a_style"] = rgb(paper, 2, 2)
    host.screenshot("style")


def _difference(have: QImage, want: QImage) -> float:
    """Of two pictures, the mean of all channels' differences, of 255."""
    places = [(x, y) for x in range(4, 796, 12) for y in range(4, 596, 12)]
    total = 0
    for x, y in places:
        over_white = QColor(want.pixelColor(x, y))
        alpha = over_white.alphaF()
        channels = (over_white.red(), over_white.green(), over_white.blue())
        flat = [round(c * alpha + 255 * (1 - alpha)) for c in channels]
        total += sum(abs(a - b) for a, b in zip(rgb(have, x, y), flat, strict=True))
    return total / (3 * len(places))
