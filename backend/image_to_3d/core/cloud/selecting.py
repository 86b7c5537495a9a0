"""Which points to leave out when a person edits: boxes, outlines on the screen, floaters, far things, the sky.

Everything here takes plain arrays and gives a boolean mask (N,), in time that a user interface can spend on a million points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .filtering import behind

Mask = NDArray[np.bool_]
Float32 = NDArray[np.float32]

_ANGLE_STEPS = 3.0
"""Edge of a neighbourhood's cells across the line of sight, in typical distances between neighbours."""
_DEPTH_STEP = 0.02
"""Edge along the line of sight, as a share of the distance."""
_EXTENT_SHARE = 0.01
"""Edge of the cells of a cloud that no photo was taken of, as a share of its size."""
_SKY_RATIO = 3.0
"""How many times farther the sky is than what stands before it, at least (ratio of geometric means)."""
_BINS = 256
_POINTS_PER_CELL = 8


def beyond(positions: Float32, distance: float) -> Mask:
    """Points (N, 3) farther from the origin than ``distance``."""
    far: Mask = _squared(positions) > distance * distance
    return far


def _squared(positions: Float32) -> Float32:
    """Squared lengths (N,), four times as fast as by ``einsum``."""
    x, y, z = positions.T
    length: Float32 = x * x + y * y + z * z
    return length


def inside_box(positions: Float32, box_from_points: NDArray[np.floating]) -> Mask:
    """Points in a box.

    Args:
        positions: (N, 3).
        box_from_points: (4, 4) from their frame to that of the box, which reaches from −1 to 1 along its axes.
    """
    m = np.asarray(box_from_points, np.float32)
    inside = np.ones(len(positions), bool)
    for axis in range(3):  # one column at a time: no temporary of three
        inside &= np.abs(positions @ m[axis, :3] + m[axis, 3]) <= 1
    return inside


def on_screen(
    positions: Float32, clip_from_points: NDArray[np.floating], width: int, height: int
) -> tuple[Float32, Float32]:
    """Where points are seen.

    Args:
        positions: (N, 3).
        clip_from_points: (4, 4) projection as graphics libraries have it; x and y in −w … w are on the screen.
        width, height: of the screen, pixels.

    Returns:
        Pixels (N, 2) from the lower left corner, NaN behind the viewer, and (N,) distances that grow away from the viewer.
    """
    m = np.asarray(clip_from_points, np.float32)
    w = positions @ m[3, :3] + m[3, 3]
    seen = np.where(w > 1e-9, w, np.float32(np.nan))
    pixels = np.empty((2, len(positions)), np.float32).T  # columns that lie together are twice as fast from here on
    for axis, size in enumerate((width, height)):
        pixels[:, axis] = ((positions @ m[axis, :3] + m[axis, 3]) / seen + 1) * np.float32(size / 2)
    orthographic = not m[3, :3].any()
    return pixels, (positions @ m[2, :3] + m[2, 3] + 2) if orthographic else seen


def inside_outline(pixels: Float32, outline: ArrayLike, width: int, height: int) -> Mask:
    """Pixels within a closed outline; where it crosses itself, by the even-odd rule. It is rasterised to whole pixels.

    Args:
        pixels: (N, 2), may hold NaN, which are outside.
        outline: (M, 2) corners in the same frame.
        width, height: of the screen, pixels; what lies beyond is outside.
    """
    corners = np.asarray(outline, np.float64).reshape(-1, 2)
    toggles = np.zeros((height, width + 1), np.int32)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = sorted((y0, y1))
        rows = np.arange(max(0, int(np.ceil(low - 0.5))), min(height, int(np.ceil(high - 0.5))))
        if len(rows):
            crossing = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            np.add.at(toggles, (rows, np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)), 1)
    filled = np.cumsum(toggles, axis=1)[:, :width] % 2 == 1
    shown = _visible(pixels, width, height)
    inside = np.zeros(len(pixels), bool)
    inside[shown] = filled[pixels[shown, 1].astype(np.intp), pixels[shown, 0].astype(np.intp)]
    return inside


def _visible(pixels: Float32, width: int, height: int) -> NDArray[np.intp]:
    """Indices of the pixels that are on the screen."""
    x, y = pixels.T
    with np.errstate(invalid="ignore"):
        return np.flatnonzero((x >= 0) & (y >= 0) & (x < width) & (y < height))


