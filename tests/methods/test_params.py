from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from limner.methods.params import (
    Adjustable,
    Choice,
    Essential,
    Help,
    OfRole,
    Range,
    check,
    settings,
)
from limner.methods.registry import METHODS
from limner_wire.errors import ErrorCode, LimnerError


@dataclass(frozen=True, slots=True)
class Params:
    prompt: Annotated[str, Help("what to draw")]
    width: Annotated[float, Range(1, 10), Adjustable(), Essential(), Help("of a stroke", "px")] = (
        2.0
    )
    keep: Annotated[tuple[str, ...], Choice(("shape", "colour")), OfRole("over")] = ()


def test_settings_tell_a_form_all_it_needs() -> None:
    prompt, width, keep = settings(Params)
    assert (prompt.name, prompt.kind, prompt.adjustable) == ("prompt", str, False)
    assert width.range == Range(1, 10) and width.adjustable and width.help.unit == "px"
    assert width.default == 2.0
    assert (width.is_essential, keep.is_essential) == (True, False)
    assert (width.role, keep.role) == ("", "over")
    assert keep.choice == Choice(("shape", "colour")) and keep.kind == tuple[str, ...]


@pytest.mark.parametrize("width", [1, 10, 5.5])
def test_bounds_are_allowed(width: float) -> None:
    check(Params("x", width, ("shape",)))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (Params("x", 0.9), "width must lie between 1 and 10 px, not 0.9"),
        (Params("x", float("inf")), "not inf"),
        (Params("x", keep=("size",)), "keep can't be 'size'; it can be shape, colour"),
    ],
)
def test_what_is_out_of_bounds_is_named_with_the_bounds(params: Params, words: str) -> None:
    with pytest.raises(LimnerError, match=words) as caught:
        check(params)
    assert caught.value.code is ErrorCode.BAD_INPUT


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_has_help_and_a_default_in_bounds(name: str) -> None:
    made = settings(METHODS[name].params)
    assert all(setting.help.text for setting in made), "a setting without help"
    check(METHODS[name].params(**({"prompt": "x"} if made[0].name == "prompt" else {})))
