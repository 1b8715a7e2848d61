"""What is remembered from one start of the host to the next, as JSON in Limner's data folder.

Not in the plugin's own folder: hosts delete that when a newer plugin is put in. Each plugin has a
file of its own, `krita.json`, and a dataclass for it. `limner install` writes into the same file
where it lies itself, so that the plugin can start it.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from limner_wire import limits, place

PROMPTS = 30
LONGEST_PX = 224  # as the paper draws; strokes are as sharp at any size


@dataclass
class Settings:
    """What every plugin remembers; each adds what is its own.

    Attributes:
        limner: the program that serves, by `limner install` or chosen by the artist.
        longest_px: of the picture that is drawn at, its longer side.
        language: that the artist chose; nothing for the host's.
        prompts: the last ones, the newest first.
    """

    limner: str = ""
    longest_px: int = LONGEST_PX
    language: str = ""
    prompts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """What a file says may be out of bounds."""
        self.longest_px = min(max(self.longest_px, limits.CANVAS_MIN_PX), limits.CANVAS_MAX_PX)
        self.prompts = [p for p in self.prompts if isinstance(p, str)][:PROMPTS]

    def add_prompt(self, prompt: str) -> None:
        """A prompt was drawn."""
        if prompt:
            others = [p for p in self.prompts if p != prompt]
            self.prompts = [prompt, *others][:PROMPTS]


Kind = TypeVar("Kind", bound=Settings)


def path(file: str) -> Path:
    """Where a plugin's settings lie."""
    return place.data_folder() / file


def load(file: str, kind: type[Kind]) -> Kind:
    """The settings as they were saved; what is missing or of another type is as at first."""
    found, usual = _read(file), asdict(kind())
    names = [f.name for f in fields(kind) if isinstance(found.get(f.name), type(usual[f.name]))]
    return kind(**{name: found[name] for name in names})


def save(file: str, settings: Settings) -> None:
    """Keep them; what others wrote into the file stays. A full disk is no reason to complain."""
    with contextlib.suppress(OSError):
        write(file, asdict(settings))


def write(file: str, changes: dict[str, Any]) -> None:
    """Change some entries of the file.

    Raises:
        OSError: if it can't be written.
    """
    whole = path(file)
    whole.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = whole.with_name(f"{file}.{os.getpid()}")
    text = json.dumps(_read(file) | changes, ensure_ascii=False, indent=1)
    part.write_text(text, "utf-8")
    part.replace(whole)


def _read(file: str) -> dict[str, Any]:
    try:
        found = json.loads(path(file).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
