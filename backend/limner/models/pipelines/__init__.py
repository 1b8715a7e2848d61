"""Published unCLIPs, from folders in diffusers' layout (`model_index.json`), as Limner's networks.

`add` reads nothing but JSON and safetensors, checks every part before it writes any, and leaves
NAME-prior, NAME-decoder, NAME-upsampler and NAME-clip, as far as the folder has them. What another
folder of the same pipeline has is added to that: the name is what holds them together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from limner.models import networks
from limner.models.catalog import models_folder
from limner.models.clip import IMAGE_ENCODER, TEXT_ENCODER
from limner.models.loading import read_json
from limner.models.pickles import shown
from limner.models.pipelines.families import FAMILIES
from limner.models.pipelines.folder import INDEX, licence, read
from limner.models.pipelines.making import Making
from limner.models.pipelines.plan import Plan
from limner.models.places import check_name, is_taken, new_folder
from limner_wire.errors import ErrorCode, LimnerError

__all__ = ["INDEX", "add"]

WITHOUT = {
    IMAGE_ENCODER: "words become pictures, but none can be seen: there are no variations, blends "
                   "and text diffs",
    TEXT_ENCODER: "pictures can be varied and blended, but no words be read",
}  # fmt: skip

MISSING = {
    "prior": "no pictures come from words. Another folder may have one, or it can be trained "
             "(limner train prior)",
    "decoder": "nothing paints. Add the folder that has one under the same name",
}  # fmt: skip


def add(
    path: Path, name: str, facts: Mapping[str, Any],
    say: Callable[[str], None] = lambda line: None, parts: Sequence[str] | None = None,
) -> Path:  # fmt: skip
    """Put the networks of a pipeline's folder into the models folder; returns the folder of one.

    Args:
        name: which theirs begin with.
        facts: for their cards.
        say: told what was done, a line for each.
        parts: which of its parts are there; None for all that it names.

    Raises:
        LimnerError: UNREADABLE, UNSAFE_FILE or UNKNOWN_MODEL for what is not as it should be;
            BAD_INPUT if the name is none, or belongs to something else.
    """
    folder = read(path, parts)
    if folder.kind not in FAMILIES:
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"{path.name} is a {shown(folder.kind, 60)}, with which Limner does not paint.",
            f"It knows {', '.join(FAMILIES)}.",
        )
    about = {"licence": licence(path), **facts, "format": "diffusers", "pipeline": folder.kind}
    making = Making(folder, name, about)
    FAMILIES[folder.kind](making)
    _check_widths(making)
    plans = [plan for plan in making.plans if not _is_here(plan, making.clip)]
    if not plans:
        say(f"All that {path.name} has is here already, as {name}.")
    for plan in plans:
        check_name(plan.name)
        plan.check()
    for plan in plans:
        with new_folder(plan.name, plan.facts, instead=is_taken(plan.name)) as place:
            plan.write(place, networks.WEIGHTS)
        without = f" (without its {plan.lacks}: {WITHOUT[plan.lacks]})" if plan.lacks else ""
        say(f"{plan.name}: {plan.facts['note']}{without}")
    for part, does in MISSING.items():
        if not is_taken(f"{name}-{part}"):
            say(f"There is no {name}-{part} yet: {does}.")
    return models_folder() / (plans[0].name if plans else making.clip)


def _is_here(plan: Plan, clip: str) -> bool:
    """Whether it is what was added before; a CLIP is only planned if it lacks something.

    Raises:
        LimnerError: BAD_INPUT if it is something else.
    """
    file = models_folder() / plan.name / plan.config_name
    if plan.name == clip or not is_taken(plan.name):
        return False
    if file.is_file() and read_json(file) == json.loads(json.dumps(plan.config)):
        return True
    words = f"There is a model {plan.name!r} already, and it is another."
    raise LimnerError(ErrorCode.BAD_INPUT, words, "Give another --name.")


def _check_widths(making: Making) -> None:
    """Pass if all parts are of one CLIP."""
    if len(set(making.widths.values())) > 1:
        said = ", ".join(f"{part} {width}" for part, width in making.widths.items())
        words = f"These are not of one CLIP: their embeddings have other widths ({said})."
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, words, "Give another --name.")
