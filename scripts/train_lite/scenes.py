"""Random scenes with sizes as they are in the world: rooms, corridors, offices, tables, streets, facades, roofs.

Every function takes a :class:`Builder` and a random generator, and only those decide what comes out. Furniture is built in its
own frame: origin on the floor at the middle of the back edge, x along the wall, y into the room, z up. Sizes in metres are what
the network can learn scale from, so they follow common furniture and building dimensions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import raycast as rc
from .raycast import Camera, Scene

Vec = NDArray[np.float64]
DIAGONAL_35MM = float(np.hypot(36.0, 24.0))


def _rot(axis: int, angle: float) -> Vec:
    c, s = np.cos(angle), np.sin(angle)
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    m = np.eye(3)
    m[i, i] = m[j, j] = c
    m[i, j], m[j, i] = -s, s
    return m


def _rgb(value: float, rng: Generator, tint: float = 0.08) -> Vec:
    return np.clip(value * (1 + rng.normal(0, tint, 3)), 0.01, 0.92)


def _vivid(rng: Generator, low: float = 0.03, high: float = 0.7) -> Vec:
    h = rng.random() * 6
    rgb = np.clip(np.abs((h - np.array([3.0, 2.0, 4.0]) + np.array([0, 0, 0])) % 6 - 3) - 1, 0, 1)
    sat, val = rng.beta(2, 2), rng.uniform(low, high)
    return np.clip(val * (1 - sat + sat * rgb), 0.01, 0.9)


WOODS = np.array(
    [[0.42, 0.24, 0.12], [0.55, 0.36, 0.2], [0.26, 0.13, 0.06], [0.12, 0.06, 0.03], [0.62, 0.46, 0.3], [0.35, 0.14, 0.06],
     [0.48, 0.33, 0.22], [0.6, 0.52, 0.42], [0.3, 0.26, 0.22]]
)  # fmt: skip


class Builder:
    """Collects primitives in groups, materials and lights."""

    def __init__(self, rng: Generator) -> None:
        self.rng = rng
        self.shape: list[int] = []
        self.rotation: list[Vec] = []
        self.centre: list[Vec] = []
        self.half: list[Vec] = []
        self.param: list[float] = []
        self.material: list[int] = []
        self.starts: list[int] = []
        self.materials: list[Vec] = []
        self.lights: list[Vec] = []
        self.ambient = np.array([0.5, 0.5, 0.5, 1.2, 0.0])
        self.sky = np.zeros(13)
        self.origin, self.frame = np.zeros(3), np.eye(3)
        self.day_sky()

    # frames and groups
    def at(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> None:
        """Start a new group in a frame given in the world."""
        self.origin, self.frame = np.array([x, y, z]), _rot(2, yaw)
        self.group()

    def group(self) -> None:
        """Start a new group in the present frame."""
        if not self.starts or self.starts[-1] != len(self.shape):
            self.starts.append(len(self.shape))

    def to_world(self, x: float, y: float, z: float) -> Vec:
        """A point of the present frame in the world."""
        return self.origin + self.frame @ np.array([x, y, z])

    # materials
    def mat(self, kind: int, a: Vec, b: Vec | None = None, scale: float = 1.0, angle: float = 0.0, gloss: float = 0.0,
            glow: float = 0.0, extra: float = 0.5) -> int:  # fmt: skip
        """A new material; see :data:`raycast.Scene.materials`."""
        b = a if b is None else b
        self.materials.append(np.array([kind, *a, *b, scale, angle, self.rng.integers(1 << 20), gloss, glow, extra]))
        return len(self.materials) - 1

    def wood(self, gloss: float | None = None) -> int:
        """Some wood."""
        a = WOODS[self.rng.integers(len(WOODS))] * self.rng.uniform(0.7, 1.3)
        g = self.rng.choice([0.0, 0.15, 0.4]) if gloss is None else gloss
        return self.mat(rc.WOOD, a, a * self.rng.uniform(0.55, 0.85), self.rng.uniform(0.6, 1.5), 0.0, g)

    def paint(self, low: float = 0.1, high: float = 0.85) -> int:
        """A lacquered or plastic surface."""
        rng = self.rng
        a = _rgb(rng.uniform(low, high), rng, 0.05) if rng.random() < 0.6 else _vivid(rng)
        return self.mat(rc.PLAIN, a, a, 0.5, 0.0, rng.choice([0.0, 0.2, 0.5]))

    def fabric(self) -> int:
        """Upholstery."""
        rng = self.rng
        a = _rgb(rng.uniform(0.05, 0.7), rng, 0.1) if rng.random() < 0.5 else _vivid(rng, 0.05, 0.5)
        if rng.random() < 0.2:
            return self.mat(rng.choice([rc.STRIPES, rc.DOTS, rc.ZIGZAG]), a, _vivid(rng), rng.uniform(0.04, 0.25),
                            rng.choice([0, np.pi / 2]), 0, 0, rng.uniform(0.3, 0.6))  # fmt: skip
        return self.mat(rc.FABRIC, a, a * rng.uniform(0.6, 1.5), 0.5)

    def metal(self) -> int:
        """Steel, chrome, black iron."""
        rng = self.rng
        return self.mat(rc.PLAIN, _rgb(rng.choice([0.03, 0.25, 0.5]), rng, 0.03), None, 1.0, 0.0, rng.uniform(0.2, 0.8))

    def any_mat(self) -> int:
        """Wood, paint, fabric or metal."""
        return [self.wood, self.paint, self.fabric, self.metal, self.paint][self.rng.integers(5)]()

    # primitives
    def add(self, shape: int, centre: tuple, size: tuple, mat: int, rot: Vec | None = None, param: float = 1.0) -> None:
        """A primitive in the present frame, by centre and full size."""
        self.shape.append(shape)
        self.rotation.append(self.frame if rot is None else self.frame @ rot)
        self.centre.append(self.origin + self.frame @ np.array(centre, float))
        self.half.append(np.maximum(np.array(size, float) / 2, 5e-4))
        self.param.append(param)
        self.material.append(mat)

    def box(
        self, cx: float, cy: float, cz: float, sx: float, sy: float, sz: float, mat: int, rot: Vec | None = None
    ) -> None:
        """A box by centre and full sizes."""
        self.add(rc.BOX, (cx, cy, cz), (sx, sy, sz), mat, rot)

    def cyl(self, cx: float, cy: float, z0: float, z1: float, r: float, mat: int, top: float = 1.0) -> None:
        """A vertical cylinder or frustum."""
        self.add(rc.FRUSTUM, (cx, cy, (z0 + z1) / 2), (2 * r, 2 * r, z1 - z0), mat, None, top)

    def rod(self, p: tuple, q: tuple, r: float, mat: int) -> None:
        """A round bar between two points."""
        a, b = np.array(p, float), np.array(q, float)
        d = b - a
        n = np.linalg.norm(d)
        z = d / n
        x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0], z)
        x /= np.linalg.norm(x)
        self.add(rc.FRUSTUM, tuple((a + b) / 2), (2 * r, 2 * r, n), mat, np.stack([x, np.cross(z, x), z], 1))

    def ball(
        self, cx: float, cy: float, cz: float, sx: float, sy: float, sz: float, mat: int, leafy: bool = False
    ) -> None:
        """An ellipsoid, with holes if leafy."""
        self.add(rc.FOLIAGE if leafy else rc.ELLIPSOID, (cx, cy, cz), (sx, sy, sz), mat)

    def cushion(self, cx: float, cy: float, cz: float, sx: float, sy: float, sz: float, mat: int,
                rot: Vec | None = None, roundness: float | None = None) -> None:  # fmt: skip
        """A box with rounded corners."""
        self.add(rc.CUSHION, (cx, cy, cz), (sx, sy, sz), mat, rot, roundness or self.rng.uniform(1.25, 1.5))

    # light
    def sun(self, azimuth: float, elevation: float, power: float) -> None:
        """Sunlight from a direction (radians)."""
        d = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        warm = np.array([1.0, 0.93 - 0.25 * (1 - np.sin(elevation)) ** 2, 0.82 - 0.5 * (1 - np.sin(elevation)) ** 2])
        self.lights.append(
            np.array([rc.SUN, *d, self.rng.uniform(0.01, 0.06), 0, 0, 0, 0, 0, *(power * warm), 0, 0, 0])
        )

    def lamp(self, x: float, y: float, z: float, power: float, warm: float = 0.5, radius: float = 0.12) -> None:
        """A ball of light in the present frame."""
        p = self.to_world(x, y, z)
        c = power * np.array([1.0, 1 - 0.25 * warm, 1 - 0.6 * warm])
        self.lights.append(np.array([rc.LAMP, *p, radius, 0, 0, 0, 0, 0, *c, 0, 0, 0]))

    def panel(self, centre: Vec, u: Vec, v: Vec, colour: Vec) -> None:
        """A rectangle (world frame, half edges u, v) that shines along u × v."""
        self.lights.append(np.array([rc.PANEL, *centre, *u, *v, *colour, 0, 0, 0]))

    def day_sky(self) -> None:
        """A sky from clear to overcast."""
        rng = self.rng
        cloud = rng.choice([0.0, rng.uniform(0.2, 0.7), 0.95])
        blue, horizon = np.array([0.12, 0.26, 0.6]), np.array([0.55, 0.68, 0.85])
        grey = rng.uniform(0.5, 0.9)
        g = 0.8 if cloud > 0.9 else 0.0
        zenith = blue * (1 - g) + g * grey
        hor = horizon * (1 - g) + g * grey * 1.05
        ground = _rgb(0.25, rng)
        self.sky[:] = [*zenith, *hor, *ground, cloud, rng.integers(1 << 20), rng.uniform(1.0, 2.2), 0]

    def build(self) -> Scene:
        """The scene."""
        rotation, centre, half = np.array(self.rotation), np.array(self.centre), np.array(self.half)
        inverse = rotation.transpose(0, 2, 1) / half[:, :, None]
        affine = np.concatenate([inverse, -(inverse @ centre[:, :, None])], axis=2)
        extent = np.einsum("nij,nj->ni", np.abs(rotation), half)
        starts = sorted({s for s in self.starts if s < len(self.shape)})
        ranges = np.array([starts, [*starts[1:], len(self.shape)]]).T
        bounds = np.array(
            [np.concatenate([(centre - extent)[a:b].min(0), (centre + extent)[a:b].max(0)]) for a, b in ranges]
        )
        bounds += np.array([-1e-4] * 3 + [1e-4] * 3)
        return Scene(
            np.array(self.shape, np.int64), np.ascontiguousarray(affine), half, np.array(self.param),
            np.array(self.material, np.int64), bounds, np.ascontiguousarray(ranges.astype(np.int64)),
            np.array(self.materials), np.array(self.lights).reshape(-1, 16), self.ambient, self.sky,
        )  # fmt: skip

    def contains(self, point: Vec, margin: float = 0.05) -> bool:
        """Is a point (world) inside or within ``margin`` of a primitive?"""
        p = np.einsum("nji,nj->ni", np.array(self.rotation), point - np.array(self.centre))
        return bool((np.abs(p) <= np.array(self.half) + margin).all(1).any())


# --- small things ----------------------------------------------------------------------------------------------------------


def bottle(b: Builder, x: float, y: float, z: float) -> None:
    """A bottle, can or glass."""
    h, r = b.rng.uniform(0.1, 0.32), b.rng.uniform(0.025, 0.045)
    m = b.mat(rc.PLAIN, _vivid(b.rng, 0.02, 0.6), gloss=0.6)
    b.cyl(x, y, z, z + 0.65 * h, r, m)
    if h > 0.16:
        b.cyl(x, y, z + 0.65 * h, z + 0.85 * h, r, m, 0.35)
        b.cyl(x, y, z + 0.85 * h, z + h, 0.36 * r, m)
    if b.rng.random() < 0.5:
        b.cyl(x, y, z + 0.2 * h, z + 0.5 * h, r * 1.02, b.mat(rc.POSTER, _vivid(b.rng), _vivid(b.rng), 0.06, extra=4))


def mug(b: Builder, x: float, y: float, z: float) -> None:
    """A mug or bowl."""
    m = b.mat(rc.PLAIN, _vivid(b.rng, 0.1, 0.85), gloss=0.5)
    if b.rng.random() < 0.6:
        b.cyl(x, y, z, z + b.rng.uniform(0.08, 0.11), b.rng.uniform(0.035, 0.045), m, b.rng.uniform(0.95, 1.15))
    else:
        b.cyl(x, y, z, z + b.rng.uniform(0.05, 0.09), b.rng.uniform(0.04, 0.07), m, b.rng.uniform(1.3, 2.0))


def book(b: Builder, x: float, y: float, z: float) -> None:
    """A pile of books or papers."""
    for _ in range(b.rng.integers(1, 4)):
        t = b.rng.uniform(0.004, 0.04)
        m = b.mat(rc.POSTER, _vivid(b.rng), _vivid(b.rng), b.rng.uniform(0.1, 0.3), extra=b.rng.integers(2, 6))
        if b.rng.random() < 0.4:
            m = b.mat(rc.PLAIN, _rgb(0.75, b.rng, 0.03))
        b.box(x, y, z + t / 2, b.rng.uniform(0.14, 0.3), b.rng.uniform(0.1, 0.22), t, m, _rot(2, b.rng.uniform(0, 3.1)))
        z += t


def carton(b: Builder, x: float, y: float, z: float) -> None:
    """A box of any kind."""
    s = b.rng.uniform(0.05, 0.35, 3)
    m = b.any_mat() if b.rng.random() < 0.5 else b.mat(
        rc.POSTER, _vivid(b.rng), _vivid(b.rng), b.rng.uniform(0.1, 0.4), extra=b.rng.integers(2, 7))  # fmt: skip
    b.box(x, y, z + s[2] / 2, s[0], s[1], s[2], m, _rot(2, b.rng.uniform(0, 3.1)))


def fruit(b: Builder, x: float, y: float, z: float) -> None:
    """Balls: fruit, a vase, a globe."""
    r = b.rng.choice([0.04, 0.04, 0.08, 0.13])
    m = b.mat(b.rng.choice([rc.PLAIN, rc.POSTER]), _vivid(b.rng), _vivid(b.rng), r * 2, gloss=0.4, extra=3)
    b.ball(x, y, z + r, 2 * r, 2 * r, 2 * r * b.rng.uniform(0.8, 1.3), m)


def laptop(b: Builder, x: float, y: float, z: float) -> None:
    """A laptop, open."""
    yaw = _rot(2, b.rng.normal(np.pi, 0.5))
    m = b.mat(rc.PLAIN, _rgb(b.rng.choice([0.03, 0.5]), b.rng, 0.03), gloss=0.3)
    keys = b.mat(rc.CHECKER, _rgb(0.04, b.rng), _rgb(0.12, b.rng), 0.018)
    b.box(x, y, z + 0.009, 0.34, 0.23, 0.018, m, yaw)
    b.box(x, y, z + 0.019, 0.28, 0.1, 0.003, keys, yaw)
    tilt = yaw @ _rot(0, -0.25)
    up = yaw @ np.array([0, 0.115 + 0.028, 0.115])
    b.box(x + up[0], y + up[1], z + up[2], 0.34, 0.008, 0.22, m, tilt)
    f = tilt @ np.array([0, -0.005, 0])
    screen = b.mat(rc.POSTER, _vivid(b.rng), _vivid(b.rng), 0.2, glow=b.rng.uniform(0, 1.5), extra=4)
    b.box(x + up[0] + f[0], y + up[1] + f[1], z + up[2] + f[2], 0.31, 0.002, 0.19, screen, tilt)


def monitor(b: Builder, x: float, y: float, z: float, yaw: float = 0.0) -> None:
    """A computer monitor that faces −y of its yawed frame."""
    w = b.rng.uniform(0.45, 0.7)
    h = w * 0.58
    m = b.mat(rc.PLAIN, _rgb(b.rng.choice([0.02, 0.03, 0.6]), b.rng, 0.02), gloss=0.3)
    r = _rot(2, yaw)
    b.cyl(x, y, z, z + 0.02, 0.11, m)
    b.cyl(x, y, z, z + 0.16, 0.02, m)
    b.box(x, y, z + 0.12 + h / 2, w, 0.04, h, m, r)
    f = r @ np.array([0, -0.022, 0])
    glow = b.rng.choice([0.0, 1.0])
    s = b.mat(rc.POSTER, _rgb(0.03 if glow == 0 else 0.5, b.rng), _vivid(b.rng), 0.3, gloss=0.5, glow=glow, extra=4)
    if glow == 0:
        s = b.mat(rc.PLAIN, _rgb(0.015, b.rng), gloss=0.8)
    b.box(x + f[0], y + f[1], z + 0.12 + h / 2, w - 0.03, 0.004, h - 0.03, s, r)


def plant(b: Builder, x: float, y: float, z: float, size: float) -> None:
    """A plant in a pot."""
    rng = b.rng
    pot, r = b.paint(), size * rng.uniform(0.12, 0.2)
    b.cyl(x, y, z, z + 0.28 * size, r * 0.8, pot, 1.25)
    green = np.array([0.06, 0.2, 0.03]) * rng.uniform(0.5, 1.8)
    leaf = b.mat(rc.LEAVES, green, green * np.array([1.8, 1.5, 1.2]), 0.3)
    if rng.random() < 0.5:
        for _ in range(rng.integers(8, 16)):
            a, lean = rng.uniform(0, 6.28), rng.uniform(0.1, 0.9)
            ln = size * rng.uniform(0.35, 0.7)
            rot = _rot(2, a) @ _rot(1, lean)
            tip = rot @ np.array([0, 0, ln / 2])
            b.add(
                rc.ELLIPSOID,
                (x + tip[0], y + tip[1], z + 0.27 * size + tip[2]),
                (0.01, 0.07 * size + 0.02, ln),
                leaf,
                rot,
            )
    else:
        b.cyl(x, y, z + 0.28 * size, z + 0.6 * size, 0.015, b.wood(0.0))
        for _ in range(rng.integers(3, 6)):
            q, s = rng.normal(0, 0.13 * size, 3), size * rng.uniform(0.3, 0.5)
            b.ball(x + q[0], y + q[1], z + 0.65 * size + q[2], s, s, s * 0.9, leaf, True)


CLUTTER = (bottle, bottle, mug, mug, book, book, carton, fruit, laptop)


def clutter(b: Builder, x0: float, y0: float, x1: float, y1: float, z: float, count: int, tall: float = 9.9) -> None:
    """Scatter small things over a rectangle at height z, without much overlap."""
    spots: list[tuple[float, float]] = []
    for _ in range(count):
        x, y = b.rng.uniform(x0, x1), b.rng.uniform(y0, y1)
        if all(np.hypot(x - p, y - q) > 0.13 for p, q in spots):
            spots.append((x, y))
            kinds = CLUTTER if tall > 0.4 else (mug, book, fruit)
            kinds[b.rng.integers(len(kinds))](b, x, y, z)


# --- furniture: (builder) → footprint (width, depth) ----------------------------------------------------------------------


def _legs(b: Builder, w: float, d: float, y0: float, h: float, mat: int, t: float, inset: float = 0.04) -> None:
    for sx in (-1, 1):
        for y in (y0 + inset, y0 + d - inset):
            x = sx * (w / 2 - inset)
            if t < 0.045:
                b.cyl(x, y, 0, h, t / 2, mat)
            else:
                b.box(x, y, h / 2, t, t, h, mat)


def sofa(b: Builder) -> tuple[float, float]:
    """A sofa or armchair."""
    rng = b.rng
    seats = rng.integers(1, 4)
    arm, seat_w = rng.uniform(0.12, 0.25), rng.uniform(0.6, 0.8)
    w, d, seat_h, back_h = (
        seats * seat_w + 2 * arm,
        rng.uniform(0.8, 1.0),
        rng.uniform(0.38, 0.46),
        rng.uniform(0.7, 0.95),
    )
    m, m2 = b.fabric(), b.fabric()
    low = rng.choice([0.03, 0.12])
    b.cushion(0, d / 2, (low + seat_h - 0.14) / 2, w, d, seat_h - 0.14 - low, m, roundness=1.6)
    b.cushion(0, 0.1, (low + back_h) / 2, w - 0.05, 0.2, back_h - low, m, _rot(0, 0.06), 1.6)
    for s in (-1, 1):
        b.cushion(s * (w - arm) / 2, d / 2, (low + 0.6) / 2, arm, d, 0.6 - low, m, roundness=1.55)
    for i in range(seats):
        x = (i - (seats - 1) / 2) * seat_w
        b.cushion(x, d / 2 + 0.08, seat_h - 0.06, seat_w * 0.99, d - 0.24, 0.18, m, roundness=1.5)
        b.cushion(x, 0.27, seat_h + 0.22, seat_w * 0.97, 0.2, 0.46, m, _rot(0, 0.2), 1.45)
        if rng.random() < 0.5:
            b.cushion(
                x + rng.normal(0, 0.1),
                0.42,
                seat_h + 0.2,
                0.42,
                0.16,
                0.4,
                m2,
                _rot(2, rng.normal(0, 0.3)) @ _rot(0, 0.4),
                1.25,
            )
    if low > 0.1:
        _legs(b, w, d, 0, low, b.wood(), 0.05)
    return w, d


def table(b: Builder, kind: str | None = None) -> tuple[float, float]:
    """A coffee, dining or side table with things on it."""
    rng = b.rng
    kind = kind or rng.choice(["coffee", "dining", "side"])
    h = {"coffee": rng.uniform(0.35, 0.5), "dining": rng.uniform(0.72, 0.77), "side": rng.uniform(0.45, 0.6)}[kind]
    w = {"coffee": rng.uniform(0.7, 1.3), "dining": rng.uniform(0.9, 2.0), "side": rng.uniform(0.35, 0.6)}[kind]
    d = {"coffee": rng.uniform(0.5, 0.8), "dining": rng.uniform(0.75, 1.0), "side": rng.uniform(0.35, 0.5)}[kind]
    m = b.wood() if rng.random() < 0.75 else b.paint(0.4)
    t = rng.uniform(0.02, 0.05)
    if rng.random() < 0.2:
        d = w
        b.cyl(0, d / 2, h - t, h, w / 2, m)
        b.cyl(0, d / 2, 0, h, 0.05, m)
        b.cyl(0, d / 2, 0, 0.03, w / 4, m)
    else:
        b.box(0, d / 2, h - t / 2, w, d, t, m)
        _legs(b, w, d, 0, h - t, m if rng.random() < 0.6 else b.metal(), rng.uniform(0.03, 0.08))
        if kind == "coffee" and rng.random() < 0.5:
            b.box(0, d / 2, 0.16, w - 0.1, d - 0.1, 0.02, m)
    b.group()
    clutter(b, -0.35 * w, 0.2 * d, 0.35 * w, 0.8 * d, h, rng.integers(0, 6))
    return w, d


def chair(b: Builder) -> tuple[float, float]:
    """A dining chair; its back is at y = 0."""
    rng = b.rng
    m = b.wood() if rng.random() < 0.6 else b.paint()
    seat = m if rng.random() < 0.5 else b.fabric()
    w, d, h, top = rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.5), rng.uniform(0.43, 0.48), rng.uniform(0.8, 1.0)
    b.box(0, d / 2, h - 0.02, w, d, 0.04, seat)
    _legs(b, w, d, 0, h - 0.04, m, 0.035)
    if rng.random() < 0.5:
        b.box(0, 0.02, (h + top) / 2 + 0.05, w, 0.03, top - h - 0.1, seat, _rot(0, 0.12))
    else:
        for s in (-1, 1):
            b.box(s * (w / 2 - 0.02), 0.0, (h + top) / 2, 0.035, 0.03, top - h, m, _rot(0, 0.1))
        for i in range(3):
            b.box(0, 0.0, h + (i + 1) * (top - h) / 3.2, w, 0.02, 0.06, m, _rot(0, 0.1))
    return w, d


def office_chair(b: Builder) -> tuple[float, float]:
    """A swivel chair on a star base."""
    rng = b.rng
    m, black = b.fabric(), b.mat(rc.PLAIN, _rgb(0.02, rng), gloss=0.3)
    yaw = rng.uniform(0, 6.28)
    for i in range(5):
        a = yaw + i * 1.2566
        b.rod((0, 0.3, 0.09), (0.3 * np.cos(a), 0.3 + 0.3 * np.sin(a), 0.06), 0.02, black)
        b.ball(0.3 * np.cos(a), 0.3 + 0.3 * np.sin(a), 0.03, 0.06, 0.06, 0.06, black)
    h = rng.uniform(0.42, 0.52)
    b.cyl(0, 0.3, 0.06, h, 0.03, black)
    b.cushion(0, 0.3, h + 0.03, 0.48, 0.48, 0.09, m, roundness=1.35)
    b.cushion(0, 0.06, h + 0.38, 0.45, 0.09, rng.uniform(0.4, 0.6), m, _rot(0, 0.15), 1.35)
    if rng.random() < 0.6:
        for s in (-1, 1):
            b.box(s * 0.27, 0.3, h + 0.22, 0.05, 0.26, 0.03, black)
            b.box(s * 0.27, 0.3, h + 0.1, 0.03, 0.05, 0.22, black)
    return 0.6, 0.6


def shelf(b: Builder) -> tuple[float, float]:
    """A bookcase."""
    rng = b.rng
    w, d, h = rng.uniform(0.6, 1.2), rng.uniform(0.25, 0.35), rng.choice([rng.uniform(0.8, 1.2), rng.uniform(1.7, 2.1)])
    m = b.wood() if rng.random() < 0.5 else b.paint(0.6)
    for s in (-1, 1):
        b.box(s * (w / 2 - 0.01), d / 2, h / 2, 0.02, d, h, m)
    if rng.random() < 0.7:
        b.box(0, 0.005, h / 2, w, 0.01, h, m)
    n = max(2, round(h / rng.uniform(0.3, 0.42)))
    for i in range(n + 1):
        b.box(0, d / 2, 0.05 + i * (h - 0.06) / n, w, d, 0.02, m)
    b.group()
    step = (h - 0.06) / n
    for i in range(n):
        z = 0.06 + i * step
        r = rng.random()
        if r < 0.6:  # a row of books is one box with a texture of spines
            bw, bh, bd = rng.uniform(0.4, 0.95) * (w - 0.06), step * rng.uniform(0.6, 0.88), rng.uniform(0.5, 0.85) * d
            x = rng.uniform(-0.5, 0.5) * (w - 0.06 - bw)
            b.box(
                x,
                bd / 2 + 0.02,
                z + bh / 2,
                bw,
                bd,
                bh,
                b.mat(rc.BOOKS, _rgb(0.5, rng), None, rng.uniform(0.025, 0.045)),
            )
        elif r < 0.9:
            for _ in range(rng.integers(1, 4)):
                x = rng.uniform(-0.38, 0.38) * w
                [mug, fruit, book][rng.integers(3)](b, x, d * 0.5, z)
    return w, d


def cabinet(b: Builder) -> tuple[float, float]:
    """A wardrobe, sideboard, chest of drawers, filing cabinet or fridge, with fronts and handles."""
    rng = b.rng
    kind = rng.choice(["wardrobe", "sideboard", "drawers", "filing"])
    w, d, h = {
        "wardrobe": (rng.uniform(0.8, 2.2), rng.uniform(0.5, 0.65), rng.uniform(1.8, 2.3)),
        "sideboard": (rng.uniform(1.0, 2.0), rng.uniform(0.38, 0.5), rng.uniform(0.5, 0.9)),
        "drawers": (rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.5), rng.uniform(0.7, 1.2)),
        "filing": (rng.uniform(0.4, 0.9), rng.uniform(0.45, 0.65), rng.uniform(0.7, 2.0)),
    }[kind]
    m = b.wood() if rng.random() < 0.5 else b.paint(0.2)
    front = m if rng.random() < 0.7 else b.paint(0.3)
    handle = b.metal()
    b.box(0, d / 2 - 0.01, h / 2, w, d - 0.02, h, m)
    cols = max(1, round(w / 0.5))
    rows = 1 if kind == "wardrobe" else rng.integers(2, 5) if kind != "sideboard" else rng.integers(1, 4)
    cw, rh = w / cols, (h - 0.06) / rows
    for i in range(cols):
        for j in range(rows):
            x, z = -w / 2 + (i + 0.5) * cw, 0.05 + (j + 0.5) * rh
            if rng.random() < 0.92:
                b.box(x, d, z, cw - 0.012, 0.02, rh - 0.012, front)
            if kind == "wardrobe":
                b.box(x + 0.4 * cw, d + 0.02, z, 0.012, 0.02, 0.2, handle)
            else:
                b.box(x, d + 0.02, z + 0.3 * rh, 0.1, 0.02, 0.012, handle)
    if h < 1.3:
        b.group()
        clutter(b, -0.42 * w, 0.1, 0.42 * w, d - 0.08, h, rng.integers(0, 5))
    return w, d


def tv(b: Builder) -> tuple[float, float]:
    """A television on a low board."""
    rng = b.rng
    w, d, h = rng.uniform(1.1, 2.0), 0.4, rng.uniform(0.35, 0.6)
    b.box(0, d / 2, h / 2 + 0.03, w, d, h - 0.06, b.wood() if rng.random() < 0.6 else b.paint())
    tw = rng.uniform(0.8, 1.4)
    th = tw * 0.57
    b.box(0, 0.2, h + 0.07 + th / 2, tw, 0.05, th, b.mat(rc.PLAIN, _rgb(0.015, rng), gloss=0.9))
    b.box(0, 0.2, h + 0.03, 0.3, 0.15, 0.06, b.metal())
    return w, d


def bed(b: Builder) -> tuple[float, float]:
    """A bed, head at the wall."""
    rng = b.rng
    w, d, h = rng.choice([0.95, 1.45, 1.65, 1.85]), rng.uniform(2.0, 2.15), rng.uniform(0.4, 0.6)
    frame, sheet = b.wood() if rng.random() < 0.6 else b.fabric(), b.fabric()
    b.box(0, d / 2, 0.17, w, d, 0.24, frame)
    b.box(0, 0.03, 0.5, w + 0.05, 0.06, rng.uniform(0.8, 1.1), frame)
    white = b.mat(rc.FABRIC, _rgb(0.75, rng, 0.03), _rgb(0.65, rng), 0.5)
    b.cushion(0, d / 2, (0.26 + h) / 2, w - 0.03, d - 0.05, h - 0.24, white, roundness=1.65)
    b.cushion(0, d * 0.62, h - 0.02, w + 0.06, d * 0.75, 0.14, sheet, roundness=1.6)
    for i in range(1 if w < 1.2 else 2):
        x = 0.0 if w < 1.2 else (i - 0.5) * w / 2
        b.cushion(x, 0.3, h + 0.1, 0.65, 0.42, 0.2, white if rng.random() < 0.6 else b.fabric(), _rot(0, 0.35), 1.2)
    return w, d


def desk(b: Builder) -> tuple[float, float]:
    """A desk with a computer."""
    rng = b.rng
    w, d, h = rng.uniform(1.0, 1.8), rng.uniform(0.6, 0.8), rng.uniform(0.71, 0.76)
    top = b.wood() if rng.random() < 0.6 else b.paint(0.5)
    leg = b.metal()
    b.box(0, d / 2, h - 0.0125, w, d, 0.025, top)
    if rng.random() < 0.5:
        _legs(b, w, d, 0, h - 0.025, leg, 0.05)
    else:
        for s in (-1, 1):
            b.box(s * (w / 2 - 0.05), d / 2, 0.03, 0.06, d - 0.1, 0.04, leg)
            b.box(s * (w / 2 - 0.05), d / 2, h / 2, 0.06, 0.08, h - 0.03, leg)
    if rng.random() < 0.5:
        b.box(-w / 2 + 0.25, d / 2, 0.32, 0.4, d - 0.1, 0.6, top)
    if rng.random() < 0.6:
        for _ in range(rng.integers(1, 3)):
            monitor(b, rng.uniform(-0.3, 0.3) * w, 0.22, h, np.pi + rng.normal(0, 0.2))
        b.box(0, 0.5, h + 0.012, 0.42, 0.14, 0.024, b.mat(rc.CHECKER, _rgb(0.03, rng), _rgb(0.09, rng), 0.019))
    b.group()
    clutter(b, -0.45 * w, 0.1, 0.45 * w, d - 0.08, h, rng.integers(1, 7))
    return w, d


def kitchen(b: Builder) -> tuple[float, float]:
    """A row of kitchen units with wall cupboards."""
    rng = b.rng
    n = rng.integers(2, 6)
    w, d, h = n * 0.6, 0.6, rng.uniform(0.86, 0.94)
    front, top, handle = (
        b.wood() if rng.random() < 0.4 else b.paint(0.4),
        b.mat(rc.MARBLE, _rgb(rng.uniform(0.05, 0.7), rng), _rgb(0.5, rng), 0.6, gloss=0.4),
        b.metal(),
    )
    b.box(0, d / 2 - 0.03, h / 2, w, d - 0.06, h, b.mat(rc.PLAIN, _rgb(0.05, rng)))
    b.box(0, d / 2, h + 0.01, w, d + 0.02, 0.04, top)
    for i in range(n):
        x = -w / 2 + (i + 0.5) * 0.6
        if rng.random() < 0.2:
            b.box(x, d - 0.05, h / 2 + 0.04, 0.59, 0.02, h - 0.15, b.mat(rc.PLAIN, _rgb(0.02, rng), gloss=0.7))
        else:
            b.box(x, d - 0.05, h / 2 + 0.04, 0.59, 0.02, h - 0.12, front)
        b.box(x, d - 0.03, h - 0.12, 0.15, 0.02, 0.012, handle)
    b.group()
    if rng.random() < 0.8:
        for i in range(n):
            x = -w / 2 + (i + 0.5) * 0.6
            b.box(x, 0.17, 1.8, 0.595, 0.35, 0.7, front)
            b.box(x + 0.24, 0.36, 1.55, 0.012, 0.02, 0.12, handle)
    splash = b.mat(
        rng.choice([rc.TILES, rc.PLAIN, rc.BRICK]), _rgb(0.6, rng), _rgb(0.5, rng), rng.uniform(0.1, 0.2), extra=0.4
    )
    b.box(0, 0.005, 1.18, w, 0.01, 0.5, splash)
    b.group()
    clutter(b, -0.45 * w, 0.1, 0.45 * w, 0.4, h + 0.03, rng.integers(2, 8))
    return w, d


def floor_lamp(b: Builder) -> tuple[float, float]:
    """A standing lamp."""
    h = b.rng.uniform(1.3, 1.8)
    m = b.metal()
    b.cyl(0, 0.2, 0, 0.03, 0.14, m)
    b.cyl(0, 0.2, 0, h, 0.012, m)
    on = b.rng.random() < 0.5
    b.cyl(0, 0.2, h - 0.25, h, 0.2, b.mat(rc.FABRIC, _rgb(0.7, b.rng), None, 0.5, glow=2.0 if on else 0.1), 0.7)
    if on:
        b.lamp(0, 0.2, h + 0.08, b.rng.uniform(0.5, 1.5), 0.8, 0.08)
    return 0.4, 0.4


def big_plant(b: Builder) -> tuple[float, float]:
    """A plant on the floor."""
    plant(b, 0, 0.25, 0, b.rng.uniform(0.6, 1.6))
    return 0.5, 0.5


def pouf(b: Builder) -> tuple[float, float]:
    """A pouf, basket or bin."""
    r, h = b.rng.uniform(0.15, 0.32), b.rng.uniform(0.3, 0.5)
    if b.rng.random() < 0.5:
        b.cushion(0, r, h / 2, 2 * r, 2 * r, h, b.fabric())
    else:
        b.cyl(0, r, 0, h, r * 0.8, b.any_mat(), 1.2)
    return 2 * r, 2 * r


def boxes(b: Builder) -> tuple[float, float]:
    """Cartons on the floor."""
    z = 0.0
    card = b.mat(rc.MOTTLED, np.array([0.4, 0.27, 0.15]), np.array([0.33, 0.22, 0.12]), 0.4)
    for _ in range(b.rng.integers(1, 4)):
        s = b.rng.uniform(0.25, 0.5, 3)
        b.box(0, 0.28, z + s[2] / 2, s[0], s[1], s[2], card, _rot(2, b.rng.normal(0, 0.15)))
        z += s[2]
    return 0.55, 0.55


AT_WALL: tuple[Callable[[Builder], tuple[float, float]], ...] = (
    sofa, sofa, shelf, shelf, cabinet, cabinet, cabinet, tv, bed, desk, kitchen, floor_lamp, big_plant, boxes, pouf, table,
)  # fmt: skip
FREE: tuple[Callable[[Builder], tuple[float, float]], ...] = (
    table,
    table,
    table,
    chair,
    chair,
    sofa,
    pouf,
    office_chair,
    boxes,
)


# --- rooms -----------------------------------------------------------------------------------------------------------------


def _wall_mat(b: Builder) -> int:
    rng = b.rng
    r = rng.random()
    a = _rgb(rng.uniform(0.55, 0.88), rng, 0.04)
    if r < 0.55:
        return b.mat(rc.PLAIN, a, a, 1.0)
    if r < 0.67:
        return b.mat(rc.PLAIN, 0.6 * _vivid(rng, 0.2, 0.75) + 0.4 * rng.uniform(0.2, 0.8))
    if r < 0.77:
        return b.mat(rc.MOTTLED, a, a * rng.uniform(0.85, 0.97), rng.uniform(0.3, 2))
    if r < 0.87:
        brick = np.array([0.35, 0.12, 0.07]) * rng.uniform(0.6, 1.6) if rng.random() < 0.7 else _rgb(0.7, rng)
        return b.mat(rc.BRICK, np.clip(brick, 0, 0.9), _rgb(0.55, rng), rng.uniform(0.2, 0.26), extra=0.5)
    if r < 0.95:
        return b.mat(rng.choice([rc.STRIPES, rc.DOTS, rc.ZIGZAG]), a, a * rng.uniform(0.6, 0.92), rng.uniform(0.08, 0.4),
                     extra=rng.uniform(0.2, 0.6))  # fmt: skip
    return b.mat(rc.TILES, a, a * 0.9, rng.uniform(0.1, 0.4), gloss=0.3, extra=0.35)


def _floor_mat(b: Builder, office: bool = False) -> int:
    rng = b.rng
    r = rng.random() * (0.45 if office else 1.0)
    if r < 0.2:
        a = _rgb(rng.uniform(0.08, 0.45), rng, 0.12)
        return b.mat(rc.CARPET, a, a * rng.uniform(1.2, 1.8), rng.uniform(0.3, 0.9), 0, 0, 0, rng.integers(0, 2))
    if r < 0.3:
        return b.mat(rc.MOTTLED, _rgb(rng.uniform(0.2, 0.6), rng, 0.05), None, 2.0, 0, rng.uniform(0, 0.5))
    if r < 0.5:
        a = _rgb(rng.uniform(0.15, 0.75), rng, 0.08)
        return b.mat(rc.TILES, a, a * rng.uniform(0.7, 0.95), rng.uniform(0.25, 0.7), rng.choice([0, 0.785]),
                     rng.choice([0, 0.3, 0.6]), 0, rng.uniform(0.2, 0.6))  # fmt: skip
    a = WOODS[rng.integers(len(WOODS))] * rng.uniform(0.8, 1.3)
    return b.mat(rc.PLANKS, a, a * rng.uniform(0.45, 0.75), rng.uniform(0.07, 0.2), rng.choice([0, np.pi / 2]),
                 rng.choice([0, 0.2, 0.5]), 0, rng.uniform(0.3, 0.7))  # fmt: skip


def _frame_of_wall(i: int, w: float, d: float) -> tuple[float, float, float, float]:
    """(x, y, yaw, length) of wall i of the room [0, w] × [0, d]."""
    return [(0.0, 0.0, 0.0, w), (w, 0.0, np.pi / 2, d), (w, d, np.pi, w), (0.0, d, 1.5 * np.pi, d)][i]


def _wall(b: Builder, length: float, height: float, openings: list[tuple[float, float, float, float]], mat: int,
          skirting: int | None) -> None:  # fmt: skip
    """A wall behind y = 0 of the present frame with rectangular openings (x0, x1, z0, z1), sorted by x."""
    x = -0.2
    b.group()
    for x0, x1, z0, z1 in [*openings, (length + 0.2, length + 0.2, 0.0, 0.0)]:
        if x0 > x:
            b.box((x + x0) / 2, -0.1, height / 2, x0 - x, 0.2, height, mat)
            if skirting is not None:
                b.box((x + x0) / 2, 0.008, 0.045, x0 - x, 0.016, 0.09, skirting)
        if x1 > x0:
            if z0 > 0:
                b.box((x0 + x1) / 2, -0.1, z0 / 2, x1 - x0, 0.2, z0, mat)
            if z0 > 0.2 and skirting is not None:
                b.box((x0 + x1) / 2, 0.008, 0.045, x1 - x0, 0.016, 0.09, skirting)
            if z1 < height:
                b.box((x0 + x1) / 2, -0.1, (z1 + height) / 2, x1 - x0, 0.2, height - z1, mat)
        x = x1


def _window(b: Builder, x0: float, x1: float, z0: float, z1: float, light: Vec) -> None:
    """Frame, sill, curtains or radiator of an opening, and its light."""
    rng = b.rng
    b.group()
    m = b.mat(rc.PLAIN, _rgb(0.75, rng, 0.03), gloss=0.2) if rng.random() < 0.75 else b.wood()
    w, h, t = x1 - x0, z1 - z0, rng.uniform(0.05, 0.08)
    xm, zm = (x0 + x1) / 2, (z0 + z1) / 2
    for x in (x0 + t / 2, x1 - t / 2):
        b.box(x, -0.1, zm, t, 0.07, h, m)
    for z in (z0 + t / 2, z1 - t / 2):
        b.box(xm, -0.1, z, w, 0.07, t, m)
    for i in range(1, max(1, round(w / rng.uniform(0.6, 1.2)))):
        b.box(x0 + w * i / max(1, round(w / 0.8)), -0.1, zm, t * 1.3, 0.06, h, m)
    if rng.random() < 0.25:
        b.box(xm, -0.1, z0 + 0.65 * h, w, 0.05, t * 0.6, m)
    if z0 > 0.3:
        b.box(xm, 0.04, z0 - 0.015, w + 0.1, 0.3, 0.03, m)
        if rng.random() < 0.3:
            b.box(
                xm,
                0.09,
                0.4,
                w * 0.8,
                0.1,
                min(0.6, z0 - 0.2),
                b.mat(rc.STRIPES, _rgb(0.75, rng, 0.02), _rgb(0.5, rng, 0.02), 0.05),
            )
        if rng.random() < 0.3:
            plant(b, xm + rng.uniform(-0.3, 0.3) * w, 0.05, z0, rng.uniform(0.2, 0.45))
    if rng.random() < 0.4:  # curtains: overlapping vertical rolls
        b.group()
        c = b.mat(rc.FABRIC, _rgb(rng.uniform(0.3, 0.85), rng, 0.1), None, 0.5, glow=rng.choice([0.0, 0.4]))
        low, high = rng.choice([0.02, max(0.02, z0 - 0.1)]), z1 + 0.12
        for s, edge in ((1, x0), (-1, x1)):
            for i in range(rng.integers(3, 8)):
                b.cyl(edge + s * (i * 0.07 - 0.12), 0.12 + 0.02 * (i % 2), low, high, 0.045, c)
        b.rod((x0 - 0.25, 0.13, high + 0.01), (x1 + 0.25, 0.13, high + 0.01), 0.012, b.metal())
    elif rng.random() < 0.2:  # a blind, partly down
        drop = rng.uniform(0.1, 0.7) * h
        b.box(
            xm,
            -0.03,
            z1 - drop / 2,
            w,
            0.02,
            drop,
            b.mat(rc.STRIPES, _rgb(0.7, rng), _rgb(0.5, rng), 0.05, np.pi / 2, glow=0.3),
        )
    f = b.frame
    b.panel(b.to_world(xm, -0.1, zm), f[:, 0] * (w / 2), f[:, 2] * (h / 2) * -1, light * w * h)


def _door(b: Builder, x: float, w: float, h: float) -> None:
    """A closed door with its frame and handle on the wall y = 0."""
    rng = b.rng
    b.group()
    leaf = b.wood() if rng.random() < 0.45 else b.paint(0.4)
    if rng.random() < 0.5:
        a = _rgb(rng.uniform(0.3, 0.8), rng, 0.05)
        leaf = b.mat(rc.PANELS, a, a, rng.uniform(0.5, 0.9))
    frame = b.paint(0.3) if rng.random() < 0.6 else b.wood()
    b.box(x, 0.012, h / 2, w, 0.025, h, leaf)
    for s in (-1, 1):
        b.box(x + s * (w / 2 + 0.035), 0.015, h / 2, 0.08, 0.04, h + 0.07, frame)
    b.box(x, 0.015, h + 0.035, w + 0.14, 0.04, 0.08, frame)
    m, s = b.metal(), rng.choice([-1, 1])
    b.box(x + s * (w / 2 - 0.07), 0.035, 1.03, 0.04, 0.02, 0.2, m)
    b.rod((x + s * (w / 2 - 0.07), 0.07, 1.05), (x + s * (w / 2 - 0.19), 0.07, 1.05), 0.01, m)


def _picture(b: Builder, x: float, z: float, w: float, h: float) -> None:
    """A framed picture, poster, mirror, clock or notice board on the wall y = 0."""
    rng = b.rng
    t = rng.uniform(0.01, 0.04)
    b.box(x, t / 2, z, w, t, h, b.any_mat())
    e = rng.choice([0.0, 0.02, 0.05])
    b.box(
        x,
        t / 2 + 0.002,
        z,
        w - 2 * e,
        t,
        h - 2 * e,
        b.mat(rc.POSTER, _vivid(rng), _vivid(rng), rng.uniform(0.2, 0.9), extra=rng.integers(2, 8)),
    )


def _outside(b: Builder, z: float) -> None:
    """What windows look out on: ground, hedges, trees, a house."""
    rng = b.rng
    b.at(0, 0, 0)
    g = np.array([0.1, 0.2, 0.04]) * rng.uniform(0.6, 1.5)
    b.box(
        0,
        0,
        z - 0.5,
        400,
        400,
        1.0,
        b.mat(rc.LEAVES, g, g * 1.6, 1.0) if rng.random() < 0.6 else b.mat(rc.ASPHALT, _rgb(0.2, rng), _rgb(0.3, rng)),
    )
    for _ in range(rng.integers(2, 9)):
        a, r = rng.uniform(0, 6.28), rng.uniform(9, 30)
        tree(b, 3 + r * np.cos(a), 3 + r * np.sin(a), z, rng.uniform(1.5, 9))
    for _ in range(rng.integers(0, 3)):
        a, r = rng.uniform(0, 6.28), rng.uniform(18, 40)
        house_block(b, 3 + r * np.cos(a), 3 + r * np.sin(a), z, rng.uniform(0, 3.1))


def _ceiling_lights(b: Builder, w: float, d: float, h: float, office: bool, power: float) -> None:
    rng = b.rng
    if office:
        n = max(1, round(d / rng.uniform(1.8, 3.0)))
        cols = max(1, round(w / rng.uniform(2.0, 3.5)))
        size = rng.choice([0.6, 1.2])
        m = b.mat(rc.PLAIN, np.array([0.9, 0.9, 0.9]), glow=rng.uniform(3, 9))
        b.at(0, 0)
        for i in range(n):
            for j in range(cols):
                x, y = (j + 0.5) * w / cols, (i + 0.5) * d / n
                b.box(x, y, h - 0.005, 0.55, size, 0.02, m)
                c = power / np.sqrt(n * cols) * np.array([1.0, 1.0, 0.95])
                b.panel(np.array([x, y, h - 0.02]), np.array([0.0, size / 2, 0]), np.array([0.28, 0, 0.0]), c * 1.5)
    elif rng.random() < 0.75:
        x, y, drop = w / 2 + rng.normal(0, 0.3), d / 2 + rng.normal(0, 0.4), rng.choice([0.08, rng.uniform(0.3, 0.9)])
        b.at(x, y)
        on = rng.random() < 0.75
        shade = b.mat(rc.FABRIC, _rgb(0.75, rng), None, 0.5, glow=rng.uniform(1, 5) if on else 0.1)
        if drop > 0.2:
            b.cyl(0, 0, h - drop, h, 0.006, b.metal())
            r = rng.uniform(0.12, 0.28)
            if rng.random() < 0.5:
                b.cyl(0, 0, h - drop - 0.25, h - drop, r, shade, rng.uniform(0.4, 1))
            else:
                b.ball(0, 0, h - drop - r, 2 * r, 2 * r, 2 * r, shade)
        else:
            b.cyl(0, 0, h - drop, h, rng.uniform(0.12, 0.25), shade)
        if on:
            b.lamp(0, 0, h - drop - 0.35 if drop > 0.2 else h - 0.2, power, rng.uniform(0.1, 0.9), 0.1)
            b.lamp(0, 0, h - 0.12, 0.3 * power, rng.uniform(0.1, 0.9), 0.1)


class Floor:
    """Which parts of the floor are taken."""

    def __init__(self, w: float, d: float) -> None:
        self.w, self.d, self.taken = w, d, []

    def free(self, x0: float, y0: float, x1: float, y1: float, margin: float = 0.05) -> bool:
        """Is a rectangle inside the room and clear?"""
        if x0 < -0.01 or y0 < -0.01 or x1 > self.w + 0.01 or y1 > self.d + 0.01:
            return False
        return all(
            x1 + margin < a or x0 - margin > c or y1 + margin < e or y0 - margin > f for a, e, c, f in self.taken
        )

    def take(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Mark a rectangle."""
        self.taken.append((x0, y0, x1, y1))


