"""The sidebar's part for filming."""

from __future__ import annotations

import bpy

from ..scene.active import shown_root
from ..ui.widgets import Sidebar, lines, warn
from . import safe_zone


class IMAGE_TO_3D_PT_film(Sidebar, bpy.types.Panel):
    """Camera moves, how far they may go, and camera paths."""

    bl_label = "Film"
    bl_idname = "IMAGE_TO_3D_PT_film"
    bl_parent_id = "IMAGE_TO_3D_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return shown_root(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator_menu_enum("image_to_3d.add_camera_move", "move", icon="CAMERA_DATA")
        root = shown_root(context)
        row = layout.row(align=True)
        if safe_zone.zone_object(root) is None:
            row.operator("image_to_3d.show_safe_zone", icon="MESH_UVSPHERE")
        else:
            row.operator("image_to_3d.check_camera_move", icon="CHECKMARK")
            row.operator("image_to_3d.hide_safe_zone", text="", icon="X")
        if safe_zone.outdated(root):
            lines(layout, context, "The photo has changed since its safe zone was measured.", "INFO")
            layout.operator("image_to_3d.show_safe_zone", text="Measure Again", icon="FILE_REFRESH")
        beyond = safe_zone.excess(context.scene)
        if beyond is not None and beyond.metres > 0:
            warn(layout, context, safe_zone.warning(context, beyond.metres))
        elif beyond is not None:
            lines(layout, context, "The camera is inside the safe zone.", "CHECKMARK")
        row = layout.row(align=True)
        row.operator("image_to_3d.import_camera_path", text="Import Path", icon="IMPORT")
        row.operator("image_to_3d.export_camera_path", text="Export Path", icon="EXPORT")


CLASSES = (IMAGE_TO_3D_PT_film,)
