"""Orders: what the server hands over becomes a task, or is refused in words."""

from __future__ import annotations

import io
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
