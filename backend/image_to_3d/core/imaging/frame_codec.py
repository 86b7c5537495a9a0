"""Pictures of a preview made small for a slow connection: colours as JPEG codes them, alpha and depth without loss or nearly so.

Blender's Python has no JPEG reader, so what both ends need is numpy and zlib: YCbCr with halved chroma, 8 × 8 cosine transform, the
quantisation tables of ITU-T T.81, Annex K, scaled by quality as the Independent JPEG Group's library does. The coefficients,
ordered by frequency, are mostly runs of zeros, so zlib (RFC 1950) packs them as runs and Huffman codes, to little more than
JPEG's size.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMA = np.full((8, 8), 99)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

# T.871: full-range YCbCr of RGB
_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_RGB = np.linalg.inv(_YCC).astype(np.float32)

DEPTH_STEP_BITS = 2
"""Bits of a 16-bit depth that are rounded away: its steps become 0.2 to 0.4 %, far finer than a picture's pixels."""


@cache
def _cosines() -> NDArray[np.float32]:
    """(8, 8) orthonormal DCT-II."""
    k, n = np.mgrid[0:8, 0:8]
    matrix = np.cos((2 * n + 1) * k * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


@cache
def _order() -> NDArray[np.intp]:
    """Coefficients from low to high frequency."""
    row, column = np.mgrid[0:8, 0:8]
    return np.argsort((row + column).ravel(), kind="stable")


def _table(base: NDArray[Any], quality: int) -> NDArray[np.float32]:
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((base * scale + 50) / 100), 1, 255).astype(np.float32)


