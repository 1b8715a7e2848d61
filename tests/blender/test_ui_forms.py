"""Forms in Blender, made from the real methods' schemas."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from offers import RECIPE, what_is_offered

from limner.methods.registry import METHODS
from limner.methods.schema import read

if TYPE_CHECKING:
    from conftest import Blender

SEED = 2**53 - 1


@pytest.fixture
def offered() -> dict[str, Any]:
    """The same, as a fixture."""
    return what_is_offered()


def test_what_nobody_touched_shows_what_is_usual(blender: Blender, offered: Any) -> None:
    told = blender.run("ui_forms.py", "untouched", offered=offered)
    assert set(told) == set(METHODS)
    for name, form in told.items():
        assert form["values"] == {} and form["problem"] == ""
        takes_models = METHODS[name].needs_models
        for field, shown in form["shown"].items():
            usual = RECIPE.get(field) if takes_models and field in RECIPE else None
            assert form["usual"][field] == (form["usual"][field] if usual is None else usual)
            assert shown == pytest.approx(form["usual"][field]), field  # Blender's are 32-bit
    assert told["clipdraw"]["usual"]["contrast"] == 0.8


def test_every_setting_can_be_set_and_taken_back(blender: Blender, offered: Any) -> None:
    told = blender.run("ui_forms.py", "each_set_and_reset", offered=offered)
    properties = {m["name"]: m["schema"]["properties"] for m in offered["methods"]}
    names = {f"{m}.{n}" for m, rows in properties.items() for n in rows if n != "prompt"}
    assert set(told) == names
    for key, row in told.items():
        method, _dot, name = key.partition(".")
        assert row["values"] == {name: row["new"]}
        needed = {"prompt": "a cat"} if "prompt" in properties[method] else {}
        read(METHODS[method].params, needed | row["values"])  # raises if the backend would


def test_what_is_kept_is_exact_and_makes_sense(blender: Blender, offered: Any) -> None:
    told = blender.run("ui_forms.py", "exact", offered=offered)
    assert told["values"] == {
        "seed": SEED, "point_rate": 0.1, "also": ["at night@0.5"],
        "freeze": ["colour", "position"], "palette": ["#ff8000"],
    }  # fmt: skip
    assert told["seed"] == 2**31 - 1  # as near as Blender can show it
    assert told["freeze"] == ["colour", "position"] and "strange" not in told["text"]


def test_dice_and_rows(blender: Blender, offered: Any) -> None:
    told = blender.run("ui_forms.py", "dice_and_rows", offered=offered)
    assert 0 <= told["seed"] < 10_000
    assert told["before"]["also"] == ["one", "three"]
    assert told["before"]["palette"] == ["#ff0000", "#0080ff"]
    assert told["after"]["also"] == ["three"] and told["after"]["palette"] == ["#0080ff"]
    assert ["palette", ["#0080ff"]] in told["told"] and ["also", ["three"]] in told["told"]


def test_what_is_wrong_is_said(blender: Blender) -> None:
    number = {"type": "number", "minimum": 0, "maximum": 5}
    rows = {
        "must": {"type": "string"},
        "weights": {"type": "array", "items": number},
        "counts": {"type": "array", "items": {"type": "integer"}},
        "wishes": {"type": "array", "items": {"type": "string", "maxLength": 4}},
    }
    odd = {"name": "odd", "schema": {"properties": rows, "required": ["must"]}}
    offered = {"methods": [odd], "models": []}
    assert blender.run("ui_forms.py", "problems", offered=offered) == [
        "Must: It needs a value.",
        "Weights: A number from 0 to 5.", "Weights: A number from 0 to 5.",
        "Counts: A whole number.", "Wishes: At most 4 letters.",
        "",
    ]  # fmt: skip


def test_another_backend_leaves_what_is_set(blender: Blender, offered: Any) -> None:
    newer = deepcopy(offered)
    rows = newer["methods"][0]["schema"]["properties"]
    del rows["also"]
    rows["steps"]["maximum"] = 30  # what was set does not fit any more
    rows["contrast"] = {"type": "number", "minimum": 0, "maximum": 2, "x-order": 1}
    told = blender.run("ui_forms.py", "offered_anew", offered=offered, newer=newer)
    assert told["same"], "nothing is made anew for the same offer"
    assert told["after"] == {"contrast": 0.5}
    assert told["back"] == {"steps": 40, "contrast": 0.5, "also": ["x"]}
    assert told["recipe"] == 0.0, "the recipe is the chosen model's"
    assert told["left"] == []


def test_a_file_keeps_it(blender: Blender, offered: Any, tmp_path: Path) -> None:
    file, again = tmp_path / "a.blend", tmp_path / "b.blend"
    told = blender.run("ui_forms.py", "saved", offered=offered, blend=file)
    assert told.pop("empty") == [{}, ""]
    assert told == {
        "values": {"prompt": "a cat", "seed": SEED, "lock": True, "palette": ["#ff8000"]},
        "models": ["other"], "given": {"over": ["IMAGE", "canvas"]}, "longest": 320,
        "place": "CURSOR", "method": "clipdraw",
    }  # fmt: skip
    later = blender.run("ui_forms.py", "loaded", offered=offered, blend=file, again=again)
    assert later.pop("before") == "NONE" and later == told


def test_a_drawings_settings_are_taken_over_in_silence(blender: Blender, offered: Any) -> None:
    params = {"prompt": "a cat", "ink": 0.5, "also": ["at night"], "seed": SEED, "strange": 3}
    about = {"method": "clipdraw", "params": params, "models": ["other"], "prompt": "not this"}
    told = blender.run("ui_forms.py", "restored", offered=offered, about=about)
    assert told["by_artist"] == [["prompt", "a dog"], ["steps", 12]]
    assert told["told"] == ["refused"]
    assert told["values"] == {"prompt": "a cat", "ink": 0.5, "also": ["at night"], "seed": SEED}
    assert told["models"] == ["other"]
    assert told["contrast"] == [None, 0.0] and told["prompt"] == ["a cat", None]
    properties = offered["methods"][0]["schema"]["properties"]
    assert told["adjustable"] == sorted(n for n, s in properties.items() if s.get("x-adjustable"))


def test_styles_and_their_weights_are_sent_one_after_the_other(
    blender: Blender, offered: Any
) -> None:
    assert blender.run("ui_forms.py", "styles", offered=offered) == [
        [["style"], []],
        [["style", "style2"], ["second_style"]],
        [["style", "style2", "style3"], ["second_style", "third_style"]],
        [["style"], []],
        [["style", "style2"], []],  # a file that is not chosen yet
        [[], []],
    ]


def test_why_nothing_can_be_drawn(blender: Blender, offered: Any, tmp_path: Path) -> None:
    told = blender.run("ui_forms.py", "why_not", offered=offered, folder=tmp_path)
    assert told == [
        "The backend has not said yet what it can draw.", {"prompt": ""},
        "The prompt is too long: at most 2000 letters.",
        "There is no model on this machine. Fetch one: limner models list",
        "",
        "Choose an image for “Begin from”.",
        "", str(tmp_path / "photo.png"),
        "The scene has no camera, so “Begin from” has no picture.",
        {}, [], ["init"],
    ]  # fmt: skip
