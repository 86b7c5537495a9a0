"""The sub-panel *Edit*: crop, select, floaters, far things, and back."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..scene import roles
from ..scene.active import shown_root
from ..ui.widgets import Sidebar


class IMAGE_TO_3D_PT_edit(Sidebar, bpy.types.Panel):
    """What is left out of the selected photo."""

    bl_label = "Edit"
    bl_idname = "IMAGE_TO_3D_PT_edit"
    bl_parent_id = "IMAGE_TO_3D_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        root = shown_root(context)
        return root is not None and roles.points_of(root) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = shown_root(context).image_to_3d.editing
        _draw_crop(layout, settings)
        _draw_selection(layout)
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_filters(layout, settings)
        if settings.removed:
            count = iface_("{count} points are left out").format(count=f"{settings.removed:,}")
            layout.label(text=count, icon="HIDE_ON", translate=False)
        layout.operator("image_to_3d.restore_all", icon="LOOP_BACK")


def _draw_crop(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    column = layout.column(align=True)
    if settings.crop_box is None:
        column.operator("image_to_3d.add_crop_box", icon="CUBE")
        return
    column.prop(settings, "crop_box", text="")
    column.prop(settings, "crop_inside")
    row = column.row(align=True)
    row.operator("image_to_3d.apply_crop", icon="CHECKMARK")
    row.operator("image_to_3d.remove_crop_box", text="", icon="X")


def _draw_selection(layout: bpy.types.UILayout) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    for shape, icon, text in (
        ("BOX", "SELECT_SET", "Box"),
        ("LASSO", "GREASEPENCIL", "Lasso"),
        ("CIRCLE", "MESH_CIRCLE", "Circle"),
    ):
        row.operator("image_to_3d.select_points", text=text, icon=icon).shape = shape
    row = column.row(align=True)
    row.operator("image_to_3d.select_all_points", text="None").action = "DESELECT"
    row.operator("image_to_3d.select_all_points", text="Invert").action = "INVERT"
    row = column.row(align=True)
    row.operator("image_to_3d.remove_points", icon="TRASH").others = False
    row.operator("image_to_3d.remove_points", text="Keep Only").others = True


def _draw_filters(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    column = layout.column(align=True, heading="Floaters")
    column.prop(settings, "opacity_min")
    column.prop(settings, "size_max")
    column.prop(settings, "neighbours")
    column.operator("image_to_3d.remove_isolated", icon="PARTICLES")
    column = layout.column(align=True)
    column.prop(settings, "distance_max")
    column.prop(settings, "hide_sky")


CLASSES = (IMAGE_TO_3D_PT_edit,)
