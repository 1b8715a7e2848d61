"""What StyleCLIP's methods make and take: mappers, directions, style statistics, and latents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from limner.models.arrays import is_array, tensors
from limner.models.checkpoints.found import Found, finite, other
from limner.models.pickles import Damaged

MAPPER = "a StyleCLIP mapper"
# Their spelling of "coarse" is in every published file.
LEVELS = {"course_mapping": "coarse", "medium_mapping": "medium", "fine_mapping": "fine",
          "mapping": "all"}  # fmt: skip
LAYERS_MAX = 64
UNIT = 1e-2  # how far from 1 the lengths of directions may be
DIRECTIONS_ARE_UNIT = 0.9  # of them; a channel that moves nothing has none


def from_mapper(table: Mapping[str, Any], beside: Found | None) -> Found:
    """A mapper's tensors, their names without "mapper.".

    It becomes "coarse.0.weight" for one of W+ (coarse, medium, fine, or all), and
    "style.14.0.weight" for one of style space, by the entry's index among all, colours included.
    """
    names: dict[str, Any] = {}
    for name, value in table.items():
        match = re.fullmatch(r"(\w+)\.mapping\.(\d{1,2})\.(weight|bias)", name)
        part = _part(match[1]) if match else None
        if match is None or part is None:
            raise other(MAPPER, f"it has no {name[:80]}")
        names[f"{part}.{int(match[2]) - 1}.{match[3]}"] = value  # before them is a normalisation
    kept = finite(tensors(names), MAPPER)
    parts = sorted({name.rpartition(".")[0].rpartition(".")[0] for name in kept})
    for part in parts:
        _check_layers(part, kept)
    in_styles = any(part.startswith("style.") for part in parts)
    config = {
        "space": "s" if in_styles else "w_plus",
        "parts": parts,
        "rate": 0.01,  # of all that are published, as of the generator's mapping
        "step": 0.1,  # how much of it is added
        "normalizes": "channels" if in_styles else "layers",
    }
    facts = {"format": "StyleCLIP mapper", "note": f"mapper of {', '.join(parts)[:60]}"}
    return Found("mapper", config, kept, facts, {} if beside is None else {"generator": beside})


def _part(name: str) -> str | None:
    if match := re.fullmatch(r"mapper_(\d{1,2})", name):
        return f"style.{int(match[1]):02d}"
    return LEVELS.get(name)


def _check_layers(part: str, kept: Mapping[str, Tensor]) -> None:
    """Square layers, one behind the other, each with its bias."""
    own = {k.removeprefix(f"{part}."): v for k, v in kept.items() if k.startswith(f"{part}.")}
    count = len(own) // 2
    try:
        width = own["0.bias"].shape[0]
        for k in range(count):
            if own[f"{k}.weight"].shape != (width, width) or own[f"{k}.bias"].shape != (width,):
                raise other(MAPPER, f"layer {k} of {part} is not square")
    except (KeyError, IndexError) as problem:
        raise other(MAPPER, f"{part} lacks a layer") from problem


def is_rows(content: Any) -> bool:
    """Whether it is one array, or a list of arrays."""
    several = isinstance(content, Sequence) and not isinstance(content, str | bytes)
    return is_array(content) or (several and len(content) > 0 and all(map(is_array, content)))


def from_rows(content: Any) -> Found:
    """One array: directions, or latents of W or W+. Several: latents of style space."""
    what = "latents or directions"
    if is_array(content):
        return _from_array(finite(tensors({"rows": content}), what)["rows"])
    if len(content) > LAYERS_MAX:
        raise other(what, f"it is a list of {len(content)}")
    layers = finite(tensors({f"style.{k:02d}": v for k, v in enumerate(content)}), what)
    rows = {name: value.reshape(len(value), -1) for name, value in layers.items() if value.numel()}
    lengths = {len(value) for value in rows.values()}
    if len(rows) != len(content) or len(lengths) != 1:
        raise other("latents of style space", "its layers have different counts")
    config = {"space": "s", "count": lengths.pop(), "layers": len(rows)}
    return Found("latents", config, rows, _latent_facts(config))


def _from_array(rows: Tensor) -> Found:
    if not rows.is_floating_point() or rows.ndim not in (1, 2, 3) or not rows.numel():
        raise other("latents or directions", f"it is an array of shape {tuple(rows.shape)}")
    if rows.ndim == 2 and _are_directions(rows):
        told = {"channels": rows.shape[0], "dimensions": rows.shape[1]}
        facts = {"format": "fs3", "note": f"what {rows.shape[0]} channels of style space mean"}
        return Found("directions", told, {"directions": rows}, facts)
    if rows.ndim == 3:
        count, latents, w_dim = rows.shape
        config = {"space": "w_plus", "count": count, "latents": latents, "w_dim": w_dim}
        return Found("latents", config, {"w_plus": rows}, _latent_facts(config))
    rows = rows.reshape(-1, rows.shape[-1])
    config = {"space": "w", "count": rows.shape[0], "w_dim": rows.shape[1]}
    return Found("latents", config, {"w": rows}, _latent_facts(config))


def _are_directions(rows: Tensor) -> bool:
    lengths = rows.norm(dim=1)
    return float(((lengths - 1).abs() < UNIT).float().mean()) >= DIRECTIONS_ARE_UNIT


def _latent_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"format": "latents", "note": f"{config['count']} of {config['space'].upper()}"}


def is_style_pickle(content: Any) -> bool:
    """Whether it is `S` or `S_mean_std` of StyleCLIP's global directions: a pair of lists."""
    pair = isinstance(content, list | tuple) and len(content) == 2
    return pair and all(isinstance(part, list) and part for part in content)


def from_style_pickle(content: Sequence[Sequence[Any]]) -> Found:
    """Names and latents of style space, or their means and deviations."""
    first, second = content
    if len(first) != len(second) or len(second) > LAYERS_MAX:
        raise Damaged(f"a pair of {len(first)} and {len(second)} layers")
    if all(isinstance(name, str) for name in first):
        return from_rows(second)
    what = "style space's statistics"
    table = {f"mean.{k:02d}": v for k, v in enumerate(first)}
    table |= {f"std.{k:02d}": v for k, v in enumerate(second)}
    kept = {name: value.flatten() for name, value in finite(tensors(table), what).items()}
    if any(kept[f"mean.{k:02d}"].shape != kept[f"std.{k:02d}"].shape for k in range(len(first))):
        raise other(what, "means and deviations differ in length")
    facts = {"format": "S_mean_std", "note": f"of {len(first)} layers"}
    return Found("statistics", {"layers": len(first)}, kept, facts)


def rows_of(found: Found) -> Tensor | list[Tensor]:
    """Latents as one takes them: (N, w_dim), (N, L, w_dim), or (N, channels) for each style layer.

    Raises:
        LimnerError: UNKNOWN_MODEL if they are no latents.
    """
    if found.kind != "latents":
        raise other("latents", f"the file holds {found.kind}")
    if found.config["space"] == "s":
        return [found.tensors[name] for name in sorted(found.tensors)]
    (rows,) = found.tensors.values()
    return rows
