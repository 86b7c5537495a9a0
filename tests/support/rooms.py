"""Rooms of exactly known sizes, seen by a ray caster: boxes in a box, with windows, and what depth cameras do to them.

World frame: x right, y forward, z up, metres; the floor is z = 0. The camera frame is OpenCV's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from image_to_3d.core import Intrinsics
from image_to_3d.core.surfaces.surface import SurfaceGrid


@dataclass(frozen=True)
class Box:
    """An axis-aligned box turned about the vertical through its centre, or a tilted slab (``tilt_deg`` about its own x)."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    turn_deg: float = 0.0
    tilt_deg: float = 0.0

    def axes(self) -> np.ndarray:
        t, s = np.radians(self.turn_deg), np.radians(self.tilt_deg)
        turn = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
        tilt = np.array([[1, 0, 0], [0, np.cos(s), -np.sin(s)], [0, np.sin(s), np.cos(s)]])
        return turn @ tilt


@dataclass(frozen=True)
class Camera:
    """A camera in the room: position, heading (clockwise from +y), pitch (up), roll (clockwise), degrees; focal length."""

    position: tuple[float, float, float]
    heading_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    focal_mm35: float = 26.0
    size: tuple[int, int] = (480, 360)

    @property
    def intrinsics(self) -> Intrinsics:
        width, height = self.size
        return Intrinsics.centred(self.focal_mm35 * np.hypot(width, height) / np.hypot(36, 24), width, height)

    def world_from_camera(self) -> np.ndarray:
        h, p, r = np.radians([self.heading_deg, self.pitch_deg, self.roll_deg])
        forward = np.array([np.sin(h) * np.cos(p), np.cos(h) * np.cos(p), np.sin(p)])
        level_right = np.array([np.cos(h), -np.sin(h), 0.0])
        level_down = np.cross(forward, level_right)
        # Clockwise for the photographer: the right-hand side goes down.
        right = np.cos(r) * level_right + np.sin(r) * level_down
        return np.stack([right, np.cross(forward, right), forward], axis=1)

    def up(self) -> np.ndarray:
        return self.world_from_camera().T @ [0.0, 0.0, 1.0]

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        return (np.asarray(points, float) - self.position) @ self.world_from_camera()

    def pixel(self, points: np.ndarray) -> np.ndarray:
        return self.intrinsics.project(self.to_camera(points))


@dataclass(frozen=True)
class Room:
    """Width (x from 0), length (y from 0) and height (z from 0), furniture, and windows in the far wall (x0, x1, z0, z1)."""

    size: tuple[float, float, float] = (4.2, 5.1, 2.6)
    furniture: tuple[Box, ...] = ()
    windows: tuple[tuple[float, float, float, float], ...] = ()
    sides: frozenset[str] = field(
        default_factory=lambda: frozenset(["floor", "ceiling", "left", "right", "near", "far"])
    )

    def depth(self, camera: Camera, scale: int = 1) -> np.ndarray:
        """Exact planar depth (rows, cols), metres; NaN where a ray leaves the room."""
        k = camera.intrinsics
        rows, cols = k.height // scale, k.width // scale
        x, y = k.pixel_rays(rows, cols)
        rays = np.stack(np.broadcast_arrays(x, y[:, None], 1.0), axis=-1).reshape(-1, 3)
        origin = np.array(camera.position, float)
        directions = rays @ camera.world_from_camera().T
        best = np.full(len(rays), np.inf)
        faces = {"left": (0, 0), "right": (0, 1), "near": (1, 0), "far": (1, 1), "floor": (2, 0), "ceiling": (2, 1)}
        for name, (axis, end) in faces.items():
            if name not in self.sides:
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                t = (end * self.size[axis] - origin[axis]) / directions[:, axis]
            hit = origin + t[:, None] * directions
            inside = (t > 1e-6) & np.isfinite(t)
            for other in {0, 1, 2} - {axis}:
                inside &= (hit[:, other] >= -1e-9) & (hit[:, other] <= self.size[other] + 1e-9)
            if name == "far":
                for x0, x1, z0, z1 in self.windows:
                    inside &= ~((hit[:, 0] > x0) & (hit[:, 0] < x1) & (hit[:, 2] > z0) & (hit[:, 2] < z1))
            best = np.where(inside & (t < best), t, best)
        for box in self.furniture:
            axes, half = box.axes(), np.array(box.size) / 2
            o, d = (origin - box.centre) @ axes, directions @ axes
            with np.errstate(divide="ignore", invalid="ignore"):
                t0, t1 = (-half - o) / d, (half - o) / d
            near, far = np.minimum(t0, t1).max(axis=1), np.maximum(t0, t1).min(axis=1)
            best = np.where((near < far) & (near > 1e-6) & (near < best), near, best)
        # The rays have z = 1 in the camera frame, so the parameter is the planar depth.
        return np.where(np.isfinite(best), best, np.nan).reshape(rows, cols)

    def grid(self, camera: Camera) -> SurfaceGrid:
        return SurfaceGrid(self.depth(camera), camera.intrinsics)


