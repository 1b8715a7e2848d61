"""What a backend offers, as its welcome says it, for the tests of Blender's forms and panels."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from limner.methods.registry import METHODS
from limner.methods.schema import schema

RECIPE = {"contrast": 0.8, "point_rate": 0.5, "lock": True}
MODELS = [
    {"name": "starter", "note": "", "recipe": RECIPE},
    {"name": "other", "note": "larger", "recipe": {}},
]


def what_is_offered() -> dict[str, Any]:
    """The real methods, and two models."""
    methods = [
        {"name": m.name, "title": m.title, "family": m.family, "about": m.about,
         "schema": schema(m.params), "inputs": list(m.inputs), "needs": list(m.needs),
         "models": m.needs_models}
        for m in METHODS.values()
    ]  # fmt: skip
    return {"methods": methods, "models": deepcopy(MODELS)}