def _place(
    b: Builder, floor: Floor, make: Callable[[Builder], tuple[float, float]], x: float, y: float, yaw: float
) -> bool:
    """Build a piece at a place, and take it away again if it does not fit."""
    marks = len(b.shape), len(b.starts), len(b.lights)
    b.at(x, y, 0, yaw)
    w, d = make(b)
    c = np.array([b.to_world(sx * w / 2, sy, 0)[:2] for sx in (-1, 1) for sy in (0, d)])
    box = (*c.min(0), *c.max(0))
    if floor.free(*box):
        floor.take(*box)
        return True
    for items in (b.shape, b.rotation, b.centre, b.half, b.param, b.material):
        del items[marks[0] :]
    del b.starts[marks[1] :], b.lights[marks[2] :]
    b.starts.append(marks[0])
    return False


def _indoor_light(b: Builder, w: float, d: float) -> tuple[float, Vec]:
    """(lamp power, daylight colour) for a room; sets the ambient light and perhaps the sun."""
    rng = b.rng
    day = rng.choice([0.0, 1.0, 3.0], p=[0.2, 0.35, 0.45])
    sky = day * np.array([0.8, 0.95, 1.15]) * rng.uniform(0.5, 1.5)
    if day > 0 and rng.random() < 0.5:
        b.sun(rng.uniform(0, 6.28), rng.uniform(0.2, 0.9), rng.uniform(2, 12))
    b.sky[11] *= [0.03, 1.5, 4.0][int(min(day, 2))]
    level = rng.uniform(0.15, 0.55) * (0.6 + 0.4 * (day > 0))
    tint = np.array([1.0, rng.uniform(0.85, 1.0), rng.uniform(0.7, 1.05)])
    b.ambient[:] = [*(level * tint), rng.uniform(0.8, 2.5), 0]
    return rng.uniform(0.5, 3.0) * (0.5 if day > 1 else 1.0), sky


