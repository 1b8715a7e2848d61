"""Forms, inside Blender."""

from __future__ import annotations

from typing import Any

import bpy
from ui import enable, hear

SEED = 2**53 - 1


def untouched(offered: dict[str, Any]) -> dict[str, Any]:
    """What is sent and shown while nobody has touched anything."""
    enable(offered)
    from limner_blender import forms

    scene, out = bpy.context.scene, {}
    for name in forms.methods:
        group = forms.group(scene, name)
        shown = {n: _plain(getattr(group, n)) for n in forms.fields(name) if hasattr(group, n)}
        usual = {n: forms.usual(scene, name, n) for n in forms.fields(name)}
        out[name] = {
            "values": forms.values(scene, name), "shown": shown, "usual": usual,
            "problem": forms.problem(scene, name),
        }  # fmt: skip
    return out


def each_set_and_reset(offered: dict[str, Any]) -> dict[str, Any]:
    """Every setting of every method, set as the artist does, then taken back."""
    enable(offered)
    from limner_blender import forms

    scene, out = bpy.context.scene, {}
    for method in forms.methods:
        for name, spec in forms.fields(method).items():
            new = _another(spec, forms.usual(scene, method, name))
            told: list[Any] = []
            forms.on_change = lambda m, n, v, told=told: told.append((m, n, v))
            _set(scene, method, name, spec, new)
            was = forms.values(scene, method)
            assert told[-1] == (method, name, new), (told, new)
            bpy.ops.limner.reset_field(method=method, name=name)
            assert told[-1] == (method, name, None)
            out[f"{method}.{name}"] = {"new": new, "values": was}
            assert forms.values(scene, method) == {}
    return out


def exact(offered: dict[str, Any]) -> dict[str, Any]:
    """Values that Blender's own properties could not hold, and such as make no sense."""
    enable(offered)
    from limner_blender import forms

    scene = bpy.context.scene
    forms.write(scene, "clipdraw", {
        "seed": SEED, "point_rate": 0.1, "ink": 11, "steps": True, "cutouts": 2.5, "lock": 1,
        "also": ["at night@0.5", ""], "freeze": ["colour", "position"], "palette": ["#FF8000"],
        "avoid": "people", "strange": 1, "prompt": "not here",
    })  # fmt: skip
    group = forms.group(scene, "clipdraw")
    return {
        "values": forms.values(scene, "clipdraw"), "seed": group.seed,
        "freeze": sorted(group.freeze), "text": scene.limner.kept,
    }  # fmt: skip


def dice_and_rows(offered: dict[str, Any]) -> dict[str, Any]:
    """The operators of a form."""
    enable(offered)
    from limner_blender import forms, rows

    scene, told = bpy.context.scene, []
    forms.on_change = lambda m, n, v: told.append((n, v))
    bpy.ops.limner.dice(method="clipdraw")
    seed = forms.values(scene, "clipdraw")["seed"]
    for _ in range(3):
        bpy.ops.limner.add_row(method="clipdraw", name="also")
    for at, text in enumerate(("one", " ", "three")):
        rows.of(scene, "clipdraw.also")[at].text = text
    for colour in ((1, 0, 0), (0, 0.5, 1)):
        bpy.ops.limner.add_row(method="clipdraw", name="palette")
        rows.of(scene, "clipdraw.palette")[-1].colour = colour
    before = forms.values(scene, "clipdraw")
    bpy.ops.limner.remove_row(method="clipdraw", name="also", index=0)
    bpy.ops.limner.remove_row(method="clipdraw", name="palette", index=0)
    bpy.ops.limner.remove_row(method="clipdraw", name="palette", index=7)
    assert bpy.ops.limner.add_row(method="clipdraw", name="strange") == {"CANCELLED"}
    after = forms.values(scene, "clipdraw")
    return {"seed": seed, "before": before, "after": after, "told": told}


def problems(offered: dict[str, Any]) -> list[str]:
    """What is said of rows that make no sense, and of what is missing."""
    enable(offered)
    from limner_blender import forms, rows

    scene, said = bpy.context.scene, []
    said.append(forms.problem(scene, "odd"))
    forms.write(scene, "odd", {"must": "here"})
    for name, text in (("weights", "x"), ("weights", "7"), ("counts", "1.5"), ("wishes", "long!")):
        rows.add(scene, f"odd.{name}", forms.fields("odd")[name], text)
        said.append(forms.problem(scene, "odd"))
        rows.remove(scene, f"odd.{name}", 0)
    said.append(forms.problem(scene, "odd"))
    return said


