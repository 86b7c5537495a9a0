"""What a person has measured in a photo, done again on a cloud of it: known lengths and levelling.

For a photo that is made anew, with another focal length, density or engine, and for one whose known lengths have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..cloud.gaussians import GaussianCloud
from ..depth.relative_depth import AffineInverseDepth, affine_of, change_inverse_depth
from ..errors import ErrorCode, ImageTo3DError, Notice
from ..surfaces.levelling import Gravity, Levelling, find_gravity, gravity_from_angles, level, level_from_points
from ..surfaces.planes import Plane, find_planes
from ..surfaces.plumb_lines import PlumbLines, plumb_lines_of
from ..surfaces.surface import SurfaceGrid
from .anchors import Anchor
from .calibration import Scale, engine_scale
from .known_lengths import Known, Solution, solve

LevelMethod = Literal["FLOOR", "POINTS"]


@dataclass(frozen=True)
class AnchoredLength:
    """The true length in metres between two places of a photo."""

    start: Anchor
    end: Anchor
    metres: float

    def on(self, grid: SurfaceGrid) -> Known:
        """The length on a surface of the photo.

        Raises:
            ImageTo3DError: ``bad_request`` where an end has no depth.
        """
        return Known(self.start.on(grid), self.end.on(grid), self.metres)


@dataclass(frozen=True)
class LevelRequest:
    """How a photo was levelled.

    Attributes:
        method: by what the picture shows, or by three points.
        align: whether the largest wall was turned to face along an axis.
        points: of the floor.
    """

    method: LevelMethod
    align: bool = False
    points: tuple[Anchor, ...] = ()


@dataclass(frozen=True)
class MeasurementState:
    """What a person has measured in a photo.

    Attributes:
        known: lengths; empty if it is not calibrated.
        inverse_depth_shift, factor: what they made of the engine's depth, see
            :class:`~image_to_3d.core.lengths.known_lengths.Solution`.
        inverse_depth: of the engine that they were solved for; None if it has metres of its own.
        level: None if it is not levelled.
    """

    known: tuple[AnchoredLength, ...] = ()
    inverse_depth_shift: float = 0.0
    factor: float = 1.0
    inverse_depth: AffineInverseDepth | None = None
    level: LevelRequest | None = None


@dataclass(frozen=True, eq=False)
class Reapplied:
    """What came of it.

    Attributes:
        solution: of the known lengths; its shift has been done to the cloud. None without known lengths.
        levelling: None if there was none, or the picture no longer tells.
        warnings: sentences for a person.
    """

    solution: Solution | None = None
    levelling: Levelling | None = None
    warnings: tuple[str, ...] = ()


def reapply_measurements(
    cloud: GaussianCloud, measured: MeasurementState, scale_sd: float
) -> tuple[GaussianCloud, Reapplied]:
    """Calibrate and level a cloud as its photo was before.

    Where known lengths cannot be found again, relative depth of the same engine gets the inverse depth of before, and everything
    else keeps its factor.

    Args:
        cloud: as the engine made it, with grid and intrinsics.
        measured: before.
        scale_sd: relative standard deviation of the scale of the cloud's engine.

    Returns:
        The cloud, with its inverse depth shifted if it is relative, and what its root needs.
    """
    warnings: list[str] = []
    solution = None
    if measured.known:
        try:
            assert cloud.intrinsics is not None
            prior = engine_scale(cloud.provenance, cloud.intrinsics, scale_sd)
            solution = solve_on(SurfaceGrid.from_cloud(cloud), measured.known, prior, cloud.provenance.metric)
            cloud = shift_cloud(cloud, solution.inverse_depth_shift)
        except ImageTo3DError as error:
            cloud, solution = _as_before(cloud, measured, scale_sd)
            warnings.append(Notice("measuring.known_lengths_lost", why=error))
    levelling = None
    if measured.level is not None:
        try:
            metric = cloud.provenance.metric or bool(solution)
            plumb = plumb_lines_of(cloud.provenance)
            levelling = level_as_requested(SurfaceGrid.from_cloud(cloud), measured.level, metric, plumb)
        except ImageTo3DError as error:
            warnings.append(Notice("measuring.levelling_lost", why=error))
    return cloud, Reapplied(solution, levelling, tuple(warnings))


def solve_on(
    grid: SurfaceGrid,
    known: Sequence[AnchoredLength],
    prior: Scale,
    metric: bool,
    planes: Sequence[Plane] | None = None,
) -> Solution:
    """Solve known lengths of a photo.

    Args:
        grid: the surface.
        known: at least one length.
        prior: the scale as the engine claims it.
        metric: whether the engine has metres of its own.
        planes: of the grid, if they are known already.

    Raises:
        ImageTo3DError: ``bad_request``, see :func:`~image_to_3d.core.lengths.known_lengths.solve`, and where an end has no depth.
    """
    ends = [length.on(grid) for length in known]
    if not metric and planes is None:
        planes = find_planes(grid)
    return solve(grid, ends, prior, metric, planes or ())


def shift_cloud(cloud: GaussianCloud, shift: float) -> GaussianCloud:
    """The cloud with 1/z' = 1/z + ``shift``, 1/m.

    Raises:
        ImageTo3DError: ``bad_request`` if nothing of it would be left in front of the camera.
    """
    if shift == 0:
        return cloud
    try:
        return change_inverse_depth(cloud, 1.0, shift, metric=cloud.provenance.metric)
    except ValueError:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.behind_camera") from None


def _as_before(cloud: GaussianCloud, measured: MeasurementState, scale_sd: float) -> tuple[GaussianCloud, Solution]:
    assert cloud.intrinsics is not None
    prior = engine_scale(cloud.provenance, cloud.intrinsics, scale_sd)
    before, now = measured.inverse_depth, affine_of(cloud)
    shift, factor = 0.0, measured.factor
    if before is not None and now is not None:
        # 1/z = (a d + b + shift) / factor of before, in terms of 1/z' = a' d + b' of now.
        factor = measured.factor * now.a / before.a
        shift = (before.b + measured.inverse_depth_shift) * now.a / before.a - now.b
    return shift_cloud(cloud, shift), Solution(replace(prior, state="calibrated", factor=factor), shift)


def level_as_requested(
    grid: SurfaceGrid,
    request: LevelRequest,
    metric: bool,
    plumb: PlumbLines | None,
    planes: Sequence[Plane] | None = None,
) -> Levelling:
    """Level as a person wished.

    Args:
        grid: the surface.
        request: how.
        metric: whether lengths are metres.
        plumb: the vertical from the lines of the photo; None if they do not tell.
        planes: of the grid, if they are known already.

    Raises:
        ImageTo3DError: ``bad_request`` with the reason if the picture does not tell, shows no wall to align, or the points do not
            make a floor.
    """
    if request.method == "FLOOR":
        gravity = find_gravity(find_planes(grid) if planes is None else planes, grid, metric, plumb)
        return level(gravity, _wall(gravity) if request.align else None)
    points = [place.on(grid) for place in request.points]
    places = np.array([point.position for point in points])
    covariances = np.array([point.covariance for point in points])
    levelling = level_from_points(places, None, covariances)
    if not request.align:
        return levelling
    planes = find_planes(grid) if planes is None else planes
    gravity = gravity_from_angles(planes, grid, levelling.pitch_deg, levelling.roll_deg)
    return level_from_points(places, _wall(gravity), covariances)


def _wall(gravity: Gravity) -> Plane:
    if not gravity.walls:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.no_wall_to_align")
    return gravity.walls[0]
