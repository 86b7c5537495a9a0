"""The buttons of plane reports: mark a region, fit anew, remove, save the table."""

from __future__ import annotations

import bpy
import numpy as np
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper
from numpy.typing import NDArray

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.surfaces.inspection import cells_of_points, reach_of
from image_to_3d.io.plane_tables import write_plane_table

from ...runtime.notices import Notices
from ...runtime.objects import of
from ...scene import roles
from ...scene.active import shown_or_only_root
from ...ui.reporting import refuse
from ..analysis import Analysis
from ..on_photo import OnPhoto, later
from ..region_select import SelectsRegion
from . import heat_map, regions, report
from .properties import Inspection


class IMAGE_TO_3D_OT_report_plane(OnPhoto, SelectsRegion, bpy.types.Operator):
    """Report tilt, azimuth, area and flatness of a surface: draw around it, or select its vertices on the surface mesh"""

    bl_idname = "image_to_3d.report_plane"
    bl_label = "Report Plane"

    by: EnumProperty(
        name="Region",
        items=[
            ("LASSO", "Lasso", "Draw around it with the mouse"),
            ("BOX", "Box", "Drag a box over it with the mouse"),
            ("VERTICES", "Selected Vertices", "The selected vertices of the surface mesh"),
            ("ANNOTATION", "Annotation", "The last annotation stroke that was drawn on the surface"),
        ],
    )
    outline: StringProperty(
        name="Outline", description="Pixels of the photo, U,V from its upper left corner", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Report the region that was given, drawn or selected."""
        root = shown_or_only_root(context)
        try:
            places = self._places(context, root)
        except ImageTo3DError as error:
            return refuse(self, error)
        surface = roles.surface_of(root) if self.by == "VERTICES" and not self.outline else None
        vertices = 0 if surface is None else len(surface.data.vertices)

        def work(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
            region = cells_of_points(places, found.grid, reach_of(vertices, found.grid)) if vertices else places
            report.add(root, scene, found, region)

        return later(self, context, work, "Report Plane")

    def _places(self, context: bpy.types.Context, root: bpy.types.Object) -> NDArray[np.float64]:
        """A polygon (N, 2) of pixels, or vertices (N, 3) in the camera frame."""
        if self.outline:
            try:
                return np.array([[float(x) for x in pair.split(",")] for pair in self.outline.split()]).reshape(-1, 2)
            except ValueError:
                raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.outline_unreadable") from None
        places = regions.selected_vertices(root) if self.by == "VERTICES" else regions.annotated(root, context.scene)
        if places is None:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.no_region_marked")
        return places


class IMAGE_TO_3D_OT_refresh_planes(OnPhoto, bpy.types.Operator):
    """Fit all planes of this photo anew, with its points, scale and level as they are now"""

    bl_idname = "image_to_3d.refresh_planes"
    bl_label = "Update Planes"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for the surface and return."""
        return later(self, context, report.remeasure, "Update Planes")


class IMAGE_TO_3D_OT_remove_plane(OnPhoto, bpy.types.Operator):
    """Take a plane out of the table"""

    bl_idname = "image_to_3d.remove_plane"
    bl_label = "Remove Plane"
    bl_options = {"REGISTER", "UNDO"}

    index: IntProperty(default=-1, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it; −1 removes all."""
        root = shown_or_only_root(context)
        inspection: Inspection = root.image_to_3d.inspection
        if self.index < 0:
            inspection.planes.clear()
        elif self.index < len(inspection.planes):
            inspection.planes.remove(self.index)
        heat_map.apply(root)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_export_planes(OnPhoto, bpy.types.Operator, ExportHelper):
    """Save the table of planes for spreadsheets"""

    bl_idname = "image_to_3d.export_planes"
    bl_label = "Export Planes"

    filename_ext = ".csv"
    filter_glob: StringProperty(default="*.csv", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        table = report.rows(shown_or_only_root(context))
        if not table:
            self.report({"WARNING"}, "There are no planes to save yet.")
            return {"CANCELLED"}
        of(Notices).begin()
        try:
            write_plane_table(self.filepath, table)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


CLASSES = (
    IMAGE_TO_3D_OT_report_plane,
    IMAGE_TO_3D_OT_refresh_planes,
    IMAGE_TO_3D_OT_remove_plane,
    IMAGE_TO_3D_OT_export_planes,
)
