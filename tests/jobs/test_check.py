"""Settings against the schemas that the real methods have: refused here as there, and in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.jobs.check import check, check_adjustment
from limner.methods.clipdraw import Params
from limner.methods.registry import METHODS
from limner.methods.schema import read, schema
from limner_wire.errors import ErrorCode, LimnerError

FORM = schema(Params)
CAT = {"prompt": "a cat"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stepz": 1}, "no setting 'stepz'"),
        ({"steps": 10**9}, "steps must lie between 1 and 20000, not 1e.09"),
        ({"strokes": 0}, "strokes must lie between 1 and 4096"),
        ({"strokes": 10**7}, "strokes must lie between"),
        ({"first_width": 0}, "first width must lie between 0.1 and 100 px"),
        ({"steps": "many"}, "steps must be of the kind integer"),
        ({"steps": True}, "steps must be of the kind integer"),
        ({"black": 1}, "black must be of the kind boolean"),
        ({"prompt": "x" * 2001}, "prompt may have 2000 characters"),
        ({"also": ["x"] * 65}, "also may have 64 entries"),
        ({"freeze": ["shape"]}, "freeze can't be 'shape'; it can be position, width, colour"),
    ],
)
def test_what_is_out_of_bounds_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(LimnerError, match=words) as refused:
        check(FORM, CAT | change)
    assert refused.value.code is ErrorCode.BAD_INPUT
    with pytest.raises(LimnerError):
        read(Params, CAT | change)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(LimnerError, match="'prompt' is missing"):
        check(FORM, {})


def test_only_some_settings_may_change_while_it_runs() -> None:
    check_adjustment(FORM, {"ink": 1})
    check_adjustment(FORM, {"prompt": "a dog", "point_rate": 0.5})
    for change, words in (
        ({"strokes": 5}, "strokes can't change"),
        ({"ink": 99}, "ink must lie between"),
        ({"inc": 1}, "no setting"),
    ):
        with pytest.raises(LimnerError, match=words):
            check_adjustment(FORM, change)


values = st.one_of(
    st.integers(-10, 30000), st.floats(-1, 200), st.booleans(), st.text(max_size=5), st.none(),
    st.lists(st.sampled_from(["width", "colour", "x"]), max_size=3),
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*FORM["properties"], "strange"]), values, max_size=4))
def test_the_schema_refuses_what_the_method_refuses(change: dict[str, Any]) -> None:
    """Whatever passes here passes there, so that no job fails in the queue for its settings."""
    for method in METHODS.values():
        form = schema(method.params)
        full = {n: "a" for n in form["required"]} | change
        try:
            check(form, full)
        except LimnerError:
            continue
        read(method.params, full)
