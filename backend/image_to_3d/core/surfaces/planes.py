"""Planes of a photo: found in clutter, fitted with covariance, bounded by what is seen of them.

A plane is kept both as unit normal and offset, normal · X = offset with the normal on the visible side (so the offset is
negative), and as m = normal / offset, for which m · ray = 1/z is linear; fits and their covariances live in m.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .surface import Array, Float64, Mask, SurfaceGrid, label_regions

PlaneKind = Literal["floor", "ceiling", "wall", "other"]

_SEARCH_COLS = 256
_HYPOTHESES = 400
_COARSE_TOLERANCE = 0.01  # of the inverse depth
_FINE_FLOOR = 2e-4  # of the inverse depth: half a millimetre at 2.5 m, the step of depth files in millimetres
_NORMAL_TOLERANCE = np.cos(np.radians(25.0))
_MIN_CELLS = 40
_BELOW_MARGIN = 0.08  # of the camera's height: a floor that bends so far is still one
_MIN_WALL_SHARE = 0.02  # of the picture
_MIN_FLOOR_SHARE = 0.015  # of the picture
_MOST_BELOW = 0.03  # share of the points that may lie below a floor, and no more than a third of its own share


def signed_distance(points: Array, normal: Array, offset_m: float) -> Float64:
    """Distance (...) of points (..., 3) from the plane normal · X = offset, positive on the side of its unit normal (3,)."""
    return np.asarray(np.asarray(points) @ normal - offset_m, np.float64)


@dataclass(frozen=True, eq=False)
class Plane:
    """A fitted plane, OpenCV camera frame.

    Attributes:
        m: (3,) normal / offset, 1/m: m · ray = 1/z for the rays of its pixels, m · X = 1 for its points.
        covariance: (3, 3) of m, 1/m².
        mask: (rows, cols) cells of the grid that lie on it, connected pieces only.
        area_m2: of these cells, measured on the plane.
        rms_m: root mean square distance of their points from the plane, metres.
        centre: (3,) median of these points, projected on the plane, metres.
        kind: ``floor``, ``ceiling``, ``wall`` or ``other``.
        confidence: of the kind, 0 … 1.
    """

    m: Float64
    covariance: Float64
    mask: Mask
    area_m2: float
    rms_m: float
    centre: Float64
    kind: PlaneKind = "other"
    confidence: float = 0.0

    @property
    def normal(self) -> Float64:
        """(3,) unit normal towards the camera."""
        return -self.m / np.linalg.norm(self.m)

    @property
    def offset_m(self) -> float:
        """normal · X for points X of the plane, metres; negative, its size is the distance of the camera."""
        return float(-1.0 / np.linalg.norm(self.m))

    @property
    def share(self) -> float:
        """Share of the grid's cells that lie on the plane."""
        return float(self.mask.mean())

    @property
    def normal_sd(self) -> float:
        """Standard deviation of the normal's direction, radians, the worse of the two directions."""
        length = float(np.linalg.norm(self.m))
        across = np.eye(3) - np.outer(self.m, self.m) / length**2
        spread = np.linalg.eigvalsh(across @ self.covariance @ across)
        return float(np.sqrt(np.max(spread, initial=0.0)) / length)

    def signed_distance(self, points: Array) -> Float64:
        """Distance (...) of points (..., 3) from the plane, metres, positive on the camera's side."""
        return signed_distance(points, self.normal, self.offset_m)

    def along(self, origin: Array, direction: Array) -> tuple[float, float]:
        """Where the line origin + t · direction meets the plane: (t, standard deviation of t).

        With P the meeting point, dt/dm = −P / (m · direction), so var t = Pᵀ C P / (m · direction)². t is infinite for a
        parallel line.
        """
        slope = float(self.m @ direction)
        if slope == 0:
            return float("inf"), float("inf")
        t = (1.0 - float(self.m @ origin)) / slope
        hit = origin + t * direction
        variance = float(hit @ self.covariance @ hit)
        return t, float(np.sqrt(max(variance, 0.0))) / abs(slope)


