"""A photo or depth file that has moved: say where it is now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from image_to_3d.file_kinds import DEPTHS, PHOTOS, file_filter

from ...runtime.notices import Notices
from ...runtime.objects import of
from ...scene.roles import root_of
from ...ui.reporting import redraw


class IMAGE_TO_3D_OT_find_photo(bpy.types.Operator, ImportHelper):
    """Say where the file is now, so that the photo can be made again"""

    bl_idname = "image_to_3d.find_photo"
    bl_label = "Find Photo"
    bl_options = {"REGISTER", "UNDO"}

    if TYPE_CHECKING:  # of ImportHelper
        filepath: str

    root: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    depth: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the browser in the nearest folder that is still there."""
        self.filter_glob = file_filter(DEPTHS if self.depth else PHOTOS)
        lost = Path(self.filepath)
        folder = next((parent for parent in lost.parents if parent.is_dir()), Path.home())
        self.filepath = str(folder / lost.name)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it into the recipe."""
        if not Path(self.filepath).is_file():
            self.report({"WARNING"}, iface_("There is no file {path}.").format(path=self.filepath))
            return {"CANCELLED"}
        root = root_of(context.scene.objects.get(self.root)) if self.root else None
        if self.root and root is None:
            self.report({"WARNING"}, iface_("The photo is no longer in this scene."))
            return {"CANCELLED"}
        recipe = (context.scene if root is None else root).image_to_3d.recipe
        if self.depth:
            recipe.depth_path = self.filepath
        else:
            recipe.source, recipe.photo_path = "FILE", self.filepath
        of(Notices).begin()
        redraw()
        return {"FINISHED"}


CLASSES = (IMAGE_TO_3D_OT_find_photo,)
