"""Points and lengths in a photo, each with an honest standard deviation.

Three independent things make a length uncertain, and they are added in squares:

* the ends: one pixel of pointing along the surface, and the noise of the depth, taken from how well the pixels around fit
  their own plane;
* the focal length: sizes across the line of sight scale with 1/f;
* the scale: what an engine's metres are worth (:mod:`~image_to_3d.core.lengths.calibration`), and how that varies over the
  picture (:mod:`~image_to_3d.core.lengths.error_field`).

Intervals hold 95 %: 1.96 standard deviations to each side, in the logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ErrorCode, ImageTo3DError
from ..surfaces.surface import Array, Float64, Mask, SurfaceGrid, normals_of_planes, planes_through_cell
from .calibration import Scale

POINTING_SD_PX = 1.0
"""Standard deviation of where a person or a detector points, in pixels of the photo, each way."""

CONFIDENCE_95 = 1.959964

_SAME_SURFACE, _OUT_OF_SURFACE = 0.9, 0.2  # cosine of 26° between normals; sine of 12° out of the surface
_WINDOW = 6
_SEARCH = 3
_OFF_SURFACE = 0.05
"""Share of the depth by which a point may lie off the surface and still be meant to lie on it."""


@dataclass(frozen=True, eq=False)
class SurfacePoint:
    """A point of the visible surface.

    Attributes:
        uv: pixel of the photo.
        position: (3,) OpenCV camera frame, metres of the engine (scale not applied).
        normal: (3,) unit normal towards the camera.
        covariance: (3, 3) of the position from pointing and depth noise, without focal length and scale; square metres.
    """

    uv: tuple[float, float]
    position: Float64
    normal: Float64
    covariance: Float64


@dataclass(frozen=True)
class Length:
    """A length in metres, as the scene shows it, and what is known about its error.

    Attributes:
        metres: as shown.
        sd: standard deviation, metres.
        error: expected ln(shown / true): known lengths near by may tell that it is shown too long (positive) or too short.
    """

    metres: float
    sd: float
    error: float = 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the true length, metres.

        Errors are relative, so it is even on both sides in the logarithm: half or twice the length rather than nothing or twice.
        """
        if self.metres <= 0:
            return 0.0, CONFIDENCE_95 * self.sd
        middle, reach = self.metres * np.exp(-self.error), CONFIDENCE_95 * self.sd / self.metres
        return float(middle * np.exp(-reach)), float(middle * np.exp(reach))


def point_at(grid: SurfaceGrid, uv: tuple[float, float], pointing_sd_px: float = POINTING_SD_PX) -> SurfacePoint:
    """The surface point at a pixel of the photo, by a robust plane through the pixels around it on the same surface.

    Args:
        grid: the surface.
        uv: pixel of the photo, (0, 0) its upper left corner.
        pointing_sd_px: standard deviation of the pixel itself.

    Raises:
        ImageTo3DError: ``bad_request`` outside the photo or where no depth is known.
    """
    k = grid.intrinsics
    u, v = float(uv[0]), float(uv[1])
    if not (0 <= u <= k.width and 0 <= v <= k.height):
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "measuring.pixel_outside_photo", u=u, v=v, k_width=k.width, k_height=k.height
        )
    x, y = u * grid.cols / k.width - 0.5, v * grid.rows / k.height - 0.5
    row, col = _nearest_known(grid, x, y)
    centre, gradient, variance = _plane_at(grid, row, col, x - col, y - row)
    return _surface_point(grid, (u, v), centre, gradient, variance, pointing_sd_px)


def point_near(grid: SurfaceGrid, position: Array, pointing_sd_px: float = POINTING_SD_PX) -> SurfacePoint:
    """The surface point at a place that somebody has picked in space, which stays where it is.

    Beside a depth edge, where the pixel alone does not tell, the surface at that depth is meant.

    Args:
        grid: the surface.
        position: (3,) OpenCV camera frame, metres of the engine.
        pointing_sd_px: standard deviation of where it was picked.

    Raises:
        ImageTo3DError: ``bad_request`` outside the photo, where no depth is known, or off the surface.
    """
    at = np.asarray(position, np.float64)
    uv, w = _pixel_of(grid, at)
    found, gradient, variance = plane_near(grid, uv, w)
    if abs(found / w - 1.0) > _OFF_SURFACE:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.point_off_surface")
    return _surface_point(grid, uv, w, gradient, variance, pointing_sd_px)


