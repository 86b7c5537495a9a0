"""The sub-panel *Measure*: how the scene stands, how far its metres can be trusted."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import ImageTo3DError
from image_to_3d.core.lengths.measuring import CONFIDENCE_95

from .. import translations
from ..scene.active import shown_or_only_root
from ..ui.widgets import Sidebar, lines
from . import analysis, stored_cloud
from .lengths import rulers
from .scale import length_text, metres_text, scale_of_photo, scaled_by_hand

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
        root = shown_or_only_root(context)
        return root is not None and stored_cloud.measurable(root)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        root = shown_or_only_root(context)
        try:
            scale = scale_of_photo(root, context.scene)
        except ImageTo3DError as error:
            lines(layout, context, str(error), "ERROR")
            return
        state = iface_(_STATES[scale.state]).format(percent=100 * CONFIDENCE_95 * scale.relative_sd)
        _draw_levelling(layout, context, root, scale.factor)
        layout.separator()
        layout.label(text=state, icon="CHECKMARK" if scale.state == "calibrated" else "QUESTION", translate=False)
        if scaled_by_hand(root, scale.factor):
            lines(layout, context, n_("The photo has been scaled by hand since."), "ERROR")
        _draw_known(layout, context, root)
        row = layout.row(align=True)
        row.operator("image_to_3d.calibrate", text="Selection", icon="EMPTY_AXIS")
        row.operator("image_to_3d.calibrate_points", text="Two Points", icon="SNAP_VERTEX")


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
        height=metres_text(context, levelling.camera_height_m * factor),
        pitch=levelling.pitch_deg,
        roll=levelling.roll_deg,
    )
    row = layout.row()
    lines(row.column(), context, text, "CHECKMARK")
    row.operator("image_to_3d.unlevel", text="", icon="X")


def _draw_known(layout: bpy.types.UILayout, context: bpy.types.Context, root: bpy.types.Object) -> None:
    calibration = root.image_to_3d.calibration
    if not len(calibration.known):
        return
    box = layout.box().column(align=True)
    for index, known in enumerate(calibration.known):
        row = box.row()
        text = metres_text(context, known.metres)
        if calibration.calibrated and len(calibration.known) > 1:
            text = iface_("{length}, off by {residual:+.1f} mm").format(length=text, residual=1000 * known.residual_m)
        row.label(text=text, icon="FIXED_SIZE", translate=False)
        row.operator("image_to_3d.remove_known_length", text="", icon="X", emboss=False).index = index
    if not calibration.calibrated:
        lines(
            box, context, n_("Give a second known length at another distance: this engine's depth is relative."), "INFO"
        )
    box.operator("image_to_3d.uncalibrate", icon="LOOP_BACK")


class IMAGE_TO_3D_PT_rulers(Sidebar, bpy.types.Panel):
    """Blender's rulers, with how far their lengths can be trusted."""

    bl_label = "Rulers"
    bl_idname = "IMAGE_TO_3D_PT_rulers"
    bl_parent_id = "IMAGE_TO_3D_PT_measure"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a photo to measure in."""
        return IMAGE_TO_3D_PT_measure.poll(context)

    def draw(self, context: bpy.types.Context) -> None:
        layout, root = self.layout, shown_or_only_root(context)
        found = rulers.all_of(context.scene)
        if not found:
            lines(layout, context, n_("Draw one with Blender's Measure tool. It snaps to the photo's surface."), "INFO")
            return
        known = analysis.known(root)
        if known is None:
            analysis.prefetch(root)
        for ruler in found:
            _draw_ruler(layout, context, root, ruler, known)


def _draw_ruler(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    root: bpy.types.Object,
    ruler: rulers.Ruler,
    known: analysis.Analysis | None,
) -> None:
    box = layout.box().column(align=True)
    row = box.row()
    shown = ruler.length * context.scene.unit_settings.scale_length
    note = ""
    try:
        if known is None:
            text = f"≈ {metres_text(context, shown)}"
        else:
            text = length_text(context, rulers.measure(context.scene, root, ruler, known))
    except ImageTo3DError as error:
        text, note = metres_text(context, shown), translations.words_of(error)[0]
    row.label(text=text, icon="DRIVER_DISTANCE", translate=False)
    row.operator("image_to_3d.calibrate", text="", icon="FIXED_SIZE").ruler = ruler.index
    if note:
        lines(box, context, note, "ERROR")
    else:
        ends = " → ".join("({})".format(", ".join(f"{coordinate:.2f}" for coordinate in end)) for end in ruler.ends)
        row = box.row()
        row.active = False
        row.label(text=ends, icon="BLANK1", translate=False)


CLASSES = (IMAGE_TO_3D_PT_measure, IMAGE_TO_3D_PT_rulers)