def angle_between(a: Array, b: Array) -> float:
    """Angle between two vectors (3,), degrees, 0 … 180; accurate for small angles too."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), np.dot(a, b))))


def _least_squares(rays: Array, w: Array, weights: Array) -> Float64:
    """m that minimises Σ w (m · ray − w)²; NaN if the rays do not span a plane."""
    weighted = rays * weights[:, None]
    normal_matrix = rays.T @ weighted
    if not np.isfinite(normal_matrix).all() or np.linalg.cond(normal_matrix) > 1e12:
        return np.full(3, np.nan)
    return np.asarray(np.linalg.solve(normal_matrix, weighted.T @ w), np.float64)


def _robust(rays: Array, w: Array, noise: Array, m: Array) -> tuple[Float64, Mask]:
    """Refine m with ever smaller tolerances, down to three standard deviations of one cell, as long as the cells crowd at it.

    A door leaf 8 mm in front of its wall is left behind by this; a floor that bends by 2 cm in the depth of a camera is not cut
    in two, because its residuals spread over the whole tolerance (fewer than the square root of its share would remain).

    Returns:
        m (3,) and the boolean inliers (N,); m is NaN if too little is left.
    """
    unit = 3.0 * np.maximum(noise, _FINE_FLOOR * w)  # what one cell can be off
    coarse = np.maximum(_COARSE_TOLERANCE * w, unit)
    result, kept = np.full(3, np.nan), np.zeros(len(w), bool)
    all_cells = 0
    for share in (1.0, 0.5, 0.25, 0.12, 0.06):
        tolerance = np.maximum(share * coarse, unit)
        m = _best_of_triples(rays, w, coarse, tolerance, m)
        for _ in range(3):
            inliers = np.abs(w - rays @ m) <= tolerance
            if np.count_nonzero(inliers) < _MIN_CELLS:
                return result, kept
            m = _least_squares(rays[inliers], w[inliers], 1.0 / unit[inliers] ** 2)
            if not np.isfinite(m).all():
                return result, kept
        inliers = np.abs(w - rays @ m) <= tolerance
        count = int(np.count_nonzero(inliers))
        all_cells = all_cells or count
        if count >= max(0.35, float(np.sqrt(np.median(tolerance / coarse)))) * all_cells:
            result, kept = m, inliers
    # Cut at less than three standard deviations, a fit scatters more than its residuals tell: widen to what they are.
    for _ in range(4):
        residual = np.abs(w - rays @ result) / unit
        if np.count_nonzero(kept) < _MIN_CELLS:
            break
        spread = 3.0 * 1.4826 * float(np.median(residual[kept]))
        kept = residual <= max(1.0, spread)
        m = _least_squares(rays[kept], w[kept], 1.0 / unit[kept] ** 2)
        if not np.isfinite(m).all():
            break
        result = m
    return result, kept


def _best_of_triples(rays: Array, w: Array, coarse: Array, fine: Array, m: Array) -> Float64:
    """m, or the plane through three of its cells that more cells lie on within the fine tolerance.

    Least squares between a wall and its door leaf settles in the middle; this finds the wall.
    """
    near = np.flatnonzero(np.abs(w - rays @ m) <= coarse)
    if len(near) < _MIN_CELLS:
        return np.asarray(m, np.float64)
    rng = np.random.default_rng(1)
    voters = near if len(near) <= 1500 else rng.choice(near, 1500, replace=False)
    triples = rng.choice(voters, (150, 3))
    A = rays[triples]
    solvable = np.abs(np.linalg.det(A)) > 1e-6
    guesses = np.concatenate([m[None], np.linalg.solve(A[solvable], w[triples[solvable]][..., None])[..., 0]])
    residuals = (w[voters] - guesses @ rays[voters].T) / fine[voters]
    scores = np.maximum(1.0 - residuals**2, 0.0).sum(axis=1)
    return np.asarray(guesses[int(np.argmax(scores))], np.float64)


def _covariance(rays: Array, residual: Array, weights: Array, blocks: NDArray[np.intp]) -> Float64:
    """Cluster-robust covariance of the least squares m (Liang & Zeger, 1986): errors may be correlated within a block.

    Neighbouring pixels of a depth camera or a network share their errors, so N pixels are not N measurements; here every block
    of the picture counts as one.
    """
    bread = np.linalg.inv(rays.T @ (rays * weights[:, None]))
    _, index = np.unique(blocks, return_inverse=True)
    count = int(index.max()) + 1
    scores = np.stack([np.bincount(index, weights * residual * rays[:, k], count) for k in range(3)], axis=-1)
    inflation = count / (count - 3) if count > 6 else 2.0
    return np.asarray(bread @ (scores.T @ scores) @ bread * inflation, np.float64)


def _fit(grid: SurfaceGrid, candidates: Mask, m: Array, pieces: bool) -> Plane | None:
    """The plane near m through the candidate cells of a grid, with extent and covariance; None if too little is left."""
    index = np.flatnonzero(candidates & np.isfinite(grid.w))
    rays, w, noise = grid.rays.reshape(-1, 3)[index], grid.w.ravel()[index], grid.noise.ravel()[index]
    m, inliers = _robust(rays, w, noise, m)
    if not np.isfinite(m).all() or np.count_nonzero(inliers) < _MIN_CELLS:
        return None
    mask = np.zeros(grid.w.shape, bool)
    mask.flat[index[inliers]] = True
    if pieces:
        mask = _large_pieces(mask)
        if np.count_nonzero(mask) < _MIN_CELLS:
            return None
    rays, w, noise = grid.rays[mask], grid.w[mask], grid.noise[mask]
    weights = 1.0 / np.maximum(noise, _FINE_FLOOR * w) ** 2
    m = _least_squares(rays, w, weights)
    if not np.isfinite(m).all():
        return None
    block = max(8, grid.cols // 12)
    row, col = np.nonzero(mask)
    covariance = _covariance(rays, w - rays @ m, weights, (row // block) * grid.cols + col // block)
    k = grid.intrinsics.resized(grid.cols, grid.rows)
    normal, offset = -m / np.linalg.norm(m), float(-1.0 / np.linalg.norm(m))
    points = rays / w[:, None]
    distance = signed_distance(points, normal, offset)
    centre = np.median(points, axis=0)
    return Plane(
        m=m,
        covariance=covariance,
        mask=mask,
        # A pixel covers z² / (fx fy) of a plane facing the camera and 1 / |normal · ray| times that of a slanted one.
        area_m2=float(np.sum(1.0 / (w**2 * np.maximum(np.abs(rays @ normal), 1e-3))) / (k.fx * k.fy)),
        rms_m=float(np.sqrt(np.mean(distance**2))),
        centre=centre - signed_distance(centre, normal, offset) * normal,
    )


def _large_pieces(mask: Mask) -> Mask:
    """The connected pieces of a mask, after closing pinholes, that have at least 5 % of the largest one's cells."""
    closed = mask.copy()
    closed[1:-1] |= mask[:-2] & mask[2:]
    closed[:, 1:-1] |= mask[:, :-2] & mask[:, 2:]
    labels = label_regions(closed)
    inside = labels[mask]
    if not inside.size:
        return mask
    counts = np.bincount(inside)
    keep = counts >= max(8.0, 0.05 * counts.max())
    out = mask.copy()
    out[mask] = keep[inside]
    return out


