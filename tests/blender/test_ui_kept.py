"""What the artist set in forms, as text: no Blender is needed."""

from __future__ import annotations

from typing import Any

import pytest

from limner_blender import kept

WHOLE = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
NUMBER = {"type": "number", "minimum": 0, "maximum": 1}
COLOURS = {"type": "array", "items": {"type": "string", "format": "color"}, "maxItems": 2}
WORD = {"type": "string", "enum": ["soft", "hard"]}


def test_one_setting_at_a_time() -> None:
    text = kept.changed("", "clipdraw", "seed", 2**53 - 1)
    text = kept.changed(text, "clipdraw", "rate", 0.1)
    text = kept.changed(text, "trace", "seed", 3)
    assert kept.read(text) == {"clipdraw": {"seed": 2**53 - 1, "rate": 0.1}, "trace": {"seed": 3}}
    text = kept.changed(text, "clipdraw", "seed", None)
    text = kept.replaced(text, "trace", {"look": "연필"})
    assert kept.read(text) == {"clipdraw": {"rate": 0.1}, "trace": {"look": "연필"}}
    assert "연필" in text, "readable in the file"


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"clipdraw": 3}', "null"])
def test_a_text_that_is_none_of_ours_is_nothing(text: str) -> None:
    assert kept.read(text) == {}
    assert kept.read(kept.changed(text, "trace", "seed", 1)) == {"trace": {"seed": 1}}


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        (WHOLE, [0, 2**53 - 1], [-1, 2**53, 1.0, True, "1", None]),
        (NUMBER, [0, 0.5, 1], [1.1, float("nan"), True, "0.5"]),
        ({"type": "boolean"}, [True, False], [0, 1, "on"]),
        (WORD, ["soft"], ["loud", "", 1]),
        ({"type": "string", "maxLength": 3}, ["", "abc"], ["abcd", 1]),
        (COLOURS, [[], ["#10aaFF"], ("#000000", "#ffffff")], [["red"], ["#fff"], ["#000000"] * 3]),
        ({"type": "array", "items": NUMBER}, [[0.5, 1]], [["x"], 0.5, "0.5"]),
    ],
)
def test_what_fits(spec: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    assert all(kept.fits(spec, value) for value in good)
    assert not any(kept.fits(spec, value) for value in bad)
