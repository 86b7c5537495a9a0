"""The two frames of the project and the way between them.

OpenCV frame: x right, y down, z forward. Blender frame: (X, Y, Z) = (x, z, −y), so the photo's camera sits at the origin,
looks along +Y and has +Z up. Both are right-handed and in metres; the change is a rotation by −90° about x.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cloud import quaternion

Array = NDArray[np.floating]

BLENDER_FROM_OPENCV: NDArray[np.float64] = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Rotation matrix R with X_blender = R @ X_opencv."""

BLENDER_CAMERA_FROM_OPENCV_CAMERA: NDArray[np.float64] = np.diag([1.0, -1.0, -1.0])
"""A Blender camera looks along its own −Z with +Y up; an OpenCV camera along +z with y down."""

_QUATERNION = np.array([np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0])


def points_to_blender(points: Array) -> Array:
    """Points or vectors (..., 3), OpenCV frame → Blender frame. Exact: components are only moved and negated."""
    out = np.empty_like(points)
    out[..., 0] = points[..., 0]
    out[..., 1] = points[..., 2]
    np.negative(points[..., 1], out=out[..., 2])
    return out


def points_to_opencv(points: Array) -> Array:
    """Points or vectors (..., 3), Blender frame → OpenCV frame. Inverse of :func:`points_to_blender`."""
    out = np.empty_like(points)
    out[..., 0] = points[..., 0]
    np.negative(points[..., 2], out=out[..., 1])
    out[..., 2] = points[..., 1]
    return out


def rotations_to_blender(quats: Array) -> Array:
    """Orientations (..., 4) of Gaussians, OpenCV frame → Blender frame; their own axes and scales stay as they are."""
    return quaternion.multiply(_QUATERNION.astype(quats.dtype), quats)


def rotations_to_opencv(quats: Array) -> Array:
    """Orientations (..., 4) of Gaussians, Blender frame → OpenCV frame."""
    conjugate = _QUATERNION * np.array([1.0, -1.0, -1.0, -1.0])
    return quaternion.multiply(conjugate.astype(quats.dtype), quats)


def camera_to_world_blender(world_to_camera: Array) -> Array:
    """Blender camera object matrix (4, 4) for an OpenCV world-to-camera matrix (4, 4) of a scene in the OpenCV frame."""
    camera_to_world = np.linalg.inv(np.asarray(world_to_camera, np.float64))
    out = np.eye(4)
    out[:3, :3] = BLENDER_FROM_OPENCV @ camera_to_world[:3, :3] @ BLENDER_CAMERA_FROM_OPENCV_CAMERA
    out[:3, 3] = BLENDER_FROM_OPENCV @ camera_to_world[:3, 3]
    return out


def world_to_camera_opencv(camera_matrix_world: Array) -> Array:
    """OpenCV world-to-camera matrix (4, 4) of a Blender camera object's ``matrix_world`` (4, 4), scale removed."""
    m = np.asarray(camera_matrix_world, np.float64)
    rotation = m[:3, :3] / np.linalg.norm(m[:3, :3], axis=0)
    camera_to_world = np.eye(4)
    camera_to_world[:3, :3] = BLENDER_FROM_OPENCV.T @ rotation @ BLENDER_CAMERA_FROM_OPENCV_CAMERA
    camera_to_world[:3, 3] = BLENDER_FROM_OPENCV.T @ m[:3, 3]
    return np.linalg.inv(camera_to_world)


def matrix_to_opencv(matrix: Array, metres_per_unit: float = 1.0) -> NDArray[np.float64]:
    """An affine map (4, 4) of Blender's frame as the same map in the OpenCV frame, its result in metres.

    Args:
        matrix: Blender frame → Blender frame, e.g. ``Object.matrix_world``.
        metres_per_unit: ``scene.unit_settings.scale_length``: what comes out of the map is multiplied by it, so that data that
            count Blender units are taken to metres.
    """
    m = np.asarray(matrix, np.float64)
    out = np.eye(4)
    out[:3, :3] = metres_per_unit * (BLENDER_FROM_OPENCV.T @ m[:3, :3] @ BLENDER_FROM_OPENCV)
    out[:3, 3] = metres_per_unit * (BLENDER_FROM_OPENCV.T @ m[:3, 3])
    return out