def plane_near(grid: SurfaceGrid, uv: tuple[float, float], w: float) -> tuple[float, Float64, float]:
    """The surface at a pixel whose inverse depth comes nearest to ``w``, within a few cells.

    Returns:
        Its inverse depth at the pixel, gradient per cell (2,) and variance of the inverse depth.

    Raises:
        ImageTo3DError: ``bad_request`` where no depth is known.
    """
    k = grid.intrinsics
    x, y = uv[0] * grid.cols / k.width - 0.5, uv[1] * grid.rows / k.height - 0.5
    row, col = _nearest_known(grid, x, y)
    if abs(float(grid.w[row, col]) / w - 1.0) > _OFF_SURFACE:
        top, left = max(0, row - _SEARCH), max(0, col - _SEARCH)
        around = np.abs(grid.w[top : row + _SEARCH + 1, left : col + _SEARCH + 1] / w - 1.0)
        down, right = np.unravel_index(int(np.nanargmin(around)), around.shape)
        row, col = top + int(down), left + int(right)
    return _plane_at(grid, row, col, x - col, y - row)


def _pixel_of(grid: SurfaceGrid, position: Float64) -> tuple[tuple[float, float], float]:
    """Pixel and inverse depth of a place in space."""
    k = grid.intrinsics
    if position[2] > 0:
        u, v = (float(x) for x in k.project(position))
        if -1 <= u <= k.width + 1 and -1 <= v <= k.height + 1:
            return (min(max(u, 0.0), float(k.width)), min(max(v, 0.0), float(k.height))), 1.0 / float(position[2])
    raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.point_outside_photo")


def _surface_point(
    grid: SurfaceGrid,
    uv: tuple[float, float],
    w: float,
    gradient: Float64,
    variance: float,
    pointing_sd_px: float = POINTING_SD_PX,
) -> SurfacePoint:
    """The point at a pixel and inverse depth of a plane with that gradient per cell."""
    k = grid.intrinsics
    ray = np.array([(uv[0] - k.cx) / k.fx, (uv[1] - k.cy) / k.fy, 1.0])
    position = ray / w
    m = planes_through_cell(w, gradient, ray, k.resized(grid.cols, grid.rows))
    # p = ray / w with w = m · ray: along the surface for a step in the picture, along the ray for an error of depth.
    steps = (np.array([[1 / k.fx, 0.0, 0.0], [0.0, 1 / k.fy, 0.0]]) - np.outer(m[:2] / (k.fx, k.fy), position)) / w
    covariance = pointing_sd_px**2 * steps.T @ steps + variance / w**2 * np.outer(position, position)
    return SurfacePoint(uv, position, normals_of_planes(m), covariance)


def _nearest_known(grid: SurfaceGrid, x: float, y: float) -> tuple[int, int]:
    row, col = min(max(round(y), 0), grid.rows - 1), min(max(round(x), 0), grid.cols - 1)
    if np.isfinite(grid.w[row, col]):
        return row, col
    top, left = max(0, row - _SEARCH), max(0, col - _SEARCH)
    rows, cols = np.nonzero(np.isfinite(grid.w[top : row + _SEARCH + 1, left : col + _SEARCH + 1]))
    if not len(rows):
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "measuring.no_depth_at_pixel",
            x=(x + 0.5) * grid.intrinsics.width / grid.cols,
            y=(y + 0.5) * grid.intrinsics.height / grid.rows,
        )
    nearest = np.argmin((rows + top - y) ** 2 + (cols + left - x) ** 2)
    return int(rows[nearest] + top), int(cols[nearest] + left)


