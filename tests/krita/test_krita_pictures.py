"""Where a drawing's pictures come from: layers by name, styles in turn, files of every kind."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from artists import Artist, Backend
from paper import Layer
from PIL import Image
from PyQt5 import QtGui, QtWidgets

from limner.pictures import read_picture
from limner_front import i18n
from limner_krita import pictures
from limner_krita.inputs import Inputs
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import IMAGE_BYTES, IMAGE_SIDE_PX

SKETCH, INK, UNDER = Layer("{1}", "sketch"), Layer("{2}", "ink"), Layer("{3}", "sketch")


def choices(box: Any) -> dict[str, str]:
    """What a list offers: source -> words."""
    return {box.itemData(at): box.itemText(at) for at in range(box.count())}


def choose(box: Any, source: str) -> None:
    """Open a list and choose, as the artist does."""
    box.showPopup()
    box.hidePopup()
    at = box.findData(source)
    assert at >= 0, choices(box)
    box.setCurrentIndex(at)
    box.activated.emit(at)


def in_a_style(artist: Artist, backend: Backend) -> Inputs:
    """An artist who is about to draw in a style."""
    backend.start()
    artist.is_connected()
    artist.panel.desk.choose("styleclipdraw")
    inputs: Inputs = artist.panel.desk.inputs
    return inputs


# --- layers -------------------------------------------------------------------------------------


def test_a_style_is_read_from_a_layer_by_its_name(artist: Artist, backend: Backend) -> None:
    in_a_style(artist, backend)
    artist.paper.layers = [SKETCH, INK, UNDER]
    box = artist.find("input_style")
    choose(box, "layer:{3}")
    assert [words for source, words in choices(box).items() if source.startswith("layer:")] == [
        "layer: sketch", "layer: ink", "layer: sketch (2)",
    ]  # fmt: skip
    artist.draws("a cat")
    artist.until(lambda: backend.engine.orders, "the order")
    assert artist.paper.of("snapshot")[0][3] == {"style": Layer("{3}", "sketch (2)")}
    assert list(backend.engine.orders[-1].blobs) == ["style"]


@pytest.mark.parametrize("role", ["over", "init"])
def test_other_pictures_come_from_layers_too(artist: Artist, backend: Backend, role: str) -> None:
    backend.start()
    artist.is_connected()
    artist.paper.layers = [SKETCH, INK]
    choose(artist.find(f"input_{role}"), "layer:{2}")
    artist.draws("a cat")
    artist.until(lambda: backend.engine.orders, "the order")
    asked = dict(zip(("over", "init"), artist.paper.of("snapshot")[0], strict=False))
    assert asked[role] == INK
    assert list(backend.engine.orders[-1].blobs) == [role]


def test_a_layer_that_is_renamed_stays_chosen_and_one_that_is_gone_is_told(
    artist: Artist, backend: Backend
) -> None:
    inputs = in_a_style(artist, backend)
    artist.paper.layers = [SKETCH, INK]
    box = artist.find("input_style")
    choose(box, "layer:{2}")
    artist.paper.layers = [SKETCH, Layer("{2}", "dry brush")]
    artist.panel.canvas_changed()
    assert box.currentText() == "layer: dry brush"
    artist.paper.layers = [SKETCH]
    artist.panel.canvas_changed()
    assert box.currentText() == "layer: dry brush (not in this document)"
    assert inputs.given().layers == {"style": ("{2}", "dry brush")}
    why = LimnerError(ErrorCode.BAD_INPUT, "There is no layer “dry brush”.", "Choose another.")
    artist.paper.refusal = why  # as the real document says it
    artist.draws("a cat")
    assert artist.sees("said") == "There is no layer “dry brush”. Choose another."
    artist.paper.layers = [SKETCH, INK]  # undone
    choose(box, "layer:{2}")
    assert box.currentText() == "layer: ink"


def test_layers_and_files_are_not_remembered(artist: Artist, backend: Backend) -> None:
    inputs = in_a_style(artist, backend)
    artist.paper.layers = [SKETCH]
    choose(artist.find("input_style"), "layer:{1}")
    choose(artist.find("input_over"), "projection")
    assert inputs.chosen == {"over": "projection"}


# --- styles in turn -----------------------------------------------------------------------------


def test_styles_come_one_after_the_other_with_their_weights(
    artist: Artist, backend: Backend
) -> None:
    inputs, form = in_a_style(artist, backend), artist.panel.desk.form
    assert artist.find("input_style").currentText() == "choose one: it is needed"

    def shown() -> list[str]:
        roles = ("style", "style2", "style3", "over", "init")
        return [role for role in roles if artist.find(f"input_{role}").isVisible()]

    def weights() -> list[str]:
        return [name for name in ("second_style", "third_style") if form.fields[name].has_place]

    assert shown() == ["style", "over", "init"] and weights() == []
    artist.draws("a cat")
    assert artist.sees("said") == "Give it a picture first: “In the style of”."
    choose(artist.find("input_style"), "layer")
    assert shown() == ["style", "style2", "over", "init"] and weights() == []
    choose(artist.find("input_style2"), "projection")
    choose(artist.find("input_style3"), "layer")
    assert shown()[:3] == ["style", "style2", "style3"]
    assert weights() == ["second_style", "third_style"]
    form.fields["second_style"].write(0.5)
    form.fields["third_style"].write(99)  # too much
    assert form.values() == {"second_style": 0.5, "third_style": 99} and form.problem()
    choose(artist.find("input_style2"), "nothing")
    assert shown()[:2] == ["style", "style2"] and "input_style3" not in shown()
    assert form.values() == {} and form.problem() == ""
    assert inputs.given().sources == {"style": "layer"}
    choose(artist.find("input_style2"), "projection")
    assert form.values() == {"second_style": 0.5, "third_style": 99}, "it was kept"


# --- files --------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(side: int) -> bytes:
    """The header of a large PNG, and hardly a pixel behind it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + pixels


