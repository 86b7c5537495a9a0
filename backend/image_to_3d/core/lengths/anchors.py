"""Places in a photo that are found again after its depth was made anew: with another focal length, density or engine.

A pixel stays what it shows; beside a depth edge its depth, relative to that of the picture, tells which side was meant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..surfaces.surface import Array, SurfaceGrid
from .measuring import SurfacePoint, plane_near, point_near


@dataclass(frozen=True)
class Anchor:
    """A place of the visible surface.

    Attributes:
        uv: pixel of the photo.
        relative_depth: its depth over the median depth of the picture.
        lift: its depth over that of the plane through the surface there, nearly 1; a snapped corner is not on a fitted plane.
    """

    uv: tuple[float, float]
    relative_depth: float
    lift: float = 1.0

    def on(self, grid: SurfaceGrid) -> SurfacePoint:
        """The place on a surface of the same photo.

        Raises:
            ImageTo3DError: ``bad_request`` where no depth is known any more.
        """
        return point_near(grid, _ray(grid, self.uv) * _surface_depth(grid, self.uv, self.relative_depth) * self.lift)


def anchor(grid: SurfaceGrid, position: Array) -> Anchor:
    """Remember a place.

    Args:
        grid: the surface.
        position: (3,) OpenCV camera frame, metres of the engine.

    Raises:
        ImageTo3DError: ``bad_request`` outside the photo, where no depth is known, or off the surface.
    """
    point = point_near(grid, position)
    depth = float(point.position[2])
    relative = depth / _median(grid)
    return Anchor(point.uv, relative, depth / _surface_depth(grid, point.uv, relative))


def _surface_depth(grid: SurfaceGrid, uv: tuple[float, float], relative_depth: float) -> float:
    return 1.0 / plane_near(grid, uv, 1.0 / (relative_depth * _median(grid)))[0]


def _median(grid: SurfaceGrid) -> float:
    return float(np.nanmedian(grid.depth))


def _ray(grid: SurfaceGrid, uv: tuple[float, float]) -> Array:
    k = grid.intrinsics
    return np.array([(uv[0] - k.cx) / k.fx, (uv[1] - k.cy) / k.fy, 1.0])