def encode_colour(colour: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Colour (H, W, 4) as bytes; alpha is kept exactly.

    Args:
        colour: as in a frame of the wire.
        quality: 1 to 100, as JPEG's.

    Raises:
        ValueError: there is no such quality.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is {quality}, between 1 and 100 is possible")
    height, width = colour.shape[:2]
    padded = np.pad(colour[..., :3], ((0, -height % 16), (0, -width % 16), (0, 0)), "edge")
    planes = np.moveaxis(padded.astype(np.float32) @ _YCC.T, -1, 0)
    luma = planes[0] - 128
    chroma = planes[1:].reshape(2, luma.shape[0] // 2, 2, luma.shape[1] // 2, 2).mean(axis=(2, 4))
    coefficients = [_transform(luma, _table(_LUMA, quality))]
    coefficients += [_transform(plane, _table(_CHROMA, quality)) for plane in chroma]
    alpha = np.diff(colour[..., 3], axis=1, prepend=np.uint8(0))  # modulo 256
    numbers = np.concatenate([c.ravel() for c in coefficients]).view(np.uint16)
    numbers = (numbers << np.uint16(1)) ^ np.where(numbers >> np.uint16(15), np.uint16(0xFFFF), np.uint16(0))
    small, large = (numbers & np.uint16(255)).astype(np.uint8), (numbers >> np.uint16(8)).astype(np.uint8)
    packed = _pack(small.tobytes() + large.tobytes() + alpha.tobytes())
    return np.frombuffer(bytes([quality]) + packed, np.uint8)


def decode_colour(coded: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Inverse of :func:`encode_colour`, but for what quality costs.

    Raises:
        ValueError: the bytes are not such a picture of this size.
    """
    rows, columns = -(-height // 16) * 16, -(-width // 16) * 16
    n = rows * columns * 3 // 2
    flat = _unpack(coded[1:], 2 * n + width * height)
    quality = int(coded[0])
    if not 1 <= quality <= 100:
        raise ValueError("the picture is damaged")
    numbers = flat[:n].astype(np.uint16) | (flat[n : 2 * n].astype(np.uint16) << np.uint16(8))
    signs = np.where(numbers & np.uint16(1), np.uint16(0xFFFF), np.uint16(0))
    values = ((numbers >> np.uint16(1)) ^ signs).view(np.int16)
    luma = _untransform(values[: rows * columns], rows, columns, _table(_LUMA, quality)) + 128
    half = rows * columns // 4
    table = _table(_CHROMA, quality)
    chroma = [
        _untransform(values[start : start + half], rows // 2, columns // 2, table).repeat(2, 0).repeat(2, 1)
        for start in (4 * half, 5 * half)
    ]
    out = np.empty((height, width, 4), np.uint8)
    ycc = np.stack([luma, *chroma], axis=-1)[:height, :width]
    out[..., 3] = np.cumsum(flat[2 * n :].reshape(height, width), axis=1, dtype=np.uint8)
    # premultiplied colours are never larger than alpha
    out[..., :3] = np.clip(np.rint(ycc @ _RGB.T), 0, out[..., 3:]).astype(np.uint8)
    return out


def encode_depth(depth: NDArray[np.float16]) -> NDArray[np.uint8]:
    """Depth (H, W) float16, not negative, as bytes; relative steps are 2⁻⁸ at most, infinity stays infinite."""
    bits = depth.view(np.uint16)
    finite = np.isfinite(depth)
    half = np.uint16(1 << (DEPTH_STEP_BITS - 1))
    largest = np.uint16(0x7BFF >> DEPTH_STEP_BITS)
    steps = np.where(finite, np.minimum((bits + half) >> np.uint16(DEPTH_STEP_BITS), largest), largest + np.uint16(1))
    change: NDArray[np.uint16] = np.diff(steps.astype(np.uint16), axis=1, prepend=np.uint16(0)).astype(np.uint16)
    small, large = (change & np.uint16(255)).astype(np.uint8), (change >> np.uint16(8)).astype(np.uint8)
    return np.frombuffer(_pack(small.tobytes() + large.tobytes()), np.uint8)


def decode_depth(coded: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float16]:
    """Inverse of :func:`encode_depth`, but for the rounding.

    Raises:
        ValueError: the bytes are not such a depth of this size.
    """
    n = width * height
    flat = _unpack(coded, 2 * n)
    change = flat[:n].astype(np.uint16) | (flat[n:].astype(np.uint16) << np.uint16(8))
    steps = np.cumsum(change.reshape(height, width), axis=1, dtype=np.uint16)
    largest = 0x7BFF >> DEPTH_STEP_BITS
    bits = np.where(steps > largest, np.uint16(0x7C00), steps << np.uint16(DEPTH_STEP_BITS))
    return bits.astype(np.uint16).view(np.float16)


def _pack(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return packer.compress(data) + packer.flush()


def _unpack(coded: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(coded.tobytes(), size)  # never more than was asked for
    except zlib.error:
        raise ValueError("the picture is damaged") from None
    if len(data) != size:
        raise ValueError("the picture is damaged")
    return np.frombuffer(data, np.uint8)


def _transform(plane: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.int16]:
    """Quantised coefficients (64, blocks), low frequencies first; the first row as differences."""
    rows, columns = plane.shape
    d = _cosines()
    blocks = plane.reshape(rows // 8, 8, columns // 8, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    found = np.rint(d @ blocks.astype(np.float32) @ d.T / table).astype(np.int16)
    ordered = np.ascontiguousarray(found.reshape(-1, 64)[:, _order()].T)
    ordered[0] = np.diff(ordered[0], prepend=np.int16(0))
    return ordered


def _untransform(values: NDArray[np.int16], rows: int, columns: int, table: NDArray[np.float32]) -> NDArray[np.float32]:
    ordered = values.reshape(64, -1).copy()
    ordered[0] = np.cumsum(ordered[0], dtype=np.int16)
    blocks = np.empty((ordered.shape[1], 64), np.float32)
    blocks[:, _order()] = ordered.T
    d = _cosines()
    planes = d.T @ (blocks.reshape(-1, 8, 8) * table) @ d
    return planes.reshape(rows // 8, columns // 8, 8, 8).transpose(0, 2, 1, 3).reshape(rows, columns)
