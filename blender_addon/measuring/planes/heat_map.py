"""Deviation of points from the planes that were reported, as attributes of the points and as colours; removed without a trace."""

from __future__ import annotations

import bpy
import numpy as np

from image_to_3d.core import ImageTo3DError
from image_to_3d.core.surfaces.inspection import deviation_colours
from image_to_3d.core.surfaces.planes import signed_distance

from ...runtime.notices import Notices
from ...runtime.objects import of
from ...scene import materials, roles
from ...scene import points as pointcloud
from .. import stored_cloud
from ..scale import scale_of_photo
from . import properties, regions

DEVIATION = "deviation"
"""Distance from the plane in displayed metres, positive towards the camera; 0 for points of no plane."""
NAME = "Image to 3D Deviation"


def apply(root: bpy.types.Object) -> None:
    """Show the deviations of a photo, or its own colours, as its settings say."""
    points = roles.points_of(root)
    if points is None:
        return
    inspection = root.image_to_3d.inspection
    if not inspection.heat_map or not len(inspection.planes):
        _remove(points)
        return
    try:
        _paint(root, points)
    except ImageTo3DError as error:
        of(Notices).fail("planes", error)


def _paint(root: bpy.types.Object, points: bpy.types.Object) -> None:
    stored = stored_cloud.read(root)
    grid = stored.grid()
    scene = next(iter(root.users_scene), bpy.context.scene)
    factor = scale_of_photo(root, scene).factor
    inspection = root.image_to_3d.inspection
    deviation = np.full((grid.rows, grid.cols), np.nan)
    limits = np.ones((grid.rows, grid.cols))
    for entry in inspection.planes:
        region = regions.cells_of(entry, grid)
        distance = factor * signed_distance(grid.points[region], np.array(entry.normal), entry.offset)
        deviation[region] = distance
        limits[region] = inspection.heat_range * scene.unit_settings.scale_length or 3.0 * max(entry.rms_m, 1e-4)
    cells = stored.picture.cells
    front = cells < deviation.size
    values, ends = np.full(len(cells), np.nan), np.ones(len(cells))
    values[front], ends[front] = deviation.ravel()[cells[front]], limits.ravel()[cells[front]]
    known = np.isfinite(values)
    colours = pointcloud.read(points, pointcloud.COLOUR).copy()
    colours[known, :3] = deviation_colours(values[known] / ends[known], 1.0)
    pointcloud.write(points.data, DEVIATION, "FLOAT", np.where(known, values, 0.0).astype(np.float32))
    pointcloud.write(points.data, pointcloud.DEVIATION_COLOUR, "FLOAT_COLOR", colours.astype(np.float32))
    materials.use(points, _material())
    points.data.update_tag()


def _remove(points: bpy.types.Object) -> None:
    found = [name for name in (DEVIATION, pointcloud.DEVIATION_COLOUR) if name in points.data.attributes]
    if not found:
        return
    for name in found:
        points.data.attributes.remove(points.data.attributes[name])
    materials.use(points, materials.points_material())
    points.data.update_tag()


def _material() -> bpy.types.Material:
    return bpy.data.materials.get(NAME) or materials.emission_of(NAME, pointcloud.DEVIATION_COLOUR)


def on_register() -> None:
    """Have the colours follow the settings."""
    properties.heat_map_changed.append(apply)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    properties.heat_map_changed.remove(apply)
