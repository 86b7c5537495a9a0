"""Talking to the backend without a photo."""

from __future__ import annotations

import bpy

from image_to_3d.core import ImageTo3DError

from .. import preferences, session


class IMAGE_TO_3D_OT_test_connection(bpy.types.Operator):
    """Ask the backend what it is and what it can do; it is started if it does not run"""

    bl_idname = "image_to_3d.test_connection"
    bl_label = "Test Connection"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask; the answer is shown when it comes."""
        try:
            session.current().test_connection(context)
        except ImageTo3DError as error:
            return session.refuse(self, error)
        session.start_timer()
        return {"FINISHED"}


class IMAGE_TO_3D_OT_stop_backend(bpy.types.Operator):
    """Stop the backend and free its memory; it starts again with the next photo"""

    bl_idname = "image_to_3d.stop_backend"
    bl_label = "Stop Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while connected: stopping must not start one."""
        return session.current().welcome is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tell it to stop."""
        session.current().stop_backend(context)
        session.start_timer()
        return {"FINISHED"}


class IMAGE_TO_3D_OT_copy_public_key(bpy.types.Operator):
    """Copy this computer's public key, which the other computer's backend must be told: image-to-3d authorise KEY"""

    bl_idname = "image_to_3d.copy_public_key"
    bl_label = "Copy Public Key"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it on the clipboard."""
        context.window_manager.clipboard = preferences.own_public_key()
        return {"FINISHED"}


CLASSES = (IMAGE_TO_3D_OT_test_connection, IMAGE_TO_3D_OT_stop_backend, IMAGE_TO_3D_OT_copy_public_key)
