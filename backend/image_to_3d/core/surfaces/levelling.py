"""Which way is down: gravity from floor, ceiling and walls, and the rotation that levels a scene.

The levelled frame keeps the axes of the camera frame's convention (x right, y down, z forward) with y exactly along gravity;
its heading is the camera's own unless a wall is aligned. Pitch is positive when the camera looks up, roll is positive when it
is turned clockwise as the photographer sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ErrorCode, ImageTo3DError
from .planes import Plane, angle_between, classify
from .plumb_lines import PlumbLines
from .surface import Array, Float64, SurfaceGrid

CAMERA_UP: Float64 = np.array([0.0, -1.0, 0.0])

_AGREE_DEG = 4.0
"""A plane votes for a direction of gravity if it is level or plumb within about this angle."""
_MODEL_SD = np.radians(0.3)
"""Floors, walls and depth are not perfect: no plane's direction is believed better than this."""
_PITCH_SD_DEG, _ROLL_SD_DEG = 35.0, 12.0
"""How far cameras are usually tilted; people hold the horizon better than the angle of view."""
_CONTRADICTION_DEG, _CONTRADICTION_SD = 6.0, 4.0
"""Surfaces and lines contradict each other if they are further apart than both of these, degrees and standard deviations. Depth
that a network guesses tilts surfaces by a few degrees more than they state; there the lines win."""
_AMBIGUOUS = 0.75
_MIN_SUPPORT = 0.015
_CLOSE_UP_M = 0.35
_STRAIGHT = 0.02
"""Sine of the angle to the vertical below which a camera heads nowhere."""


@dataclass(frozen=True, eq=False)
class Gravity:
    """A direction of gravity and what it rests on.

    Attributes:
        up: (3,) unit vector against gravity, camera frame.
        sd_deg: standard deviation of its direction, degrees.
        pitch_deg: positive when the camera looks up.
        roll_deg: positive when the camera is turned clockwise.
        planes: the planes of the photo, classified.
        confidence: 0 … 1, how much better than the next best direction.
    """

    up: Float64
    sd_deg: float
    pitch_deg: float
    roll_deg: float
    planes: tuple[Plane, ...]
    confidence: float

    @property
    def floor(self) -> Plane | None:
        """The largest piece of the floor, None if none is in view."""
        return next((plane for plane in self.planes if plane.kind == "floor"), None)

    @property
    def ceiling(self) -> Plane | None:
        """The largest piece of the ceiling, None if none is in view."""
        return next((plane for plane in self.planes if plane.kind == "ceiling"), None)

    @property
    def walls(self) -> tuple[Plane, ...]:
        """The walls, the largest first."""
        return tuple(plane for plane in self.planes if plane.kind == "wall")


@dataclass(frozen=True, eq=False)
class Levelling:
    """How to stand a scene upright.

    Attributes:
        rotation: (3, 3), camera frame → levelled frame (y down along gravity): X_level = rotation @ X_camera.
        camera_height_m: of the camera above the floor; the floor is the plane y = camera_height_m of the levelled frame.
        camera_height_sd_m: its standard deviation without that of the scale.
        pitch_deg, roll_deg: of the camera, see :class:`Gravity`.
        sd_deg: standard deviation of the vertical, degrees.
        aligned: whether a wall was turned to face along ±x or ±z.
    """

    rotation: Float64
    camera_height_m: float
    camera_height_sd_m: float
    pitch_deg: float
    roll_deg: float
    sd_deg: float
    aligned: bool = False


def camera_angles(up: Array) -> tuple[float, float]:
    """(pitch, roll) in degrees of a camera in whose frame ``up`` (3,) points against gravity.

    Pitch is the elevation of the optical axis, positive upwards. Roll is the angle by which the camera is turned about it,
    positive clockwise as the photographer sees it: the camera's right-hand side then points down.
    """
    x, y, z = np.asarray(up, np.float64) / np.linalg.norm(up)
    return float(np.degrees(np.arcsin(np.clip(z, -1, 1)))), float(np.degrees(np.arctan2(-x, -y)))


def up_from_angles(pitch_deg: float, roll_deg: float) -> Float64:
    """Inverse of :func:`camera_angles`: the unit vector (3,) against gravity in the camera frame."""
    pitch, roll = np.radians(pitch_deg), np.radians(roll_deg)
    return np.array([-np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), np.sin(pitch)])


def looks_straight(up: Array) -> bool:
    """Whether a camera in whose frame ``up`` (3,) points against gravity looks straight down or up, so that it heads nowhere."""
    x, y, z = up
    return float(np.hypot(x, y)) < _STRAIGHT * float(np.linalg.norm((x, y, z)))


