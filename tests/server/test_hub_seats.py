"""Several engines at one hub, with a real server, store and connections, and engines on strings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from backends import Front, Puppet, backend, front, submit

from limner.engine.base import Over, Ready, Said
from limner.server.app import Server
from limner.server.hub import NOWHERE, common
from limner_wire import messages as m

Play = Callable[[Server, Puppet, Puppet, Front], Awaitable[None]]


def played(folder: Path, play: Play, memory: tuple[int, int] = (0, 0)) -> None:
    """A play with a backend that has two engines, and one front end."""

    async def run() -> None:
        first, second = map(Puppet, memory)
        async with backend(folder, first, others=[second]) as server, front(server) as one:
            await play(server, first, second, one)

    asyncio.run(run())


async def asked_for(one: Front, count: int) -> list[m.Submit]:
    """Drawings that are queued, or begun."""
    jobs = [submit() for _ in range(count)]
    for job in jobs:
        await one.answer(job, m.State, job=job.job, state="queued")
    return jobs


def test_as_many_run_as_there_are_engines_and_who_is_done_takes_the_next(folder: Path) -> None:
    async def play(_server: Server, first: Puppet, second: Puppet, one: Front) -> None:
        jobs = await asked_for(one, 4)
        assert (first.job, second.job) == (jobs[0].job, jobs[1].job)
        assert [w.position for w in one.of(m.Waiting)][-1:] in ([], [2], [3])
        for engine in (first, second):
            engine.run()
            engine.frame(1)
            await one.hear(m.StrokesFrame, job=engine.job)
        second.done()
        await one.hear(m.Done, job=jobs[1].job)
        assert second.job == jobs[2].job and len(first.orders) == 1
        first.done()
        await one.hear(m.Done, job=jobs[0].job)
        assert first.job == jobs[3].job

    played(folder, play)


def test_a_job_whose_worker_is_lost_goes_on_at_the_other_engine(folder: Path) -> None:
    async def play(_server: Server, first: Puppet, second: Puppet, one: Front) -> None:
        (job,) = await asked_for(one, 1)
        first.run()
        first.keep(5, b"so far")
        await one.ask(m.Adjust(job.job, {"prompt": "a dog"}))
        await one.answer(m.ListJobs(), m.Jobs)
        first.lost()
        await one.hear(m.State, state="queued", job=job.job)
        assert second.job == job.job and second.orders[-1].saved == b"so far"
        assert list(second.orders[-1].adjusted) == [(6, {"prompt": "a dog"})]
        first.state("running")  # what a lost one still says is of no account
        second.run()
        second.done()
        await one.hear(m.Done, job=job.job)
        assert one.states.count("running") == 2  # one of each engine

    played(folder, play)


def test_a_paused_job_leaves_only_where_no_engine_is_free_and_returns_to_any(folder: Path) -> None:
    async def play(_server: Server, first: Puppet, second: Puppet, one: Front) -> None:
        (held,) = await asked_for(one, 1)
        first.run()
        first.keep(5)
        first.state("paused", 5)
        await one.hear(m.State, state="paused")
        (other,) = await asked_for(one, 1)
        assert second.job == other.job and m.Leave(held.job) not in first.commands
        second.run()
        (third,) = await asked_for(one, 1)
        await one.answer(m.ListJobs(), m.Jobs)
        assert first.commands.count(m.Leave(held.job)) == 1
        first.hear(Over(held.job))
        await one.answer(m.ListJobs(), m.Jobs)
        assert first.job == third.job
        second.done()
        await one.hear(m.Done, job=other.job)
        await one.ask(m.Resume(held.job))
        await one.hear(m.State, state="queued", job=held.job)
        assert second.job == held.job and second.orders[-1].saved

    played(folder, play)


@pytest.mark.parametrize("who", [0, 1])
def test_commands_reach_the_engine_that_has_the_job(folder: Path, who: int) -> None:
    async def play(_server: Server, first: Puppet, second: Puppet, one: Front) -> None:
        jobs = await asked_for(one, 2)
        engines = (first, second)
        for engine in engines:
            engine.run()
        asked = [m.Pause(jobs[who].job), m.Resume(jobs[who].job),
                 m.Adjust(jobs[who].job, {"prompt": "a dog"}),
                 m.Cancel(jobs[who].job, keep=True)]  # fmt: skip
        await one.ask(*asked)
        await one.answer(m.ListJobs(), m.Jobs)
        assert [c for c in engines[who].commands if not isinstance(c, m.Watch)] == asked
        assert all(isinstance(c, m.Watch) for c in engines[1 - who].commands)

    played(folder, play)


def out_of_memory(engine: Puppet) -> None:
    """It has tried in vain."""
    words = "The device has too little memory for this."
    engine.hear(Said(m.Failed("oom", words, "Use fewer cutouts.", job=engine.job)))
    engine.ended("error")


def test_what_needs_more_memory_goes_on_where_there_is_more(folder: Path) -> None:
    async def play(_server: Server, small: Puppet, large: Puppet, one: Front) -> None:
        easy, hard = await asked_for(one, 2)
        assert (large.job, small.job) == (easy.job, hard.job)  # the largest is asked first
        small.run()
        small.keep(5, b"so far")
        out_of_memory(small)
        heard = await one.hear(m.State, state="queued", job=hard.job)
        assert "more memory" in heard.note
        (third,) = await asked_for(one, 1)
        assert small.job == third.job  # it does not wait for the one that does not fit here
        large.run()
        large.done()
        await one.hear(m.Done, job=easy.job)
        assert large.job == hard.job and large.orders[-1].saved == b"so far"
        large.run()
        out_of_memory(large)  # and there is none larger
        failed = await one.hear(m.Failed, job=hard.job)
        assert failed.code == "oom"
        await one.hear(m.State, state="error", job=hard.job)

    played(folder, play, memory=(1, 2))


def test_what_waits_for_more_memory_does_not_wait_for_what_is_gone(folder: Path) -> None:
    async def play(_server: Server, small: Puppet, large: Puppet, one: Front) -> None:
        _easy, hard = await asked_for(one, 2)
        out_of_memory(small)
        await one.hear(m.State, state="queued", job=hard.job)
        assert len(small.orders) == 1
        large.lost(is_replaced=False)
        await one.answer(m.ListJobs(), m.Jobs)
        small.ended("error")
        await one.answer(m.ListJobs(), m.Jobs)
        assert hard.job in [order.submit.job for order in small.orders[1:]]

    played(folder, play, memory=(1, 2))


def test_what_is_told_is_what_every_engine_has() -> None:
    def ready(models: str, **methods: str) -> Ready:
        rows = tuple({"name": name, "ready": lack} for name, lack in methods.items())
        return Ready("cpu", rows, tuple({"name": name} for name in models))

    told = common([ready("ab", draw="", edit="", adapt="no generator"),
                   ready("bc", draw="", edit="no generator", adapt="")])  # fmt: skip
    assert [model["name"] for model in told["models"]] == ["b"]
    lacks = {m["name"]: m["ready"] for m in told["methods"]}
    assert lacks == {"draw": "", "edit": "no generator", "adapt": "no generator"}
    assert told["devices"] == ["cpu", "cpu"]
    told = common([ready("a", draw="", edit=""), ready("a", draw="")])
    assert {m["name"]: m["ready"] for m in told["methods"]} == {"draw": "", "edit": NOWHERE}
