"""``.spz`` files of Niantic (github.com/nianticlabs/spz): 20 bytes for each Gaussian, in columns, compressed by gzip.

A header of 16 bytes (``NGSP``, version, count, degree of the harmonics, fractional bits of positions, flags) is followed by

* positions, 3 × 24-bit fixed point;
* opacities, uint8 of 255;
* colours, 3 × uint8: 255 (0.15 f + 0.5), with f the degree-0 coefficient of the sRGB colour;
* scales, 3 × uint8: 16 (ln metres + 10);
* rotations: in version 2 the components x, y, z, uint8, 127.5 (q + 1) with w ≥ 0; in version 3 the place of the largest of
  (x, y, z, w) in two bits, then the three others in ten bits each, a sign and 511 √2 |q|, with the largest positive;
* higher harmonics and extensions, which are skipped.

Axes are x right, y up, z backward. Version 3 is written, 2 and 3 are read; 4 is compressed by zstd, which Python before 3.14 lacks.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core import GaussianCloud, Provenance
from ..core.errors import ErrorCode, ImageTo3DError
from ..core.imaging.colour import linear_to_srgb, rgb_to_sh0, sh0_to_rgb, srgb_to_linear
from ._gaussian_rows import finite_cloud, read_whole, unusable
from .atomic import atomic_open

MAGIC = 0x5053474E  # "NGSP", little-endian
VERSION = 3
_HEADER = struct.Struct("<IIIBBBB")
_FRACTIONAL_BITS = 12  # steps of 0.24 mm up to 2048 m, the format's own default; fewer where the scene is larger
_LARGEST = (1 << 23) - 1  # of 24-bit fixed point
_COLOUR_SCALE = 0.15
_SCALE_STEPS, _SCALE_OFFSET = 16.0, 10.0  # of ln metres
_QUATERNION_STEPS = 511.0 * np.sqrt(2.0)  # no component but the largest exceeds 1 / √2
_OTHERS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
_FLIP = np.array([1.0, -1.0, -1.0], np.float32)
"""y down, z forward ↔ y up, z backward: half a turn about x, of positions and of the imaginary part of quaternions alike."""
_BEST_RATIO = 1100
"""gzip compresses by 1032 at most; a file that claims more is damaged, and memory is not reserved for it."""
_HINT = "Export it again, as .spz of version 2 or 3 or as a PLY."


def write_spz(path: str | Path, cloud: GaussianCloud) -> None:
    """Write a cloud; the file appears whole or not at all. Colours outside −0.44 … 1.44 (sRGB) and scales below 45 µm are clipped.

    Raises:
        ImageTo3DError: ``bad_request`` for points farther than 8388 km; the disk is full or the folder not writable.
    """
    farthest = float(np.abs(cloud.positions).max()) if len(cloud) else 0.0
    if farthest > _LARGEST:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "files.points_too_far", name=Path(path).name, farthest=farthest / 1000
        )
    bits = int(np.clip(np.floor(np.log2(_LARGEST / max(farthest, 1e-9))), 0, _FRACTIONAL_BITS))
    fixed = np.rint(cloud.positions * _FLIP * np.float64(1 << bits)).astype("<i4")
    f_dc = rgb_to_sh0(linear_to_srgb(cloud.colours))
    with np.errstate(divide="ignore"):  # a scale of 0 is the smallest that can be stored
        scales = _byte(_SCALE_STEPS * (np.log(cloud.scales) + _SCALE_OFFSET))
    columns = (
        fixed.view("u1").reshape(-1, 4)[:, :3],
        _byte(cloud.opacities * 255),
        _byte(255 * (_COLOUR_SCALE * f_dc + 0.5)),
        scales,
        _smallest_three(cloud.rotations * np.insert(_FLIP, 0, 1)).astype("<u4"),
    )
    header = _HEADER.pack(MAGIC, VERSION, len(cloud), 0, bits, 0, 0)
    body = header + b"".join(np.ascontiguousarray(column).tobytes() for column in columns)
    with atomic_open(path) as stream:
        stream.write(gzip.compress(body, 6, mtime=0))


def read_spz(path: str | Path) -> GaussianCloud:
    """Read a ``.spz`` file of version 2 or 3; harmonics above degree 0 are ignored.

    Raises:
        ImageTo3DError: ``image_unreadable`` for a missing, damaged or empty file, or one of another version.
    """
    path = Path(path)
    data = read_whole(path)
    if data[:4] == b"NGSP":
        version = struct.unpack_from("<I", data, 4)[0] if len(data) >= 8 else 4
        raise unusable(path, f"it is of version {version}, which is not known here", _HINT)
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    head, rest = _inflate(path, unpack, data, _HEADER.size)
    if len(head) < _HEADER.size:
        raise unusable(path, "it is damaged: it ends within its header", _HINT)
    magic, version, count, _, bits, _, _ = _HEADER.unpack(head)
    if magic != MAGIC:
        raise unusable(path, "it is no .spz file", _HINT)
    if version not in (2, 3):
        raise unusable(path, f"it is of version {version}, which is not known here", _HINT)
    if count == 0:
        raise unusable(path, "it holds no points", _HINT)
    widths = (9, 1, 3, 3, 3 if version == 2 else 4)
    if sum(widths) * count > _BEST_RATIO * len(data) or bits > 23:
        raise unusable(path, "it is damaged: its header makes no sense", _HINT)
    body, _ = _inflate(path, unpack, rest, sum(widths) * count)
    if len(body) < sum(widths) * count:
        raise unusable(path, "it is damaged: it ends early", _HINT)
    ends = np.cumsum([0, *widths]) * count
    fixed, opacity, colour, scale, rotation = (
        np.frombuffer(body, np.uint8, int(end - start), int(start)).reshape(count, -1) for start, end in pairwise(ends)
    )
    wide = np.zeros((count, 3, 4), np.uint8)
    wide[:, :, 1:] = fixed.reshape(count, 3, 3)  # the sign comes along when the value is shifted back
    positions = (wide.view("<i4")[..., 0] >> 8).astype(np.float32) / np.float32(1 << bits)
    xyzw = _first_three(rotation) if version == 2 else _unpack_smallest_three(rotation.copy().view("<u4")[:, 0])
    srgb = sh0_to_rgb((colour.astype(np.float32) / 255 - 0.5) / _COLOUR_SCALE)
    return finite_cloud(
        path,
        positions * _FLIP,
        np.exp(scale.astype(np.float32) / _SCALE_STEPS - _SCALE_OFFSET),
        np.concatenate([xyzw[:, 3:], xyzw[:, :3] * _FLIP], axis=1).astype(np.float32),
        srgb_to_linear(srgb),
        opacity[:, 0].astype(np.float32) / np.float32(255),
        provenance=Provenance("spz", details={"file": path.name}),
    )


def _byte(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _inflate(path: Path, unpack: zlib._Decompress, data: bytes, size: int) -> tuple[bytes, bytes]:
    """At most ``size`` more bytes of a gzip stream, and the compressed bytes that are left."""
    try:
        return unpack.decompress(data, size), unpack.unconsumed_tail
    except zlib.error:
        raise unusable(path, "it is damaged or no .spz file", _HINT) from None


def _smallest_three(rotations: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Unit quaternions (N, 4), w first, as version 3 stores them."""
    xyzw = np.roll(rotations.astype(np.float64), -1, axis=1)
    largest = np.abs(xyzw).argmax(axis=1)
    three = np.take_along_axis(xyzw, _OTHERS[largest], axis=1)
    negative = (three < 0) ^ (np.take_along_axis(xyzw, largest[:, None], axis=1) < 0)
    magnitude = np.minimum(np.rint(np.abs(three) * _QUATERNION_STEPS), 511).astype(np.uint32)
    packed = largest.astype(np.uint32)
    for i in range(3):
        packed = (packed << 10) | (negative[:, i].astype(np.uint32) << 9) | magnitude[:, i]
    return packed


def _unpack_smallest_three(packed: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Inverse of :func:`_smallest_three`, but w last."""
    largest = packed >> 30
    parts = [(packed >> shift) & 1023 for shift in (20, 10, 0)]
    three = np.stack([np.where(p & 512, -1.0, 1.0) * (p & 511) / _QUATERNION_STEPS for p in parts], axis=1)
    xyzw = np.empty((len(packed), 4))
    np.put_along_axis(xyzw, _OTHERS[largest], three, axis=1)
    rest = np.sqrt(np.maximum(1 - (three * three).sum(axis=1), 0))
    np.put_along_axis(xyzw, largest[:, None].astype(np.intp), rest[:, None], axis=1)
    return xyzw


def _first_three(stored: NDArray[np.uint8]) -> NDArray[np.float64]:
    xyz = stored / 127.5 - 1
    w = np.sqrt(np.maximum(1 - (xyz * xyz).sum(axis=1), 0))
    return np.concatenate([xyz, w[:, None]], axis=1)
