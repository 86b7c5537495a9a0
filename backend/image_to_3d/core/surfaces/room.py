"""The room as a report: height, distances between facing walls, visible extents, and the laser measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..lengths.calibration import Scale
from ..lengths.measuring import Length, SurfacePoint, with_scale
from .levelling import Gravity
from .planes import Plane, angle_between
from .surface import Array, Float64, SurfaceGrid

_PARALLEL_DEG = 5.0
_NEAREST = 0.02  # of the depth: how far from its own surface a laser starts to look
_LIFT = 0.01  # of the depth: how far above it a laser stands, so that one along a wall does not meet that wall
_GRAZING = 0.1  # surfaces within 6° of the laser are passed
_FARTHEST_M = 100.0
_SAMPLES = 4000
_INSET = 0.05  # of a wall's visible width and height: where the other one is drawn, from the border
_WALL_SHARE = 0.02
"""Of the picture; smaller upright surfaces are sides of furniture and window reveals."""
_PARALLEL, _LOWER = 0.99, 0.9  # cosine of 8°; share of the wall's height


@dataclass(frozen=True, eq=False)
class WallDistance:
    """The clear distance between two facing walls.

    Attributes:
        walls: their indices among ``Gravity.planes``.
        distance: between them.
        parallel_deg: how far they are from parallel.
        ends: (2, 3) where it was measured, camera frame, metres of the engine.
    """

    walls: tuple[int, int]
    distance: Length
    parallel_deg: float
    ends: Float64


@dataclass(frozen=True, eq=False)
class WallExtent:
    """How much of a wall is visible: width along the floor and height, of its cells, metres.

    A visible extent is a lower bound of the true one: furniture and the picture's border hide the rest.

    Attributes:
        wall: its index among ``Gravity.planes``.
        width, height: with the uncertainty of the scale only, because nobody knows what is hidden.
        width_ends, height_ends: (2, 3) on the wall, near the lower and the left border of what is seen, camera frame, metres
            of the engine.
    """

    wall: int
    width: Length
    height: Length
    width_ends: Float64
    height_ends: Float64


@dataclass(frozen=True, eq=False)
class RoomReport:
    """What a photo tells about a room.

    Attributes:
        height: floor to ceiling, None unless both are in view.
        distances: between facing walls, the best seen first.
        extents: of every wall.
        height_ends: (2, 3) where the height was measured, on the floor and on the ceiling, camera frame, metres of the engine;
            None without a height.
    """

    height: Length | None
    distances: tuple[WallDistance, ...]
    extents: tuple[WallExtent, ...]
    height_ends: Float64 | None = None


def _gap(a: Plane, b: Plane, direction: Float64) -> tuple[float, float, Float64]:
    """Distance from plane a to plane b along a direction, halfway between their centres, its standard deviation, and its ends.

    Measured there because both planes are known best near their own cells.
    """
    origin = 0.5 * (a.centre + b.centre)
    t_a, sd_a = a.along(origin, direction)
    t_b, sd_b = b.along(origin, direction)
    return t_b - t_a, float(np.hypot(sd_a, sd_b)), origin + np.outer((t_a, t_b), direction)


def main_walls(report: RoomReport, gravity: Gravity) -> list[WallExtent]:
    """The extents of what a person calls a wall: no small surface, and no front of furniture before one."""
    seen = [extent for extent in report.extents if gravity.planes[extent.wall].share >= _WALL_SHARE]
    return [extent for extent in seen if not any(_stands_before(extent, other, gravity) for other in seen)]


def _stands_before(extent: WallExtent, other: WallExtent, gravity: Gravity) -> bool:
    """Whether an upright surface is the front of furniture: parallel to a wall, before it and not as high."""
    plane, wall = gravity.planes[extent.wall], gravity.planes[other.wall]
    parallel = float(plane.normal @ wall.normal) > _PARALLEL
    before = float(wall.signed_distance(plane.centre)) > 0
    return parallel and before and extent.height.metres < _LOWER * other.height.metres


def room_report(grid: SurfaceGrid, gravity: Gravity, scale: Scale) -> RoomReport:
    """Height, distances between facing walls and visible extents of the room in a photo.

    Args:
        grid: the surface.
        gravity: with classified planes.
        scale: of the engine or calibrated.
    """
    planes, up = gravity.planes, gravity.up
    height = height_ends = None
    floor, ceiling = gravity.floor, gravity.ceiling
    if floor is not None and ceiling is not None:
        metres, sd, height_ends = _gap(floor, ceiling, up)
        height = with_scale(metres, sd, height_ends, scale)
    walls = [i for i, plane in enumerate(planes) if plane.kind == "wall"]
    extents = {i: _extent(grid, i, planes[i], up, scale) for i in walls}
    distances = []
    for position, i in enumerate(walls):
        for j in walls[position + 1 :]:
            off = 180.0 - angle_between(planes[i].normal, planes[j].normal)
            if off > _PARALLEL_DEG:
                continue
            across = planes[i].normal - planes[j].normal
            across -= across @ up * up
            across /= np.linalg.norm(across)
            metres, sd, ends = _gap(planes[i], planes[j], across)
            if metres <= 0:  # back to back: two sides of one cupboard
                continue
            # Walls out of parallel have no single distance: it varies over what is seen of them.
            spread = np.radians(off) * 0.25 * (extents[i].width.metres + extents[j].width.metres) / scale.factor
            length = with_scale(metres, float(np.hypot(sd, spread)), ends, scale)
            distances.append(WallDistance((i, j), length, off, ends))
    distances.sort(key=lambda d: -min(planes[d.walls[0]].share, planes[d.walls[1]].share))
    return RoomReport(height, tuple(distances), tuple(extents.values()), height_ends)


def _extent(grid: SurfaceGrid, wall: int, plane: Plane, up: Float64, scale: Scale) -> WallExtent:
    """How much of a wall its cells cover; a thousandth of them is cut off at each end."""
    points = grid.rays[plane.mask] / (grid.rays[plane.mask] @ plane.m)[:, None]
    upright = up - up @ plane.normal * plane.normal
    upright /= np.linalg.norm(upright)
    sideways = np.cross(upright, plane.normal)  # to the right of who looks at it
    (left, right), (low, high) = (np.quantile(points @ axis, (0.001, 0.999)) for axis in (sideways, upright))
    foot = plane.offset_m * plane.normal
    lower, inner = low + _INSET * (high - low), left + _INSET * (right - left)
    width_ends = foot + np.outer((left, right), sideways) + lower * upright
    height_ends = foot + np.outer((low, high), upright) + inner * sideways
    return WallExtent(
        wall,
        with_scale(float(right - left), 0.0, width_ends, scale),
        with_scale(float(high - low), 0.0, height_ends, scale),
        width_ends,
        height_ends,
    )


@dataclass(frozen=True, eq=False)
class LaserHit:
    """Where a laser that starts on a surface ends.

    Attributes:
        distance: clear distance, metres.
        position: (3,) where it ends, camera frame, metres of the engine.
        hidden: it passes behind something in the picture on its way, so nearer things may be in the way.
        extended: it leaves the picture or what is known, and ends on the extension of a plane.
    """

    distance: Length
    position: Float64
    hidden: bool
    extended: bool


def laser(
    grid: SurfaceGrid, start: SurfacePoint, scale: Scale, direction: Array | None = None, planes: Sequence[Plane] = ()
) -> LaserHit | None:
    """The clear distance from a surface point to the next surface, None if nothing is met.

    Args:
        grid: the surface.
        start: where the laser stands.
        scale: of the engine or calibrated.
        direction: (3,) camera frame; the surface's normal if None.
        planes: of the photo, to end on where the laser leaves the picture.
    """
    d = start.normal if direction is None else np.asarray(direction, np.float64) / np.linalg.norm(direction)
    first = _NEAREST * float(start.position[2])
    origin = start.position + _LIFT * float(start.position[2]) * start.normal
    found = _march(grid, origin, d, first)
    hidden, t, sd = False, float("inf"), float("inf")
    extended = found is None
    if found is not None:
        t, m, hidden = found
        hit = origin + t * d
        cell = np.floor(
            grid.intrinsics.project(hit) * (grid.cols / grid.intrinsics.width, grid.rows / grid.intrinsics.height)
        )
        col, row = min(max(int(cell[0]), 0), grid.cols - 1), min(max(int(cell[1]), 0), grid.rows - 1)
        noise = max(float(grid.noise[row, col]), 1e-5 / float(hit[2]))
        sd = noise * float(hit[2]) / max(abs(float(m @ d)), 1e-9)
    else:
        for plane in planes:
            if float(plane.normal @ d) < -_GRAZING:
                reached, reached_sd = plane.along(origin, d)
                if first < reached < t:
                    t, sd = reached, reached_sd
    if not np.isfinite(t):
        return None
    own = float(np.sqrt(d @ start.covariance @ d))
    hit = origin + t * d
    clear = float((hit - start.position) @ d)
    ends = np.stack([start.position, start.position + clear * d])
    return LaserHit(with_scale(clear, float(np.hypot(own, sd)), ends, scale), hit, hidden, extended)


def laser_along_axes(
    grid: SurfaceGrid, start: SurfacePoint, scale: Scale, rotation: Array, planes: Sequence[Plane] = ()
) -> dict[str, LaserHit | None]:
    """Clear distances along the levelled axes, by name: left, right, up, down, forward, back.

    Directions into the surface that the laser stands on are left out.

    Args:
        grid, start, scale, planes: see :func:`laser`.
        rotation: (3, 3), camera frame → levelled frame.
    """
    right, down, forward = np.asarray(rotation, np.float64)
    axes = {"left": -right, "right": right, "up": -down, "down": down, "forward": forward, "back": -forward}
    return {
        name: laser(grid, start, scale, axis, planes)
        for name, axis in axes.items()
        if float(axis @ start.normal) > -0.05
    }


def _march(grid: SurfaceGrid, origin: Float64, d: Float64, first: float) -> tuple[float, Float64, bool] | None:
    """Follow a ray over the picture: (t, m of the plane it meets, whether it was hidden before), None if it meets nothing."""
    t = np.geomspace(first, _FARTHEST_M, _SAMPLES)
    points = origin + t[:, None] * d
    ahead = points[:, 2] > 1e-3
    with np.errstate(divide="ignore", invalid="ignore"):
        xy = grid.intrinsics.project(points) * (
            grid.cols / grid.intrinsics.width,
            grid.rows / grid.intrinsics.height,
        )
    xy = np.where(ahead[:, None], xy, -1.0)
    inside = ahead & (xy >= 0).all(axis=1) & (xy < (grid.cols, grid.rows)).all(axis=1)
    end = int(np.argmin(inside)) if not inside.all() else len(t)
    if end < 2:
        return None
    col, row = xy[:end, 0].astype(int), xy[:end, 1].astype(int)
    planes = grid.m[row, col]
    depth = points[:end, 2]
    tolerance = 0.02 + 4.0 * grid.noise[row, col] * depth
    # Relative: 0 on the surface, positive in front of it.
    front = np.einsum("ij,ij->i", planes, points[:end])
    front = np.where(np.isfinite(front), 1.0 - front, 1.0)
    hidden = False
    before = True
    for k in np.flatnonzero(np.diff(front < 0, prepend=False)):
        if front[k] >= 0:  # comes out from behind something
            before = True
            continue
        if before and front[k] > -tolerance[k]:
            m = planes[k]
            slope = float(m @ d)
            reached = (1.0 - float(m @ origin)) / slope if slope else float("inf")
            if slope > _GRAZING * np.linalg.norm(m) and 0 < reached < 1.1 * t[k]:
                return max(reached, float(first)), m, hidden
        hidden, before = True, False
    return None
