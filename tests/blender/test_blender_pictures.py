"""Pictures between Blender and the backend: images, files, what the camera sees."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from limner.pictures import read_picture
from limner_blender import blending

if TYPE_CHECKING:
    from conftest import Blender

PICTURES = "pictures.py"
RNG = np.random.default_rng(14)


def opened(told: list[str]) -> np.ndarray:
    """(H, W, C) of a picture that would be sent."""
    data, mime = told
    assert mime == "image/png"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_an_image_is_sent_as_it_is(blender: Blender) -> None:
    levels = RNG.integers(0, 256, (5, 7, 4))
    levels[..., 3] = 255
    (told,) = blender.run(PICTURES, "sent", values=(levels / 255).tolist(), sizes=[None])
    assert (opened(told) == levels[..., :3]).all()


def test_transparency_is_straight(blender: Blender) -> None:
    levels = RNG.integers(0, 256, (6, 4, 4))
    (told,) = blender.run(PICTURES, "sent", values=(levels / 255).tolist(), sizes=[None])
    assert (opened(told)[..., 3] == levels[..., 3]).all()
    seen = levels[..., 3] > 0
    assert (opened(told)[seen] == levels[seen]).all()


def test_a_float_image_is_linear_and_premultiplied(blender: Blender) -> None:
    linear = RNG.random((6, 4, 4)) * 0.9 + 0.1
    linear[..., :3] *= linear[..., 3:]
    (told,) = blender.run(PICTURES, "sent", values=linear.tolist(), sizes=[None], is_float=True)
    straight = blending.srgb(linear[..., :3] / linear[..., 3:]) * 255
    assert np.abs(opened(told)[..., :3] - straight).max() <= 0.51  # rounded
    (data,) = blender.run(
        PICTURES, "sent", values=linear.tolist(), sizes=[None], is_float=True, is_data=True
    )
    plain = linear[..., :3] / linear[..., 3:] * 255
    assert np.abs(opened(data)[..., :3] - plain).max() <= 0.51


def test_a_large_image_is_made_smaller_by_whole_parts(blender: Blender) -> None:
    """Never smaller than where it is used, never distorted; what is too much is cut evenly."""
    values = np.ones((21, 40, 4))
    values[..., :3] = RNG.random((21, 40, 3))
    wanted = [[10, 10], [10, 5], [39, 3], [50, 50]]
    told = blender.run(PICTURES, "sent", values=values.tolist(), sizes=wanted)
    found = [opened(one) for one in told]
    assert [one.shape[:2] for one in found] == [(10, 20), (5, 10), (21, 40), (21, 40)]
    levels = np.rint(values[..., :3] * 255)
    half = levels[:20].reshape(10, 2, 20, 2, 3).mean((1, 3))
    assert np.abs(found[0] - half).max() <= 0.51
    quarter = levels[:20].reshape(5, 4, 10, 4, 3).mean((1, 3))
    assert np.abs(found[1] - quarter).max() <= 0.51


def test_what_cannot_be_read_is_said(blender: Blender, tmp_path: Path) -> None:
    told = blender.run(PICTURES, "refused", folder=tmp_path)
    parts = ("gone.png", "words.png", "never.png", "image/png")
    assert all(part in words for part, words in zip(parts, told, strict=True)), told


def test_pictures_that_come_are_shown_and_saved(blender: Blender, tmp_path: Path) -> None:
    given = [RNG.integers(0, 256, (*size, 3)).astype(np.uint8) for size in ((9, 5), (4, 12))]
    paths = [tmp_path / f"{n}.png" for n in range(2)]
    for path, levels in zip(paths, given, strict=True):
        Image.fromarray(levels).save(path)
    told = blender.run(PICTURES, "shown", first=paths[0], second=paths[1], folder=tmp_path)
    for pixels, levels in zip(told["pixels"], given, strict=True):
        assert (np.array(pixels)[..., :3] == levels).all()
    assert (np.array(told["loaded"])[..., :3] == given[1]).all()
    assert told["own"] == [8, 8] and len(set(told["names"])) == 2, "the artist's image is theirs"


def test_files_are_sent_as_they_are_if_they_can_be(blender: Blender, tmp_path: Path) -> None:
    levels = RNG.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    picture = Image.fromarray(levels)
    names = ("a.png", "a.jpg", "a.webp", "a.bmp", "a.svg")
    for name in names[:4]:
        picture.save(tmp_path / name)
    (tmp_path / "a.svg").write_bytes(b"<svg/>")
    told = blender.run(PICTURES, "files", paths=[str(tmp_path / name) for name in names])
    for name, mime, (data, kind) in zip(
        names, ("png", "jpeg", "webp", "png", "svg+xml"), told, strict=True
    ):
        assert kind == f"image/{mime}", name
        if name != "a.bmp":
            assert base64.b64decode(data) == (tmp_path / name).read_bytes()
    assert (opened(told[3]) == levels).all()


def test_odd_files_are_converted_or_refused_in_words(blender: Blender, tmp_path: Path) -> None:
    """As a style: in plain colours, over white, a film's first frame; never a crash."""
    red = Image.new("RGB", (8, 8), "red")
    Image.new("RGB", (1, 1), "red").save(tmp_path / "one.png")
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    film = [Image.new("RGB", (8, 8), "lime")]
    red.save(tmp_path / "film.webp", save_all=True, append_images=film, lossless=True)
    red.save(tmp_path / "film.gif", save_all=True, append_images=film)
    Image.new("RGB", (9000, 9000), "red").save(tmp_path / "huge.png", compress_level=1)
    (tmp_path / "ink.svg").write_bytes(b"<svg/>")
    names = ["one.png", "cmyk.jpg", "clear.png", "film.webp", "film.gif", "huge.png", "ink.svg"]
    told = dict(zip(names, blender.run(PICTURES, "odd", folder=tmp_path, names=names), strict=True))
    assert told.pop("huge.png") == (
        "huge.png is too large to be sent: 9000×9000 pixels. Scale it down first."
    )
    assert told.pop("ink.svg").endswith("and nothing else. Save it as PNG.")
    for name, found in told.items():
        seen = read_picture(base64.b64decode(found[0]))
        want = [1, 1, 1] if name == "clear.png" else [1, 0, 0]
        assert seen[:, 0, 0].tolist() == pytest.approx(want, abs=0.05), name


