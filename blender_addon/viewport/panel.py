"""The switch of the live preview and what can be set about it."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import BoolProperty, FloatProperty, IntProperty

from ..backend.recovery_widgets import draw_failure
from ..runtime.objects import of
from ..ui.widgets import Sidebar
from .live import LivePreview


def _get_on(_: bpy.types.PropertyGroup) -> bool:
    return of(LivePreview).on


def _set_on(_: bpy.types.PropertyGroup, value: bool) -> None:
    of(LivePreview).turn_on() if value else of(LivePreview).turn_off()


def _apply(settings: LivePreviewSettings, _: bpy.types.Context) -> None:
    of(LivePreview).limit, of(LivePreview).pace = settings.limit, float(settings.pace)
    of(LivePreview).wake()


class LivePreviewSettings(bpy.types.PropertyGroup):
    """Of this Blender, not of the file."""

    on: BoolProperty(
        name="Live Preview",
        description="Show the splats as the backend renders them in all 3D viewports, among Blender's own objects",
        get=_get_on,
        set=_set_on,
        options={"SKIP_SAVE"},
    )
    limit: FloatProperty(
        name="Resolution",
        description="Largest size of the pictures, as a share of the viewport's width and height",
        subtype="FACTOR",
        default=1.0,
        min=0.125,
        max=1.0,
        options={"SKIP_SAVE"},
        update=_apply,
    )
    pace: IntProperty(
        name="While Moving",
        description="Pictures a second to be reached while the view moves; their size drops as far as that needs",
        default=12,
        min=2,
        max=60,
        options={"SKIP_SAVE"},
        update=_apply,
    )


class IMAGE_TO_3D_PT_live_preview(Sidebar, bpy.types.Panel):
    """Switch and settings of the live preview."""

    bl_label = "Live Preview"
    bl_idname = "IMAGE_TO_3D_PT_live_preview"
    bl_parent_id = "IMAGE_TO_3D_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context: bpy.types.Context) -> None:
        """The switch."""
        self.layout.prop(context.window_manager.image_to_3d_live, "on", text="")

    def draw(self, context: bpy.types.Context) -> None:
        """Lay out the panel."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.window_manager.image_to_3d_live
        layout.prop(settings, "limit", slider=True)
        layout.prop(settings, "pace")
        if not settings.on:
            return
        preview = of(LivePreview)
        failure = preview.failure_of(None)
        for stream in preview.streams.values():
            failure = failure or stream.failure
            if stream.picture is not None:
                width, height = stream.picture.size
                text = iface_("{width} × {height} pixels, {ms} ms").format(
                    width=width, height=height, ms=round(1000 * stream.seconds)
                )
                layout.label(text=text, icon="IMAGE_DATA", translate=False)
        if failure is not None:
            draw_failure(layout, context, failure)


def _draw_switch(header: bpy.types.Header, context: bpy.types.Context) -> None:
    """In the header of 3D viewports."""
    header.layout.prop(context.window_manager.image_to_3d_live, "on", text="", icon="IMAGE_RGB_ALPHA")


CLASSES = (LivePreviewSettings, IMAGE_TO_3D_PT_live_preview)


def on_register() -> None:
    """Hang the settings onto the window manager and the switch into the header."""
    bpy.types.WindowManager.image_to_3d_live = bpy.props.PointerProperty(type=LivePreviewSettings)
    bpy.types.VIEW3D_HT_header.append(_draw_switch)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    bpy.types.VIEW3D_HT_header.remove(_draw_switch)
    del bpy.types.WindowManager.image_to_3d_live