def _shell(
    b: Builder, w: float, d: float, h: float, office: bool, day: Vec, floor: Floor, windows: float = 1.0
) -> None:
    """Floor, ceiling, walls, windows, doors and pictures."""
    rng = b.rng
    wall = _wall_mat(b)
    accent = rng.integers(4) if rng.random() < 0.3 else -1
    accent_mat = _wall_mat(b)
    skirting = b.paint(0.5) if rng.random() < 0.75 else None
    b.at(0, 0)
    b.box(w / 2, d / 2, -0.1, w + 0.4, d + 0.4, 0.2, _floor_mat(b, office))
    b.group()
    white = _rgb(rng.uniform(0.65, 0.88), rng, 0.02)
    ceiling = (
        b.mat(rc.CEILING, white, white * 0.8, 0.6, 0, 0, 0, 0.3)
        if office and rng.random() < 0.7
        else b.mat(rc.PLAIN, white)
    )
    b.box(w / 2, d / 2, h + 0.1, w + 0.4, d + 0.4, 0.2, ceiling)
    if not office and rng.random() < 0.12:
        for i in range(rng.integers(2, 6)):
            b.box(w / 2, (i + 0.5) * d / 5, h - 0.08, w, 0.12, 0.16, b.wood())
    for i in range(4):
        x, y, yaw, length = _frame_of_wall(i, w, d)
        b.at(x, y, 0, yaw)
        openings: list[tuple[float, float, float, float]] = []
        doors, used = [], 0.15
        while used < length - 0.9 and rng.random() < 0.75:
            used += rng.uniform(0.1, max(0.2, (length - used) * 0.5))
            if rng.random() < 0.45 * windows + 0.1:
                ww, sill = rng.uniform(0.7, 2.4), rng.choice([0.02, rng.uniform(0.4, 1.1)], p=[0.2, 0.8])
                top = min(h - 0.1, rng.uniform(1.9, 2.4))
                if used + ww < length - 0.15:
                    openings.append((used, used + ww, sill, top))
                used += ww + 0.25
            else:
                dw = rng.uniform(0.75, 1.0)
                if used + dw < length - 0.15:
                    doors.append((used + dw / 2, dw, rng.uniform(1.97, 2.1)))
                used += dw + 0.25
        _wall(b, length, h, openings, accent_mat if i == accent else wall, skirting)
        for o in openings:
            _window(b, *o, day)
        for x_, w_, h_ in doors[:1]:
            _door(b, x_, w_, h_)
            p, q = b.to_world(x_ - w_ / 2, 0, 0), b.to_world(x_ + w_ / 2, 0.4, 0)
            floor.take(min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1]))
        b.group()
        for _ in range(rng.integers(0, 4)):
            pw, ph = rng.uniform(0.2, 1.1), rng.uniform(0.2, 0.9)
            px, pz = rng.uniform(0.2 + pw / 2, max(0.3 + pw / 2, length - 0.2 - pw / 2)), rng.uniform(1.35, 1.8)
            clear = all(px + pw / 2 < o[0] - 0.1 or px - pw / 2 > o[1] + 0.1 for o in openings)
            if clear and all(abs(px - q[0]) > (pw + q[1]) / 2 + 0.1 for q in doors[:1]):
                _picture(b, px, pz, pw, ph)
        if rng.random() < 0.5:
            b.box(
                rng.uniform(0.3, length - 0.3),
                0.005,
                rng.choice([0.3, 1.05]),
                0.08,
                0.012,
                0.08,
                b.mat(rc.PLAIN, _rgb(0.8, rng, 0.02)),
            )


