"""Regions of a photo: as they were marked, as they are stored, and as cells of the picture grid."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.core.surfaces.inspection import mask_of_runs, polygon_mask
from image_to_3d.core.surfaces.surface import SurfaceGrid

from ...scene import roles
from .. import stored_cloud
from .properties import PlaneEntry

Region = NDArray[np.floating] | NDArray[np.bool_]
"""A polygon (N, 2) of photo pixels, or marked cells (rows, cols) of the grid."""


def entry_region(entry: PlaneEntry, grid: SurfaceGrid) -> Region:
    """The region of a plane as it was marked."""
    if len(entry.outline):
        return np.array([tuple(corner.uv) for corner in entry.outline])
    return mask_of_runs(entry.cells, grid.rows, grid.cols)


def cells_of(entry: PlaneEntry, grid: SurfaceGrid) -> NDArray[np.bool_]:
    """The marked cells (rows, cols) of a plane."""
    region = entry_region(entry, grid)
    if region.dtype == bool:
        return region.astype(bool, copy=False)
    return polygon_mask(region.astype(np.float64, copy=False), grid)


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