def levelled_axes(up: Array) -> Float64:
    """The axes of the levelled frame with the camera's own heading.

    Where the camera looks straight down or up, the picture's upper edge is ahead.

    Args:
        up: (3,) against gravity, camera frame.

    Returns:
        (3, 3), rows right, down and forward in the camera frame: the rotation camera frame → levelled frame.
    """
    down = -np.asarray(up, np.float64) / np.linalg.norm(up)
    ahead = np.array([0.0, -1.0, 0.0]) if looks_straight(up) else np.array([0.0, 0.0, 1.0])
    forward = ahead - float(ahead @ down) * down
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(down, forward), down, forward])


def _no_evidence(why: str, hint: str) -> ImageTo3DError:
    return ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.cannot_level", why=why, hint=hint)


_BY_HAND = "Pick three points of the floor instead, or give pitch and roll of the camera."


def find_gravity(
    planes: Sequence[Plane], grid: SurfaceGrid, metric: bool = True, plumb: PlumbLines | None = None
) -> Gravity:
    """Gravity from the planes of a photo and from its plumb lines, weighted by how sure each is.

    Lines alone are believed where the planes do not tell (no floor in view), unless nothing in view stands or lies by them. Where
    planes and lines tell different things, neither is believed.

    Args:
        planes, grid, metric: see :func:`gravity_from_planes`.
        plumb: the vertical from lines; None if they do not tell.

    Raises:
        ImageTo3DError: ``bad_request`` with the reason, if the picture does not tell.
    """
    if plumb is None:
        return gravity_from_planes(planes, grid, metric)
    try:
        surfaces = gravity_from_planes(planes, grid, metric)
    except ImageTo3DError:
        if not _stands_by(plumb.up, planes):
            raise
        pitch, roll = camera_angles(plumb.up)
        return Gravity(plumb.up, plumb.sd_deg, pitch, roll, tuple(classify(planes, plumb.up, grid)), 1.0)
    apart = angle_between(surfaces.up, plumb.up)
    if apart > max(_CONTRADICTION_DEG, _CONTRADICTION_SD * float(np.hypot(surfaces.sd_deg, plumb.sd_deg))):
        raise _no_evidence(
            f"its surfaces and its upright lines tell directions that are {apart:.0f}° apart (a depth that is wrong can cause "
            "that)",
            _BY_HAND,
        )
    up, sd = _refine(plumb.up, planes, plumb)
    pitch, roll = camera_angles(up)
    classified = tuple(classify(planes, up, grid))
    return Gravity(up, float(np.degrees(sd)), pitch, roll, classified, surfaces.confidence)


def _stands_by(up: Float64, planes: Sequence[Plane]) -> bool:
    """Whether most of the flat surfaces in view are level or upright under a direction, and not all of them level.

    A roof has edges at right angles, too, but nothing about it is upright.
    """
    total = sum(plane.share for plane in planes)
    tilts = [angle_between(plane.normal, up) for plane in planes]
    fits = sum(
        plane.share
        for plane, tilt in zip(planes, tilts, strict=True)
        if min(tilt, 180.0 - tilt, abs(90.0 - tilt)) < 2 * _AGREE_DEG
    )
    upright = any(abs(90.0 - tilt) < 2 * _AGREE_DEG for tilt in tilts)
    return upright and fits > 0.5 * total


def gravity_from_planes(planes: Sequence[Plane], grid: SurfaceGrid, metric: bool = True) -> Gravity:
    """Gravity from the planes of a photo.

    Every roughly level plane and every pair of upright ones proposes a direction; all planes vote by their share of the
    picture, a direction under which much of the picture would lie below its floor loses, and so does one that asks for an
    unusual pose of the camera. The winner is refined on all planes that are level or plumb (weighted by their covariances):
    walls need not be perpendicular to each other, but where they are, they agree.

    Args:
        planes: of one photo (:func:`~image_to_3d.core.surfaces.planes.find_planes`).
        grid: that they were found in.
        metric: whether lengths are metres; a close-up can only be told then.

    Raises:
        ImageTo3DError: ``bad_request`` with the reason, if the picture does not tell: no plane at all, one wall only, a
            close-up, or surfaces that disagree (a mirror, a hillside of roofs).
    """
    if not planes:
        raise _no_evidence("no flat surface was found in it", _BY_HAND)
    candidates = _directions(planes)
    if not candidates:
        walls = "only one upright surface is in view" if len(planes) == 1 else "neither floor nor ceiling is in view"
        raise _no_evidence(walls, "Take a photo that shows some of the floor. " + _BY_HAND)
    scores = np.array([_score(up, planes) for up in candidates])
    best = int(np.argmax(scores))
    up = candidates[best]
    away = np.array([angle_between(up, other) > 2 * _AGREE_DEG for other in candidates])
    runner_up = float(scores[away].max()) if away.any() else 0.0
    if scores[best] < 0.2 * _MIN_SUPPORT:
        raise _no_evidence("too little of floor and walls is in view", _BY_HAND)
    if runner_up > _AMBIGUOUS * scores[best]:
        raise _no_evidence(
            "its surfaces disagree about what is level (a mirror, a staircase or a sloping roof can cause that)",
            _BY_HAND,
        )
    up, sd = _refine(up, planes)
    pitch, roll = camera_angles(up)
    classified = classify(planes, up, grid)
    gravity = Gravity(up, float(np.degrees(sd)), pitch, roll, tuple(classified), float(1 - runner_up / scores[best]))
    floor = gravity.floor
    if metric and floor is not None and abs(floor.offset_m) < _CLOSE_UP_M and gravity.ceiling is None:
        raise _no_evidence(
            f"the level surface below the camera is only {abs(floor.offset_m):.2f} m away, a close-up rather than a room",
            _BY_HAND,
        )
    return gravity


