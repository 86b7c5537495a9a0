"""The laser measure: click a surface, get the clear distances from there to what stands opposite."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.lengths.measuring import point_near
from image_to_3d.core.surfaces import levelling
from image_to_3d.core.surfaces.room import LaserHit, laser, laser_along_axes

from .. import analysis, stored_cloud
from ..analysis import Analysis
from ..scale import ENDS_ALONE, scale_of_photo
from . import dimension_objects
from .dimension_objects import Dimension

_SAME_WAY = 0.995  # cosine of 6°


def shoot(
    root: bpy.types.Object,
    scene: bpy.types.Scene,
    found: Analysis,
    place: NDArray[np.floating],
    directions: str = "BOTH",
    keep: bool = False,
) -> list[bpy.types.Object]:
    """Show the clear distances from a place of the surface.

    Args:
        root: of the photo.
        scene: for the units.
        found: of the photo.
        place: (3,) of the world, Blender units, on the surface.
        directions: ``NORMAL``, along the surface's normal; ``AXES``, along the axes of the levelled room; or ``BOTH``.
        keep: keep what an earlier laser showed.

    Raises:
        ImageTo3DError: ``bad_request`` off the surface, if nothing is met, or if nobody knows what is level and only axes were
            asked for.
    """
    start = point_near(found.grid, stored_cloud.to_camera_frame(root, place))
    hits: dict[str, LaserHit | None] = {}
    ways = {"normal": start.normal}
    if directions != "AXES":
        hits["normal"] = laser(found.grid, start, ENDS_ALONE, None, found.planes)
    if directions != "NORMAL":
        rotation = _axes_of(root, found, required=directions == "AXES")
        if rotation is not None:
            right, down, forward = rotation
            ways |= {"left": -right, "right": right, "up": -down, "down": down, "forward": forward, "back": -forward}
            axes = laser_along_axes(found.grid, start, ENDS_ALONE, rotation, found.planes)
            # Where the axis that points away from the surface is its normal, one line is enough.
            hits |= {
                name: hit
                for name, hit in axes.items()
                if "normal" not in hits or float(ways[name] @ start.normal) < _SAME_WAY
            }
    met = {name: hit for name, hit in hits.items() if hit is not None}
    if not met:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.laser_meets_nothing")
    earlier = [o for o in dimension_objects.of(root) if o.image_to_3d.dimension.kind == "LASER"]
    rank = max((o.image_to_3d.dimension.rank for o in earlier), default=-1) + 1 if keep else 0
    scale = scale_of_photo(root, scene)
    made = []
    for name, hit in met.items():
        ends = np.stack([start.position, start.position + hit.distance.metres * ways[name]])
        dimension = Dimension(
            "LASER",
            ends,
            hit.distance.sd,
            rank,
            name,
            hidden=hit.hidden,
            extended=hit.extended,
        )
        made.append(dimension_objects.put(root, scene, dimension, scale))
    if not keep:
        for obj in earlier:
            if obj not in made:
                dimension_objects.remove(obj)
    return made


def _axes_of(root: bpy.types.Object, found: Analysis, required: bool) -> NDArray[np.float64] | None:
    """Rotation (3, 3), camera frame → right, down and forward of the levelled room.

    Of a levelled root the axes are those of Blender's world; else gravity as the picture tells, and the camera's own heading.

    Raises:
        ImageTo3DError: ``bad_request`` with the reason if ``required`` and the picture does not tell. Otherwise None then.
    """
    if root.image_to_3d.levelling.levelled:
        world = np.eye(3)  # rows: right, forward, up
        right, forward, up = (stored_cloud.direction_to_camera_frame(root, axis) for axis in world)
        return np.stack([right, -up, forward])
    try:
        return levelling.levelled_axes(analysis.gravity_of(root, found).up)
    except ImageTo3DError:
        if required:
            raise
        return None
