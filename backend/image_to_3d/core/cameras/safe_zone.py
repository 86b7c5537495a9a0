"""How far a camera may go from where the photo was taken before holes appear.

A photo shows one surface for each pixel, and an engine may add what it believes to lie behind. Whatever it knows, a camera that
moves sooner or later looks into a gap beside something near. The safe zone is the region around the photo's camera from which,
with the middle of the scene kept in the middle of the picture, hardly any of the picture is empty. It is measured, not modelled:
the points are projected from many places, and cells of the picture that no point falls into are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intrinsics import Intrinsics
from .trajectories import depth_range, look_at

HOLES = 0.01
"""Share of the picture that may be empty."""
MIN_CAP_M = 0.5
"""The zone never ends nearer for want of looking: SHARP is trained for head motion of this size."""

_LATITUDES = 7  # from straight down to straight up, in steps of 30°
_LONGITUDES = 12
_CAP_OF_NEAREST = 0.5  # nearer to the nearest thing, its points move apart too far to be counted
_POINTS_PER_CELL = 6.0
_MAX_POINTS = 60_000
_MARGIN = 0.1  # of the picture on each side is not looked at: turning aside moves the photo's border into view
_MIN_OPACITY = 0.1
_HALVINGS = 5

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SafeZone:
    """A star-shaped region around the photo's camera.

    Attributes:
        radii: (7, 12) metres, by latitude from straight down (row 0) to straight up (row 6) and longitude in steps of 30° from
            straight ahead to the right. The rows of the poles hold one value.
    """

    radii: Float64

    def __post_init__(self) -> None:
        radii = np.array(self.radii, np.float64)
        if radii.shape != (_LATITUDES, _LONGITUDES) or not np.isfinite(radii).all() or (radii < 0).any():
            raise ValueError(f"a safe zone has {_LATITUDES} × {_LONGITUDES} radii that are not negative")
        object.__setattr__(self, "radii", radii)

    @classmethod
    def from_wire(cls, vertices: ArrayLike) -> SafeZone:
        """The zone whose :meth:`wire` has these vertices (V, 3).

        Raises:
            ValueError: it is no such wire.
        """
        lengths = np.linalg.norm(np.asarray(vertices, np.float64), axis=-1)
        if lengths.shape != ((_LATITUDES - 2) * _LONGITUDES + 2,):
            raise ValueError(f"a safe zone has not {lengths.size} vertices")
        middle = lengths[1:-1].reshape(_LATITUDES - 2, _LONGITUDES)
        poles = np.repeat(lengths[[0, -1], None], _LONGITUDES, axis=1)
        return cls(np.concatenate([poles[:1], middle, poles[1:]]))

    def radius(self, directions: ArrayLike) -> Float64:
        """Distance to the border (...,), metres, in directions (..., 3) of any length, OpenCV frame of the photo."""
        d = np.asarray(directions, np.float64)
        length = np.linalg.norm(d, axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            height = np.where(length > 0, np.clip(-d[..., 1] / length, -1, 1), 0.0)
        row = (np.arcsin(height) / np.pi + 0.5) * (_LATITUDES - 1)
        col = np.arctan2(d[..., 0], d[..., 2]) / (2 * np.pi) * _LONGITUDES % _LONGITUDES
        top = np.clip(np.floor(row).astype(int), 0, _LATITUDES - 2)
        left = np.floor(col).astype(int) % _LONGITUDES
        right = (left + 1) % _LONGITUDES
        v, u = row - top, col - np.floor(col)
        r = self.radii
        out: Float64 = (1 - v) * ((1 - u) * r[top, left] + u * r[top, right]) + v * (
            (1 - u) * r[top + 1, left] + u * r[top + 1, right]
        )
        return out

    def excess(self, eyes: ArrayLike) -> Float64:
        """How far camera centres (..., 3) lie outside (...,), metres; negative inside. OpenCV frame of the photo, metres."""
        eyes = np.asarray(eyes, np.float64)
        out: Float64 = np.linalg.norm(eyes, axis=-1) - self.radius(eyes)
        return out

    def wire(self) -> tuple[Float64, NDArray[np.int32]]:
        """Border as a wire frame: vertices (V, 3), OpenCV frame of the photo, metres, and edges (E, 2)."""
        directions = grid_directions()
        middle = directions[1:-1].reshape(-1, 3) * self.radii[1:-1].reshape(-1, 1)
        vertices = np.concatenate(
            [directions[0, :1] * self.radii[0, 0], middle, directions[-1, :1] * self.radii[-1, 0]]
        )
        index = 1 + np.arange(len(middle)).reshape(_LATITUDES - 2, _LONGITUDES)
        rings = np.stack([index, np.roll(index, -1, axis=1)], axis=-1).reshape(-1, 2)
        columns = np.concatenate(
            [np.zeros((1, _LONGITUDES), int), index, np.full((1, _LONGITUDES), len(vertices) - 1)], axis=0
        )
        meridians = np.stack([columns[:-1], columns[1:]], axis=-1).reshape(-1, 2)
        return vertices, np.concatenate([rings, meridians]).astype(np.int32)


def grid_directions() -> Float64:
    """Unit vectors (7, 12, 3) that the radii of a :class:`SafeZone` belong to, OpenCV frame."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, _LATITUDES)[:, None]
    longitude = 2 * np.pi * np.arange(_LONGITUDES) / _LONGITUDES
    return np.stack(
        [
            np.cos(latitude) * np.sin(longitude),
            np.broadcast_to(-np.sin(latitude), (_LATITUDES, _LONGITUDES)),
            np.cos(latitude) * np.cos(longitude),
        ],
        axis=-1,
    )


