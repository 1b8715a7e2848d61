"""The queue: fair, bounded, and honest about its order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.jobs.queue import Queue
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.limits import QUEUED, QUEUED_PER_CLIENT

KRITA, PAGE = ("", "krita"), ("", "page")


def drained(queue: Queue) -> list[str]:
    out = []
    while (job := queue.pop()) is not None:
        out.append(job)
    return out


def test_one_that_asks_for_much_does_not_hold_up_one_that_asks_for_little() -> None:
    queue = Queue()
    for n in range(4):
        queue.add(f"krita {n}", KRITA)
    queue.add("page 0", PAGE)
    expected = ["krita 0", "page 0", "krita 1", "krita 2", "krita 3"]
    assert queue.order() == expected and len(queue) == 5
    assert drained(queue) == expected and len(queue) == 0


def test_whoever_was_served_waits_for_the_others() -> None:
    queue = Queue()
    queue.add("a", KRITA)
    assert queue.pop() == "a"
    queue.add("b", KRITA)
    queue.add("c", PAGE)
    queue.add("d", KRITA)
    assert drained(queue) == ["c", "b", "d"]


def test_an_interrupted_job_comes_first_and_any_can_be_taken_out() -> None:
    queue = Queue()
    queue.add("a", KRITA)
    queue.add("b", KRITA)
    queue.put_back("x")
    assert queue.order() == ["x", "a", "b"] and "x" in queue and "b" in queue
    assert queue.remove("a") and not queue.remove("a") and queue.remove("x")
    assert drained(queue) == ["b"]


def test_it_is_bounded_for_each_and_for_all() -> None:
    queue = Queue()
    for n in range(QUEUED_PER_CLIENT):
        queue.check(KRITA)
        queue.add(f"k{n}", KRITA)
    with pytest.raises(LimnerError) as refused:
        queue.check(KRITA)
    assert refused.value.code is ErrorCode.QUOTA and "of yours" in str(refused.value)
    for n in range(QUEUED - QUEUED_PER_CLIENT):
        queue.add(f"o{n}", ("", str(n)))
    with pytest.raises(LimnerError):
        queue.check(PAGE)


def test_a_guest_of_many_names_is_one() -> None:
    queue = Queue()
    for n in range(QUEUED_PER_CLIENT):
        queue.check(("eve", f"page {n}"))
        queue.add(f"e{n}", ("eve", f"page {n}"))
    with pytest.raises(LimnerError):
        queue.check(("eve", "another"))
    queue.check(("ada", "page 1"))
    queue.add("a", ("ada", "page 1"))
    queue.add("k", KRITA)
    assert queue.order()[:3] == ["e0", "a", "k"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
def test_the_order_that_it_tells_is_the_order_that_comes(plan: list[tuple[int, bool]]) -> None:
    queue = Queue()
    for n, (client, takes) in enumerate(plan):
        queue.add(str(n), ("", str(client)))
        if takes and (told := queue.order()):
            assert queue.pop() == told[0]
    assert queue.order() == drained(queue)
