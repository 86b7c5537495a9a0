"""Talking to the backend without a photo."""

from __future__ import annotations

import shlex

import bpy

from image_to_3d.core import ImageTo3DError

from ...backend import settings
from ...runtime.notices import Notices
from ...runtime.objects import of
from ...ui.reporting import refuse
from ..connection import Connection
from ..process import OfflineError


class IMAGE_TO_3D_OT_test_connection(bpy.types.Operator):
    """Ask the backend what it is and what it can do; it is started if it does not run"""

    bl_idname = "image_to_3d.test_connection"
    bl_label = "Test Connection"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask; the answer is shown when it comes."""
        try:
            of(Connection).test(context)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_stop_backend(bpy.types.Operator):
    """Stop the backend and free its memory; it starts again with the next photo"""

    bl_idname = "image_to_3d.stop_backend"
    bl_label = "Stop Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while connected: stopping must not start one."""
        return of(Connection).welcome is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tell it to stop."""
        try:
            of(Connection).stop(context)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_restart_backend(bpy.types.Operator):
    """Stop the backend of this computer, however it stands, and start it again"""

    bl_idname = "image_to_3d.restart_backend"
    bl_label = "Restart Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only the one on this computer."""
        if settings.get(context).location == "REMOTE":
            cls.poll_message_set("The backend is on another computer: restart it there.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin; the answer is shown when it comes."""
        try:
            of(Connection).restart(context)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_allow_online_access(bpy.types.Operator):
    """Let Blender and its extensions use the network; the same switch is in Preferences › System"""

    bl_idname = "image_to_3d.allow_online_access"
    bl_label = "Allow Online Access"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch it on, unless the command line of Blender forbids it."""
        if bpy.app.online_access_override and not bpy.app.online_access:
            return refuse(self, OfflineError("backend.offline_mode"))
        context.preferences.system.use_online_access = True
        of(Notices).begin()
        return {"FINISHED"}


class IMAGE_TO_3D_OT_copy_public_key(bpy.types.Operator):
    """Copy this computer's public key, which the other computer's backend must be told: image-to-3d authorise KEY"""

    bl_idname = "image_to_3d.copy_public_key"
    bl_label = "Copy Public Key"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it on the clipboard."""
        context.window_manager.clipboard = settings.own_public_key()
        return {"FINISHED"}


class IMAGE_TO_3D_OT_copy_authorise_command(bpy.types.Operator):
    """Copy the command that lets this computer in; run it on the computer of the backend"""

    bl_idname = "image_to_3d.copy_authorise_command"
    bl_label = "Copy Command with Key"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it on the clipboard."""
        context.window_manager.clipboard = f"image-to-3d authorise {shlex.quote(settings.own_public_key())}"
        self.report({"INFO"}, "The command is on the clipboard.")
        return {"FINISHED"}


CLASSES = (
    IMAGE_TO_3D_OT_test_connection,
    IMAGE_TO_3D_OT_stop_backend,
    IMAGE_TO_3D_OT_restart_backend,
    IMAGE_TO_3D_OT_allow_online_access,
    IMAGE_TO_3D_OT_copy_public_key,
    IMAGE_TO_3D_OT_copy_authorise_command,
)
