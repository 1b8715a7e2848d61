"""Published unCLIPs from the hub: only the parts that Limner reads, and of those safetensors alone,
in half precision where there are such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from limner.models.catalog import Pipeline
from limner.models.hub import fetched, listing
from limner.models.pipelines import add
from limner.models.pipelines.folder import CONFIGS, INDEX, PICKLES, STEMS
from limner_wire.errors import ErrorCode, LimnerError

VARIANTS = (".fp16", "", ".bf16")  # the smaller first: Limner keeps half precision
ABOUT = (INDEX, "README.md", "LICENSE", "LICENSE.md", "LICENSE.txt")

Files = Mapping[str, int]  # and how many bytes they have


def needed(published: Pipeline) -> dict[str, Files]:
    """What has to be fetched of each repository.

    Raises:
        LimnerError: UNKNOWN_MODEL if one can't be reached, or has not what Limner reads.
    """
    out: dict[str, Files] = {}
    for repository, parts in published.repositories.items():
        here = listing(repository)
        if INDEX not in here:
            words = f"{repository} has no {INDEX}: it is no pipeline."
            raise LimnerError(ErrorCode.UNKNOWN_MODEL, words)
        names = [name for name in ABOUT if name in here]
        for part in parts:
            inside = {n.removeprefix(f"{part}/") for n in here if n.startswith(f"{part}/")}
            names += [f"{part}/{name}" for name in _of_part(f"{repository}: {part}/", inside)]
        out[repository] = {name: here[name] for name in names}
    return out


def fetch(
    published: Pipeline, files: Mapping[str, Files], say: Callable[[str], None]
) -> list[Path]:
    """Fetch these files, and add what is in them; returns a network's folder for each repository.

    Raises:
        LimnerError: UNKNOWN_MODEL if one can't be reached; what `pipelines.add` raises.
    """
    places = {}
    for repository, names in files.items():
        places[repository] = {name: fetched(repository, name) for name in names}[INDEX].parent
    out = []
    for repository, place in places.items():
        facts = {"licence": published.licence, "added": published.name, "repository": repository}
        parts = published.repositories[repository]
        out.append(add(place, published.name, facts, say, parts))
    return out


def _of_part(what: str, inside: set[str]) -> list[str]:
    """A part's config, and its weights if it has any."""
    configs = [name for name in CONFIGS if name in inside]
    for variant in VARIANTS:
        for stem in STEMS:
            if (single := f"{stem}{variant}.safetensors") in inside:
                return [*configs, single]
            if (index := f"{stem}.safetensors.index{variant}.json") in inside:
                shards = [n for n in inside if "-of-" in n and n.endswith(".safetensors")]
                own = [n for n in shards if not variant or variant in n]
                others = [n for n in own if not variant and any(v in n for v in VARIANTS if v)]
                return [*configs, index, *sorted(set(own) - set(others))]
    if any(name.endswith(PICKLES) for name in inside):
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            f"{what} is published as a pickle alone, which can run code.",
            "Limner fetches safetensors only.",
        )
    if not configs:
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, f"{what} holds nothing that Limner reads.")
    return configs
