"""The room's dimensions at one click, single lengths between two places, and keeping all of them up to date."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.lengths.anchors import Anchor, anchor
from image_to_3d.core.lengths.measuring import common_normal, distance, point_near
from image_to_3d.core.surfaces.levelling import Gravity
from image_to_3d.core.surfaces.room import RoomReport, main_walls, room_report

from ...runtime.notices import Notices
from ...runtime.objects import of
from .. import analysis, anchors, stored_cloud
from ..analysis import Analysis
from ..scale import ENDS_ALONE, scale_of_photo
from . import dimension_objects
from .dimension_objects import Dimension

ROOM = frozenset(["HEIGHT", "DISTANCE", "WIDTH", "WALL_HEIGHT"])
_MOST_WALLS = 4


def refresh(root: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Write the lengths of all dimensions of a photo anew: after calibration, levelling or with other units. Cheap.

    Raises:
        ImageTo3DError: ``bad_request`` if the root is stretched unevenly.
    """
    found = [obj for obj in dimension_objects.of(root) if dimension_objects.whole(obj)]
    if not found:
        return
    scale = scale_of_photo(root, scene)
    for obj in found:
        dimension_objects.label(obj, root, scene, scale)


def remeasure(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
    """Measure all dimensions of a photo anew whose points have changed: made anew, or shifted by a calibration.

    Those of the room are found again, single lengths by their anchors; a laser and what cannot be found stay where they are.

    Raises:
        ImageTo3DError: ``bad_request`` if the root is stretched unevenly.
    """
    if any(obj.image_to_3d.dimension.kind in ROOM for obj in dimension_objects.of(root)):
        try:
            measure_room(root, scene, found)
        except ImageTo3DError as error:
            of(Notices).fail("dimensions", error)
    scale = scale_of_photo(root, scene)
    for obj in list(dimension_objects.of(root)):
        stored = obj.image_to_3d.dimension
        if stored.kind != "LENGTH" or not dimension_objects.whole(obj):
            continue
        if dimension_objects.moved(obj):
            places = np.array([root.matrix_world @ Vector(end) for end in dimension_objects.ends(obj)])
            measure_length(root, scene, found, places, stored.rank)
            continue
        if not stored.anchored:
            continue
        kept = tuple(anchors.get_anchor(end) for end in (stored.start, stored.end))
        try:
            a, b = (place.on(found.grid) for place in kept)
        except ImageTo3DError:
            continue
        ends = np.stack([a.position, b.position])
        facing = common_normal(a.normal, b.normal, ends)
        dimension = Dimension("LENGTH", ends, distance(a, b)[1], stored.rank, facing=facing, anchors=kept)
        dimension_objects.put(root, scene, dimension, scale)
    refresh(root, scene)


def measure_room(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> list[bpy.types.Object]:
    """Show height, distances between facing walls and visible extents of the walls; what was shown before is updated.

    Raises:
        ImageTo3DError: ``bad_request`` if the picture tells no floor, or nothing that could be measured.
    """
    gravity = analysis.gravity_of(root, found)
    if gravity.floor is None and not root.image_to_3d.levelling.levelled:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.room_without_floor")
    lengths = room_dimensions(room_report(found.grid, gravity, ENDS_ALONE), gravity)
    if not lengths:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.room_without_walls")
    scale = scale_of_photo(root, scene)
    made = [dimension_objects.put(root, scene, length, scale) for length in lengths]
    for obj in list(dimension_objects.of(root)):
        if obj.image_to_3d.dimension.kind in ROOM and obj not in made:
            dimension_objects.remove(obj)
    return made


def room_dimensions(report: RoomReport, gravity: Gravity) -> list[Dimension]:
    """What of a report is shown: height, distances, and the extents of the walls that matter in the picture."""
    shown = []
    if report.height is not None and report.height_ends is not None:
        shown.append(Dimension("HEIGHT", report.height_ends, report.height.sd))
    for rank, wall in enumerate(report.distances[:_MOST_WALLS]):
        shown.append(Dimension("DISTANCE", wall.ends, wall.distance.sd, rank))
    for rank, extent in enumerate(main_walls(report, gravity)[:_MOST_WALLS]):
        facing = gravity.planes[extent.wall].normal
        shown.append(Dimension("WIDTH", extent.width_ends, extent.width.sd, rank, facing=facing, at_least=True))
        shown.append(Dimension("WALL_HEIGHT", extent.height_ends, extent.height.sd, rank, facing=facing, at_least=True))
    return shown


def measure_length(
    root: bpy.types.Object,
    scene: bpy.types.Scene,
    found: Analysis,
    places: NDArray[np.floating],
    rank: int | None = None,
) -> bpy.types.Object:
    """Show the length between two places (2, 3) of the world, Blender units, in place of that of a rank, or as another one.

    Places on the surface are remembered by what the photo shows there; others, such as those of an empty in the air, count as
    exactly where they are.

    Raises:
        ImageTo3DError: ``bad_request`` if they are the same place, or the root is stretched unevenly.
    """
    ends = stored_cloud.to_camera_frame(root, places)
    if not float(np.linalg.norm(ends[1] - ends[0])) > 1e-6:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.length_without_extent")
    kept: tuple[Anchor, ...] = ()
    facing, sd = None, 0.0
    try:
        a, b = (point_near(found.grid, end) for end in ends)
        kept = (anchor(found.grid, ends[0]), anchor(found.grid, ends[1]))
        sd = distance(a, b)[1]
        facing = common_normal(a.normal, b.normal, ends)
    except ImageTo3DError:
        pass  # not both on the surface
    if rank is None:
        stored = (obj.image_to_3d.dimension for obj in dimension_objects.of(root))
        rank = max((d.rank for d in stored if d.kind == "LENGTH"), default=-1) + 1
    dimension = Dimension("LENGTH", ends, sd, rank, facing=facing, anchors=kept)
    return dimension_objects.put(root, scene, dimension, scale_of_photo(root, scene))