def look(position: Vec, yaw: float, pitch: float, roll: float) -> Vec:
    """Camera rotation (columns right, down, forward) that looks along azimuth ``yaw``, ``pitch`` up, turned by ``roll``."""
    f = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    r = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    return np.stack([r, np.cross(f, r), f], axis=1) @ _rot(2, roll)


Pose = tuple[Vec, float, float]
"""Position, azimuth, pitch."""


def room(b: Builder) -> Pose:
    """A furnished (or bare) room of a home."""
    rng = b.rng
    w, d, h = rng.uniform(2.4, 6.0), rng.uniform(2.6, 7.0), np.clip(rng.normal(2.6, 0.18), 2.25, 3.4)
    power, day = _indoor_light(b, w, d)
    floor = Floor(w, d)
    _shell(b, w, d, h, False, day, floor)
    _ceiling_lights(b, w, d, h, rng.random() < 0.1, power)
    if rng.random() < 0.45:
        rw, rd = rng.uniform(1.2, min(3.0, w - 0.4)), rng.uniform(1.2, min(3.0, d - 0.4))
        b.at(
            w / 2 + rng.normal(0, 0.3), d / 2 + rng.normal(0, 0.4), 0, rng.choice([0, np.pi / 2]) + rng.normal(0, 0.05)
        )
        kind = rng.choice([rc.CARPET, rc.FABRIC, rc.ZIGZAG, rc.STRIPES, rc.POSTER])
        b.box(
            0,
            0,
            0.006,
            rw,
            rd,
            0.012,
            b.mat(
                kind,
                _vivid(rng),
                _vivid(rng),
                rng.uniform(0.2, 0.6),
                extra=rng.uniform(0.3, 0.6) if kind != rc.POSTER else 4,
            ),
        )
    bare = rng.random() < 0.1
    for _ in range(0 if bare else rng.integers(5, 18)):
        i = rng.integers(4)
        x, y, yaw, length = _frame_of_wall(i, w, d)
        s = rng.uniform(0.3, length - 0.3)
        b.origin, b.frame = np.array([x, y, 0.0]), _rot(2, yaw)
        p = b.to_world(s, rng.choice([0.02, 0.05]), 0)
        _place(b, floor, AT_WALL[rng.integers(len(AT_WALL))], p[0], p[1], yaw)
    for _ in range(0 if bare else rng.integers(1, 11)):
        x, y = rng.uniform(0.5, w - 0.5), rng.uniform(0.5, d - 0.5)
        _place(b, floor, FREE[rng.integers(len(FREE))], x, y, rng.choice([0, 1, 2, 3]) * np.pi / 2 + rng.normal(0, 0.1))
    _outside(b, rng.choice([-0.3, -0.3, -3.2, -9.0]))
    return _inside_pose(b, w, d, h)


