"""A rendered picture as it travels: 8-bit colour and 16-bit depth. Runs for every preview, so it is compiled."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ..core.imaging.colour import linear_to_srgb
from ..render.base import MIN_ALPHA

_STEPS = 1 << 14  # fine enough that no 8-bit level is off by more than the rounding of a tie
_WORTH_SHARING = (
    500_000  # pixels; below that, waking the other cores costs more than they save, above all when they are busy
)
_SRGB = linear_to_srgb(np.linspace(0.0, 1.0, _STEPS + 1)).astype(np.float32)


def encode_colour(colour: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Premultiplied linear RGB (H, W, 3) and alpha (H, W) → (H, W, 4) uint8: sRGB, then multiplied by alpha, and alpha."""
    out = np.empty((*alpha.shape, 4), np.uint8)
    encode = _encode_on_all_cores if alpha.size > _WORTH_SHARING else _encode
    encode(np.ascontiguousarray(colour), np.ascontiguousarray(alpha), _SRGB, out)
    return out


def encode_depth(weighted: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float16]:
    """Σ w·z (H, W) in metres and alpha (H, W) → expected z as (H, W) float16, infinite where nothing is or beyond 65504 m."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(alpha >= MIN_ALPHA, weighted / alpha, np.float32(np.inf)).astype(np.float16)


def encode_surface(depth: NDArray[np.float32]) -> NDArray[np.float16]:
    """Depth in metres, infinite where nothing is (H, W) → float16, infinite beyond 65504 m, too."""
    with np.errstate(over="ignore"):
        return depth.astype(np.float16)


def _encode_rows(
    colour: NDArray[np.float32], alpha: NDArray[np.float32], table: NDArray[np.float32], out: NDArray[np.uint8]
) -> None:
    height, width = alpha.shape
    steps = np.float32(len(table) - 1)
    for y in prange(height):
        for x in range(width):
            a = min(max(alpha[y, x], np.float32(0.0)), np.float32(1.0))
            out[y, x, 3] = np.uint8(a * np.float32(255.0) + np.float32(0.5))
            for c in range(3):
                value = np.float32(0.0)
                if a > 0:
                    straight = min(max(colour[y, x, c] / a, np.float32(0.0)), np.float32(1.0))
                    value = table[int(straight * steps + np.float32(0.5))] * a
                out[y, x, c] = np.uint8(value * np.float32(255.0) + np.float32(0.5))


_encode = njit(nogil=True, cache=True)(_encode_rows)
_encode_on_all_cores = njit(parallel=True, nogil=True, cache=True)(_encode_rows)
