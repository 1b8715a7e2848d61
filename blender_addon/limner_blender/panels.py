"""The sidebar: in the 3D view and in the Image Editor. It shows, and changes nothing."""

from __future__ import annotations

import bpy

from limner_front import words
from limner_front.i18n import _
from limner_front.link import Link, link_words

from . import fields, forms, props, stage
from .drawing_panels import DrawingPanel, ResultsPanel
from .sidebar import Context, Layout, Panel, button, careful, of_space, say, width_px
from .studio import Studio, studio

SPACES = ("VIEW_3D", "IMAGE_EDITOR")
LINKS = {Link.READY: "CHECKMARK", Link.CONNECTING: "SORTTIME", Link.GREETING: "SORTTIME"}
PROMPTS = 12  # in the menu
LARGE = 1.4  # the height of the button that all is about


class LinkPanel(Panel):
    """How things stand with the backend; what to do if they stand badly."""

    bl_label, bl_options = "Limner", {"HIDE_HEADER"}

    @careful
    def draw(self, context: Context, found: Studio) -> None:
        """Show it."""
        line, starter = found.line, found.starter
        row = self.layout.row()
        icon = LINKS.get(line.link, "ERROR")
        row.label(text=link_words(line.link), icon=icon, translate=False)
        row.menu("LIMNER_MT_help", text="", icon="QUESTION")
        is_away = line.link not in LINKS
        if starter.is_starting and is_away:
            say(self.layout, context, _("The backend is starting…"), "SORTTIME")
        elif starter.fell and is_away:
            said = _("The backend did not start: {reason}", reason=starter.fell)
            say(self.layout, context, said, alert=True)
        elif line.problem:
            say(self.layout, context, line.problem, alert=is_away)
        if is_away:
            buttons = self.layout.column(align=True)
            if starter.is_running:
                button(buttons, "stop_backend", _("Stop backend"), "CANCEL")
            else:
                button(buttons, "start_backend", _("Start backend"), "PLAY")
            if line.link is not Link.ABSENT:
                button(buttons, "try_now", _("Try now"), "FILE_REFRESH")


class DrawPanel(Panel):
    """What to draw, and the button."""

    bl_label = "Draw"

    @careful
    def draw(self, context: Context, found: Studio) -> None:
        """Show it."""
        layout, scene = self.layout, context.scene
        set_ = scene.limner
        if len(forms.methods) > 1:
            chosen = layout.row()
            chosen.enabled = not found.is_attached
            chosen.prop(set_, "method", text="")
        if props.takes_words(scene):
            row = layout.row(align=True)
            row.prop(set_, "prompt", text="", placeholder=_("What to draw"))
            if found.settings.prompts:
                row.menu("LIMNER_MT_prompts", text="", icon="DOWNARROW_HLT")
            if note := found.notes.get(forms.PROMPT):
                say(layout, context, note)
        for role in props.method(scene).get("needs", ()):
            _role(layout, context, role, is_open=not found.is_attached)
        self._draw_button(context, found)
        if found.said:
            say(layout, context, found.said, "INFO")

    def _draw_button(self, context: Context, found: Studio) -> None:
        row = self.layout.row()
        row.scale_y = LARGE
        if found.is_attached:
            button(row, "new_drawing", _("New drawing"), "ADD")
            return
        button(row, "draw", _("Draw"), "GREASEPENCIL")
        if why_not := found.why_not_draw(context):
            is_said = not found.line.is_ready  # above, and what to do
            why_not = _("The backend is not connected.") if is_said else why_not
            say(self.layout, context, why_not, "INFO")


class SettingsPanel(Panel):
    """The method's form."""

    bl_label = "Settings"

    @careful
    def draw(self, context: Context, found: Studio) -> None:
        """Show it."""
        layout, scene = self.layout, context.scene
        method = props.method(scene)
        layout.use_property_split, layout.use_property_decorate = True, False
        if not method:
            say(layout, context, _("They are here as soon as the backend is connected."))
            return
        if found.is_attached:
            said = _("What is grey stays as it is while this is drawn.")
            say(layout, context, said, "INFO")
        size = layout.column()
        size.enabled = not found.is_attached
        if method.get("models") and forms.models:
            fields.plain(size, scene.limner, "model", _("Model"))
        if not props.has_own_size(scene):
            fields.plain(size, scene.limner, "longest_px", _("Longest side"))
        fields.draw(
            layout, scene, scene.limner.method, found.notes, roles=props.filled(scene),
            is_live=found.is_attached, width_px=width_px(context),
        )  # fmt: skip


