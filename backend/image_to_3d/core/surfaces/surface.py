"""The visible surface of a photo's picture grid: local planes, normals, depth edges, and a mesh without curtains.

Everything here rests on one fact: along a plane n · X = d the *inverse* depth 1/z = (n · ray) / d is an affine function of
pixel coordinates, however steeply the plane is seen. Planes are therefore written as m = n / d, with m · ray = 1/z, where
ray = ((u − cx)/fx, (v − cy)/fy, 1); fitting one is linear least squares, and a depth edge is a break of an affine function.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..cameras.intrinsics import Intrinsics
from ..cloud.gaussians import GaussianCloud
from ..depth.depth_maps import LocalPlanes, fit_local_planes, inverse_depth

Array = NDArray[np.floating]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_JUMP = 0.01
"""A break smaller than this share of the inverse depth is not called a depth edge: 3 cm at 3 m."""

MAX_FACE_DEPTH_RATIO = 1.25
"""A face whose farthest corner is more than this farther than its nearest is a curtain, however noisy the depth beside it: on a
floor seen from eye height it takes distances of tens of metres to get there."""

_NOISE_BLOCK = 32
_NOISE_PERCENTILE = 30.0  # below the median, because edges and clutter in a block only add to the residuals


@dataclass(frozen=True, eq=False)
class SameSurface:
    """Which neighbouring cells lie on one surface, without a depth edge between them.

    Attributes:
        right: (rows, cols − 1), link between a cell and the one to its right.
        down: (rows − 1, cols), link between a cell and the one below.
    """

    right: Mask
    down: Mask


@dataclass(frozen=True, eq=False)
class SurfaceMesh:
    """A quad mesh of the visible surface.

    Attributes:
        vertices: (V, 3) float32, OpenCV camera frame, metres.
        faces: (F, 4) int32, quads whose front side looks at the camera (counter-clockwise as the camera sees them).
        uvs: (V, 2) float32 in [0, 1], where the vertex lies in the photo; (0, 0) is the lower left corner, as Blender counts.
        cells: (V,) int32, flat grid cell (row · cols + col) of each vertex.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uvs: NDArray[np.float32]
    cells: NDArray[np.int32]


def planes_through(local: LocalPlanes, intrinsics: Intrinsics) -> Float64:
    """m = n / d (rows, cols, 3) of local planes, with m · ray = 1/z; 1/m, OpenCV camera frame.

    Args:
        local: of the grid.
        intrinsics: of the photo; the grid covers the whole photo.
    """
    rows, cols = local.value.shape
    x, y = intrinsics.pixel_rays(rows, cols)
    k = intrinsics.resized(cols, rows)
    mx, my = local.gradient[..., 0] * k.fx, local.gradient[..., 1] * k.fy
    return np.stack([mx, my, local.value - mx * x - my * y[:, None]], axis=-1)


def planes_through_cell(w: float, gradient: Array, ray: Array, grid_intrinsics: Intrinsics) -> Float64:
    """m = n / d (3,) of one local plane: inverse depth ``w`` on ``ray``, ``gradient`` (2,) per cell of the grid."""
    mx, my = float(gradient[0]) * grid_intrinsics.fx, float(gradient[1]) * grid_intrinsics.fy
    return np.array([mx, my, w - mx * float(ray[0]) - my * float(ray[1])])


