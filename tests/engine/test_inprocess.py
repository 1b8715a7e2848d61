"""The engine on a thread, with the real methods."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import torch
from engines import JOB, Driver, submit

from limner.engine.base import Over, Said
from limner.engine.inprocess import InProcess
from limner.worker.checkpoint import from_bytes
from limner_wire import messages as m
from limner_wire.frames import decode
from limner_wire.limits import RESULT_BYTES
from limner_wire.strokes import Strokes

OTHER = "00000000-e89b-42d3-a456-426614174000"
BROKEN = "11111111-e89b-42d3-a456-426614174000"


def driven(play: object) -> Driver:
    async def run() -> Driver:
        driver = Driver(InProcess(torch.device("cpu")))
        await driver.start()
        try:
            await play(driver)  # type: ignore[operator]
        finally:
            await driver.engine.stop()
        return driver

    return asyncio.run(run())


def test_a_job_runs_from_order_to_result() -> None:
    async def play(driver: Driver) -> None:
        driver.order(submit())
        await driver.over()

    driver = driven(play)
    assert driver.states() == ["loading", "running"]
    done, frame = driver.done()
    files = decode(frame, RESULT_BYTES).buffers
    assert done.about["prompt"] == "a cat" and bytes(files["svg"].data).startswith(b"<?xml")
    assert bytes(files["png"].data).startswith(b"\x89PNG")
    frames = [e for e in driver.heard if isinstance(e, Said) and e.message.t == "strokes"]
    assert len(Strokes.read(decode(frames[-1].frame).buffers, (64, 48))) == 6
    assert driver.kept("frame")[0].step == 1


def test_jobs_run_one_after_the_other_and_are_cancelled_in_the_queue() -> None:
    async def play(driver: Driver) -> None:
        driver.order(submit())
        driver.order(submit(job=OTHER))
        driver.engine.command(m.Cancel(OTHER, keep=False))
        await driver.over(OTHER)

    driver = driven(play)
    assert driver.heard.index(Over(JOB)) < driver.heard.index(Over(OTHER))
    assert driver.states(OTHER)[-1] == "cancelled" and not driver.said(m.Progress, OTHER)


def test_a_job_that_is_no_job_fails_and_the_next_runs() -> None:
    async def play(driver: Driver) -> None:
        driver.order(submit(job=OTHER, ink=99))
        driver.engine.order(BROKEN, b"\x00")
        driver.order(submit())
        await driver.over()

    driver = driven(play)
    assert [f.code for f in driver.said(m.Failed, OTHER)] == ["bad_input"]
    assert [f.code for f in driver.said(m.Failed, BROKEN)] == ["internal"]
    assert driver.states(OTHER) == ["loading", "error"] and driver.done()


def test_stopping_saves_where_the_job_stands_and_it_goes_on_elsewhere() -> None:
    async def play(driver: Driver) -> None:
        def stop(event: object) -> None:
            if isinstance(event, Said) and isinstance(event.message, m.Progress):
                driver.on = lambda event: None
                stopping.append(asyncio.ensure_future(driver.engine.stop()))

        stopping: list[asyncio.Future[None]] = []
        driver.on = stop
        driver.order(submit(400))
        await driver.until(lambda: bool(stopping))
        await stopping[0]
        await asyncio.sleep(0)

    first = driven(play)
    assert Over(JOB) not in first.heard and not [1 for s in first.states() if s in m.ENDED]
    saved = first.kept("checkpoint")[-1]
    found = from_bytes(saved.data, torch.device("cpu"))
    assert int(found.tensors["step"]) == saved.step < 400

    async def whole(driver: Driver) -> None:
        driver.order(submit(400), watched=False)
        await driver.over()

    async def rest(driver: Driver) -> None:
        driver.order(submit(400), saved.data, watched=False)
        await driver.over()

    assert driven(whole).done()[1] == driven(rest).done()[1]


@pytest.mark.parametrize("keep", [True, False])
def test_a_running_job_is_paused_adjusted_and_cancelled(keep: bool) -> None:
    async def play(driver: Driver) -> None:
        driver.order(submit(20_000))
        await driver.until(lambda: bool(driver.said(m.Progress)))
        driver.engine.command(m.Pause(JOB))
        await driver.until(lambda: driver.states()[-1] == "paused")
        driver.engine.command(m.Adjust(JOB, {"prompt": "a dog"}))
        driver.engine.command(m.Resume(JOB))
        await driver.until(lambda: bool(driver.said(m.Adjusted)))
        driver.engine.command(m.Cancel(JOB, keep))
        driver.engine.command(m.Cancel(OTHER, keep))  # of nobody: nothing happens
        await driver.over()

    driver = driven(play)
    assert driver.states()[:4] == ["loading", "running", "paused", "running"]
    if keep:
        message, _ = driver.done()
        assert message.state == "cancelled" and message.about["prompt"] == "a dog"
    else:
        assert driver.states()[-1] == "cancelled"
    assert replace(driver.said(m.Adjusted)[0], step=0) == m.Adjusted(JOB, 0, 0, {"prompt": "a dog"})
