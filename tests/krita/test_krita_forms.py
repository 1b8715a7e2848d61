"""Forms made from schemas, and pictures from the newest strokes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PyQt5 import QtWidgets, sip
from PyQt5.QtTest import QTest

from limner.methods.registry import METHODS
from limner.methods.schema import read, schema
from limner_front import i18n
from limner_krita.forms import Form

SCHEMA: dict[str, Any] = {
    "type": "object", "required": ["prompt"], "additionalProperties": False,
    "properties": {
        "tint": {"type": "string", "description": "a tint", "x-order": 6},
        "prompt": {"type": "string", "x-order": 0},
        "steps": {"type": "integer", "minimum": 1, "maximum": 20000, "default": 250, "x-order": 1,
                  "x-essential": True},
        "rate": {"type": "number", "minimum": 0, "maximum": 100, "default": 1.0, "x-order": 2,
                 "x-adjustable": True, "x-unit": "px", "description": "how fast"},
        "look": {"type": "string", "enum": ["soft", "hard"], "default": "soft", "x-order": 3},
        "lock": {"type": "boolean", "default": False, "x-order": 4, "x-role": "init"},
        "keep": {"type": "array", "items": {"type": "string", "enum": ["width", "colour"]},
                 "x-order": 5},
        "palette": {"type": "array", "items": {"type": "string", "format": "color"},
                    "maxItems": 2, "x-order": 7},
        "brush": {"type": "string", "examples": ["oil", "ink"], "x-order": 9},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1, "default": 0, "x-order": 8,
                 "x-essential": True},
    },
}  # fmt: skip


@pytest.fixture
def form(app: QtWidgets.QApplication) -> Iterator[Form]:
    i18n.choose("en")
    one = Form(SCHEMA)
    yield one
    sip.delete(one)  # now; a window that was shown must not go whenever Python likes


def find(form: Form, name: str) -> Any:
    return form.findChild(QtWidgets.QWidget, f"limner_form_{name}")


def test_what_nobody_touched_is_not_sent(form: Form) -> None:
    assert form.values() == {} and form.problem() == ""
    assert list(form.fields) == [
        "steps", "rate", "look", "lock", "keep", "tint", "palette", "seed", "brush"
    ]  # fmt: skip
    assert find(form, "steps").placeholderText() == "250" and not find(form, "steps").text()


def test_what_is_essential_is_shown_and_the_rest_is_folded_away(form: Form) -> None:
    form.show()
    assert [n for n, field in form.fields.items() if field.isVisible()] == ["steps", "seed"]
    form.write({"rate": "x"})
    assert form.problem() and form.fields["rate"].isVisible(), "it shows what is wrong"
    assert all(field.isVisible() for field in form.fields.values())


def test_a_setting_of_a_picture_is_there_where_the_picture_is(form: Form) -> None:
    form.write({"lock": True, "steps": 3})
    form.findChild(QtWidgets.QToolButton, "limner_more").click()
    form.show()
    for roles, is_there in ([], False), (["over", "init"], True), (["over"], False):
        form.follow(roles)
        assert form.fields["lock"].isVisible() is is_there
        assert form.values() == ({"steps": 3, "lock": True} if is_there else {"steps": 3})


def test_every_kind_of_control_says_its_value(form: Form) -> None:
    QTest.keyClicks(find(form, "steps"), "40")
    QTest.keyClicks(find(form, "rate"), "2,5")
    find(form, "look").setCurrentIndex(2)
    find(form, "lock").click()
    find(form, "keep_colour").click()
    QTest.keyClicks(find(form, "tint"), " blue ")
    find(form, "palette_add").click()
    QTest.keyClicks(find(form, "palette_0"), "#ff0000")
    assert form.values() == {
        "steps": 40, "rate": 2.5, "look": "hard", "lock": True, "keep": ["colour"],
        "tint": "blue", "palette": ["#ff0000"],
    }  # fmt: skip
    values = form.values()
    form.write({})
    assert form.values() == {}
    form.write(values)
    assert form.values() == values


def test_names_are_offered_and_others_can_be_typed(form: Form) -> None:
    line = find(form, "brush")
    box = line.parentWidget()
    assert form.values() == {} and line.text() == ""
    assert [box.itemText(k) for k in range(box.count())] == ["oil", "ink"]
    told: list[bool] = []
    form.fields["brush"].control.touched.connect(told.append)
    box.setCurrentIndex(1)
    box.activated.emit(1)
    assert form.values() == {"brush": "ink"} and told == [True]
    line.clear()
    QTest.keyClicks(line, "o")  # the beginning of a name is not that name
    line.editingFinished.emit()
    assert form.values() == {"brush": "o"} and box.count() == 2
    form.write({"brush": "chalk"})
    assert form.values() == {"brush": "chalk"}
    form.write({})
    assert form.values() == {}


def test_a_list_has_no_more_rows_than_allowed(form: Form) -> None:
    form.write({"palette": ["#111111", "#222222"]})
    assert find(form, "palette_add").isHidden()
    row = find(form, "palette_0").parentWidget()
    row.findChildren(QtWidgets.QToolButton)[-1].click()
    assert form.values() == {"palette": ["#222222"]} and not find(form, "palette_add").isHidden()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("steps", "0", "Steps: A number from 1 to 20000."),
        ("steps", "2.5", "Steps: A whole number."),
        ("rate", "x", "Rate: A number."),
        ("seed", "-1", "Seed: At least 0."),
        ("palette", ["reddish"], "Palette: A colour is written #rrggbb."),
    ],
)
def test_what_is_wrong_is_said_beside_it(form: Form, name: str, value: Any, problem: str) -> None:
    form.write({name: value})
    assert form.problem() == problem
    said = form.findChild(QtWidgets.QLabel, f"limner_problem_{name}")
    assert said.text() == problem.partition(": ")[2] and not said.isHidden()


def test_a_recipe_stands_in_grey_and_in_the_help(form: Form) -> None:
    form.recommend({"rate": 0.5, "lock": True, "look": "hard", "unknown": 3})
    assert find(form, "rate").placeholderText() == "0.5" and find(form, "lock").isChecked()
    assert form.fields["rate"].toolTip() == "how fast · 0.5 recommended"
    assert find(form, "look").itemText(0) == "Hard recommended"
    assert form.values() == {} and form.fields["rate"].usual() == 0.5
    form.recommend({})
    assert find(form, "rate").placeholderText() == "1" and not find(form, "lock").isChecked()


def test_only_what_may_change_is_open_while_it_draws(form: Form) -> None:
    form.attach(True)
    assert find(form, "rate").isEnabled() and find(form, "rate_slider").isEnabled()
    assert not any(find(form, name).isEnabled() for name in ("steps", "look", "lock", "tint"))
    form.attach(False)
    assert find(form, "steps").isEnabled()


def test_a_slider_and_its_number_agree(form: Form) -> None:
    settled = []
    form.settled.connect(lambda field: settled.append((field.name, field.read())))
    slider = find(form, "rate_slider")
    slider.sliderMoved.emit(slider.maximum())
    assert settled == [("rate", 100.0)]
    slider.sliderMoved.emit(0)
    assert form.values() == {"rate": 0.0}
    form.write({})
    assert 0.3 < slider.value() / slider.maximum() < 0.5  # the default lies near the middle


def test_the_dice_give_a_seed(form: Form) -> None:
    form.findChild(QtWidgets.QToolButton, "limner_dice").click()
    assert 0 <= form.values()["seed"] < 10_000


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_of_the_backend_has_a_form(app: QtWidgets.QApplication, name: str) -> None:
    params = METHODS[name].params
    form = Form(schema(params))
    needed = {"prompt": "a cat"} if form.takes_words else {}
    at_first = read(params, dict(needed))
    for field in form.fields.values():
        field.write(field.usual())
    assert form.problem() == "" and read(params, needed | form.values()) == at_first
