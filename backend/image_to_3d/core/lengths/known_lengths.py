"""Known lengths between points of the surface → the scale of a scene and, for relative depth, its shift.

The answer is kept as a shift of the inverse depth and a factor: 1/z' = 1/z + shift, then all lengths times the factor. The shift
bends the scene (Ranftl et al., TPAMI 2020) and is 0 for engines with metres of their own; shifts after one another add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..depth.relative_depth import inverse_depth_divisor
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
        scale: true length = scale.factor · length of the scene with that shift.
        inverse_depth_shift: what is added to the inverse depth of the scene before, 1/m of the scene as it was.
    """

    scale: Scale
    inverse_depth_shift: float = 0.0


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


def shift_grid(grid: SurfaceGrid, shift: float) -> SurfaceGrid:
    """The surface with 1/z' = 1/z + ``shift``, 1/m; what comes to lie at or beyond infinity becomes unknown."""
    if shift == 0:
        return grid
    return SurfaceGrid(grid.depth / inverse_depth_divisor(grid.depth, shift), grid.intrinsics)
