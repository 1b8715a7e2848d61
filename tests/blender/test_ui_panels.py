"""The sidebar in Blender: what it shows in each state; it never fails, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from offers import what_is_offered

if TYPE_CHECKING:
    from conftest import Blender

Rows = list[dict[str, Any]]
Shown = dict[str, Rows]  # by panel
PANELS = {"link", "draw", "drawing", "settings", "pictures", "place", "results"}

_shown: dict[Any, Any] = {}  # by the Blender: one start of it shows all states


@pytest.fixture
def shown(blender: Blender) -> dict[str, dict[str, Shown]]:
    """What each panel shows, by space and state."""
    if blender.python not in _shown:
        told = blender.run("ui_panels.py", "shown", offered=what_is_offered())
        _shown[blender.python] = told
    return _shown[blender.python]


@pytest.fixture
def side(shown: Any) -> dict[str, Shown]:
    """In the 3D view, by state."""
    return shown["view_3d"]


def text(rows: Rows) -> str:
    """What stands in a panel, its wrapped lines joined again."""
    return " ".join(row.get("text", "") for row in rows)


def buttons(rows: Rows) -> dict[str, bool]:
    """Which buttons are there, and whether they can be pressed."""
    return {
        row["operator"].removeprefix("limner."): row["may"] and row["enabled"]
        for row in rows
        if row["call"] == "operator"
    }


def test_nothing_fails_and_nothing_is_left_out(shown: Any) -> None:
    for space, states in shown.items():
        for state, told in states.items():
            assert set(told) == PANELS
            assert "can’t be shown" not in "".join(map(text, told.values())), (space, state)


def test_the_image_editor_has_it_too(shown: Any) -> None:
    assert shown["image_editor"] == shown["view_3d"]


def test_without_a_backend_it_says_what_to_do(side: Any) -> None:
    told = side["absent"]
    assert "No backend runs on this machine." in text(told["link"])
    assert any(row["alert"] for row in told["link"])
    assert buttons(told["link"])["start_backend"]
    assert buttons(told["draw"]) == {"draw": False}
    assert "The backend is not connected." in text(told["draw"])


def test_a_backend_that_did_not_start(side: Any) -> None:
    told = side["fell"]
    assert "The backend did not start: Error: the address is in use" in text(told["link"])


def test_a_lost_line_leaves_the_drawing_in_sight(side: Any) -> None:
    told = side["lost"]
    assert "not answering" in text(told["link"]) and buttons(told["link"])["try_now"]
    found = buttons(told["drawing"])
    assert found == {"pause": False, "cancel": False, "stop_keep": False}
    assert "The backend is not connected." in text(told["drawing"])


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("ready", "Say what to draw."),
        ("no_camera", "camera"),
        ("needs_picture", "Give it a picture first: “Begin from”."),
        ("pictures", "Choose a file for “Begin from”."),
    ],
)
def test_a_closed_draw_button_says_why(side: Any, state: str, why: str) -> None:
    told = side[state]
    assert buttons(told["draw"]) == {"draw": False} and why in text(told["draw"])
    if state == "needs_picture":
        assert any(row.get("property") == "source_init" for row in told["draw"])
        assert not any(row.get("property") == "source_init" for row in told["pictures"])


def test_all_well(side: Any) -> None:
    told = side["may_draw"]
    assert buttons(told["draw"]) == {"draw": True}
    assert text(told["link"]).startswith("connected")
    assert not any(row["alert"] for rows in told.values() for row in rows)
    assert "not drawn by Limner" in text(told["pictures"])
    waiting = side["getting_ready"]
    assert "getting ready" in text(waiting["link"])
    assert not any(row["alert"] for row in waiting["link"])


def test_earlier_prompts_are_at_hand(side: Any) -> None:
    rows = side["remembered"]["draw"]
    take = [row for row in rows if row.get("operator") == "wm.context_set_string"]
    assert [row["text"] for row in take] == ["a red apple", "a cat"]
    assert take[1]["set"] == {"data_path": "scene.limner.prompt", "value": "a cat"}


def test_what_is_set_can_be_taken_back(side: Any) -> None:
    rows = side["everything_set"]["settings"]
    resets = [row["set"]["name"] for row in rows if row.get("operator") == "limner.reset_field"]
    assert sorted(resets) == ["contrast", "freeze", "lock", "seed"]
    removes = [row["set"] for row in rows if row.get("operator") == "limner.remove_row"]
    assert [(row["name"], row["index"]) for row in removes] == [
        ("also", 0), ("also", 1), ("palette", 0)
    ]  # fmt: skip
    said = text(rows)
    assert "from step 3 on" in said and "1,125,899,906,842,624" in said
    assert "More settings (5 set)" in said


def test_while_it_draws(side: Any) -> None:
    told = side["running"]
    assert buttons(told["draw"]) == {"new_drawing": True}
    assert buttons(told["drawing"]) == {"pause": True, "cancel": True, "stop_keep": True}
    bar = next(row for row in told["drawing"] if row["call"] == "progress")
    assert bar["factor"] == 0.48 and bar["text"] == "step 120 of 250"
    said = text(told["drawing"])
    assert "12 steps a second · about 10 seconds left" in said and "tidying" in said
    assert "█" in said and "0.00503" in said, "the loss: its curve and its last value"
    is_open = {r["property"]: r["enabled"] for r in told["settings"] if r["call"] == "prop"}
    assert is_open["contrast"] and is_open["cutouts"]
    assert not any(is_open[name] for name in ("steps", "seed", "lock", "longest_px", "model"))
    assert "What is grey stays as it is" in text(told["settings"])
    assert not any(row["enabled"] for row in told["place"] if row["call"] == "prop")


@pytest.mark.parametrize(
    ("state", "said", "found"),
    [
        ("queued", "It is not drawing yet.", {"pause": False, "cancel": True, "stop_keep": False}),
        ("paused", "Paused", {"resume": True, "cancel": True, "stop_keep": True}),
        ("pausing", "Pausing…", {"pause": False, "cancel": False, "stop_keep": False}),
    ],
)
def test_commands(side: Any, state: str, said: str, found: Any) -> None:
    told = side[state]
    assert buttons(told["drawing"]) == found and said in text(told["drawing"])


def test_drawings_that_are_over(side: Any) -> None:
    told = side["over"]
    assert buttons(told["drawing"]) == dict.fromkeys(
        ("keep", "bake", "to_curves", "animate", "use_settings", "discard"), True
    )
    names = [row["text"] for row in told["results"] if row.get("operator") == "limner.show_job"]
    assert names == [f"drawing {at}" for at in (8, 7, 6, 5, 4, 3)]
    assert "All 9 drawings" in text(told["results"])
    adopted = [row["text"] for row in told["results"] if row.get("operator") == "limner.adopt"]
    assert adopted == ["an older one"]


def test_a_failure_is_told(side: Any) -> None:
    told = side["failed"]
    alarm = " ".join(row["text"] for row in told["drawing"] if row["alert"])
    assert alarm == "There is too little memory. Draw fewer strokes."
    assert "does not know “flurb”" in text(told["drawing"])
    assert "keep" not in buttons(told["drawing"]) and buttons(told["draw"]) == {"draw": True}


def test_pictures_and_place(side: Any) -> None:
    told = side["pictures"]
    shown = [row.get("property") for row in told["pictures"]]
    assert {"source_over", "source_init", "file_init", "source_mask", "image_mask"} <= set(shown)
    shown = [row.get("property") for row in told["place"]]
    assert shown == [
        "sink", "place", "size_m", "paper", "spread", "spread_m",
        "keyframes", "keyframe_start", "keyframe_every",
    ]  # fmt: skip
    strange = side["strange_role"]
    assert "“Structure” can’t be given from Blender yet." in text(strange["pictures"])


def test_styles_come_one_after_the_other_with_their_weights(side: Any) -> None:
    weights = ("second_style", "third_style")
    for state, needed, others, weighed in (
        ("no_style", ["source_style"], [], ()),
        ("one_style", ["source_style", "image_style"], ["source_style2"], ()),
        ("half_a_second_style", ["source_style", "image_style"],
         ["source_style2", "image_style2"], ()),
        ("three_styles", ["source_style", "image_style"],
         ["source_style2", "source_style3", "file_style3"], weights),
    ):  # fmt: skip
        told = {
            panel: [row["property"] for row in rows if "property" in row]
            for panel, rows in side[state].items()
        }
        assert [name for name in told["draw"] if "style" in name] == needed, state
        assert [name for name in told["pictures"] if "style" in name] == others, state
        assert [name for name in weights if name in told["settings"]] == list(weighed), state
    may = {state: buttons(side[state]["draw"])["draw"] for state in side if "style" in state}
    assert may == {"no_style": False, "one_style": True, "half_a_second_style": False,
                   "three_styles": True}  # fmt: skip
    assert "Give it a picture first: “In the style of”." in text(side["no_style"]["draw"])
    why = "Choose an image for “And of a second”."
    assert why in text(side["half_a_second_style"]["draw"])


def test_an_edit_asks_for_its_picture_first(side: Any) -> None:
    told = side["nothing_to_edit"]
    assert buttons(told["draw"]) == {"draw": False}
    assert "Give it a picture first: “Edit”." in text(told["draw"])
    assert [r["property"] for r in told["draw"] if "property" in r] == [
        "method", "prompt", "source_picture"
    ]  # fmt: skip
    may = side["may_edit"]
    assert buttons(may["draw"]) == {"draw": True}, "without a camera too"
    assert "image_picture" in [row.get("property") for row in may["draw"]]
    assert "source_mask" in [row.get("property") for row in may["pictures"]]
    assert "becomes a new image" in text(may["place"])
    assert not any("property" in row for row in may["place"])


def test_what_a_method_lacks_is_said(side: Any) -> None:
    told = side["no_generator"]
    assert buttons(told["draw"]) == {"draw": False} and "None is here." in text(told["draw"])


def test_an_edit_goes_on_answering(side: Any) -> None:
    """While it runs and after its last step, its picture is in the panel; then a button keeps it,
    and what it still takes is open."""
    told = side["editing"]
    assert [row["icon_value"] for row in told["drawing"] if row["call"] == "template_icon"] == [7]
    assert buttons(told["drawing"]) == {"pause": True, "cancel": True, "stop_keep": True}
    told = side["stays"]
    assert [row["icon_value"] for row in told["drawing"] if row["call"] == "template_icon"] == [7]
    assert buttons(told["drawing"]) == {"stop_keep": True, "cancel": True}
    keep = next(row for row in told["drawing"] if row.get("operator") == "limner.stop_keep")
    assert keep["text"] == "Keep this picture"
    said = text(told["drawing"])
    assert "Ready to keep" in said and "It answers every change, until you keep it." in said
    assert not any(row["call"] == "progress" for row in told["drawing"])
    is_open = {r["property"]: r["enabled"] for r in told["settings"] if r["call"] == "prop"}
    assert all(is_open[name] for name in ("strength", "threshold", "neutral"))
    assert not is_open["steps"]
    slider = next(row for row in told["settings"] if row.get("property") == "strength")
    assert slider["slider"]
    told = side["edited"]
    assert buttons(told["drawing"]) == dict.fromkeys(("keep", "use_settings", "discard"), True)


@pytest.mark.parametrize(
    ("state", "first"),
    [
        ("may_draw", ["steps", "strokes", "seed"]),
        ("one_style", ["steps", "strokes", "seed", "strength", "hand"]),
        ("may_edit", ["steps", "strength", "threshold", "neutral"]),
    ],
)
def test_what_is_essential_comes_first(side: Any, state: str, first: list[str]) -> None:
    rows = side[state]["settings"]
    more = next(at for at, row in enumerate(rows) if row.get("text") == "More settings")
    shown = [row["property"] for row in rows[:more] if "property" in row]
    assert shown == ["model", *([] if state == "may_edit" else ["longest_px"]), *first]
    last = "detail" if state == "may_edit" else "contrast"
    assert last in [row.get("property") for row in rows[more:]]


def test_a_panel_never_fails(blender: Blender) -> None:
    assert blender.run("ui_panels.py", "without_studio") == {panel: [] for panel in PANELS}
    told = blender.run("ui_panels.py", "broken", offered=what_is_offered())
    assert "This can’t be shown:" in text(told)
