"""What is remembered from one start of Krita to the next, as JSON in Limner's data folder.

Not in the plugin's own folder: Krita deletes that when a newer plugin is imported. `limner install
krita` writes into the same file where it lies itself, so that the docker can start it.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from limner_wire import limits, place

FILE = "krita.json"
PROMPTS = 30
LONGEST_PX = 224  # as the paper draws; strokes are as sharp at any size


@dataclass
class Settings:
    """The remembered settings.

    Attributes:
        limner: the program that serves, by `limner install krita` or chosen by the artist.
        longest_px: of the picture that is drawn at, its longer side.
        preview_on_canvas: whether the drawing is also shown on a locked layer while it forms.
        prompts: the last ones, the newest first.
        forms: method -> what was set in its form.
        sources: role -> where its picture comes from.
    """

    limner: str = ""
    longest_px: int = LONGEST_PX
    preview_on_canvas: bool = False
    language: str = ""
    method: str = ""
    model: str = ""
    prompts: list[str] = field(default_factory=list)
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def add_prompt(self, prompt: str) -> None:
        """A prompt was drawn."""
        if prompt:
            others = [p for p in self.prompts if p != prompt]
            self.prompts = [prompt, *others][:PROMPTS]


def path() -> Path:
    """Where they lie."""
    return place.data_folder() / FILE


def load() -> Settings:
    """The settings as they were saved; what is missing or of another kind is as at first."""
    found, out = _read(), Settings()
    for f in fields(Settings):
        if isinstance(found.get(f.name), type(getattr(out, f.name))):
            setattr(out, f.name, found[f.name])
    out.longest_px = min(max(out.longest_px, limits.CANVAS_MIN_PX), limits.CANVAS_MAX_PX)
    out.prompts = [p for p in out.prompts if isinstance(p, str)][:PROMPTS]
    out.forms = {k: v for k, v in out.forms.items() if isinstance(v, dict)}
    return out


def save(settings: Settings) -> None:
    """Keep them; what others wrote into the file stays. A full disk is no reason to complain."""
    with contextlib.suppress(OSError):
        write(asdict(settings))


def write(changes: dict[str, Any]) -> None:
    """Change some entries of the file.

    Raises:
        OSError: if it can't be written.
    """
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f"{FILE}.{os.getpid()}")
    text = json.dumps(_read() | changes, ensure_ascii=False, indent=1)
    part.write_text(text, "utf-8")
    part.replace(file)


def _read() -> dict[str, Any]:
    try:
        found = json.loads(path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
