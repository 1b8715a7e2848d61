"""Pictures in and out, and the files they go to: every kind a user has, and every trap."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from limner.pictures import (
    check_writable,
    encode_png,
    read_mask,
    read_picture,
    read_with_alpha,
    write_atomic,
    write_png,
)
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import IMAGE_BYTES, IMAGE_SIDE_PX

RED_LEFT = np.zeros((4, 6, 3), np.uint8)  # not square; left half red, right half blue
RED_LEFT[:, :3, 0] = RED_LEFT[:, 3:, 2] = 255


def saved(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)
    return path


def refusal(call: Callable[[], object], code: ErrorCode = ErrorCode.UNREADABLE) -> str:
    """The message of the refusal that `call` ends in, at once."""
    begin_s = time.process_time()
    with pytest.raises(LimnerError) as caught:
        call()
    assert time.process_time() - begin_s < 1.0
    assert caught.value.code is code
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- in: kinds ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "options", "tolerance"),
    [(".png", {}, 0), (".webp", {"lossless": True}, 0), (".jpg", {"subsampling": 0}, 0.05)],
)
def test_it_reads_png_jpeg_and_webp(
    tmp_path: Path, suffix: str, options: dict[str, object], tolerance: float
) -> None:
    file = saved(Image.fromarray(RED_LEFT), tmp_path / f"a{suffix}", **options)
    picture = read_picture(file)
    assert (picture.shape, picture.dtype) == ((3, 4, 6), torch.float32)
    expected = torch.from_numpy(RED_LEFT / 255).permute(2, 0, 1)
    assert (picture - expected).abs().max() <= tolerance


def test_the_kind_is_that_of_the_content_not_of_the_name(tmp_path: Path) -> None:
    file = saved(Image.fromarray(RED_LEFT), tmp_path / "a.jpg", format="PNG")
    assert read_picture(file)[:, 0, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_of_png(tmp_path: Path, mode: str) -> None:
    white = Image.new("RGB", (3, 2), "white").convert(mode)
    assert (read_picture(saved(white, tmp_path / "a.png")) == 1).all()


def test_cmyk_jpeg(tmp_path: Path) -> None:
    file = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "a.jpg")
    assert read_picture(file)[:, 4, 4].tolist() == pytest.approx([1, 0, 0], abs=0.05)


def test_sixteen_bit_grey_keeps_its_depth(tmp_path: Path) -> None:
    ramp = np.array([[0, 1, 32768, 65535]], np.uint16)
    picture = read_picture(saved(Image.fromarray(ramp), tmp_path / "a.png"))
    assert picture[0, 0].tolist() == pytest.approx([0, 1 / 65535, 32768 / 65535, 1])
    assert torch.equal(picture[0], picture[2])


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    rows = b"\0" + struct.pack(">6H", 65535, 0, 32768, 0, 65535, 0)
    file = tmp_path / "a.png"
    file.write_bytes(png((2, 1), rows, depth=16))
    assert read_picture(file)[:, 0, 0].tolist() == pytest.approx([1, 0, 0.5], abs=0.005)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    half = saved(Image.new("RGBA", (2, 2), (255, 0, 0, 128)), tmp_path / "a.png")
    assert read_picture(half)[:, 0, 0].tolist() == pytest.approx([1, 0.498, 0.498], abs=1e-3)
    assert read_with_alpha(half)[:, 0, 0].tolist() == pytest.approx([1, 0, 0, 128 / 255])
    none = saved(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), tmp_path / "b.png")
    assert (read_picture(none) == 1).all()


def test_a_transparent_palette_colour_is_transparent(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.putpixel((1, 0), 1)
    file = saved(picture, tmp_path / "a.png", transparency=0)
    assert read_picture(file)[:, 0].T.tolist() == [[1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_it_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10)
    transpose = Image.Transpose
    as_stored = {  # how a camera held so stores the picture: the inverse of the turn
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_90,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_270,
    }
    stored = upright.transpose(as_stored[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(saved(stored, tmp_path / "a.png", exif=exif))
    assert torch.equal(picture[0], torch.from_numpy(np.asarray(upright) / np.float32(255)))


@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"junk", b""])
def test_broken_exif_does_not_spoil_the_picture(tmp_path: Path, exif: bytes) -> None:
    file = saved(Image.fromarray(RED_LEFT), tmp_path / "a.png", exif=exif)
    assert read_picture(file).shape == (3, 4, 6)


def test_a_progressive_jpeg_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(repeated_scans(5))
    assert read_picture(file).shape == (3, 4, 6)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_only_the_first_frame_is_read(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    file = tmp_path / f"a{suffix}"
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=50, lossless=True)
    assert read_picture(file)[:, 4, 4].tolist() == [1, 0, 0]


# --- in: sizes ---------------------------------------------------------------------------------


def test_it_is_scaled_to_cover_and_cut_evenly(tmp_path: Path) -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 255  # the middle square, which alone remains
    file = saved(Image.fromarray(wide), tmp_path / "a.png")
    assert read_picture(file, size=(20, 20)).shape == (3, 20, 20)
    assert read_picture(file, size=(20, 20))[0, :, 3:17].min() > 0.95
    assert read_picture(file, size=(10, 40)).equal(read_picture(file))
    assert read_picture(file, size=(5, 7)).shape == (3, 5, 7)


def test_hidden_colours_do_not_bleed_when_scaled(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (255, 0, 0, 255)  # red, beside black that can't be seen
    file = saved(Image.fromarray(pixels), tmp_path / "a.png")
    assert read_picture(file, size=(16, 16))[0].min() > 0.98


# --- in: traps ---------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], rows: bytes, depth: int = 8, extra: bytes = b"") -> bytes:
    """A PNG of RGB rows, with more chunks before the pixels."""
    header = chunk(b"IHDR", struct.pack(">2I5B", *size, depth, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels


def webp(kind: bytes, header: bytes) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(header)) + header
    return b"RIFF" + struct.pack("<I", len(body)) + body


def repeated_scans(count: int) -> bytes:
    """A progressive JPEG that a decoder accepts, whose first scan comes again and again."""
    file = io.BytesIO()
    Image.fromarray(RED_LEFT).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    begin = data.index(b"\xff\xda")
    end = data.index(b"\xff", begin + 2)
    while data[end + 1] == 0:
        end = data.index(b"\xff", end + 2)
    return data[:end] + data[begin:end] * count + data[end:]


ZEROS_64_MIB = zlib.compress(bytes(2**26), 9)
VALID = png((2, 1), b"\0" + bytes(6))

TRAPS = {
    "empty": b"",
    "text": b"hello",
    "SVG": b"<svg/>",
    "GIF": b"GIF89a" + bytes(99),
    "TIFF": b"II*\0" + bytes(99),
    "ZIP": b"PK\x03\x04" + bytes(99),
    "pixel bomb": png((50_000, 50_000), b""),
    "pixel bomb with pixels": png((8_192, 8_192), bytes(8_192 * (8_192 * 3 + 1))),
    "too wide": png((IMAGE_SIDE_PX + 1, 1), bytes(3 * IMAGE_SIDE_PX + 4)),
    "no width": png((0, 1), b"\0"),
    "WebP bomb, extended": webp(b"VP8X", bytes(4) + b"\xff\x3f\0\xff\x3f\0"),
    "WebP bomb, lossless": webp(b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(99)),
    "WebP bomb, lossy": webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(99)),
    "JPEG bomb": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\1\x03\x11\1"
    b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0",
    "JPEG of a thousand scans": repeated_scans(1_000),
    "zTXt bomb": png((2, 1), b"\0" + bytes(6), extra=chunk(b"zTXt", b"a\0\0" + ZEROS_64_MIB)),
    "iTXt bomb": png((2, 1), b"\0" + bytes(6), extra=chunk(b"iTXt", b"a\0\1\0\0\0" + ZEROS_64_MIB)),
    "iCCP bomb": png((2, 1), b"\0" + bytes(6), extra=chunk(b"iCCP", b"a\0\0" + ZEROS_64_MIB)),
    "many zTXt": png(
        (2, 1),
        b"\0" + bytes(6),
        extra=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**20 - 1), 9)) * 999,
    ),
    "cut short": VALID[:-26],
    "cut in the header": VALID[:20],
    "magic alone": VALID[:8],
    "wrong checksum": VALID[:40] + b"\xff" + VALID[41:],
    "JPEG, magic alone": b"\xff\xd8\xff",
    "WebP, magic alone": b"RIFF\0\0\0\0WEBP",
    "too large": bytes(IMAGE_BYTES + 1),
}


REASONS = {"pixel bomb": "pixels", "WebP bomb": "pixels", "JPEG bomb": "pixels", "scans": "scans"}


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(TRAPS[name])
    message = refusal(lambda: read_picture(file))
    assert message.startswith("cat.png ")
    assert str(tmp_path) not in message
    for part, reason in REASONS.items():  # each is stopped by its own check, not by chance
        assert part not in name or reason in message
    refusal(lambda: read_mask(file, (8, 8)))


def test_traps_take_no_memory(tmp_path: Path) -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("pixel bomb", "WebP bomb, extended", "WebP bomb, lossless", "iCCP bomb"):
        (tmp_path / "a").write_bytes(TRAPS[name])
        refusal(lambda: read_picture(tmp_path / "a"))
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    assert grown_mib < 64


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    file = saved(Image.fromarray(noise), tmp_path / f"a{suffix}")
    whole = file.read_bytes()
    for keep in (0.5, 0.9):
        file.write_bytes(whole[: int(len(whole) * keep)])
        refusal(lambda: read_picture(file))


def test_a_picture_with_a_program_behind_it_is_only_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(VALID + b"PK\x03\x04#!/bin/sh\n")
    assert read_picture(file).shape == (3, 1, 2)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path, tmp_path / "pipe.png", tmp_path / "none.png", "/dev/zero", "a\0b"):
        refusal(lambda path=path: read_picture(path))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_picture_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(data.draw(st.sampled_from(SMALL)))
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=6)
    ):
        whole[at] = value
    file = tmp_path_factory.getbasetemp() / "changed"
    file.write_bytes(whole)
    try:
        picture = read_picture(file)
    except LimnerError as error:
        assert error.code is ErrorCode.UNREADABLE
    else:
        assert ((picture >= 0) & (picture <= 1)).all()


def _small() -> list[bytes]:
    files = []
    for kind in ("PNG", "JPEG", "WEBP"):
        file = io.BytesIO()
        Image.fromarray(RED_LEFT).save(file, kind)
        files.append(file.getvalue())
    return files


SMALL = _small()


# --- masks -------------------------------------------------------------------------------------


def test_a_mask_is_white_where_to_draw(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    pixels[:, 2:] = 255
    pixels[0, 0] = 51
    file = saved(Image.fromarray(pixels), tmp_path / "a.png")
    mask = read_mask(file, (4, 4))
    assert (mask.shape, mask.dtype) == ((4, 4), torch.float32)
    assert mask[0].tolist() == pytest.approx([0.2, 0, 1, 1])
    large = read_mask(file, (40, 40))
    assert ((large >= 0) & (large <= 1)).all()
    assert large[20, 35] == 1


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
def test_a_layer_of_one_colour_is_a_mask_by_its_alpha(
    tmp_path: Path, colour: tuple[int, int, int]
) -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)  # what is unpainted is black and transparent
    pixels[:, 1] = (*colour, 255)
    pixels[:, 2] = (*colour, 51)
    mask = read_mask(saved(Image.fromarray(pixels), tmp_path / "a.png"), (2, 3))
    assert mask[0].tolist() == pytest.approx([0, 1, 0.2])


def test_a_layer_of_several_colours_is_a_mask_by_its_brightness(tmp_path: Path) -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, 0] = (255, 255, 255, 255)
    pixels[0, 1] = (0, 0, 0, 255)
    pixels[0, 2] = (255, 255, 255, 0)  # transparent: leave alone
    mask = read_mask(saved(Image.fromarray(pixels), tmp_path / "a.png"), (1, 3))
    assert mask[0].tolist() == [1, 0, 0]


def test_an_opaque_mask_of_one_colour_is_its_brightness(tmp_path: Path) -> None:
    for level in (0, 255):
        file = saved(Image.new("RGBA", (2, 2), (level, level, level, 255)), tmp_path / "a.png")
        assert (read_mask(file, (2, 2)) == level / 255).all()
    nothing = saved(Image.new("RGBA", (2, 2), (255, 255, 255, 0)), tmp_path / "b.png")
    assert (read_mask(nothing, (2, 2)) == 0).all()


def test_a_sixteen_bit_mask(tmp_path: Path) -> None:
    file = saved(Image.fromarray(np.array([[0, 65535]], np.uint16)), tmp_path / "a.png")
    assert read_mask(file, (1, 2)).tolist() == [[0, 1]]


# --- out ---------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4]), st.integers(0, 2**32 - 1))
def test_a_written_picture_comes_back(height: int, width: int, channels: int, seed: int) -> None:
    picture = torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))
    read = np.asarray(Image.open(io.BytesIO(encode_png(picture))), np.float32) / 255
    assert np.abs(read.transpose(2, 0, 1) - picture.numpy()).max() <= 0.5 / 255 + 1e-6


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    picture = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    write_png(picture, tmp_path / "a.png", {"prompt": "a fox", "seed": 1})
    write_png(picture, tmp_path / "b.png", {"seed": 1, "prompt": "a fox"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec=None), max_size=40))
def test_metadata_is_kept_exactly(prompt: str) -> None:
    data = encode_png(torch.zeros(3, 2, 2), {"prompt": prompt, "seed": 3})
    with Image.open(io.BytesIO(data)) as picture:
        assert isinstance(picture, PngImagePlugin.PngImageFile)
        assert json.loads(picture.text["limner"]) == {"prompt": prompt, "seed": 3}
        if prompt.isprintable():
            assert picture.text["Title"] == prompt


def test_values_are_clamped_and_nan_is_refused() -> None:
    wild = torch.tensor([-5.0, 0.5, 7.0]).view(3, 1, 1)
    assert Image.open(io.BytesIO(encode_png(wild))).getpixel((0, 0)) == (0, 128, 255)
    for bad in (float("nan"), float("inf")):
        refusal(lambda bad=bad: encode_png(torch.full((3, 2, 2), bad)), ErrorCode.NOT_FINITE)


@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 2), (1, 3, 2, 2)])
def test_what_is_no_picture_is_not_written(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(3, H, W\)"):
        encode_png(torch.zeros(shape))


# --- files -------------------------------------------------------------------------------------


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def places_that_take_no_file(folder: Path) -> list[Path | str]:
    """Paths that root can't write either."""
    (folder / "file").write_text("kept")
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to(folder / "file" / "deeper")
    (folder / "loop").symlink_to(folder / "loop")
    return [
        folder / "folder",
        folder / "file" / "a.svg",
        folder / "file" / "deeper" / "a.svg",
        folder / "dangling",
        folder / ("n" * 300),
        "/proc/a.svg",
        "/proc/new/a.svg",
        "/sys/a.svg",
        "/dev/null",
        "/dev/null/a.svg",
        "",
        "/",
        "a\0.svg",
    ]


