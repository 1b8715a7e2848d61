"""What a worker can do, told once when it is ready: from it every front end makes its forms."""

from __future__ import annotations

from typing import Any

import torch

from limner.methods.base import Interactive, Method
from limner.methods.editing import own_clips
from limner.methods.registry import METHODS
from limner.methods.schema import of_recipe, schema
from limner.models import networks
from limner.models.catalog import find, installed
from limner.models.device import memory

LACKS = {
    "generator": "This needs a generator, and none is on this machine. Add one (limner models "
                 "add FILE), then start the backend again.",
    "directions": "This needs to know what a generator's channels mean. Measure it once (limner "
                  "train directions), add that, then start the backend again.",
    "mapper": "This needs a mapper that was trained for an edit. Train one (limner train mapper "
              "PROMPT), add it, then start the backend again.",
    "decoder": "This needs a decoder of a CLIP's image embeddings, and none is on this machine. "
               "Train one (limner train decoder), add it, then start the backend again.",
    "prior": "This needs a prior from words to a CLIP's pictures, and none is on this machine. "
             "Train one (limner train prior), add it, then start the backend again.",
}  # fmt: skip


def facts(device: torch.device) -> dict[str, Any]:
    """The device, the methods with their settings' schemas, and the models on this machine."""
    methods = [
        {
            "name": method.name,
            "title": method.title,
            "family": method.family,
            "about": method.about,
            "schema": schema(method.params, _usual(method)),
            "inputs": list(method.inputs),
            "needs": list(method.needs),
            "models": method.needs_models,
            "stays": isinstance(method, Interactive),
            "ready": _lack(method),
        }
        for method in METHODS.values()
    ]
    models = [
        {"name": m.name, "note": m.card.get("note", ""), "recipe": dict(m.card.get("recipe", {}))}
        for m in installed()
    ]
    return {
        "device": device.type, "memory": memory(device), "methods": methods, "models": models,
    }  # fmt: skip


def _usual(method: Method[Any, Any]) -> dict[str, Any]:
    """What its generator's own CLIP recommends for a method, where one reads for it unasked."""
    if not getattr(method, "networks", ()) or _lack(method):
        return {}
    names = own_clips(method, {})
    return of_recipe(method, find(names[0]).card.get("recipe", {})) if names else {}


def _lack(method: Method[Any, Any]) -> str:
    """Why a method can't run on this machine, in words; nothing if it can."""
    kinds = getattr(method, "networks", ())
    return next((LACKS[kind] for kind in kinds if not networks.installed(kind)), "")
