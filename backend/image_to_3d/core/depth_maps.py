"""Depth maps: planar depth z in metres, NaN where unknown, shape (rows, cols).

Everything here works on inverse depth w = 1/z, because the inverse depth of a plane is an affine function of the pixel
coordinates: with rays r = ((u − cx)/fx, (v − cy)/fy, 1) a plane n·X = d has w = n·r / d. A local plane is therefore a local
affine fit of w, and a depth edge is where that fit breaks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Float64 = NDArray[np.float64]

EDGE_TOLERANCE = 0.02
"""Neighbours lie on one surface if their inverse depths agree within this fraction with the local plane."""


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


def fit_local_planes(w: Float64, radius: int = 2) -> tuple[Float64, Float64, NDArray[np.bool_]]:
    """Slopes of the local plane at each cell: least squares over the neighbours that lie on the same surface.

    Args:
        w: inverse depth (rows, cols), NaN = unknown.
        radius: half size of the square window, cells.

    Returns:
        (∂w/∂col, ∂w/∂row, supported), each (rows, cols); ``supported`` is False where too few neighbours agree to tell a
        slope, and the slopes are 0 there.
    """
    du, dv = inverse_depth_slopes(w)
    padded = np.pad(w, radius, constant_values=np.nan)
    rows, cols = w.shape
    known = np.nan_to_num(w)
    s1, sx, sy, sxx, sxy, syy, sd, sxd, syd = (np.zeros_like(w) for _ in range(9))
    with np.errstate(invalid="ignore"):
        for y in range(-radius, radius + 1):
            for x in range(-radius, radius + 1):
                delta = padded[radius + y : radius + y + rows, radius + x : radius + x + cols] - known
                agrees = np.abs(delta - (du * x + dv * y)) <= EDGE_TOLERANCE * known
                m = agrees.astype(np.float64)
                d = np.where(agrees, delta, 0.0)
                s1 += m
                sd += d
                sx, sy = sx + m * x, sy + m * y
                sxx, sxy, syy = sxx + m * (x * x), sxy + m * (x * y), syy + m * (y * y)
                sxd, syd = sxd + d * x, syd + d * y
    count = np.maximum(s1, 1.0)
    a, b, c = sxx - sx * sx / count, sxy - sx * sy / count, syy - sy * sy / count
    p, q = sxd - sx * sd / count, syd - sy * sd / count
    determinant = a * c - b * b
    supported = (s1 >= 4) & (determinant > 0.1 * count) & np.isfinite(w)
    safe = np.where(supported, determinant, 1.0)
    return (
        np.where(supported, (c * p - b * q) / safe, 0.0),
        np.where(supported, (a * q - b * p) / safe, 0.0),
        supported,
    )