def safe_zone(
    positions: NDArray[np.floating],
    intrinsics: Intrinsics,
    opacities: NDArray[np.floating] | None = None,
    holes: float = HOLES,
) -> SafeZone:
    """The safe zone of a cloud; takes about a second, so not on the main thread of a user interface.

    Args:
        positions: (N, 3) Gaussian centres, OpenCV frame of the photo, metres.
        intrinsics: of the photo.
        opacities: (N,); points fainter than 0.1 fill nothing. None: all are opaque.
        holes: share of the picture that may be empty.

    Raises:
        ValueError: no point lies in front of the camera.
    """
    if opacities is not None:
        positions = positions[np.asarray(opacities) >= _MIN_OPACITY]
    depths = depth_range(positions)
    cap = max(MIN_CAP_M, _CAP_OF_NEAREST * depths.nearest)
    view = _View(positions, intrinsics, depths.focus)
    before = view.empty(np.zeros(3))

    def reach(direction: Float64) -> float:
        low, high = 0.0, cap
        if view.empty(cap * direction) - before <= holes:
            return cap
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if view.empty(middle * direction) - before <= holes else (low, middle)
        return low

    directions = grid_directions()
    radii = np.empty(directions.shape[:2])
    radii[0], radii[-1] = reach(directions[0, 0]), reach(directions[-1, 0])
    for row in range(1, _LATITUDES - 1):
        for col in range(_LONGITUDES):
            radii[row, col] = reach(directions[row, col])
    return SafeZone(radii)


class _View:
    """Points in a coarse picture: its cells are so large that each of a closed surface holds several points."""

    def __init__(self, positions: NDArray[np.floating], intrinsics: Intrinsics, focus: float) -> None:
        step = -(-len(positions) // _MAX_POINTS)
        # Clouds of photos are in the order of their pixels: every k-th would thin columns only.
        kept = np.random.default_rng(0).choice(len(positions), len(positions) // step, replace=False)
        self._points = np.ascontiguousarray(positions[np.sort(kept)].T, np.float32)
        self._focus = np.array([0.0, 0.0, focus])
        cell = float(np.sqrt(intrinsics.width * intrinsics.height * _POINTS_PER_CELL / max(1, len(kept))))
        self._cols = max(8, int(intrinsics.width / cell))
        self._rows = max(8, int(intrinsics.height / cell))
        self._k = intrinsics.resized(self._cols, self._rows)

    def empty(self, eye: Float64) -> float:
        """Share of the inner picture that no point falls into, seen from ``eye`` (3,) with the middle of the scene ahead."""
        matrix = look_at(eye, self._focus).astype(np.float32)
        x, y, z = matrix[:3, :3] @ self._points + matrix[:3, 3:]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            u, v = self._k.fx * x / z + self._k.cx, self._k.fy * y / z + self._k.cy
            seen = (z > 0) & (u >= 0) & (u < self._cols) & (v >= 0) & (v < self._rows)
        filled = np.zeros((self._rows, self._cols), bool)
        filled[v[seen].astype(int), u[seen].astype(int)] = True
        top, left = int(_MARGIN * self._rows), int(_MARGIN * self._cols)
        return 1.0 - float(filled[top : self._rows - top, left : self._cols - left].mean())
