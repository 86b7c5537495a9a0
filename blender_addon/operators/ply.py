"""File › Import and Export of Gaussian splats, and dropping such files into a viewport."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from image_to_3d.core import ImageTo3DError

from .. import ply_files, session


class IMAGE_TO_3D_OT_import_ply(bpy.types.Operator, ImportHelper):
    """Load PLY files of 3D Gaussians as point clouds that can also be shown as splats"""

    bl_idname = "image_to_3d.import_ply"
    bl_label = "Import Gaussian Splats"
    bl_options = {"REGISTER"}  # the objects come later, with an undo step of their own

    filename_ext = ".ply"
    filter_glob: StringProperty(default="*.ply", options={"HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Files that were dropped are loaded at once, else the file browser opens."""
        if self.directory and any(file.name for file in self.files):
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the files and return; the timer does the rest."""
        names = [file.name for file in self.files if file.name]
        paths = [Path(self.directory) / name for name in names] or [Path(self.filepath)]
        session.current().failure = None
        for path in paths:
            ply_files.load(context, path)
        session.start_timer()
        return {"FINISHED"}


class IMAGE_TO_3D_OT_export_ply(bpy.types.Operator, ExportHelper):
    """Save the selected photo's points as a PLY of 3D Gaussians that splat viewers read"""

    bl_idname = "image_to_3d.export_ply"
    bl_label = "Export Gaussian Splats"
    bl_options = {"REGISTER"}

    filename_ext = ".ply"
    filter_glob: StringProperty(default="*.ply", options={"HIDDEN"})
    apply_transform: BoolProperty(
        name="Apply Transform",
        description="As the points stand in the scene, rather than as the photo's camera sees them",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object made from a photo or a PLY file."""
        return session.shown_root(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the points and return; the file is written meanwhile."""
        session.current().failure = None
        try:
            ply_files.save(context, session.shown_root(context), Path(self.filepath), self.apply_transform)
        except ImageTo3DError as error:
            return session.refuse(self, error)
        session.start_timer()
        return {"FINISHED"}


class IMAGE_TO_3D_FH_ply(bpy.types.FileHandler):
    """Dropping PLY files into a 3D viewport; Blender asks which importer where several take them."""

    bl_idname = "IMAGE_TO_3D_FH_ply"
    bl_label = "Gaussian Splats"
    bl_import_operator = IMAGE_TO_3D_OT_import_ply.bl_idname
    bl_file_extensions = ".ply"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """In 3D viewports and the outliner."""
        return context.area is not None and context.area.type in {"VIEW_3D", "OUTLINER"}


CLASSES = (IMAGE_TO_3D_OT_import_ply, IMAGE_TO_3D_OT_export_ply, IMAGE_TO_3D_FH_ply)
