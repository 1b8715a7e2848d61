"""Preferences, language, small pictures and wrapped text in Blender."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from offers import what_is_offered

from limner_front import i18n
from limner_front.settings import LONGEST_PX

if TYPE_CHECKING:
    from conftest import Blender

# Names that are the same everywhere, or what the backend calls its models.
NAMES = {"Limner", "starter", "other", "larger"}


def test_another_machine_needs_online_access(blender: Blender) -> None:
    told = blender.run("ui_prefs.py", "elsewhere")
    assert told[0] == ["", None]
    assert "Name the other machine" in told[1][0] and told[1][1] is None
    assert "An address is written" in told[2][0]
    assert "Allow Online Access" in told[3][0] and told[3][1] is None
    assert told[4] == ["", ["http://127.0.0.1:7411", ""]], "this machine is not the network"
    assert told[5] == ["http://localhost:7411", "a-key", True, ["http://localhost:7411", "a-key"]]
    assert told[6] == ["", None]


def test_the_preferences_say_what_is_wrong(blender: Blender, tmp_path: Path) -> None:
    plain, wrong = blender.run("ui_prefs.py", "drawn", program=str(tmp_path / "no-limner"))
    assert not any(row["alert"] for row in plain)
    said = " ".join(row.get("text", "") for row in plain)
    assert "Found: " in said or "pip install limner" in said
    assert not any(row.get("property") == "key" for row in plain)
    alarm = " ".join(row["text"] for row in wrong if row["alert"])
    assert "There is no such file." in alarm and "Allow Online Access" in alarm
    assert any(row.get("property") == "key" for row in wrong)


def test_the_longest_side_is_the_preferences_until_it_is_set(blender: Blender) -> None:
    assert blender.run("ui_prefs.py", "longest") == [LONGEST_PX, 448, 96]


def test_what_blender_shows_by_itself_can_be_translated(blender: Blender) -> None:
    offered = what_is_offered()
    offered["methods"] = [m for m in offered["methods"] if m["name"] in ("clipdraw", "trace")]
    texts = blender.run("ui_prefs.py", "said_by_blender", offered=offered)
    korean = json.loads((i18n.LOCALES / "ko.json").read_text("utf-8"))
    known = set(korean) | {text[:1].upper() + text[1:] for text in korean} | NAMES
    assert len(texts) > 100 and sorted(set(texts) - known) == []


def test_small_pictures_come_and_go(blender: Blender) -> None:
    told = blender.run("ui_prefs.py", "pictures")
    assert told["before"] == 0 and told["there"] == [["one", "two"], 2, [4, 4]]
    assert told["after"] == [["two"], 1, 0] and told["left"] == [0, 0]
    assert told["images"] == 0, "they are no datablocks"


def test_text_is_wrapped_to_the_panel(blender: Blender) -> None:
    texts = [
        "a few words",
        "No backend runs on this machine. Press “Start backend”, or run: limner serve",
        "/a/very/long/path/that/has/no/space/in/it/and/must/be/broken", "first\nsecond",
        "백엔드가 대답하지 않습니다. 멈췄다면 다시 시작하세요: “백엔드 시작”.", "",
    ]  # fmt: skip
    told = blender.run("ui_prefs.py", "wrapped", texts=texts, room_px=160)
    assert told[0] == [["a few words"], True] and told[3][0] == ["first", "second"]
    for text, (lines, fits) in zip(texts, told, strict=True):
        assert fits, text
        assert "".join(lines).replace(" ", "") == "".join(text.split())
    assert len(told[1][0]) > 1 and len(told[2][0]) > 1
