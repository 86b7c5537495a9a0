"""`GaussianCloud`: the one thing every engine makes and every consumer takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cameras.intrinsics import Intrinsics
from .quaternion import to_matrix

CARRIED_DETAILS = ("inverse_depth", "invented_layers", "depth_error", "camera_lines")
"""What of a provenance's details travels with a cloud, in files and on the wire: calibration, honesty and intervals need it."""

_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Grid:
    """The picture grid that a cloud was made from: flat cell = (layer · rows + row) · cols + col."""

    layers: int
    rows: int
    cols: int

    def __post_init__(self) -> None:
        if min(self.layers, self.rows, self.cols) < 1:
            raise ValueError(f"a grid has at least one cell, not {self.layers}×{self.rows}×{self.cols}")

    @property
    def cells(self) -> int:
        """layers · rows · cols."""
        return self.layers * self.rows * self.cols


@dataclass(frozen=True)
class Provenance:
    """Where a cloud comes from.

    Attributes:
        engine: name of the engine, or ``ply`` for a file of unknown origin.
        metric: True if lengths are in metres by the engine's own claim; False if only up to an unknown scale.
        focal_source: see :class:`~image_to_3d.core.cameras.intrinsics.FocalLength`; None if unknown.
        photo: file name of the photo (no folder), may be empty.
        details: further facts (device, precision, version), JSON-like.
    """

    engine: str
    metric: bool = True
    focal_source: str | None = None
    photo: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def _float32(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    return array


@dataclass(frozen=True, eq=False)
class GaussianCloud:
    """N 3D Gaussians in the OpenCV camera frame of their photo, in metres.

    Attributes:
        positions: (N, 3) float32, metres: x right, y down, z forward.
        scales: (N, 3) float32, standard deviations along the Gaussian's own axes, metres, ≥ 0.
        rotations: (N, 4) float32, unit quaternions (w, x, y, z) from own axes to the camera frame.
        colours: (N, 3) float32, linear Rec. 709 RGB; may exceed 1.
        opacities: (N,) float32 in [0, 1].
        intrinsics: of the photo; None if unknown (a PLY of another program).
        grid: picture grid of the cloud, or None for unordered clouds.
        grid_index: (N,) int32, strictly increasing flat grid cell of each Gaussian; None means all cells in order.
        provenance: engine, metric or not, photo.

    Raises:
        ValueError: wrong shape, NaN or infinity, negative scales, quaternions not of unit length, opacity outside [0, 1],
            or a grid that does not fit.
    """

    positions: NDArray[np.float32]
    scales: NDArray[np.float32]
    rotations: NDArray[np.float32]
    colours: NDArray[np.float32]
    opacities: NDArray[np.float32]
    intrinsics: Intrinsics | None = None
    grid: Grid | None = None
    grid_index: NDArray[np.int32] | None = None
    provenance: Provenance = Provenance("unknown")

    def __post_init__(self) -> None:
        n = np.shape(self.positions)[0] if np.ndim(self.positions) else -1
        for name, shape in (
            ("positions", (n, 3)),
            ("scales", (n, 3)),
            ("rotations", (n, 4)),
            ("colours", (n, 3)),
            ("opacities", (n,)),
        ):
            object.__setattr__(self, name, _float32(name, getattr(self, name), shape))
        if n and float(self.scales.min()) < 0:
            raise ValueError("scales holds negative values")
        if n and not (float(self.opacities.min()) >= 0 and float(self.opacities.max()) <= 1):
            raise ValueError("opacities lie outside [0, 1]")
        if n and float(np.abs(np.einsum("ij,ij->i", self.rotations, self.rotations) - 1).max()) > _UNIT_TOLERANCE:
            raise ValueError("rotations are not unit quaternions")
        self._check_grid(n)

    def _check_grid(self, n: int) -> None:
        if self.grid is None:
            if self.grid_index is not None:
                raise ValueError("grid_index without a grid")
            return
        if self.grid_index is None:
            if n != self.grid.cells:
                raise ValueError(f"{n} Gaussians do not fill a grid of {self.grid.cells} cells")
            return
        index = np.ascontiguousarray(self.grid_index, dtype=np.int32)
        if index.shape != (n,):
            raise ValueError(f"grid_index has shape {index.shape}, expected {(n,)}")
        if n and (index[0] < 0 or index[-1] >= self.grid.cells or (np.diff(index) <= 0).any()):
            raise ValueError("grid_index must increase strictly and stay inside the grid")
        object.__setattr__(self, "grid_index", index)

    def __len__(self) -> int:
        return len(self.positions)

    def cells(self) -> NDArray[np.int32]:
        """Flat grid cell (N,) of each Gaussian.

        Raises:
            ValueError: the cloud has no grid.
        """
        if self.grid is None:
            raise ValueError("this cloud has no picture grid")
        return np.arange(len(self), dtype=np.int32) if self.grid_index is None else self.grid_index

    def select(self, keep: NDArray[np.bool_] | NDArray[np.integer]) -> GaussianCloud:
        """The Gaussians chosen by a boolean mask (N,) or increasing indices; the grid is kept."""
        keep = np.asarray(keep)
        index = np.flatnonzero(keep) if keep.dtype == bool else keep
        if len(index) == len(self) and (keep.dtype == bool or np.array_equal(index, np.arange(len(self)))):
            return self
        return replace(
            self,
            positions=self.positions[index],
            scales=self.scales[index],
            rotations=self.rotations[index],
            colours=self.colours[index],
            opacities=self.opacities[index],
            grid_index=None if self.grid is None else self.cells()[index],
        )

    def covariances(self) -> NDArray[np.float64]:
        """R diag(s²) Rᵀ, shape (N, 3, 3), square metres."""
        axes = to_matrix(self.rotations.astype(np.float64)) * self.scales[:, None, :].astype(np.float64)
        return axes @ np.swapaxes(axes, -1, -2)

    def depth_image(self, layer: int = 0) -> NDArray[np.float32]:
        """Planar depth z of one layer of the grid, shape (rows, cols), metres; NaN where there is no Gaussian."""
        if self.grid is None:
            raise ValueError("this cloud has no picture grid")
        image = np.full(self.grid.cells, np.nan, np.float32)
        image[self.cells()] = self.positions[:, 2]
        return image.reshape(self.grid.layers, self.grid.rows, self.grid.cols)[layer]
