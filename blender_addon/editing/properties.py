"""What editing stores in the .blend file, on the root of a photo. A change acts at once, and Update keeps it."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty

from ..scene import edits


def _on_filter(settings: Editing, _: bpy.types.Context) -> None:
    if settings.id_data.image_to_3d.role == "ROOT":
        edits.apply(settings.id_data)


def _on_crop(settings: Editing, _: bpy.types.Context) -> None:
    if settings.id_data.image_to_3d.role == "ROOT":
        edits.show(settings.id_data)


class Editing(bpy.types.PropertyGroup):
    """What is left out of a photo.

    Attributes:
        removed: number of points that are left out, those outside the crop box not counted.
    """

    crop_box: PointerProperty(
        name="Crop Box",
        description="Only what lies in this object's box is shown: from −1 to 1 along its own axes",
        type=bpy.types.Object,
        update=_on_crop,
    )
    crop_inside: BoolProperty(
        name="Remove Inside", description="Leave out what lies in the box instead", default=False, update=_on_crop
    )
    opacity_min: FloatProperty(
        name="Opacity",
        description="Leave out points that are more transparent than this",
        subtype="FACTOR",
        default=0.0,
        min=0.0,
        max=1.0,
        update=_on_filter,
    )
    size_max: FloatProperty(
        name="Size",
        description="Leave out points that are larger than this along their longest axis (standard deviation). 0: no limit",
        subtype="DISTANCE",
        default=0.0,
        min=0.0,
        precision=4,
        update=_on_filter,
    )
    neighbours: IntProperty(
        name="Neighbours",
        description="A point with fewer others around it is isolated",
        default=10,
        min=1,
        soft_max=100,
    )
    distance_max: FloatProperty(
        name="Distance",
        description="Leave out what is farther away from where the photo was taken. 0: no limit",
        subtype="DISTANCE",
        default=0.0,
        min=0.0,
        update=_on_filter,
    )
    hide_sky: BoolProperty(
        name="Hide Sky",
        description="Leave out what is above the horizon and far behind everything else there: sky, and views through windows",
        default=False,
        update=_on_filter,
    )
    removed: IntProperty()
