"""What the artist sets for the next drawing, saved with the scene, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import bpy
from bpy.props import CollectionProperty, FloatVectorProperty, PointerProperty, StringProperty

from limner_front import words
from limner_front.i18n import _
from limner_front.roles import open_roles
from limner_wire.limits import PROMPT_CHARS
from limner_wire.messages import Welcome

from . import forms, images, prefs

LONGEST_MIN_PX, LONGEST_MAX_PX = 64, 1024
NONE, IMAGE, CAMERA, VIEWPORT = "NONE", "IMAGE", "CAMERA", "VIEWPORT"
STROKES, FILE = "STROKES", "FILE"
MASK, PICTURE = "mask", "picture"
BEST = "BEST"  # the model: the best one that is there
SOURCES = {
    PICTURE: (NONE, IMAGE, CAMERA, VIEWPORT),
    "over": (NONE, CAMERA, VIEWPORT, IMAGE, FILE),
    "init": (NONE, STROKES, CAMERA, VIEWPORT, IMAGE, FILE),
    "mask": (NONE, IMAGE, FILE),
    **dict.fromkeys(
        ("style", "style2", "style3", "other", "other2", "other3"),
        (NONE, IMAGE, FILE, CAMERA, VIEWPORT),
    ),
}

BoolProperty = partial(bpy.props.BoolProperty, translation_context=prefs.CONTEXT)
EnumProperty = partial(bpy.props.EnumProperty, translation_context=prefs.CONTEXT)
FloatProperty = partial(bpy.props.FloatProperty, translation_context=prefs.CONTEXT)
IntProperty = partial(bpy.props.IntProperty, translation_context=prefs.CONTEXT)

Scene = bpy.types.Scene
Item = tuple[str, str, str, str, int]  # of an enum: identifier, name, help, icon, number

_FILES = {"init": "A picture: PNG, JPEG, WebP or SVG"}
_alive: dict[str, str] = {}  # Blender does not hold the texts of items that a function gives
_is_silent = False


@dataclass(frozen=True)
class Given:
    """Where a role's picture comes from.

    Attributes:
        source: "IMAGE", "CAMERA", "VIEWPORT", "STROKES" or "FILE".
        image: the name of the image datablock, if it is one.
        path: of the file, absolute, if it is one.
    """

    source: str
    image: str = ""
    path: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all is said."""
        needed = {NONE: "", IMAGE: self.image, FILE: self.path}
        return bool(needed.get(self.source, self.source))


# --- what follows ---------------------------------------------------------------------------------


def offer(welcome: Welcome) -> None:
    """The backend offers these methods and models from now on."""
    if welcome.methods:
        forms.build(welcome.methods, welcome.models)


def method(scene: Scene) -> Mapping[str, Any]:
    """What the backend says of the chosen method; nothing before it was heard."""
    return forms.methods.get(scene.limner.method, {})


def edits(name: str) -> bool:
    """Whether a method changes a picture, which then becomes one: it stands nowhere in a scene."""
    return PICTURE in forms.methods.get(name, {}).get("inputs", ())


def has_own_size(scene: Scene) -> bool:
    """Whether what is edited has a size of its own."""
    return edits(scene.limner.method) and _given(scene, PICTURE).source == IMAGE


def takes_words(scene: Scene) -> bool:
    """Whether the chosen method takes a prompt."""
    found = method(scene)
    return not found or forms.PROMPT in found["schema"]["properties"]


def models(scene: Scene) -> tuple[str, ...]:
    """The models to be asked for; none for the best, or for a method that takes none."""
    chosen = scene.limner.model_name
    is_known = any(model["name"] == chosen for model in forms.models)
    return (chosen,) if is_known and method(scene).get("models") else ()


def values(scene: Scene) -> dict[str, Any]:
    """What the artist has set and sees, the prompt included, and nothing else."""
    name, pictures = scene.limner.method, (None, *filled(scene))
    known = forms.fields(name)
    found = forms.values(scene, name).items()
    set_ = {field: value for field, value in found if known[field].get("x-role") in pictures}
    return {forms.PROMPT: scene.limner.prompt.strip(), **set_} if takes_words(scene) else set_


