"""Settings of the render engine, and final pictures in the sidebar."""

from __future__ import annotations

import bpy

from ..ui.widgets import Sidebar, lines
from .compositing import setup
from .engine import ENGINE


class IMAGE_TO_3D_PT_engine(bpy.types.Panel):
    """Settings of the engine."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    bl_label = "Splats"
    bl_idname = "IMAGE_TO_3D_PT_engine"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.engine == ENGINE

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(context.scene.image_to_3d.render, "eps2d")
        layout.prop(context.scene.render, "film_transparent")
        lines(layout, context, "Only photos are drawn. For furniture beside them see Final Picture in the sidebar.")


class IMAGE_TO_3D_PT_final_picture(Sidebar, bpy.types.Panel):
    """Objects and splats in one picture."""

    bl_label = "Final Picture"
    bl_idname = "IMAGE_TO_3D_PT_final_picture"
    bl_parent_id = "IMAGE_TO_3D_PT_film"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if bpy.app.version < setup.FIRST_VERSION:
            lines(layout, context, "Objects and splats in one picture need Blender 4.5 or later.", "ERROR")
            return
        if not setup.is_set_up(context.scene):
            layout.operator("image_to_3d.set_up_final_picture", icon="RENDER_STILL")
            return
        lines(layout, context, "F12 renders objects and splats together.", "CHECKMARK")
        if (context.scene.render.engine == "CYCLES") != (context.scene.image_to_3d.final.light is None):
            lines(layout, context, "Another render engine was chosen: set up again, or shadows are missing.", "ERROR")
        layout.prop(context.scene.image_to_3d.render, "eps2d")
        row = layout.row(align=True)
        row.operator("image_to_3d.set_up_final_picture", text="Set Up Again", icon="FILE_REFRESH")
        row.operator("image_to_3d.remove_final_picture", text="Remove", icon="X")


CLASSES = (IMAGE_TO_3D_PT_engine, IMAGE_TO_3D_PT_final_picture)
