"""File › Import and Export of Gaussian splats, and dropping such files into a viewport."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from image_to_3d.core import ImageTo3DError
from image_to_3d.file_kinds import SPLATS, file_filter, suffixes
from image_to_3d.io.gaussian_files import is_scene

from ..runtime.notices import Notices
from ..runtime.objects import of
from ..scene.active import shown_root
from ..ui.reporting import refuse
from . import files as splat_files


class IMAGE_TO_3D_OT_import_splats(bpy.types.Operator, ImportHelper):
    """Load files of 3D Gaussians as point clouds that can also be shown as splats"""

    bl_idname = "image_to_3d.import_splats"
    bl_label = "Import Gaussian Splats"
    bl_options = {"REGISTER"}  # the objects come later, with an undo step of their own

    filter_glob: StringProperty(default=file_filter(SPLATS), options={"HIDDEN"})
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
        of(Notices).begin()
        for path in paths:
            splat_files.load(context, path)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_export_splats(bpy.types.Operator, ExportHelper):
    """Save the selected photo's points as 3D Gaussians that splat viewers read"""

    bl_idname = "image_to_3d.export_splats"
    bl_label = "Export Gaussian Splats"
    bl_options = {"REGISTER"}

    filter_glob: StringProperty(default=file_filter(SPLATS, writable=True), options={"HIDDEN"})
    kind: EnumProperty(
        name="File",
        items=[(kind.suffixes[0], kind.title, kind.description) for kind in SPLATS if kind.writer],
        default=".ply",
    )
    apply_transform: BoolProperty(
        name="Apply Transform",
        description="As the points stand in the scene, rather than as the photo's camera sees them",
        default=True,
    )

    @property
    def filename_ext(self) -> str:
        """The suffix that the file browser gives."""
        return self.kind

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object made from a photo or a file of Gaussians."""
        return shown_root(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the points and return; the file is written meanwhile."""
        of(Notices).begin()
        path = self.filepath if is_scene(self.filepath) else self.filepath + self.kind
        try:
            splat_files.save(context, shown_root(context), Path(path), self.apply_transform)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_FH_splats(bpy.types.FileHandler):
    """Dropping files of Gaussians into a 3D viewport; Blender asks which importer where several take them."""

    bl_idname = "IMAGE_TO_3D_FH_splats"
    bl_label = "Gaussian Splats"
    bl_import_operator = IMAGE_TO_3D_OT_import_splats.bl_idname
    bl_file_extensions = ";".join(suffixes(SPLATS))

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """In 3D viewports and the outliner."""
        return context.area is not None and context.area.type in {"VIEW_3D", "OUTLINER"}


CLASSES = (IMAGE_TO_3D_OT_import_splats, IMAGE_TO_3D_OT_export_splats, IMAGE_TO_3D_FH_splats)


def _draw_import(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator("image_to_3d.import_splats", text="Gaussian splats (.ply, .splat, .spz)")


def _draw_export(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator("image_to_3d.export_splats", text="Gaussian splats (.ply, .splat, .spz)")


def on_register() -> None:
    """Put them into the File menu."""
    bpy.types.TOPBAR_MT_file_import.append(_draw_import)
    bpy.types.TOPBAR_MT_file_export.append(_draw_export)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    bpy.types.TOPBAR_MT_file_export.remove(_draw_export)
    bpy.types.TOPBAR_MT_file_import.remove(_draw_import)
