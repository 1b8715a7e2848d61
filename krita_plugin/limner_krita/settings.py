"""What the docker remembers from one start of Krita to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from limner_front import settings

FILE = "krita.json"


@dataclass
class Settings(settings.Settings):
    """The remembered settings.

    Attributes:
        preview_on_canvas: whether the drawing is also shown on a locked layer while it forms.
        forms: method -> what was set in its form.
        sources: role -> where its picture comes from.
    """

    preview_on_canvas: bool = False
    method: str = ""
    model: str = ""
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.forms = {k: v for k, v in self.forms.items() if isinstance(v, dict)}


def load() -> Settings:
    """The settings as they were saved."""
    return settings.load(FILE, Settings)


def save(remembered: Settings) -> None:
    """Keep them."""
    settings.save(FILE, remembered)