def fit_plane(grid: SurfaceGrid, region: Mask) -> Plane | None:
    """A robust plane through a region of the grid, None where the region is no plane or has too few known cells.

    Args:
        grid: the surface.
        region: (rows, cols) boolean.
    """
    index = np.flatnonzero(region & np.isfinite(grid.w))
    if len(index) < _MIN_CELLS:
        return None
    rays, w = grid.rays.reshape(-1, 3)[index], grid.w.ravel()[index]
    tolerance = np.maximum(_COARSE_TOLERANCE * w, 3.0 * grid.noise.ravel()[index])
    candidates = grid.m.reshape(-1, 3)[index]
    chosen = candidates[np.isfinite(candidates).all(axis=1)]
    rng = np.random.default_rng(0)
    if len(chosen) > 50:
        chosen = chosen[rng.choice(len(chosen), 50, replace=False)]
    guesses = [_least_squares(rays, w, 1.0 / w**2), *chosen]
    best, most = None, 0.0
    for m in guesses:
        if not np.isfinite(m).all():
            continue
        with np.errstate(invalid="ignore"):
            score = float(np.maximum(1.0 - ((w - rays @ m) / tolerance) ** 2, 0.0).sum())
        if score > most:
            best, most = m, score
    return None if best is None else _fit(grid, region, best, pieces=False)