class PicturesPanel(Panel):
    """What the drawing begins from, is drawn over, stays inside of."""

    bl_label, bl_options = "Pictures", {"DEFAULT_CLOSED"}

    @careful
    def draw(self, context: Context, found: Studio) -> None:
        """Show it."""
        method, layout = props.method(context.scene), self.layout
        if not method:
            say(layout, context, _("They are here as soon as the backend is connected."))
            return
        roles = [r for r in props.roles(context.scene) if r not in method.get("needs", ())]
        for role in roles:
            _role(layout, context, role, is_open=not found.is_attached)
        if not roles:
            say(layout, context, _("This method takes no further pictures."))
        why_not = found.why_not_continue(context)
        button(layout, "continue_drawing", _("Go on from selection"), "FORWARD")
        if why_not:
            say(layout, context, why_not, "INFO")


class PlacePanel(Panel):
    """What the drawing becomes, and where it stands."""

    bl_label, bl_options = "In the Scene", {"DEFAULT_CLOSED"}

    @careful
    def draw(self, context: Context, found: Studio) -> None:
        """Show it."""
        layout, set_ = self.layout, context.scene.limner
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.enabled = not found.is_attached
        if props.edits(set_.method):
            say(layout, context, _("A picture that is edited becomes a new image of this file."))
            return
        layout.prop(set_, "sink")
        if set_.sink == stage.IMAGE:
            return
        layout.prop(set_, "place")
        layout.prop(set_, "depth_m" if set_.place == props.CAMERA else "size_m")
        layout.prop(set_, "paper")
        layout.prop(set_, "spread")
        if set_.spread != "FLAT":
            layout.prop(set_, "spread_m")
        if set_.sink == stage.GREASE_PENCIL:
            layout.prop(set_, "keyframes")
            if set_.keyframes:
                layout.prop(set_, "keyframe_start")
                layout.prop(set_, "keyframe_every")


class LIMNER_MT_help(bpy.types.Menu):
    """Help with the backend"""

    bl_label = "Help with the backend"

    def draw(self, _context: Context) -> None:
        """Show it."""
        found = studio()
        button(self.layout, "show_log", _("Show the backend’s log"), "TEXT")
        button(self.layout, "copy_diagnostics", _("Copy diagnostics"), "COPYDOWN")
        if found is not None and found.starter.is_running:
            button(self.layout, "stop_backend", _("Stop backend"), "CANCEL")
        text = _("Preferences…")
        show = self.layout.operator(
            "preferences.addon_show", text=text, icon="PREFERENCES", translate=False
        )
        show.module = __package__


class LIMNER_MT_prompts(bpy.types.Menu):
    """Earlier prompts"""

    bl_label = "Earlier prompts"

    def draw(self, _context: Context) -> None:
        """Show them, the newest first."""
        found = studio()
        for prompt in found.settings.prompts[:PROMPTS] if found is not None else ():
            text = words.described({"prompt": prompt})
            take = self.layout.operator("wm.context_set_string", text=text, translate=False)
            take.data_path, take.value = "scene.limner.prompt", prompt


def _role(layout: Layout, context: Context, role: str, *, is_open: bool) -> None:
    """Where a role's picture comes from."""
    set_ = context.scene.limner
    column = layout.column(align=True)
    column.use_property_split, column.use_property_decorate = True, False
    column.enabled = is_open
    if role not in props.SOURCES:
        said = _("“{role}” can’t be given from Blender yet.", role=words.role(role))
        say(column, context, said, "INFO")
        return
    column.prop(set_, f"source_{role}", text=words.role(role), translate=False)
    source = getattr(set_, f"source_{role}")
    if source == props.IMAGE:
        column.template_ID(set_, f"image_{role}", open="image.open")
    elif source == props.FILE:
        column.prop(set_, f"file_{role}", text="")


PANELS = (
    LinkPanel, DrawPanel, DrawingPanel, SettingsPanel, PicturesPanel, PlacePanel, ResultsPanel,
)  # fmt: skip


CLASSES = (
    LIMNER_MT_help,
    LIMNER_MT_prompts,
    *(of_space(kind, space, at) for space in SPACES for at, kind in enumerate(PANELS)),
)
