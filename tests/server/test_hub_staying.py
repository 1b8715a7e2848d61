"""Jobs that stay after their last step: with the engine, parked, and called back by a change."""

from __future__ import annotations

from pathlib import Path

from backends import Front, Puppet, front, played, submit

from limner.engine.base import Over, Said
from limner.server.app import Server
from limner_wire import messages as m
from limner_wire.frames import Buffer, encode


def stays(engine: Puppet, step: int = 6) -> None:
    state = m.State(engine.job, 0, "paused", step=step, note="Move the sliders.", stays=True)
    engine.hear(Said(state))


async def staying(engine: Puppet, one: Front) -> m.Submit:
    """A job that has made its last step."""
    asked = submit()
    await one.ask(asked)
    await one.hear(m.State, state="queued")
    engine.run()
    engine.keep(6)
    stays(engine)
    await one.hear(m.State, state="paused", stays=True)
    return asked


def changed(engine: Puppet, ink: float) -> None:
    engine.hear(Said(m.Adjusted(engine.job, 0, 7, {"ink": ink})))


def test_a_change_that_the_worker_refuses_is_no_failure_of_the_job(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.answer(asked, m.State, state="queued")
        engine.run()
        await one.answer(m.Adjust(asked.job, {"ink": 0.5}), m.Taken)
        engine.hear(Said(m.Failed("bad_input", "Not now.", retryable=True, job=asked.job)))
        told = await one.hear(m.Failed, job=asked.job)
        assert (told.message, told.seq, told.retryable) == ("Not now.", 0, True)
        assert "error" not in [e["t"] for e in server.store.events(asked.job)]
        engine.ended("done")
        await one.hear(m.State, state="done")

    played(folder, play)


def test_its_changes_go_to_the_engine_and_are_one_event(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = await staying(engine, one)
        for ink in (0.25, 0.5, 0.75):
            await one.answer(m.Adjust(asked.job, {"ink": ink}), m.Taken)
            assert engine.commands[-1] == m.Adjust(asked.job, {"ink": ink})
            changed(engine, ink)
            await one.hear(m.Adjusted, step=7)
        told = [e for e in server.store.events(asked.job) if e["t"] == "adjusted"]
        assert [(e["step"], e["params"]) for e in told] == [(7, {"ink": 0.75})]
        seqs = [x.message.seq for x in one.heard if x.message.t in m.DURABLE]
        assert seqs == sorted(set(seqs))
        engine.done()
        await one.hear(m.Done, state="done")

    played(folder, play)


def test_a_picture_reaches_who_watches_and_is_at_hand_for_who_comes(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = await staying(engine, one)
        head = m.RasterFrame(asked.job, 0, 6, (64, 48), "image/png")
        frame = encode(head.json(), [Buffer("picture", "u8", (4,), b"\x89PNG")])
        engine.hear(Said(head, frame))
        heard = await one.until(lambda h: isinstance(h.message, m.RasterFrame))
        assert bytes(heard.buffers["picture"].data) == b"\x89PNG" and heard.message.seq
        async with front(server, "other") as other:
            await other.ask(m.Watch(asked.job))
            assert (await other.hear(m.RasterFrame)).mime == "image/png"
        server.store.keep_frame(asked.job, 6, frame)
        fetched = await one.answer(m.Fetch(asked.job, "frame", 6), m.RasterFrame)
        assert fetched.seq == 0

    played(folder, play)


def test_it_makes_way_and_a_change_calls_it_back(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        held, other = await staying(engine, one), submit()
        await one.ask(other)
        await one.hear(m.State, job=other.job, state="queued")
        assert engine.commands[-1] == m.Leave(held.job)
        engine.hear(Over(held.job))
        await one.answer(m.Adjust(held.job, {"ink": 0.5}), m.Adjusted, job=held.job, step=7)
        await one.hear(m.State, job=held.job, state="queued")
        await one.answer(m.Adjust(held.job, {"ink": 0.75}), m.Adjusted, job=held.job, step=7)
        assert engine.job == other.job and one.states.count("queued") == 3
        engine.done()
        await one.hear(m.Done, job=other.job)
        order = engine.orders[-1]
        assert order.submit.job == held.job and order.adjusted == ((7, {"ink": 0.75}),)
        assert order.saved == b"state"

    played(folder, play)


def test_after_its_worker_died_a_change_or_keeping_it_calls_it_back(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = await staying(engine, one)
        engine.lost()
        engine.ready()
        assert len(engine.orders) == 1 and server.store.job(asked.job).state == "paused"  # type: ignore[union-attr]
        await one.answer(m.Adjust(asked.job, {"ink": 0.5}), m.Adjusted, step=7)
        assert len(engine.orders) == 2 and engine.orders[-1].adjusted == ((7, {"ink": 0.5}),)
        engine.run()
        stays(engine)
        engine.lost()
        engine.ready()
        await one.answer(m.Cancel(asked.job, keep=True), m.Taken, what="cancel")
        assert len(engine.orders) == 3
        assert engine.commands[-1] == m.Cancel(asked.job, keep=True)
        engine.done()
        await one.hear(m.Done, state="done")

    played(folder, play)


def test_one_that_the_artist_paused_stays_paused_when_it_is_adjusted(folder: Path) -> None:
    async def play(server: Server, engine: Puppet, one: Front) -> None:
        asked = submit()
        await one.ask(asked)
        await one.hear(m.State, state="queued")
        engine.run()
        engine.keep(3)
        engine.state("paused", 3)
        await one.hear(m.State, state="paused")
        engine.lost()
        engine.ready()
        await one.answer(m.Adjust(asked.job, {"ink": 0.5}), m.Adjusted, step=4)
        assert len(engine.orders) == 1

    played(folder, play)
