"""Photos on their way: stopping them, taking them out, trying them again."""

from __future__ import annotations

import bpy
from bpy.props import IntProperty

from image_to_3d.core import ImageTo3DError

from ...runtime.objects import of
from ...ui.reporting import redraw, refuse
from ..queue import PhotoQueue


class IMAGE_TO_3D_OT_cancel(bpy.types.Operator):
    """Stop the photo that is being processed; the next one in the queue takes its place"""

    bl_idname = "image_to_3d.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while something runs."""
        return of(PhotoQueue).job is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Give the job up."""
        of(PhotoQueue).cancel()
        redraw()
        return {"FINISHED"}


class IMAGE_TO_3D_OT_cancel_all(bpy.types.Operator):
    """Stop the photo that is being processed and empty the queue"""

    bl_idname = "image_to_3d.cancel_all"
    bl_label = "Cancel All"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while something runs or waits."""
        return of(PhotoQueue).job is not None or bool(of(PhotoQueue).waiting)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Give all jobs up."""
        of(PhotoQueue).cancel_all()
        redraw()
        return {"FINISHED"}


class _OnJob(bpy.types.Operator):
    bl_options = {"INTERNAL"}

    number: IntProperty(options={"HIDDEN", "SKIP_SAVE"})


class IMAGE_TO_3D_OT_remove_job(_OnJob):
    """Take this photo out of the queue"""

    bl_idname = "image_to_3d.remove_job"
    bl_label = "Remove from Queue"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget the job."""
        of(PhotoQueue).remove(self.number)
        redraw()
        return {"FINISHED"}


class IMAGE_TO_3D_OT_retry_job(_OnJob):
    """Try this photo once more, with the settings it had"""

    bl_idname = "image_to_3d.retry_job"
    bl_label = "Try Again"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue it again."""
        try:
            of(PhotoQueue).retry(self.number)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


CLASSES = (
    IMAGE_TO_3D_OT_cancel,
    IMAGE_TO_3D_OT_cancel_all,
    IMAGE_TO_3D_OT_remove_job,
    IMAGE_TO_3D_OT_retry_job,
)
