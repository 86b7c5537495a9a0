"""The backend as the sidebar and the preferences show it."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from . import preferences, session
from .layouts import Sidebar, fact


class IMAGE_TO_3D_PT_backend(Sidebar, bpy.types.Panel):
    """The process that does the work."""

    bl_label = "Backend"
    bl_idname = "IMAGE_TO_3D_PT_backend"
    bl_parent_id = "IMAGE_TO_3D_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Lay out the panel."""
        layout = self.layout
        draw_connection(layout)
        row = layout.row()
        row.operator("image_to_3d.test_connection", icon="LINKED")
        row.operator("image_to_3d.stop_backend", text="Stop", icon="QUIT")
        layout.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES").module = preferences.ADDON


def draw_connection(layout: bpy.types.UILayout) -> None:
    """What the backend said it is."""
    current = session.current()
    column = layout.column(align=True)
    if current.welcome is None:
        column.label(text="Not connected; it starts when needed", icon="UNLINKED")
        return
    welcome = current.welcome
    text = iface_("Connected, version {version}").format(version=welcome.server_version)
    column.label(text=text, icon="LINKED", translate=False)
    fact(column, "Device", welcome.device)
    if welcome.memory_bytes:
        fact(column, "Free memory", f"{welcome.memory_bytes / 1e9:.1f} GB")
    for engine in welcome.engines:
        state = iface_("ready") if engine.state == "ready" else engine.note or engine.state.replace("_", " ")
        fact(column, engine.name, state)


def register() -> None:
    """Register the panel below those of :mod:`.panels`."""
    bpy.utils.register_class(IMAGE_TO_3D_PT_backend)


def unregister() -> None:
    """Unregister the panel."""
    bpy.utils.unregister_class(IMAGE_TO_3D_PT_backend)
