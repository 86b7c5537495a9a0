"""One click to set a final picture up, one to remove it."""

from __future__ import annotations

import bpy

from image_to_3d.core import ImageTo3DError

from ...ui.reporting import refuse
from . import setup


class IMAGE_TO_3D_OT_set_up_final_picture(bpy.types.Operator):
    """Have F12 render objects and splats into one picture: adds a scene for the splats, shadow catchers and a light"""

    bl_idname = "image_to_3d.set_up_final_picture"
    bl_label = "Set Up Final Picture"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.mode == "OBJECT" and context.scene is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make everything; again after photos were added."""
        try:
            setup.set_up(context.scene)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_remove_final_picture(bpy.types.Operator):
    """Take back everything that Set Up Final Picture has made and changed"""

    bl_idname = "image_to_3d.remove_final_picture"
    bl_label = "Remove Final Picture"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where it was set up."""
        return context.mode == "OBJECT" and context.scene is not None and setup.is_set_up(context.scene)

    def execute(self, context: bpy.types.Context) -> set[str]:
        setup.remove(context.scene)
        return {"FINISHED"}


CLASSES = (
    IMAGE_TO_3D_OT_set_up_final_picture,
    IMAGE_TO_3D_OT_remove_final_picture,
)
