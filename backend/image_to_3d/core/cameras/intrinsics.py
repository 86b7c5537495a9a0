"""Pinhole intrinsics and where a focal length comes from.

Pixels (u, v) count from the top-left corner of the picture; the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import Notice

Array = NDArray[np.floating]

FocalSource = Literal["exif35", "exif", "user", "vanishing-points", "assumed"]
FOCAL_SOURCES: tuple[FocalSource, ...] = ("exif35", "exif", "user", "vanishing-points", "assumed")

DIAGONAL_35MM = float(np.hypot(36.0, 24.0))
"""Diagonal of a 36 × 24 mm frame in millimetres: "35 mm equivalent" means equal diagonal (CIPA DCG-001)."""

ASSUMED_MM35 = 30.0
"""The focal length SHARP assumes where a photo says nothing (facts of the published model)."""

_REAL_FOCAL_LIMIT_MM = 10.0
_REAL_TO_35MM = 8.4


@dataclass(frozen=True)
class FocalLength:
    """A focal length in pixels of a picture of known size, and how it is known.

    Attributes:
        px: focal length in pixels (square pixels).
        mm35: 35 mm equivalent in millimetres, by the diagonal.
        source: ``exif35``, ``exif``, ``user``, ``vanishing-points`` (the photo's own lines) or ``assumed``.
        relative_sd: relative standard deviation where it was measured; None: that of the source, see :func:`focal_sd`.
    """

    px: float
    mm35: float
    source: FocalSource
    relative_sd: float | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.px) and self.px > 0):
            raise ValueError(f"the focal length must be a positive number of pixels, not {self.px}")
        if self.source not in FOCAL_SOURCES:
            raise ValueError(f"unknown source of a focal length: {self.source!r}")

    def warning(self) -> str:
        """A sentence for a person if the focal length is an assumption, else empty."""
        if self.source != "assumed":
            return ""
        return Notice("photos.focal_assumed", mm35=self.mm35)


def focal_sd(source: str | None, mm35: float, measured: float | None = None) -> float:
    """Relative standard deviation of a focal length: as measured, else by its source.

    ``exif35`` is rounded to a whole millimetre (± 0.29 mm); ``exif`` multiplies the real focal length of a phone by a typical
    8.4, which differs by 10 % between phones; ``vanishing-points`` is what lines are typically good for; ``assumed`` is a guess
    among lenses of 24 to 50 mm; ``user`` and cameras stored in a file count as calibrated.
    """
    if measured is not None:
        return measured
    if source == "exif35":
        return float(np.hypot(0.29 / mm35, 0.005))
    return {"exif": 0.10, "vanishing-points": 0.03, "assumed": 0.20}.get(source or "user", 0.005)


def focal_from_mm35(mm35: float, width: int, height: int, source: FocalSource) -> FocalLength:
    """f_px = mm35 · √(W² + H²) / √(36² + 24²)."""
    return FocalLength(float(mm35 * np.hypot(width, height) / DIAGONAL_35MM), float(mm35), source)


def focal_from_px(px: float, width: int, height: int, source: FocalSource = "user") -> FocalLength:
    """A focal length given in pixels."""
    return FocalLength(float(px), float(px * DIAGONAL_35MM / np.hypot(width, height)), source)


def focal_from_fov(fov_deg: float, width: int, height: int, source: FocalSource = "user") -> FocalLength:
    """From the horizontal field of view in degrees, 0 < fov < 180.

    Raises:
        ValueError: the angle is outside that range.
    """
    if not 0.0 < fov_deg < 180.0:
        raise ValueError(f"a field of view lies between 0 and 180 degrees, not {fov_deg:g}")
    return focal_from_px(0.5 * width / np.tan(0.5 * np.radians(fov_deg)), width, height, source)


def focal_from_exif(mm35: float | None, mm: float | None, width: int, height: int) -> FocalLength:
    """The rule of the published SHARP: 35 mm tag, else real focal length, else an assumption.

    ``mm35`` counts if ≥ 1; ``mm`` counts if positive, and below 10 is taken for a phone's real focal length and multiplied by 8.4.

    Args:
        mm35: EXIF FocalLengthIn35mmFilm, or None.
        mm: EXIF FocalLength in millimetres, or None.
        width, height: of the upright picture, pixels.
    """
    if mm35 is not None and np.isfinite(mm35) and mm35 >= 1:
        return focal_from_mm35(mm35, width, height, "exif35")
    if mm is not None and np.isfinite(mm) and mm > 0:
        return focal_from_mm35(mm * _REAL_TO_35MM if mm < _REAL_FOCAL_LIMIT_MM else mm, width, height, "exif")
    return focal_from_mm35(ASSUMED_MM35, width, height, "assumed")


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera: focal lengths and principal point in pixels, and the size of the picture they belong to."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(np.isfinite(v) for v in values) or self.fx <= 0 or self.fy <= 0:
            raise ValueError(f"intrinsics must be finite with positive focal lengths, not {values}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a picture has at least one pixel, not {self.width}×{self.height}")

    @classmethod
    def centred(cls, focal_px: float, width: int, height: int) -> Intrinsics:
        """Square pixels, principal point in the middle."""
        return cls(focal_px, focal_px, width / 2, height / 2, width, height)

    def resized(self, width: int, height: int) -> Intrinsics:
        """The same camera for the picture stretched to another size."""
        sx, sy = width / self.width, height / self.height
        return Intrinsics(self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy, width, height)

    def with_focal(self, focal_px: float) -> Intrinsics:
        """The same picture with another focal length, square pixels."""
        return replace(self, fx=focal_px, fy=focal_px)

    def matrix(self) -> NDArray[np.float64]:
        """K, shape (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def horizontal_fov_deg(self) -> float:
        """Angle between the left and right border of the picture, degrees."""
        return float(np.degrees(np.arctan(self.cx / self.fx) + np.arctan((self.width - self.cx) / self.fx)))

    def project(self, points: Array) -> Array:
        """Pixels (..., 2) of points (..., 3) in the OpenCV camera frame; meaningful where z > 0."""
        z = points[..., 2]
        return np.stack([self.fx * points[..., 0] / z + self.cx, self.fy * points[..., 1] / z + self.cy], axis=-1)

    def unproject(self, uv: Array, depth: Array) -> Array:
        """Points (..., 3), OpenCV camera frame, metres, of pixels (..., 2) at planar depth z (...)."""
        x = (uv[..., 0] - self.cx) / self.fx * depth
        y = (uv[..., 1] - self.cy) / self.fy * depth
        return np.stack(np.broadcast_arrays(x, y, depth), axis=-1)

    def pixel_rays(
        self, rows: int | None = None, cols: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x/z of the column centres (cols,) and y/z of the row centres (rows,) of a grid laid over the picture."""
        rows, cols = rows or self.height, cols or self.width
        u = (np.arange(cols, dtype=np.float64) + 0.5) * (self.width / cols)
        v = (np.arange(rows, dtype=np.float64) + 0.5) * (self.height / rows)
        return np.asarray((u - self.cx) / self.fx), np.asarray((v - self.cy) / self.fy)
