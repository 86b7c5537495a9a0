"""The buttons of levelling: by what the picture shows, by three clicked points, and back."""

from __future__ import annotations

import bpy
import numpy as np
from bpy.props import BoolProperty, FloatVectorProperty

from image_to_3d.core.lengths.anchors import anchor
from image_to_3d.core.lengths.reapply import LevelRequest, level_as_requested

from ...scene.active import shown_or_only_root
from .. import stored_cloud
from ..analysis import Analysis
from ..on_photo import OnPhoto, later
from ..picking import PicksPoints
from . import logic


class IMAGE_TO_3D_OT_level(OnPhoto, bpy.types.Operator):
    """Stand the photo on its floor: the floor becomes z = 0, walls become upright, and the camera goes with it"""

    bl_idname = "image_to_3d.level"
    bl_label = "Level to Floor"

    align: BoolProperty(
        name="Wall Along Axis",
        description="Turn the largest wall by the least angle until it lies along X or Y",
        default=False,
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look for floor and walls; the timer does the rest."""
        request = LevelRequest("FLOOR", self.align)

        def work(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
            logic.apply(root, level_as_requested(found.grid, request, found.metric, found.plumb, found.planes))

        return later(self, context, work, "Level to Floor")


class IMAGE_TO_3D_OT_level_points(OnPhoto, PicksPoints, bpy.types.Operator):
    """Click three points of the floor, far apart: the floor becomes z = 0, and the camera goes with it"""

    bl_idname = "image_to_3d.level_points"
    bl_label = "Level by Three Points"

    POINTS = 3

    points: FloatVectorProperty(name="Points", description="Three places on the floor, world", size=9)
    align: BoolProperty(
        name="Wall Along Axis",
        description="Turn the largest wall by the least angle until it lies along X or Y",
        default=False,
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Level by the points; the timer does the rest."""
        context.view_layer.update()
        places = stored_cloud.to_camera_frame(shown_or_only_root(context), np.reshape(self.points, (3, 3)))
        align = self.align

        def work(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
            request = LevelRequest("POINTS", align, tuple(anchor(found.grid, place) for place in places))
            logic.apply(
                root, level_as_requested(found.grid, request, found.metric, found.plumb, found.planes), request.points
            )

        return later(self, context, work, "Level by Three Points")


class IMAGE_TO_3D_OT_unlevel(bpy.types.Operator):
    """Turn the photo back to how it stood before it was levelled"""

    bl_idname = "image_to_3d.unlevel"
    bl_label = "Remove Levelling"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a levelled photo."""
        root = shown_or_only_root(context)
        return root is not None and root.image_to_3d.levelling.levelled

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.view_layer.update()
        logic.remove(shown_or_only_root(context))
        return {"FINISHED"}


CLASSES = (IMAGE_TO_3D_OT_level, IMAGE_TO_3D_OT_level_points, IMAGE_TO_3D_OT_unlevel)
