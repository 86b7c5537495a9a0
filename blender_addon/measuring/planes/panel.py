"""The sub-panel *Planes*."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ...scene.active import shown_root
from ...ui.widgets import Sidebar
from .. import stored_cloud
from . import report as plane_report
from .properties import PlaneEntry


class IMAGE_TO_3D_PT_planes(Sidebar, bpy.types.Panel):
    """Reports of flat surfaces."""

    bl_label = "Planes"
    bl_idname = "IMAGE_TO_3D_PT_planes"
    bl_parent_id = "IMAGE_TO_3D_PT_measure"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a photo that can be measured."""
        root = shown_root(context)
        return root is not None and stored_cloud.measurable(root)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        root = shown_root(context)
        inspection = root.image_to_3d.inspection
        row = layout.row(align=True)
        row.operator("image_to_3d.report_plane", text="Lasso", icon="BORDER_LASSO").by = "LASSO"
        row.operator("image_to_3d.report_plane", text="Box", icon="SELECT_SET").by = "BOX"
        row = layout.row(align=True)
        row.operator("image_to_3d.report_plane", text="Selected Vertices", icon="VERTEXSEL").by = "VERTICES"
        row.operator("image_to_3d.report_plane", text="Annotation", icon="GREASEPENCIL").by = "ANNOTATION"
        _draw_north(layout, root)
        if not len(inspection.planes):
            return
        column = layout.column(align=True)
        for index, entry in enumerate(inspection.planes):
            _draw_entry(column, index, entry)
        layout.prop(inspection, "heat_map", icon="COLOR", toggle=True)
        if inspection.heat_map:
            layout.prop(inspection, "heat_range")
        row = layout.row()
        row.operator("image_to_3d.refresh_planes", text="Update", icon="FILE_REFRESH")
        row.operator("image_to_3d.export_planes", text="CSV", icon="EXPORT")


def _draw_north(layout: bpy.types.UILayout, root: bpy.types.Object) -> None:
    inspection = root.image_to_3d.inspection
    row = layout.row()
    row.prop(inspection, "north_by_hand")
    if inspection.north_by_hand:
        row.prop(inspection, "heading", text="")
        return
    heading = plane_report.heading_deg(root)
    if heading is None:
        row.label(text="The photo does not tell north")
    else:
        row.label(text=iface_("{heading:.0f}°, from photo").format(heading=heading), translate=False)


def _draw_entry(layout: bpy.types.UILayout, index: int, entry: PlaneEntry) -> None:
    box = layout.box().column(align=True)
    row = box.row()
    row.prop(entry, "name", text="")
    row.operator("image_to_3d.remove_plane", text="", icon="X").index = index
    if entry.has_tilt:
        text = iface_("Tilt {tilt:.1f}° ({low:.1f}° to {high:.1f}°)").format(
            tilt=entry.tilt_deg, low=entry.tilt_low_deg, high=entry.tilt_high_deg
        )
        box.label(text=text, translate=False)
    if entry.has_azimuth:
        box.label(text=iface_("Azimuth {azimuth:.0f}°").format(azimuth=entry.azimuth_deg), translate=False)
    text = iface_("≈ {area:.2f} m², RMS {rms:.1f} mm, at most {largest:.0f} mm").format(
        area=entry.area_m2, rms=1000 * entry.rms_m, largest=1000 * entry.largest_m
    )
    box.label(text=text, translate=False)


CLASSES = (IMAGE_TO_3D_PT_planes,)
