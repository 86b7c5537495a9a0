"""What the Gaussians of one photo tell in metres: lengths between pixels, planes, the room, tilts; with 95 % intervals.

:func:`analyse` gives the objects of :mod:`image_to_3d.core`, :meth:`Analysis.report` plain numbers of them, as ``measure --json``
prints them and :meth:`image_to_3d.Scene.measure` returns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from . import catalogue
from .core import ErrorCode, GaussianCloud, ImageTo3DError
from .core.lengths.calibration import Scale, ScaleState, engine_scale
from .core.lengths.known_lengths import Known, shift_grid, solve
from .core.lengths.measuring import Length, length_between, point_at
from .core.surfaces.inspection import PlaneReport, azimuth, report_plane
from .core.surfaces.levelling import Gravity, find_gravity, gravity_from_angles, level
from .core.surfaces.planes import Plane, angle_between, find_planes
from .core.surfaces.plumb_lines import plumb_lines_of
from .core.surfaces.room import RoomReport, WallDistance, room_report
from .core.surfaces.surface import SurfaceGrid

Pixel = tuple[float, float]
"""(u, v) from the photo's upper left corner, whose pixel has its centre at (0.5, 0.5)."""
Interval = tuple[float, float]
"""The true value lies between the two in 95 of 100 cases."""


@dataclass(frozen=True)
class Question:
    """What is to be measured, and what is known beside the photo.

    Attributes:
        between: pairs of pixels whose distance is asked for.
        regions: polygons of at least three pixels each, whose plane is asked for.
        known: (pixel, pixel, metres) of lengths that are known: they calibrate the scale.
        surroundings: find planes, gravity and the room.
        pitch_deg, roll_deg: of the camera, if both are known: up and clockwise are positive.
        north_deg: compass direction of the view, clockwise from north: makes azimuths known.
        scale_sd: relative standard deviation of the scale, where somebody knows better than the engine's prior.
    """

    between: Sequence[tuple[Pixel, Pixel]] = ()
    regions: Sequence[Sequence[Pixel]] = ()
    known: Sequence[tuple[Pixel, Pixel, float]] = ()
    surroundings: bool = True
    pitch_deg: float | None = None
    roll_deg: float | None = None
    north_deg: float | None = None
    scale_sd: float | None = None


@dataclass(frozen=True)
class MeasuredScale:
    """What the metres are worth.

    Attributes:
        state: ``engine`` (its own claim), ``assumed`` (focal length assumed, or an engine without metres), ``calibrated``.
        relative_sd: relative standard deviation of the scale.
    """

    state: ScaleState
    relative_sd: float


@dataclass(frozen=True)
class MeasuredCamera:
    """How the camera was held; None where the picture does not tell.

    Attributes:
        pitch_deg: positive when it looks up.
        roll_deg: positive when it is turned clockwise.
        height_m: above the floor.
    """

    pitch_deg: float | None
    roll_deg: float | None
    height_m: float | None


@dataclass(frozen=True)
class MeasuredPlane:
    """A plane in the camera frame (x right, y down, z forward), metres: normal · x = offset_m.

    Attributes:
        kind: ``floor``, ``ceiling``, ``wall``, ``other``, or ``region`` for the plane of a polygon.
        normal: unit, towards the camera.
        offset_m: see above.
        area_m2: of what is seen of it.
        rms_m: deviation of its points.
        tilt_deg: from horizontal: 0 for a floor, 90 for a wall; None if gravity is unknown.
        azimuth_deg: compass direction it faces; None if north or gravity is unknown, or it is level.
    """

    kind: str
    normal: tuple[float, float, float]
    offset_m: float
    area_m2: float
    rms_m: float
    tilt_deg: float | None
    azimuth_deg: float | None


