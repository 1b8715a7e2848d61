"""The life of jobs, with a real server, store and connections, and an engine on strings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from backends import Front, Puppet, backend, front, new_job, played, submit, with_fields

from limner.engine.base import Over
from limner.server.app import Server
from limner_wire import messages as m
from limner_wire.session import Session


def test_a_job_goes_from_submit_to_done(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.ask(asked)
        await one.hear(m.State, state="queued")
        engine.run()
        await one.hear(m.State, state="running")
        assert engine.commands == [m.Watch(asked.job)]
        engine.progress(1)
        engine.frame(1)
        await one.hear(m.StrokesFrame, step=1)
        engine.done()
        heard = await one.until(lambda h: isinstance(h.message, m.Done))
        assert bytes(heard.buffers["svg"].data) == b"<svg/>"
        assert heard.message.about["prompt"] == "a cat"
        seqs = [x.message.seq for x in one.heard if x.message.t in m.DURABLE]
        assert seqs == [1, 2, 3, 4]

    played(folder, play)


def test_a_submit_that_is_sent_twice_is_one_job(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.ask(asked)
        await one.hear(m.State, state="queued")
        await one.ask(asked)
        jobs = await one.answer(m.ListJobs(), m.Jobs)
        assert [job["job"] for job in jobs.jobs] == [asked.job]
        assert one.states == ["queued"] and len(engine.orders) == 1

    played(folder, play)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (submit(stepz=1), "bad_input"),
        (submit(steps=10**9), "bad_input"),
        (with_fields(submit(), method="magic"), "unknown_method"),
        (with_fields(submit(), models=("../../etc",)), "unknown_model"),
        (with_fields(submit(), inputs={"over": "0" * 64}), "unknown_blob"),
        (with_fields(submit(), inputs={"over": 5}), "unknown_blob"),
        (with_fields(submit(), inputs={"sound": "0" * 64}), "bad_input"),
    ],
)
def test_what_is_no_job_is_refused_at_once_and_in_words(
    folder: Path, wrong: m.Submit, code: str
) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        refused = await one.answer(wrong, m.Failed, job=wrong.job)
        assert refused.code == code and refused.seq == 0 and refused.message.endswith(".")
        assert server.store.job(wrong.job) is None and not engine.orders
        await one.answer(submit(), m.State, state="queued")  # and it goes on serving

    played(folder, play)


def test_whoever_comes_late_or_again_hears_everything_once(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.answer(asked, m.State, state="queued")
        engine.run()
        engine.frame(5)
        engine.keep(7)
        await one.hear(m.StrokesFrame)
        async with front(server, "late") as late:
            await late.answer(m.Watch(asked.job), m.StrokesFrame)
            assert late.states == ["queued", "loading", "running"]
            engine.done()
            await late.hear(m.Done)
        async with front(server, "after") as after:
            await after.answer(m.Watch(asked.job), m.Done)
            assert [e.seq for e in after.of(m.State)] == [1, 2, 3]
        # the first reconnects with its session: nothing that it heard is told again
        one.session.watched[asked.job].seq = 2
        async with front(server, session=one.session) as again:
            await again.hear(m.Done)
            assert again.states == ["running"]

    played(folder, play)


def test_a_frame_is_at_hand_for_whoever_watches_a_paused_job(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = with_fields(submit(), watch=False)
        await one.ask(asked)
        jobs = await one.answer(m.ListJobs(), m.Jobs)
        assert jobs.jobs[0]["job"] == asked.job and not engine.commands
        engine.run()
        engine.keep(12)
        engine.state("paused", 12)
        frame = await one.answer(m.Watch(asked.job), m.StrokesFrame)
        assert frame.step == 12 and frame.seq == 1
        await one.ask(m.Unwatch(asked.job))
        await one.answer(m.Ping(3), m.Pong)
        assert engine.commands == [m.Watch(asked.job), m.Unwatch(asked.job)]

    played(folder, play)


def test_commands_reach_the_engine_and_are_answered_at_once(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.answer(asked, m.State, state="queued")
        engine.run()
        for command in (
            m.Pause(asked.job),
            m.Resume(asked.job),
            m.Adjust(asked.job, {"ink": 0.5}),
            m.Cancel(asked.job, keep=False),
        ):
            await one.answer(command, m.Taken, what=command.t)
            assert engine.commands[-1] == command
        refused = await one.answer(m.Adjust(asked.job, {"strokes": 5}), m.Failed)
        assert refused.code == "bad_input" and "can't change" in refused.message
        engine.ended("cancelled")
        await one.hear(m.State, state="cancelled")
        for late in (m.Cancel(asked.job), m.Pause(asked.job), m.Adjust(asked.job, {"ink": 1})):
            assert (await one.answer(late, m.Failed)).code == "busy"

    played(folder, play)


def test_those_who_wait_know_how_many_come_first_and_can_leave(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        first, second, third = submit(), submit(), submit()
        for asked, position in ((first, 0), (second, 1), (third, 2)):
            state = await one.answer(asked, m.State, job=asked.job)
            assert state.position == position
        await one.answer(m.Cancel(second.job), m.State, job=second.job, state="cancelled")
        await one.hear(m.Waiting, job=third.job, position=1)
        engine.run()
        engine.done()
        await one.hear(m.Done, job=first.job)
        assert engine.job == third.job and len(engine.orders) == 2

    played(folder, play)


def test_what_is_adjusted_in_the_queue_is_done_from_the_first_step(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        first, second = submit(), submit()
        await one.ask(first, second)
        await one.hear(m.State, job=second.job)
        change = {"prompt": "a dog"}
        adjusted = await one.answer(m.Adjust(second.job, change), m.Adjusted)
        assert adjusted.step == 1
        newest = (await one.answer(m.ListJobs(), m.Jobs)).jobs[0]
        assert newest["job"] == second.job and newest["prompt"] == "a dog"
        engine.done()
        await one.hear(m.Done)
        assert engine.orders[-1].adjusted == ((1, change),)

    played(folder, play)


def test_a_paused_job_makes_way_and_goes_on_from_its_checkpoint(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        held, other = submit(), submit()
        await one.answer(held, m.State, state="queued")
        engine.run()
        engine.state("paused", 4)
        await one.answer(other, m.State, job=other.job, state="queued")
        assert engine.commands[-1] == m.Leave(held.job)
        engine.keep(4, b"at four")
        engine.hear(Over(held.job))
        assert engine.job == other.job
        await one.answer(m.Adjust(held.job, {"ink": 3, "prompt": "a kiwi"}), m.Adjusted, step=5)
        await one.answer(m.Adjust(held.job, {"ink": 1}), m.Adjusted, step=5)
        await one.answer(m.Resume(held.job), m.State, job=held.job, state="queued")
        told = [e for e in server.store.events(held.job) if e["t"] == "adjusted"]
        assert [e["params"] for e in told] == [{"ink": 1, "prompt": "a kiwi"}]
        engine.done()
        await one.hear(m.Done, job=other.job)
        order = engine.orders[-1]
        assert order.submit.job == held.job and order.saved == b"at four"
        assert order.adjusted == ((5, {"ink": 1, "prompt": "a kiwi"}),)

    played(folder, play)


def test_a_parked_job_is_finished_with_what_it_has(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        held, other = submit(), submit()
        await one.answer(held, m.State, state="queued")
        engine.run()
        engine.keep(4)
        engine.state("paused", 4)
        await one.answer(other, m.State, job=other.job)
        engine.hear(Over(held.job))
        await one.answer(m.Cancel(held.job, keep=True), m.Taken)
        engine.done()
        assert engine.job == held.job and engine.commands[-1] == m.Cancel(held.job, keep=True)
        engine.run()
        engine.done("cancelled")
        await one.hear(m.Done, job=held.job, state="cancelled")

    played(folder, play)


def test_a_job_whose_worker_dies_goes_on_and_its_changes_are_not_lost(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.answer(asked, m.State, state="queued")
        engine.run()
        engine.keep(30)
        await one.answer(m.Adjust(asked.job, {"ink": 1}), m.Taken)
        engine.lost()
        await one.hear(m.Adjusted, step=31)
        note = await one.hear(m.State, state="queued")
        assert "another takes over" in note.note and len(engine.orders) == 1
        engine.frame(31)  # a late word of the dead: not believed
        engine.ready()
        assert len(engine.orders) == 2
        assert engine.orders[-1].saved == b"state"
        assert engine.orders[-1].adjusted == ((31, {"ink": 1}),)
        engine.run()
        engine.done()
        await one.hear(m.Done)
        assert not [f for f in one.of(m.StrokesFrame) if f.step == 31]

    played(folder, play)


def test_a_job_that_kills_three_workers_is_given_up_and_the_next_runs(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        poison, other = submit(), submit()
        await one.ask(poison, other)
        await one.hear(m.State, job=other.job)
        for _ in range(3):
            assert engine.job == poison.job
            engine.run()
            engine.lost()
            engine.ready()
        failed = await one.hear(m.Failed, job=poison.job)
        assert failed.code == "poisoned" and failed.seq
        await one.hear(m.State, job=poison.job, state="error")
        assert engine.job == other.job

    played(folder, play)


def test_without_a_worker_front_ends_know(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        assert one.session.welcome is not None and one.session.welcome.ready
        engine.lost(is_replaced=False)
        welcome = await one.hear(m.Welcome)
        assert not welcome.ready and welcome.methods
        engine.ready()
        assert (await one.hear(m.Welcome)).ready

    played(folder, play)


def test_a_server_that_starts_again_takes_up_what_was_unfinished(folder: Path) -> None:
    running, paused, waiting = submit(), submit(), submit()

    async def before() -> None:
        engine = Puppet()
        async with backend(folder, engine) as server, front(server) as one:
            await one.answer(paused, m.State, state="queued")
            engine.run()
            engine.keep(9, b"nine")
            engine.state("paused", 9)
            await one.answer(running, m.State, job=running.job)
            engine.hear(Over(paused.job))
            engine.run()
            engine.keep(50, b"fifty")
            await one.answer(waiting, m.State, job=waiting.job)

    async def after() -> None:
        engine = Puppet()
        async with backend(folder, engine) as server, front(server) as one:
            assert engine.job == running.job and engine.orders[-1].saved == b"fifty"
            state = await one.answer(m.Watch(running.job), m.State, state="queued", position=0)
            while "started again" not in state.note:
                state = await one.hear(m.State)
            engine.run()
            engine.done()
            assert engine.job == waiting.job
            about = await one.answer(m.Describe(paused.job), m.Described)
            assert about.about["state"] == "paused"
            await one.answer(m.Resume(paused.job), m.Taken)
            engine.done()
            assert engine.job == paused.job and engine.orders[-1].saved == b"nine"

    asyncio.run(before())
    asyncio.run(after())


def test_guests_see_their_own_and_the_owner_sees_all(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        mine, theirs = submit(), submit()
        await one.answer(mine, m.State, state="queued")
        ticket = (await one.answer(m.Invite("ada"), m.Invited)).ticket
        async with front(server, "page", ticket=ticket) as ada:
            await ada.answer(theirs, m.State, state="queued")
            jobs = await ada.answer(m.ListJobs(), m.Jobs)
            assert [job["job"] for job in jobs.jobs] == [theirs.job]
            for asked in (
                m.Watch(mine.job), m.Cancel(mine.job), m.Describe(mine.job),
                m.Fetch(mine.job), m.Forget(mine.job), mine, m.Invite("eve"),
            ):  # fmt: skip
                assert (await ada.answer(asked, m.Failed)).code == "forbidden"
            key = ada.session.welcome.session if ada.session.welcome else ""
        async with front(server, session=Session("page/1", ticket=key)) as again:
            jobs = await again.answer(m.ListJobs(), m.Jobs)
            assert [job["job"] for job in jobs.jobs] == [theirs.job]
        jobs = await one.answer(m.ListJobs(), m.Jobs)
        assert len(jobs.jobs) == 2

    played(folder, play)


def test_history_is_described_fetched_and_forgotten(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.answer(asked, m.State, state="queued")
        assert (await one.answer(m.Forget(asked.job), m.Failed)).code == "busy"
        assert (await one.answer(m.Fetch(asked.job), m.Failed)).code == "busy"
        engine.run()
        engine.keep(10)
        engine.keep(20)
        engine.done()
        await one.hear(m.Done)
        about = (await one.answer(m.Describe(asked.job), m.Described)).about
        assert about["frames"] == [10, 20] and about["result"] and about["step"] == 6
        assert about["request"]["params"]["prompt"] == "a cat"
        frame = await one.answer(m.Fetch(asked.job, "frame", 19), m.StrokesFrame)
        assert frame.step == 20 and frame.seq == 0
        await one.ask(m.Fetch(asked.job))
        await one.answer(m.Forget(asked.job), m.Forgotten, jobs=(asked.job,), why="asked")
        assert (await one.answer(m.Describe(asked.job), m.Failed)).code == "unknown_job"
        assert (await one.answer(m.Describe(new_job()), m.Failed)).code == "unknown_job"

    played(folder, play)


def test_a_far_front_end_gets_steps_and_sees_the_same(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.answer(asked, m.State, state="queued")
        engine.run()
        async with front(server, "far", remote=True) as far:
            await far.ask(m.Watch(asked.job))
            for step in range(1, 60):
                x = 1.0 + step / 10
                engine.frame(step, x)
                heard = await far.until(lambda h: isinstance(h.message, m.StrokesFrame))
                assert heard.strokes is not None
                assert abs(next(iter(heard.strokes)).points[0][0] - x) < 0.02
                await far.answer(m.Ping(step), m.Pong)  # the frame is acknowledged by now
            frames = far.of(m.StrokesFrame)
            assert frames[0].base == 0 and sum(1 for f in frames if f.base) > 50

    played(folder, play)
