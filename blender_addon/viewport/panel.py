"""The live preview in the sidebar, and its switch in the header."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..backend.recovery_widgets import draw_failure
from ..runtime.objects import of
from ..ui.widgets import Sidebar
from .live import LivePreview


class IMAGE_TO_3D_PT_live_preview(Sidebar, bpy.types.Panel):
    """Switch and settings of the live preview."""

    bl_label = "Live Preview"
    bl_idname = "IMAGE_TO_3D_PT_live_preview"
    bl_parent_id = "IMAGE_TO_3D_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.window_manager.image_to_3d_live, "on", text="")

    def draw(self, context: bpy.types.Context) -> None:
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


CLASSES = (IMAGE_TO_3D_PT_live_preview,)


def on_register() -> None:
    """Put the switch into the header."""
    bpy.types.VIEW3D_HT_header.append(_draw_switch)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    bpy.types.VIEW3D_HT_header.remove(_draw_switch)