def gravity_from_angles(
    planes: Sequence[Plane], grid: SurfaceGrid, pitch_deg: float, roll_deg: float, sd_deg: float = 0.1
) -> Gravity:
    """Gravity as a person or a gimbal states it, with the planes classified accordingly."""
    up = up_from_angles(pitch_deg, roll_deg)
    return Gravity(up, sd_deg, pitch_deg, roll_deg, tuple(classify(planes, up, grid)), 1.0)


def _directions(planes: Sequence[Plane]) -> list[Float64]:
    """Candidate up vectors: normals of planes that may be level, and what pairs of upright planes have in common."""
    weighty = [plane for plane in planes if plane.share >= _MIN_SUPPORT]
    out: list[Float64] = []
    for plane in weighty:
        for sign in (1.0, -1.0):
            up = sign * plane.normal
            pitch, roll = camera_angles(up)
            # A surface that asks for a steep camera is more likely a wall seen from below: something must stand on it.
            steep = 55.0 if _has_partner(plane, weighty) else 45.0
            if abs(pitch) <= steep and abs(roll) <= 45.0:
                out.append(up)
    for i, a in enumerate(weighty):
        for b in weighty[:i]:
            across = np.cross(a.normal, b.normal)
            size = float(np.linalg.norm(across))
            if size < 0.5:  # nearly parallel walls leave their common axis open
                continue
            up = across / size if across[1] < 0 else -across / size
            pitch, roll = camera_angles(up)
            # Walls alone bear no floor: only an ordinary pose of the camera is believed.
            if abs(pitch) <= 40.0 and abs(roll) <= 20.0:
                out.append(up)
    return out


def _has_partner(plane: Plane, planes: Sequence[Plane]) -> bool:
    """True if another plane is perpendicular to this one."""
    return any(abs(float(plane.normal @ other.normal)) < 0.07 for other in planes if other is not plane)


def _score(up: Float64, planes: Sequence[Plane]) -> float:
    """Share of the picture that is level or plumb, times how plausible camera pose and floor are."""
    level = plumb = 0.0
    floors: list[Plane] = []
    for plane in planes:
        tilt = angle_between(plane.normal, up)
        off = min(tilt, 180.0 - tilt, abs(90.0 - tilt))
        vote = plane.share * float(np.exp(-0.5 * (off / (0.5 * _AGREE_DEG)) ** 2))
        if off == abs(90.0 - tilt):
            plumb += vote
        else:
            level += vote
            if tilt < 90.0 and off <= _AGREE_DEG and float(plane.centre @ up) < 0:
                floors.append(plane)
    pitch, roll = camera_angles(up)
    pose = float(np.exp(-0.5 * (pitch / _PITCH_SD_DEG) ** 2 - 0.5 * (roll / _ROLL_SD_DEG) ** 2))
    support = level + 0.5 * plumb if level else 0.25 * plumb
    below = 0.0
    if floors:  # what lies under the floor speaks against it being one
        lowest = min(float(plane.centre @ up) for plane in floors if plane.share >= 0.1 * max(f.share for f in floors))
        total = sum(plane.share for plane in planes)
        below = sum(plane.share for plane in planes if float(plane.centre @ up) < 1.1 * lowest) / total
    return support * pose * (1.0 if floors else 0.6) * (1.0 - below) ** 2