def offered_anew(offered: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Another backend is heard: what was set stays, where it still fits."""
    found = enable(offered)
    from limner_blender import forms

    scene = bpy.context.scene
    forms.write(scene, "clipdraw", {"steps": 40, "contrast": 0.5, "also": ["x"]})
    kind = type(forms.group(scene, "clipdraw"))
    hear(found, offered)
    is_same = type(forms.group(scene, "clipdraw")) is kind
    hear(found, newer)
    after = forms.values(scene, "clipdraw")
    hear(found, offered)
    back = forms.values(scene, "clipdraw")
    scene.limner.model = "other"
    recipe = forms.usual(scene, "clipdraw", "contrast")
    bpy.ops.preferences.addon_disable(module="limner_blender")
    left = [n for n in dir(bpy.types.Scene) if n.startswith("limner")]
    return {"same": is_same, "after": after, "back": back, "recipe": recipe, "left": left}


def saved(offered: dict[str, Any], blend: str) -> dict[str, Any]:
    """Set everything, save, load."""
    enable(offered)
    from limner_blender import forms, props

    scene = bpy.context.scene
    image = bpy.data.images.new("canvas", 8, 8)
    image.use_fake_user = True
    scene.limner.prompt, scene.limner.model = "a cat", "other"
    scene.limner.longest_px, scene.limner.place = 320, "CURSOR"
    scene.limner.source_over, scene.limner.image_over = "IMAGE", image
    forms.write(scene, "clipdraw", {"seed": SEED, "lock": True, "palette": ["#ff8000"]})
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    bpy.ops.wm.read_homefile(use_empty=True)
    empty = forms.values(bpy.context.scene, "clipdraw"), bpy.context.scene.limner.prompt
    bpy.ops.wm.open_mainfile(filepath=blend)
    return {"empty": empty, **_state(forms, props)}


def loaded(offered: dict[str, Any], blend: str, again: str) -> dict[str, Any]:
    """Load what another Blender saved, before any backend is heard; save it; then hear one."""
    found = enable()
    bpy.ops.wm.open_mainfile(filepath=blend)
    bpy.ops.wm.save_as_mainfile(filepath=again)
    bpy.ops.wm.open_mainfile(filepath=again)
    from limner_blender import forms, props

    before = bpy.context.scene.limner.method
    hear(found, offered)
    return {"before": before, **_state(forms, props)}


def restored(offered: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """A drawing's settings are shown again, and nobody is told that the artist changed them."""
    enable(offered)
    from limner_blender import forms, props

    scene, told = bpy.context.scene, []
    forms.on_change = lambda m, n, v: told.append((n, v))
    scene.limner.prompt = " a dog "
    forms.put(scene, "clipdraw", "steps", 12)
    by_artist, told[:] = list(told), []
    props.restore(scene, about)
    try:
        props.restore(scene, {"method": "from_the_future"})
    except KeyError:
        told.append("refused")
    adjustable = forms.adjustable(scene, "clipdraw")
    return {
        "by_artist": by_artist, "told": told, "values": props.values(scene),
        "models": props.models(scene), "adjustable": sorted(adjustable),
        "contrast": adjustable["contrast"], "prompt": adjustable["prompt"],
    }  # fmt: skip


def why_not(offered: dict[str, Any], folder: str) -> list[Any]:
    """What is said of settings with which nothing can be drawn."""
    found = enable()
    from limner_blender import props

    scene = bpy.context.scene
    out = [props.problem(scene), props.values(scene)]
    hear(found, {**offered, "models": []})
    scene.limner.prompt = "x" * 2001
    out.append(props.problem(scene))
    scene.limner.prompt = "a cat"
    out.append(props.problem(scene))
    hear(found, offered)
    out.append(props.problem(scene))
    scene.limner.source_init = "IMAGE"
    out.append(props.problem(scene))
    bpy.ops.wm.save_as_mainfile(filepath=f"{folder}/scene.blend")
    scene.limner.source_init, scene.limner.file_init = "FILE", "//photo.png"
    out += [props.problem(scene), props.given(scene)["init"].path]
    scene.limner.source_init, scene.camera = "CAMERA", None
    out.append(props.problem(scene))
    scene.limner.method = "trace"
    return [*out, props.values(scene), props.models(scene), list(props.given(scene))]


def styles(offered: dict[str, Any]) -> list[Any]:
    """What is given and sent as style pictures come and go."""
    enable(offered)
    from limner_blender import forms, props

    scene, out = bpy.context.scene, []
    scene.limner.method, scene.limner.prompt = "styleclipdraw", "a cat"
    forms.write(scene, "styleclipdraw", {"second_style": 0.5, "third_style": 2.0, "hand": 80.0})
    for role, source in (("style", "CAMERA"), ("style2", "VIEWPORT"), ("style3", "CAMERA"),
                         ("style2", "NONE"), ("style2", "FILE"), ("style", "NONE")):  # fmt: skip
        setattr(scene.limner, f"source_{role}", source)
        sent = props.values(scene)
        out.append([list(props.given(scene)), sorted(set(sent) - {"prompt", "hand"})])
    return out


def _state(forms: Any, props: Any) -> dict[str, Any]:
    scene = bpy.context.scene
    given = {role: [g.source, g.image] for role, g in props.given(scene).items()}
    return {
        "values": props.values(scene), "models": props.models(scene), "given": given,
        "longest": scene.limner.longest_px, "place": scene.limner.place,
        "method": scene.limner.method,
    }  # fmt: skip


def _set(scene: Any, method: str, name: str, spec: dict[str, Any], new: Any) -> None:
    from limner_blender import forms, rows

    if rows.is_list(spec):
        for entry in new:
            bpy.ops.limner.add_row(method=method, name=name)
            row = rows.of(scene, forms.key(method, name))[-1]
            if rows.is_colour(spec):
                row.colour = [int(entry[at : at + 2], 16) / 255 for at in (1, 3, 5)]
            else:
                row.text = entry
    else:
        value = set(new) if isinstance(new, list) else new
        setattr(forms.group(scene, method), name, value)


def _another(spec: dict[str, Any], usual: Any) -> Any:
    if spec["type"] == "array":
        items = spec["items"]
        if "enum" in items:
            return items["enum"][:1]
        return ["#102030", "#ff8000"] if items.get("format") == "color" else ["one", "two"]
    if spec["type"] == "boolean":
        return not usual
    if spec["type"] == "string":
        return next((c for c in spec.get("enum", ()) if c != usual), "something")
    low, high = spec["minimum"], min(spec["maximum"], 1000)
    return (low + high) // 2 + 1 if spec["type"] == "integer" else round((low + high) / 3, 3)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value
