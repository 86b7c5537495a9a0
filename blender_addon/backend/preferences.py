"""Preferences: where the backend is, and what it may do."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import EnumProperty, IntProperty, StringProperty

from . import panel
from .engine_catalogue import ENGINE_ITEMS
from .settings import ADDON, own_public_key


class ImageTo3DPreferences(bpy.types.AddonPreferences):
    """Shown below the extension in Edit › Preferences › Add-ons."""

    bl_idname = ADDON

    location: EnumProperty(
        name="Backend",
        items=[
            ("LOCAL", "This computer", "Use the backend that runs on this computer, or start it"),
            ("REMOTE", "Another computer", "Use a backend on another computer, which must know this one's key"),
        ],
        default="LOCAL",
    )
    command: StringProperty(
        name="Command",
        description="Command that runs the backend, without 'serve'. Empty: the variable IMAGE_TO_3D_BACKEND, "
        "then the backend that this extension has installed, then image-to-3d on the search path",
        default="",
    )
    python: StringProperty(
        name="Python",
        description="Interpreter with which the backend is installed, 3.10 to 3.14. Empty: the one that Blender brings, "
        "which is left as it is, then one on the search path",
        default="",
        subtype="FILE_PATH",
    )
    idle_minutes: IntProperty(
        name="Stop When Idle",
        description="Minutes after which a backend that Blender started stops by itself when nobody asks it for anything",
        default=30,
        min=1,
        soft_max=240,
    )
    address: StringProperty(name="Address", description="Host and port of the other computer, e.g. studio:5555")
    server_key: StringProperty(name="Server Key", description="Public key that the backend prints there: 40 characters")
    engine: EnumProperty(
        name="Default Engine",
        description="What 'Automatic' stands for in the panel",
        items=ENGINE_ITEMS,
        default="auto",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Lay out the preferences."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "location", expand=True)
        if self.location == "LOCAL":
            layout.prop(self, "command")
            layout.prop(self, "python")
            layout.prop(self, "idle_minutes")
        else:
            layout.prop(self, "address")
            layout.prop(self, "server_key")
            row = layout.row()
            text = iface_("This computer's key: {key}").format(key=own_public_key())
            row.label(text=text, icon="KEYINGSET", translate=False)
            row.operator("image_to_3d.copy_public_key", text="", icon="COPYDOWN")
        layout.prop(self, "engine")
        panel.draw_connection(layout, context)
        panel.draw_actions(layout, context)
        panel.draw_notice(layout, context)


CLASSES = (ImageTo3DPreferences,)


def on_unregister() -> None:
    """Forget the key."""
    own_public_key.cache_clear()