def foremost(pixels: Float32, distances: Float32, width: int, height: int, cell: int = 4) -> Mask:
    """Points that nothing hides, judged by the nearest point in cells of ``cell`` × ``cell`` pixels.

    Args:
        pixels, distances: of :func:`on_screen`.
        width, height: of the screen, pixels.
        cell: size of the cells.
    """
    shown = _visible(pixels, width, height)
    column, row = ((pixels[shown, axis] / cell).astype(np.int64) for axis in (0, 1))
    columns = -(-width // cell)
    front = np.zeros(len(pixels), bool)
    front[shown] = ~behind(row * columns + column, distances[shown], columns * -(-height // cell))
    return front


def isolated(positions: Float32, least: int, seen_from_origin: bool) -> Mask:
    """Points with fewer than ``least`` others around them: floaters, and the thread between an object and what is behind it.

    Space is divided into cells and a point's surroundings are the 27 cells around its own. For a photo the cells are those of its
    camera: across the line of sight a few distances between neighbouring pixels wide, along it a share of the distance, so that
    what is far, and therefore sparse, does not count as isolated.

    Args:
        positions: (N, 3), Blender frame.
        least: number of neighbours of a point that stays.
        seen_from_origin: the points are those of a photo taken at the origin along +Y.
    """
    if not len(positions):
        return np.zeros(0, bool)
    if seen_from_origin:
        y = np.maximum(positions[:, 1], 1e-6)
        angles = positions[:, ::2] / y[:, None]
        low, high = np.quantile(angles[:: max(1, len(angles) // 10_000)], [0.01, 0.99], axis=0)
        spacing = np.sqrt(max(float(np.prod(high - low)), 1e-12) / len(positions))
        place = np.column_stack([angles / (_ANGLE_STEPS * spacing), np.log(y) / _DEPTH_STEP])
    else:
        low, high = np.quantile(positions[:: max(1, len(positions) // 10_000)], [0.01, 0.99], axis=0)
        place = positions / max(_EXTENT_SHARE * float(np.linalg.norm(high - low)), 1e-9)
    # Far outliers would need more digits than a key has; clipped together they are still far from everything else.
    cells = np.clip(np.floor(place - np.median(place, axis=0)), -(1 << 19), 1 << 19).astype(np.int64) + (1 << 20)
    keys = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
    occupied, cell_of, counts = np.unique(keys, return_inverse=True, return_counts=True)
    around = np.zeros(len(occupied), np.int64)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            for dz in (-1, 0, 1):
                wanted = occupied + ((dx << 42) + (dy << 21) + dz)
                found = np.minimum(np.searchsorted(occupied, wanted), len(occupied) - 1)
                around += np.where(occupied[found] == wanted, counts[found], 0)
    few: Mask = around[cell_of.reshape(-1)] - 1 < least
    return few


def sky(positions: Float32, up: ArrayLike) -> Mask:
    """What is above the horizon and far behind everything else there: sky, or the view through a window.

    The distances of the points above the horizon are divided in two so that the variance between both parts is largest (Otsu,
    "A threshold selection method from gray-level histograms", 1979, on their logarithms). If the far part is not several
    times farther than the near one, nothing is sky.

    Args:
        positions: (N, 3), camera at the origin.
        up: (3,), against gravity, in their frame.
    """
    above = np.flatnonzero(positions @ np.asarray(up, np.float32) > 0)
    none = np.zeros(len(positions), bool)
    if len(above) < 2:
        return none
    logs = np.log(np.maximum(_squared(positions)[above], 1e-18)) / 2
    edges = np.linspace(logs.min(), logs.max(), _BINS + 1)
    bins = ((logs - edges[0]) * (_BINS / max(edges[-1] - edges[0], 1e-9))).astype(np.intp)
    counts = np.bincount(np.minimum(bins, _BINS - 1), minlength=_BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    near, total = np.cumsum(counts)[:-1], counts.sum()
    sums = np.cumsum(counts * middles)[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_near, mean_far = sums / near, ((counts * middles).sum() - sums) / (total - near)
        between = np.nan_to_num(near * (total - near) * (mean_far - mean_near) ** 2)
    # Between two groups lies a gap, in which every threshold is equally good: its middle stands safe from both.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    split = int(best[len(best) // 2])
    if mean_far[split] - mean_near[split] < np.log(_SKY_RATIO):
        return none
    none[above[logs > edges[split + 1]]] = True
    return none


def carried_over(
    old_places: Float32, old_depths: Float32, removed: Mask, new_places: Float32, new_depths: Float32
) -> Mask:
    """What was removed from a photo's points, found again among the points that the photo was made into anew.

    The picture is divided into cells, and what lies behind the nearest point of a cell is told from what does not. Where most of
    the old points were removed, the new ones are.

    Args:
        old_places, new_places: (N, 2) and (M, 2), where in the picture, from 0 to 1.
        old_depths, new_depths: (N,) and (M,), distances along the camera's axis; both sets may differ in scale.
        removed: (N,).

    Returns:
        (M,).
    """
    side = max(1, int(np.sqrt(min(len(old_places), len(new_places)) / _POINTS_PER_CELL)))

    def keys(places: Float32, depths: Float32) -> NDArray[np.int64]:
        column, row = np.clip(places * side, 0, side - 1).astype(np.int64).T
        cell = row * side + column
        found: NDArray[np.int64] = cell + behind(cell, depths, side * side) * (side * side)
        return found

    old = keys(old_places, old_depths)
    gone, there = (np.bincount(old, w, minlength=2 * side * side).reshape(2, -1) for w in (removed, None))
    # Where there was nothing behind, or nothing before it, the cell as a whole decides.
    share = np.where(there > 0, gone / np.maximum(there, 1), gone.sum(0) / np.maximum(there.sum(0), 1))
    again: Mask = share.reshape(-1)[keys(new_places, new_depths)] > 0.5
    return again
