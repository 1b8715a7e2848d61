"""Settings as JSON Schema, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from limner.methods.clipdraw import Params
from limner.methods.registry import METHODS
from limner.methods.schema import adjusted, read, schema
from limner_wire.errors import ErrorCode, LimnerError

CAT = Params("a cat")


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.name)
def test_every_method_has_a_form(method: Any) -> None:
    form = schema(method.params)
    assert json.loads(json.dumps(form)) == form
    for name, row in form["properties"].items():
        assert row["description"], f"{method.name}.{name} says nothing about itself"
        assert "default" in row or name in form["required"]


def test_the_form_of_clipdraw() -> None:
    form = schema(Params)["properties"]
    assert schema(Params)["required"] == ["prompt"]
    assert form["steps"] == {
        "type": "integer", "minimum": 1, "maximum": 20_000, "default": 250,
        "description": "iterations", "x-order": 4, "x-essential": True,
    }  # fmt: skip
    assert form["avoid"]["type"] == "array" and form["avoid"]["x-adjustable"]
    assert form["freeze"]["items"]["enum"] == ["position", "width", "colour"]
    assert form["first_width"]["x-unit"] == "px"


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("clipdraw", ["steps", "strokes", "seed"]),
        ("clipdraw3d", ["views", "steps", "strokes", "seed"]),
        ("styleclipdraw", ["steps", "strokes", "seed", "strength", "hand"]),
        ("trace", ["strokes", "steps", "seed"]),
    ],
)
def test_what_an_artist_reaches_for_is_marked(method: str, first: list[str]) -> None:
    rows = schema(METHODS[method].params)["properties"]
    assert [name for name, row in rows.items() if row.get("x-essential")] == first


def test_a_setting_of_a_picture_names_its_role() -> None:
    style = METHODS["styleclipdraw"]
    rows = schema(style.params)["properties"]
    roles = {name: row["x-role"] for name, row in rows.items() if "x-role" in row}
    assert roles == {"second_style": "style2", "third_style": "style3"}
    assert set(roles.values()) <= set(style.inputs)


def test_a_setting_that_names_a_network_offers_those_that_are_here() -> None:
    rows = schema(METHODS["latent_mapper"].params)["properties"]
    assert "portraits-64" in rows["generator"]["examples"]
    assert "portraits-smile" in rows["mapper"]["examples"]
    assert not [name for name, row in rows.items() if "examples" in row and "enum" in row]
    assert "examples" not in rows["prompt"]


def test_settings_come_back_from_json() -> None:
    params = replace(CAT, avoid=("a dog",), ink=0.5, freeze=("width",))
    assert read(Params, json.loads(json.dumps(asdict(params)))) == params
    assert read(Params, {"prompt": "a cat", "ink": 1, "steps": 7.0}) == replace(
        CAT, ink=1.0, steps=7
    )


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"prompt": "x", "of_tomorrow": 1},
        {"prompt": None},
        {"prompt": 3},
        {"prompt": "x" * 2001},
        {"prompt": "x", "steps": "7"},
        {"prompt": "x", "steps": 7.5},
        {"prompt": "x", "steps": True},
        {"prompt": "x", "steps": 10**9},
        {"prompt": "x", "ink": float("nan")},
        {"prompt": "x", "tidy": 1},
        {"prompt": "x", "avoid": "a dog"},
        {"prompt": "x", "avoid": ["a"] * 65},
        {"prompt": "x", "avoid": [["a"]]},
        {"prompt": "x", "freeze": ["colours"]},
    ],
    ids=str,
)
def test_what_is_no_setting_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(LimnerError) as told:
        read(Params, given)
    assert told.value.code is ErrorCode.BAD_INPUT and "\n" not in str(told.value)


def test_only_what_may_change_changes_while_it_runs() -> None:
    assert adjusted(CAT, {"ink": 0.25, "avoid": ["a dog"]}) == replace(
        CAT, ink=0.25, avoid=("a dog",)
    )
    for wrong in ({"steps": 9}, {"ink": 99}, {"ink": 0.1, "nothing": 1}):
        with pytest.raises(LimnerError):
            adjusted(CAT, wrong)
