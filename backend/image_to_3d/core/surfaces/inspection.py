"""Plane reports for inspections: tilt, azimuth, area and flatness of a surface marked in the photo."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..depth.colourmaps import apply_colour_map
from ..errors import ErrorCode, ImageTo3DError
from ..imaging.colour import srgb8_to_linear
from ..lengths.calibration import Scale
from ..lengths.measuring import CONFIDENCE_95
from .levelling import levelled_axes, looks_straight
from .planes import Plane, angle_between, fit_plane
from .surface import Array, Float64, Mask, SurfaceGrid


@dataclass(frozen=True, eq=False)
class PlaneReport:
    """A plane fitted to a region of the photo.

    Attributes:
        plane: in the camera frame, metres of the engine.
        tilt_deg: angle from horizontal, 0 for a floor, 90 for a wall, 180 for a ceiling; None if gravity is unknown.
        tilt_interval_deg: 95 % interval of the tilt.
        azimuth_deg: compass direction the surface faces, clockwise from north, 0 … 360; None if north or gravity is unknown
            or the surface is level.
        area_m2: of the marked outline on the plane, or of the cells on it where cells were marked; scale applied.
        rms_m: deviation of its points from the plane, scale applied.
        deviation_m: (rows, cols) signed distance from the plane, positive towards the camera, NaN outside the region.
    """

    plane: Plane
    tilt_deg: float | None
    tilt_interval_deg: tuple[float, float] | None
    azimuth_deg: float | None
    area_m2: float
    rms_m: float
    deviation_m: Float64


def polygon_mask(polygon: Array, grid: SurfaceGrid) -> Mask:
    """Cells (rows, cols) whose centres lie inside a polygon (N, 2) of photo pixels, by the even-odd rule."""
    k = grid.intrinsics
    corners = np.asarray(polygon, np.float64)
    u = (np.arange(grid.cols) + 0.5) * k.width / grid.cols
    v = (np.arange(grid.rows) + 0.5) * k.height / grid.rows
    inside = np.zeros((grid.rows, grid.cols), bool)
    for (u0, v0), (u1, v1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if v0 == v1:
            continue
        crosses = (v0 > v) != (v1 > v)
        at = u0 + (v - v0) * (u1 - u0) / (v1 - v0)
        inside ^= crosses[:, None] & (u[None, :] < at[:, None])
    return inside


def runs_of_mask(mask: Mask) -> str:
    """Marked cells as text, "rows columns: start length start length …" of flat cells."""
    rows, cols = mask.shape
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask.ravel(), [False]]).astype(np.int8)))
    numbers = (f"{start} {end - start}" for start, end in edges.reshape(-1, 2))
    return f"{rows} {cols}: {' '.join(numbers)}"


def mask_of_runs(text: str, rows: int, cols: int) -> Mask:
    """Inverse of :func:`runs_of_mask`, for a grid (rows, cols) that may be finer or coarser.

    Raises:
        ValueError: the text is none of :func:`runs_of_mask`.
    """
    size, _, numbers = text.partition(":")
    own_rows, own_cols = (int(n) for n in size.split())
    mask = np.zeros(own_rows * own_cols, bool)
    for start, length in np.array(numbers.split(), np.int64).reshape(-1, 2):
        mask[start : start + length] = True
    row = ((np.arange(rows) + 0.5) * own_rows / rows).astype(np.int64)
    col = ((np.arange(cols) + 0.5) * own_cols / cols).astype(np.int64)
    return np.asarray(mask.reshape(own_rows, own_cols)[np.ix_(row, col)])


def deviation_colours(deviation_m: Array, limit_m: float) -> NDArray[np.float32]:
    """Linear RGB (..., 3) of distances from a plane (...): blue behind it, green on it, red in front, both ends at ± limit."""
    position = 0.5 + 0.5 * np.asarray(deviation_m, np.float64) / max(limit_m, 1e-9)
    return srgb8_to_linear(apply_colour_map(position, "turbo"))


def azimuth(normal: Array, up: Array, heading_deg: float) -> float | None:
    """Compass direction that a surface faces, degrees clockwise from north, None for a level one.

    Args:
        normal: (3,) of the surface, camera frame.
        up: (3,) against gravity, camera frame.
        heading_deg: compass direction of the camera's view, clockwise from north (EXIF GPSImgDirection).
    """
    level = np.asarray(normal, np.float64) - float(normal @ up) * up
    if np.linalg.norm(level) < 0.01 or looks_straight(up):
        return None
    right, _, forward = levelled_axes(up)
    return (heading_deg + float(np.degrees(np.arctan2(level @ right, level @ forward)))) % 360.0


def box_polygon(corner: Array, opposite: Array) -> Float64:
    """The corners (4, 2) of the rectangle of the photo with two opposite corners (2,), pixels."""
    (u0, v0), (u1, v1) = np.asarray(corner, np.float64), np.asarray(opposite, np.float64)
    return np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1]])


def cells_of_points(points: Array, grid: SurfaceGrid, reach: int = 0) -> Mask:
    """Cells (rows, cols) of the grid in which points lie.

    Args:
        points: (N, 3) camera frame, metres of the engine; those behind the camera or outside the picture are left out.
        grid: the surface.
        reach: how many cells around each point are taken as well, for points coarser than the grid.
    """
    mask = np.zeros((grid.rows, grid.cols), bool)
    p = np.asarray(points, np.float64).reshape(-1, 3)
    p = p[np.isfinite(p).all(axis=1) & (p[:, 2] > 0)]
    k = grid.intrinsics
    cell = np.floor(k.project(p) * (grid.cols / k.width, grid.rows / k.height))
    cell = cell[((cell >= 0) & (cell < (grid.cols, grid.rows))).all(axis=1)].astype(np.int64)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            mask[np.clip(cell[:, 1] + dy, 0, grid.rows - 1), np.clip(cell[:, 0] + dx, 0, grid.cols - 1)] = True
    return mask


def reach_of(vertices: int, grid: SurfaceGrid) -> int:
    """How many cells of a grid lie between neighbours of a mesh with so many vertices made from it: half of it, rounded up."""
    known = max(1, int(np.count_nonzero(np.isfinite(grid.depth))))
    return int(np.ceil(np.sqrt(known / max(1, vertices)))) // 2


def report_plane(
    grid: SurfaceGrid,
    polygon: Array,
    scale: Scale,
    up: Array | None = None,
    up_sd_deg: float = 0.0,
    heading_deg: float | None = None,
) -> PlaneReport:
    """Fit a plane to a polygon of the photo and report it.

    Args:
        grid: the surface.
        polygon: (N, 2) pixels of the photo, N ≥ 3.
        scale: of the engine or calibrated.
        up: (3,) against gravity, camera frame; None if unknown.
        up_sd_deg: its standard deviation.
        heading_deg: compass direction of the camera's view; None if unknown.

    Raises:
        ImageTo3DError: ``bad_request`` for fewer than three corners, or where no plane can be fitted.
    """
    corners = np.asarray(polygon, np.float64)
    if corners.ndim != 2 or corners.shape[0] < 3 or corners.shape[1] != 2 or not np.isfinite(corners).all():
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.region_too_few_corners")
    report = report_region(grid, polygon_mask(corners, grid), scale, up, up_sd_deg, heading_deg)
    k = grid.intrinsics
    rays = np.concatenate([(corners - (k.cx, k.cy)) / (k.fx, k.fy), np.ones((len(corners), 1))], axis=1)
    outline = rays / (rays @ report.plane.m)[:, None]
    # Shoelace formula in space: half the length of the sum of cross products.
    area = 0.5 * float(np.linalg.norm(np.sum(np.cross(outline, np.roll(outline, -1, axis=0)), axis=0)))
    return replace(report, area_m2=area * scale.factor**2)


def report_region(
    grid: SurfaceGrid,
    region: Mask,
    scale: Scale,
    up: Array | None = None,
    up_sd_deg: float = 0.0,
    heading_deg: float | None = None,
) -> PlaneReport:
    """Fit a plane to cells of the grid and report it; the area is that of the cells that lie on it.

    Args:
        region: (rows, cols) boolean.
        grid, scale, up, up_sd_deg, heading_deg: see :func:`report_plane`.

    Raises:
        ImageTo3DError: ``bad_request`` where no plane can be fitted.
    """
    plane = fit_plane(grid, region)
    if plane is None:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.no_plane_in_region")
    deviation = np.where(region, plane.signed_distance(grid.points), np.nan) * scale.factor
    tilt = interval = facing = None
    if up is not None:
        tilt = angle_between(plane.normal, up)
        spread = CONFIDENCE_95 * float(np.hypot(np.degrees(plane.normal_sd), up_sd_deg))
        interval = (max(0.0, tilt - spread), min(180.0, tilt + spread))
        if heading_deg is not None:
            facing = azimuth(plane.normal, up, heading_deg)
    area = plane.area_m2 * scale.factor**2
    return PlaneReport(plane, tilt, interval, facing, area, plane.rms_m * scale.factor, deviation)