def _plane_at(grid: SurfaceGrid, row: int, col: int, dx: float, dy: float) -> tuple[float, Float64, float]:
    """(inverse depth, gradient per cell (2,), variance of the inverse depth) of the plane at (col + dx, row + dy)."""
    local = grid.local
    here = float(grid.w[row, col])
    noise = max(float(grid.noise[row, col]), 1e-5 * here)
    start, slope, rms = float(local.value[row, col]), local.gradient[row, col], float(local.rms[row, col])
    if not np.isfinite(start) or abs(here - start) > max(0.02 * here, 4 * noise):
        return here, np.zeros(2), noise**2  # a thin or lonely thing: the pixel's own depth, facing the camera
    top, left = max(0, row - _WINDOW), max(0, col - _WINDOW)
    w = grid.w[top : row + _WINDOW + 1, left : col + _WINDOW + 1]
    ys, xs = np.indices(w.shape)
    A = np.stack([np.ones(w.shape), xs + left - col, ys + top - row], axis=-1)
    coefficients = np.array([start, *slope])
    limit = 3.0 * max(rms, noise)
    inliers = np.zeros(w.shape, bool)
    for _ in range(3):
        with np.errstate(invalid="ignore"):
            inliers = np.abs(w - A @ coefficients) <= limit
        if np.count_nonzero(inliers) < 12 or np.linalg.matrix_rank(A[inliers]) < 3:
            return start + float(slope @ (dx, dy)), slope, max(rms, noise) ** 2
        coefficients = np.linalg.lstsq(A[inliers], w[inliers], rcond=None)[0]
    residual = np.where(inliers, w - A @ coefficients, 0.0)
    count = int(np.count_nonzero(inliers))
    variance = max(float(np.sum(residual**2)) / (count - 3), noise**2)
    at = np.array([1.0, dx, dy])
    leverage = float(at @ np.linalg.inv(A[inliers].T @ A[inliers]) @ at)
    alike = min(_correlation_factor(residual, inliers), float(count))
    return float(at @ coefficients), coefficients[1:], min(variance * leverage * alike, variance * max(1.0, leverage))


def _correlation_factor(residual: Float64, inliers: Mask) -> float:
    """How many neighbouring residuals are worth one: ((1 + ρ)/(1 − ρ)) per direction, as for a first-order autoregression."""
    factor = 1.0
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        both = inliers[first] & inliers[second]
        energy = float(np.sum((residual[first] ** 2 + residual[second] ** 2)[both]))
        if energy > 0:
            rho = min(max(2.0 * float(np.sum((residual[first] * residual[second])[both])) / energy, 0.0), 0.9)
            factor *= (1 + rho) / (1 - rho)
    return factor


def lateral_share(direction: Array) -> float:
    """Share of a length along a direction (3,) that the focal length scales: 1 across the line of sight, 0 along it."""
    d = np.asarray(direction, np.float64)
    size = float(d @ d)
    return float((d[0] ** 2 + d[1] ** 2) / size) if size > 0 else 1.0


def with_scale(metres: float, sd: float, ends: Array, scale: Scale) -> Length:
    """An engine's length and its own standard deviation → a length with depth, scale and focal length accounted for.

    Args:
        metres, sd: of the engine.
        ends: (2, 3) of the length, OpenCV camera frame, metres of the engine.
        scale: what the engine's metres are worth.
    """
    start, end = np.asarray(ends, np.float64)
    direction = end - start
    length = metres * scale.factor
    # A calibration on a length with another share of lateral extent has absorbed that share of the focal length's error.
    focal = scale.focal_sd * abs(lateral_share(direction) - scale.lateral_share)
    error, relative = scale.error_of(ends)
    return Length(length, float(np.sqrt((sd * scale.factor) ** 2 + length**2 * (relative**2 + focal**2))), error)


def distance(a: SurfacePoint, b: SurfacePoint) -> tuple[float, float]:
    """(distance, standard deviation from the two ends only), metres of the engine."""
    between = b.position - a.position
    metres = float(np.linalg.norm(between))
    along = between / metres if metres > 0 else np.array([0.0, 0.0, 1.0])
    return metres, float(np.sqrt(along @ (a.covariance + b.covariance) @ along))


def length_between(a: SurfacePoint, b: SurfacePoint, scale: Scale) -> Length:
    """The straight length between two surface points, metres."""
    metres, sd = distance(a, b)
    return with_scale(metres, sd, np.stack([a.position, b.position]), scale)


def common_normal(a: Array, b: Array, ends: Array) -> Float64 | None:
    """The normal of the surface that both ends of a length lie on, made perpendicular to the length.

    Args:
        a, b: (3,) unit normals of the surface at the ends.
        ends: (2, 3) of the length.

    Returns:
        (3,) unit vector; None if the ends lie on different surfaces, or the length leaves the surface.
    """
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    normal = 0.5 * (a + b)
    if float(a @ b) < _SAME_SURFACE or abs(float(normal @ along)) > _OUT_OF_SURFACE:
        return None
    across = normal - float(normal @ along) * along
    return np.asarray(across / np.linalg.norm(across), np.float64)
