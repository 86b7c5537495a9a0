"""A small ray caster for training pictures: exact planar depth and light that looks like a photograph's.

World frame: x, y on the ground, z up, metres. A camera is a position and a rotation whose columns are the OpenCV camera axes
(right, down, forward) in the world. Rays are ``rotation @ (x, y, 1)``, hence the ray parameter t *is* planar depth z.

Primitives live in a unit space: ``p = affine @ (X, 1)``. Groups of primitives (one piece of furniture, say) have axis-aligned
bounds; that and a list of the groups which can be seen in each tile of the picture is all the acceleration there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray

BOX, ELLIPSOID, FRUSTUM, CUSHION, FOLIAGE = range(5)
"""Unit shapes: [−1, 1]³; unit ball; |z| ≤ 1 with radius from 1 (bottom) to ``shape_param`` (top); box ∩ ball of radius
``shape_param``; unit ball with holes of noise."""

(
    PLAIN, MOTTLED, WOOD, PLANKS, TILES, BRICK, CARPET, STRIPES, DOTS, CHECKER, POSTER, BOOKS, SCALES, LEAVES,
    SOLAR, ASPHALT, CEILING, MARBLE, PANELS, FACADE, ZIGZAG, FABRIC,
) = range(22)  # fmt: skip
"""Procedural textures, see :func:`albedo`."""

SUN, LAMP, PANEL = range(3)
"""Lights: a direction with an angular radius; a ball; a rectangle that shines along its normal."""

TILE = 16
FAR = 1e9
_jit = nb.njit(cache=True, fastmath={"nsz", "arcp", "contract", "afn", "reassoc"}, error_model="numpy")


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that can be seen, as arrays.

    Attributes:
        shape: (N,) int64 unit shape of each primitive.
        affine: (N, 3, 4) world → unit space.
        half: (N, 3) half sizes, metres.
        shape_param: (N,).
        material: (N,) index of the primitive's material.
        bounds: (G, 6) lower and upper corner of each group.
        ranges: (G, 2) first and one past the last primitive of each group.
        materials: (M, 13): texture, colour a, colour b (linear RGB), scale (metres), angle, seed, gloss, glow, extra.
        lights: (L, 16): kind, position or direction to the sun (3), edge u (3), edge v (3) (half edges of a panel; u[0] the
            radius of others), colour (3), -, -, -.
        ambient: (3,) light from everywhere, and how far (metres) an obstacle darkens it.
        sky: (13,): zenith RGB, horizon RGB, ground RGB, cloudiness, seed, brightness, -.
    """

    shape: NDArray[np.int64]
    affine: NDArray[np.float64]
    half: NDArray[np.float64]
    shape_param: NDArray[np.float64]
    material: NDArray[np.int64]
    bounds: NDArray[np.float64]
    ranges: NDArray[np.int64]
    materials: NDArray[np.float64]
    lights: NDArray[np.float64]
    ambient: NDArray[np.float64]
    sky: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera in the world.

    Attributes:
        position: (3,) metres.
        rotation: (3, 3), columns right, down, forward.
        focal_px: for a picture of ``width`` × ``height`` pixels, principal point in the middle.
    """

    position: NDArray[np.float64]
    rotation: NDArray[np.float64]
    focal_px: float
    width: int
    height: int


# --- noise -----------------------------------------------------------------------------------------------------------------


@_jit
def hash01(x: int, y: int, z: int) -> float:
    """A number in [0, 1) that belongs to three integers."""
    h = (x * 374761393 + y * 668265263 + z * 2147483647) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return (h ^ (h >> 15)) / 4294967296.0


@_jit
def noise2(u: float, v: float, seed: int) -> float:
    """Value noise in [0, 1]."""
    iu, iv = math.floor(u), math.floor(v)
    fu, fv = u - iu, v - iv
    fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
    a, b = hash01(iu, iv, seed), hash01(iu + 1, iv, seed)
    c, d = hash01(iu, iv + 1, seed), hash01(iu + 1, iv + 1, seed)
    return (a + (b - a) * fu) * (1 - fv) + (c + (d - c) * fu) * fv


@_jit
def fbm2(u: float, v: float, seed: int) -> float:
    """Three octaves of :func:`noise2`, about [0, 1]."""
    return (
        0.55 * noise2(u, v, seed) + 0.3 * noise2(2.1 * u + 7.3, 2.1 * v, seed + 1)
        + 0.15 * noise2(4.3 * u, 4.3 * v + 3.1, seed + 2)
    )  # fmt: skip


# --- intersections ---------------------------------------------------------------------------------------------------------


@_jit
def _ball(ox, oy, oz, dx, dy, dz, radius):
    """(entry, exit) of a ray and a ball around the origin; entry > exit: none."""
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    c = ox * ox + oy * oy + oz * oz - radius * radius
    disc = b * b - a * c
    if disc <= 0:
        return 1.0, -1.0
    s = math.sqrt(disc)
    return (-b - s) / a, (-b + s) / a


@_jit
def _slabs(ox, oy, oz, dx, dy, dz):
    """(entry, exit) of a ray and [−1, 1]³; entry > exit: none."""
    near, far = -1e30, 1e30
    for o, d in ((ox, dx), (oy, dy), (oz, dz)):
        if abs(d) < 1e-12:
            if abs(o) > 1:
                return 1.0, -1.0
        else:
            t0, t1 = (-1 - o) / d, (1 - o) / d
            near, far = max(near, min(t0, t1)), min(far, max(t0, t1))
    return near, far


@_jit
def _frustum(ox, oy, oz, dx, dy, dz, top):
    """Nearest of all intersections beyond 1e-6 of a ray and a closed frustum, or FAR."""
    a, b = 0.5 * (1 + top), 0.5 * (top - 1)
    rd, ro = b * dz, a + b * oz
    qa = dx * dx + dy * dy - rd * rd
    qb = ox * dx + oy * dy - ro * rd
    qc = ox * ox + oy * oy - ro * ro
    best = FAR
    if abs(qa) > 1e-14:
        disc = qb * qb - qa * qc
        if disc > 0:
            s = math.sqrt(disc)
            for t in ((-qb - s) / qa, (-qb + s) / qa):
                if 1e-6 < t < best and abs(oz + t * dz) <= 1 and ro + t * rd >= 0:
                    best = t
    if abs(dz) > 1e-12:
        for z, r in ((-1.0, 1.0), (1.0, top)):
            t = (z - oz) / dz
            x, y = ox + t * dx, oy + t * dy
            if 1e-6 < t < best and x * x + y * y <= r * r:
                best = t
    return best


@_jit
def _leafy(x, y, z, k):
    """Is there a leaf at this point of the unit ball? Holes grow towards the silhouette."""
    return noise2(7 * x + 3.7 * z, 7 * y - 2.9 * z, 97 + k) > 0.42


@_jit
def hit(k, shape, affine, shape_param, ox, oy, oz, dx, dy, dz, tmin):
    """Ray parameter ≥ tmin of the first intersection with primitive k, or FAR. Boxes are hit from outside only."""
    m = affine[k]
    px = m[0, 0] * ox + m[0, 1] * oy + m[0, 2] * oz + m[0, 3]
    py = m[1, 0] * ox + m[1, 1] * oy + m[1, 2] * oz + m[1, 3]
    pz = m[2, 0] * ox + m[2, 1] * oy + m[2, 2] * oz + m[2, 3]
    qx = m[0, 0] * dx + m[0, 1] * dy + m[0, 2] * dz
    qy = m[1, 0] * dx + m[1, 1] * dy + m[1, 2] * dz
    qz = m[2, 0] * dx + m[2, 1] * dy + m[2, 2] * dz
    kind = shape[k]
    if kind == BOX:
        near, far = _slabs(px, py, pz, qx, qy, qz)
        return near if near <= far and near >= tmin else FAR
    if kind == FRUSTUM:
        t = _frustum(px, py, pz, qx, qy, qz, shape_param[k])
        return t if t >= tmin else FAR
    if kind == ELLIPSOID:
        near, far = _ball(px, py, pz, qx, qy, qz, 1.0)
        return near if near <= far and near >= tmin else FAR
    if kind == CUSHION:
        near, far = _slabs(px, py, pz, qx, qy, qz)
        if near > far:
            return FAR
        n2, f2 = _ball(px, py, pz, qx, qy, qz, shape_param[k])
        near, far = max(near, n2), min(far, f2)
        return near if near <= far and near >= tmin else FAR
    near, far = _ball(px, py, pz, qx, qy, qz, 1.0)
    if near > far:
        return FAR
    for t in (near, 0.5 * (near + far), far):
        if t >= tmin and _leafy(px + t * qx, py + t * qy, pz + t * qz, k):
            return t
    return FAR


@_jit
def _in_bounds(b, ox, oy, oz, ix, iy, iz, tmax):
    """Does a ray (with inverse direction i) meet the bounds before tmax?"""
    t0, t1 = (b[0] - ox) * ix, (b[3] - ox) * ix
    near, far = min(t0, t1), max(t0, t1)
    t0, t1 = (b[1] - oy) * iy, (b[4] - oy) * iy
    near, far = max(near, min(t0, t1)), min(far, max(t0, t1))
    t0, t1 = (b[2] - oz) * iz, (b[5] - oz) * iz
    near, far = max(near, min(t0, t1)), min(far, max(t0, t1))
    return far >= max(near, 0.0) and near < tmax


@_jit
def _inverse(d):
    return 1.0 / (d if abs(d) > 1e-12 else 1e-12)


@_jit
def closest(groups, count, bounds, ranges, shape, affine, shape_param, ox, oy, oz, dx, dy, dz, tmin, tmax):
    """(t, primitive) of the first hit among ``groups[:count]``, or (tmax, −1)."""
    ix, iy, iz = _inverse(dx), _inverse(dy), _inverse(dz)
    best, prim = tmax, -1
    for i in range(count):
        g = groups[i]
        if _in_bounds(bounds[g], ox, oy, oz, ix, iy, iz, best):
            for k in range(ranges[g, 0], ranges[g, 1]):
                t = hit(k, shape, affine, shape_param, ox, oy, oz, dx, dy, dz, tmin)
                if t < best:
                    best, prim = t, k
    return best, prim


@_jit
def blocked(groups, count, bounds, ranges, shape, affine, shape_param, ox, oy, oz, dx, dy, dz, tmax):
    """Is anything within (1e-3, tmax) of the ray?"""
    ix, iy, iz = _inverse(dx), _inverse(dy), _inverse(dz)
    for i in range(count):
        g = groups[i]
        if _in_bounds(bounds[g], ox, oy, oz, ix, iy, iz, tmax):
            for k in range(ranges[g, 0], ranges[g, 1]):
                if hit(k, shape, affine, shape_param, ox, oy, oz, dx, dy, dz, 1e-3) < tmax:
                    return True
    return False


@_jit
def surface(k, shape, affine, half, shape_param, x, y, z, out):
    """Unit normal → out[0:3], texture coordinates in metres → out[3:5] of a point on primitive k."""
    m = affine[k]
    px = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    py = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    pz = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
    kind = shape[k]
    ax, ay, az = abs(px), abs(py), abs(pz)
    flat = kind == BOX or (kind == CUSHION and max(ax, ay, az) > 0.999)
    nx, ny, nz = px, py, pz
    h = half[k]
    if flat:
        if ax >= ay and ax >= az:
            nx, ny, nz = math.copysign(1.0, px), 0.0, 0.0
            out[3], out[4] = py * h[1], pz * h[2]
        elif ay >= az:
            nx, ny, nz = 0.0, math.copysign(1.0, py), 0.0
            out[3], out[4] = px * h[0], pz * h[2]
        else:
            nx, ny, nz = 0.0, 0.0, math.copysign(1.0, pz)
            out[3], out[4] = px * h[0], py * h[1]
    elif kind == FRUSTUM and az < 0.9999:
        top = shape_param[k]
        r = 0.5 * (1 + top) + 0.5 * (top - 1) * pz
        nz = -0.5 * (top - 1) * r
        out[3], out[4] = math.atan2(py, px) * h[0], pz * h[2]
    elif kind == FRUSTUM:
        nx, ny, nz = 0.0, 0.0, math.copysign(1.0, pz)
        out[3], out[4] = px * h[0], py * h[1]
    else:
        out[3], out[4] = math.atan2(py, px) * h[0], pz * h[2]
    gx = m[0, 0] * nx + m[1, 0] * ny + m[2, 0] * nz
    gy = m[0, 1] * nx + m[1, 1] * ny + m[2, 1] * nz
    gz = m[0, 2] * nx + m[1, 2] * ny + m[2, 2] * nz
    n = 1.0 / max(math.sqrt(gx * gx + gy * gy + gz * gz), 1e-12)
    out[0], out[1], out[2] = gx * n, gy * n, gz * n


# --- textures --------------------------------------------------------------------------------------------------------------


@_jit
def _seam(x, width):
    """1 within ``width`` of an integer."""
    f = x - math.floor(x)
    return 1.0 if f < width or f > 1 - width else 0.0


@_jit
def albedo(mat, u, v, x, y, z, out):
    """Linear reflectance of a material at texture coordinates (u, v) in metres → out[0:3]."""
    kind, s, seed = int(mat[0]), mat[7], int(mat[9])
    c, w = math.cos(mat[8]), math.sin(mat[8])
    u, v = (c * u - w * v) / s, (w * u + c * v) / s
    extra = mat[12]
    mix, shade = 0.0, 1.0
    if kind == PLAIN:
        shade = 0.96 + 0.08 * noise2(3 * u, 3 * v, seed)
    elif kind == MOTTLED:
        mix = fbm2(4 * u, 4 * v, seed)
    elif kind == WOOD:
        g = fbm2(2.5 * u, 40 * v + 3 * noise2(2 * u, 3 * v, seed), seed)
        mix = 0.6 * g + 0.4 * noise2(6 * u, 90 * v, seed + 5)
    elif kind == PLANKS:
        row = math.floor(v)
        along = u / 6 + hash01(int(row), 5, seed)
        plank = math.floor(along)
        tone = hash01(int(row), plank, seed)
        mix = 0.55 * tone + 0.45 * fbm2(1.2 * u, 14 * v, seed + int(row))
        shade = 1 - extra * max(_seam(v, 0.03), _seam(along, 0.004))
    elif kind in (TILES, CEILING):
        iu, iv = math.floor(u), math.floor(v)
        mix = 0.35 * hash01(iu, iv, seed) + 0.4 * fbm2(3 * u, 3 * v, seed)
        if kind == CEILING:
            mix = 0.5 * (noise2(60 * u, 60 * v, seed) > 0.8)
        shade = 1 - extra * max(_seam(u, 0.018), _seam(v, 0.018))
    elif kind == BRICK:
        row = math.floor(v * 3)
        uu = u + 0.5 * (int(row) & 1)
        tone = hash01(math.floor(uu), int(row), seed)
        joint = max(_seam(v * 3, 0.07), _seam(uu, 0.025))
        shade = 0.65 + 0.5 * tone + 0.15 * (noise2(12 * u, 12 * v, seed) - 0.5)
        mix = joint
        if joint > 0:
            shade = 1.0
    elif kind == CARPET:
        mix = 0.5 * noise2(40 * u, 40 * v, seed) + 0.5 * fbm2(2 * u, 2 * v, seed)
        fu, fv = u - math.floor(u) - 0.5, v - math.floor(v) - 0.5
        r = math.sqrt(fu * fu + fv * fv)
        if extra > 0.5 and abs(r - 0.36) < 0.045:
            mix = 1.2
    elif kind == STRIPES:
        f = u - math.floor(u)
        mix = 1.0 if f < extra else 0.0
        shade = 0.95 + 0.1 * noise2(8 * u, 8 * v, seed)
    elif kind == DOTS:
        fu, fv = u - math.floor(u) - 0.5, v - math.floor(v) - 0.5
        mix = 1.0 if fu * fu + fv * fv < extra * extra else 0.0
    elif kind == CHECKER:
        mix = float((math.floor(u) + math.floor(v)) & 1)
    elif kind == POSTER:
        a = fbm2(2 * u, 2 * v, seed)
        b = fbm2(2.4 * u + 9, 2.4 * v, seed + 11)
        d = math.floor(extra * a) / extra
        out[0] = mat[1] + (mat[4] - mat[1]) * d + 0.35 * (b - 0.5)
        out[1] = mat[2] + (mat[5] - mat[2]) * d + 0.25 * (a - 0.5)
        out[2] = mat[3] + (mat[6] - mat[3]) * (0.5 * d + 0.5 * b)
        for i in range(3):
            out[i] = min(max(out[i], 0.02), 0.9)
        return
    elif kind == BOOKS:
        col = math.floor(u)
        tall = 0.55 + 0.4 * hash01(col, 3, seed)
        f = v - math.floor(v)
        if f > tall or f < 0.06 or (u - col) < 0.08 or hash01(col // 7, math.floor(v), seed + 9) < 0.2:
            shade = 0.12
        for i in range(3):
            tone = hash01(col, i, seed + math.floor(v))
            out[i] = shade * (0.08 + 0.6 * tone * tone + 0.2 * hash01(col, 7, seed))
        return
    elif kind == SCALES:
        row = math.floor(v)
        fu = u + 0.5 * (int(row) & 1)
        tone = hash01(math.floor(fu), int(row), seed)
        f = v - row
        shade = (0.7 + 0.35 * tone) * (0.55 + 0.6 * min(1.0, 3 * f)) * (1 - 0.35 * _seam(fu, 0.05))
    elif kind == LEAVES:
        mix = noise2(18 * x + 9 * z, 18 * y - 11 * z, seed)
        shade = 0.45 + 0.8 * noise2(31 * x - 17 * z, 29 * y + 13 * z, seed + 3)
    elif kind == SOLAR:
        mix = max(_seam(u, 0.02), _seam(v, 0.012))
        shade = 0.9 + 0.3 * noise2(u, v, seed)
    elif kind == ASPHALT:
        mix = 0.6 * noise2(25 * u, 25 * v, seed) + 0.4 * fbm2(0.4 * u, 0.4 * v, seed)
    elif kind == MARBLE:
        t = math.sin(3 * u + 5 * fbm2(2 * u, 2 * v, seed)) * 0.5 + 0.5
        mix = t * t * t * t
    elif kind == PANELS:
        fu, fv = u - math.floor(u), v - math.floor(v)
        e = min(min(fu, 1 - fu), min(fv, 1 - fv))
        if 0.11 < e < 0.14:
            shade = 0.72
        elif 0.14 <= e < 0.16:
            shade = 1.08
        mix = 0.2 * fbm2(3 * u, 25 * v, seed)
    elif kind == FACADE:
        fu, fv = u - math.floor(u), v - math.floor(v)
        inside = 0.28 < fu < 0.72 and 0.25 < fv < 0.78
        if inside:
            frame = fu < 0.31 or fu > 0.69 or abs(fu - 0.5) < 0.02 or fv < 0.28 or fv > 0.75
            lit = hash01(math.floor(u), math.floor(v), seed)
            g = 0.75 if frame else 0.05 + 0.25 * lit * noise2(5 * u, 5 * v, seed)
            out[0], out[1], out[2] = g, g, g * 1.05
            return
        mix = fbm2(3 * u, 3 * v, seed) * 0.5
        if extra > 0.5 and _seam(v * 12, 0.06) > 0:
            shade = 0.8
    elif kind == ZIGZAG:
        fu = abs(u - math.floor(u) - 0.5)
        f = v + 1.2 * fu
        mix = 1.0 if f - math.floor(f) < extra else 0.0
        shade = 0.9 + 0.2 * noise2(60 * u, 60 * v, seed)
    else:  # FABRIC
        mix = 0.35 * noise2(70 * u, 70 * v, seed) + 0.35 * fbm2(1.5 * u, 1.5 * v, seed + 3)
    for i in range(3):
        out[i] = min(max((mat[1 + i] + (mat[4 + i] - mat[1 + i]) * mix) * shade, 0.01), 0.95)


@_jit
def sky_colour(sky, dx, dy, dz, out):
    """Radiance of the sky (or of haze below the horizon) in a direction → out[0:3]."""
    n = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
    e = dz * n
    if e >= 0:
        f = math.sqrt(e)
        cloud = 0.0
        if sky[9] > 0:
            q = 1.0 / (e + 0.15)
            cloud = min(max((fbm2(dx * n * q * 1.5, dy * n * q * 1.5, int(sky[10])) - 1 + sky[9]) * 3.5, 0.0), 1.0)
        for i in range(3):
            base = sky[3 + i] + (sky[i] - sky[3 + i]) * f
            out[i] = (base + (0.95 - base) * cloud) * sky[11]
    else:
        for i in range(3):
            out[i] = sky[6 + i] * sky[11]


# --- picture ---------------------------------------------------------------------------------------------------------------


@_jit
def _cast(u, v, focal, width, height, rotation, out):
    x, y = (u - 0.5 * width) / focal, (v - 0.5 * height) / focal
    for i in range(3):
        out[i] = rotation[i, 0] * x + rotation[i, 1] * y + rotation[i, 2]


@_jit
def _tile_groups(bounds, position, rotation, focal, width, height):
    """Groups that may be seen in each tile: (lists (tiles_y, tiles_x, G), counts (tiles_y, tiles_x))."""
    ty, tx = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    n = bounds.shape[0]
    lists = np.zeros((ty, tx, n), np.int64)
    counts = np.zeros((ty, tx), np.int64)
    for g in range(n):
        u0, v0, u1, v1 = 1e9, 1e9, -1e9, -1e9
        behind = 0
        for corner in range(8):
            c0 = bounds[g, 0 if corner & 1 else 3] - position[0]
            c1 = bounds[g, 1 if corner & 2 else 4] - position[1]
            c2 = bounds[g, 2 if corner & 4 else 5] - position[2]
            cx = rotation[0, 0] * c0 + rotation[1, 0] * c1 + rotation[2, 0] * c2
            cy = rotation[0, 1] * c0 + rotation[1, 1] * c1 + rotation[2, 1] * c2
            cz = rotation[0, 2] * c0 + rotation[1, 2] * c1 + rotation[2, 2] * c2
            if cz < 1e-3:
                behind += 1
            else:
                u, v = cx / cz * focal + 0.5 * width, cy / cz * focal + 0.5 * height
                u0, v0, u1, v1 = min(u0, u), min(v0, v), max(u1, u), max(v1, v)
        if behind == 8:
            continue
        if behind > 0:
            u0, v0, u1, v1 = 0.0, 0.0, float(width), float(height)
        if u1 < 0 or v1 < 0 or u0 > width or v0 > height:
            continue
        for j in range(max(0, int(v0) // TILE), min(ty - 1, int(v1) // TILE) + 1):
            for i in range(max(0, int(u0) // TILE), min(tx - 1, int(u1) // TILE) + 1):
                lists[j, i, counts[j, i]] = g
                counts[j, i] += 1
    return lists, counts


@_jit
def _irradiance(
    x, y, z, nx, ny, nz, bounds, ranges, shape, affine, shape_param, lights, ambient, index, everything, out
):
    """Light that arrives at a surface point (one sample of every light) → out[0:3].

    Samples follow the R2 sequence (Roberts 2018, generalised golden ratio) along ``index`` from an offset that the block of
    pixels ``index // 8`` draws: neighbouring pixels complement each other, so that their average is smooth.
    """
    n = bounds.shape[0]
    block = index // 8
    s1 = hash01(block, 1, 5) + index * 0.7548776662 + 0.12 * np.random.random()
    s2 = hash01(block, 2, 5) + index * 0.5698402910 + 0.12 * np.random.random()
    s1, s2 = s1 - math.floor(s1), s2 - math.floor(s2)
    out[0] = out[1] = out[2] = 0.0
    ox, oy, oz = x + 2e-3 * nx, y + 2e-3 * ny, z + 2e-3 * nz
    count = lights.shape[0]
    take = min(count, 3)
    start = index % max(count, 1)
    for i in range(take):
        light = lights[(start + i * max(1, count // take)) % count] if count > 3 else lights[i]
        weight = count / take
        kind = int(light[0])
        if kind == SUN:
            r = light[4]
            dx = light[1] + r * (s1 - 0.5)
            dy = light[2] + r * (s2 - 0.5)
            dz = light[3] + r * (s1 + s2 - 1)
            e = weight * (nx * dx + ny * dy + nz * dz)
            reach = FAR
        else:
            if kind == LAMP:
                a = s1 * 2 * math.pi
                h = 2 * s2 - 1
                q = math.sqrt(1 - h * h) * light[4]
                dx = light[1] + q * math.cos(a) - ox
                dy = light[2] + q * math.sin(a) - oy
                dz = light[3] + h * light[4] - oz
            else:
                a, b = 2 * s1 - 1, 2 * s2 - 1
                dx = light[1] + a * light[4] + b * light[7] - ox
                dy = light[2] + a * light[5] + b * light[8] - oy
                dz = light[3] + a * light[6] + b * light[9] - oz
            d2 = dx * dx + dy * dy + dz * dz
            d = math.sqrt(d2)
            e = weight * (nx * dx + ny * dy + nz * dz) / (d * (d2 + 0.15))
            if kind == PANEL:  # cosine at the panel; its normal is u × v
                mx = light[5] * light[9] - light[6] * light[8]
                my = light[6] * light[7] - light[4] * light[9]
                mz = light[4] * light[8] - light[5] * light[7]
                q = -(mx * dx + my * dy + mz * dz) / (d * math.sqrt(mx * mx + my * my + mz * mz) + 1e-12)
                e *= max(q, 0.0)
            dx, dy, dz = dx / d, dy / d, dz / d
            reach = d - (light[4] if kind == LAMP else 0.0) - 0.02
        if e > 1e-5 and not blocked(
            everything, n, bounds, ranges, shape, affine, shape_param, ox, oy, oz, dx, dy, dz, reach
        ):
            for c in range(3):
                out[c] += e * light[10 + c]
    tmp = np.empty(3)
    for i in range(3):  # ambient light with occlusion; where nothing is near or far, the sky
        a, r2 = (s1 + 0.618 * i) * 2 * math.pi, s2 + i / 3
        r2 -= math.floor(r2)
        r, h = math.sqrt(r2), math.sqrt(1 - r2)
        sx, sy, sz = (0.0, 0.0, 1.0) if abs(nz) < 0.9 else (1.0, 0.0, 0.0)
        tx, ty, tz = ny * sz - nz * sy, nz * sx - nx * sz, nx * sy - ny * sx
        q = 1.0 / math.sqrt(tx * tx + ty * ty + tz * tz)
        tx, ty, tz = tx * q, ty * q, tz * q
        bx, by, bz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
        ca, sa = r * math.cos(a), r * math.sin(a)
        dx, dy, dz = tx * ca + bx * sa + nx * h, ty * ca + by * sa + ny * h, tz * ca + bz * sa + nz * h
        t, k = closest(
            everything, n, bounds, ranges, shape, affine, shape_param, ox, oy, oz, dx, dy, dz, 1e-3, ambient[3]
        )
        if k >= 0:
            f = 0.25 + 0.75 * t / ambient[3]
            for c in range(3):
                out[c] += f * f * ambient[c] / 3
        else:
            f = 1.0 if ambient[4] < 0.5 else 0.65 + 0.35 * dz
            for c in range(3):
                tmp[c] = ambient[c] * f
                out[c] += tmp[c] / 3


@_jit
def _render(
    shape, affine, half, shape_param, material, bounds, ranges, materials, lights, ambient, sky,
    position, rotation, focal, width, height, seed,
):  # fmt: skip
    np.random.seed(seed)
    lists, counts = _tile_groups(bounds, position, rotation, focal, width, height)
    n = bounds.shape[0]
    everything = np.arange(n)
    px, py, pz = position
    depth = np.empty((height, width))
    normal = np.zeros((height, width, 3))
    raw = np.zeros((height, width, 3))
    lit = np.zeros((height, width), np.uint8)
    d, surf, tmp, sm = np.empty(3), np.empty(5), np.empty(3), np.empty(3)
    for row in range(height):
        for col in range(width):
            _cast(col + 0.5, row + 0.5, focal, width, height, rotation, d)
            j, i = row // TILE, col // TILE
            t, k = closest(
                lists[j, i], counts[j, i], bounds, ranges, shape, affine, shape_param,
                px, py, pz, d[0], d[1], d[2], 1e-3, FAR,
            )  # fmt: skip
            depth[row, col] = t
            if k < 0:
                depth[row, col] = np.inf
                continue
            x, y, z = px + t * d[0], py + t * d[1], pz + t * d[2]
            surface(k, shape, affine, half, shape_param, x, y, z, surf)
            normal[row, col] = surf[:3]
            if (row + col) & 1 == 0:
                _irradiance(
                    x, y, z, surf[0], surf[1], surf[2], bounds, ranges, shape, affine, shape_param, lights, ambient,
                    8 * ((row // 4) * 4096 + col // 4 + 7919 * seed) + (row % 4) * 2 + (col % 4) // 2, everything, tmp,
                )  # fmt: skip
                raw[row, col] = tmp
                lit[row, col] = 1
    # The samples are noisy and cover every second pixel: average over neighbours on the same surface.
    light = np.zeros((height, width, 3))
    for row in range(height):
        for col in range(width):
            z0 = depth[row, col]
            if not z0 < FAR:
                continue
            total = 0.0
            sm[:] = 0.0
            for r in range(max(0, row - 4), min(height, row + 5)):
                for c in range(max(0, col - 4), min(width, col + 5)):
                    if lit[r, c]:
                        dot = (
                            normal[row, col, 0] * normal[r, c, 0] + normal[row, col, 1] * normal[r, c, 1]
                            + normal[row, col, 2] * normal[r, c, 2]
                        )  # fmt: skip
                        if dot > 0.9 and abs(depth[r, c] - z0) < 0.1 * z0:
                            w = math.exp(-0.1 * ((r - row) ** 2 + (c - col) ** 2))
                            total += w
                            for e in range(3):
                                sm[e] += w * raw[r, c, e]
            if total > 0:
                for e in range(3):
                    light[row, col, e] = sm[e] / total
            else:
                light[row, col] = ambient[:3] * 0.5
    raw[:] = light  # once more, wider, with holes (à-trous; Dammertz et al. 2010)
    for row in range(height):
        for col in range(width):
            z0 = depth[row, col]
            if not z0 < FAR:
                continue
            total = 0.0
            sm[:] = 0.0
            for r in range(row - 6, row + 7, 3):
                for c in range(col - 6, col + 7, 3):
                    if 0 <= r < height and 0 <= c < width and depth[r, c] < FAR:
                        dot = (
                            normal[row, col, 0] * normal[r, c, 0] + normal[row, col, 1] * normal[r, c, 1]
                            + normal[row, col, 2] * normal[r, c, 2]
                        )  # fmt: skip
                        if dot > 0.95 and abs(depth[r, c] - z0) < 0.1 * z0:
                            change = 0.0
                            level = 1e-3
                            for e in range(3):
                                change += abs(raw[r, c, e] - raw[row, col, e])
                                level += raw[row, col, e]
                            q = 4 * change / level  # shadows stay
                            w = math.exp(-0.04 * ((r - row) ** 2 + (c - col) ** 2) - q * q)
                            total += w
                            for e in range(3):
                                sm[e] += w * raw[r, c, e]
            for e in range(3):
                light[row, col, e] = sm[e] / total
    picture = np.zeros((height, width, 3))
    alb, ref, surf2 = np.empty(3), np.empty(3), np.empty(5)
    for row in range(height):
        for col in range(width):
            j, i = row // TILE, col // TILE
            for sub in range(4):
                du, dv = (
                    (0.25, 0.25)
                    if sub == 0
                    else (0.75, 0.25)
                    if sub == 1
                    else (0.25, 0.75)
                    if sub == 2
                    else (0.75, 0.75)
                )
                _cast(col + du, row + dv, focal, width, height, rotation, d)
                t, k = closest(
                    lists[j, i], counts[j, i], bounds, ranges, shape, affine, shape_param,
                    px, py, pz, d[0], d[1], d[2], 1e-3, FAR,
                )  # fmt: skip
                if k < 0:
                    sky_colour(sky, d[0], d[1], d[2], tmp)
                    for e in range(3):
                        picture[row, col, e] += 0.25 * tmp[e]
                    continue
                x, y, z = px + t * d[0], py + t * d[1], pz + t * d[2]
                surface(k, shape, affine, half, shape_param, x, y, z, surf)
                mat = materials[material[k]]
                albedo(mat, surf[3], surf[4], x, y, z, alb)
                # light from the pixel centre (or the neighbour) on the same surface
                best, br, bc = -1e9, row, col
                for a in range(5):
                    r = row + (-1 if a == 3 else 1 if a == 4 else 0)
                    c = col + (-1 if a == 1 else 1 if a == 2 else 0)
                    if 0 <= r < height and 0 <= c < width and depth[r, c] < FAR:
                        dot = surf[0] * normal[r, c, 0] + surf[1] * normal[r, c, 1] + surf[2] * normal[r, c, 2]
                        score = dot - 8 * abs(depth[r, c] - t) / t - (0.0 if a == 0 else 0.05)
                        if score > best:
                            best, br, bc = score, r, c
                glow, gloss = mat[11], mat[10]
                for e in range(3):
                    picture[row, col, e] += 0.25 * alb[e] * (light[br, bc, e] + glow)
                if gloss > 0 and (sub == 0 or sub == 3):
                    q = 1.0 / math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
                    dx, dy, dz = d[0] * q, d[1] * q, d[2] * q
                    cos = -(dx * surf[0] + dy * surf[1] + dz * surf[2])
                    if cos > 0:
                        f = gloss * (0.06 + 0.94 * (1 - cos) ** 4)
                        rough = 0.08 * (1 - gloss)
                        rx = dx + 2 * cos * surf[0] + rough * (np.random.random() - 0.5)
                        ry = dy + 2 * cos * surf[1] + rough * (np.random.random() - 0.5)
                        rz = dz + 2 * cos * surf[2] + rough * (np.random.random() - 0.5)
                        t2, k2 = closest(
                            everything, n, bounds, ranges, shape, affine, shape_param,
                            x + 2e-3 * surf[0], y + 2e-3 * surf[1], z + 2e-3 * surf[2], rx, ry, rz, 1e-3, FAR,
                        )  # fmt: skip
                        if k2 < 0:
                            sky_colour(sky, rx, ry, rz, ref)
                        else:
                            m2 = materials[material[k2]]
                            surface(k2, shape, affine, half, shape_param, x + t2 * rx, y + t2 * ry, z + t2 * rz, surf2)
                            albedo(m2, surf2[3], surf2[4], x + t2 * rx, y + t2 * ry, z + t2 * rz, ref)
                            for e in range(3):
                                ref[e] *= 0.8 * light[br, bc, e] + m2[11] + 0.3 * ambient[e]
                        for e in range(3):
                            picture[row, col, e] += 0.5 * f * ref[e]
    return picture, depth


def render(scene: Scene, camera: Camera, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Linear picture (H, W, 3), and exact planar depth (H, W) in metres at the pixel centres, infinite = sky."""
    picture, depth = _render(
        scene.shape, scene.affine, scene.half, scene.shape_param, scene.material, scene.bounds, scene.ranges,
        scene.materials, scene.lights, scene.ambient, scene.sky, np.asarray(camera.position, np.float64),
        np.ascontiguousarray(camera.rotation, np.float64), float(camera.focal_px), camera.width, camera.height, seed,
    )  # fmt: skip
    return picture.astype(np.float32), depth.astype(np.float32)
