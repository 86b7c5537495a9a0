"""Depth maps: planar depth z in metres, NaN where unknown, shape (rows, cols).

Everything here works on inverse depth w = 1/z, because the inverse depth of a plane is an affine function of the pixel
coordinates: with rays r = ((u − cx)/fx, (v − cy)/fy, 1) a plane n·X = d has w = n·r / d. A local plane is therefore a local
affine fit of w, and a depth edge is where that fit breaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Float64 = NDArray[np.float64]

EDGE_TOLERANCE = 0.02
"""Neighbours lie on one surface if their inverse depths agree within this fraction with the local plane."""

_CENTRE_PREFERENCE = 0.5


def inverse_depth(depth: Array) -> Float64:
    """1/z, NaN where the depth is unknown (NaN, infinite, zero or negative)."""
    z = np.asarray(depth, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isfinite(z) & (z > 0), 1.0 / z, np.nan)


def _slope(w: Float64, axis: int) -> Float64:
    """One-sided difference of smaller magnitude along an axis; 0 where no side is known to be the same surface.

    A large difference counts only if the next one agrees with it, as on a floor seen at a grazing angle: a pole before a
    wall has two large differences of opposite sign, and the wall beside it has none.
    """
    w = np.moveaxis(w, axis, 0)
    unknown = np.full((2, *w.shape[1:]), np.nan)
    difference = np.concatenate([unknown, np.diff(w, axis=0), unknown])
    n = len(w)
    before, backward, forward, after = (difference[i : i + n] for i in range(4))
    with np.errstate(invalid="ignore"):
        forward_wins = np.isnan(backward) | (np.abs(forward) < np.abs(backward))
        slope = np.where(forward_wins, forward, backward)
        tolerance = EDGE_TOLERANCE * w
        trusted = np.abs(slope) <= tolerance
        trusted |= np.abs(forward - backward) <= tolerance
        trusted |= np.abs(slope - np.where(forward_wins, after, before)) <= tolerance
    return np.moveaxis(np.where(trusted, slope, 0.0), 0, axis)


def inverse_depth_slopes(w: Float64) -> tuple[Float64, Float64]:
    """(∂w/∂col, ∂w/∂row) of an inverse depth map (rows, cols), from the side that stays on the surface at depth edges."""
    return _slope(w, 1), _slope(w, 0)


def resample_inverse_depth(w: Float64, rows: int, cols: int) -> Float64:
    """Inverse depth at the cell centres of a (rows, cols) grid laid over the map: the nearest pixel's local plane.

    Exact for planes, and never a value between two sides of a depth edge, which interpolation would invent.
    """
    if w.shape == (rows, cols):
        return w
    height, width = w.shape
    y = (np.arange(rows) + 0.5) * height / rows
    x = (np.arange(cols) + 0.5) * width / cols
    row, col = np.minimum(y.astype(int), height - 1), np.minimum(x.astype(int), width - 1)
    du, dv = inverse_depth_slopes(w)
    at = np.ix_(row, col)
    shift = du[at] * (x - col - 0.5)[None, :] + dv[at] * (y - row - 0.5)[:, None]
    limit = EDGE_TOLERANCE * w[at]
    return w[at] + np.clip(shift, -limit, limit)


@dataclass(frozen=True, eq=False)
class LocalPlanes:
    """A plane through the neighbourhood of every grid cell, as an affine function of inverse depth.

    Attributes:
        value: (rows, cols) inverse depth of the fitted plane at the cell, 1/m; NaN where nothing could be fitted.
        gradient: (rows, cols, 2) its change per grid cell to the right and downwards, 1/m.
        rms: (rows, cols) root mean square residual of the fit (degrees of freedom counted), 1/m.
        supported: (rows, cols) whether the cell itself lies on that plane, within :data:`EDGE_TOLERANCE`.
    """

    value: Float64
    gradient: Float64
    rms: Float64
    supported: NDArray[np.bool_]


def _correlate(image: Array, kernel: Array, axis: int) -> Float64:
    """Correlation along one axis with a short kernel, zeros outside the image."""
    radius = len(kernel) // 2
    out = np.zeros(image.shape)
    size = image.shape[axis]
    source, target = np.moveaxis(image, axis, 0), np.moveaxis(out, axis, 0)
    for offset, weight in zip(range(-radius, radius + 1), kernel, strict=True):
        if weight == 0 or abs(offset) >= size:
            continue
        low, high = max(0, -offset), min(size, size - offset)
        target[low:high] += weight * source[low + offset : high + offset]
    return out


def _window_fits(w: Array, radius: int) -> tuple[Float64, Float64]:
    """Least squares w ≈ c + gu · du + gv · dv in a window around each cell.

    Returns:
        coefficients (3, rows, cols) and variance of the residuals (rows, cols); infinite variance where there is no fit.
    """
    known = np.isfinite(w)
    inside, value = known.astype(np.float64), np.where(known, w, 0.0)
    offsets = np.arange(-radius, radius + 1, dtype=np.float64)
    ones, squares = np.ones_like(offsets), offsets**2
    n0, n1, n2 = (_correlate(inside, kernel, 1) for kernel in (ones, offsets, squares))
    n, sv, svv = (_correlate(n0, kernel, 0) for kernel in (ones, offsets, squares))
    su, suv = (_correlate(n1, kernel, 0) for kernel in (ones, offsets))
    suu = _correlate(n2, ones, 0)
    w0, w1 = _correlate(value, ones, 1), _correlate(value, offsets, 1)
    sw, svw, suw = _correlate(w0, ones, 0), _correlate(w0, offsets, 0), _correlate(w1, ones, 0)
    sww = _correlate(_correlate(value**2, ones, 1), ones, 0)
    # Adjugate of the symmetric 3 × 3 normal matrix [[n, su, sv], [su, suu, suv], [sv, suv, svv]].
    a00, a01, a02 = suu * svv - suv**2, suv * sv - su * svv, su * suv - suu * sv
    a11, a12, a22 = n * svv - sv**2, su * sv - n * suv, n * suu - su**2
    determinant = n * a00 + su * a01 + sv * a02
    cells = (2 * radius + 1) ** 2
    solvable = (n >= max(5, 0.3 * cells)) & (determinant > 1e-3 * cells)
    with np.errstate(divide="ignore", invalid="ignore"):
        c = (a00 * sw + a01 * suw + a02 * svw) / determinant
        gu = (a01 * sw + a11 * suw + a12 * svw) / determinant
        gv = (a02 * sw + a12 * suw + a22 * svw) / determinant
        variance = np.maximum(sww - c * sw - gu * suw - gv * svw, 0.0) / (n - 3)
    variance[~solvable] = np.inf
    return np.where(solvable, np.stack([c, gu, gv]), 0.0), variance


def fit_local_planes(w: Array, radius: int = 2) -> LocalPlanes:
    """Edge-preserving local planes of an inverse depth image.

    Every cell takes, among the nine windows that contain it (centred on it, or with it on their rim), the one that fits best:
    beside a depth edge or a crease the window slides onto the cell's own side (Kuwahara's filter, with planes in place of means).

    Args:
        w: (rows, cols) inverse depth, any unit (relative disparity too); NaN is unknown.
        radius: half width of the window in cells.
    """
    coefficients, variance = _window_fits(w, radius)
    rows, cols = w.shape
    best = np.full(w.shape, np.inf)
    value, rms = np.full(w.shape, np.nan), np.full(w.shape, np.nan)
    gradient = np.full((*w.shape, 2), np.nan)
    shifts = [(0, 0)] + [(i, j) for i in (-radius, 0, radius) for j in (-radius, 0, radius) if i or j]
    for down, right in shifts:
        here = np.s_[max(0, -down) : rows - max(0, down), max(0, -right) : cols - max(0, right)]
        there = np.s_[max(0, down) : rows + min(0, down), max(0, right) : cols + min(0, right)]
        if not w[here].size:
            continue
        c, gu, gv = coefficients[(slice(None), *there)]
        predicted = c - gu * right - gv * down
        cost = variance[there] + 0.5 * (w[here] - predicted) ** 2
        if (down, right) == (0, 0):
            cost = cost * _CENTRE_PREFERENCE  # noise alone should not make the window wander
        better = np.isfinite(cost) & (cost < best[here])
        best[here] = np.where(better, cost, best[here])
        value[here] = np.where(better, predicted, value[here])
        rms[here] = np.where(better, np.sqrt(variance[there]), rms[here])
        gradient[here] = np.where(better[..., None], np.stack([gu, gv], -1), gradient[here])
    with np.errstate(invalid="ignore"):
        supported = np.abs(w - value) <= EDGE_TOLERANCE * np.abs(w)
    return LocalPlanes(value, gradient, rms, supported)


def inverse_depth_gradient(depth: Array, radius: int = 2) -> Float64:
    """∂(1/z)/∂column and ∂(1/z)/∂row, (rows, cols, 2), 1/m per cell, from planar depth (rows, cols) in metres.

    Edge-preserving, see :func:`fit_local_planes`; NaN where depth is unknown or isolated.
    """
    return fit_local_planes(inverse_depth(depth), radius).gradient
