"""The sub-panel *Measure*: how the scene stands, what its metres are worth."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import ImageTo3DError
from image_to_3d.core.measuring import CONFIDENCE_95

from .. import session
from ..layouts import Sidebar, lines
from . import cloud, scale

_STATES = {
    "engine": n_("The engine's own metres, ± {percent:.0f} %"),
    "assumed": n_("Not calibrated, ± {percent:.0f} %"),
    "calibrated": n_("Calibrated, ± {percent:.1f} %"),
}


class IMAGE_TO_3D_PT_measure(Sidebar, bpy.types.Panel):
    """Levelling, calibration and lengths of the selected photo."""

    bl_label = "Measure"
    bl_idname = "IMAGE_TO_3D_PT_measure"
    bl_parent_id = "IMAGE_TO_3D_PT_main"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a photo that can be measured."""
        root = session.shown_root(context)
        return root is not None and cloud.measurable(root)

    def draw(self, context: bpy.types.Context) -> None:
        """Lay out the panel."""
        layout = self.layout
        root = session.shown_root(context)
        try:
            worth = scale.of(root, context.scene)
        except ImageTo3DError as error:
            lines(layout, context, str(error), "ERROR")
            return
        state = iface_(_STATES[worth.state]).format(percent=100 * CONFIDENCE_95 * worth.relative_sd)
        _draw_levelling(layout, context, root, worth.factor)
        layout.label(text=state, icon="CHECKMARK" if worth.state == "calibrated" else "QUESTION", translate=False)


def _draw_levelling(
    layout: bpy.types.UILayout, context: bpy.types.Context, root: bpy.types.Object, factor: float
) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator("image_to_3d.level", icon="GRID").align = False
    row.operator("image_to_3d.level", text="", icon="AXIS_TOP").align = True
    column.operator("image_to_3d.level_points", text="By Three Points", icon="SNAP_VERTEX")
    levelling = root.image_to_3d.levelling
    if not levelling.levelled:
        return
    text = iface_("Camera {height} above the floor, pitch {pitch:.1f}°, roll {roll:.1f}°").format(
        height=scale.metres_text(context, levelling.camera_height_m * factor),
        pitch=levelling.pitch_deg,
        roll=levelling.roll_deg,
    )
    row = layout.row()
    lines(row.column(), context, text, "CHECKMARK")
    row.operator("image_to_3d.unlevel", text="", icon="X")


_CLASSES = (IMAGE_TO_3D_PT_measure,)


def register() -> None:
    """Register the panels."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Unregister the panels."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
