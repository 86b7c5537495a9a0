"""The depth of a photo as a picture: near is bright."""

from __future__ import annotations

import bpy

from image_to_3d.core import ImageTo3DError

from ...runtime.objects import of
from ...ui.reporting import refuse
from ..queue import PhotoQueue


class IMAGE_TO_3D_OT_depth_map(bpy.types.Operator):
    """Make an image of the chosen photo's depth, near is bright. It appears in an Image Editor and in the list of images"""

    bl_idname = "image_to_3d.depth_map"
    bl_label = "Depth Map"
    bl_options = {"REGISTER"}  # the undo step is made when the image is there

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Like the main button, it waits behind what is under way."""
        return context.scene is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Submit and return; the timer does the rest."""
        try:
            of(PhotoQueue).depth_map(context, context.scene.image_to_3d.recipe)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


CLASSES = (IMAGE_TO_3D_OT_depth_map,)