def roles(scene: Scene) -> list[str]:
    """The chosen method's roles that have a place now."""
    wanted = method(scene).get("inputs", ())
    return open_roles(wanted, {role for role in wanted if _given(scene, role).is_whole})


def given(scene: Scene) -> dict[str, Given]:
    """Where the pictures come from: by role, those that the method takes and that were chosen."""
    chosen = {role: _given(scene, role) for role in roles(scene)}
    return {role: found for role, found in chosen.items() if found.source != NONE}


def filled(scene: Scene) -> list[str]:
    """The roles that have a picture."""
    return [role for role, found in given(scene).items() if found.is_whole]


def problem(scene: Scene) -> str:
    """Why nothing can be drawn with what is set, in words; nothing if it can."""
    found = method(scene)
    if not found:
        return _("The backend has not said yet what it can draw.")
    if missing := found.get("ready"):
        return _(str(missing))
    if takes_words(scene) and not scene.limner.prompt.strip():
        return _("Say what to draw.")
    if len(scene.limner.prompt.strip()) > PROMPT_CHARS:
        return _("The prompt is too long: at most {n} letters.", n=PROMPT_CHARS)
    if found.get("models") and not forms.models:
        return _("There is no model on this machine. Fetch one: limner models list")
    return forms.problem(scene, scene.limner.method) or _picture_problem(scene, found)


def restore(scene: Scene, about: Mapping[str, Any]) -> None:
    """Show a drawing's settings, and nothing else of it.

    Args:
        about: `Job.about()`, or what a backend wrote into an SVG.

    Raises:
        KeyError: if the backend does not know its method.
    """
    told = about.get("settings")
    told = told if isinstance(told, dict) else {}
    name = about.get("method") or told.get("method")
    if name not in forms.methods:
        raise KeyError(name)
    params = about.get("params")
    found = params if isinstance(params, dict) else told
    scene.limner.method_name = str(name)
    forms.write(scene, str(name), found)
    scene.limner.model_name = str(next(iter(about.get("models") or ()), ""))
    if prompt := str(found.get("prompt") or about.get("prompt") or ""):
        _say_silently(scene, prompt)


def _say_silently(scene: Scene, prompt: str) -> None:
    """A prompt that is not the artist's edit of a running drawing's."""
    global _is_silent
    _is_silent = True
    try:
        scene.limner.prompt = prompt
    finally:
        _is_silent = False


def _given(scene: Scene, role: str) -> Given:
    set_ = scene.limner
    source = getattr(set_, f"source_{role}", NONE)
    if source == IMAGE:
        image = getattr(set_, f"image_{role}")
        return Given(source, image=image.name if image else "")
    if source == FILE:
        path = getattr(set_, f"file_{role}")
        return Given(source, path=bpy.path.abspath(path) if path else "")
    return Given(source)


def _picture_problem(scene: Scene, found: Mapping[str, Any]) -> str:
    chosen = given(scene)
    for role in found.get("needs", ()):
        if role not in chosen:
            return _("Give it a picture first: “{role}”.", role=words.role(role))
    for role, picture in chosen.items():
        if picture.source == IMAGE and not picture.image:
            return _("Choose an image for “{role}”.", role=words.role(role))
        if picture.source == FILE and not picture.path:
            return _("Choose a file for “{role}”.", role=words.role(role))
        if picture.source == CAMERA and scene.camera is None:
            return _("The scene has no camera, so “{role}” has no picture.", role=words.role(role))
    return ""


# --- what an enum offers --------------------------------------------------------------------------


def _item(at: int, identifier: str, name: str, help_text: str = "") -> Item:
    texts = (_alive.setdefault(text, text) for text in (identifier, name, help_text))
    return (*texts, "NONE", at)  # type: ignore[return-value]


def _method_items(_self: Any, _context: Any) -> list[Item]:
    items: list[Item] = []
    before = None
    for at, (name, row) in enumerate(forms.methods.items()):
        if (family := row.get("family")) and family != before:
            items.append(_item(at, "", _(family)))  # a heading: it can't be chosen
        before = family
        title = _(row.get("title") or words.label(name))
        items.append(_item(at, name, title, _(row.get("about", ""))))
    return items or [_item(0, NONE, _("not known yet"))]


