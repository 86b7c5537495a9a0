"""The same button in other places: File › Import, and the image that an Image Editor shows."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ImportHelper

from .. import session
from .generate import IMAGE_TO_3D_OT_generate


class IMAGE_TO_3D_OT_import_photo(bpy.types.Operator, ImportHelper):
    """Turn a photo into a point cloud in metres, with the settings of the sidebar"""

    bl_idname = "image_to_3d.import_photo"
    bl_label = "Image to 3D"
    bl_options = {"REGISTER"}

    filter_glob: StringProperty(
        default="*.jpg;*.jpeg;*.png;*.webp;*.tif;*.tiff;*.bmp;*.heic;*.heif;*.avif", options={"HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """As for the button."""
        return IMAGE_TO_3D_OT_generate.poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose the photo and press the button."""
        recipe = context.scene.image_to_3d.recipe
        recipe.source, recipe.photo_path = "FILE", self.filepath
        return bpy.ops.image_to_3d.generate()


class IMAGE_TO_3D_OT_generate_shown(bpy.types.Operator):
    """Turn the image that this editor shows into a point cloud in metres"""

    bl_idname = "image_to_3d.generate_shown"
    bl_label = "Image to 3D"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an image on show."""
        shown = getattr(context.space_data, "image", None)
        return isinstance(shown, bpy.types.Image) and session.current().job is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose the image and press the button."""
        recipe = context.scene.image_to_3d.recipe
        recipe.source, recipe.image = "IMAGE", context.space_data.image
        return bpy.ops.image_to_3d.generate()


CLASSES = (IMAGE_TO_3D_OT_import_photo, IMAGE_TO_3D_OT_generate_shown)
