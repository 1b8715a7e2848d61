"""An edit from its order to its end, through an engine: live, staying, and taken up again."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engines import JOB, Driver
from PIL import Image

from limner.engine.base import Ready, Said
from limner.engine.inprocess import InProcess
from limner.engine.order import Order
from limner.methods.base import Models
from limner.models import networks
from limner.pictures import encode_png
from limner_wire import messages as m
from limner_wire.frames import decode
from limner_wire.limits import RESULT_BYTES

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios

ANSWER_S = 0.06  # from a slider's message to its frame


@pytest.fixture(autouse=True, scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, starter: Models) -> Any:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(folder))
        studios.install(folder, clip=starter.clips[0].clip)
        yield


def order(saved: bytes = b"", adjusted: Any = (), **params: Any) -> Order:
    settings = {"prompt": "a red apple", "neutral": "a picture", "steps": 6, "strength": 0.0,
                "generator": studios.NAME}  # fmt: skip
    models = () if "generator" in params else ("starter",)  # it has a CLIP of its own
    wanted = m.Submit(JOB, "global_directions", settings | params, (64, 64), models=models)
    picture = encode_png(studios.picture(studios.generator()))
    return Order(wanted, {"picture": ("image/png", picture)}, saved, adjusted)


def driven(play: Any) -> Driver:
    async def run() -> Driver:
        driver = Driver(InProcess(torch.device("cpu")))
        await driver.start()
        try:
            await play(driver)
        finally:
            await driver.engine.stop()
        return driver

    return asyncio.run(run())


def give(driver: Driver, wanted: Order) -> None:
    driver.engine.order(JOB, wanted.to_bytes())
    driver.engine.command(m.Watch(JOB))


def frames(driver: Driver) -> list[np.ndarray]:
    said = [e for e in driver.heard if isinstance(e, Said) and isinstance(e.message, m.RasterFrame)]
    return [picture(decode(e.frame).buffers["picture"].data) for e in said]


def picture(data: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(bytes(data))), dtype=np.int16)


async def waits(driver: Driver) -> None:
    await driver.until(lambda: any(s.stays for s in driver.said(m.State)))


def test_front_ends_are_told_which_methods_stay() -> None:
    async def play(driver: Driver) -> None:
        pass

    (ready,) = [e for e in driven(play).heard if isinstance(e, Ready)]
    rows = {row["name"]: row for row in ready.methods}
    assert {n for n, row in rows.items() if row["stays"]} == {
        "global_directions", "latent_mapper", "latent_optimization", "nada",
        "imagine", "variations", "blend", "text_diff", "probe",
    }  # fmt: skip
    assert rows["global_directions"]["needs"] == ["picture"]


OF_THE_STARTER = {"generator": "portraits-64", "prompt": "a person with glasses"}


@pytest.mark.parametrize("chosen", [{}, OF_THE_STARTER])
def test_a_slider_is_answered_until_the_picture_is_kept(chosen: dict[str, str]) -> None:
    took = []

    async def play(driver: Driver) -> None:
        give(driver, order(**chosen))
        await waits(driver)
        await driver.until(lambda: len(frames(driver)) >= 1)
        for strength in (2.0, 4.0, 8.0, 16.0, 20.0):
            count, began = len(frames(driver)), time.perf_counter()
            driver.engine.command(m.Adjust(JOB, {"strength": strength}))
            await driver.until(lambda count=count: len(frames(driver)) > count)  # type: ignore[misc]
            took.append(time.perf_counter() - began)
        driver.engine.command(m.Cancel(JOB, keep=True))
        await driver.over()

    driver = driven(play)
    print("from message to frame:", " ".join(f"{t * 1e3:.0f} ms" for t in took))
    assert min(took) < ANSWER_S
    assert driver.states() == ["loading", "running", "paused"]
    shown, (done, frame) = frames(driver), driver.done()
    assert done.state == "done" and done.about["settings"]["strength"] == 20.0
    result = picture(decode(frame, RESULT_BYTES).buffers["png"].data)
    assert result.shape == (64, 64, 3) and np.array_equal(result, shown[-1])
    assert np.abs(shown[-1] - shown[-6]).max() > 2


def test_it_comes_back_to_the_same_picture() -> None:
    async def first(driver: Driver) -> None:
        give(driver, order())
        await waits(driver)
        driver.engine.command(m.Adjust(JOB, {"strength": 8.0}))
        await driver.until(lambda: bool(driver.said(m.Adjusted)))
        driver.engine.command(m.Leave(JOB))
        await driver.over()

    left = driven(first)
    saved = left.kept("checkpoint")[-1]
    assert saved.step == 6 and left.kept("frame")[-1].step == 6

    async def second(driver: Driver) -> None:
        give(driver, order(saved.data, ((7, {"strength": 8.0}),)))
        await waits(driver)
        driver.engine.command(m.Cancel(JOB, keep=True))
        await driver.over()

    back = driven(second)
    kept = picture(decode(left.kept("frame")[-1].data).buffers["picture"].data)
    assert np.array_equal(frames(back)[-1], kept)
    assert np.array_equal(picture(decode(back.done()[1], RESULT_BYTES).buffers["png"].data), kept)


def test_who_does_not_wait_gets_the_result_at_once() -> None:
    async def play(driver: Driver) -> None:
        give(driver, order(stay=False))
        await driver.over()

    driver = driven(play)
    done, _ = driver.done()
    assert driver.states() == ["loading", "running"] and done.state == "done"


def test_what_makes_no_sense_fails_in_words() -> None:
    async def play(driver: Driver) -> None:
        give(driver, replace(order(), blobs={}))
        await driver.over()

    driver = driven(play)
    (failed,) = driver.said(m.Failed)
    assert "no picture" in failed.message and driver.states()[-1] == "error"


def test_a_generator_that_learned_is_kept_among_the_models() -> None:
    """Stopped by the artist when it looks right: what they see is what is kept."""
    settings = {"prompt": "a red apple", "source": "a blue sea", "steps": 400, "batch": 2,
                "samples": 3, "called": "apples", "rate": 0.01}  # fmt: skip
    wanted = Order(m.Submit(JOB, "nada", settings, (64, 64), models=("starter",)), {})

    async def play(driver: Driver) -> None:
        give(driver, wanted)
        await driver.until(lambda: len(frames(driver)) > 3)
        driver.engine.command(m.Cancel(JOB, keep=True))
        await driver.over()

    heard = driven(play)
    done, _ = heard.done()
    assert done.about["kept_as"] == "apples" and done.state == "cancelled"
    found = networks.find("generator", "apples")
    assert found.card["steps"] == done.about["settings"]["steps_done"] > 0
    assert any("kept as apples" in notice.text for notice in heard.said(m.Notice))