def find_planes(grid: SurfaceGrid, max_planes: int = 16, min_share: float = 0.01) -> list[Plane]:
    """The dominant planes of a photo, the one with most cells first.

    One-point RANSAC (each local plane is a hypothesis; Fischler & Bolles, 1981) on a thinned grid: cells vote where both
    position and normal agree; the winner is refined until its own residuals set the tolerance, its cells are taken out, and so
    on. Planes that turn out to be one are merged, and each is fitted once more on the full grid.

    Args:
        grid: the surface; works for relative inverse depth as well, as planes stay planes under scale and shift.
        max_planes: stop after so many.
        min_share: of the grid's cells; smaller planes are not reported.
    """
    small = grid.thinned(_SEARCH_COLS)
    w, noise = small.w.ravel(), small.noise.ravel()
    rays = small.rays.reshape(-1, 3)
    m_local = small.m.reshape(-1, 3)
    unit_normals = small.normals.reshape(-1, 3)
    with np.errstate(invalid="ignore"):
        free = np.isfinite(w) & np.isfinite(m_local).all(axis=1)
        tolerance = np.maximum(_COARSE_TOLERANCE * w, 3.0 * noise)
        free &= np.abs(small.local.value.ravel() - w) <= tolerance
    needed = max(_MIN_CELLS, int(min_share * w.size))
    rng = np.random.default_rng(0)
    found: list[Float64] = []

    def votes(m: Array, cells: NDArray[np.intp]) -> Mask:
        normal = -m / np.linalg.norm(m)
        near = np.abs(w[cells] - rays[cells] @ m) <= tolerance[cells]
        return near & (unit_normals[cells] @ normal >= _NORMAL_TOLERANCE)

    while len(found) < 2 * max_planes:
        cells = np.flatnonzero(free)
        if len(cells) < needed:
            break
        voters = cells if len(cells) <= 4000 else rng.choice(cells, 4000, replace=False)
        guesses = rng.choice(cells, min(_HYPOTHESES, len(cells)), replace=False)
        scores = [np.count_nonzero(votes(m_local[g], voters)) for g in guesses]
        best_m, best_votes = None, 0
        for g in guesses[np.argsort(scores)[::-1][:8]]:  # the noise of one cell's normal is polished away first
            m = m_local[g]
            for _ in range(3):
                inside = voters[votes(m, voters)]
                if len(inside) < 10:
                    break
                refined = _least_squares(rays[inside], w[inside], 1.0 / np.maximum(noise, 1e-3 * w)[inside] ** 2)
                if not np.isfinite(refined).all():
                    break
                m = refined
            count = int(np.count_nonzero(votes(m, voters)))
            if count > best_votes:
                best_m, best_votes = m, count
        if best_m is None or best_votes * len(cells) / len(voters) < 0.5 * needed:
            break
        inside = cells[votes(best_m, cells)]
        free[inside] = False
        mask = np.zeros(small.w.shape, bool)
        mask.flat[inside] = True
        piece = _fit(small, mask, best_m, pieces=True)
        if piece is not None and np.count_nonzero(piece.mask) >= 0.5 * needed:
            found.append(piece.m)

    planes = [plane for m in found if (plane := _refit(grid, m)) is not None]
    planes.sort(key=lambda plane: -np.count_nonzero(plane.mask))
    kept: list[Plane] = []
    for plane in planes:
        if plane.share < min_share or any(_is_part_of(plane, other) for other in kept):
            continue
        kept.append(plane)
        if len(kept) == max_planes:
            break
    return kept


def _refit(grid: SurfaceGrid, m: Array) -> Plane | None:
    with np.errstate(invalid="ignore"):
        near = np.abs(grid.w - grid.rays @ m) <= np.maximum(_COARSE_TOLERANCE * grid.w, 6.0 * grid.noise)
        aligned = grid.normals @ (-m / np.linalg.norm(m)) >= _NORMAL_TOLERANCE
    return _fit(grid, near & aligned, m, pieces=True)


def _is_part_of(plane: Plane, other: Plane) -> bool:
    """True if most cells of a plane belong to a larger one already."""
    return bool(np.count_nonzero(plane.mask & other.mask) > 0.5 * np.count_nonzero(plane.mask))


