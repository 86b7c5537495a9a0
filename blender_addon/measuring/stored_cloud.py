"""The points of a photo, read back from Blender as the cloud they were made from, and the way between the two frames.

The *camera frame* of a root is the OpenCV frame of its photo in the metres of its engine; the root's transform, which carries
levelling and calibration, leads from there to Blender's world.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.blender import points as blender_points
from image_to_3d.core import ErrorCode, GaussianCloud, Grid, ImageTo3DError, Intrinsics, Provenance
from image_to_3d.core.cameras.axes import points_to_blender, points_to_opencv
from image_to_3d.core.surfaces.surface import SurfaceGrid

from ..scene import points as pointcloud
from ..scene import roles

Float64 = NDArray[np.float64]

_IDENTITY = blender_points.Similarity(1.0, np.eye(3), np.zeros(3))


@dataclass(frozen=True, eq=False)
class StoredPoints:
    """Copies of the attributes of a photo's points: made on the main thread, worked with on any.

    Attributes:
        columns: attributes by name, as :func:`..scene.pointcloud.read` gives them, Blender units.
        picture: what the points were made from.
        metres_per_unit: of the scene when they were made.
    """

    columns: dict[str, NDArray[Any]]
    picture: blender_points.Picture
    metres_per_unit: float

    def grid(self) -> SurfaceGrid:
        """The visible surface, OpenCV frame, metres of the engine."""
        size = self.picture.grid
        depth = np.full(size.cells, np.nan)
        depth[self.picture.cells] = self.columns["position"][:, 1].astype(np.float64) * self.metres_per_unit
        return SurfaceGrid(depth.reshape(size.layers, size.rows, size.cols)[0], self.picture.intrinsics)

    def cloud(self) -> GaussianCloud:
        """The Gaussians, OpenCV frame, metres of the engine. Needs :func:`read` with ``everything``."""
        return blender_points.to_cloud(
            self.columns["position"],
            self.columns["scale"],
            self.columns["rotation"],
            self.columns[pointcloud.COLOUR],
            self.columns["opacity"],
            _IDENTITY,
            self.metres_per_unit,
            self.picture,
        )


def read(root: bpy.types.Object, everything: bool = False) -> StoredPoints:
    """Take the points below a root.

    Args:
        root: of a photo.
        everything: all attributes of the Gaussians, rather than only their positions.

    Raises:
        ImageTo3DError: ``bad_request`` where the points are gone, or no picture grid is known.
    """
    points = roles.points_of(root)
    if points is None:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.points_deleted", root_name=root.name)
    if not measurable(root) or pointcloud.CELL not in points.data.attributes:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.photo_without_grid", root_name=root.name)
    names = ["position", "scale", "rotation", pointcloud.COLOUR, "opacity"] if everything else ["position"]
    columns = {name: pointcloud.read(points, name) for name in names}
    return StoredPoints(columns, picture_of(root, points), root.image_to_3d.outcome.metres_per_unit)


def picture_of(root: bpy.types.Object, points: bpy.types.Object) -> blender_points.Picture:
    """What the points of a :func:`measurable` root were made from. They carry their cells."""
    outcome = root.image_to_3d.outcome
    layers = list(range(*outcome.invented_layers))
    came = told(root).provenance()
    details = {**came.details, "invented_layers": layers} if layers else came.details
    return blender_points.Picture(
        pointcloud.read(points, pointcloud.CELL), Grid(*outcome.grid), intrinsics(root), replace(came, details=details)
    )


class Told(NamedTuple):
    """What a root was told of where its depth comes from; the last two are JSON, or empty."""

    engine: str
    metric: bool
    focal_source: str
    depth_error: str
    camera_lines: str

    def provenance(self) -> Provenance:
        stored = {"depth_error": self.depth_error, "camera_lines": self.camera_lines}
        details = {name: json.loads(text) for name, text in stored.items() if text}
        return Provenance(self.engine, self.metric, self.focal_source or None, details=details)


def told(root: bpy.types.Object) -> Told:
    """Of a :func:`measurable` root."""
    outcome = root.image_to_3d.outcome
    return Told(outcome.engine, outcome.metric, outcome.focal_source, outcome.depth_error, outcome.camera_lines)


def measurable(root: bpy.types.Object) -> bool:
    """Whether a root knows its picture grid and its camera."""
    outcome = root.image_to_3d.outcome
    return min(outcome.grid) > 0 and outcome.intrinsics[0] > 0


def intrinsics(root: bpy.types.Object) -> Intrinsics:
    """Of the photo of a :func:`measurable` root."""
    outcome = root.image_to_3d.outcome
    return Intrinsics(*outcome.intrinsics, *outcome.size)


def world_scale(root: bpy.types.Object, scene: bpy.types.Scene) -> float:
    """What Blender displays as metres, per metre of the engine.

    Raises:
        ImageTo3DError: ``bad_request`` if the root is stretched unevenly, sheared or mirrored.
    """
    similarity = blender_points.similarity(np.array(root.matrix_world))
    return similarity.scale * scene.unit_settings.scale_length / root.image_to_3d.outcome.metres_per_unit


def to_camera_frame(root: bpy.types.Object, points: Any) -> Float64:
    """World coordinates (..., 3), Blender units → camera frame, metres of the engine."""
    matrix = np.array(root.matrix_world.inverted_safe(), np.float64)
    local = np.asarray(points, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    return np.asarray(points_to_opencv(local * root.image_to_3d.outcome.metres_per_unit), np.float64)


def to_world(root: bpy.types.Object, points: Any) -> Float64:
    """Inverse of :func:`to_camera_frame`."""
    matrix = np.array(root.matrix_world, np.float64)
    local = points_to_blender(np.asarray(points, np.float64)) / root.image_to_3d.outcome.metres_per_unit
    return np.asarray(local @ matrix[:3, :3].T + matrix[:3, 3], np.float64)


def direction_to_camera_frame(root: bpy.types.Object, direction: Any) -> Float64:
    """A direction (3,) of the world → a unit vector (3,) of the camera frame."""
    linear = np.array(root.matrix_world, np.float64)[:3, :3]
    turned = points_to_opencv(np.linalg.solve(linear, np.asarray(direction, np.float64)))
    return np.asarray(turned / np.linalg.norm(turned), np.float64)
