"""Every message: written and read again, and refused when anything in it is out of bounds."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from limner_wire import messages as m
from limner_wire.errors import WireError
from limner_wire.frames import decode_text, encode_text

JOB = "123e4567-e89b-42d3-a456-426614174000"
SHA = "0" * 64
ALL = tuple(
    dict.fromkeys(
        m.TO_BACKEND + m.TO_BACKEND_BINARY + m.TO_CLIENT + m.TO_CLIENT_BINARY + (m.Leave,)
    )
)

EXAMPLES: list[m.Message] = [
    m.Hello((1, 2), "krita/0.3", "secret", credit=4, remote=True),
    m.Submit(JOB, "clipdraw", {"prompt": "a cat"}, (224, 160), {"over": SHA}, ("starter",), False),
    m.Blob(SHA, "image/png", 1000, 500),
    m.Watch(JOB, 7),
    m.Unwatch(JOB),
    m.Ack(JOB, 9),
    m.Cancel(JOB, keep=False),
    m.Pause(JOB),
    m.Resume(JOB),
    m.Adjust(JOB, {"ink": 0.5}),
    m.ListJobs(1.5, 20),
    m.Fetch(JOB, "frame", 30),
    m.Describe(JOB),
    m.Forget(JOB),
    m.Invite("ada"),
    m.Ping(3),
    m.Welcome(1, "limner/0.1", "s", {"a": 1}, ({"name": "clipdraw"},), ({"name": "x"},), ("cpu",)),
    m.BlobOk(SHA, 500, False),
    m.Taken(JOB, "pause"),
    m.Notice(JOB, 2, "zebra is a new word"),
    m.Waiting(JOB, 1, 4),
    m.State(JOB, 3, "running", 0, 12, "as it was"),
    m.Adjusted(JOB, 4, 13, {"ink": 0.5}),
    m.Failed("bad_input", "The prompt is empty.", "Say what to draw.", True, JOB, 5),
    m.Progress(JOB, 6, 12, 250, {"loss": -0.5}, 48.5, 4.9),
    m.StrokesFrame(JOB, 6, 12, (224, 160), 5),
    m.RasterFrame(JOB, 6, 12, (224, 160), "image/jpeg"),
    m.Done(JOB, 8, {"seed": 1}, "cancelled"),
    m.Described(JOB, {"state": "done"}),
    m.Forgotten((JOB,), "room"),
    m.Leave(JOB),
    m.Jobs(({"job": JOB},)),
    m.Invited("t"),
    m.Pong(3),
]


def test_every_message_has_an_example_and_a_name_of_its_own() -> None:
    assert {type(e) for e in EXAMPLES} == set(ALL)
    assert len({k.t for k in ALL}) == len(ALL)
    assert {k.t for k in ALL} >= m.DURABLE | m.LATEST_WINS


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda e: e.t)
def test_it_is_read_as_it_was_written(message: m.Message) -> None:
    assert m.parse(decode_text(encode_text(message.json())), ALL) == message


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda e: e.t)
def test_fields_that_nobody_knows_are_ignored(message: m.Message) -> None:
    assert m.parse({**message.json(), "of_tomorrow": [1]}, ALL) == message


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda e: e.t)
def test_no_field_takes_just_anything(message: m.Message) -> None:
    for f in fields(message):  # type: ignore[arg-type]
        for wrong in (None, object, -1, 2**60, 1.5, "x" * 5000, [1], [[]], {"a": 1}, True):
            if wrong is object or fitting(message, f.name, wrong):
                continue
            with pytest.raises(WireError):
                m.parse({**message.json(), f.name: wrong}, ALL)


def fitting(message: m.Message, name: str, value: Any) -> bool:
    """Whether a field is one of those few that such a value may be in."""
    now = getattr(message, name)
    if isinstance(now, bool) or isinstance(value, bool):
        return isinstance(now, bool) and isinstance(value, bool)
    if isinstance(now, dict):
        return isinstance(value, dict)
    if isinstance(now, float):
        return isinstance(value, float)
    if isinstance(now, tuple) and value == [1]:
        return message.t == "hello"  # a protocol
    return False


def test_what_a_message_needs_must_be_there() -> None:
    for message in EXAMPLES:
        whole = message.json()
        for name in [k for k in whole if k != "t"]:
            less = {k: v for k, v in whole.items() if k != name}
            try:
                assert m.parse(less, ALL) != message
            except WireError as problem:
                assert f"{message.t} lacks {name}" in str(problem)


def test_ids_are_what_they_look_like() -> None:
    for job in ("../../etc/passwd", JOB + "\n", JOB.upper(), "", "CON", JOB[:-1] + "\0"):
        with pytest.raises(WireError):
            m.parse({"t": "watch", "job": job}, ALL)
    for sha in ("../x", "A" * 64, SHA + "0", SHA[:-1] + "\n", "/" * 64):
        with pytest.raises(WireError):
            m.parse({"t": "blob", "sha256": sha, "mime": "image/png", "size": 1}, ALL)


def test_a_message_in_the_wrong_direction_is_unknown() -> None:
    with pytest.raises(m.UnknownType):
        m.parse(m.Pong(1).json(), m.TO_BACKEND)
    with pytest.raises(m.UnknownType):
        m.parse({"t": ["x"]}, m.TO_BACKEND)
    with pytest.raises(m.UnknownType):
        m.parse({}, m.TO_BACKEND)
