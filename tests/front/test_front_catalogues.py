"""Every text of the plugins is in every catalogue, with the same places to fill in."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from string import Formatter

import pytest

from limner.methods.registry import METHODS
from limner.methods.schema import schema
from limner.worker.facts import LACKS
from limner_front import i18n, words

ROOT = Path(__file__).parents[2]
WHO_SPEAKS = ("shared/limner_front", "krita_plugin/limner_krita", "blender_addon/limner_blender")
HANGUL = re.compile("[가-힣]")
OF_THE_BACKEND = ("words.py", "forms.py", "desk.py", "fields.py", "props.py")  # say what it says
SAME_IN_KOREAN = {"Limner", "{reason}."}


def texts_of_the_code() -> set[str]:
    found = set()
    for path in (path for room in WHO_SPEAKS for path in sorted((ROOT / room).glob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(first.value)
                else:
                    assert path.name in OF_THE_BACKEND, f"{path}: {node.lineno}"
    return found


def texts_that_blender_shows() -> set[str]:
    """Names and tooltips of the extension's properties, operators and panels; it looks them up
    itself, so they stand in the code as they are. That they are all here is tested in Blender."""
    found = set()
    for path in sorted((ROOT / "blender_addon/limner_blender").glob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        found |= {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {text for text in found if isinstance(text, str)}


def texts_of_the_methods() -> set[str]:
    """What a backend says of its methods."""
    i18n._catalogue.clear()
    found = set(LACKS.values())
    for method in METHODS.values():
        found |= {method.title, method.family, method.about}
        for name, row in schema(method.params)["properties"].items():
            values = row.get("enum", []) + row.get("items", {}).get("enum", [])
            found |= {row["description"], *map(words.label, [name, *values])}
    return found


def catalogue(language: str) -> dict[str, str]:
    return json.loads((i18n.LOCALES / f"{language}.json").read_text("utf-8"))


def places(text: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_catalogue_is_complete(language: str) -> None:
    needed, have = texts_of_the_code() | texts_of_the_methods(), catalogue(language)
    assert needed and not needed - set(have), "missing"
    assert not set(have) - needed - texts_that_blender_shows(), "no longer said"
    for text, said in have.items():
        assert said and places(said) == places(text), text


def test_english_is_as_the_code_says_it() -> None:
    assert all(text == said for text, said in catalogue("en").items())


def test_korean_is_korean() -> None:
    for text, said in catalogue("ko").items():
        assert HANGUL.search(said) or text in SAME_IN_KOREAN, text


def test_a_language_without_a_catalogue_is_english() -> None:
    assert [i18n.choose(name) for name in ("ko-KR", "KO", "de_DE", "C", "")] == [
        "ko", "ko", "en", "en", "en",
    ]  # fmt: skip
    assert i18n._("step {step} of {total}", step=1, total=9) == "step 1 of 9"
    assert i18n._("what only a newer backend says") == "what only a newer backend says"
