"""Whole generators as NVIDIA's projects pickle them: not tables of weights but objects.

In PyTorch every module is an object that carries its class's source code with it, which NVIDIA's
own loader executes. Here it is a table like any other: its `_parameters`, `_buffers`, `_modules`
and numbers are looked at, its code is not. In TensorFlow they are `Network` objects with a list of
variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from limner.models.archives import NETWORK, PERSISTENT
from limner.models.arrays import SCALAR
from limner.models.checkpoints.found import Found, other
from limner.models.checkpoints.generators import STYLEGAN2, from_nvidia, from_tensorflow
from limner.models.pickles import Damaged, Made

DEPTH_MAX = 8  # modules within modules; a generator has four
Module = Mapping[str, Any]  # an object's __dict__


def is_module(value: Any) -> bool:
    """Whether it is an object of NVIDIA's in PyTorch."""
    return isinstance(value, Made) and value.name == PERSISTENT


def is_network(value: Any) -> bool:
    """Whether it is an object of NVIDIA's in TensorFlow."""
    return isinstance(value, Made) and value.name == NETWORK


def from_module(made: Made) -> Found:
    """A generator of stylegan2-ada-pytorch, or of the stylegan3 project when it is a StyleGAN2.

    Raises:
        LimnerError: UNKNOWN_MODEL if it is something else, or a StyleGAN2 of a kind that is not
            read.
    """
    modules = dict(_walk("", made, 0))
    if "synthesis.input" in modules:
        raise other(STYLEGAN2, "it is a StyleGAN3 generator, which Limner does not draw with yet")
    if "synthesis.b4" not in modules or "mapping" not in modules:
        raise other(STYLEGAN2, "it has no mapping and synthesis")
    _refuse_variants(modules)
    table: dict[str, Any] = {}
    for name, module in modules.items():
        for kind in ("_parameters", "_buffers"):
            held = module.get(kind) or {}
            if not isinstance(held, dict):
                raise Damaged(f"the {kind} of a module are no table")
            table |= {f"{name}.{key}": value for key, value in held.items() if value is not None}
    clamp = modules["synthesis.b4.conv1"].get("conv_clamp")
    rate = modules["mapping.fc0"].get("bias_gain", 0.01)
    return from_nvidia(_with_noise(table, modules), _number(clamp), _number(rate) or 0.01)


def _walk(name: str, made: Any, depth: int) -> Iterator[tuple[str, Module]]:
    """A module and those within it, by their names."""
    if not is_module(made) or depth > DEPTH_MAX:
        raise Damaged(f"{name[:60] or 'it'} is no module of NVIDIA's")
    described = made.arguments[0] if made.arguments else None
    state = described.get("state") if isinstance(described, dict) else None
    within = state.get("_modules") if isinstance(state, dict) else None
    if not isinstance(state, dict) or not isinstance(within, dict):
        raise Damaged(f"{name[:60] or 'it'} is a module without a state")
    yield name, state
    for key, child in within.items():
        if child is not None:
            yield from _walk(f"{name}.{key}" if name else str(key), child, depth + 1)


def _refuse_variants(modules: Mapping[str, Module]) -> None:
    for name in ("synthesis.b4.conv1", "mapping.fc0"):
        if name not in modules:
            raise other(STYLEGAN2, f"{name} is missing")
    for name, module in modules.items():
        architecture = module.get("architecture", "skip")
        if name.startswith("synthesis.b") and architecture != "skip":
            raise other(
                STYLEGAN2,
                f"its architecture is {architecture!s:.20}, and only 'skip' is read, which nearly "
                "all published ones have",
            )
        colours = module.get("img_channels", 3)
        if name.startswith("synthesis") and colours != 3:
            raise other(STYLEGAN2, f"it makes pictures of {colours!s:.20} channels, not 3")
        active = module.get("activation", "lrelu")
        if active not in ("lrelu", "linear"):
            raise other(STYLEGAN2, f"its layers are {active!s:.20}, not lrelu")


def _with_noise(table: dict[str, Any], modules: Mapping[str, Module]) -> dict[str, Any]:
    """Generators that were trained without noise have none; here it has no strength."""
    for name, module in modules.items():
        if module.get("use_noise") is False and ".conv" in name:
            table[f"{name}.noise_strength"] = torch.zeros(())
    return table


def _number(value: Any) -> float | None:
    if isinstance(value, Made) and value.name in SCALAR:
        raise Damaged("a setting is no plain number")
    return float(value) if isinstance(value, int | float) else None


def from_network(made: Made) -> Found:
    """A generator of NVIDIA's TensorFlow projects (stylegan2, stylegan2-ada).

    Raises:
        LimnerError: UNKNOWN_MODEL if it is something else.
    """
    state = _network_state(made)
    settings = state.get("static_kwargs") or {}
    if not isinstance(settings, dict):
        raise Damaged("a network's settings are no table")
    if (architecture := settings.get("architecture", "skip")) != "skip":
        raise other(STYLEGAN2, f"its architecture is {architecture!s:.20}, and only 'skip' is read")
    if list(settings.get("resample_kernel") or (1, 3, 3, 1)) != [1, 3, 3, 1]:
        raise other(STYLEGAN2, "it has another filter than [1, 3, 3, 1]")
    table = _variables(state, "")
    components = state.get("components") or {}
    for name in ("mapping", "synthesis"):
        if not isinstance(components, dict) or not is_network(components.get(name)):
            raise other(STYLEGAN2, f"it has no {name}")
        table |= _variables(_network_state(components[name]), f"{name}/")
    if any("/LabelConcat/" in name for name in table):
        raise other(STYLEGAN2, "it takes labels as the first StyleGAN did")
    rate = _number(settings.get("mapping_lrmul"))
    return from_tensorflow(table, _number(settings.get("conv_clamp")), rate or 0.01)


def _network_state(made: Made) -> dict[str, Any]:
    if not isinstance(made.state, dict):
        raise Damaged("a network without a state")
    return made.state


def _variables(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    rows = state.get("variables")
    if not isinstance(rows, list) or not all(
        isinstance(row, tuple | list) and len(row) == 2 and isinstance(row[0], str) for row in rows
    ):
        raise Damaged("a network without variables")
    return {prefix + name: value for name, value in rows}
