"""What lies behind depth edges: a second layer of the grid that continues the background under the foreground.

A photo shows one surface per pixel. Move the camera sideways and a gap opens beside everything in front of something else. This
layer fills the gaps with a guess: the plane of the background goes on, with its colours mirrored at the edge. It is marked as
invented, and nothing is ever measured on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..cameras.intrinsics import Intrinsics
from . import quaternion
from .gaussians import GaussianCloud, Grid
from .lifting import OPACITY, footprints

REACH_M = 0.2
"""Default sideways move of the camera, metres, that uncovers nothing but what was filled."""
MIN_STEP = 0.03
"""A depth edge: the continued planes of two neighbours miss each other by more than this share of the inverse depth."""
_MAX_DRIFT = 1.5  # a continued plane is believed within this factor of the depth where it was seen

_DETAILS = ("invented_layers", "reach_m")

Index = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Front:
    """The visible layer: (cells,) inverse depth (0 = unknown) and (cells, 3) planes m with m · ray = 1/z, and the rays."""

    rows: int
    cols: int
    w: Float64
    planes: Float64
    ray_x: Float64
    ray_y: Float64

    def plane_at(self, source: Index, cell: Index) -> Float64:
        """Inverse depth at ``cell`` (N,) of the plane seen at ``source`` (N,), kept from drifting away without end."""
        m = self.planes[source]
        w = m[:, 0] * self.ray_x[cell % self.cols] + m[:, 1] * self.ray_y[cell // self.cols] + m[:, 2]
        return np.clip(w, self.w[source] / _MAX_DRIFT, self.w[source] * _MAX_DRIFT)


def fill_behind_edges(cloud: GaussianCloud, reach_m: float = REACH_M) -> GaussianCloud:
    """A cloud of one grid layer → the same Gaussians, and behind its depth edges a second, invented layer.

    The camera may move ``reach_m`` sideways, up or down before a gap opens: at an edge between inverse depths w_near and w_far
    that uncovers reach · f · (w_near − w_far) cells of the background, and so many are filled.

    Args:
        cloud: made by :func:`~image_to_3d.core.cloud.lifting.lift`, or of that kind: flat Gaussians on the rays of one grid layer.
        reach_m: metres; 0 fills nothing.

    Returns:
        A cloud with a grid of two layers. Layer 0 is the given one, unchanged; layer 1 holds Gaussians only where something is
        filled. ``provenance.details["invented_layers"]`` is [1].

    Raises:
        ValueError: the cloud has no grid of one layer or no intrinsics, or the reach is negative.
    """
    if cloud.grid is None or cloud.grid.layers != 1 or cloud.intrinsics is None:
        raise ValueError("only a cloud with one grid layer and intrinsics can be filled")
    if not (np.isfinite(reach_m) and reach_m >= 0):
        raise ValueError(f"a camera cannot move by {reach_m} m")
    rows, cols = cloud.grid.rows, cloud.grid.cols
    front = _front(cloud, cloud.intrinsics)
    k = cloud.intrinsics.resized(cols, rows)
    cell, source = _spread(front, reach_m * 0.5 * (k.fx + k.fy))
    details = {**cloud.provenance.details, "invented_layers": [1], "reach_m": reach_m}
    provenance = replace(cloud.provenance, details=details)
    grid = Grid(2, rows, cols)
    if not len(cell):
        return replace(cloud, grid=grid, grid_index=cloud.cells(), provenance=provenance)
    hidden = _gaussians(front, cloud, cell, source)
    index = np.concatenate([cloud.cells(), rows * cols + cell]).astype(np.int32)
    return replace(
        cloud,
        positions=np.concatenate([cloud.positions, hidden.positions]),
        scales=np.concatenate([cloud.scales, hidden.scales]),
        rotations=np.concatenate([cloud.rotations, hidden.rotations]),
        colours=np.concatenate([cloud.colours, hidden.colours]),
        opacities=np.concatenate([cloud.opacities, hidden.opacities]),
        grid=grid,
        grid_index=index,
        provenance=provenance,
    )


def with_fill(cloud: GaussianCloud, fill: bool | None) -> GaussianCloud:
    """A cloud with what a person wants behind its depth edges.

    Args:
        cloud: of any engine.
        fill: True: :func:`fill_behind_edges` where the cloud has one grid layer; a cloud with more layers, or without a camera,
            stays as it is. False: no invented Gaussians. None: as the engine made it.
    """
    if fill is None:
        return cloud
    if not fill:
        return without_invented(cloud)
    if cloud.grid is None or cloud.grid.layers != 1 or cloud.intrinsics is None:
        return cloud
    return fill_behind_edges(cloud)


def invented(cloud: GaussianCloud) -> NDArray[np.bool_]:
    """(N,) True for the Gaussians of layers that ``provenance.details["invented_layers"]`` names."""
    layers = cloud.provenance.details.get("invented_layers")
    if not layers or cloud.grid is None:
        return np.zeros(len(cloud), bool)
    return np.isin(cloud.cells() // (cloud.grid.rows * cloud.grid.cols), layers)


def without_invented(cloud: GaussianCloud) -> GaussianCloud:
    """The Gaussians that the photo shows; a grid whose other layers were invented has one layer again."""
    if not cloud.provenance.details.get("invented_layers"):
        return cloud
    seen = cloud.select(~invented(cloud))
    details = {key: value for key, value in cloud.provenance.details.items() if key not in _DETAILS}
    provenance = replace(cloud.provenance, details=details)
    grid = seen.grid
    if grid is None:
        return replace(seen, provenance=provenance)
    layers = 1 + int(seen.cells().max(initial=0)) // (grid.rows * grid.cols)
    return replace(seen, provenance=provenance, grid=Grid(layers, grid.rows, grid.cols), grid_index=seen.cells())


def _front(cloud: GaussianCloud, intrinsics: Intrinsics) -> _Front:
    assert cloud.grid is not None
    rows, cols = cloud.grid.rows, cloud.grid.cols
    ray_x, ray_y = intrinsics.pixel_rays(rows, cols)
    cells = cloud.cells()
    positions = cloud.positions.astype(np.float64)
    # The shortest axis of a flat Gaussian is the normal of its surface.
    axes = quaternion.to_matrix(cloud.rotations.astype(np.float64))
    thinnest = cloud.scales.argmin(axis=1)
    normals = np.take_along_axis(axes, thinnest[:, None, None], axis=2)[..., 0]
    w = np.zeros(rows * cols)
    planes = np.zeros((rows * cols, 3))
    w[cells] = 1.0 / positions[:, 2]
    offset = np.einsum("ij,ij->i", normals, positions)
    facing = np.abs(offset) > 1e-3 * np.linalg.norm(positions, axis=1)
    planes[cells, 2] = w[cells]  # seen edge-on a plane tells nothing; it is taken to face the camera
    planes[cells[facing]] = normals[facing] / offset[facing, None]
    return _Front(rows, cols, w, planes, ray_x, ray_y)


def _neighbours(front: _Front, cell: Index) -> tuple[Index, Index]:
    """For the four neighbours of each cell that lie on the grid: (position in ``cell``, neighbour), concatenated."""
    row, col = cell // front.cols, cell % front.cols
    which = np.arange(len(cell))
    inside = (col > 0, col < front.cols - 1, row > 0, row < front.rows - 1)
    steps = (-1, 1, -front.cols, front.cols)
    return (
        np.concatenate([which[ok] for ok in inside]),
        np.concatenate([cell[ok] + step for ok, step in zip(inside, steps, strict=True)]),
    )


def _edges(front: _Front) -> tuple[Index, Index]:
    """(background cell, foreground neighbour) wherever a depth edge runs between them."""
    flat = np.arange(front.rows * front.cols).reshape(front.rows, front.cols)
    a = np.concatenate([flat[:, :-1].ravel(), flat[:-1].ravel()])
    b = np.concatenate([flat[:, 1:].ravel(), flat[1:].ravel()])
    both = (front.w[a] > 0) & (front.w[b] > 0)
    a, b = a[both], b[both]
    behind = np.where(front.w[a] < front.w[b], a, b)
    before = a + b - behind
    candidate = front.w[behind] < (1 - MIN_STEP) * front.w[before]
    behind, before = behind[candidate], before[candidate]
    # A steep surface also steps from cell to cell; only where each plane misses the other cell it is an edge.
    step = (front.plane_at(behind, before) < (1 - MIN_STEP) * front.w[before]) & (
        (1 - MIN_STEP) * front.plane_at(before, behind) > front.w[behind]
    )
    return behind[step], before[step]


def _spread(front: _Front, focal_reach: float) -> tuple[Index, Index]:
    """The cells to fill, ascending, and for each the background cell whose plane goes on there.

    Breadth first from the depth edges, the nearest source first, as long as the continued plane stays behind the foreground.

    Args:
        front: visible layer.
        focal_reach: reach · focal length, metres · cells.
    """
    source_of = np.full(front.rows * front.cols, -1, np.int64)
    source, cell = _edges(front)
    limit = focal_reach * (front.w[cell] - front.plane_at(source, cell))
    while len(cell):
        away_u, away_v = cell % front.cols - source % front.cols, cell // front.cols - source // front.cols
        distance = np.hypot(away_u, away_v)
        ok = (source_of[cell] < 0) & (front.w[cell] > 0) & (distance < limit + 0.5)
        ok &= front.plane_at(source, cell) < (1 - MIN_STEP) * front.w[cell]
        cell, source, limit, distance = cell[ok], source[ok], limit[ok], distance[ok]
        order = np.lexsort((distance - limit, distance, cell))
        cell, source, limit = cell[order], source[order], limit[order]
        first = np.diff(cell, prepend=-1) > 0
        cell, source, limit = cell[first], source[first], limit[first]
        source_of[cell] = source
        which, cell = _neighbours(front, cell)
        source, limit = source[which], limit[which]
    filled = np.flatnonzero(source_of >= 0)
    return filled, source_of[filled]


def _gaussians(front: _Front, cloud: GaussianCloud, cell: Index, source: Index) -> GaussianCloud:
    """The filled cells on the continued planes."""
    assert cloud.intrinsics is not None
    row, col = cell // front.cols, cell % front.cols
    rays = np.stack([front.ray_x[col], front.ray_y[row], np.ones(len(cell))], axis=-1)
    z = 1.0 / front.plane_at(source, cell)
    step = (
        cloud.intrinsics.width / front.cols / cloud.intrinsics.fx,
        cloud.intrinsics.height / front.rows / cloud.intrinsics.fy,
    )
    m = front.planes[source]
    scales, rotations = footprints(rays, z, m[:, 0] * step[0], m[:, 1] * step[1], step)
    return GaussianCloud(
        positions=(rays * z[:, None]).astype(np.float32),
        scales=scales,
        rotations=rotations,
        colours=_mirrored_colours(front, cloud, cell, source),
        opacities=np.full(len(cell), OPACITY, np.float32),
    )


def _mirrored_colours(front: _Front, cloud: GaussianCloud, cell: Index, source: Index) -> NDArray[np.float32]:
    """The background's colours, mirrored at the edge; the edge's own colour where the mirror image is of something else."""
    position = np.full(front.rows * front.cols, -1, np.int64)
    position[cloud.cells()] = np.arange(len(cloud))
    row, col = 2 * (source // front.cols) - cell // front.cols, 2 * (source % front.cols) - cell % front.cols
    on_grid = (row >= 0) & (row < front.rows) & (col >= 0) & (col < front.cols)
    mirror = np.where(on_grid, row * front.cols + col, source)
    expected = front.plane_at(source, mirror)
    same = (front.w[mirror] > 0) & (np.abs(front.w[mirror] - expected) <= MIN_STEP * expected)
    return cloud.colours[position[np.where(same, mirror, source)]]
