"""A cloud as the arrays that Blender stores on its points.

Everything that costs time is done here, away from Blender's main thread, so that writing the attributes is a plain copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .axes import points_to_blender, rotations_to_blender
from .gaussians import GaussianCloud
from .lifting import FOOTPRINT_SIGMA

DISPLAY_RADIUS_SIGMAS = 1.0 / FOOTPRINT_SIGMA
"""Radius of a displayed point over the middle standard deviation of its Gaussian: one grid cell of a lifted photo. Blender's
viewports draw points as octahedra, and diamonds cover a square grid only from that radius on."""
EXTENT_SHARE = 0.98
"""Share of the points that the extent covers along each axis: a far window view does not make a room 60 m long."""

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BlenderPoints:
    """N points in the Blender frame, float32, contiguous, lengths in Blender units.

    Attributes:
        positions: (N, 3).
        radii: (N,), for display as spheres.
        colours: (N, 4), linear RGB and 1.
        scales: (N, 3), standard deviations along the Gaussian's own axes.
        rotations: (N, 4), unit quaternions (w, x, y, z).
        opacities: (N,).
        extent_m: size along X, Y, Z of the box around the middle 98 % of the points, metres.
        far: largest distance from the camera along its axis, Blender units; 0 for no points.
        near: smallest such distance.
    """

    positions: Float32
    radii: Float32
    colours: Float32
    scales: Float32
    rotations: Float32
    opacities: Float32
    extent_m: tuple[float, float, float]
    near: float
    far: float

    def __len__(self) -> int:
        return len(self.positions)


def from_cloud(cloud: GaussianCloud, metres_per_unit: float = 1.0) -> BlenderPoints:
    """The Gaussians in the Blender frame.

    Args:
        cloud: in the OpenCV frame, metres.
        metres_per_unit: ``scene.unit_settings.scale_length``; lengths are divided by it, and left bit for bit as they are if
            it is 1.

    Raises:
        ValueError: ``metres_per_unit`` is not positive.
    """
    if not (np.isfinite(metres_per_unit) and metres_per_unit > 0):
        raise ValueError(f"a unit has a positive length, not {metres_per_unit}")
    n = len(cloud)
    positions = points_to_blender(cloud.positions)
    scales = cloud.scales
    extent = _extent(positions)
    if metres_per_unit != 1.0:
        positions = positions / np.float32(metres_per_unit)
        scales = scales / np.float32(metres_per_unit)
    colours = np.ones((n, 4), np.float32)
    colours[:, :3] = cloud.colours
    return BlenderPoints(
        positions=positions,
        radii=np.float32(DISPLAY_RADIUS_SIGMAS) * _middle(scales),
        colours=colours,
        scales=np.ascontiguousarray(scales),
        rotations=np.ascontiguousarray(rotations_to_blender(cloud.rotations)),
        opacities=cloud.opacities,
        extent_m=extent,
        near=float(positions[:, 1].min()) if n else 0.0,
        far=float(positions[:, 1].max()) if n else 0.0,
    )


def _middle(scales: Float32) -> Float32:
    """Median of three, much faster than sorting."""
    a, b, c = scales.T
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def _extent(positions: Float32) -> tuple[float, float, float]:
    n = len(positions)
    if not n:
        return 0.0, 0.0, 0.0
    low = int((1 - EXTENT_SHARE) / 2 * (n - 1))
    parts = [np.partition(positions[:, axis], [low, n - 1 - low]) for axis in range(3)]
    x, y, z = (float(part[n - 1 - low] - part[low]) for part in parts)
    return x, y, z