@pytest.fixture
def spoken(app: QtWidgets.QApplication) -> None:
    i18n.choose("en")


@pytest.mark.parametrize("kind", ["1x1.png", "cmyk.jpg", "clear.png", "film.webp", "film.gif"])
def test_odd_pictures_reach_the_backend(spoken: None, tmp_path: Path, kind: str) -> None:
    """As a picture that the backend reads: in plain colours, over white, its first frame."""
    path, red = tmp_path / kind, (255, 0, 0)
    films = [Image.new("RGB", (8, 8), colour) for colour in (red, (0, 255, 0))]
    match path.stem:
        case "1x1":
            Image.new("RGB", (1, 1), red).save(path)
        case "cmyk":
            Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path)
        case "clear":
            Image.new("RGBA", (8, 8), (*red, 0)).save(path)
        case "film":
            films[0].save(path, save_all=True, append_images=films[1:], lossless=True)
    data, mime = pictures.from_file(path, "style")
    assert mime in ("image/png", "image/jpeg", "image/webp")
    seen = read_picture(bytes(data))
    want = [1, 1, 1] if path.stem == "clear" else [1, 0, 0]
    assert seen[:, 0, 0].tolist() == pytest.approx(want, abs=0.05)


def test_a_picture_that_is_too_large_is_scaled_down_or_refused(
    spoken: None, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.png"
    Image.new("RGB", (2 * IMAGE_SIDE_PX, 16), "teal").save(wide)
    data, mime = pictures.from_file(wide, "style")
    image = QtGui.QImage.fromData(data)
    assert (mime, image.width(), image.height()) == ("image/png", IMAGE_SIDE_PX, 8)
    huge = tmp_path / "huge.png"
    huge.write_bytes(huge_png(20_000))
    with pytest.raises(LimnerError, match=r"huge.png is too large .* 20000×20000 .* Scale it down"):
        pictures.from_file(huge, "style")


def test_a_photo_that_grows_as_png_is_made_smaller(
    spoken: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures.limits, "IMAGE_BYTES", 20_000)
    noise = QtGui.QImage.fromData(_ppm(Image.effect_noise((256, 256), 99).convert("RGB")))
    data, _mime = pictures.encoded(noise, "noise")
    assert 1_000 < len(data) <= 20_000 < IMAGE_BYTES
    assert QtGui.QImage.fromData(data).width() == 64


def _ppm(picture: Image.Image) -> bytes:
    wide, high = picture.size
    return b"P6 %d %d 255\n" % (wide, high) + picture.tobytes()