def _inside_pose(b: Builder, w: float, d: float, h: float) -> Pose:
    rng = b.rng
    tall = min(np.clip(rng.normal(1.5, 0.16) if rng.random() < 0.75 else rng.uniform(0.5, 2.0), 0.4, h - 0.25), h - 0.2)
    for _ in range(30):
        if rng.random() < 0.75:
            x = rng.choice([rng.uniform(0.1, 0.7), w - rng.uniform(0.1, 0.7), rng.uniform(0.2, w - 0.2)])
            y = rng.choice([rng.uniform(0.1, 0.7), d - rng.uniform(0.1, 0.7), rng.uniform(0.2, d - 0.2)])
            target = np.array([rng.uniform(0.25, 0.75) * w, rng.uniform(0.25, 0.75) * d])
            yaw = np.arctan2(target[1] - y, target[0] - x) + rng.normal(0, 0.2)
        else:
            x, y, yaw = rng.uniform(0.2, w - 0.2), rng.uniform(0.2, d - 0.2), rng.uniform(0, 6.28)
        here = np.array([x, y, tall])
        way = np.array([np.cos(yaw), np.sin(yaw), -0.12])
        clear = 1.7 if rng.random() < 0.9 else 0.5
        if not any(b.contains(here + s * way, 0.1) for s in np.arange(0, clear, 0.3)):
            break
    pitch = rng.normal(-0.1 - 0.1 * (tall - 1.4), 0.12) if rng.random() < 0.85 else rng.normal(-0.5, 0.25)
    return here, yaw, pitch


