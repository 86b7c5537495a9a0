"""Camera moves around a photo: the four trajectories published with SHARP (apple/ml-sharp), two more of the same size, and the
picture size they use.

The photo's camera is at the origin of the cloud and looks along +z (OpenCV frame, metres). A move starts from there, stays small
against the nearest depth, so that what the photo did not see stays hidden, and keeps looking at a point in its middle depths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .camera import Camera, CameraPath
from .intrinsics import Intrinsics

TrajectoryName = Literal["rotate_forward", "swipe", "shake", "rotate", "dolly", "look_around"]
PUBLISHED: tuple[TrajectoryName, ...] = ("rotate_forward", "swipe", "shake", "rotate")
TRAJECTORIES: tuple[TrajectoryName, ...] = (*PUBLISHED, "dolly", "look_around")
"""The first is the default."""

LookAt = Literal["point", "ahead"]

_NEAREST_TARGET_M = 2.0
_TALLEST_PICTURE = 3000
_DEPTH_QUANTILES = (0.001, 0.1, 0.999)
_LOOK_AROUND_ZOOM = 1.25


@dataclass(frozen=True)
class TrajectoryOptions:
    """How far and how long a camera moves; the defaults are the published ones.

    Attributes:
        frames: pictures of one repetition.
        repeats: how often the move is repeated.
        max_disparity: sideways reach, as a fraction of the picture's diagonal that a point at the nearest depth moves by.
        max_zoom: forward reach of ``rotate_forward`` and ``dolly``, as a fraction of the nearest depth.
        distance_m: offset of all eyes along z, metres.
        look_at: ``point`` keeps looking at one point, ``ahead`` keeps looking along the photo's axis.
    """

    frames: int = 60
    repeats: int = 1
    max_disparity: float = 0.08
    max_zoom: float = 0.15
    distance_m: float = 0.0
    look_at: LookAt = "point"

    def __post_init__(self) -> None:
        if self.frames < 1 or self.repeats < 1:
            raise ValueError(f"a trajectory has at least one frame, not {self.frames}×{self.repeats}")


@dataclass(frozen=True)
class DepthRange:
    """Depths of a cloud that a move is measured against, metres: nearest, in focus, farthest."""

    nearest: float
    focus: float
    farthest: float


def depth_range(positions: NDArray[np.floating]) -> DepthRange:
    """The 0.1 %, 10 % and 99.9 % quantiles of z of the points (N, 3) in front of the camera.

    Raises:
        ValueError: no point lies in front of the camera.
    """
    z = np.asarray(positions)[:, 2]
    z = z[z > 0]
    if not len(z):
        raise ValueError("no Gaussian lies in front of the camera")
    nearest, focus, farthest = (float(q) for q in np.quantile(z, _DEPTH_QUANTILES))
    return DepthRange(nearest, focus, farthest)


def reach(depths: DepthRange, intrinsics: Intrinsics, options: TrajectoryOptions) -> tuple[float, float, float]:
    """Greatest excursion along x, y and z, metres."""
    diagonal = float(np.hypot(intrinsics.width, intrinsics.height)) / intrinsics.fx
    lateral = options.max_disparity * diagonal * depths.nearest
    return lateral, lateral, options.max_zoom * depths.nearest


def eyes(
    name: TrajectoryName, excursion: tuple[float, float, float], options: TrajectoryOptions
) -> NDArray[np.float64]:
    """Camera centres (frames · repeats, 3) of a named trajectory; its first and last frame coincide.

    Raises:
        ValueError: there is no trajectory of that name.
    """
    ox, oy, oz = excursion
    n = options.frames * options.repeats

    def phase(count: int) -> NDArray[np.float64]:
        return 2 * np.pi * np.linspace(0.0, options.repeats, count)

    out = np.zeros((n, 3))
    out[:, 2] = options.distance_m
    if name == "swipe":
        out[:, 0] = np.tile(np.linspace(-ox, ox, options.frames), options.repeats)
    elif name == "shake":
        half = n // 2
        out[:half, 0] = ox * np.sin(phase(half))
        out[half:, 1] = oy * np.sin(phase(n - half))
    elif name == "rotate":
        out[:, 0] = ox * np.sin(phase(n))
        out[:, 1] = oy * np.cos(phase(n))
    elif name == "rotate_forward":
        out[:, 0] = ox * np.sin(phase(n))
        out[:, 2] += oz * (1.0 - np.cos(phase(n))) / 2
    elif name == "dolly":
        out[:, 2] += oz * (1.0 - np.cos(phase(n))) / 2
    elif name != "look_around":  # which stays where it is
        raise ValueError(f"there is no trajectory {name!r}; there are {', '.join(TRAJECTORIES)}")
    return out


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, -1.0, 0.0)) -> NDArray[np.float64]:
    """World-to-camera matrix (4, 4) of a camera at ``eye`` that sees ``target`` in its middle, with ``up`` upwards.

    Raises:
        ValueError: the direction of view is parallel to ``up``, or target and eye coincide.
    """
    eye = np.asarray(eye, np.float64)
    front = np.asarray(target, np.float64) - eye
    right = np.cross(front, np.asarray(up, np.float64))
    if not (np.linalg.norm(front) > 0 and np.linalg.norm(right) > 1e-12 * np.linalg.norm(front)):
        raise ValueError("a camera needs a direction of view that is not its upward direction")
    front /= np.linalg.norm(front)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(front, right), front])
    out = np.eye(4)
    out[:3, :3] = R
    out[:3, 3] = -R @ eye
    return out


def look_around(intrinsics: Intrinsics, options: TrajectoryOptions) -> list[Camera]:
    """A camera that stays where the photo was taken and turns along a lying eight.

    Its lens is a little longer than the photo's, and it turns as far as its view stays within the photo: no hole can open.

    Args:
        intrinsics: of the photo, in the size of the film.
        options: frames and repeats.

    Returns:
        Cameras whose first and last frame look along the photo's axis.
    """
    k = intrinsics
    own = Intrinsics(k.fx * _LOOK_AROUND_ZOOM, k.fy * _LOOK_AROUND_ZOOM, k.width / 2, k.height / 2, k.width, k.height)
    corners = own.unproject(np.array([[0.0, 0.0], [k.width, 0.0], [0.0, k.height], [k.width, k.height]]), np.ones(4))
    phase = 2 * np.pi * np.linspace(0.0, options.repeats, options.frames * options.repeats)

    def turns(share: float) -> list[NDArray[np.float64]]:
        yaw = share * np.arctan(0.5 * k.width / k.fx) * np.sin(phase)
        pitch = share * np.arctan(0.5 * k.height / k.fy) * np.sin(2 * phase)
        aims = np.stack([np.tan(yaw), np.tan(pitch) / np.cos(yaw), np.ones_like(yaw)], axis=-1)
        return [look_at(np.zeros(3), aim) for aim in aims]

    def inside(share: float) -> bool:
        seen = np.concatenate([corners @ turn[:3, :3] for turn in turns(share)])
        return bool((seen[:, 2] > 0).all()) and bool(
            ((k.project(seen) >= -1e-6) & (k.project(seen) <= [k.width + 1e-6, k.height + 1e-6])).all()
        )

    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if inside(middle) else (low, middle)
    return [Camera(own, turn) for turn in turns(low)]


def screen_size(width: int, height: int) -> tuple[int, int]:
    """Picture size of a film made from a photo: halved once if more than 3000 rows, then made even (video codecs need it)."""
    if height > _TALLEST_PICTURE:
        width, height = width // 2, height // 2
    return width + width % 2, height + height % 2


def trajectory(
    name: TrajectoryName,
    positions: NDArray[np.floating],
    intrinsics: Intrinsics,
    options: TrajectoryOptions | None = None,
    fps: float = 30.0,
) -> CameraPath:
    """A named trajectory around a cloud.

    The published renderer puts the principal point half a pixel off the middle, at ((W − 1)/2, (H − 1)/2), although it predicts
    with (W/2, H/2); here it stays where the intrinsics say, so that the first frame is the photo.

    Args:
        name: one of :data:`TRAJECTORIES`.
        positions: (N, 3) Gaussian centres, OpenCV frame of the photo, metres.
        intrinsics: of the photo; the frames get :func:`screen_size` of it.
        options: how far and how long; the published defaults if None.
        fps: frames per second.

    Raises:
        ValueError: unknown name, or no point in front of the camera.
    """
    options = options or TrajectoryOptions()
    depths = depth_range(positions)
    screen = intrinsics.resized(*screen_size(intrinsics.width, intrinsics.height))
    if name == "look_around":
        return CameraPath(fps, tuple(look_around(screen, options)))
    target = np.array([0.0, 0.0, max(_NEAREST_TARGET_M, depths.focus)])
    cameras = [
        Camera(screen, look_at(eye, target + eye if options.look_at == "ahead" else target))
        for eye in eyes(name, reach(depths, intrinsics, options), options)
    ]
    return CameraPath(fps, tuple(cameras))