def test_where_no_file_can_be_written_is_said_before_and_after(tmp_path: Path) -> None:
    paths = places_that_take_no_file(tmp_path)
    before = listed(tmp_path)
    for path in paths:
        message = refusal(lambda path=path: check_writable(path), ErrorCode.UNWRITABLE)
        assert str(tmp_path) not in message
        if path != "/dev/null":  # the check is what protects a device; a test must not try
            refusal(lambda path=path: write_atomic(path, b"x"), ErrorCode.UNWRITABLE)
    assert listed(tmp_path) == before
    assert (tmp_path / "file").read_text() == "kept"


def test_the_check_passes_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.svg").write_text("old")
    before = listed(tmp_path)
    for name in ("new.svg", "old.svg", "no/such/folder/yet/new.svg", "고양이.svg"):
        check_writable(tmp_path / name)
    assert listed(tmp_path) == before
    assert (tmp_path / "old.svg").read_text() == "old"


def test_the_check_knows_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable("a.svg")
    check_writable("b/a.svg")
    assert listed(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to a read-only folder")
def test_a_read_only_folder_takes_no_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    refusal(lambda: check_writable(tmp_path / "a.svg"), ErrorCode.UNWRITABLE)


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "c.svg"
    write_atomic(target, b"one")
    write_atomic(str(target), b"two")
    assert target.read_bytes() == b"two"
    assert listed(tmp_path) == ["a", "a/b", "a/b/c.svg"]


def test_a_written_file_has_ordinary_rights(tmp_path: Path) -> None:
    write_atomic(tmp_path / "ours", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.svg").symlink_to(tmp_path / "real" / "a.svg")
    check_writable(tmp_path / "link.svg")
    write_atomic(tmp_path / "link.svg", b"x")
    assert (tmp_path / "link.svg").is_symlink()
    assert (tmp_path / "real" / "a.svg").read_bytes() == b"x"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    target = tmp_path / "a.svg"
    target.write_bytes(b"old")

    def fail(handle: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((LimnerError, KeyboardInterrupt)) as caught:
        write_atomic(target, b"new")
    if isinstance(caught.value, LimnerError):
        assert caught.value.code is ErrorCode.UNWRITABLE
        assert "no space left" in str(caught.value)
    assert target.read_bytes() == b"old"
    assert listed(tmp_path) == ["a.svg"]
