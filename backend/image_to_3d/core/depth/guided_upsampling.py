"""A coarse map of inverse depth on the finer grid of its photo, with depth edges where the photo has them.

Networks see a photo at a few hundred pixels and blur depth edges over two or three of them. Enlarged by interpolation such an
edge becomes a ramp of many pixels, which in 3D is a curtain between foreground and background. Here the edges of the coarse map
are sharpened first; then each fine cell takes the plane of the coarse cells near it that look most like it (joint bilateral
upsampling, Kopf et al., SIGGRAPH 2007, with a choice in place of a mean across edges).

Works on affine functions of inverse depth only, so any disparity will do: scale and shift pass through.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .depth_maps import Float64, inverse_depth_slopes, resample_inverse_depth

Array = NDArray[np.floating]

EDGE_STEP = 0.03
"""A step between surfaces, as a share of the map's range (2 % to 98 % quantile)."""
_RAMP = 2  # coarse cells on either side of an edge that the network blurs
_COLOUR_SIGMA = 0.08  # of sRGB values in 0 … 1
_DISTANCE_SIGMA = 0.7  # coarse cells
_BAND = 128  # fine rows at a time


def _range(w: Float64) -> float:
    low, high = np.quantile(w, [0.02, 0.98])
    return float(high - low)


def sharpen_edges(w: Float64, step: float) -> Float64:
    """The map (rows, cols) with ramps between two surfaces replaced by the nearer one of them.

    A cell lies on a ramp if the surfaces two cells to either side of it, continued to it, differ by more than ``step``; on planes
    and at creases they agree, however steep those are.
    """
    out = w
    for _ in range(2):  # a ramp of up to four cells is gone after two passes
        slopes = inverse_depth_slopes(out)
        best, jump = out, np.full(out.shape, step)
        for axis, slope in ((1, slopes[0]), (0, slopes[1])):
            before, after = _continued(out, slope, axis, -_RAMP), _continued(out, slope, axis, _RAMP)
            difference = np.abs(before - after)
            side = np.where(np.abs(out - before) <= np.abs(out - after), before, after)
            wins = difference > jump
            best, jump = np.where(wins, side, best), np.maximum(jump, difference)
        out = best
    return out


def _continued(w: Float64, slope: Float64, axis: int, offset: int) -> Float64:
    """At each cell the value of the surface ``offset`` cells along the axis, continued back; the border is repeated."""
    index = np.clip(np.arange(w.shape[axis]) + offset, 0, w.shape[axis] - 1)
    shape = (-1, 1) if axis == 0 else (1, -1)
    way = (np.arange(w.shape[axis]) - index).reshape(shape)
    return np.take(w, index, axis) + np.take(slope, index, axis) * way


def upsample_to_photo(w: Array, pixels: NDArray[np.uint8], rows: int, cols: int) -> Float64:
    """A coarse map of inverse depth or disparity, (h, w) without gaps, on a grid of (rows, cols) over the same photo.

    Args:
        w: (h, w), any unit.
        pixels: (H, W, 3) uint8 sRGB, the photo, which tells where the edges run.
        rows, cols: of the fine grid; a map that is no coarser is only resampled, by its local planes.
    """
    coarse = np.asarray(w, np.float64)
    height, width = coarse.shape
    if rows <= height and cols <= width:
        return resample_inverse_depth(coarse, rows, cols)
    step = EDGE_STEP * _range(coarse)
    fine, looks = _means(pixels, rows, cols), _means(pixels, height, width)
    coarse = sharpen_edges(coarse, step)
    du, dv = (np.clip(slope, -step, step) for slope in inverse_depth_slopes(coarse))
    y = (np.arange(rows) + 0.5) * height / rows - 0.5
    x = (np.arange(cols) + 0.5) * width / cols - 0.5
    out = np.empty((rows, cols))
    for start in range(0, rows, _BAND):
        band = slice(start, min(start + _BAND, rows))
        out[band] = _upsample_band(coarse, du, dv, looks, fine[band], y[band], x, step)
    return out


def _means(pixels: NDArray[np.uint8], rows: int, cols: int) -> NDArray[np.float32]:
    """Mean values (rows, cols, 3) in 0 … 1 of a grid's cells; a grid finer than the photo repeats pixels."""
    height, width = pixels.shape[:2]
    row_edges, col_edges = np.arange(rows) * height // rows, np.arange(cols) * width // cols
    sums = np.add.reduceat(np.add.reduceat(pixels, row_edges, axis=0, dtype=np.uint32), col_edges, axis=1)
    row_counts = np.maximum(np.diff(row_edges, append=height), 1)
    col_counts = np.maximum(np.diff(col_edges, append=width), 1)
    return sums * (1 / (255.0 * row_counts[:, None] * col_counts)).astype(np.float32)[..., None]


def _upsample_band(
    coarse: Float64,
    du: Float64,
    dv: Float64,
    looks: NDArray[np.float32],
    fine: NDArray[np.float32],
    y: Float64,
    x: Float64,
    step: float,
) -> Float64:
    """Some rows of the fine grid; y and x are its cell centres in coarse cells."""
    height, width = coarse.shape
    row0, col0 = np.rint(y).astype(int), np.rint(x).astype(int)
    values, weights = [], []
    for i in (-1, 0, 1):
        row = np.clip(row0 + i, 0, height - 1)
        for j in (-1, 0, 1):
            col = np.clip(col0 + j, 0, width - 1)
            at = np.ix_(row, col)
            away_y, away_x = (y - row)[:, None], (x - col)[None, :]
            values.append(coarse[at] + du[at] * away_x + dv[at] * away_y)
            near = (away_x**2 + away_y**2) / (2 * _DISTANCE_SIGMA**2)
            alike = ((fine - looks[at]) ** 2).sum(-1) / (2 * _COLOUR_SIGMA**2)
            weights.append(np.exp(-near - alike).astype(np.float64) + 1e-12 * np.exp(-near))
    value, weight = np.stack(values), np.stack(weights)
    chosen = np.take_along_axis(value, weight.argmax(0)[None], 0)
    weight *= np.abs(value - chosen) <= step
    return (value * weight).sum(0) / weight.sum(0)