def _refine(up: Float64, planes: Sequence[Plane], plumb: PlumbLines | None = None) -> tuple[Float64, float]:
    """Weighted least squares: level planes have their normal along up, plumb ones across it. Returns up, sd in radians."""
    lines = np.zeros((3, 3))
    if plumb is not None:
        lines = (np.eye(3) - np.outer(plumb.up, plumb.up)) / np.radians(plumb.sd_deg) ** 2
    for _ in range(3):
        A = lines.copy()
        for plane in planes:
            tilt = angle_between(plane.normal, up)
            level_off, plumb_off = min(tilt, 180.0 - tilt), abs(90.0 - tilt)
            if min(level_off, plumb_off) > _AGREE_DEG:
                continue
            # Planes far from the consensus (a leaning picture) count less: Cauchy weights.
            far = (np.radians(min(level_off, plumb_off)) / (3 * _MODEL_SD)) ** 2
            weight = plane.share / (plane.share + 0.02) / (_MODEL_SD**2 + plane.normal_sd**2) / (1.0 + far)
            normal = np.outer(plane.normal, plane.normal)
            A += weight * (normal if plumb_off < level_off else np.eye(3) - normal)
        values, vectors = np.linalg.eigh(A)
        refined = vectors[:, 0]
        up = refined if refined @ up > 0 else -refined
    return up, float(1.0 / np.sqrt(values[1])) if values[1] > 0 else float("inf")


def level(gravity: Gravity, align_wall: Plane | None = None) -> Levelling:
    """Stand the scene on its floor.

    Args:
        gravity: with a floor among its planes.
        align_wall: a wall to turn by the least angle until its normal lies along ±x or ±z of the levelled frame.

    Raises:
        ImageTo3DError: ``bad_request`` if no floor is in view or ``align_wall`` is not upright.
    """
    floor = gravity.floor
    if floor is None:
        raise _no_evidence(
            "no floor is in view", "Take a photo that shows some of the floor. Or pick three points of the floor."
        )
    down = -gravity.up
    # Where the floor is seen, not under the camera's feet: the two differ where the fitted floor is not quite level.
    height, sd = floor.along(floor.centre - floor.centre @ down * down, down)
    return _levelling(gravity.up, height, sd, gravity.sd_deg, align_wall)


def level_from_points(points: Array, align_wall: Plane | None = None, covariances: Array | None = None) -> Levelling:
    """Level by three points of the floor.

    Args:
        points: (3, 3) in the camera frame, metres, in any order.
        align_wall: see :func:`level`.
        covariances: (3, 3, 3) of the points, square metres; exact if None.

    Raises:
        ImageTo3DError: ``bad_request`` if they lie on a line or above the camera.
    """
    a, b, c = np.asarray(points, np.float64)
    normal = np.cross(b - a, c - a)
    longest = max(np.linalg.norm(b - a), np.linalg.norm(c - b), np.linalg.norm(a - c))
    if longest == 0 or np.linalg.norm(normal) < 0.02 * longest**2:
        raise _no_evidence("the three points lie on a line", "Pick three points of the floor that are far apart.")
    up = normal / np.linalg.norm(normal)
    up = up if up @ a < 0 else -up  # the camera is above the floor
    if up[1] > 0.2:
        raise _no_evidence(
            "the three points lie above the camera", "Pick three points of the floor, not of the ceiling."
        )
    height_sd = sd_deg = 0.0
    if covariances is not None:
        across = np.sqrt(np.maximum([up @ c @ up for c in np.asarray(covariances, np.float64)], 0.0))
        # A point that is off tilts the plane about the opposite side of the triangle.
        sides = [np.linalg.norm(b - c), np.linalg.norm(c - a), np.linalg.norm(a - b)]
        altitudes = np.linalg.norm(normal) / np.asarray(sides)
        sd_deg = float(np.degrees(np.sqrt(np.sum((across / altitudes) ** 2))))
        height_sd = float(np.sqrt(np.mean(across**2)))
    return _levelling(up, float(-up @ a), height_sd, sd_deg, align_wall)


def _levelling(up: Float64, height: float, height_sd: float, sd_deg: float, align_wall: Plane | None) -> Levelling:
    rotation = levelled_axes(up)
    if align_wall is not None:
        normal = rotation @ align_wall.normal
        if abs(normal[1]) > 0.2:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.wall_not_upright")
        heading = float(np.arctan2(normal[0], normal[2]))
        turn = -(heading - np.round(heading / (np.pi / 2)) * (np.pi / 2))
        cos, sin = np.cos(turn), np.sin(turn)
        rotation = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]]) @ rotation
    pitch, roll = camera_angles(up)
    return Levelling(rotation, height, height_sd, pitch, roll, sd_deg, align_wall is not None)
