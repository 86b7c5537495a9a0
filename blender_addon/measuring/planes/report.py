"""Plane reports for inspections: mark a region, get tilt, azimuth, area and flatness; several of them as a table."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper
from numpy.typing import NDArray

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.surfaces.inspection import (
    PlaneReport,
    azimuth,
    cells_of_points,
    mask_of_runs,
    polygon_mask,
    report_plane,
    report_region,
    runs_of_mask,
)
from image_to_3d.core.surfaces.levelling import Gravity
from image_to_3d.core.surfaces.surface import SurfaceGrid
from image_to_3d.io.plane_tables import PlaneRow, write_plane_table

from ...photos import session
from ...scene import roles
from .. import analysis, scale, stored_cloud
from ..active_photo import shown_root
from ..analysis import Analysis
from ..lengths.dimensions import OfPhoto, later
from ..region_select import SelectsRegion
from . import heat_map
from .properties import Inspection, PlaneEntry

Region = NDArray[np.floating] | NDArray[np.bool_]
"""A polygon (N, 2) of photo pixels, or marked cells (rows, cols) of the grid."""


def heading_deg(root: bpy.types.Object) -> float | None:
    """Compass direction of the photo's view: by hand, else as the photo tells it."""
    inspection = root.image_to_3d.inspection
    if inspection.north_by_hand:
        return float(np.degrees(inspection.heading))
    told = root.image_to_3d.outcome.heading_deg
    return float(told) if told >= 0 else None


def region_of(entry: PlaneEntry, grid: SurfaceGrid) -> NDArray[np.bool_]:
    """The marked cells (rows, cols) of a plane."""
    if len(entry.outline):
        return polygon_mask(np.array([tuple(corner.uv) for corner in entry.outline]), grid)
    return mask_of_runs(entry.cells, grid.rows, grid.cols)


def add(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis, region: Region) -> PlaneEntry:
    """Fit a plane to a region and add it to the table.

    Raises:
        ImageTo3DError: ``bad_request`` where no plane can be fitted, or the root is stretched unevenly.
    """
    report, gravity = _report(root, scene, found, region)
    inspection = root.image_to_3d.inspection
    entry = inspection.planes.add()
    numbers = [
        int(e.name.split()[-1]) for e in inspection.planes if e.name.split()[-1:] and e.name.split()[-1].isdigit()
    ]
    entry.name = f"Plane {max(numbers, default=0) + 1}"
    if region.dtype == bool:
        entry.cells = runs_of_mask(region)
    else:
        for corner in region:
            entry.outline.add().uv = corner
    _fill(root, scene, entry, report, gravity)
    inspection.active = len(inspection.planes) - 1
    heat_map.apply(root)
    return entry


