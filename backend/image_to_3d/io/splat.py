"""``.splat`` files: 32 bytes for each Gaussian and nothing else, as the WebGL viewer of Kwok (antimatter15/splat, 2023) reads them.

A row holds the position (3 float32), the standard deviations (3 float32), red, green, blue in sRGB and the opacity (uint8, of 255),
and the quaternion (w, x, y, z) as uint8, 128 (1 + q). Rows are sorted by falling volume × opacity, so that a viewer that streams
the file shows what matters first. Axes are those of a PLY: x right, y down, z forward. There is no camera and no picture grid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core import GaussianCloud, Provenance
from ..core.imaging.colour import linear_to_srgb8, srgb8_to_linear
from ._gaussian_rows import finite_cloud, read_whole, unusable
from .atomic import atomic_open

ROW = np.dtype(
    [("position", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 3), ("opacity", "u1"), ("rotation", "u1", 4)]
)
_UNIT = 128.0


def write_splat(path: str | Path, cloud: GaussianCloud) -> None:
    """Write a cloud; the file appears whole or not at all. Colours above 1 are clipped.

    Raises:
        ImageTo3DError: the disk is full or the folder not writable.
    """
    weight = cloud.scales.astype(np.float64).prod(axis=1) * cloud.opacities
    order = np.argsort(-weight, kind="stable")
    rows = np.empty(len(cloud), ROW)
    rows["position"] = cloud.positions[order]
    rows["scale"] = cloud.scales[order]
    rows["colour"] = linear_to_srgb8(cloud.colours[order])
    rows["opacity"] = np.rint(cloud.opacities[order] * 255)
    rows["rotation"] = np.clip(np.rint((cloud.rotations[order] + 1) * _UNIT), 0, 255)
    with atomic_open(path) as stream:
        stream.write(rows.tobytes())


def read_splat(path: str | Path) -> GaussianCloud:
    """Read a ``.splat`` file; rows that are not finite are left out with a warning.

    Raises:
        ImageTo3DError: ``image_unreadable`` for a missing or empty file, or one that does not consist of such rows.
    """
    path = Path(path)
    data = read_whole(path)
    if not data:
        raise unusable(path, "it is empty")
    if len(data) % ROW.itemsize:
        raise unusable(path, f"its {len(data)} bytes are not a whole number of points of {ROW.itemsize} bytes")
    rows = np.frombuffer(data, ROW)
    return finite_cloud(
        path,
        rows["position"],
        rows["scale"],
        (rows["rotation"].astype(np.float32) - _UNIT) / np.float32(_UNIT),
        srgb8_to_linear(rows["colour"]),
        rows["opacity"].astype(np.float32) / np.float32(255),
        provenance=Provenance("splat", details={"file": path.name}),
    )
