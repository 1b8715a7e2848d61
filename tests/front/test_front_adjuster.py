"""Changes of a running drawing: gathered, sent once, never lost."""

from __future__ import annotations

import time

import pytest

from limner_front.adjuster import GAP_S, Adjuster


@pytest.fixture
def adjuster() -> Adjuster:
    one = Adjuster()
    one.follow({"prompt": "a cat", "ink": 0.5})
    return one


def soon() -> float:
    return time.monotonic() + GAP_S


def test_what_is_so_already_is_not_sent(adjuster: Adjuster) -> None:
    adjuster.take("ink", 0.5)
    adjuster.take("contrast", None, usual=1.0)
    adjuster.take("contrast", None)  # nobody knows what is usual
    assert adjuster.due(soon()) is None


def test_changes_are_gathered_for_a_while(adjuster: Adjuster) -> None:
    before = time.monotonic()
    adjuster.take("ink", 0.6)
    adjuster.take("ink", 0.7)
    adjuster.take("prompt", "a dog")
    assert adjuster.due(before) is None and adjuster.due(before + GAP_S / 2) is None
    assert adjuster.due(soon()) == {"ink": 0.7, "prompt": "a dog"}
    assert adjuster.due(soon()) is None


def test_a_change_back_is_a_change_too(adjuster: Adjuster) -> None:
    adjuster.take("ink", 0.6)
    adjuster.take("ink", 0.5)  # not sent yet: the drawing is told what it has
    assert adjuster.due(soon()) == {"ink": 0.5}
    adjuster.take("ink", 0.5)
    assert adjuster.due(soon()) is None
    adjuster.take("ink", None, usual=0.0)
    assert adjuster.due(soon()) == {"ink": 0.0}


def test_they_wait_while_nothing_can_be_told(adjuster: Adjuster) -> None:
    adjuster.is_open = False
    adjuster.take("prompt", "a dog")
    assert adjuster.due(soon() + 60) is None
    adjuster.is_open = True
    assert adjuster.due(soon()) == {"prompt": "a dog"}


def test_another_drawing_hears_nothing_of_them(adjuster: Adjuster) -> None:
    adjuster.take("prompt", "a dog")
    adjuster.follow({"prompt": "a fish"})
    assert adjuster.due(soon()) is None
    adjuster.take("prompt", "a fish")
    assert adjuster.due(soon()) is None
