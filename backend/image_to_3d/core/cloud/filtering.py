"""Fewer Gaussians: what is too far, too faint or masked goes; neighbours on the picture grid merge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ErrorCode, ImageTo3DError
from .gaussians import GaussianCloud, Grid
from .quaternion import from_matrix, normalise

_SAME_SURFACE = 1.1
"""Largest ratio of depths within a block that still counts as one surface."""

_SHRINK_STEP = 0.98
"""Depth edges take Gaussians of their own; how much coarser the next try is if there are too many."""


@dataclass(frozen=True, eq=False)
class Filters:
    """What to leave out of a cloud; None leaves nothing out.

    Attributes:
        depth_max: metres, see :func:`within_depth`.
        alpha_threshold: see :func:`opaque`.
        max_gaussians: see :func:`merged`.
        masked: (H, W), see :func:`unmasked`.
    """

    depth_max: float | None = None
    alpha_threshold: float | None = None
    max_gaussians: int | None = None
    masked: NDArray[np.bool_] | None = None

    def apply(self, cloud: GaussianCloud) -> GaussianCloud:
        """What is left.

        Raises:
            ImageTo3DError: ``bad_request`` if nothing is left, or a filter cannot be used on this cloud.
        """
        try:
            if self.masked is not None:
                cloud = unmasked(cloud, self.masked)
            if self.depth_max is not None:
                cloud = within_depth(cloud, self.depth_max)
            if self.alpha_threshold is not None:
                cloud = opaque(cloud, self.alpha_threshold)
            if self.max_gaussians is not None:
                cloud = merged(cloud, self.max_gaussians)
        except ValueError as error:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "files.filters_invalid", why=error) from None
        if not len(cloud):
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "files.nothing_left_by_filters")
        return cloud


def within_depth(cloud: GaussianCloud, depth_max: float) -> GaussianCloud:
    """The Gaussians whose planar depth z is at most ``depth_max`` metres."""
    return cloud.select(cloud.positions[:, 2] <= depth_max)


def opaque(cloud: GaussianCloud, alpha_threshold: float) -> GaussianCloud:
    """The Gaussians of at least that opacity."""
    return cloud.select(cloud.opacities >= alpha_threshold)


def unmasked(cloud: GaussianCloud, masked: NDArray[np.bool_]) -> GaussianCloud:
    """The Gaussians of the pixels that are not masked, on every layer.

    Args:
        cloud: with a picture grid.
        masked: (H, W), True where no Gaussian shall be; any size, stretched over the picture.

    Raises:
        ValueError: the cloud has no picture grid.
    """
    cells = cloud.cells()
    grid = cloud.grid
    assert grid is not None
    height, width = masked.shape
    row, col = cells // grid.cols % grid.rows, cells % grid.cols
    return cloud.select(~masked[(2 * row + 1) * height // (2 * grid.rows), (2 * col + 1) * width // (2 * grid.cols)])


def merged(cloud: GaussianCloud, max_gaussians: int) -> GaussianCloud:
    """At most ``max_gaussians``: blocks of neighbouring cells become one Gaussian each, by matching moments.

    The grid is coarsened by the same factor along both axes, as little as suffices; where that is no whole number, blocks of two
    sizes take turns. Within a block, what lies more than a tenth behind the nearest becomes a Gaussian of its own, so that depth
    edges stay; the result's grid has twice the layers for it.

    Position, covariance and colour are those of the mixture, weighted by opacity × area (area: product of the two largest
    scales). Opacity × area is kept in sum: opacity becomes the mean, and the merged Gaussian grows until its area is the sum of
    the areas, so that a surface is as closed as before.

    Args:
        cloud: with a picture grid; returned as it is if it is small enough.
        max_gaussians: at least 4 times the number of layers.

    Raises:
        ValueError: no picture grid, or ``max_gaussians`` too small.
    """
    if len(cloud) <= max_gaussians:
        return cloud
    if cloud.grid is None:
        raise ValueError("this cloud has no picture grid")
    if max_gaussians < 4 * cloud.grid.layers:
        raise ValueError(f"at least {4 * cloud.grid.layers} Gaussians are needed, not {max_gaussians}")
    shrink = np.sqrt(max_gaussians / len(cloud))
    while True:
        grid, cell = _blocks(cloud, shrink)
        if np.count_nonzero(np.bincount(cell)) <= max_gaussians:
            occupied, group = np.unique(cell, return_inverse=True)
            return _mixtures(cloud, group, grid, occupied)
        shrink *= _SHRINK_STEP


def _blocks(cloud: GaussianCloud, shrink: float) -> tuple[Grid, NDArray[np.int64]]:
    """The grid of blocks, two layers for each, and the flat cell (N,) that each Gaussian falls into."""
    grid = cloud.grid
    assert grid is not None
    cells = cloud.cells().astype(np.int64)
    out = Grid(2 * grid.layers, max(1, int(grid.rows * shrink)), max(1, int(grid.cols * shrink)))
    layer, row, col = cells // (grid.rows * grid.cols), cells // grid.cols % grid.rows, cells % grid.cols
    block = (layer * out.rows + row * out.rows // grid.rows) * out.cols + col * out.cols // grid.cols
    hidden = behind(block, cloud.positions[:, 2], grid.layers * out.rows * out.cols)
    return out, block + (layer + hidden) * (out.rows * out.cols)


def behind(cells: NDArray[np.integer], depths: NDArray[np.floating], count: int) -> NDArray[np.bool_]:
    """Points that lie more than a tenth behind the nearest point of their cell.

    Args:
        cells: (N,) in 0 … count − 1.
        depths: (N,), > 0.
        count: number of cells.
    """
    nearest = np.full(count, np.inf, np.float32)
    np.minimum.at(nearest, cells, depths)
    hidden: NDArray[np.bool_] = depths > _SAME_SURFACE * nearest[cells]
    return hidden


def _mixtures(
    cloud: GaussianCloud, group: NDArray[np.integer], grid: Grid, occupied: NDArray[np.int64]
) -> GaussianCloud:
    count = len(occupied)

    def total(values: NDArray[np.floating]) -> NDArray[np.float64]:
        flat = values.reshape(len(values), -1)
        sums = [np.bincount(group, flat[:, i], minlength=count) for i in range(flat.shape[1])]
        stacked: NDArray[np.float64] = np.stack(sums, axis=-1, dtype=np.float64)
        return stacked.reshape(count, *values.shape[1:])

    ordered = np.sort(cloud.scales.astype(np.float64), axis=1)
    area = np.maximum(ordered[:, 1] * ordered[:, 2], 1e-30)
    coverage = cloud.opacities * area
    weight = np.maximum(coverage, 1e-9 * area)  # invisible ones still have a place
    share = weight / total(weight)[group]
    mean = total(share[:, None] * cloud.positions)
    offset = cloud.positions - mean[group]
    covariance = total(
        share[:, None, None] * (cloud.covariances() + offset[:, :, None] * offset[:, None, :]),
    )
    eigenvalues, axes = np.linalg.eigh(covariance)
    axes[np.linalg.det(axes) < 0, :, 2] *= -1
    scales = np.sqrt(np.maximum(eigenvalues, 0.0))  # ascending

    whole = total(area)
    merged_area = np.maximum(scales[:, 1] * scales[:, 2], 1e-30)
    growth = np.sqrt(np.maximum(whole / merged_area, 1.0))
    scales[:, 1:] *= growth[:, None]
    opacity = total(coverage) / (merged_area * growth**2)

    alone = np.bincount(group, minlength=count) == 1
    single = np.flatnonzero(alone[group])
    result = {
        "positions": mean,
        "scales": scales[:, ::-1],
        "rotations": normalise(from_matrix(_columns_reversed(axes))),
        "colours": total(share[:, None] * cloud.colours),
        "opacities": np.clip(opacity, 0.0, 1.0),
    }
    fields = {name: values.astype(np.float32) for name, values in result.items()}
    for name, values in fields.items():
        values[group[single]] = getattr(cloud, name)[single]  # nothing to merge: exactly as it was
    provenance = cloud.provenance
    if layers := provenance.details.get("invented_layers"):  # each layer became two, see _blocks
        halves = [half for layer in layers for half in (2 * layer, 2 * layer + 1)]
        provenance = replace(provenance, details={**provenance.details, "invented_layers": halves})
    return replace(cloud, **fields, grid=grid, grid_index=occupied.astype(np.int32), provenance=provenance)


def _columns_reversed(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns in the opposite order, one of them negated so that the rotation stays right-handed."""
    out = axes[:, :, ::-1].copy()
    out[:, :, 2] *= -1
    return out