@dataclass(frozen=True)
class MeasuredWalls:
    """Two walls that face each other.

    Attributes:
        distance_m, interval_m: between them.
        extents_m: (width, height) of what is seen of each: lower bounds.
    """

    distance_m: float
    interval_m: Interval
    extents_m: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class MeasuredRoom:
    """What is known of the room.

    Attributes:
        height_m, height_interval_m: floor to ceiling; None unless both are in view.
        walls: pairs that face each other, the best seen first.
    """

    height_m: float | None
    height_interval_m: Interval | None
    walls: tuple[MeasuredWalls, ...]


@dataclass(frozen=True)
class MeasuredLength:
    """The straight length between two pixels of the photo."""

    start: Pixel
    end: Pixel
    metres: float
    interval_m: Interval


@dataclass(frozen=True)
class Measurements:
    """Everything that was measured, in plain numbers.

    Attributes:
        warnings: sentences for a person: what could not be told, and why.
    """

    scale: MeasuredScale
    camera: MeasuredCamera
    planes: tuple[MeasuredPlane, ...]
    room: MeasuredRoom
    lengths: tuple[MeasuredLength, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object of ``measure --json``."""
        plain = asdict(self)
        del plain["warnings"]
        plain["lengths"] = [
            {
                "from": list(length.start),
                "to": list(length.end),
                "metres": length.metres,
                "interval_m": list(length.interval_m),
            }
            for length in self.lengths
        ]
        return plain


@dataclass(frozen=True, eq=False)
class Analysis:
    """What was found, as objects of the core; lengths and planes of it are in metres of the engine, ``scale.factor`` corrects them.

    Attributes:
        scale: of the lengths.
        gravity: None if the picture does not tell.
        camera_height_m: above the floor, None without a floor.
        planes: dominant planes, classified if gravity is known.
        regions: one report per polygon.
        north_deg: compass direction of the view.
        room: None if unknown.
        lengths: (pixel, pixel, length).
        warnings: sentences for a person.
    """

    scale: Scale
    gravity: Gravity | None
    camera_height_m: float | None
    planes: tuple[Plane, ...]
    regions: tuple[PlaneReport, ...]
    north_deg: float | None
    room: RoomReport | None
    lengths: tuple[tuple[Pixel, Pixel, Length], ...]
    warnings: tuple[str, ...]

    def tilt_and_azimuth(self, plane: Plane) -> tuple[float | None, float | None]:
        """Degrees from horizontal and from north; None where they are unknown."""
        if self.gravity is None:
            return None, None
        up = self.gravity.up
        facing = None if self.north_deg is None else azimuth(plane.normal, up, self.north_deg)
        return angle_between(plane.normal, up), facing

    def report(self) -> Measurements:
        """The same in plain numbers."""
        gravity, room = self.gravity, self.room
        height = room.height if room else None
        return Measurements(
            scale=MeasuredScale(self.scale.state, self.scale.relative_sd),
            camera=MeasuredCamera(
                gravity.pitch_deg if gravity else None, gravity.roll_deg if gravity else None, self.camera_height_m
            ),
            planes=self._planes(),
            room=MeasuredRoom(
                height.metres if height else None,
                height.interval if height else None,
                () if room is None else tuple(_walls(room, wall) for wall in room.distances),
            ),
            lengths=tuple(MeasuredLength(a, b, length.metres, length.interval) for a, b, length in self.lengths),
            warnings=self.warnings,
        )

    def _planes(self) -> tuple[MeasuredPlane, ...]:
        factor = self.scale.factor

        def plain(
            plane: Plane, kind: str, area_m2: float, rms_m: float, tilt: float | None, facing: float | None
        ) -> MeasuredPlane:
            x, y, z = (float(value) for value in plane.normal)
            return MeasuredPlane(kind, (x, y, z), plane.offset_m * factor, area_m2, rms_m, tilt, facing)

        regions = [plain(r.plane, "region", r.area_m2, r.rms_m, r.tilt_deg, r.azimuth_deg) for r in self.regions]
        dominant = [
            plain(plane, plane.kind, plane.area_m2 * factor**2, plane.rms_m * factor, *self.tilt_and_azimuth(plane))
            for plane in self.planes
        ]
        return (*regions, *dominant)


def _walls(room: RoomReport, found: WallDistance) -> MeasuredWalls:
    extents = tuple((e.width.metres, e.height.metres) for i in found.walls for e in room.extents if e.wall == i)
    return MeasuredWalls(found.distance.metres, found.distance.interval, extents)


def analyse(cloud: GaussianCloud, question: Question) -> Analysis:
    """Measure in the Gaussians of one photo.

    Args:
        cloud: with its picture grid and camera, as an engine makes it and a PLY of ours keeps it.
        question: what is asked for.

    Raises:
        ImageTo3DError: ``bad_request`` for a cloud without picture grid, pixels without depth, polygons without a plane, lengths
            that do not calibrate, angles that are none.
    """
    _check(cloud, question)
    grid, scale = calibrated(SurfaceGrid.from_cloud(cloud), cloud, question)
    lengths = tuple((a, b, length_between(point_at(grid, a), point_at(grid, b), scale)) for a, b in question.between)
    planes: tuple[Plane, ...] = ()
    gravity = height = room = None
    warnings: list[str] = []
    if question.surroundings or question.regions:
        planes = tuple(find_planes(grid))
        try:
            if question.pitch_deg is not None and question.roll_deg is not None:
                gravity = gravity_from_angles(planes, grid, question.pitch_deg, question.roll_deg)
            else:
                metric = cloud.provenance.metric or bool(question.known)
                gravity = find_gravity(planes, grid, metric, plumb_lines_of(cloud.provenance))
            planes = gravity.planes
            height = level(gravity).camera_height_m * scale.factor
        except ImageTo3DError as error:
            warnings.append(str(error))
        if gravity is not None:
            room = room_report(grid, gravity, scale)
    up, up_sd = (None, 0.0) if gravity is None else (gravity.up, gravity.sd_deg)
    north = question.north_deg
    regions = tuple(
        report_plane(grid, np.array(region).reshape(-1, 2), scale, up, up_sd, north) for region in question.regions
    )
    return Analysis(scale, gravity, height, planes, regions, north, room, lengths, tuple(warnings))


def _check(cloud: GaussianCloud, question: Question) -> None:
    if cloud.grid is None or cloud.intrinsics is None:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.cloud_without_grid")
    if (question.pitch_deg is None) != (question.roll_deg is None):
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.pitch_without_roll")
    for name in ("pitch_deg", "roll_deg", "north_deg"):
        value = getattr(question, name)
        if value is not None and not -360 <= value <= 360:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.not_an_angle", name=name, value=value)
    if question.scale_sd is not None and not 0 < question.scale_sd < 10:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.scale_sd_not_positive")


def calibrated(grid: SurfaceGrid, cloud: GaussianCloud, question: Question) -> tuple[SurfaceGrid, Scale]:
    """The surface and what its metres are worth, after the known lengths.

    Raises:
        ImageTo3DError: ``bad_request``; see :mod:`image_to_3d.core.lengths.calibration`.
    """
    metric = cloud.provenance.metric
    prior_sd = catalogue.scale_sd(cloud.provenance.engine, metric)
    scale = engine_scale(cloud.provenance, grid.intrinsics, prior_sd, question.scale_sd)
    if not question.known:
        return grid, scale
    ends = [Known(point_at(grid, a), point_at(grid, b), metres) for a, b, metres in question.known]
    solution = solve(grid, ends, scale, metric, () if metric else find_planes(grid))
    if metric:
        return grid, solution.scale
    # Planes and gravity are looked for in true metres.
    shifted = shift_grid(grid, solution.inverse_depth_shift)
    return shifted.scaled(solution.scale.factor), replace(solution.scale, factor=1.0)
