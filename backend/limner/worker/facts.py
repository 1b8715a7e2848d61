"""What a worker can do, told once when it is ready: from it every front end makes its forms."""

from __future__ import annotations

from typing import Any

import torch

from limner.methods.base import Interactive
from limner.methods.registry import METHODS
from limner.methods.schema import schema
from limner.models.catalog import installed


def facts(device: torch.device) -> dict[str, Any]:
    """The device, the methods with their settings' schemas, and the models on this machine."""
    methods = [
        {
            "name": method.name,
            "title": method.title,
            "about": method.about,
            "schema": schema(method.params),
            "inputs": list(method.inputs),
            "needs": list(method.needs),
            "models": method.needs_models,
            "stays": isinstance(method, Interactive),
        }
        for method in METHODS.values()
    ]
    models = [
        {"name": m.name, "note": m.card.get("note", ""), "recipe": dict(m.card.get("recipe", {}))}
        for m in installed()
    ]
    return {"device": device.type, "methods": methods, "models": models}
