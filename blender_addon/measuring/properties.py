"""What measuring stores in the .blend file, on the root of a photo.

Nobody edits these values by hand: operators write them, so they have no names for people.
"""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    PointerProperty,
    StringProperty,
)


class Anchor(bpy.types.PropertyGroup):
    """A place in the photo that is found again when the photo is made anew.

    Attributes:
        uv, relative_depth, lift: see :class:`image_to_3d.core.lengths.anchors.Anchor`.
    """

    uv: FloatVectorProperty(size=2)
    relative_depth: FloatProperty()
    lift: FloatProperty(default=1.0)


class KnownLength(bpy.types.PropertyGroup):
    """A true length between two places in the photo.

    Attributes:
        metres: true length.
        residual_m: true − calibrated length, metres.
        start, end: the places.
    """

    metres: FloatProperty()
    residual_m: FloatProperty()
    start: PointerProperty(type=Anchor)
    end: PointerProperty(type=Anchor)


class Calibration(bpy.types.PropertyGroup):
    """How known lengths correct the scale of a photo.

    Attributes:
        calibrated: whether they do.
        known: the lengths.
        factor: scale of the root that makes its metres true.
        bend: what has been added to the engine's inverse depth, before the factor, 1/m; 0 for engines with metres of their own.
        relative_sd: relative standard deviation of the scale.
        lateral_share: share of the known lengths that lies across the line of sight.
        field: what the known lengths tell about the error of the depth, as JSON of numbers of
            :class:`~image_to_3d.core.lengths.error_field.KnownDistance`; empty where nothing is known of that error.
    """

    calibrated: BoolProperty()
    known: CollectionProperty(type=KnownLength)
    factor: FloatProperty(default=1.0)
    bend: FloatProperty()
    relative_sd: FloatProperty()
    lateral_share: FloatProperty()
    field: StringProperty()


class Levelling(bpy.types.PropertyGroup):
    """How a root was levelled, and how it was turned before.

    Attributes:
        levelled: whether it was.
        method: by what the picture shows, or by three points picked on the floor.
        aligned: whether a wall was turned to face along an axis.
        pitch_deg, roll_deg: of the camera, positive looking up and turned clockwise.
        sd_deg: standard deviation of the vertical.
        camera_height_m: above the floor, metres of the engine.
        points: the three points.
        rotation_before, rotation_after: of the root in the world, quaternions.
        height_before: of the root in the world, Blender units.
    """

    levelled: BoolProperty()
    method: EnumProperty(items=[("FLOOR", "", ""), ("POINTS", "", "")])
    aligned: BoolProperty()
    pitch_deg: FloatProperty()
    roll_deg: FloatProperty()
    sd_deg: FloatProperty()
    camera_height_m: FloatProperty()
    points: CollectionProperty(type=Anchor)
    rotation_before: FloatVectorProperty(size=4, default=(1, 0, 0, 0))
    rotation_after: FloatVectorProperty(size=4, default=(1, 0, 0, 0))
    height_before: FloatProperty()


CLASSES = (Anchor, KnownLength, Calibration, Levelling)