def remeasure(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
    """Fit all planes of a photo anew, with its points, scale and level as they are now.

    A plane that can no longer be fitted keeps its figures, and the reason becomes the session's failure.
    """
    for entry in root.image_to_3d.inspection.planes:
        if len(entry.outline):
            region: Region = np.array([tuple(corner.uv) for corner in entry.outline])
        else:
            region = mask_of_runs(entry.cells, found.grid.rows, found.grid.cols)
        try:
            _fill(root, scene, entry, *_report(root, scene, found, region))
        except ImageTo3DError as error:
            session.current().failure = error
    heat_map.apply(root)


def turn(root: bpy.types.Object) -> None:
    """Write the azimuths anew: somebody has typed another compass direction."""
    heading = heading_deg(root)
    for entry in root.image_to_3d.inspection.planes:
        entry.has_azimuth = heading is not None and entry.turn_deg >= 0
        entry.azimuth_deg = (heading + entry.turn_deg) % 360.0 if entry.has_azimuth else 0.0


def rows(root: bpy.types.Object) -> list[PlaneRow]:
    """The table."""
    recipe = root.image_to_3d.recipe
    photo = (
        Path(bpy.path.abspath(recipe.photo_path)).name if recipe.source == "FILE" else getattr(recipe.image, "name", "")
    )
    return [
        PlaneRow(
            name=entry.name,
            photo=photo or root.name,
            tilt_deg=entry.tilt_deg if entry.has_tilt else None,
            tilt_low_deg=entry.tilt_low_deg if entry.has_tilt else None,
            tilt_high_deg=entry.tilt_high_deg if entry.has_tilt else None,
            azimuth_deg=entry.azimuth_deg if entry.has_azimuth else None,
            area_m2=entry.area_m2,
            rms_mm=1000 * entry.rms_m,
            largest_deviation_mm=1000 * entry.largest_m,
            points=entry.points,
            scale_state=entry.scale_state,
            scale_sd_percent=100 * entry.scale_sd,
        )
        for entry in root.image_to_3d.inspection.planes
    ]


def _report(
    root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis, region: Region
) -> tuple[PlaneReport, Gravity | None]:
    try:
        gravity: Gravity | None = analysis.gravity_of(root, found)
    except ImageTo3DError:  # nobody knows what is level: area and flatness are reported all the same
        gravity = None
    up, up_sd = (None, 0.0) if gravity is None else (gravity.up, gravity.sd_deg)
    work = report_region if region.dtype == bool else report_plane
    return work(found.grid, region, scale.of(root, scene), up, up_sd), gravity


def _fill(
    root: bpy.types.Object, scene: bpy.types.Scene, entry: PlaneEntry, report: PlaneReport, gravity: Gravity | None
) -> None:
    worth = scale.of(root, scene)
    entry.normal, entry.offset = report.plane.normal, report.plane.offset_m
    entry.has_tilt = report.tilt_deg is not None and report.tilt_interval_deg is not None
    if entry.has_tilt:
        entry.tilt_deg = report.tilt_deg
        entry.tilt_low_deg, entry.tilt_high_deg = report.tilt_interval_deg
    turned = None if gravity is None else azimuth(report.plane.normal, gravity.up, 0.0)
    entry.turn_deg = -1.0 if turned is None else turned
    entry.area_m2, entry.rms_m = report.area_m2, report.rms_m
    deviation = report.deviation_m[report.plane.mask]
    entry.largest_m = float(np.nanmax(np.abs(deviation), initial=0.0))
    entry.points = int(np.count_nonzero(report.plane.mask))
    entry.scale_state, entry.scale_sd = worth.state, worth.relative_sd
    turn(root)


def selected_vertices(root: bpy.types.Object) -> NDArray[np.float64] | None:
    """The selected vertices (N, 3) of the surface of a photo, camera frame; None if there are none."""
    surface = roles.surface_of(root)
    if surface is None:
        return None
    if surface.mode == "EDIT":
        surface.update_from_editmode()
    chosen = np.zeros(len(surface.data.vertices), bool)
    surface.data.vertices.foreach_get("select", chosen)
    if not chosen.any() or chosen.all():  # a new mesh counts as selected
        return None
    flat = np.empty(3 * len(chosen), np.float32)
    surface.data.vertices.foreach_get("co", flat)
    local = flat.reshape(-1, 3)[chosen].astype(np.float64)
    matrix = np.array(surface.matrix_world, np.float64)
    return stored_cloud.to_camera_frame(root, local @ matrix[:3, :3].T + matrix[:3, 3])


def reach_of(vertices: int, grid: SurfaceGrid) -> int:
    """How many cells of the grid lie between vertices of the surface, half of it, rounded up.

    Args:
        vertices: number of them.
        grid: that they were taken from.
    """
    known = max(1, int(np.count_nonzero(np.isfinite(grid.depth))))
    return int(np.ceil(np.sqrt(known / max(1, vertices)))) // 2


def annotated(root: bpy.types.Object, scene: bpy.types.Scene) -> NDArray[np.float64] | None:
    """The last annotation that was drawn in space, as a polygon (N, 2) of photo pixels; None if there is none."""
    annotation = scene.annotation if bpy.app.version >= (5, 0, 0) else scene.grease_pencil
    layers = [] if annotation is None else [layer for layer in annotation.layers if not layer.is_ruler]
    strokes = [s for layer in layers for frame in layer.frames for s in frame.strokes if len(s.points) >= 3]
    if not strokes or strokes[-1].display_mode != "3DSPACE":
        return None
    points = stored_cloud.to_camera_frame(root, np.array([tuple(point.co) for point in strokes[-1].points]))
    if not (points[:, 2] > 0).all():
        return None
    return np.asarray(stored_cloud.intrinsics(root).project(points), np.float64)


class IMAGE_TO_3D_OT_report_plane(OfPhoto, SelectsRegion, bpy.types.Operator):
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
        root = shown_root(context)
        try:
            places = self._places(context, root)
        except ImageTo3DError as error:
            return session.refuse(self, error)
        surface = roles.surface_of(root) if self.by == "VERTICES" and not self.outline else None
        vertices = 0 if surface is None else len(surface.data.vertices)

        def work(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
            region = cells_of_points(places, found.grid, reach_of(vertices, found.grid)) if vertices else places
            add(root, scene, found, region)

        return later(self, context, "Report Plane", work)

    def _places(self, context: bpy.types.Context, root: bpy.types.Object) -> NDArray[np.float64]:
        """A polygon (N, 2) of pixels, or vertices (N, 3) in the camera frame."""
        if self.outline:
            try:
                return np.array([[float(x) for x in pair.split(",")] for pair in self.outline.split()]).reshape(-1, 2)
            except ValueError:
                raise ImageTo3DError(
                    ErrorCode.BAD_REQUEST, "The outline is no list of pixels.", "Write U,V pairs with spaces between."
                ) from None
        places = selected_vertices(root) if self.by == "VERTICES" else annotated(root, context.scene)
        if places is None:
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST,
                "No region is marked.",
                "Select vertices of the surface in Edit Mode, or draw around the region.",
            )
        return places


class IMAGE_TO_3D_OT_refresh_planes(OfPhoto, bpy.types.Operator):
    """Fit all planes of this photo anew, with its points, scale and level as they are now"""

    bl_idname = "image_to_3d.refresh_planes"
    bl_label = "Update Planes"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for the surface and return."""
        return later(self, context, "Update Planes", remeasure)


class IMAGE_TO_3D_OT_remove_plane(OfPhoto, bpy.types.Operator):
    """Take a plane out of the table"""

    bl_idname = "image_to_3d.remove_plane"
    bl_label = "Remove Plane"
    bl_options = {"REGISTER", "UNDO"}

    index: IntProperty(default=-1, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it; −1 removes all."""
        root = shown_root(context)
        inspection: Inspection = root.image_to_3d.inspection
        if self.index < 0:
            inspection.planes.clear()
        elif self.index < len(inspection.planes):
            inspection.planes.remove(self.index)
        heat_map.apply(root)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_export_planes(OfPhoto, bpy.types.Operator, ExportHelper):
    """Save the table of planes for spreadsheets"""

    bl_idname = "image_to_3d.export_planes"
    bl_label = "Export Planes"

    filename_ext = ".csv"
    filter_glob: StringProperty(default="*.csv", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it."""
        table = rows(shown_root(context))
        if not table:
            self.report({"WARNING"}, "There are no planes to save yet.")
            return {"CANCELLED"}
        session.current().failure = None
        try:
            write_plane_table(self.filepath, table)
        except ImageTo3DError as error:
            return session.refuse(self, error)
        return {"FINISHED"}


CLASSES = (
    IMAGE_TO_3D_OT_report_plane,
    IMAGE_TO_3D_OT_refresh_planes,
    IMAGE_TO_3D_OT_remove_plane,
    IMAGE_TO_3D_OT_export_planes,
)
