"""Each method's form, made from its JSON Schema: what is set in it, and what is usual.

What the artist sets is one text of the scene (`kept`), and the rows of lists (`rows`). A setting
that nobody touched is not sent: the backend then takes what the model's recipe says, or the schema,
and the form shows that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import bpy

from limner_front import words
from limner_front.i18n import _

from . import kept, rows
from .controls import property_for

PROMPT = "prompt"  # has its own place

methods: dict[str, dict[str, Any]] = {}  # what the backend offers, by name
models: tuple[dict[str, Any], ...] = ()  # the best first
_groups: dict[str, type[Any]] = {}  # method -> the class of its properties


def on_change(method: str, name: str, value: Any) -> None:
    """What is called when the artist has changed a setting; the studio puts its own here.

    Args:
        value: None for untouched: then what is `usual` is taken.
    """


# --- which forms there are ------------------------------------------------------------------------


def build(offered: Iterable[Mapping[str, Any]], with_models: Iterable[Mapping[str, Any]]) -> None:
    """Make the forms of what the backend offers; nothing is made anew if none has changed."""
    global models
    models = tuple(dict(model) for model in with_models)
    found = {str(method["name"]): dict(method) for method in offered}
    if found == methods:
        return
    clear()
    methods.update(found)
    for at, method in enumerate(found):
        shown = {n: _property(method, n, s) for n, s in fields(method).items()}
        members = {name: made for name, made in shown.items() if made is not None}
        kind = type(
            f"LIMNER_PG_form_{at}", (bpy.types.PropertyGroup,), {"__annotations__": members}
        )
        bpy.utils.register_class(kind)
        setattr(bpy.types.Scene, _attribute(method), bpy.props.PointerProperty(type=kind))
        _groups[method] = kind


def clear() -> None:
    """Take all forms away; what was set in them stays in the file."""
    for method, kind in _groups.items():
        delattr(bpy.types.Scene, _attribute(method))
        bpy.utils.unregister_class(kind)
    _groups.clear()
    methods.clear()


def fields(method: str) -> dict[str, kept.Spec]:
    """A method's settings in their order, but for the prompt: name -> its schema."""
    found = methods[method]["schema"]["properties"] if method in methods else {}
    ordered = sorted(found.items(), key=lambda row: row[1].get("x-order", 0))
    return {name: spec for name, spec in ordered if name != PROMPT}


def group(scene: bpy.types.Scene, method: str) -> Any:
    """The properties of a method's form; None if there is none."""
    return getattr(scene, _attribute(method), None)


def key(method: str, name: str) -> str:
    """Of the rows of a list."""
    return f"{method}.{name}"


# --- what is set ----------------------------------------------------------------------------------


def values(scene: bpy.types.Scene, method: str) -> dict[str, Any]:
    """What the artist has set, and fits; nothing of what was left alone."""
    found = ((name, value(scene, method, name)) for name in fields(method))
    return {name: set_ for name, set_ in found if set_ is not None}


def value(scene: bpy.types.Scene, method: str, name: str) -> Any:
    """What the artist has set there; None if it is untouched, or does not fit any more."""
    spec = fields(method).get(name)
    if spec is None:
        return None
    if rows.is_list(spec):
        return rows.read(scene, key(method, name), spec) or None
    found = kept.read(scene.limner.kept).get(method, {}).get(name)
    return found if found is not None and kept.fits(spec, found) else None


def usual(scene: bpy.types.Scene, method: str, name: str) -> Any:
    """What is taken while a setting is untouched: by the chosen model's recipe, or the schema."""
    return _recipe(scene, method).get(name, fields(method).get(name, {}).get("default"))


def write(scene: bpy.types.Scene, method: str, given: Mapping[str, Any]) -> None:
    """Show these values; all other settings are untouched. What does not fit is left out."""
    known = fields(method)
    fitting = {n: given[n] for n, spec in known.items() if n in given and kept.fits(spec, given[n])}
    lists = [name for name, spec in known.items() if rows.is_list(spec)]
    plain = {name: found for name, found in fitting.items() if name not in lists}
    scene.limner.kept = kept.replaced(scene.limner.kept, method, plain)
    for name in lists:
        rows.write(scene, key(method, name), known[name], fitting.get(name, ()))


def put(scene: bpy.types.Scene, method: str, name: str, new: Any) -> None:
    """Set one setting, as the artist does; None makes it untouched."""
    spec = fields(method)[name]
    if rows.is_list(spec):
        rows.write(scene, key(method, name), spec, new or ())
    else:
        scene.limner.kept = kept.changed(scene.limner.kept, method, name, new)
    changed(scene, method, name)


def changed(scene: bpy.types.Scene, method: str, name: str) -> None:
    """Tell that the artist has changed a setting."""
    if name == PROMPT:
        if prompt := scene.limner.prompt.strip():
            on_change(method, name, prompt)
    elif name in fields(method):
        on_change(method, name, value(scene, method, name))


def adjustable(scene: bpy.types.Scene, method: str) -> dict[str, tuple[Any, Any]]:
    """What a running drawing can still take: name -> its value (None: untouched), the usual."""
    out = {
        name: (value(scene, method, name), usual(scene, method, name))
        for name, spec in fields(method).items()
        if spec.get("x-adjustable")
    }
    if method in methods and PROMPT in methods[method]["schema"]["properties"]:
        out[PROMPT] = scene.limner.prompt.strip() or None, None
    return out


def problem(scene: bpy.types.Scene, method: str) -> str:
    """What is wrong in the form, in words; nothing if all is well."""
    for name in fields(method):
        if said := problem_of(scene, method, name):
            return f"{words.label(name)}: {said}"
    return ""


def problem_of(scene: bpy.types.Scene, method: str, name: str) -> str:
    """What is wrong with one setting, in words; nothing if it is well."""
    spec = fields(method)[name]
    if rows.is_list(spec):
        return rows.problem(scene, key(method, name), spec)
    is_needed = name in methods[method]["schema"].get("required", ())
    if is_needed and value(scene, method, name) is None and usual(scene, method, name) is None:
        return _("It needs a value.")
    return ""


# --- inside ---------------------------------------------------------------------------------------


def _property(method: str, name: str, spec: kept.Spec) -> Any:
    if rows.is_list(spec):
        return None

    def shown(scene: bpy.types.Scene) -> Any:
        found = value(scene, method, name)
        return usual(scene, method, name) if found is None else found

    def keep(scene: bpy.types.Scene, new: Any) -> None:
        put(scene, method, name, new)

    return property_for(name, spec, shown, keep)


def _recipe(scene: bpy.types.Scene, method: str) -> Mapping[str, Any]:
    """What the chosen model recommends, for a method that takes one."""
    if not methods.get(method, {}).get("models"):
        return {}
    chosen = scene.limner.model_name
    found = next((model for model in models if model["name"] == chosen), None)
    recipe = (found or next(iter(models), {})).get("recipe", {})
    return recipe if isinstance(recipe, dict) else {}


def _attribute(method: str) -> str:
    return f"limner_form_{method}"
