"""Orders: what the server hands over becomes a task, or is refused in words."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from limner.engine.order import Order
from limner.methods import clipdraw
from limner.worker.checkpoint import Checkpoint
from limner.worker.orders import Shelf, ready
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.messages import Submit

JOB = "123e4567-e89b-42d3-a456-426614174000"
SUBMIT = Submit(JOB, "clipdraw", {"prompt": "a cat", "steps": 5}, (64, 48), models=("starter",))
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9" stroke="red"/></svg>'


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf(torch.device("cpu"))


def png(colour: str, size: tuple[int, int] = (64, 48)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def test_an_order_travels_whole() -> None:
    order = Order(SUBMIT, {"over": ("image/png", png("red")), "init": ("image/svg+xml", SVG)}, b"x")
    assert Order.from_bytes(order.to_bytes()) == order
    assert Order.from_bytes(Order(SUBMIT).to_bytes()) == Order(SUBMIT)


def test_an_order_becomes_a_task(shelf: Shelf) -> None:
    blobs = {
        "over": ("image/png", png("red")),
        "mask": ("image/png", png("white", (32, 24))),
        "init": ("image/svg+xml", SVG),
    }
    task = ready(Order(SUBMIT, blobs), shelf)
    recipe = task.models.clips[0].clip.recipe
    assert task.params == replace(
        clipdraw.Params("a cat", steps=5), **{k: recipe[k] for k in recipe}
    )
    assert task.inputs.size == (48, 64) and task.saved is None
    assert task.inputs.background is not None and task.inputs.background.shape == (3, 48, 64)
    assert task.inputs.mask is not None and task.inputs.mask.shape == (48, 64)
    assert task.inputs.strokes is not None and task.inputs.picture is None
    again = ready(Order(SUBMIT, {"init": ("image/png", png("blue"))}), shelf)
    assert again.models is task.models and again.inputs.picture is not None


def test_style_pictures_travel_in_their_order(shelf: Shelf) -> None:
    submit = replace(SUBMIT, method="styleclipdraw")
    blobs = {role: ("image/png", png(colour, (9, 7))) for role, colour in
             (("style3", "blue"), ("style", "red"), ("style2", "lime"))}  # fmt: skip
    styles = ready(Order(submit, blobs), shelf).inputs.styles
    assert [s.shape for s in styles] == [(3, 7, 9)] * 3, "they keep their own sizes"
    assert [s[:, 0, 0].tolist() for s in styles] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def picture_of(kind: str) -> bytes:
    out = io.BytesIO()
    match kind:
        case "cmyk":
            Image.new("CMYK", (40, 30), (0, 255, 255, 0)).save(out, "JPEG")
        case "transparent":
            Image.new("RGBA", (40, 30), (0, 0, 0, 0)).save(out, "PNG")
        case "animated":
            frames = [Image.new("RGB", (40, 30), c) for c in ("red", "blue")]
            frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
        case "animated png":
            frames = [Image.new("RGB", (40, 30), c) for c in ("red", "blue")]
            frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
        case "gif":
            Image.new("P", (40, 30)).save(out, "GIF")
        case "one pixel":
            Image.new("RGB", (1, 1), "red").save(out, "PNG")
        case "palette":
            Image.new("RGB", (40, 30), "red").convert("P").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "colour"),
    [
        ("cmyk", (1, 0, 0)),
        ("transparent", (1, 1, 1)),  # it lies on white
        ("animated", (1, 0, 0)),  # the first frame
        ("animated png", (1, 0, 0)),
        ("one pixel", (1, 0, 0)),
        ("palette", (1, 0, 0)),
    ],
)
def test_odd_style_pictures_are_converted(
    shelf: Shelf, kind: str, colour: tuple[float, ...]
) -> None:
    submit = replace(SUBMIT, method="styleclipdraw")
    task = ready(Order(submit, {"style": ("image/png", picture_of(kind))}), shelf)
    got = task.inputs.styles[0].mean((1, 2))
    torch.testing.assert_close(got, torch.tensor(colour).float(), atol=0.02, rtol=0)


def huge_png() -> bytes:
    """The head of a PNG of 20,000 x 20,000, and nothing behind it."""
    data = bytearray(picture_of("one pixel"))
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (huge_png(), "20000×20000"),
        (picture_of("gif"), "not a PNG, JPEG or WebP"),
        (SVG, "not a PNG"),
    ],
    ids=["20,000 a side", "gif", "svg"],
)
def test_style_pictures_that_can_t_be_read_are_refused_in_words(
    shelf: Shelf, data: bytes, words: str
) -> None:
    submit = replace(SUBMIT, method="styleclipdraw")
    with pytest.raises(LimnerError, match=words) as told:
        ready(Order(submit, {"style": ("image/png", data)}), shelf)
    assert told.value.code is ErrorCode.UNREADABLE


def test_a_saved_run_keeps_the_settings_that_it_had(shelf: Shelf) -> None:
    saved = Checkpoint("clipdraw", {"prompt": "a dog", "ink": 0.5}, {"step": torch.tensor(3)})
    task = ready(Order(SUBMIT, saved=saved.to_bytes()), shelf)
    assert task.params.prompt == "a dog" and task.params.ink == 0.5
    assert task.saved is not None and int(task.saved["step"]) == 3


@pytest.mark.parametrize(
    ("change", "blobs", "code"),
    [
        ({"method": "sculpt"}, {}, ErrorCode.UNKNOWN_METHOD),
        ({"params": {"prompt": "x", "steps": 10**9}}, {}, ErrorCode.BAD_INPUT),
        ({"params": {}}, {}, ErrorCode.BAD_INPUT),
        ({"models": ("no-such",)}, {}, ErrorCode.UNKNOWN_MODEL),
        ({"models": ("../../etc",)}, {}, ErrorCode.UNKNOWN_MODEL),
        ({"models": ("https://evil.example/x",)}, {}, ErrorCode.UNKNOWN_MODEL),
        ({}, {"over": ("image/png", b"PK\x03\x04 a zip")}, ErrorCode.UNREADABLE),
        ({}, {"init": ("image/svg+xml", b"<svg><script/></svg>")}, ErrorCode.UNSAFE_FILE),
        ({}, {"passwd": ("image/png", png("red"))}, ErrorCode.BAD_INPUT),
    ],
    ids=str,
)
def test_what_is_no_job_is_refused_in_words(
    shelf: Shelf, change: dict[str, Any], blobs: dict[str, tuple[str, bytes]], code: ErrorCode
) -> None:
    with pytest.raises(LimnerError) as told:
        ready(Order(replace(SUBMIT, **change), blobs), shelf)
    assert told.value.code is code and "\n" not in str(told.value)
