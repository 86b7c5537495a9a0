"""The sub-panel *Dimensions*."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_n as n_

from ...scene.active import shown_root
from ...ui.widgets import Sidebar
from .. import stored_cloud
from . import dimension_objects

_KINDS = {
    "HEIGHT": n_("Room height"),
    "DISTANCE": n_("Between walls"),
    "WIDTH": n_("Wall width"),
    "WALL_HEIGHT": n_("Wall height"),
    "LENGTH": n_("Length"),
    "LASER": n_("Laser"),
}
_DIRECTIONS = {
    "normal": n_("straight ahead"),
    "left": n_("left"),
    "right": n_("right"),
    "up": n_("up"),
    "down": n_("down"),
    "forward": n_("forward"),
    "back": n_("back"),
}


class IMAGE_TO_3D_PT_dimensions(Sidebar, bpy.types.Panel):
    """Lengths shown in the scene."""

    bl_label = "Dimensions"
    bl_idname = "IMAGE_TO_3D_PT_dimensions"
    bl_parent_id = "IMAGE_TO_3D_PT_measure"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a photo that can be measured."""
        root = shown_root(context)
        return root is not None and stored_cloud.measurable(root)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        root = shown_root(context)
        column = layout.column(align=True)
        column.operator("image_to_3d.measure_room", icon="CUBE")
        column.operator("image_to_3d.measure_length", icon="DRIVER_DISTANCE")
        column.operator("image_to_3d.laser", icon="TRACKING_FORWARDS_SINGLE")
        shown = list(dimension_objects.of(root))
        if not shown:
            return
        column = layout.column(align=True)
        for obj in shown:
            _draw_dimension(column, context, obj)
        row = layout.row()
        row.operator("image_to_3d.refresh_dimensions", text="Update", icon="FILE_REFRESH")
        row.operator("image_to_3d.remove_dimensions", text="Remove", icon="TRASH")


def _draw_dimension(layout: bpy.types.UILayout, context: bpy.types.Context, obj: bpy.types.Object) -> None:
    stored = obj.image_to_3d.dimension
    name = bpy.app.translations.pgettext_iface(_KINDS[stored.kind])
    if stored.direction:
        name = f"{name}, {bpy.app.translations.pgettext_iface(_DIRECTIONS[stored.direction])}"
    row = layout.row()
    split = row.split(factor=0.45)
    split.label(text=name, translate=False)
    split.label(text=dimension_objects.text_of(obj, context.scene), translate=False)


CLASSES = (IMAGE_TO_3D_PT_dimensions,)