def _model_items(_self: Any, _context: Any) -> list[Item]:
    names = [str(model["name"]) for model in forms.models]
    best = _("Best here: {name}", name=names[0]) if names else _("Best here")
    rows = [
        _item(at, name, name, _(str(model.get("note", ""))))
        for at, (name, model) in enumerate(zip(names, forms.models, strict=True), start=1)
    ]
    return [_item(0, BEST, best), *rows]


def _get_method(self: Any) -> int:
    names = list(forms.methods)
    return names.index(self.method_name) if self.method_name in names else 0


def _set_method(self: Any, at: int) -> None:
    if at < len(forms.methods):
        self.method_name = list(forms.methods)[at]


def _get_model(self: Any) -> int:
    names = [model["name"] for model in forms.models]
    return names.index(self.model_name) + 1 if self.model_name in names else 0


def _set_model(self: Any, at: int) -> None:
    self.model_name = str(forms.models[at - 1]["name"]) if 0 < at <= len(forms.models) else ""


def _get_longest(self: Any) -> int:
    return self.longest_px_set or prefs.longest_px()


def _set_longest(self: Any, new: int) -> None:
    self.longest_px_set = new


def _prompt_changed(self: Any, _context: Any) -> None:
    if not _is_silent:
        forms.changed(self.id_data, self.method, forms.PROMPT)


def _row_changed(self: Any, _context: Any) -> None:
    name, _dot, setting = self.key.partition(".")
    forms.changed(self.id_data, name, setting)


def _picture_source_changed(self: Any, context: Any) -> None:
    if self.source_picture == IMAGE and self.image_picture is None:
        self.image_picture = images.at_hand(context)


def _role_help(role: str) -> str:
    text = "strokes stay where this picture is white" if role == MASK else words.role_help(role)
    return text[:1].upper() + text[1:]


def _source_items(role: str) -> list[tuple[str, str, str]]:
    nothing = "White Paper" if role == "over" else "Nothing"
    texts = {
        NONE: (nothing, "No picture"),
        IMAGE: ("An Image", "An image of this file"),
        CAMERA: ("The Camera", "What the scene’s camera sees, without Limner’s own drawing"),
        VIEWPORT: ("The Viewport", "What this viewport shows"),
        STROKES: ("The Selected Drawing", "The strokes of the selected Grease Pencil drawing"),
        FILE: ("A File", "A picture on the disk"),
    }
    return [(source, *texts[source]) for source in SOURCES[role]]


# --- the properties -------------------------------------------------------------------------------


class LIMNER_PG_row(bpy.types.PropertyGroup):
    """A row of a list in a form; which list, its key says."""

    key: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    text: StringProperty(name="Entry", update=_row_changed)  # type: ignore[valid-type]
    colour: FloatVectorProperty(  # type: ignore[valid-type]
        name="Colour", subtype="COLOR_GAMMA", size=3, min=0, max=1, update=_row_changed
    )


