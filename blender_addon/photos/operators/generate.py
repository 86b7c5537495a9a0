"""The main button, and how to press it again for what it made."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import ErrorCode, ImageTo3DError

from ...runtime.objects import of
from ...scene import recipe as recipes
from ...scene.active import shown_root
from ...scene.roles import has_photo
from ...ui.reporting import refuse
from ..queue import PhotoQueue


class IMAGE_TO_3D_OT_generate(bpy.types.Operator):
    """Turn the chosen photo into a point cloud in metres with a camera that matches it"""

    bl_idname = "image_to_3d.generate"
    bl_label = "Image to 3D"
    bl_options = {"REGISTER"}  # no undo step here: the scene changes later, and then it becomes one

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """While a photo is under way, others wait behind it."""
        return context.scene is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Submit and return; the timer does the rest."""
        try:
            of(PhotoQueue).generate(context, context.scene.image_to_3d.recipe)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_update(bpy.types.Operator):
    """Make the selected photo anew with its settings below; its objects stay where they are and keep their materials"""

    bl_idname = "image_to_3d.update"
    bl_label = "Update"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object made from a photo."""
        root = shown_root(context)
        return root is not None and has_photo(root)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Submit and return; the timer does the rest."""
        root = shown_root(context)
        try:
            check_photo(root)
            of(PhotoQueue).generate(context, root.image_to_3d.recipe, root.name)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


def check_photo(root: bpy.types.Object) -> None:
    """See that the files that a root was made from are still there.

    Raises:
        ImageTo3DError: ``image_unreadable``, with where one was.
    """
    recipe = root.image_to_3d.recipe
    files = [
        (n_("photo"), recipe.photo_path if recipe.source == "FILE" else ""),
        (n_("depth file"), recipe.depth_path),
    ]
    for what, stored in files:
        if stored and not Path(bpy.path.abspath(stored)).is_file():
            raise ImageTo3DError(
                ErrorCode.IMAGE_UNREADABLE,
                "photos.file_moved",
                what=what,
                root_name=root.name,
                abspath=bpy.path.abspath(stored),
            )


class IMAGE_TO_3D_OT_edit_recipe(bpy.types.Operator):
    """Take the settings of the selected photo object back into the panel, to change them and run again"""

    bl_idname = "image_to_3d.edit_recipe"
    bl_label = "Edit Settings"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object made from a photo."""
        return shown_root(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy the recipe."""
        stored = recipes.values(shown_root(context).image_to_3d.recipe)
        recipes.set_recipe(context.scene.image_to_3d.recipe, stored)
        return {"FINISHED"}


CLASSES = (IMAGE_TO_3D_OT_generate, IMAGE_TO_3D_OT_update, IMAGE_TO_3D_OT_edit_recipe)