def corridor(b: Builder) -> Pose:
    """A corridor, or an open-plan office with an aisle between cabinets and partitions."""
    rng = b.rng
    opened = rng.random() < 0.4
    w, d, h = rng.uniform(1.2, 2.6), rng.uniform(5, 22), np.clip(rng.normal(2.6, 0.2), 2.3, 3.3)
    if opened:
        w += rng.uniform(1.5, 4)
    power, day = _indoor_light(b, w, d)
    b.lights = [x for x in b.lights if x[0] != rc.SUN or rng.random() < 0.3]
    floor = Floor(w, d)
    office = rng.random() < 0.8
    _shell(b, w, d, h, office, day * 0.5, floor, 0.2)
    floor.taken.clear()
    _ceiling_lights(b, w, d, h, True, power)
    for i, (x0, yaw) in enumerate(((0.0, 1.5 * np.pi), (w, np.pi / 2))):
        y = rng.uniform(0.3, 2)
        while y < d - 1 and rng.random() < 0.9:
            b.at(x0, y, 0, yaw)
            if rng.random() < 0.7:
                _door(b, 0, rng.uniform(0.85, 1.0), 2.05)
            elif rng.random() < 0.6:
                _picture(b, 0, 1.55, rng.uniform(0.3, 1.2), rng.uniform(0.3, 0.9))
            if rng.random() < 0.3:
                b.box(0.75, 0.006, rng.choice([1.1, 1.5]), 0.15, 0.012, 0.2, b.paint())
            y += rng.uniform(1.2, 4)
        if i == 1 and opened:
            lane = rng.uniform(1.1, 1.8)
            y, part = rng.uniform(0, 1.5), b.fabric() if rng.random() < 0.5 else b.paint(0.3)
            while y < d - 1.5:
                b.at(lane, y)
                n, ph = rng.uniform(0.8, 2.5), rng.uniform(1.1, 1.9)
                if rng.random() < 0.5:
                    b.box(0.03, n / 2, ph / 2, 0.06, n, ph, part)
                    b.box(0.8, 0, ph / 2, 1.6, 0.06, ph, part)
                    b.box(0.03, n / 2, ph, 0.07, n, 0.03, b.metal())
                else:
                    _place(b, Floor(1e3, 1e3), cabinet, lane, y + n / 2, -np.pi / 2 + np.pi)
                y += n + rng.choice([0.0, rng.uniform(0.5, 1.5)])
    for _ in range(rng.integers(0, 4)):
        i = rng.choice([1, 3, 2])
        x, y, yaw, length = _frame_of_wall(i, w, d)
        b.origin, b.frame = np.array([x, y, 0.0]), _rot(2, yaw)
        p = b.to_world(rng.uniform(0.5, max(0.6, length - 0.5)), 0.02, 0)
        if w > 1.6 or i == 2:
            _place(b, floor, [cabinet, big_plant, boxes, shelf, chair][rng.integers(5)], p[0], p[1], yaw)
    _outside(b, -0.3)
    here = np.array(
        [
            np.clip(rng.normal(0.6, 0.2), 0.25, min(w, 1.8) - 0.25),
            rng.uniform(0.3, 0.4 * d),
            np.clip(rng.normal(1.45, 0.2), 0.8, 1.9),
        ]
    )
    for _ in range(20):
        if not b.contains(here, 0.15):
            break
        here = np.array([rng.uniform(0.25, w - 0.25), rng.uniform(0.2, 0.4 * d), rng.uniform(1.2, 1.7)])
    return here, np.pi / 2 + rng.normal(0, 0.17), rng.normal(-0.08, 0.08)


def office(b: Builder) -> Pose:
    """A larger room with rows of desks, partitions, chairs, cabinets."""
    rng = b.rng
    w, d, h = rng.uniform(4, 10), rng.uniform(4, 12), rng.uniform(2.5, 3.3)
    power, day = _indoor_light(b, w, d)
    floor = Floor(w, d)
    _shell(b, w, d, h, True, day, floor)
    _ceiling_lights(b, w, d, h, True, power)
    part, ph = b.fabric() if rng.random() < 0.6 else b.wood(), rng.uniform(1.0, 1.6)
    for _ in range(rng.integers(4, 12)):
        x, y = rng.uniform(0.8, w - 0.8), rng.uniform(0.8, d - 0.8)
        yaw = rng.choice([0, 1, 2, 3]) * np.pi / 2
        make = desk if rng.random() < 0.75 else [table, shelf, cabinet, boxes][rng.integers(4)]
        if _place(b, floor, make, x, y, yaw) and make is desk:
            b.at(x, y, 0, yaw)
            if rng.random() < 0.5:
                b.box(0, -0.04, ph / 2, rng.uniform(1.4, 2.0), 0.04, ph, part)
            b.at(*b.to_world(rng.normal(0, 0.3), rng.uniform(1.1, 1.4), 0)[:2], 0, yaw + np.pi + rng.normal(0, 0.5))
            (office_chair if rng.random() < 0.8 else chair)(b)
    for _ in range(rng.integers(1, 6)):
        i = rng.integers(4)
        x, y, yaw, length = _frame_of_wall(i, w, d)
        b.origin, b.frame = np.array([x, y, 0.0]), _rot(2, yaw)
        p = b.to_world(rng.uniform(0.5, length - 0.5), 0.02, 0)
        _place(b, floor, [cabinet, shelf, big_plant, cabinet][rng.integers(4)], p[0], p[1], yaw)
    _outside(b, rng.choice([-0.3, -6.0]))
    here, yaw, pitch = _inside_pose(b, w, d, h)
    if rng.random() < 0.4:
        pitch -= rng.uniform(0.1, 0.5)
    return here, yaw, pitch


def tabletop(b: Builder) -> Pose:
    """A table or desk with many things on it, seen from near."""
    rng = b.rng
    w, d, h = rng.uniform(2.8, 6.0), rng.uniform(2.8, 6.0), rng.uniform(2.4, 2.9)
    power, day = _indoor_light(b, w, d)
    floor = Floor(w, d)
    _shell(b, w, d, h, rng.random() < 0.3, day, floor)
    _ceiling_lights(b, w, d, h, False, power)
    x, y, yaw = rng.uniform(1.3, w - 1.3), rng.uniform(1.3, d - 1.3), rng.uniform(0, 6.28)
    b.at(x, y, 0, yaw)
    tw, td, th = rng.uniform(0.8, 2.0), rng.uniform(0.6, 1.0), rng.uniform(0.7, 0.77)
    top = b.wood() if rng.random() < 0.6 else b.paint(0.3)
    b.box(0, 0, th - 0.015, tw, td, 0.03, top)
    _legs(b, tw, td, -td / 2, th - 0.03, b.metal() if rng.random() < 0.5 else top, rng.uniform(0.03, 0.08))
    b.group()
    clutter(b, -0.45 * tw, -0.4 * td, 0.45 * tw, 0.4 * td, th, rng.integers(3, 16))
    if rng.random() < 0.35:
        monitor(b, rng.uniform(-0.3, 0.3) * tw, 0.28 * td, th, rng.normal(0, 0.2))
    if rng.random() < 0.35:
        b.group()
        b.box(0, td / 2 + 0.02, 0.6, tw * rng.uniform(0.9, 1.3), 0.03, rng.uniform(1.1, 1.4), b.any_mat())
    for s in (-1, 1):
        if rng.random() < 0.5:
            b.at(x, y, 0, yaw)
            p = b.to_world(rng.uniform(-0.3, 0.3) * tw, s * (td / 2 + 0.3), 0)
            b.at(p[0], p[1], 0, yaw + (0 if s < 0 else np.pi) + rng.normal(0, 0.4))
            (chair if rng.random() < 0.5 else office_chair)(b)
    for _ in range(rng.integers(0, 5)):
        i = rng.integers(4)
        wx, wy, wyaw, length = _frame_of_wall(i, w, d)
        b.origin, b.frame = np.array([wx, wy, 0.0]), _rot(2, wyaw)
        p = b.to_world(rng.uniform(0.4, length - 0.4), 0.02, 0)
        _place(b, floor, [cabinet, shelf, sofa, big_plant][rng.integers(4)], p[0], p[1], wyaw)
    _outside(b, -0.3)
    for _ in range(30):
        distance, pitch = rng.uniform(0.5, 2.6), -rng.uniform(0.2, 0.95)
        a = yaw - np.pi / 2 + rng.normal(0, 0.5)
        aim = np.array([x, y, th]) + rng.normal(0, 0.12, 3)
        here = aim + distance * np.array([np.cos(a) * np.cos(pitch), np.sin(a) * np.cos(pitch), -np.sin(pitch)])
        inside = 0.1 < here[0] < w - 0.1 and 0.1 < here[1] < d - 0.1 and here[2] < h - 0.1
        if inside and not b.contains(here, 0.1):
            return here, a + np.pi + rng.normal(0, 0.1), pitch + rng.normal(0, 0.06)
    return _inside_pose(b, w, d, h)


