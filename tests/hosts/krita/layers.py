"""The document's side alone, in Krita: what is read from it, and what layers are made."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any

from facts import (
    WHITE,
    close,
    inked,
    is_in_ellipse,
    layer,
    line,
    many_strokes,
    new_document,
    picture,
    rgb,
    select_ellipse,
    strokes_svg,
    tree,
)
from PyQt5.QtCore import QBuffer, QByteArray, QIODevice
from PyQt5.QtGui import QColor, QImage

SETTLE_S = 0.4
BOX = (100, 50, 200, 120)
ABOUT = {"method": "clipdraw", "params": {"prompt": "빨간 사과", "seed": 3}}
MASK = [("Selection", "transparencymask", [])]


def run(host: Any) -> Iterator[float]:
    from limner_krita import document as limner

    host.result["figures"] = {}
    for ppi in (72.0, 96.0, 300.0):
        yield from strokes_at(host, limner, ppi)
    for space in (("RGBA", "U16", ""), ("CMYKA", "U8", ""), ("GRAYA", "U8", ""),
                  ("RGBA", "F32", ""), ("RGBA", "U8", "sRGB-elle-V2-g10.icc")):  # fmt: skip
        yield from colours(host, limner, space)
    yield from named(host, limner)
    yield from preview(host, limner)
    yield from memory(host, limner)
    yield from elsewhere(host, limner)
    yield from quickly(host, limner)
    for wait_s in (0.0, 0.02, 0.05, 0.08, 0.11, 0.14, 0.18, 0.22, 0.3):
        yield from closed(host, limner, wait_s)


def strokes_at(host: Any, limner: Any, ppi: float) -> Iterator[float]:
    """Strokes land where they were drawn for, clipped, in one undo entry that restores exactly."""
    document = new_document(ppi=ppi)
    yield SETTLE_S
    select_ellipse(document, BOX)
    yield SETTLE_S
    active, entries = document.activeNode().name(), host.undo_list()
    before = picture(document)
    snapshot = limner.take_snapshot(limner.Source.PROJECTION, limner.Source.NOTHING, 224)
    assert (snapshot.bounds, snapshot.canvas) == (BOX, (224, 134)), snapshot
    assert set(snapshot.inputs) == {"over", "mask"}
    mask = QImage.fromData(snapshot.inputs["mask"][0])
    assert (mask.width(), mask.height()) == snapshot.canvas
    assert rgb(mask, 112, 67) == WHITE and rgb(mask, 2, 2) == (0, 0, 0)
    strokes = line("-40,67 300,67", "#ff0000", 20) + line("112,-50 112,67", "#0000ff", 4)
    strokes += line("160,67 160,67", "#00ff00", 12)  # a dot
    svg = strokes_svg(snapshot.canvas, strokes)
    limner.apply_strokes(snapshot, svg, "a red\napple", ABOUT)
    yield 1.0
    assert tree(document.rootNode())[1:] == [("a red apple", "vectorlayer", MASK)]
    (group,) = layer(document, "a red apple").shapes()
    assert len(group.children()) == 3
    after = picture(document)
    assert rgb(after, 150, 110) == (255, 0, 0), "in the middle of the stroke"
    assert rgb(after, 200, 70) == (0, 0, 255)
    assert rgb(after, BOX[0] + round(160 * BOX[2] / 224), 110) == (0, 255, 0), "a dot is painted"
    assert rgb(after, 150, 130) == WHITE, "the stroke is as wide as it was drawn"
    outside = {p for p in inked(after) if not is_in_ellipse(BOX, *p, more=2)}
    assert not outside, f"{len(outside)} pixels outside the selection"
    assert host.undo_list() == [*entries, "Add Layer"], host.undo_list()
    assert document.activeNode().name() == active
    selection = document.selection()
    assert (selection.x(), selection.y(), selection.width(), selection.height()) == BOX
    for _ in range(2):
        yield from host.trigger("edit_undo")
        assert len(tree(document.rootNode())) == 1
        assert picture(document) == before
        yield from host.trigger("edit_redo")
        assert picture(document) == after
    host.screenshot(f"strokes-{ppi:.0f}")
    close(document)
    yield SETTLE_S


def colours(host: Any, limner: Any, space: tuple[str, str, str]) -> Iterator[float]:
    """Pictures and layers of other models, depths and profiles keep their colours."""
    document = new_document(*space)
    is_grey = space[0] == "GRAYA"
    yield SETTLE_S
    whole = limner.take_snapshot(limner.Source.NOTHING, limner.Source.NOTHING, 200)
    assert whole.bounds == (0, 0, 400, 300) and not whole.inputs
    orange = QColor(200, 100, 50)
    limner.apply_raster(whole, _png(orange, (200, 150)), "flat", ABOUT)
    yield 1.0
    flat = layer(document, "flat")
    assert (flat.colorModel(), flat.colorDepth()) == space[:2]
    assert host.undo_list()[-1] == "Add Layer"
    grey = (130, 130, 130)
    want, near = (grey if is_grey else (200, 100, 50)), (20 if space[0] == "CMYKA" else 2)
    _near(rgb(picture(document), 200, 150), want, near, space)
    document.setActiveNode(flat)
    yield SETTLE_S
    sources = limner.Source.PROJECTION, limner.Source.LAYER
    snapshot = limner.take_snapshot(*sources, 64)
    for role in ("over", "init"):
        seen = QImage.fromData(snapshot.inputs[role][0])
        assert (seen.width(), seen.height()) == (64, 48)
        _near(rgb(seen, 32, 24), want, near, (space, role))
    strokes = strokes_svg(snapshot.canvas, line("0,24 64,24", "#c86432", 10))
    flat.setVisible(False)
    limner.apply_strokes(snapshot, strokes, "line", ABOUT)
    yield 1.0
    _near(rgb(picture(document), 200, 150), want, near, space)
    preview = limner.PreviewLayer(snapshot)
    preview.show(QImage.fromData(_png(orange, (64, 48))))
    yield SETTLE_S
    _near(rgb(picture(document), 200, 20), want, near, (space, "preview"))
    preview.remove()
    close(document)
    yield SETTLE_S


def named(host: Any, limner: Any) -> Iterator[float]:
    """Paint layers by name, in groups too: all of one as a style, the region of it else."""
    document = new_document()
    nothing = limner.Source.NOTHING
    yield SETTLE_S
    group = document.createGroupLayer("group")
    document.rootNode().addChildNode(group, None)
    yield SETTLE_S
    for parent, name in ((group, "ink"), (document.rootNode(), "ink"), (group, "empty")):
        parent.addChildNode(document.createNode(name, "paintlayer"), None)
        yield SETTLE_S
    document.rootNode().addChildNode(document.createVectorLayer("vectors"), None)
    yield SETTLE_S
    ink = group.childNodes()[0]
    red = QByteArray(bytes((0, 0, 255, 255)) * (40 * 30))  # BGRA
    ink.setPixelData(red, 300, 10, 40, 30)  # beside the selection
    document.refreshProjection()
    select_ellipse(document, BOX)
    yield SETTLE_S
    found = limner.paint_layers()
    assert [one.name for one in found] == ["ink", "empty", "ink", "Background"], found
    style, empty = found[2], found[1]
    snapshot = limner.take_snapshot(nothing, style, 224, {"style": style})
    seen = {role: QImage.fromData(data) for role, (data, _kind) in snapshot.inputs.items()}
    assert (seen["style"].width(), seen["style"].height()) == (224, 168)  # as 40 to 30
    assert {rgb(seen["style"], x, y) for x in (0, 223) for y in (0, 167)} == {(255, 0, 0)}
    assert (seen["init"].width(), seen["init"].height()) == snapshot.canvas
    assert seen["init"].pixelColor(112, 67).alpha() == 0, "there is nothing in the region"
    whole = limner.take_snapshot(nothing, nothing, 224, {"style": limner.Source.PROJECTION})
    canvas = QImage.fromData(whole.inputs["style"][0])
    assert (canvas.width(), canvas.height()) == (224, 168)  # not the selection alone
    assert rgb(canvas, 180, 14) == (255, 0, 0) and rgb(canvas, 2, 2) == WHITE
    _refused(lambda: limner.take_snapshot(nothing, nothing, 224, {"style": empty}), "“empty”")
    ink.setName("dry brush")
    assert limner.take_snapshot(nothing, nothing, 224, {"style": style}).inputs["style"]
    assert [one.name for one in limner.paint_layers()][2] == "dry brush"
    ink.remove()
    yield SETTLE_S
    _refused(
        lambda: limner.take_snapshot(nothing, nothing, 224, {"style": style}),
        "There is no layer “ink” in this document any more. Choose another for “In the style of”.",
    )
    shown = limner.PreviewLayer(snapshot)
    yield SETTLE_S
    assert len(limner.paint_layers()) == 3, "what is only shown is no style"
    shown.remove()
    yield SETTLE_S
    close(document)
    yield SETTLE_S
    assert limner.paint_layers() == []


def preview(host: Any, limner: Any) -> Iterator[float]:
    """A preview layer comes, shows, is not drawn over, and goes without a trace."""
    document = new_document()
    yield SETTLE_S
    select_ellipse(document, BOX)
    yield SETTLE_S
    entries, before, active = host.undo_list(), picture(document), document.activeNode().name()
    sources = limner.Source.PROJECTION, limner.Source.NOTHING
    snapshot = limner.take_snapshot(*sources, 224)
    shown = limner.PreviewLayer(snapshot)
    for colour in ("red", "green", "blue"):
        shown.show(QImage.fromData(_png(QColor(colour), snapshot.canvas)))
        yield 0.3
    seen = picture(document)
    assert rgb(seen, 200, 110) == (0, 0, 255) and rgb(seen, 20, 20) == WHITE
    assert tree(document.rootNode())[1][1] == "paintlayer"
    assert document.activeNode().name() == active
    again = limner.take_snapshot(*sources, 224)
    assert again.inputs["over"] == snapshot.inputs["over"], "the preview is not drawn over"
    assert rgb(picture(document), 200, 110) == (0, 0, 255), "and is seen again"
    shown.remove()
    yield SETTLE_S
    assert len(tree(document.rootNode())) == 1 and picture(document) == before
    host.result["preview_left"] = host.undo_list()[len(entries) :]
    shown = limner.PreviewLayer(snapshot)
    shown.show(QImage.fromData(_png(QColor("red"), snapshot.canvas)))
    yield SETTLE_S
    own = document.createNode("the artist's", "paintlayer")
    document.rootNode().addChildNode(own, None)
    yield SETTLE_S
    shown.remove()
    yield SETTLE_S
    assert sorted(n[0] for n in tree(document.rootNode())) == ["Background", "the artist's"]
    host.result["preview_left_after_work"] = host.undo_list()[len(entries) :]
    close(document)
    yield SETTLE_S


def memory(host: Any, limner: Any) -> Iterator[float]:
    """What made a layer is found again, in the file too; and the layer can be begun from."""
    document = new_document()
    yield SETTLE_S
    assert limner.settings_of_active_layer() is None and limner.remembered() == []
    snapshot = limner.take_snapshot(limner.Source.NOTHING, limner.Source.NOTHING, 200)
    svg = strokes_svg(snapshot.canvas, many_strokes(5, snapshot.canvas))
    limner.apply_strokes(snapshot, svg, "strokes", ABOUT)
    limner.apply_raster(snapshot, _png(QColor(0, 0, 0, 0), snapshot.canvas), "raster", ABOUT)
    limner.remember(snapshot, ABOUT)
    yield 1.0
    path = str(host.folder / "memory.kra")
    assert document.saveAs(path)
    document.waitForDone()
    close(document)
    yield SETTLE_S
    document = host.app.openDocument(path)
    host.app.activeWindow().addView(document)
    yield SETTLE_S
    assert limner.remembered() == [ABOUT]
    for name in ("raster", "strokes"):
        document.setActiveNode(layer(document, name))
        yield SETTLE_S
        assert limner.settings_of_active_layer() == ABOUT, name
    from_strokes = limner.take_snapshot(limner.Source.NOTHING, limner.Source.STROKES, 224)
    host.result["strokes_svg"] = from_strokes.inputs["init"][0].decode()
    host.result["strokes_given"] = svg.decode()
    close(document)
    yield SETTLE_S
    _refused(lambda: limner.apply_strokes(snapshot, svg, "x", ABOUT), "closed")
    assert limner.problem()
    _refused(
        lambda: limner.take_snapshot(limner.Source.LAYER, limner.Source.NOTHING, 224), "ocument"
    )


def elsewhere(host: Any, limner: Any) -> Iterator[float]:
    """A result for a document behind another goes where it belongs."""
    behind = new_document()
    yield SETTLE_S
    select_ellipse(behind, BOX)
    snapshot = limner.take_snapshot(limner.Source.NOTHING, limner.Source.NOTHING, 224)
    front = new_document(size=(64, 64))
    yield SETTLE_S
    svg = strokes_svg(snapshot.canvas, line("-40,67 300,67", "#ff0000", 20))
    limner.apply_strokes(snapshot, svg, "behind", ABOUT)
    yield 1.0
    assert tree(behind.rootNode())[1:] == [("behind", "vectorlayer", MASK)]
    assert rgb(picture(behind), 150, 110) == (255, 0, 0)
    assert not {p for p in inked(picture(behind)) if not is_in_ellipse(BOX, *p, more=2)}
    assert len(tree(front.rootNode())) == 1 and host.undo_list() == ["<empty>"]
    close(front)
    close(behind)
    yield SETTLE_S


def quickly(host: Any, limner: Any) -> Iterator[float]:
    """How long it takes to apply 256 strokes, with and without a selection."""
    for name in ("whole", "selection"):
        document = new_document(size=(512, 512))
        yield SETTLE_S
        if name == "selection":
            select_ellipse(document, BOX)
            yield SETTLE_S
        snapshot = limner.take_snapshot(limner.Source.PROJECTION, limner.Source.NOTHING, 512)
        svg = strokes_svg(snapshot.canvas, many_strokes(256, snapshot.canvas))
        times, held = [], []
        for turn in range(5):
            held_ms, all_ms = yield from _timed(host, limner, snapshot, svg, f"{turn}")
            held.append(held_ms)
            times.append(all_ms)
            yield 1.0
        assert len(host.undo_list()) == 6, host.undo_list()
        assert len(tree(document.rootNode())) == 6
        assert all(len(n.shapes()[0].children()) == 256 for n in document.topLevelNodes()[1:6])
        host.result["figures"][f"apply_256_ms_{name}"] = times
        host.result["figures"][f"apply_256_held_ms_{name}"] = held
        close(document)
        yield SETTLE_S


def closed(host: Any, limner: Any, wait_s: float) -> Iterator[float]:
    """A document that is closed while strokes are still on their way into it: nothing falls."""
    document = new_document()
    yield SETTLE_S
    select_ellipse(document, BOX)
    yield SETTLE_S
    snapshot = limner.take_snapshot(limner.Source.PROJECTION, limner.Source.NOTHING, 224)
    svg = strokes_svg(snapshot.canvas, many_strokes(60, snapshot.canvas))
    for name in ("one", "two"):
        limner.apply_strokes(snapshot, svg, name, ABOUT)
    yield wait_s
    close(document)
    yield 1.5


def _timed(
    host: Any, limner: Any, snapshot: Any, svg: bytes, name: str
) -> Generator[float, None, tuple[float, float]]:
    """Milliseconds that the call took, and until the layer is there in one entry, in colour."""
    entries = len(host.undo_list())
    begun = time.perf_counter()
    limner.apply_strokes(snapshot, svg, name, ABOUT)
    held = time.perf_counter() - begun
    document = host.app.activeDocument()

    def is_there() -> bool:
        found = [n for n in document.topLevelNodes() if n is not None and n.name() == name]
        return bool(found) and found[0].visible() and len(host.undo_list()) == entries + 1

    while not is_there():
        yield 0.0
    return round(1000 * held, 1), round(1000 * (time.perf_counter() - begun), 1)


def _png(colour: QColor, size: tuple[int, int]) -> bytes:
    image = QImage(*size, QImage.Format_ARGB32)
    image.fill(colour)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data)


def _near(have: tuple[int, ...], want: tuple[int, ...], by: int, what: Any) -> None:
    assert all(abs(a - b) <= by for a, b in zip(have, want, strict=True)), (
        f"{what}: {have}, not {want}"
    )


def _refused(call: Any, words: str) -> None:
    from limner_wire.errors import LimnerError

    try:
        call()
    except LimnerError as problem:
        assert words in str(problem), problem
    else:
        raise AssertionError("it was not refused")
