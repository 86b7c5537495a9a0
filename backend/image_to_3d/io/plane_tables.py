"""Plane reports as a table that spreadsheets read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .atomic import atomic_open

HEADER = (
    *("name", "photo", "tilt_deg", "tilt_low_deg", "tilt_high_deg", "azimuth_deg"),
    *("area_m2", "rms_mm", "largest_deviation_mm", "points", "scale_state", "scale_sd_percent"),
)


@dataclass(frozen=True)
class PlaneRow:
    """One plane; None where nobody knows.

    Attributes:
        name, photo: for people.
        tilt_deg: from horizontal; tilt_low_deg, tilt_high_deg: its 95 % interval.
        azimuth_deg: compass direction it faces.
        area_m2, rms_mm, largest_deviation_mm: see :class:`~image_to_3d.core.surfaces.inspection.PlaneReport`.
        points: cells of the picture that were used.
        scale_state, scale_sd_percent: see :class:`~image_to_3d.core.lengths.calibration.Scale`.
    """

    name: str
    photo: str
    tilt_deg: float | None
    tilt_low_deg: float | None
    tilt_high_deg: float | None
    azimuth_deg: float | None
    area_m2: float
    rms_mm: float
    largest_deviation_mm: float
    points: int
    scale_state: str
    scale_sd_percent: float


def write_plane_table(path: str | Path, rows: Sequence[PlaneRow]) -> None:
    """Write rows as comma-separated values (RFC 4180), UTF-8 with a byte order mark so that spreadsheets know; whole or not at all.

    Raises:
        ImageTo3DError: the disk is full or the folder not writable.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(HEADER)
    for row in rows:
        table.writerow([_cell(getattr(row, column)) for column in HEADER])
    with atomic_open(path) as stream:
        stream.write(text.getvalue().encode("utf-8-sig"))


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value  # a spreadsheet would take it for a formula
    return "" if value is None else value
