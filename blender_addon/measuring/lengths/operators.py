"""The buttons of lengths: the room's dimensions, single ones, the laser."""

from __future__ import annotations

import bmesh
import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, FloatVectorProperty
from mathutils import Vector

from ...scene.active import shown_or_only_root
from ..analysis import Analysis
from ..on_photo import OnPhoto, later
from ..picking import PicksPoints
from . import dimension_objects, dimensions, laser


def chosen_places(context: bpy.types.Context) -> list[Vector]:
    """World coordinates of the selected vertices in edit mode, else of the selected objects that are no part of a photo.

    Empties and other objects count by their origin.
    """
    obj = context.object
    if obj is not None and obj.mode == "EDIT" and obj.type == "MESH":
        mesh = bmesh.from_edit_mesh(obj.data)
        selected = [v.co.copy() for v in mesh.verts if v.select]
        return [obj.matrix_world @ co for co in selected] if len(selected) <= 2 else []
    return [o.matrix_world.translation.copy() for o in context.selected_objects if o.image_to_3d.role == "NONE"]


class IMAGE_TO_3D_OT_measure_room(OnPhoto, bpy.types.Operator):
    """Show the height of the room, the distances between its walls and how much of them is visible"""

    bl_idname = "image_to_3d.measure_room"
    bl_label = "Measure Room"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for the planes and return; the dimensions come when they are found."""
        return later(self, context, dimensions.measure_room, "Measure Room")


class IMAGE_TO_3D_OT_measure_length(OnPhoto, PicksPoints, bpy.types.Operator):
    """Show the length between two places: two selected vertices in Edit Mode, two selected empties, or two clicks on the surface"""

    bl_idname = "image_to_3d.measure_length"
    bl_label = "Add Dimension"

    POINTS = 2

    points: FloatVectorProperty(name="Points", description="Both ends, world", size=6, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Two chosen places are taken at once; otherwise they are clicked."""
        if len(chosen_places(context)) == 2:
            return self.execute(context)
        return PicksPoints.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Measure between the places given, else between those chosen."""
        if self.properties.is_property_set("points"):
            places = np.reshape(self.points, (2, 3))
        else:
            places = np.array(chosen_places(context)).reshape(-1, 3)
        if len(places) != 2:
            self.report({"WARNING"}, "Choose two places: two vertices in Edit Mode, or two empties.")
            return {"CANCELLED"}

        def work(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
            dimensions.measure_length(root, scene, found, places)

        return later(self, context, work, "Add Dimension")


class IMAGE_TO_3D_OT_refresh_dimensions(OnPhoto, bpy.types.Operator):
    """Measure all dimensions of this photo anew, with its points, scale and units as they are now"""

    bl_idname = "image_to_3d.refresh_dimensions"
    bl_label = "Update Dimensions"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for the planes and return."""
        return later(self, context, dimensions.remeasure, "Update Dimensions")


class IMAGE_TO_3D_OT_remove_dimensions(OnPhoto, bpy.types.Operator):
    """Delete the dimensions of this photo: those selected, or all if none is"""

    bl_idname = "image_to_3d.remove_dimensions"
    bl_label = "Remove Dimensions"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        every = list(dimension_objects.of(shown_or_only_root(context)))
        for obj in [o for o in every if o.select_get()] or every:
            dimension_objects.remove(obj)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_laser(OnPhoto, PicksPoints, bpy.types.Operator):
    """Click a surface: shows the clear distance to what stands opposite, along its normal and along the axes of the room"""

    bl_idname = "image_to_3d.laser"
    bl_label = "Laser Measure"

    points: FloatVectorProperty(
        name="Points", description="Where the laser stands, world", size=3, options={"SKIP_SAVE"}
    )
    directions: EnumProperty(
        name="Directions",
        items=[
            ("BOTH", "Normal and Axes", "Along the normal of the surface and along the axes of the levelled room"),
            ("NORMAL", "Normal", "Along the normal of the surface"),
            ("AXES", "Axes", "Along the axes of the levelled room"),
        ],
    )
    keep: BoolProperty(
        name="Keep Earlier", description="Keep the lines of earlier clicks. Shift while clicking does so as well"
    )

    def picked(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Shift keeps the earlier lines."""
        self.keep = self.keep or event.shift
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        place, directions, keep = np.array(self.points), self.directions, self.keep

        def work(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
            laser.shoot(root, scene, found, place, directions, keep)

        return later(self, context, work, "Laser Measure")


CLASSES = (
    IMAGE_TO_3D_OT_measure_room,
    IMAGE_TO_3D_OT_measure_length,
    IMAGE_TO_3D_OT_refresh_dimensions,
    IMAGE_TO_3D_OT_remove_dimensions,
    IMAGE_TO_3D_OT_laser,
)
