"""What the plugins say, in the artist's language.

The texts in the code are English and are their own keys: `_("step {step}", step=3)`. A catalogue is
a JSON object from such a text to its translation; what it lacks (a newer method's words, which come
from the backend) is shown as it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOCALES = Path(__file__).parent / "locales"
ENGLISH = "en"

_catalogue: dict[str, str] = {}


def languages() -> list[str]:
    """The languages that there are catalogues of."""
    return sorted(path.stem for path in LOCALES.glob("*.json"))


def choose(language: str) -> str:
    """Speak a language from now on: "ko_KR", "ko". The one that is spoken: English if need be."""
    name = language.replace("-", "_").partition("_")[0].lower()
    name = name if name in languages() else ENGLISH
    _catalogue.clear()
    _catalogue.update(json.loads((LOCALES / f"{name}.json").read_text("utf-8")))
    return name


def _(text: str, **values: Any) -> str:
    """The text in the chosen language, with values in its places."""
    said = _catalogue.get(text, text)
    return said.format(**values) if values else said