# --- outdoors --------------------------------------------------------------------------------------------------------------


def tree(b: Builder, x: float, y: float, z: float, size: float) -> None:
    """A tree or (when small) a bush."""
    rng = b.rng
    b.at(x, y, z)
    green = np.array([0.06, 0.16, 0.03]) * rng.uniform(0.5, 2.0) * (1 + rng.normal(0, 0.2, 3))
    leaf = b.mat(rc.LEAVES, np.clip(green, 0.01, 0.8), np.clip(green * 2, 0.01, 0.8), 1.0)
    if size < 2.5:
        for _ in range(rng.integers(2, 5)):
            q = rng.normal(0, 0.25 * size, 2)
            b.ball(
                q[0],
                q[1],
                0.4 * size,
                size * rng.uniform(0.7, 1.1),
                size * rng.uniform(0.7, 1.1),
                size * 0.9,
                leaf,
                True,
            )
        return
    bark = b.mat(rc.MOTTLED, np.array([0.1, 0.07, 0.05]), np.array([0.2, 0.16, 0.12]), 0.2)
    b.cyl(0, 0, 0, 0.6 * size, 0.03 * size, bark, 0.6)
    for _ in range(rng.integers(4, 8)):
        q = rng.normal(0, 0.17 * size, 3)
        s = size * rng.uniform(0.3, 0.55)
        b.ball(q[0], q[1], 0.68 * size + 0.6 * q[2], s, s, 0.85 * s, leaf, True)


def _facade_mat(b: Builder) -> int:
    rng = b.rng
    a = (
        _rgb(rng.uniform(0.25, 0.75), rng, 0.1)
        if rng.random() < 0.6
        else np.clip(np.array([0.38, 0.17, 0.11]) * rng.uniform(0.5, 1.6), 0, 0.9)
    )
    return b.mat(rc.FACADE, a, a * rng.uniform(0.7, 1.1), rng.uniform(2.3, 3.2), 0, 0, 0, rng.random())


def house_block(b: Builder, x: float, y: float, z: float, yaw: float) -> None:
    """A simple building in the distance."""
    rng = b.rng
    b.at(x, y, z, yaw)
    w, d, h = rng.uniform(6, 18), rng.uniform(6, 12), rng.uniform(3, 14)
    b.box(0, 0, h / 2, w, d, h, _facade_mat(b))
    if rng.random() < 0.7:
        pitched_roof(b, w, d, h, rng.uniform(0.4, 0.9), roof_mat(b))


def roof_mat(b: Builder) -> int:
    """Tiles, slate or sheet metal."""
    rng = b.rng
    a = [
        np.array([0.36, 0.13, 0.07]),
        np.array([0.12, 0.12, 0.13]),
        np.array([0.22, 0.12, 0.09]),
        np.array([0.3, 0.3, 0.3]),
    ][rng.integers(4)]
    kind = rng.choice([rc.SCALES, rc.SCALES, rc.STRIPES])
    return b.mat(kind, a * rng.uniform(0.7, 1.4), a * 0.7, rng.uniform(0.25, 0.4), 0, 0, 0, 0.9)


def pitched_roof(b: Builder, w: float, d: float, h: float, slope: float, mat: int) -> list[tuple[Vec, Vec, float]]:
    """A gabled roof, ridge along x. Returns (centre, rotation, length of slope) of both sides, in the present frame."""
    rise, over = 0.5 * d * np.tan(slope), 0.35
    length = 0.5 * d / np.cos(slope) + over
    sides = []
    for s in (-1, 1):
        rot = _rot(0, -s * slope)
        down = rot @ np.array([0, s, 0])
        c = np.array([0, 0, h + rise]) + down * (length / 2)
        b.box(c[0], c[1], c[2], w + 2 * over, length, 0.12, mat, rot)
        sides.append((c, rot, length))
    gable = b.paint(0.4)
    for s in (-1, 1):  # gables as a fan of boxes
        for i in range(6):
            f = (i + 0.5) / 6
            b.box(s * (w / 2 - 0.1), 0, h + rise * f - 0.05, 0.2, d * (1 - f) - 0.1, rise / 6 + 0.01, gable)
    return sides


def _daylight(b: Builder) -> None:
    rng = b.rng
    b.sky[11] = rng.uniform(0.9, 1.6)
    if b.sky[9] < 0.9:
        b.sun(rng.uniform(0, 6.28), rng.uniform(0.25, 1.2), rng.uniform(1.5, 4.5))
    level = rng.uniform(0.5, 1.0)
    b.ambient[:] = [level * 0.85, level * 0.95, level * 1.1, rng.uniform(3, 10), 1]


def _ground(b: Builder, z: float = 0.0) -> None:
    rng = b.rng
    g = np.array([0.11, 0.19, 0.05]) * rng.uniform(0.6, 1.5)
    mats = [
        b.mat(rc.ASPHALT, _rgb(0.14, rng, 0.03), _rgb(0.24, rng, 0.03), 1.0), b.mat(rc.LEAVES, g, g * 1.5, 1.0),
        b.mat(rc.TILES, _rgb(0.35, rng, 0.05), _rgb(0.28, rng, 0.05), rng.uniform(0.2, 0.8), extra=0.4),
    ]  # fmt: skip
    b.at(0, 0)
    b.box(0, 0, z - 0.5, 900, 900, 1.0, mats[rng.integers(3)])


def car(b: Builder, x: float, y: float, yaw: float) -> None:
    """A parked car."""
    rng = b.rng
    b.at(x, y, 0, yaw)
    ln, wd, h = rng.uniform(3.6, 4.9), rng.uniform(1.65, 1.9), rng.uniform(1.4, 1.75)
    m = b.mat(
        rc.PLAIN, _vivid(rng) if rng.random() < 0.5 else _rgb(rng.choice([0.02, 0.3, 0.75]), rng, 0.03), gloss=0.7
    )
    glass, tyre = b.mat(rc.PLAIN, _rgb(0.03, rng), gloss=0.8), b.mat(rc.PLAIN, _rgb(0.02, rng))
    b.cushion(0, 0, 0.52, ln, wd, 0.62, m, roundness=1.5)
    b.cushion(-0.1 * ln, 0, 0.35 + h / 2, ln * 0.58, wd * 0.88, h - 0.7, glass, roundness=1.45)
    b.cushion(-0.1 * ln, 0, h - 0.05, ln * 0.4, wd * 0.8, 0.1, m, roundness=1.45)
    for sx in (-1, 1):
        for sy in (-1, 1):
            p = np.array([sx * ln * 0.31, sy * (wd / 2 - 0.1), 0.31])
            axle = np.array([0, 0.11, 0])
            b.rod(tuple(p - axle), tuple(np.add(p, axle)), 0.31, tyre)
            b.rod(tuple(p - 1.05 * axle), tuple(np.add(p, 1.05 * axle)), 0.17, b.metal())


def person(b: Builder, x: float, y: float) -> None:
    """A standing person, coarsely."""
    rng = b.rng
    b.at(x, y, 0, rng.uniform(0, 6.28))
    h = rng.uniform(1.55, 1.9)
    top, legs, skin = b.fabric(), b.fabric(), b.mat(rc.PLAIN, np.array([0.5, 0.3, 0.2]) * rng.uniform(0.3, 1.3))
    for s in (-1, 1):
        b.cyl(s * 0.1, 0, 0, 0.5 * h, 0.06, legs, 1.35)
        b.cyl(s * 0.25, 0, 0.45 * h, 0.8 * h, 0.045, top)
    b.cushion(0, 0, 0.66 * h, 0.42, 0.25, 0.36 * h, top, roundness=1.3)
    b.ball(0, 0, 0.93 * h, 0.16, 0.19, 0.24, skin)


def street(b: Builder) -> Pose:
    """A street with buildings, parked cars, trees, people."""
    rng = b.rng
    _daylight(b)
    b.at(0, 0)
    half = rng.uniform(2.5, 6)
    walk = rng.uniform(1.2, 4)
    b.box(0, 0, -0.5, 900, 900, 1.0, b.mat(rc.ASPHALT, _rgb(0.13, rng, 0.03), _rgb(0.22, rng, 0.03)))
    pave = b.mat(rc.TILES, _rgb(0.4, rng, 0.04), _rgb(0.33, rng, 0.04), rng.uniform(0.3, 0.6), extra=0.35)
    white = b.mat(rc.PLAIN, _rgb(0.65, rng, 0.02))
    for i in range(rng.integers(0, 12)):
        b.box(0, -10 + 6 * i, 0.003, 0.12, 3, 0.006, white)
    for s in (-1, 1):
        b.group()
        b.box(s * (half + walk / 2), 50, 0.06, walk, 300, 0.12, pave)
        y = -25.0
        while y < 110:
            ln, h, back = rng.uniform(6, 20), rng.uniform(4, 16), rng.choice([0.0, rng.uniform(0, 4)])
            b.at(s * (half + walk + back + 5), y + ln / 2, 0, s * np.pi / 2)
            b.box(0, 0, h / 2, ln, 10, h, _facade_mat(b))
            if rng.random() < 0.4:
                pitched_roof(b, ln, 10, h, rng.uniform(0.4, 0.9), roof_mat(b))
            for _ in range(rng.integers(0, 3)):
                b.box(rng.uniform(-0.4, 0.4) * ln, 5.05, 1.05, rng.uniform(0.9, 2), 0.15, 2.1, b.any_mat())
                b.box(rng.uniform(-0.4, 0.4) * ln, -5.05, 1.05, rng.uniform(0.9, 2), 0.15, 2.1, b.any_mat())
            y += ln + rng.choice([0.0, rng.uniform(0, 6)])
        for _ in range(rng.integers(0, 6)):
            car(b, s * (half - 1.1), rng.uniform(-4, 50), np.pi / 2 + rng.choice([0, np.pi]))
        for _ in range(rng.integers(0, 4)):
            tree(b, s * (half + rng.uniform(0.4, walk)), rng.uniform(2, 50), 0.1, rng.uniform(1, 9))
        for _ in range(rng.integers(0, 3)):
            person(b, s * (half + rng.uniform(0.3, walk - 0.3)), rng.uniform(3, 30))
        for i in range(rng.integers(0, 3)):
            b.at(s * (half + 0.3), 5 + 18 * i)
            b.cyl(0, 0, 0, 5, 0.06, b.metal())
            b.box(-s * 0.5, 0, 5, 1.2, 0.2, 0.1, b.metal())
    for _ in range(20):
        here = np.array([rng.uniform(-half - walk + 0.4, half + walk - 0.4), rng.uniform(-6, 3), rng.uniform(1.3, 1.8)])
        if not b.contains(here, 0.3):
            break
    return here, np.pi / 2 + rng.normal(0, 0.35), rng.normal(0.0, 0.07)


