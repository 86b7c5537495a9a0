"""What plane reports store in the .blend file. Operators write it, so values without a name are for scripts."""

from __future__ import annotations

import math
from collections.abc import Callable

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    StringProperty,
)


class Corner(bpy.types.PropertyGroup):
    """A pixel of the photo."""

    uv: FloatVectorProperty(size=2)


class PlaneEntry(bpy.types.PropertyGroup):
    """A plane fitted to a marked region of a photo; figures with the scale applied.

    Attributes:
        name: for people, may be changed.
        outline: the marked polygon; empty where vertices were marked.
        cells: marked cells as :func:`image_to_3d.core.surfaces.inspection.runs_of_mask` writes them, where vertices were marked.
        normal, offset: of the plane, camera frame, metres of the engine.
        turn_deg: azimuth for a camera that looks north; negative for a level plane, or without gravity.
        has_tilt, has_azimuth: whether gravity, and north as well, were known.
        tilt_deg, tilt_low_deg, tilt_high_deg, azimuth_deg, area_m2, rms_m, largest_m, points: see
            :class:`image_to_3d.core.surfaces.inspection.PlaneReport`.
        scale_state, scale_sd: of the lengths.
    """

    outline: CollectionProperty(type=Corner)
    cells: StringProperty()
    normal: FloatVectorProperty(size=3)
    offset: FloatProperty()
    turn_deg: FloatProperty(default=-1.0)
    has_tilt: BoolProperty()
    has_azimuth: BoolProperty()
    tilt_deg: FloatProperty()
    tilt_low_deg: FloatProperty()
    tilt_high_deg: FloatProperty()
    azimuth_deg: FloatProperty()
    area_m2: FloatProperty()
    rms_m: FloatProperty()
    largest_m: FloatProperty()
    points: IntProperty()
    scale_state: StringProperty()
    scale_sd: FloatProperty()


heat_map_changed: list[Callable[[bpy.types.Object], None]] = []
"""Called with the root whose colours are to be others; the heat map adds itself while it is registered."""
heading_changed: list[Callable[[bpy.types.Object], None]] = []
"""Called with the root whose compass direction is another; the reports add themselves."""


def _on_heat_map(inspection: Inspection, _: bpy.types.Context) -> None:
    for function in heat_map_changed:
        function(inspection.id_data)


def _on_heading(inspection: Inspection, _: bpy.types.Context) -> None:
    for function in heading_changed:
        function(inspection.id_data)


class Inspection(bpy.types.PropertyGroup):
    """The plane reports of a photo."""

    planes: CollectionProperty(type=PlaneEntry)
    active: IntProperty()
    north_by_hand: BoolProperty(
        name="North by Hand",
        description="Type the compass direction of the view instead of taking it from the photo",
        update=_on_heading,
    )
    heading: FloatProperty(
        name="View Direction",
        description="Compass direction in which the photo's camera looks, clockwise from north",
        subtype="ANGLE",
        min=0.0,
        max=math.tau,
        update=_on_heading,
    )
    heat_map: BoolProperty(
        name="Deviation",
        description="Colour the points of the reported planes by their distance from the plane",
        update=_on_heat_map,
    )
    heat_range: FloatProperty(
        name="Range",
        description="Distance from the plane at which the colours end. 0: three times the RMS of each plane",
        subtype="DISTANCE",
        min=0.0,
        soft_max=0.1,
        precision=4,
        update=_on_heat_map,
    )


CLASSES = (Corner, PlaneEntry, Inspection)
