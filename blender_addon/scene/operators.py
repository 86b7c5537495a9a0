"""Where a photo was taken from."""

from __future__ import annotations

import bpy

from . import camera, roles
from .active import shown_root


class IMAGE_TO_3D_OT_view_from_photo(bpy.types.Operator):
    """Look through the camera of the photo on show: it becomes the scene's camera, and renders get the photo's size"""

    bl_idname = "image_to_3d.view_from_photo"
    bl_label = "From Photo"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a photo that still has its camera."""
        root = shown_root(context)
        return root is not None and roles.camera_of(root) is not None and all(root.image_to_3d.outcome.size)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the camera, then look through it."""
        root = shown_root(context)
        view = roles.camera_of(root)
        camera.match_render(context.scene, view, camera.photo_intrinsics(view, root.image_to_3d.outcome.size))
        space = context.space_data
        if isinstance(space, bpy.types.SpaceView3D):
            if space.use_local_camera:
                space.camera = view
            if space.region_3d.view_perspective != "CAMERA":  # else Blender's operator leaves the camera
                bpy.ops.view3d.view_camera()
        return {"FINISHED"}


CLASSES = (IMAGE_TO_3D_OT_view_from_photo,)