class LIMNER_PG_scene(bpy.types.PropertyGroup):
    """The next drawing of a scene.

    `method_name`, `model_name` and `longest_px_set` are what is saved; `method`, `model` and
    `longest_px` show that, or what is taken while nothing is.
    """

    method_name: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    model_name: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    longest_px_set: IntProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    kept: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    rows: CollectionProperty(type=LIMNER_PG_row, options={"HIDDEN"})  # type: ignore[valid-type]

    method: EnumProperty(  # type: ignore[valid-type]
        name="Method", description="How it is drawn", options=set(),
        items=_method_items, get=_get_method, set=_set_method,
    )  # fmt: skip
    model: EnumProperty(  # type: ignore[valid-type]
        name="Model", description="The network that judges the drawing", options=set(),
        items=_model_items, get=_get_model, set=_set_model,
    )  # fmt: skip
    prompt: StringProperty(  # type: ignore[valid-type]
        name="Prompt", description="What to draw", options=set(), update=_prompt_changed
    )
    longest_px: IntProperty(  # type: ignore[valid-type]
        name="Longest Side", subtype="PIXEL", min=LONGEST_MIN_PX, max=LONGEST_MAX_PX, step=32,
        description="How large the picture is that the strokes are judged by; they are sharp at "
        "any size", options=set(), get=_get_longest, set=_set_longest,
    )  # fmt: skip
    sink: EnumProperty(  # type: ignore[valid-type]
        name="Becomes", description="What the drawing is made of in this file", options=set(),
        items=[
            ("GREASE_PENCIL", "Grease Pencil", "Strokes that form live in the viewport"),
            ("CURVE", "Curves", "Bézier curves with the strokes’ thickness, when it is done"),
            ("IMAGE", "Image", "A picture in the Image Editor"),
        ],
    )  # fmt: skip
    place: EnumProperty(  # type: ignore[valid-type]
        name="Place", description="Where the drawing stands in the scene", options=set(),
        items=[
            ("CAMERA", "Camera", "Before the camera: it fills the picture"),
            ("CURSOR", "3D Cursor", "Upright on the 3D cursor"),
        ],
    )  # fmt: skip
    depth_m: FloatProperty(  # type: ignore[valid-type]
        name="Distance", description="How far from the camera", options=set(),
        subtype="DISTANCE", default=5.0, min=0.001, soft_max=100.0,
    )  # fmt: skip
    size_m: FloatProperty(  # type: ignore[valid-type]
        name="Size", description="Its longer side", options=set(),
        subtype="DISTANCE", default=2.0, min=0.001, soft_max=100.0,
    )  # fmt: skip
    spread: EnumProperty(  # type: ignore[valid-type]
        name="Depth", description="How a flat drawing is given depth", options=set(),
        items=[
            ("FLAT", "Flat", "All strokes on one plane"),
            ("ORDER", "By Order", "Each stroke a little before the one under it"),
            ("SIZE", "By Size", "Large strokes farther away"),
        ],
    )  # fmt: skip
    spread_m: FloatProperty(  # type: ignore[valid-type]
        name="How Deep", description="From the nearest stroke to the farthest", options=set(),
        subtype="DISTANCE", default=0.5, min=0.0, soft_max=10.0,
    )  # fmt: skip
    paper: BoolProperty(  # type: ignore[valid-type]
        name="On Paper", default=True, options=set(),
        description="White paper below the strokes, on a layer of its own: they are drawn for it",
    )  # fmt: skip
    keyframes: BoolProperty(  # type: ignore[valid-type]
        name="Keyframes", options=set(),
        description="When it is done, its steps become keyframes: the drawing draws itself",
    )  # fmt: skip
    keyframe_start: IntProperty(  # type: ignore[valid-type]
        name="From Frame", description="The frame of the first one", options=set(), default=1,
    )  # fmt: skip
    keyframe_every: IntProperty(  # type: ignore[valid-type]
        name="Every", description="Frames from one to the next", options=set(),
        default=2, min=1, soft_max=24,
    )  # fmt: skip


for _role in SOURCES:
    LIMNER_PG_scene.__annotations__ |= {
        f"source_{_role}": EnumProperty(
            name=words.role(_role), description=_role_help(_role), options=set(),
            items=_source_items(_role),
            update=_picture_source_changed if _role == PICTURE else None,
        ),
        f"image_{_role}": PointerProperty(type=bpy.types.Image, name=words.role(_role)),
        f"file_{_role}": StringProperty(
            name=words.role(_role), subtype="FILE_PATH", options=set(),
            description=_FILES.get(_role, "A picture: PNG, JPEG or WebP"),
        ),
    }  # fmt: skip


class LIMNER_PG_ui(bpy.types.PropertyGroup):
    """What the panels remember while Blender runs; it is not saved."""

    is_all_shown: BoolProperty(  # type: ignore[valid-type]
        name="All", description="Show all drawings, not only the newest", options={"SKIP_SAVE"}
    )


CLASSES = (LIMNER_PG_row, LIMNER_PG_scene, LIMNER_PG_ui)


def attach() -> None:
    """Give scenes and the window manager their properties."""
    bpy.types.Scene.limner = PointerProperty(type=LIMNER_PG_scene)
    bpy.types.WindowManager.limner_ui = PointerProperty(type=LIMNER_PG_ui)


def detach() -> None:
    """Take them away; what is in the file stays there."""
    del bpy.types.Scene.limner
    del bpy.types.WindowManager.limner_ui
