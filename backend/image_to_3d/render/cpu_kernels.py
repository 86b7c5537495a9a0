"""The loops of :mod:`.cpu`, which numba compiles: it takes the types from the arguments, so none are written here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, prange

from .base import (
    LAYER_THICKNESS,
    MAX_ALPHA,
    MIN_ALPHA,
    MIN_TRANSMITTANCE,
    TILE,
)
from .reference import FRUSTUM_MARGIN

f4 = np.float32
_LOG2_E = 1.4426950408889634
_CUT = f4(np.log2(MIN_ALPHA) - 1e-3)  # log2 of alpha below which a row of pixels is not looked at; exact test per pixel
_MIN_ALPHA, _MAX_ALPHA, _MIN_T = f4(MIN_ALPHA), f4(MAX_ALPHA), f4(MIN_TRANSMITTANCE)
_PIXELS = TILE * TILE
_LANES = 8
# planes of the six that a tile blends into, beside the transmittance of its unfinished pixels
_FINISHED, _PLANE_RED, _PLANE_GREEN, _PLANE_BLUE, _PLANE_DEPTH = (np.uintp(i * _PIXELS) for i in range(1, 6))
_LAYER_END, _LAYER_WEIGHT, _LAYER_DEPTH = (np.uintp(i * _PIXELS) for i in range(6, 9))
_PLANES = 9
_HALF = f4(0.5)
_LAYER = f4(1.0 + LAYER_THICKNESS)
_CHECK_EVERY = 32  # Gaussians between two looks at whether a tile is finished

# columns of the records that blending reads
_U, _V, _A, _C, _SHEAR, _LOG_O, _RED, _GREEN, _BLUE, _Z = range(10)
RECORD = 10

_FAST = {"contract", "nsz", "arcp"}  # NaN and infinity keep their meaning


def _compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with the compiled code kept on disk, or only in memory where no folder is writable."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            return njit(nogil=True, **options)(function)

    return decorate


@_compiled(parallel=True, error_model="numpy")
def project(
    positions, rotations, scales, opacities, colours,
    linear, shift, camera, orthographic, eps2d, tiles_x, tiles_y, first_row, chunks,
    records, boxes, counts,
):  # fmt: skip
    """Project N Gaussians into ``records`` and ``boxes`` from ``first_row`` on and count the tiles they touch.

    Args:
        positions, rotations, scales, opacities, colours: arrays of the cloud.
        linear, shift: (3, 3), (3,) object frame → camera frame, float64.
        camera: (8,) fx, fy, cx, cy, width, height, near, far, float64.
        chunks: (K + 1,) rows where each unit of parallel work begins.
        records: (M, 10) float32 out: u, v, precision along the row, 1/variance down the column, shear, log2 opacity, RGB, z.
        boxes: (M, 4) int32 out: first tile column and the one after the last, the same for rows; empty where nothing is drawn.
        counts: (K, tiles) int32 out, added to.
    """
    fx, fy, cx, cy, width, height, near, far = camera
    margin_x, margin_y = FRUSTUM_MARGIN * 0.5 * width / fx, FRUSTUM_MARGIN * 0.5 * height / fy
    low_x, high_x = -(cx / fx + margin_x), (width - cx) / fx + margin_x
    low_y, high_y = -(cy / fy + margin_y), (height - cy) / fy + margin_y
    for chunk in prange(len(chunks) - 1):
        count = counts[chunk]
        for i in range(chunks[chunk], chunks[chunk + 1]):
            row = first_row + i
            boxes[row, 0], boxes[row, 1], boxes[row, 2], boxes[row, 3] = 0, 0, 0, 0
            px, py, pz = np.float64(positions[i, 0]), np.float64(positions[i, 1]), np.float64(positions[i, 2])
            z = linear[2, 0] * px + linear[2, 1] * py + linear[2, 2] * pz + shift[2]
            opacity = opacities[i]
            if not (z >= near and z <= far and opacity >= _MIN_ALPHA and opacity < np.inf):
                continue
            x = linear[0, 0] * px + linear[0, 1] * py + linear[0, 2] * pz + shift[0]
            y = linear[1, 0] * px + linear[1, 1] * py + linear[1, 2] * pz + shift[1]
            if orthographic:
                u, v = fx * x + cx, fy * y + cy
                j00, j02, j11, j12 = fx, 0.0, fy, 0.0
            else:
                inverse_z = 1.0 / z
                x *= inverse_z
                y *= inverse_z
                u, v = fx * x + cx, fy * y + cy
                j00, j11 = fx * inverse_z, fy * inverse_z
                j02 = -j00 * min(max(x, low_x), high_x)
                j12 = -j11 * min(max(y, low_y), high_y)

            qw, qx = np.float64(rotations[i, 0]), np.float64(rotations[i, 1])
            qy, qz = np.float64(rotations[i, 2]), np.float64(rotations[i, 3])
            s = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)
            s0, s1, s2 = np.float64(scales[i, 0]), np.float64(scales[i, 1]), np.float64(scales[i, 2])
            # rows of A = J · linear · R · diag(scales): the projected covariance is A Aᵀ
            t00 = j00 * linear[0, 0] + j02 * linear[2, 0]
            t01 = j00 * linear[0, 1] + j02 * linear[2, 1]
            t02 = j00 * linear[0, 2] + j02 * linear[2, 2]
            t10 = j11 * linear[1, 0] + j12 * linear[2, 0]
            t11 = j11 * linear[1, 1] + j12 * linear[2, 1]
            t12 = j11 * linear[1, 2] + j12 * linear[2, 2]
            r0, r1, r2 = 1 - s * (qy * qy + qz * qz), s * (qx * qy + qw * qz), s * (qx * qz - qw * qy)
            a0, b0 = s0 * (t00 * r0 + t01 * r1 + t02 * r2), s0 * (t10 * r0 + t11 * r1 + t12 * r2)
            r0, r1, r2 = s * (qx * qy - qw * qz), 1 - s * (qx * qx + qz * qz), s * (qy * qz + qw * qx)
            a1, b1 = s1 * (t00 * r0 + t01 * r1 + t02 * r2), s1 * (t10 * r0 + t11 * r1 + t12 * r2)
            r0, r1, r2 = s * (qx * qz + qw * qy), s * (qy * qz - qw * qx), 1 - s * (qx * qx + qy * qy)
            a2, b2 = s2 * (t00 * r0 + t01 * r1 + t02 * r2), s2 * (t10 * r0 + t11 * r1 + t12 * r2)
            sxx, syy, sxy = a0 * a0 + a1 * a1 + a2 * a2, b0 * b0 + b1 * b1 + b2 * b2, a0 * b0 + a1 * b1 + a2 * b2
            # the determinant as a sum of squared minors (Cauchy-Binet): never negative, exactly 0 for a line
            m0, m1, m2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
            det = m0 * m0 + m1 * m1 + m2 * m2 + eps2d * (sxx + syy + eps2d)
            sxx += eps2d
            syy += eps2d
            if not (det > 0 and det < np.inf):
                continue

            # beyond this many standard deviations alpha is below 1/255
            k2 = max(2.0 * np.log(np.float64(opacity) * 255.0), 0.0)
            reach_x, reach_y = np.sqrt(k2 * sxx) + 1e-3, np.sqrt(k2 * syy) + 1e-3
            # pixel centres are at halves: the first one that can be inside, in tiles
            left, right = np.ceil(u - reach_x - 0.5), np.floor(u + reach_x - 0.5)
            top, bottom = np.ceil(v - reach_y - 0.5), np.floor(v + reach_y - 0.5)
            if not (right >= 0 and left < width and bottom >= 0 and top < height and right >= left and bottom >= top):
                continue
            x0, x1 = int(max(left, 0.0)) // TILE, min(int(min(right, width)) // TILE, tiles_x - 1) + 1
            y0, y1 = int(max(top, 0.0)) // TILE, min(int(min(bottom, height)) // TILE, tiles_y - 1) + 1

            # 0.5 dᵀ Σ⁻¹ d = 0.5 (du − shear·dv)² · syy/det + 0.5 dv²/syy: no difference of large numbers is left
            record = records[row]
            record[_U], record[_V], record[_Z] = u, v, z
            record[_A] = min(0.5 * _LOG2_E * syy / det, 1e29)
            record[_C] = min(0.5 * _LOG2_E / syy, 1e29)
            record[_SHEAR] = sxy / syy
            record[_LOG_O] = np.log2(np.float64(opacity))
            record[_RED], record[_GREEN], record[_BLUE] = colours[i, 0], colours[i, 1], colours[i, 2]
            finite = True
            for j in range(RECORD):
                finite &= np.isfinite(record[j])
            if not finite:
                continue
            boxes[row, 0], boxes[row, 1], boxes[row, 2], boxes[row, 3] = x0, x1, y0, y1
            for ty in range(y0, y1):
                for tx in range(x0, x1):
                    count[ty * tiles_x + tx] += 1


@_compiled(parallel=True)
def list_tiles(boxes, chunks, cursors, tiles_x, first_tile_row, last_tile_row, rows):
    """Write the row number of every Gaussian into the lists of the tiles it touches, in row order.

    Args:
        boxes: (M, 4) of :func:`project`.
        chunks: (K + 1,) rows where each unit of parallel work begins.
        cursors: (K, tiles) int64, where in ``rows`` each chunk begins in each tile; advanced.
        first_tile_row, last_tile_row: the band of tiles that is listed.
        rows: (P,) int32 out.
    """
    for chunk in prange(len(chunks) - 1):
        cursor = cursors[chunk]
        for i in range(chunks[chunk], chunks[chunk + 1]):
            x0, x1 = boxes[i, 0], boxes[i, 1]
            if x0 < x1:
                for ty in range(max(boxes[i, 2], first_tile_row), min(boxes[i, 3], last_tile_row)):
                    for tx in range(x0, x1):
                        tile = ty * tiles_x + tx
                        rows[cursor[tile]] = i
                        cursor[tile] += 1


@_compiled()
def sort_by_depth(rows, keys, spare_rows, spare_keys):
    """Stable ascending sort of ``rows`` (n,) by ``keys`` (n,) uint32: radix sort over those bits only in which the keys differ.

    Returns the sorted rows: ``rows`` or ``spare_rows``, whichever the last pass wrote.
    """
    n = len(rows)
    if n <= 24:
        for i in range(1, n):
            key, row, j = keys[i], rows[i], i
            while j > 0 and keys[j - 1] > key:
                keys[j], rows[j] = keys[j - 1], rows[j - 1]
                j -= 1
            keys[j], rows[j] = key, row
        return rows
    low, high = keys[0], keys[0]
    for i in range(n):
        low, high = min(low, keys[i]), max(high, keys[i])
    bits = 0
    while (np.int64(high - low) >> bits) > 0:
        bits += 1
    widest = 8 if n < 2048 else 11  # emptying 2048 buckets is worth it for long lists only
    passes = (bits + widest - 1) // widest
    if passes == 0:
        return rows
    digit = (bits + passes - 1) // passes
    mask = np.uint32((1 << digit) - 1)
    starts = np.empty(1 << digit, np.int32)
    for step in range(passes):
        offset = np.uint32(step * digit)
        starts[:] = 0
        for i in range(n):
            starts[((keys[i] - low) >> offset) & mask] += 1
        total = np.int32(0)
        for bucket in range(len(starts)):
            size = starts[bucket]
            starts[bucket] = total
            total += size
        for i in range(n):
            bucket = ((keys[i] - low) >> offset) & mask
            place = starts[bucket]
            starts[bucket] = place + 1
            spare_keys[place], spare_rows[place] = keys[i], rows[i]
        keys, spare_keys = spare_keys, keys
        rows, spare_rows = spare_rows, rows
    return rows


@njit(inline="always")
def _exp2(p):
    """2ᵖ in float32 for −126 < p < 127, relative error below 3e-7: polynomial on [−½, ½], exponent by its bits."""
    whole = np.floor(p + f4(0.5))
    f = p - whole
    e = f4(1.5403530393381608e-4)
    e = e * f + f4(1.3333558146428443e-3)
    e = e * f + f4(9.618129107628477e-3)
    e = e * f + f4(5.550410866482158e-2)
    e = e * f + f4(2.402265069591007e-1)
    e = e * f + f4(6.931471805599453e-1)
    e = e * f + f4(1.0)
    return e * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@_compiled(fastmath=_FAST, error_model="numpy")
def _blend_tile(order, records, left, top, rows_used, layers, pixels):
    """Blend the Gaussians ``order`` (n,), front to back, into one tile.

    Args:
        records: (M, 10) of :func:`project`.
        left, top: first pixel of the tile.
        rows_used: rows of the tile that lie in the picture.
        layers: whether the last three planes are wanted.
        pixels: (9 · 256,) float32 out, nine planes: transmittance of unfinished pixels (0 once finished), transmittance of finished
            ones, red, green, blue, Σ w·z; where the layer ends in which half of what is there is reached, its Σ w and Σ w·z.
    """
    pixels[:_PIXELS] = f4(1.0)
    pixels[_PIXELS:] = f4(0.0)
    for n in range(len(order)):
        if n % _CHECK_EVERY == 0 and n:
            unfinished = f4(0.0)
            for j in range(rows_used * TILE):
                unfinished += pixels[j]
            if unfinished == f4(0.0):
                break
        record = records[order[n]]
        a, c, shear, log_o = record[_A], record[_C], record[_SHEAR], record[_LOG_O]
        red, green, blue, z = record[_RED], record[_GREEN], record[_BLUE], record[_Z]
        u, v = record[_U] - f4(left), record[_V] - f4(top) - f4(0.5)
        reach = np.sqrt(max(log_o - _CUT, f4(0.0)) / c)
        # bounded on both sides: what is too large for an integer must not become a row
        first = int(min(max(np.ceil(v - reach), f4(0.0)), f4(TILE)))
        last = int(max(min(np.floor(v + reach), f4(rows_used - 1)), f4(-1.0)))
        for row in range(first, last + 1):
            dv = f4(row) - v
            centre = u + shear * dv
            peak = log_o - c * dv * dv
            # halves of the row that this Gaussian reaches
            gap_left, gap_right = centre - f4(_LANES - 0.5), f4(_LANES + 0.5) - centre
            begin = 0 if gap_left <= 0 or a * gap_left * gap_left <= peak - _CUT else 1
            end = 2 if gap_right <= 0 or a * gap_right * gap_right <= peak - _CUT else 1
            for block in range(begin, end):
                base = np.uintp(row * TILE + block * _LANES)
                du0 = f4(block * _LANES) + f4(0.5) - centre
                # unsigned indices are not tested for being negative, which would keep this loop out of vector registers
                for lane in range(_LANES):
                    j = base + np.uintp(lane)
                    du = f4(lane) + du0
                    alpha = min(_exp2(max(peak - a * du * du, f4(-64.0))), _MAX_ALPHA)
                    T = pixels[j]
                    weight = alpha * T
                    seen = alpha >= _MIN_ALPHA
                    refused = seen and T - weight <= _MIN_T
                    weight = weight if seen and not refused else f4(0.0)
                    pixels[j] = f4(0.0) if refused else T - weight
                    pixels[j + _FINISHED] += T if refused else f4(0.0)
                    pixels[j + _PLANE_RED] += weight * red
                    pixels[j + _PLANE_GREEN] += weight * green
                    pixels[j + _PLANE_BLUE] += weight * blue
                    pixels[j + _PLANE_DEPTH] += weight * z
                    if layers:  # the same for all pixels, so it is taken out of the loop
                        beyond = z > pixels[j + _LAYER_END]
                        begins = beyond and weight > 0 and T > _HALF
                        counted = weight if begins or not beyond else f4(0.0)
                        pixels[j + _LAYER_END] = z * _LAYER if begins else pixels[j + _LAYER_END]
                        pixels[j + _LAYER_WEIGHT] = (f4(0.0) if begins else pixels[j + _LAYER_WEIGHT]) + counted
                        pixels[j + _LAYER_DEPTH] = (f4(0.0) if begins else pixels[j + _LAYER_DEPTH]) + counted * z


@_compiled(parallel=True)
def draw(records, rows, starts, tiles_x, first_tile_row, last_tile_row, workers, colour, alpha, depth, surface):
    """Sort and blend all tiles of a band.

    Args:
        rows: (P,) int32 lists of :func:`list_tiles`; ``starts`` (tiles + 1,) where each tile's list begins.
        workers: tiles are dealt out to this many workers in turn, so that all have about the same to do.
        colour, alpha, depth: (H, W, 3), (H, W), (H, W) float32 out.
        surface: (H, W) float32 out, or (0, 0) if it is not wanted.
    """
    height, width = alpha.shape
    layers = surface.size > 0
    tiles = (last_tile_row - first_tile_row) * tiles_x
    for worker in prange(workers):
        pixels = np.empty(_PLANES * _PIXELS, np.float32)
        for i in range(worker, tiles, workers):
            tile = first_tile_row * tiles_x + i
            begin, end = starts[tile], starts[tile + 1]
            if begin == end:
                continue
            left, top = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
            keys = np.empty(end - begin, np.uint32)
            for j in range(end - begin):
                keys[j] = np.float32(records[rows[begin + j], _Z]).view(np.uint32)
            spare_rows, spare_keys = np.empty(end - begin, np.int32), np.empty(end - begin, np.uint32)
            order = sort_by_depth(rows[begin:end], keys, spare_rows, spare_keys)
            rows_used, columns_used = min(TILE, height - top), min(TILE, width - left)
            _blend_tile(order, records, left, top, rows_used, layers, pixels)
            for y in range(rows_used):
                for x in range(columns_used):
                    j = y * TILE + x
                    colour[top + y, left + x, 0] = pixels[2 * _PIXELS + j]
                    colour[top + y, left + x, 1] = pixels[3 * _PIXELS + j]
                    colour[top + y, left + x, 2] = pixels[4 * _PIXELS + j]
                    depth[top + y, left + x] = pixels[5 * _PIXELS + j]
                    covered = f4(1.0) - (pixels[j] + pixels[_PIXELS + j])
                    alpha[top + y, left + x] = covered
                    if layers:
                        weight, weighted = pixels[7 * _PIXELS + j], pixels[8 * _PIXELS + j]
                        if covered < f4(0.5):
                            weight, weighted = covered, pixels[5 * _PIXELS + j]
                        surface[top + y, left + x] = weighted / weight if covered >= _MIN_ALPHA else f4(np.inf)