def test_a_render_can_be_edited_as_it_is_shown(blender: Blender) -> None:
    told = blender.run(PICTURES, "rendered", size=[32, 24])
    picture = opened(told["picture"])
    assert picture.shape[:2] == (24, 32)
    assert (picture[..., 0] > 250).all() and (picture[..., 1:3] < 5).all()
    assert told["changed"] == {}, "the scene saves its pictures as before"
    assert "Save it as an image first" in told["none"]


def test_image_editors_show_what_is_edited(blender: Blender) -> None:
    """What shows nothing, or what is edited, shows the preview, and then what it did before; a
    pinned one and the artist's other images are left alone."""
    told = blender.run(PICTURES, "on_screen")
    assert told["nothing"] and told["texture"] == "skin" and told["at hand"] == "own"
    assert told["live"] == ["a cat", "a cat", "own", "other"]
    assert told["not a preview"] == "own" and told["theirs"]
    assert told["after"] == ["own", "own", "own", "other"] and told["kept"]


@pytest.mark.parametrize("pixels", [[200, 150], [300, 150], [100, 150]])
def test_what_the_camera_sees_is_the_canvas(blender: Blender, pixels: list[int]) -> None:
    """In a frame of its own proportions, wider, and higher; without the drawing that is hidden;
    and the scene's settings are afterwards what they were, though the last render failed."""
    told = blender.run(PICTURES, "seen", size=[80, 60], pixels=pixels)
    picture, with_it = opened(told["picture"]), opened(told["with it"])
    assert picture.shape == with_it.shape == (60, 80, 3)
    red, white = picture[:, 2:38], picture[:, 42:-2]
    assert (red[..., 0] > 200).all() and (red[..., 1:] < 50).all()
    assert (white > 250).all()
    assert (with_it[2:-2, 55:65] < 5).all()
    assert "camera" in told["failed"] and told["changed"] == {}
    assert "Render Result" in told["render"]
    assert "panoramic" in told["pano"] and "viewport" in told["viewport"]
