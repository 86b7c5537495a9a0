"""Photo → network input, as the published programs make it: size rule, cubic resampling without antialiasing, normalisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .config import MULTIPLE, Preprocessing

_CUBIC = -0.75
"""Keys' parameter a that OpenCV and torch use ("Cubic Convolution Interpolation", 1981); Pillow's is −0.5."""


def input_size(width: int, height: int, rule: Preprocessing) -> tuple[int, int]:
    """(width, height) of the network input for a photo of width × height pixels: multiples of 32, at least 32.

    Lengths are rounded half to even, as the published programs round them (2.5 · 32 becomes 64).
    """
    scales = (rule.resolution / height, rule.resolution / width)
    wanted = min(scales) if rule.rule == "longer" else min(scales, key=lambda s: abs(1 - s))  # a tie goes to the height
    scale = min(wanted, rule.longest / max(width, height))

    def fit(length: int) -> int:
        units = np.round(scale * length / MULTIPLE)
        if units * MULTIPLE > rule.longest:
            units = np.floor(scale * length / MULTIPLE)
        return max(int(units), 1) * MULTIPLE

    return fit(width), fit(height)


def _taps(length: int, wanted: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Source pixels (wanted, 4), clamped to the border, and their weights for cubic resampling of one axis."""
    at = (np.arange(wanted) + 0.5) * (length / wanted) - 0.5
    first = np.floor(at)
    t = at - first
    a = _CUBIC

    def near(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    weights = np.stack([far(t + 1), near(t), near(1 - t), far(2 - t)], axis=-1)
    source = first.astype(np.intp)[:, None] + np.arange(-1, 3)
    return np.clip(source, 0, length - 1), weights


def resize_cubic(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float64]:
    """(H, W, 3) uint8 → (height, width, 3) float64 in 0 … 255, possibly a little beyond; no antialiasing.

    Only the pixels under the kernels are read, so a large photo costs no more than a small one.
    """
    rows, row_weights = _taps(pixels.shape[0], height)
    cols, col_weights = _taps(pixels.shape[1], width)
    out = np.empty((height, width, 3))
    for y in range(height):
        band = np.tensordot(row_weights[y], pixels[rows[y]].astype(np.float64), 1)
        out[y] = np.einsum("wkc,wk->wc", band[cols], col_weights)
    return out


def prepare(pixels: NDArray[np.uint8], rule: Preprocessing) -> NDArray[np.float32]:
    """(H, W, 3) uint8 sRGB → (1, 3, h, w) float32, normalised."""
    width, height = input_size(pixels.shape[1], pixels.shape[0], rule)
    rgb = resize_cubic(pixels, width, height) / 255.0
    normalised = (rgb - np.array(rule.mean)) / np.array(rule.std)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None], dtype=np.float32)
