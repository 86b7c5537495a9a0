"""Cameras of Blender as camera paths that ``image-to-3d render`` reproduces, and back."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from image_to_3d.blender.camera import camera_from_view
from image_to_3d.blender.points import similarity
from image_to_3d.core import Camera, CameraPath, ErrorCode, ImageTo3DError
from image_to_3d.io.camera_paths import read_camera_path, write_camera_path

from ..scene import camera
from ..scene.active import shown_root
from ..ui.reporting import refuse
from . import keyframes

FRAMES = [
    ("PHOTO", "Photo", "The photo's own frame, as predict and PLY files without Apply Transform have it"),
    ("WORLD", "World", "The scene's frame, as PLY files with Apply Transform have it"),
]


class IMAGE_TO_3D_OT_export_camera_path(bpy.types.Operator, ExportHelper):
    """Save the scene camera's animation as a file that image-to-3d render --trajectory follows exactly"""

    bl_idname = "image_to_3d.export_camera_path"
    bl_label = "Export Camera Path"
    bl_options = {"REGISTER"}

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})
    frame: EnumProperty(name="Relative To", items=FRAMES, default="PHOTO")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene is not None and context.scene.camera is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Go through the frames of the scene and write the file."""
        root = shown_root(context) if self.frame == "PHOTO" else None
        try:
            if root is None and self.frame == "PHOTO":
                raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.no_photo_selected")
            write_camera_path(Path(self.filepath), sample(context, root))
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_import_camera_path(bpy.types.Operator, ImportHelper):
    """Add a camera with keyframes from a camera path, in the frame of the selected photo if there is one"""

    bl_idname = "image_to_3d.import_camera_path"
    bl_label = "Import Camera Path"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})
    frame: EnumProperty(name="Relative To", items=FRAMES, default="PHOTO")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the file and make the camera."""
        root = shown_root(context) if self.frame == "PHOTO" else None
        scene = context.scene
        try:
            path = read_camera_path(Path(self.filepath))
            name = Path(self.filepath).stem
            keyframes.create(scene, name, path, root, scene.unit_settings.scale_length)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


def sample(context: bpy.types.Context, root: bpy.types.Object | None) -> CameraPath:
    """The scene's camera at every frame of its range, whatever moves it; the current frame stays the current one.

    Args:
        context: of the scene; its camera may change on the way, by markers.
        root: of the photo in whose frame the cameras are wanted; None: the world's.

    Raises:
        ImageTo3DError: ``bad_request``: a camera is missing or panoramic, or the root stretches or mirrors.
    """
    scene = context.scene
    now, subframe = scene.frame_current, scene.frame_subframe
    numbers = range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
    if not numbers:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.no_frames")
    manager = context.window_manager
    cameras = []
    manager.progress_begin(0, len(numbers))
    try:
        for done, number in enumerate(numbers):
            scene.frame_set(number)
            cameras.append(current(context, root))
            manager.progress_update(done)
    finally:
        scene.frame_set(now, subframe=subframe)
        manager.progress_end()
    return CameraPath(scene.render.fps / scene.render.fps_base / scene.frame_step, tuple(cameras))


def current(context: bpy.types.Context, root: bpy.types.Object | None) -> Camera:
    """The scene's camera as it is now; arguments and errors as for :func:`sample`."""
    depsgraph = context.evaluated_depsgraph_get()
    scene = depsgraph.scene_eval
    if context.scene.camera is None:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.no_camera")
    view = camera.view_of(context.scene.camera.evaluated_get(depsgraph), scene)
    frame = None
    if root is not None:
        frame = np.array(root.evaluated_get(depsgraph).matrix_world, np.float64)
        similarity(frame)
    try:
        return camera_from_view(view, frame, scene.unit_settings.scale_length)
    except ValueError as error:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "scene.camera_unusable", camera_name=context.scene.camera.name, why=error
        ) from None


CLASSES = (IMAGE_TO_3D_OT_export_camera_path, IMAGE_TO_3D_OT_import_camera_path)
