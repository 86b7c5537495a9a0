"""Plane reports for inspections: mark a region, get tilt, azimuth, area and flatness; several of them as a table."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from image_to_3d.core import ImageTo3DError
from image_to_3d.core.surfaces.inspection import (
    PlaneReport,
    azimuth,
    report_plane,
    report_region,
    runs_of_mask,
)
from image_to_3d.core.surfaces.levelling import Gravity
from image_to_3d.io.plane_tables import PlaneRow

from ...runtime.notices import Notices
from ...runtime.objects import of
from .. import analysis
from ..analysis import Analysis
from ..scale import scale_of_photo
from . import heat_map, properties
from .properties import PlaneEntry
from .regions import Region, entry_region


def heading_deg(root: bpy.types.Object) -> float | None:
    """Compass direction of the photo's view: by hand, else as the photo tells it."""
    inspection = root.image_to_3d.inspection
    if inspection.north_by_hand:
        return float(np.degrees(inspection.heading))
    told = root.image_to_3d.outcome.heading_deg
    return float(told) if told >= 0 else None


def add(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis, region: Region) -> PlaneEntry:
    """Fit a plane to a region and add it to the table.

    Raises:
        ImageTo3DError: ``bad_request`` where no plane can be fitted, or the root is stretched unevenly.
    """
    report, gravity = _report(root, scene, found, region)
    inspection = root.image_to_3d.inspection
    entry = inspection.planes.add()
    numbers = [
        int(e.name.split()[-1]) for e in inspection.planes if e.name.split()[-1:] and e.name.split()[-1].isdigit()
    ]
    entry.name = f"Plane {max(numbers, default=0) + 1}"
    if region.dtype == bool:
        entry.cells = runs_of_mask(region.astype(bool, copy=False))
    else:
        for corner in region:
            entry.outline.add().uv = corner
    _fill(root, scene, entry, report, gravity)
    inspection.active = len(inspection.planes) - 1
    heat_map.apply(root)
    return entry


def remeasure(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
    """Fit all planes of a photo anew, with its points, scale and level as they are now.

    A plane that can no longer be fitted keeps its figures, and the reason is said in the panel.
    """
    for entry in root.image_to_3d.inspection.planes:
        try:
            _fill(root, scene, entry, *_report(root, scene, found, entry_region(entry, found.grid)))
        except ImageTo3DError as error:
            of(Notices).fail("planes", error)
    heat_map.apply(root)


def turn(root: bpy.types.Object) -> None:
    """Write the azimuths anew: somebody has typed another compass direction."""
    heading = heading_deg(root)
    for entry in root.image_to_3d.inspection.planes:
        entry.has_azimuth = heading is not None and entry.turn_deg >= 0
        entry.azimuth_deg = (heading + entry.turn_deg) % 360.0 if entry.has_azimuth else 0.0


def rows(root: bpy.types.Object) -> list[PlaneRow]:
    """The table."""
    recipe = root.image_to_3d.recipe
    photo = (
        Path(bpy.path.abspath(recipe.photo_path)).name if recipe.source == "FILE" else getattr(recipe.image, "name", "")
    )
    return [
        PlaneRow(
            name=entry.name,
            photo=photo or root.name,
            tilt_deg=entry.tilt_deg if entry.has_tilt else None,
            tilt_low_deg=entry.tilt_low_deg if entry.has_tilt else None,
            tilt_high_deg=entry.tilt_high_deg if entry.has_tilt else None,
            azimuth_deg=entry.azimuth_deg if entry.has_azimuth else None,
            area_m2=entry.area_m2,
            rms_mm=1000 * entry.rms_m,
            largest_deviation_mm=1000 * entry.largest_m,
            points=entry.points,
            scale_state=entry.scale_state,
            scale_sd_percent=100 * entry.scale_sd,
        )
        for entry in root.image_to_3d.inspection.planes
    ]


def _report(
    root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis, region: Region
) -> tuple[PlaneReport, Gravity | None]:
    try:
        gravity: Gravity | None = analysis.gravity_of(root, found)
    except ImageTo3DError:  # nobody knows what is level: area and flatness are reported all the same
        gravity = None
    up, up_sd = (None, 0.0) if gravity is None else (gravity.up, gravity.sd_deg)
    scale = scale_of_photo(root, scene)
    if region.dtype == bool:
        return report_region(found.grid, region.astype(bool, copy=False), scale, up, up_sd), gravity
    return report_plane(found.grid, region.astype(np.float64, copy=False), scale, up, up_sd), gravity


def _fill(
    root: bpy.types.Object, scene: bpy.types.Scene, entry: PlaneEntry, report: PlaneReport, gravity: Gravity | None
) -> None:
    scale = scale_of_photo(root, scene)
    entry.normal, entry.offset = report.plane.normal, report.plane.offset_m
    entry.has_tilt = report.tilt_deg is not None and report.tilt_interval_deg is not None
    if entry.has_tilt:
        entry.tilt_deg = report.tilt_deg
        entry.tilt_low_deg, entry.tilt_high_deg = report.tilt_interval_deg
    turned = None if gravity is None else azimuth(report.plane.normal, gravity.up, 0.0)
    entry.turn_deg = -1.0 if turned is None else turned
    entry.area_m2, entry.rms_m = report.area_m2, report.rms_m
    deviation = report.deviation_m[report.plane.mask]
    entry.largest_m = float(np.nanmax(np.abs(deviation), initial=0.0))
    entry.points = int(np.count_nonzero(report.plane.mask))
    entry.scale_state, entry.scale_sd = scale.state, scale.relative_sd
    turn(root)


def on_register() -> None:
    """Have the azimuths follow what is typed."""
    properties.heading_changed.append(turn)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    properties.heading_changed.remove(turn)
