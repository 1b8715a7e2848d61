"""A35 to A40: what guests may do, how much anyone may ask for, and what is let slip."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import zmq
from attacks import (
    BINARY,
    GONE,
    TEXT,
    asked,
    attacked,
    refused,
    request,
    said,
    serves,
    status,
    stranger,
    times,
    told_off,
)
from backends import Puppet, front, submit, with_fields
from engines import JOB, Driver
from engines import submit as order

from limner.engine.base import Ready
from limner.engine.zeromq import ZeroMQ, _address
from limner.server.app import Server, Settings
from limner.server.hub import CHANGES
from limner_wire import limits, place
from limner_wire import messages as m
from limner_wire.frames import encode_text

SECRET = "a secret heron"


def test_a35_someone_elses_drawing(folder: Path, puppet: Puppet) -> None:
    """A guest cancels, watches, fetches, forgets the owner's and another guest's: forbidden."""

    async def attack(server: Server) -> None:
        async with front(server, "owner") as owner:
            mine = submit(prompt=SECRET)
            await owner.answer(mine, m.State, state="queued")
            puppet.run()
            puppet.keep(3)
            tickets = [(await owner.answer(m.Invite(n), m.Invited)).ticket for n in ("ada", "eve")]
            async with (
                front(server, "page", ticket=tickets[0]) as ada,
                front(server, "page", ticket=tickets[1]) as eve,
            ):
                hers = submit(prompt=SECRET)
                await ada.answer(hers, m.State, state="queued")
                commands = len(puppet.commands)
                for job in (mine.job, hers.job):
                    for wrong in (
                        m.Watch(job), m.Cancel(job), m.Cancel(job, keep=False), m.Pause(job),
                        m.Resume(job), m.Adjust(job, {"ink": 1}), m.Describe(job), m.Fetch(job),
                        m.Fetch(job, "frame", 3), m.Fetch(job, "input"), m.Forget(job), submit(job),
                        with_fields(submit(job), watch=False), m.Invite("mallory"), m.Invite(),
                    ):  # fmt: skip
                        asked = wrong
                        if isinstance(wrong, m.Submit) and not wrong.watch:
                            await eve.ask(asked)  # a retry of a job: nothing is told, nothing new
                            continue
                        await refused(eve, asked, "forbidden")
                    await eve.ask(m.Ack(job, 1), m.Unwatch(job))
                jobs = await eve.answer(m.ListJobs(), m.Jobs)
                assert jobs.jobs == () and len(puppet.commands) == commands
                puppet.frame(4)
                puppet.done()  # of the owner's; then hers runs
                await owner.hear(m.Done)
                puppet.run()
                puppet.done()
                await ada.hear(m.Done)
                await eve.answer(m.Ping(), m.Pong)
                told = " ".join(map(repr, (h.message for h in eve.heard)))
                assert SECRET not in told
                assert not {"state", "done", "strokes"} & {h.message.t for h in eve.heard}
                key = eve.session.welcome.session if eve.session.welcome else ""
        for forged in (key.replace("eve", "ada"), key.replace("eve", ""), "." + key, tickets[0]):
            async with stranger(server.port) as one:
                await one.say(m.Hello((m.PROTOCOL,), "mallory", "", forged))
                assert await one.closed() in (4401, 4429)

    attacked(folder, attack, puppet)


def test_a36_ten_thousand_drawings(folder: Path, puppet: Puppet) -> None:
    """10,000 submits (2,000 in a quick run): 20 of one front end wait, 100 in all, else quota."""
    count, crowd = times("LIMNER_SUBMITS", 2_000), 20

    async def attack(server: Server) -> None:
        async def ask(name: str, each: int) -> list[str]:
            """The codes of the refusals; reading and writing at once, as a flood does."""
            out = []
            async with stranger(server.port, token=place.token(), client=name) as one:

                async def send() -> None:
                    for _ in range(each):
                        await one.say(with_fields(submit(), watch=False))
                    await one.say(m.Ping(7))

                sending = asyncio.create_task(send())
                while b'"pong"' not in (word := await one.until(b'"t"')):
                    out.append(json.loads(word)["code"])
                await sending
            return out

        first = await ask("one", 50)
        waiting = len(server.hub.queue)
        assert waiting == limits.QUEUED_PER_CLIENT and set(first) == {"quota"}
        many = await asyncio.gather(*(ask(f"{k}", count // crowd) for k in range(crowd)))
        assert {code for codes in many for code in codes} == {"quota"}
        assert len(server.hub.queue) == limits.QUEUED
        assert sum(map(len, many)) == count - (limits.QUEUED - waiting)
        for job in server.store.unfinished():
            server.hub.cancel(job, m.Cancel(job.id, keep=False))
        puppet.ended("cancelled")

    attacked(folder, attack, puppet)


def test_a36_answers_that_nobody_reads(folder: Path, puppet: Puppet) -> None:
    """A result asked for a thousand times and never read: the server does not hoard it."""

    async def attack(server: Server) -> None:
        async with front(server, "owner") as one:
            mine = submit()
            await one.answer(mine, m.State, state="queued")
            puppet.run()
            puppet.done(png=b"\x89PNG" + bytes(2**21))
            await one.hear(m.Done)
        async with stranger(server.port, token=place.token()) as one:
            for _ in range(300):
                await one.say(m.Fetch(mine.job))
            await asyncio.sleep(1.0)

    attacked(folder, attack, puppet)


def test_a36_changes_without_end(folder: Path, puppet: Puppet) -> None:
    """Changes to one drawing, more than an order can carry: quota while it runs, else one event."""
    change = {"also": ["x" * 900] * limits.LIST_ITEMS}
    most, more = CHANGES + 4, times("LIMNER_CHANGES", 40)

    async def attack(server: Server) -> None:
        async with front(server, "owner") as one:
            runs, waits = (with_fields(submit(), watch=False) for _ in range(2))
            await one.ask(runs, waits)
            await one.answer(m.Ping(), m.Pong)
            puppet.run()
            flood = (runs, most, {"taken", "quota"}), (waits, more, {"taken"})
            for asked, count, codes in flood:
                found = set()
                for _ in range(count):
                    await one.ask(m.Adjust(asked.job, change))
                    answer = await one.until(lambda h: isinstance(h.message, m.Failed | m.Taken))
                    found.add(getattr(answer.message, "code", "taken"))
                assert found == codes
            events = server.store.events(waits.job)
            assert [event["t"] for event in events] == ["state", "adjusted"]
            puppet.done()
            await one.answer(m.Watch(waits.job), m.State, state="queued")
            assert puppet.job == waits.job and puppet.orders[-1].adjusted == ((1, change),)
            puppet.run()
            puppet.done()
            await one.hear(m.Done, job=waits.job)

    attacked(folder, attack, puppet)


def test_a36_prompts_that_fill_a_list(folder: Path) -> None:
    """A guest's hundred longest prompts: the owner's list comes all the same, in parts."""

    async def attack(server: Server) -> None:
        for _ in range(100):
            theirs = submit(prompt="\x01" * limits.PROMPT_CHARS)
            server.store.add(theirs.job, "ada", "page", theirs.method, theirs.json())
        async with front(server, "owner") as one:
            seen, before = [], 0.0
            while rows := (await one.answer(m.ListJobs(before, 100), m.Jobs)).jobs:
                seen += [row["job"] for row in rows]
                before = rows[-1]["created"]
            assert len(seen) == len(set(seen)) == 101
            for job in server.store.unfinished():
                server.hub.cancel(job, m.Cancel(job.id, keep=False))

    attacked(folder, attack)


def test_a37_numbers_beyond_all_bounds(folder: Path) -> None:
    """steps = 10^9, a canvas of 10^6, 10^7 strokes, NaN: refused by the bounds of the schema."""

    async def attack(server: Server) -> None:
        async with front(server, "attacker") as one:
            for wrong in (
                {"steps": 10**9}, {"steps": 0}, {"steps": -1}, {"steps": 0.5}, {"steps": 1e300},
                {"strokes": 10**7}, {"strokes": 0}, {"cutouts": 65}, {"seed": -1}, {"ink": 11},
                {"point_rate": -1}, {"point_rate": 101}, {"prompt": "x" * 2_001}, {"prompt": 5},
                {"also": ["x"] * 65}, {"also": ["x" * 2_001]}, {"also": "x"}, {"steps": "6"},
                {"steps": True}, {"steps": None}, {"steps": [6]}, {"learning_rate": 1},
                {"freeze": ["all"]}, {"x" * 999: 1}, {"prompt": {"a": "b"}},
            ):  # fmt: skip
                await refused(one, submit(**wrong), "bad_input")
        good = submit().json()
        for key, wrong in (
            ("canvas", [10**6, 64]), ("canvas", [15, 64]), ("canvas", [64]), ("canvas", [64] * 3),
            ("canvas", [64.0, 64]), ("canvas", ["64", "64"]), ("canvas", None),
            ("models", ["x"] * 5),
            ("params", []), ("inputs", []), ("job", "x"), ("method", "../x"), ("watch", 1),
        ):  # fmt: skip
            text = json.dumps({**good, key: wrong})
            assert await told_off(server.port, TEXT, text) == 1007, (key, wrong)
        for number in ("NaN", "Infinity", "-Infinity", "1e400"):
            text = json.dumps(good).replace('"steps": 6', f'"steps": 6, "ink": {number}')
            assert number in text and await told_off(server.port, TEXT, text) == 1007
        assert not server.store.unfinished()

    attacked(folder, attack)


def test_a38_a_stranger_at_the_worker() -> None:
    """ZeroMQ without CURVE, with a wrong server key, with a key of its own: no word gets in."""

    async def play() -> list[type[Any]]:
        engine = ZeroMQ(threads=1)
        driver = Driver(engine)
        await driver.start()
        (server, _), _ = engine._keys
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        sockets, dealers = [], []
        for key in ("none", "wrong", "own"):
            push, dealer = context.socket(zmq.PUSH), context.socket(zmq.DEALER)
            for socket in (push, dealer):
                socket.linger = 0
                if key != "none":
                    socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
                    socket.curve_serverkey = server if key == "own" else zmq.curve_keypair()[0]
            push.connect(_address(engine._results))
            dealer.connect(_address(engine._commands))
            push.send_multipart([b"worker 1", b"over", JOB.encode()])
            dealer.send_multipart([b"beat", b"{}"])
            dealers.append(dealer)
            sockets += [push, dealer]
        await asyncio.sleep(1.0)
        heard = [type(event) for event in driver.heard]
        assert not any(dealer.poll(0) for dealer in dealers)
        driver.order(order(5))
        await driver.over()
        assert driver.done()
        for socket in sockets:
            socket.close()
        context.term()
        await engine.stop()
        return heard

    assert asyncio.run(play()) == [Ready]


def test_a39_results_beyond_the_quota(folder: Path, puppet: Puppet) -> None:
    """Results beyond the quota: the oldest are forgotten, and whoever owns them is told."""
    quota = 8 * 2**20

    async def attack(server: Server) -> None:
        async with front(server, "owner") as one:
            made = []
            for _ in range(10):
                mine = submit()
                made.append(mine.job)
                await one.answer(mine, m.State, job=mine.job, state="queued")
                puppet.run()
                puppet.done(png=b"\x89PNG" + bytes(2**21))
                await one.hear(m.Done, job=mine.job)
            await one.answer(m.Ping(), m.Pong)
            gone = [job for told in one.of(m.Forgotten) for job in told.jobs]
            left = {job.id for job in server.store.jobs()}
            assert gone[-7:] == made[:7] and left >= set(made[7:]) and not left & set(gone)
            assert server.store.size_bytes() <= quota

    attacked(folder, attack, puppet, Settings(port=0, quota_bytes=quota))


def test_a39_a_full_disk(folder: Path, puppet: Puppet) -> None:
    """A disk without room: the drawing ends with disk_quota, new ones are refused, all goes on."""

    async def attack(server: Server) -> None:
        db = server.store._db

        def room(pages: int) -> None:
            used = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count={used + pages}")

        async with front(server, "owner") as one:
            big, waits = submit(), submit()
            await one.ask(big, waits)
            await one.hear(m.State, job=waits.job, state="queued")
            puppet.run()
            room(8)
            puppet.done(png=b"\x89PNG" + bytes(2**21))
            failed = await one.hear(m.Failed, job=big.job)
            assert failed.code == "disk_quota" and failed.hint
            await one.hear(m.State, job=big.job, state="error")
            assert puppet.job == waits.job  # the next one runs
            puppet.run()
            while db.execute("PRAGMA freelist_count").fetchone()[0]:
                db.execute("CREATE TABLE IF NOT EXISTS full (x)")
                db.execute("INSERT INTO full VALUES (zeroblob(3000))")
            room(0)
            puppet.done(png=b"\x89PNG" + bytes(2**21))
            failed = await one.hear(m.Failed, job=waits.job)
            assert failed.code == "disk_quota"
            codes = set()
            for _ in range(50):
                more = with_fields(submit(prompt="x" * 2000), watch=False)
                await one.ask(more)
            await one.ask(m.Ping(3))
            heard = await one.until(lambda h: isinstance(h.message, m.Pong))
            assert heard is not None
            codes = {f.code for f in one.of(m.Failed)}
            assert codes <= {"disk_quota", "quota"}
            data = b"\x89PNG\r\n\x1a\n" + bytes(200_000)
            one.session.upload(data, "image/png")
            await one.ask()
            assert (await one.hear(m.Failed)).code == "disk_quota"
            server.hub.make_room()
            db.execute("PRAGMA max_page_count=1000000000")
            for job in server.store.unfinished():
                server.hub.cancel(job, m.Cancel(job.id, keep=False))
            if server.hub.seats[0].job:
                puppet.ended("cancelled")

    attacked(folder, attack, puppet, mistakes=2)


CONTROL = "x\r\nERROR limner: owned\x1b[2J\u2028\u0085"


def test_a40_what_the_log_says(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attacks of all kinds on `limner serve`: its log has no token, path, prompt, or forged line.

    Nothing that a front end sends is logged at all. Log lines name no folder of the user's.
    """
    monkeypatch.setenv("LIMNER_DATA", str(program.folder))
    token = place.token()

    async def attack() -> None:
        port = program.port
        for path in (f"/?token={token}", f"/live?token={token}", "/" + SECRET.replace(" ", "%20")):
            answer = await said(port, request(port, path))
            assert status(answer) in (400, 404) and token.encode() not in answer
        assert await asked(port, ("X-Name", SECRET), ("Origin", "null")) == 403
        for bad in (b"\x80\0\0\0{", b"\x10\0\0\0" + SECRET.encode() + b"  "):
            assert await told_off(port, BINARY, bad) == 1007
        assert await told_off(port, TEXT, '{"t":"' + SECRET) == 1007
        async with stranger(port) as one:
            hello = m.Hello((m.PROTOCOL,), CONTROL, token[:-1] + "!")
            await one.frame(TEXT, encode_text(hello.json()))
            assert await one.closed() in (4401, GONE)
            assert token.encode() not in b"".join(one.heard)
        async with front(program, CONTROL) as one:  # type: ignore[arg-type]
            wrong = with_fields(submit(prompt=SECRET), models=(CONTROL,))
            for asked_for in (wrong, with_fields(submit(), inputs={CONTROL: CONTROL})):
                failed = await one.answer(asked_for, m.Failed)
                for text in (failed.message, failed.hint):
                    assert str(program.folder) not in text and "/" not in text
                    assert not re.search(r"[\x00-\x1f\x7f\u2028\x85]", text)
            await one.ask(m.Ping(1))
            fine = submit(steps=2, prompt=f"{SECRET} {CONTROL}")
            await one.ask(fine)
            await one.hear(m.Done, job=fine.job)
        await serves(program)

    asyncio.run(attack())
    log = program.log.read_text()
    assert token not in log and SECRET not in log and "owned" not in log
    assert str(program.folder) not in log and "Traceback" not in log
    for line in log.splitlines():
        assert re.match(r"(DEBUG|INFO|WARNING) [\w.]+: ", line), line
