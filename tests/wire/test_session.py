"""A front end's session against a scripted backend: no socket, no clock, no waiting."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from limner_wire import messages as m
from limner_wire.errors import WireError
from limner_wire.frames import Buffer, decode, encode, encode_text
from limner_wire.session import BACK_OFF_S, CHUNK_BYTES, SILENCE_S, Heard, Phase, Session
from limner_wire.strokes import Stroke, Strokes

JOB = "123e4567-e89b-42d3-a456-426614174000"
OTHER = "00000000-e89b-42d3-a456-426614174000"
CANVAS = (224, 160)
WELCOME = m.Welcome(1, "limner/0.1", "s1", {}, (), ())
SUBMIT = m.Submit(JOB, "clipdraw", {"prompt": "a cat"}, CANVAS)


def told(session: Session) -> list[dict[str, Any]]:
    """What the session sends now, decoded."""
    return [
        json.loads(data) if isinstance(data, str) else decode(data).header
        for data in session.to_send()
    ]


def hear(session: Session, message: m.Message, buffers: list[Buffer] | None = None) -> Heard | None:
    if buffers is None:
        return session.receive(encode_text(message.json()), 0.0)
    return session.receive(encode(message.json(), buffers), 0.0)


def ready() -> Session:
    session = Session("test/1", "secret", chance=random.Random(0))
    session.connected(0.0)
    assert [x["t"] for x in told(session)] == ["hello"]
    assert hear(session, WELCOME) is not None and session.phase is Phase.READY
    return session


def test_hello_comes_first_and_nothing_before_welcome() -> None:
    session = Session("test/1", "secret")
    session.submit(SUBMIT)
    session.ask(m.ListJobs())
    assert session.to_send() == []
    session.connected(0.0)
    (hello,) = told(session)
    assert hello["t"] == "hello" and hello["token"] == "secret" and hello["protocol"] == [1]
    session.submit(replace(SUBMIT, job=OTHER))
    assert session.to_send() == []
    hear(session, WELCOME)
    assert [(x["t"], x["job"]) for x in told(session)] == [("submit", JOB), ("submit", OTHER)]


def test_a_submit_is_repeated_until_it_is_confirmed() -> None:
    session = ready()
    session.submit(SUBMIT)
    assert [x["t"] for x in told(session)] == ["submit"]
    session.disconnected()
    session.connected(1.0)
    hear(session, WELCOME)
    assert [x["t"] for x in told(session)] == ["hello", "submit"]
    hear(session, m.State(JOB, 1, "queued", 1))
    session.disconnected()
    session.connected(2.0)
    hear(session, WELCOME)
    assert told(session)[1:] == [{"t": "watch", "job": JOB, "since_seq": 1}]


def test_durable_events_are_told_once_whatever_is_replayed() -> None:
    session = ready()
    session.watch(JOB)
    events = [
        m.State(JOB, k, state) for k, state in ((1, "queued"), (2, "loading"), (5, "running"))
    ]
    assert [hear(session, e) is not None for e in events] == [True] * 3
    assert [hear(session, e) for e in events] == [None] * 3
    assert hear(session, m.State(JOB, 6, "done")) is not None
    session.disconnected()
    session.connected(1.0)
    hear(session, WELCOME)
    assert [x["t"] for x in told(session)] == ["hello"]  # an ended job has no more to say


def frame(seq: int, strokes: Strokes, base: int = 0, steps: list[Buffer] | None = None) -> bytes:
    head = m.StrokesFrame(JOB, seq, seq, CANVAS, base)
    return encode(head.json(), strokes.buffers() if steps is None else steps)


def test_steps_build_on_what_was_shown() -> None:
    session = ready()
    session.watch(JOB)
    told(session)
    first = Strokes.of([Stroke([(10, 10)] * 4, 3, (1, 2, 3, 255))], CANVAS)
    second = Strokes.of([Stroke([(11, 12)] * 4, 3, (1, 2, 3, 255))], CANVAS)
    steps = second.steps_from(first)
    assert steps is not None
    heard = session.receive(frame(1, first), 0.0)
    assert heard is not None and heard.strokes == first
    # a step from a frame that was never shown is dropped, and its credit given back
    assert session.receive(frame(2, second, 1, steps), 0.0) is None
    assert told(session) == [{"t": "ack", "job": JOB, "seq": 2}]
    session.shown(heard)
    assert told(session) == [{"t": "ack", "job": JOB, "seq": 1}]
    moved = session.receive(frame(3, second, 1, steps), 0.0)
    assert moved is not None and moved.strokes == first.with_steps({b.name: b for b in steps})
    # after a lost connection the backend begins anew
    session.disconnected()
    session.connected(1.0)
    hear(session, WELCOME)
    told(session)
    assert session.receive(frame(4, second, 1, steps), 0.0) is None


def test_an_upload_goes_in_parts_and_only_once() -> None:
    session = ready()
    data = random.Random(1).randbytes(2 * CHUNK_BYTES + 5)
    sha = session.upload(data, "image/png")
    assert sha == hashlib.sha256(data).hexdigest() == session.upload(data, "image/png")
    got = b""
    while parts := [decode(x) for x in session.to_send() if isinstance(x, bytes)]:
        (part,) = parts
        assert part.header.get("at", 0) == len(got) and part.header["size"] == len(data)
        got += bytes(part.buffers["data"].data)
        hear(session, m.BlobOk(sha, len(got), got == data))
    assert got == data
    assert session.upload(data, "image/png") == sha and session.to_send() == []
    for wrong in (b"", bytes(33 * 2**20)):
        with pytest.raises(WireError):
            session.upload(wrong, "image/png")
    with pytest.raises(WireError):
        session.upload(b"x", "application/zip")


def test_it_waits_longer_each_time_and_not_at_all_when_refused() -> None:
    session = Session("test/1", "wrong", chance=random.Random(3))
    waits = []
    for _ in range(12):
        session.connected(0.0)
        waits.append(session.disconnected())
    assert all(w is not None and 0 < w <= BACK_OFF_S[1] for w in waits)
    assert waits[0] <= BACK_OFF_S[0] and waits[-1] >= BACK_OFF_S[1] / 2  # type: ignore[operator]
    session.connected(0.0)
    hear(session, m.Failed("forbidden", "The token is wrong."))
    assert session.phase is Phase.REFUSED and session.disconnected() is None


def test_silence_is_death() -> None:
    session = ready()
    assert not session.is_dead(SILENCE_S - 1) and session.is_dead(SILENCE_S + 1)
    session.receive(encode_text(m.Pong(1).json()), SILENCE_S)
    assert not session.is_dead(SILENCE_S + 1)


def test_what_a_newer_backend_says_is_passed_over_and_nonsense_is_not() -> None:
    session = ready()
    assert session.receive('{"t":"of_tomorrow"}', 0.0) is None
    for nonsense in ("[]", '{"t":"state","job":"x","seq":1,"state":"queued"}', b"\x00"):
        with pytest.raises(WireError):
            session.receive(nonsense, 0.0)


def test_another_token_speaks_of_the_same_jobs() -> None:
    before = ready()
    for job in (JOB, OTHER):
        before.submit(replace(SUBMIT, job=job))
    hear(before, m.State(JOB, 3, "queued", 1))
    sha = before.upload(b"a picture", "image/png")
    after = Session("test/1", "another").take_over(before)
    assert after.welcome == WELCOME
    after.connected(0.0)
    assert told(after)[0]["token"] == "another"
    hear(after, WELCOME)
    assert [(x["t"], x.get("job", x.get("sha256"))) for x in told(after)] == [
        ("blob", sha), ("submit", OTHER), ("watch", JOB),
    ]  # fmt: skip
    assert hear(after, m.State(JOB, 3, "queued", 1)) is None  # heard before