def classify(planes: Sequence[Plane], up: Array, grid: SurfaceGrid, within_deg: float = 5.0) -> list[Plane]:
    """Name planes by their place in a levelled room: floor, ceiling, wall, other, each with a confidence.

    The floor is the lowest of the level planes seen from above that has any weight, if nothing much lies below it: where
    walls go on downwards, a table top or a seat is ``other``. The ceiling is the highest of those seen from below, likewise.
    What lies behind a wall, as a garden does behind a window, is no evidence.

    Args:
        planes: of one photo.
        up: (3,) unit vector against gravity, camera frame.
        grid: that the planes were found in.
        within_deg: how far from level or plumb a plane may be.
    """
    tilts = [angle_between(plane.normal, up) for plane in planes]
    walls = [plane for plane, t in zip(planes, tilts, strict=True) if abs(t - 90.0) <= within_deg]
    heights = [float(plane.centre @ up) for plane in planes]
    above = [i for i, t in enumerate(tilts) if t >= 180.0 - within_deg and heights[i] > 0]
    beneath = [i for i, t in enumerate(tilts) if t <= within_deg and heights[i] < 0]
    beneath = [i for i in beneath if not _seen_through_a_wall(planes[i], walls)]
    point_heights = _heights_before_walls(grid, walls, up)
    floor = _lowest(beneath, heights, planes, point_heights)
    ceiling = _lowest(above, [-h for h in heights], planes, -point_heights)
    out = []
    for i, plane in enumerate(planes):
        kind: PlaneKind = "other"
        off = 90.0
        if floor is not None and i in beneath and abs(heights[i] - heights[floor]) <= 0.02 * abs(heights[floor]):
            kind, off = "floor", tilts[i]
        elif ceiling is not None and i in above and abs(heights[i] - heights[ceiling]) <= 0.02 * heights[ceiling]:
            kind, off = "ceiling", 180.0 - tilts[i]
        elif abs(tilts[i] - 90.0) <= within_deg:
            kind, off = "wall", abs(tilts[i] - 90.0)
        if kind == "other":
            out.append(replace(plane, kind=kind, confidence=0.5))
            continue
        # Certain where it is plumb and large in the picture, doubtful where it is a scrap or leans.
        confidence = np.exp(-0.5 * (off / (0.5 * within_deg)) ** 2) * plane.share / (plane.share + 0.01)
        out.append(replace(plane, kind=kind, confidence=float(confidence)))
    return out


def _heights_before_walls(grid: SurfaceGrid, walls: Sequence[Plane], up: Array) -> Float64:
    """Heights (N,) above the camera of a sample of the points, without those seen through a wall.

    Each is shortened by three standard deviations of its noise.
    """
    step = -(-grid.cols // 160)
    sample = np.s_[::step, ::step]
    w, points, noise = grid.w[sample], grid.points[sample], grid.noise[sample]
    keep = np.isfinite(w)
    rows, cols = np.arange(0, grid.rows, step)[:, None], np.arange(0, grid.cols, step)[None, :]
    for wall in walls:
        if wall.share < _MIN_WALL_SHARE:
            continue
        with np.errstate(invalid="ignore"):
            keep &= ~(_inside_outline(wall, rows, cols) & (wall.signed_distance(points) < 0.05 * wall.offset_m))
    with np.errstate(invalid="ignore"):
        heights = points @ up / (1.0 + 3.0 * noise / w)
    return np.asarray(heights[keep], np.float64)


def _inside_outline(plane: Plane, rows: NDArray[np.int_], cols: NDArray[np.int_]) -> Mask:
    """Whether cells lie within the rows and columns of the picture that a plane spans."""
    own_rows, own_cols = np.flatnonzero(plane.mask.any(axis=1)), np.flatnonzero(plane.mask.any(axis=0))
    within_rows = (rows >= own_rows[0]) & (rows <= own_rows[-1])
    return within_rows & (cols >= own_cols[0]) & (cols <= own_cols[-1])


def _lowest(candidates: list[int], heights: list[float], planes: Sequence[Plane], point_heights: Float64) -> int | None:
    """The lowest candidate with at least a tenth of the cells of the largest one, None if points go on below it."""
    candidates = [i for i in candidates if planes[i].share >= _MIN_FLOOR_SHARE]
    if not candidates:
        return None
    largest = max(planes[i].share for i in candidates)
    lowest = min((i for i in candidates if planes[i].share >= 0.1 * largest), key=lambda i: heights[i])
    below = np.mean(point_heights < (1.0 + _BELOW_MARGIN) * heights[lowest]) if len(point_heights) else 0.0
    return lowest if below <= min(_MOST_BELOW, 0.3 * planes[lowest].share) else None


def _seen_through_a_wall(plane: Plane, walls: Sequence[Plane]) -> bool:
    """True if a plane lies behind a wall and inside its outline in the picture, as a garden does behind a window."""
    cells = np.argwhere(plane.mask)
    return any(
        wall.share >= _MIN_WALL_SHARE
        and float(wall.signed_distance(plane.centre)) < 0.1 * wall.offset_m
        and float(_inside_outline(wall, cells[:, 0], cells[:, 1]).mean()) > 0.95
        for wall in walls
    )