def normals_of_planes(m: Array) -> Float64:
    """Unit normals (..., 3) towards the camera of planes m = n / d: points X on the plane satisfy m · X = 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return -m / np.linalg.norm(m, axis=-1, keepdims=True)


def normals(depth: Array, intrinsics: Intrinsics, radius: int = 2) -> Float64:
    """Unit surface normals (rows, cols, 3) towards the camera, OpenCV camera frame; NaN where depth is unknown.

    Args:
        depth: planar depth (rows, cols), metres; the grid covers the whole photo.
        intrinsics: of the photo.
        radius: half width of the window in cells.
    """
    return normals_of_planes(planes_through(fit_local_planes(inverse_depth(depth), radius), intrinsics))


def quantisation(w: Array) -> Float64:
    """Standard deviation (rows, cols), 1/m, that rounding has left in an inverse depth image: step / √12.

    Depth cameras and 16-bit files know only some values of depth. Where few values serve many cells, the gap between
    neighbouring values is the step; without it a patch of one value would pass for a perfect plane facing the camera.
    """
    out = np.zeros(w.shape)
    known = np.isfinite(w)
    values, inverse, counts = np.unique(w[known], return_inverse=True, return_counts=True)
    if len(values) < 3:
        return out
    window = np.ones(min(9, len(values)))
    gap = np.diff(values, append=values[-1] + (values[-1] - values[-2]))
    mean_gap = np.convolve(gap, window, "same") / np.convolve(np.ones_like(gap), window, "same")
    cells = np.convolve(counts, window, "same") / np.convolve(np.ones_like(gap), window, "same")
    step = np.where(cells >= 20, np.minimum(gap, mean_gap), 0.0)
    out[known] = step[inverse.ravel()] / np.sqrt(12.0)
    return out


def noise_level(w: Array, local: LocalPlanes) -> Float64:
    """Typical noise of inverse depth (rows, cols), 1/m: the lower residuals of the local planes in blocks of 32 × 32 cells,
    or what rounding leaves (:func:`quantisation`), whichever is larger.

    Blocks without any fit take the median of the whole grid; a grid without any has noise zero.
    """
    rows, cols = local.rms.shape
    finite = local.rms[np.isfinite(local.rms)]
    out = np.full((rows, cols), float(np.median(finite)) if finite.size else 0.0)
    for top in range(0, rows, _NOISE_BLOCK):
        for left in range(0, cols, _NOISE_BLOCK):
            block = np.s_[top : top + _NOISE_BLOCK, left : left + _NOISE_BLOCK]
            values = local.rms[block]
            values = values[np.isfinite(values)]
            if values.size >= 16:
                out[block] = np.percentile(values, _NOISE_PERCENTILE)
    return np.maximum(out, quantisation(w))


def same_surface(w: Array, local: LocalPlanes, noise: Array, min_jump: float = MIN_JUMP) -> SameSurface:
    """Links between neighbouring cells that no depth edge separates.

    Two neighbours are linked where both lie on their own local planes and these two planes meet between them, both within
    ``min_jump`` of the inverse depth or four times the noise. Steep but flat surfaces (a floor near the horizon) stay linked,
    creases (wall and floor) too; steps and flying pixels do not.

    Args:
        w: (rows, cols) inverse depth; NaN is unknown.
        local: its local planes.
        noise: (rows, cols) its noise level.
        min_jump: relative to the inverse depth.
    """
    tolerance = np.maximum(min_jump * np.abs(np.nan_to_num(w)), 4.0 * noise)
    with np.errstate(invalid="ignore"):
        on_plane = np.abs(w - local.value) <= tolerance

        def meet(axis: int) -> Mask:
            n = w.shape[axis]
            first, second = (np.arange(n - 1), np.arange(1, n))
            half_step = 0.5 * local.gradient[..., 1 - axis]
            a = np.take(local.value + half_step, first, axis)
            b = np.take(local.value - half_step, second, axis)
            limit = np.minimum(np.take(tolerance, first, axis), np.take(tolerance, second, axis))
            both = np.take(on_plane, first, axis) & np.take(on_plane, second, axis)
            return both & (np.abs(a - b) <= limit)

        return SameSurface(right=meet(1), down=meet(0))


def label_regions(mask: Mask, links: SameSurface | None = None) -> NDArray[np.int32]:
    """Connected regions (4-neighbourhood) of a mask: (rows, cols) int32, −1 outside, else 0, 1, … by decreasing size.

    Args:
        mask: (rows, cols).
        links: where given, neighbours are connected only along these links.
    """
    rows, cols = mask.shape
    flat = np.arange(rows * cols).reshape(rows, cols)
    right = mask[:, :-1] & mask[:, 1:]
    down = mask[:-1] & mask[1:]
    if links is not None:
        right, down = right & links.right, down & links.down
    a = np.concatenate([flat[:, :-1][right], flat[:-1][down]])
    b = np.concatenate([flat[:, 1:][right], flat[1:][down]])
    parent = flat.ravel().copy()
    while True:  # hooking and pointer jumping (Shiloach & Vishkin, 1982): logarithmically many rounds
        root_a, root_b = parent[a], parent[b]
        low, high = np.minimum(root_a, root_b), np.maximum(root_a, root_b)
        if not (low != high).any():
            break
        np.minimum.at(parent, high, low)
        while True:
            jumped = parent[parent]
            if np.array_equal(jumped, parent):
                break
            parent = jumped
    labels = np.full(rows * cols, -1, np.int32)
    inside = mask.ravel()
    roots, inverse, counts = np.unique(parent[inside], return_inverse=True, return_counts=True)
    rank = np.empty(len(roots), np.int32)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(roots), dtype=np.int32)
    labels[inside] = rank[inverse]
    return labels.reshape(rows, cols)


@dataclass(frozen=True, eq=False)
class SurfaceGrid:
    """The visible surface of one photo: planar depth on a grid that covers the photo, with what follows from it.

    Attributes:
        depth: (rows, cols) planar depth z, metres; NaN (or 0, or infinity) where unknown.
        intrinsics: of the photo; the grid may be coarser or finer than the photo.
    """

    depth: Float64
    intrinsics: Intrinsics

    def __post_init__(self) -> None:
        depth = np.asarray(self.depth, np.float64)
        if depth.ndim != 2 or not depth.size:
            raise ValueError(f"depth is (rows, cols), not {depth.shape}")
        object.__setattr__(self, "depth", np.where(np.isfinite(depth) & (depth > 0), depth, np.nan))

    @classmethod
    def from_cloud(cls, cloud: GaussianCloud) -> SurfaceGrid:
        """The front layer of a cloud that was made from a photo.

        Raises:
            ValueError: the cloud has no grid or no intrinsics.
        """
        if cloud.intrinsics is None:
            raise ValueError("this cloud has no intrinsics")
        return cls(np.asarray(cloud.depth_image(0), np.float64), cloud.intrinsics)

    @property
    def rows(self) -> int:
        """Rows of the grid."""
        return int(self.depth.shape[0])

    @property
    def cols(self) -> int:
        """Columns of the grid."""
        return int(self.depth.shape[1])

    @cached_property
    def w(self) -> Float64:
        """(rows, cols) inverse depth, 1/m; NaN where unknown."""
        return inverse_depth(self.depth)

    @cached_property
    def rays(self) -> Float64:
        """(rows, cols, 3) rays (x/z, y/z, 1) through the cell centres."""
        x, y = self.intrinsics.pixel_rays(self.rows, self.cols)
        out = np.ones((self.rows, self.cols, 3))
        out[..., 0], out[..., 1] = x, y[:, None]
        return out

    @cached_property
    def points(self) -> Float64:
        """(rows, cols, 3) points, OpenCV camera frame, metres; NaN where unknown."""
        return self.rays * self.depth[..., None]

    @cached_property
    def local(self) -> LocalPlanes:
        """Local planes of the inverse depth."""
        return fit_local_planes(self.w)

    @cached_property
    def m(self) -> Float64:
        """(rows, cols, 3) local planes as m = n / d, 1/m; NaN where unknown."""
        return planes_through(self.local, self.intrinsics)

    @cached_property
    def normals(self) -> Float64:
        """(rows, cols, 3) unit normals towards the camera; NaN where unknown."""
        return normals_of_planes(self.m)

    @cached_property
    def noise(self) -> Float64:
        """(rows, cols) noise level of inverse depth, 1/m."""
        return noise_level(self.w, self.local)

    @cached_property
    def links(self) -> SameSurface:
        """Neighbours on one surface."""
        return same_surface(self.w, self.local, self.noise)

    def scaled(self, factor: float) -> SurfaceGrid:
        """The same picture with all lengths multiplied by ``factor``."""
        return SurfaceGrid(self.depth * factor, self.intrinsics)

    def thinned(self, max_cols: int) -> SurfaceGrid:
        """Every k-th cell in both directions, k the smallest that leaves at most ``max_cols`` columns; self if it already fits.

        The rows and columns left over at the far borders are cut off, and the intrinsics describe what remains: its pixels
        are the kept cells.
        """
        k = -(-self.cols // max_cols)
        if k == 1:
            return self
        rows, cols = max(1, self.rows // k), max(1, self.cols // k)
        half = k // 2
        depth = self.depth[half::k, half::k][:rows, :cols]
        rows, cols = depth.shape
        full = self.intrinsics.resized(self.cols, self.rows)
        # The centre of a kept cell, half + 0.5 in cells of the full grid, becomes 0.5.
        cx = (full.cx - half - 0.5) / k + 0.5
        cy = (full.cy - half - 0.5) / k + 0.5
        return SurfaceGrid(depth, Intrinsics(full.fx / k, full.fy / k, cx, cy, cols, rows))


def mesh_from_grid(grid: SurfaceGrid, max_vertices: int = 200_000) -> SurfaceMesh:
    """A quad mesh of the visible surface with at most ``max_vertices`` vertices and no face across a depth edge or a hole.

    Every k-th row and column is kept, the last ones included; a quad is made where all cells under it are linked
    (:func:`same_surface`), so a coarser mesh ends a little earlier beside an edge but never bridges it, and where its corners'
    depths are within ``MAX_FACE_DEPTH_RATIO``.

    Args:
        grid: the surface.
        max_vertices: k is the smallest step that keeps the vertices within this number.

    Raises:
        ValueError: ``max_vertices`` is less than four.
    """
    if max_vertices < 4:
        raise ValueError(f"a mesh needs at least four vertices, not {max_vertices}")
    step = 1
    while (-(-(grid.rows - 1) // step) + 1) * (-(-(grid.cols - 1) // step) + 1) > max_vertices:
        step += 1
    rows = np.unique(np.append(np.arange(0, grid.rows, step), grid.rows - 1))
    cols = np.unique(np.append(np.arange(0, grid.cols, step), grid.cols - 1))

    # Broken links under a quad, counted with summed-area tables.
    def broken(links: Mask, row_ends: NDArray[np.intp], col_ends: NDArray[np.intp]) -> NDArray[np.int64]:
        table = np.zeros((links.shape[0] + 1, links.shape[1] + 1), np.int64)
        table[1:, 1:] = np.cumsum(np.cumsum(~links, axis=0), axis=1)
        top, bottom = rows[:-1, None], row_ends[:, None]
        left, right = cols[None, :-1], col_ends[None, :]
        return table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]

    whole = (broken(grid.links.right, rows[1:] + 1, cols[1:]) + broken(grid.links.down, rows[1:], cols[1:] + 1)) == 0
    depth = grid.depth[np.ix_(rows, cols)]
    ends = np.stack([depth[:-1, :-1], depth[1:, :-1], depth[1:, 1:], depth[:-1, 1:]])
    with np.errstate(invalid="ignore"):
        whole &= ends.max(axis=0) <= MAX_FACE_DEPTH_RATIO * ends.min(axis=0)
    corner = rows[:, None] * grid.cols + cols[None, :]
    quads = np.stack([corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]], axis=-1)[whole]
    used, faces = np.unique(quads, return_inverse=True)
    row, col = used // grid.cols, used % grid.cols
    uvs = np.stack([(col + 0.5) / grid.cols, 1.0 - (row + 0.5) / grid.rows], axis=-1)
    return SurfaceMesh(
        vertices=grid.points[row, col].astype(np.float32),
        faces=faces.reshape(-1, 4).astype(np.int32),
        uvs=uvs.astype(np.float32),
        cells=used.astype(np.int32),
    )
