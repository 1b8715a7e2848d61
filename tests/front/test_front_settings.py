"""What a plugin remembers: a file of its own, that others may write into, or break."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from limner_front import settings
from limner_wire.limits import CANVAS_MAX_PX, CANVAS_MIN_PX


@dataclass
class Own(settings.Settings):
    """A plugin's settings."""

    is_loud: bool = False
    sizes: dict[str, int] = field(default_factory=dict)


def test_what_was_saved_is_there_again(folder: Path) -> None:
    one = Own(limner="/bin/limner", longest_px=512, is_loud=True, sizes={"a": 3})
    one.add_prompt("a cat")
    settings.save("own.json", one)
    assert settings.load("own.json", Own) == one
    assert settings.load("other.json", Own) == Own()
    assert [path.name for path in folder.iterdir()] == ["own.json"]  # no half-written file is left


def test_what_others_wrote_stays(folder: Path) -> None:
    settings.write("own.json", {"limner": "/bin/limner", "theirs": 1})
    settings.save("own.json", Own(longest_px=512))
    assert json.loads((folder / "own.json").read_text()) == {
        "limner": "", "theirs": 1, "longest_px": 512, "language": "", "prompts": [],
        "is_loud": False, "sizes": {},
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\udcff", '{"prompts": 3, "sizes": 1}'])
def test_a_broken_memory_is_as_at_first(folder: Path, text: str) -> None:
    (folder / "own.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert settings.load("own.json", Own) == Own()


@pytest.mark.parametrize(("asked", "given"), [(1, CANVAS_MIN_PX), (10**9, CANVAS_MAX_PX)])
def test_what_is_out_of_bounds_comes_inside(folder: Path, asked: int, given: int) -> None:
    settings.write(
        "own.json", {"longest_px": asked, "prompts": [1, "a", None, *map(str, range(99))]}
    )
    found = settings.load("own.json", Own)
    assert found.longest_px == given
    assert found.prompts[:2] == ["a", "0"] and len(found.prompts) == settings.PROMPTS


def test_the_newest_prompt_is_first_and_once() -> None:
    one = settings.Settings()
    for prompt in ("a", "b", "", "a"):
        one.add_prompt(prompt)
    assert one.prompts == ["a", "b"]


def test_a_place_that_takes_nothing_is_no_reason_to_fail(folder: Path) -> None:
    (folder / "own.json").mkdir()
    settings.save("own.json", Own())
    with pytest.raises(OSError, match="own"):
        settings.write("own.json", {})
