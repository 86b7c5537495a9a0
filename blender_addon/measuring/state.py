"""What measuring stores in the .blend file, on the root of a photo."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    PointerProperty,
)


class Anchor(bpy.types.PropertyGroup):
    """A place in the photo that is found again when the photo is made anew, see :class:`image_to_3d.core.anchors.Anchor`."""

    uv: FloatVectorProperty(name="Pixel", size=2)
    relative_depth: FloatProperty(name="Depth over Median Depth")
    lift: FloatProperty(name="Depth over Depth of the Surface", default=1.0)


class KnownLength(bpy.types.PropertyGroup):
    """A true length between two places in the photo."""

    metres: FloatProperty(name="True Length", description="Metres")
    residual_m: FloatProperty(name="Residual", description="True minus calibrated length, metres")
    start: PointerProperty(type=Anchor)
    end: PointerProperty(type=Anchor)


class Calibration(bpy.types.PropertyGroup):
    """How known lengths correct the scale of a photo."""

    calibrated: BoolProperty(name="Calibrated")
    known: CollectionProperty(type=KnownLength)
    factor: FloatProperty(name="Factor", description="Scale of the root that makes its metres true", default=1.0)
    bend: FloatProperty(
        name="Shift of Inverse Depth",
        description="What was added to the engine's inverse depth before the factor, 1/m; 0 for engines with metres of their own",
    )
    relative_sd: FloatProperty(name="Relative Standard Deviation of the Scale")
    lateral_share: FloatProperty(name="Lateral Share of the Known Lengths")


class Levelling(bpy.types.PropertyGroup):
    """How a root was stood on its floor, and how it stood before."""

    levelled: BoolProperty(name="Levelled")
    method: EnumProperty(
        name="By",
        items=[
            ("FLOOR", "Floor and Walls", "Found in the picture"),
            ("POINTS", "Three Points", "Picked on the floor"),
        ],
    )
    aligned: BoolProperty(name="Wall Along Axis")
    pitch_deg: FloatProperty(name="Pitch", description="Of the camera, degrees, positive looking up")
    roll_deg: FloatProperty(name="Roll", description="Of the camera, degrees, positive turned clockwise")
    sd_deg: FloatProperty(name="Standard Deviation of the Vertical", description="Degrees")
    camera_height_m: FloatProperty(name="Camera Height", description="Above the floor, metres of the engine")
    points: CollectionProperty(type=Anchor)
    rotation_before: FloatVectorProperty(name="Rotation Before", size=4, default=(1, 0, 0, 0))
    rotation_after: FloatVectorProperty(name="Rotation After", size=4, default=(1, 0, 0, 0))
    height_before: FloatProperty(name="Height of the Root Before", description="Blender units")


CLASSES = (Anchor, KnownLength, Calibration, Levelling)
