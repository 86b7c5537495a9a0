"""A cloud as the arrays that Blender stores on its points.

Everything that costs time is done here, away from Blender's main thread, so that writing the attributes is a plain copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.cameras.axes import points_to_blender, points_to_opencv, rotations_to_blender, rotations_to_opencv
from ..core.cameras.intrinsics import Intrinsics
from ..core.cloud.background_fill import invented
from ..core.cloud.gaussians import GaussianCloud, Grid, Provenance
from ..core.cloud.lifting import FOOTPRINT_SIGMA
from ..core.cloud.quaternion import from_matrix, multiply, normalise
from ..core.errors import ErrorCode, ImageTo3DError

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
        extent_m: size along X, Y, Z of the box around the middle 98 % of the points that the photo shows, metres.
        far: largest distance from the camera along its axis, Blender units; 0 for no points.
        near: smallest such distance.
        cells: (N,) int32, cell of the picture grid of each point; None for clouds without one.
        invented: (N,) True for what no photo shows (:mod:`..core.cloud.background_fill`); None where there is none of that.
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
    cells: NDArray[np.int32] | None = None
    invented: NDArray[np.bool_] | None = None

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
    hidden = invented(cloud)
    positions = points_to_blender(cloud.positions)
    scales = cloud.scales
    extent = _extent(positions[~hidden])
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
        cells=None if cloud.grid is None else cloud.cells(),
        invented=hidden if hidden.any() else None,
    )


@dataclass(frozen=True, eq=False)
class Picture:
    """What N points were made from.

    Attributes:
        cells: (N,) int32, cell of the grid of each point.
        grid: of the picture.
        intrinsics: of the photo.
        provenance: of the cloud.
    """

    cells: NDArray[np.int32]
    grid: Grid
    intrinsics: Intrinsics
    provenance: Provenance

    def of(self, keep: NDArray[np.intp]) -> dict[str, Any]:
        """Keyword arguments of a :class:`GaussianCloud` of some points, given in the order of their cells."""
        return {
            "grid": self.grid,
            "grid_index": self.cells[keep],
            "intrinsics": self.intrinsics,
            "provenance": self.provenance,
        }


_SIMILARITY_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Similarity:
    """x ↦ scale · R x + translation.

    Attributes:
        scale: > 0.
        rotation: (3, 3), R.
        translation: (3,).
    """

    scale: float
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


def similarity(matrix: NDArray[np.floating]) -> Similarity:
    """Take a (4, 4) matrix apart.

    Raises:
        ImageTo3DError: ``bad_request`` if it stretches unevenly, shears, mirrors or flattens: no Gaussian stays one with its
            colours in place under the last two, and nobody means the first two.
    """
    linear = np.asarray(matrix, np.float64)[:3, :3]
    det = float(np.linalg.det(linear))
    scale = abs(det) ** (1 / 3)
    if det <= 0 or np.abs(linear @ linear.T - scale**2 * np.eye(3)).max() > _SIMILARITY_TOLERANCE * scale**2:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.transform_no_similarity")
    return Similarity(scale, linear / scale, np.asarray(matrix, np.float64)[:3, 3])


def to_cloud(
    positions: Float32,
    scales: Float32,
    rotations: Float32,
    colours: Float32,
    opacities: Float32,
    transform: Similarity,
    metres_per_unit: float = 1.0,
    picture: Picture | None = None,
) -> GaussianCloud:
    """Inverse of :func:`from_cloud`, after a transform; points that were edited into nonsense (NaN) are left out.

    Args:
        positions, scales, rotations, opacities: as in :class:`BlenderPoints`.
        colours: (N, 4).
        transform: in the Blender frame, in Blender units.
        metres_per_unit: ``scene.unit_settings.scale_length``.
        picture: what the points were made from; used where the transform leaves them before their camera. Of several points in
            one cell the first stays.

    Returns:
        In the OpenCV frame, metres; without a picture grid or intrinsics if ``picture`` is None.
    """
    moved = transform.scale * (positions.astype(np.float64) @ transform.rotation.T) + transform.translation
    turned = multiply(from_matrix(transform.rotation), normalise(rotations.astype(np.float64)))
    finite = np.isfinite(moved).all(1) & np.isfinite(scales).all(1) & np.isfinite(turned).all(1)
    finite &= np.isfinite(colours).all(1) & np.isfinite(opacities)
    keep = np.flatnonzero(finite)
    if picture is not None:
        keep = keep[np.unique(picture.cells[keep], return_index=True)[1]]
    return GaussianCloud(
        positions=points_to_opencv(moved[keep] * metres_per_unit),
        scales=(np.abs(scales[keep]) * (transform.scale * metres_per_unit)).astype(np.float32),
        rotations=normalise(rotations_to_opencv(turned[keep])),
        colours=colours[keep, :3],
        opacities=np.clip(opacities[keep], 0, 1),
        **({"provenance": Provenance("blender")} if picture is None else picture.of(keep)),
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
