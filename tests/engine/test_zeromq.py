"""The engine in a real process, by real ZeroMQ: kills, hangs, strangers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import psutil
import torch
from engines import JOB, Driver, submit

from limner.engine.base import Kept, Lost, Over, Ready, Said
from limner.engine.inprocess import InProcess
from limner.engine.zeromq import ZeroMQ
from limner_wire import messages as m

Play = Callable[[Driver], Awaitable[None]]


def driven(play: Play, engine: ZeroMQ | InProcess | None = None) -> Driver:
    async def run() -> Driver:
        driver = Driver(engine or ZeroMQ(threads=1))
        await driver.start()
        try:
            await play(driver)
        finally:
            await driver.engine.stop()
        return driver

    return asyncio.run(run())


def worker_of(driver: Driver) -> int:
    process = driver.engine._process  # type: ignore[attr-defined]
    return int(process.pid)


def test_a_process_does_what_a_thread_does() -> None:
    async def play(driver: Driver) -> None:
        driver.order(submit(30), watched=False)
        await driver.over()

    by_process, by_thread = driven(play), driven(play, InProcess(torch.device("cpu")))
    assert by_process.states() == by_thread.states() == ["loading", "running"]
    a, b = by_process.done()[0].about, by_thread.done()[0].about
    assert a == b


def test_a_killed_worker_is_replaced_and_the_job_goes_on_from_its_checkpoint() -> None:
    async def play(driver: Driver) -> None:
        driver.order(submit(5000))
        await driver.until(lambda: bool(driver.said(m.Progress)))
        driver.engine.command(m.Pause(JOB))  # a checkpoint is made
        await driver.until(lambda: bool(driver.kept("checkpoint")))
        os.kill(worker_of(driver), signal.SIGKILL)
        await driver.until(lambda: any(isinstance(e, Lost) for e in driver.heard))
        await driver.until(lambda: sum(isinstance(e, Ready) for e in driver.heard) == 2)
        saved = driver.kept("checkpoint")[-1]
        driver.order(submit(5000), saved.data)
        at = len(driver.heard)
        await driver.until(
            lambda: any(
                isinstance(e, Said) and isinstance(e.message, m.Progress) for e in driver.heard[at:]
            )
        )
        first = next(
            e.message
            for e in driver.heard[at:]
            if isinstance(e, Said) and isinstance(e.message, m.Progress)
        )
        assert isinstance(first, m.Progress) and first.step > saved.step
        driver.engine.command(m.Cancel(JOB, keep=True))
        await driver.over()

    driver = driven(play)
    (lost,) = [e for e in driver.heard if isinstance(e, Lost)]
    assert lost.job == JOB and "-9" in lost.why
    assert driver.done()[0].state == "cancelled"


def test_a_worker_that_hangs_is_replaced() -> None:
    async def play(driver: Driver) -> None:
        driver.order(submit(20_000))
        await driver.until(lambda: bool(driver.said(m.Progress)))
        os.kill(worker_of(driver), signal.SIGSTOP)
        await driver.until(lambda: any(isinstance(e, Lost) for e in driver.heard))
        await driver.until(lambda: sum(isinstance(e, Ready) for e in driver.heard) == 2)

    driver = driven(play, ZeroMQ(threads=1, hangs_after_s=3.0))
    assert [e.job for e in driver.heard if isinstance(e, Lost)] == [JOB]


def test_stopping_saves_the_job_and_leaves_no_process() -> None:
    pids = []

    async def play(driver: Driver) -> None:
        pids.append(worker_of(driver))
        driver.order(submit(20_000))
        await driver.until(lambda: bool(driver.said(m.Progress)))

    driver = driven(play)
    assert not psutil.pid_exists(pids[0])
    assert any(isinstance(e, Kept) and e.what == "checkpoint" for e in driver.heard)
    assert Over(JOB) not in driver.heard
