"""Photo + metric depth → Gaussians: every pixel becomes one flat Gaussian on the surface it shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cameras.intrinsics import Intrinsics
from ..depth import depth_maps
from ..imaging.colour import srgb8_to_linear
from . import quaternion
from .gaussians import GaussianCloud, Grid, Provenance

MAX_GAUSSIANS = 1_200_000
FOOTPRINT_SIGMA = 0.6
"""Standard deviation of a Gaussian seen from the photo's camera, in grid cells.

A compromise: at 0.5 the photo comes back sharper from its own camera (42 dB instead of 35 on the sample room), but from any other
camera a tenth of the background shines through the surfaces; at 0.6 it is a thirtieth.
"""
THICKNESS = 0.1
"""Standard deviation along the surface normal, as a fraction of the smaller one on the surface."""
MAX_STRETCH = 16.0
"""Longest footprint on a surface seen at a grazing angle, as a multiple of the one seen head-on."""
OPACITY = 0.99


def grid_size(width: int, height: int, max_cells: int) -> tuple[int, int]:
    """(rows, cols) of the finest grid with square cells, at most the photo's resolution and at most ``max_cells``."""
    if width * height <= max_cells:
        return height, width
    shrink = np.sqrt(max_cells / (width * height))
    rows = max(1, min(int(height * shrink), max_cells))
    return rows, max(1, min(int(width * shrink), max_cells // rows))


def average_colours(pixels: NDArray[np.uint8], rows: int, cols: int) -> NDArray[np.float32]:
    """Linear colours (rows, cols, 3) of the cells of a grid no finer than the photo: means over their pixels."""
    height, width = pixels.shape[:2]
    if (height, width) == (rows, cols):
        return srgb8_to_linear(pixels)
    row_edges = np.arange(rows + 1) * height // rows
    col_edges = np.arange(cols + 1) * width // cols
    out = np.empty((rows, cols, 3), np.float32)
    for start in range(0, rows, 64):  # bands keep the float copy of a large photo small
        stop = min(rows, start + 64)
        band = srgb8_to_linear(pixels[row_edges[start] : row_edges[stop]])
        sums = np.add.reduceat(band, row_edges[start:stop] - row_edges[start], axis=0)
        sums = np.add.reduceat(sums, col_edges[:-1], axis=1)
        counts = np.diff(row_edges[start : stop + 1])[:, None] * np.diff(col_edges)[None, :]
        out[start:stop] = sums / counts[..., None]
    return out


def lift(
    pixels: NDArray[np.uint8],
    depth: NDArray[np.floating],
    intrinsics: Intrinsics,
    max_gaussians: int = MAX_GAUSSIANS,
    provenance: Provenance | None = None,
) -> GaussianCloud:
    """One Gaussian per known cell: as large as the cell at that depth, flattened along the surface normal.

    The footprint is exact to first order: the covariance is J σ² Jᵀ with J the derivative of the surface point by the pixel
    on the local plane, so that the Gaussian projects to a circle of σ = 0.6 cells in the photo. Where depth is unknown there
    is no Gaussian; where no plane is supported (thin things, isolated pixels) it faces the camera, so nothing is stretched
    across a depth edge.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        depth: (h, w) planar depth in metres of the same view; NaN, 0 or infinite = unknown.
        intrinsics: of the photo.
        max_gaussians: finer photos are resampled to a grid of at most so many cells.
        provenance: recorded in the cloud.

    Raises:
        ValueError: no depth is known.
    """
    height, width = pixels.shape[:2]
    rows, cols = grid_size(width, height, max_gaussians)
    w = depth_maps.resample_inverse_depth(depth_maps.inverse_depth(depth), rows, cols)
    known = np.isfinite(w)
    if not known.any():
        raise ValueError("the depth map holds no known depth")
    local = depth_maps.fit_local_planes(w)
    du, dv = np.moveaxis(np.where(local.supported[..., None], local.gradient, 0.0), -1, 0)
    index = np.flatnonzero(known).astype(np.int32)
    ray_x, ray_y = intrinsics.pixel_rays(rows, cols)
    rays = np.stack([ray_x[index % cols], ray_y[index // cols], np.ones(len(index))], axis=-1)
    z = 1.0 / w.ravel()[index]
    step = (intrinsics.width / cols / intrinsics.fx, intrinsics.height / rows / intrinsics.fy)
    scales, rotations = footprints(rays, z, du.ravel()[index], dv.ravel()[index], step)
    return GaussianCloud(
        positions=(rays * z[:, None]).astype(np.float32),
        scales=scales,
        rotations=rotations,
        colours=average_colours(pixels, rows, cols).reshape(-1, 3)[index],
        opacities=np.full(len(index), OPACITY, np.float32),
        intrinsics=intrinsics,
        grid=Grid(1, rows, cols),
        grid_index=None if len(index) == rows * cols else index,
        provenance=provenance or Provenance("depth-map"),
    )


def footprints(
    rays: NDArray[np.float64],
    z: NDArray[np.float64],
    du: NDArray[np.float64],
    dv: NDArray[np.float64],
    step: tuple[float, float],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scales (N, 3), descending, and rotations (N, 4) of flat Gaussians on local planes.

    Args:
        rays: (N, 3), r with z component 1.
        z: (N,) depth, metres.
        du, dv: (N,) change of inverse depth to the next column and row.
        step: change of r's x to the next column and of its y to the next row.
    """
    # P = z r and z = 1/w, hence ∂P/∂col = z ∂r/∂col − z² ∂w/∂col r, and the same for rows.
    tangent_u = -(z * z * du)[:, None] * rays
    tangent_u[:, 0] += z * step[0]
    tangent_v = -(z * z * dv)[:, None] * rays
    tangent_v[:, 1] += z * step[1]
    normal = np.cross(tangent_u, tangent_v)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)

    # Principal axes of σ² (tu tuᵀ + tv tvᵀ) within the plane: in the basis (e1, e2) with e1 along tu this is a 2×2 problem.
    e1 = tangent_u / np.linalg.norm(tangent_u, axis=1, keepdims=True)
    e2 = np.cross(normal, e1)
    a = np.einsum("ij,ij->i", tangent_u, e1)
    b = np.einsum("ij,ij->i", tangent_v, e1)
    c = np.einsum("ij,ij->i", tangent_v, e2)
    xx, xy, yy = a * a + b * b, b * c, c * c
    mean, half = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    major = FOOTPRINT_SIGMA * np.sqrt(mean + half)
    minor = FOOTPRINT_SIGMA * np.sqrt(np.maximum(mean - half, 0))
    head_on = FOOTPRINT_SIGMA * z * max(step)
    scales = np.stack([np.minimum(major, MAX_STRETCH * head_on), minor, THICKNESS * minor], axis=-1)

    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    axis_1, axis_2 = cos * e1 + sin * e2, cos * e2 - sin * e1
    rotations = quaternion.from_matrix(np.stack([axis_1, axis_2, normal], axis=-1))
    return scales.astype(np.float32), rotations.astype(np.float32)