def facade(b: Builder) -> Pose:
    """A building's front from the ground, with windows, doors, balconies in relief."""
    rng = b.rng
    _daylight(b)
    _ground(b)
    b.at(0, 0)
    storeys, bays = rng.integers(1, 6), rng.integers(2, 7)
    sh, bw = rng.uniform(2.7, 3.4), rng.uniform(1.8, 3.5)
    w, h = bays * bw, storeys * sh + 0.3
    a = _rgb(rng.uniform(0.3, 0.8), rng, 0.08)
    kind = rng.choice([rc.PLAIN, rc.MOTTLED, rc.BRICK, rc.STRIPES])
    red = np.array([0.36, 0.14, 0.08]) * rng.uniform(0.6, 1.5)
    wall = (
        b.mat(rc.BRICK, red, _rgb(0.5, rng), 0.24)
        if kind == rc.BRICK
        else b.mat(kind, a, a * 0.85, 0.5 if kind == rc.STRIPES else 1.5, np.pi / 2, extra=0.9)
    )
    b.box(0, 5.2, h / 2, w, 10, h, wall)
    frame, glass = b.paint(0.4), b.mat(rc.PLAIN, _rgb(0.04, rng), gloss=0.8)
    ww, wh = bw * rng.uniform(0.35, 0.65), sh * rng.uniform(0.4, 0.6)
    door = rng.integers(bays)
    balcony = rng.random() < 0.3
    for j in range(storeys):
        b.group()
        openings = []
        for i in range(bays):
            x = -w / 2 + (i + 0.5) * bw
            if j == 0 and i == door:
                openings.append((x - 0.55 + w / 2, x + 0.55 + w / 2, 0.0, 2.15))
                b.box(x, 0.14, 1.07, 1.1, 0.05, 2.15, b.wood())
            else:
                z0 = j * sh + 0.85
                openings.append((x - ww / 2 + w / 2, x + ww / 2 + w / 2, 0.85, 0.85 + wh))
                b.box(x, 0.17, z0 + wh / 2, ww, 0.02, wh, glass)
                b.box(x, 0.14, z0 + wh / 2, 0.06, 0.06, wh, frame)
                b.box(x, 0.14, z0 + wh * 0.6, ww, 0.05, 0.05, frame)
                b.box(x, -0.05, z0 - 0.04, ww + 0.15, 0.2, 0.08, frame)
                if balcony and j > 0 and rng.random() < 0.6:
                    b.box(x, -0.6, j * sh + 0.02, bw * 0.8, 1.2, 0.15, frame)
                    b.box(
                        x,
                        -1.15,
                        j * sh + 0.55,
                        bw * 0.8,
                        0.05,
                        1.0,
                        b.mat(rc.STRIPES, _rgb(0.3, rng), _rgb(0.05, rng), 0.12),
                    )
        b.origin = np.array([-w / 2, 0.2, j * sh])  # the relief of the wall in front of the block
        b.origin[1] = 0.2
        _wall_strip(b, w, sh if j < storeys - 1 else sh + 0.3, openings, wall)
        b.origin = np.zeros(3)
    b.at(0, 5)
    if rng.random() < 0.6:
        pitched_roof(b, w, 10, h, rng.uniform(0.4, 0.9), roof_mat(b))
    for s in (-1, 1):
        if rng.random() < 0.6:
            house_block(b, s * (w / 2 + rng.uniform(8, 16)), rng.uniform(3, 9), 0, 0)
    b.at(0, 0)
    b.box(
        0,
        -rng.uniform(0.8, 2.5),
        0.02,
        w + 20,
        rng.uniform(1.2, 3),
        0.06,
        b.mat(rc.TILES, _rgb(0.4, rng), _rgb(0.3, rng), 0.4, extra=0.3),
    )
    distance = rng.uniform(4, 22)
    for _ in range(rng.integers(0, 5)):
        tree(b, rng.uniform(-0.7, 0.7) * w, -rng.uniform(0.8, 0.7 * distance), 0, rng.uniform(0.5, 5))
    if rng.random() < 0.4:
        car(b, rng.uniform(-0.5, 0.5) * w, -rng.uniform(2, 0.6 * distance + 2), rng.choice([0, np.pi]))
    if rng.random() < 0.4:
        person(b, rng.uniform(-0.4, 0.4) * w, -rng.uniform(1, 0.7 * distance + 1))
    for _ in range(20):
        here = np.array(
            [rng.uniform(-0.6, 0.6) * w, -distance, rng.uniform(1.4, 1.8) if rng.random() < 0.85 else rng.uniform(2, 8)]
        )
        if not b.contains(here, 0.3):
            break
    aim = np.array([rng.uniform(-0.3, 0.3) * w, 0, rng.uniform(0.25, 0.6) * h])
    flat = np.hypot(*(aim - here)[:2])
    return here, np.arctan2(aim[1] - here[1], aim[0] - here[0]), np.clip(np.arctan2(aim[2] - here[2], flat), -0.4, 0.6)


def _wall_strip(b: Builder, w: float, h: float, openings: list[tuple[float, float, float, float]], mat: int) -> None:
    """The outer 0.2 m of a facade with openings, in front (towards −y) of the present frame."""
    x = 0.0
    for x0, x1, z0, z1 in [*openings, (w, w, 0.0, 0.0)]:
        if x0 > x:
            b.box((x + x0) / 2, -0.1, h / 2, x0 - x, 0.2, h, mat)
        if x1 > x0:
            if z0 > 0:
                b.box((x0 + x1) / 2, -0.1, z0 / 2, x1 - x0, 0.2, z0, mat)
            if z1 < h:
                b.box((x0 + x1) / 2, -0.1, (z1 + h) / 2, x1 - x0, 0.2, h - z1, mat)
        x = x1


def roof(b: Builder) -> Pose:
    """Houses with solar panels from a drone."""
    rng = b.rng
    _daylight(b)
    _ground(b)
    b.at(0, 0)
    w, d, h, slope = rng.uniform(7, 16), rng.uniform(7, 11), rng.uniform(2.8, 7), rng.uniform(0.25, 0.85)
    b.box(0, 0, h / 2, w, d, h, _facade_mat(b))
    tiles = roof_mat(b)
    sides = pitched_roof(b, w, d, h, slope, tiles)
    frame = np.array([0.02, 0.03, 0.08]) * rng.uniform(0.6, 1.5)
    solar = b.mat(rc.SOLAR, frame, _rgb(0.4, rng, 0.02), rng.uniform(0.15, 0.2), gloss=0.4)
    alu = b.mat(rc.PLAIN, _rgb(rng.choice([0.03, 0.55]), rng, 0.02))
    for (c, rot, length), s in zip(sides, (-1, 1), strict=True):
        b.group()
        if rng.random() < 0.7:
            pw, pl = (1.05, 1.7) if rng.random() < 0.6 else (1.7, 1.05)
            cols, rows = rng.integers(1, max(2, int(w / pw))), rng.integers(1, max(2, int(length / pl)))
            ox, oy = rng.uniform(-0.15, 0.15) * w, rng.uniform(-0.1, 0.1) * length
            for i in range(cols):
                for j in range(rows):
                    q = rot @ np.array(
                        [ox + (i - (cols - 1) / 2) * (pw + 0.02), oy + (j - (rows - 1) / 2) * (pl + 0.02), 0.16]
                    )
                    b.box(*(c + q), pw, pl, 0.04, alu, rot)
                    q = q + rot @ np.array([0, 0, 0.005])
                    b.box(*(c + q), pw - 0.05, pl - 0.05, 0.04, solar, rot)
        if rng.random() < 0.4:
            q = c + rot @ np.array([rng.uniform(-0.35, 0.35) * w, -s * 0.2 * length, 0.1])
            b.box(*q, 0.8, 1.2, 0.1, alu, rot)
            b.box(
                *(q + rot @ np.array([0, 0, 0.01])), 0.65, 1.05, 0.1, b.mat(rc.PLAIN, _rgb(0.05, rng), gloss=0.9), rot
            )
    if rng.random() < 0.7:
        x = rng.uniform(-0.35, 0.35) * w
        top = h + 0.5 * d * np.tan(slope)
        b.box(
            x,
            rng.uniform(-1, 1),
            top,
            0.6,
            0.6,
            2.0,
            b.mat(rc.BRICK, np.array([0.35, 0.13, 0.08]), _rgb(0.5, rng), 0.24),
        )
    for _ in range(rng.integers(2, 7)):
        a, r = rng.uniform(0, 6.28), rng.uniform(16, 60)
        house_block(b, r * np.cos(a), r * np.sin(a), 0, rng.choice([0, 1.57]) + rng.normal(0, 0.1))
    for _ in range(rng.integers(3, 12)):
        a, r = rng.uniform(0, 6.28), rng.uniform(9, 40)
        tree(b, r * np.cos(a), r * np.sin(a), 0, rng.uniform(1, 10))
    b.at(0, 0)
    b.box(
        0,
        rng.choice([-1, 1]) * rng.uniform(10, 14),
        0.02,
        300,
        rng.uniform(3, 6),
        0.05,
        b.mat(rc.ASPHALT, _rgb(0.14, rng, 0.03), _rgb(0.22, rng, 0.03)),
    )
    if rng.random() < 0.5:
        car(b, rng.uniform(-8, 8), rng.choice([-1, 1]) * rng.uniform(7, 10), rng.uniform(0, 6.28))
    pitch, distance, a = -rng.uniform(0.1, 1.35), rng.uniform(5, 28), rng.uniform(0, 6.28)
    aim = np.array([rng.normal(0, 1.5), rng.normal(0, 1.5), h + 0.8])
    here = aim + distance * np.array([np.cos(a) * np.cos(pitch), np.sin(a) * np.cos(pitch), -np.sin(pitch)])
    if b.contains(here, 0.5):
        here[2] += 12
    return here, a + np.pi + rng.normal(0, 0.08), pitch + rng.normal(0, 0.05)


# --- choosing --------------------------------------------------------------------------------------------------------------

KINDS: dict[str, tuple[Callable[[Builder], Pose], float, tuple[float, float]]] = {
    "room": (room, 0.46, (14, 40)),
    "corridor": (corridor, 0.11, (16, 40)),
    "office": (office, 0.11, (16, 40)),
    "tabletop": (tabletop, 0.14, (20, 60)),
    "street": (street, 0.06, (16, 60)),
    "facade": (facade, 0.06, (18, 85)),
    "roof": (roof, 0.06, (20, 60)),
}
"""Kind of scene → (maker, share, range of focal lengths in mm of 35 mm equivalent)."""


def make_scene(seed: int, width: int, height: int, kind: str | None = None) -> tuple[Scene, Camera, str]:
    """The scene of a seed, a camera in it for a picture of the given size, and what kind of scene it is."""
    rng = np.random.default_rng(seed)
    if kind is None:
        names = list(KINDS)
        kind = names[rng.choice(len(names), p=[KINDS[n][1] for n in names])]
    make, _, (shortest, longest) = KINDS[kind]
    builder = Builder(rng)
    position, yaw, pitch = make(builder)
    usual = np.clip(rng.normal(28, 4), shortest, longest)
    mm = usual if rng.random() < 0.55 else np.exp(rng.uniform(np.log(shortest), np.log(longest)))
    roll = rng.normal(0, 0.02) if rng.random() < 0.85 else rng.normal(0, 0.12)
    focal = mm * np.hypot(width, height) / DIAGONAL_35MM
    return builder.build(), Camera(position, look(position, yaw, pitch, roll), focal, width, height), kind