def structured_light(depth: np.ndarray, rng: np.random.Generator, smooth: int = 1) -> np.ndarray:
    """Noise of a structured-light camera: disparity in eighths of a pixel (75 mm base, 580 px), shadows beside edges, holes.

    ``smooth`` > 1 makes the noise of neighbouring pixels alike, as such cameras and networks do.
    """
    step = 1.0 / (8 * 0.075 * 580)
    rows, cols = depth.shape
    noise = rng.normal(0, 0.5 * step, (rows // smooth + 2, cols // smooth + 2))
    noise = np.repeat(np.repeat(noise, smooth, 0), smooth, 1)[:rows, :cols]
    w = np.round((1.0 / depth + noise) / step) * step
    with np.errstate(divide="ignore"):
        out = np.where(w > 0, 1.0 / w, np.nan)
    jump = np.zeros(depth.shape, bool)
    jump[:, 3:] = np.abs(depth[:, 3:] - depth[:, :-3]) > 0.1 * depth[:, 3:]
    out[jump] = np.nan
    for _ in range(12):  # black or shiny things
        r, c = rng.integers(rows), rng.integers(cols)
        out[r : r + rng.integers(3, rows // 12), c : c + rng.integers(3, cols // 12)] = np.nan
    return out


def furnished(rng: np.random.Generator, size: tuple[float, float, float], boxes: int = 6) -> tuple[Box, ...]:
    """Cupboards, tables and things on them, at random headings, standing on the floor, away from the near wall."""
    out = []
    for _ in range(boxes):
        w, d, h = rng.uniform(0.3, 1.2), rng.uniform(0.3, 0.8), rng.uniform(0.25, 1.6)
        x, y = rng.uniform(0.5, size[0] - 0.5), rng.uniform(0.55 * size[1], size[1] - 0.4)
        out.append(Box((x, y, h / 2), (w, d, h), turn_deg=rng.choice([0.0, rng.uniform(-45, 45)])))
        if rng.random() < 0.5:
            out.append(Box((x, y, h + 0.1), (0.15, 0.15, 0.2), turn_deg=rng.uniform(0, 90)))
    return tuple(out)


def random_camera(rng: np.random.Generator, size: tuple[float, float, float]) -> Camera:
    """Somebody in the near part of the room who wants most of it in the picture."""
    return Camera(
        (rng.uniform(0.3, 0.7) * size[0], rng.uniform(0.1, 0.5), rng.uniform(1.1, 1.7)),
        heading_deg=rng.uniform(-20, 20),
        pitch_deg=rng.uniform(-12, 6),
        roll_deg=rng.uniform(-4, 4),
        focal_mm35=rng.uniform(16, 28),
    )


def random_room(rng: np.random.Generator) -> Room:
    """A furnished room, most of them with a window in the far wall."""
    size = (rng.uniform(3, 5.5), rng.uniform(3.5, 6), rng.uniform(2.3, 3.0))
    windows = ((1.0, 2.2, 0.9, 2.0),) if rng.random() < 0.7 else ()
    return Room(size, furnished(rng, size), windows)
