"""Known lengths between points of the surface → the scale of a scene and, for relative depth, its shift.

The answer is kept as a *bend* and a factor: 1/z' = 1/z + bend, then all lengths times the factor. The bend changes the shape of the
scene and is 0 for engines with metres of their own; bends after one another add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..surfaces.planes import Plane
from ..surfaces.surface import SurfaceGrid
from .calibration import KnownLength, Scale, calibrate_disparity, calibrate_scale
from .measuring import SurfacePoint, distance, lateral_share


@dataclass(frozen=True, eq=False)
class Known:
    """The true length in metres between two points of a surface."""

    a: SurfacePoint
    b: SurfacePoint
    true_m: float


@dataclass(frozen=True)
class Solution:
    """What known lengths make of a scene.

    Attributes:
        scale: true length = scale.factor · length of the bent scene.
        bend: what is added to the inverse depth of the scene before, 1/m of the scene as it was.
    """

    scale: Scale
    bend: float = 0.0


def solve(
    grid: SurfaceGrid, known: Sequence[Known], prior: Scale, metric: bool, planes: Sequence[Plane] = ()
) -> Solution:
    """Scale, and shift if the depth is relative.

    Args:
        grid: the surface that the points lie on.
        known: the lengths.
        prior: the scale as the engine claims it, for the focal length.
        metric: whether the engine has metres of its own.
        planes: of the grid; right angles between them tell the shift.

    Raises:
        ImageTo3DError: ``bad_request`` without known lengths, for lengths that are not positive, or if the shift remains open.
    """
    share = [lateral_share(k.b.position - k.a.position) for k in known]
    if metric:
        lengths = [
            KnownLength(k.true_m, *distance(k.a, k.b), lateral_share=s, ends=np.stack([k.a.position, k.b.position]))
            for k, s in zip(known, share, strict=True)
        ]
        return Solution(calibrate_scale(lengths, prior))
    fit = calibrate_disparity(
        grid.w, [(k.a.position, k.b.position, k.true_m) for k in known], [plane.m for plane in planes]
    )
    scale = replace(
        prior,
        state="calibrated",
        relative_sd=fit.relative_sd,
        factor=1.0 / fit.a,
        lateral_share=float(np.mean(share)),
        residuals_m=fit.residuals_m,
    )
    return Solution(scale, fit.b / fit.a)


def bent(grid: SurfaceGrid, bend: float) -> SurfaceGrid:
    """The surface with 1/z' = 1/z + bend; what comes to lie at or beyond infinity becomes unknown."""
    if bend == 0:
        return grid
    with np.errstate(divide="ignore", invalid="ignore"):
        w = grid.w + bend
        return SurfaceGrid(np.where(w > 0, 1.0 / w, np.nan), grid.intrinsics)
