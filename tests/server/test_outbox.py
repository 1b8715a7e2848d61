"""The outbox: durable messages in order, frames only the newest, and never more than the credit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from limner.server.outbox import MOST_WAITING, Outbox

Taken = Callable[[Outbox], list[str | bytes]]


@pytest.fixture
def taken() -> Iterator[Taken]:
    """Everything that an outbox lets out now; on one loop, as a connection has it."""

    async def take(box: Outbox) -> list[str | bytes]:
        out: list[str | bytes] = []
        while True:
            try:
                out.append(await asyncio.wait_for(box.next(), 0.01))
            except TimeoutError:
                return out

    with asyncio.Runner() as runner:
        yield lambda box: runner.run(take(box))


def test_durable_messages_come_first_and_in_order(taken: Taken) -> None:
    box = Outbox(credit=2)
    box.offer("a", "strokes", 1, b"f1")
    for k in range(5):
        box.put(str(k))
    assert taken(box) == ["0", "1", "2", "3", "4", b"f1"]


def test_only_the_newest_frame_is_sent_and_only_on_credit(taken: Taken) -> None:
    box = Outbox(credit=2)
    for seq in range(1, 4):
        box.offer("a", "strokes", seq, b"a%d" % seq)
    box.offer("b", "strokes", 1, b"b1")
    assert taken(box) == [b"a3", b"b1"] and box.conflated == 2
    box.offer("a", "strokes", 4, b"a4")
    box.offer("a", "strokes", 5, b"a5")
    assert taken(box) == []
    box.put("state")
    assert taken(box) == ["state"]  # what is durable needs no credit
    assert box.acknowledge("a", 3)
    assert taken(box) == [b"a5"]


def test_credit_can_be_neither_doubled_nor_forged(taken: Taken) -> None:
    box = Outbox(credit=1)
    box.offer("a", "strokes", 1, b"a1")
    assert taken(box) == [b"a1"]
    assert not box.acknowledge("a", 99) and not box.acknowledge("b", 1)
    box.offer("a", "strokes", 2, b"a2")
    assert taken(box) == []
    assert box.acknowledge("a", 1) and not box.acknowledge("a", 1)
    assert taken(box) == [b"a2"]


def test_a_job_that_is_forgotten_gives_its_credit_back(taken: Taken) -> None:
    box = Outbox(credit=1)
    box.offer("a", "strokes", 1, b"a1")
    assert taken(box) == [b"a1"]
    box.offer("a", "strokes", 2, b"a2")
    box.forget("a")
    box.offer("b", "strokes", 1, b"b1")
    assert taken(box) == [b"b1"]


def test_a_frame_can_be_made_when_it_is_sent(taken: Taken) -> None:
    made = []
    box = Outbox(credit=1)
    for seq in range(1, 4):
        box.offer("a", "strokes", seq, lambda seq=seq: made.append(seq) or b"%d" % seq)
    assert taken(box) == [b"3"] and made == [3]


def test_a_front_end_that_does_not_read_is_let_go() -> None:
    box = Outbox(credit=1)
    box.replay([str(k) for k in range(1000)])  # it asked for these
    for k in range(MOST_WAITING):
        box.put(str(k))
    assert not box.overflowed.is_set()
    box.put("one too many")
    assert box.overflowed.is_set()
    for seq in range(10_000):
        box.offer("a", "strokes", seq, bytes(10))
    assert box.conflated == 9_999  # frames hold the room of one
