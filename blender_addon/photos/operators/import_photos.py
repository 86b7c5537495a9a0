"""The same button in other places: File › Import, and the image that an Image Editor shows."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import CollectionProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from image_to_3d.core import ImageTo3DError
from image_to_3d.file_kinds import PHOTOS, file_filter, suffixes

from ...runtime.objects import of
from ...scene import recipe as recipes
from ...scene.properties import Recipe
from ...ui.reporting import refuse
from ..queue import PhotoQueue
from .generate import IMAGE_TO_3D_OT_generate


class IMAGE_TO_3D_OT_import_photo(bpy.types.Operator, ImportHelper):
    """Turn photos into point clouds in metres, with the settings of the sidebar, one after the other"""

    bl_idname = "image_to_3d.import_photo"
    bl_label = "Image to 3D"
    bl_options = {"REGISTER"}

    filter_glob: StringProperty(default=file_filter(PHOTOS), options={"HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """As for the button."""
        return IMAGE_TO_3D_OT_generate.poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Photos that were dropped are taken at once, else the file browser opens."""
        if self.directory and any(file.name for file in self.files):
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose the first photo in the panel, as if by hand, and queue all of them."""
        names = [file.name for file in self.files if file.name]
        paths = [Path(self.directory) / name for name in names] or [Path(self.filepath)]
        recipe = context.scene.image_to_3d.recipe
        chosen = Path(bpy.path.abspath(recipe.photo_path)) if recipe.source == "FILE" and recipe.photo_path else None
        try:
            if paths == [chosen]:  # with its depth file and mask
                of(PhotoQueue).generate(context, recipe)
            else:
                jobs = [of(PhotoQueue).generate(context, recipe, photo=path) for path in paths]
                recipes.set_recipe(recipe, jobs[0].recipe)
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_generate_shown(bpy.types.Operator):
    """Turn the image that this editor shows into a point cloud in metres"""

    bl_idname = "image_to_3d.generate_shown"
    bl_label = "Image to 3D"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an image on show."""
        shown = getattr(context.space_data, "image", None)
        return isinstance(shown, bpy.types.Image)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose the image and press the button."""
        recipe, image = context.scene.image_to_3d.recipe, context.space_data.image
        if not _is_chosen(recipe, image):
            recipes.set_recipe(recipe, recipes.for_another_photo(recipes.values(recipe)))
        recipe.source, recipe.image = "IMAGE", image
        return bpy.ops.image_to_3d.generate()


def _is_chosen(recipe: Recipe, image: bpy.types.Image) -> bool:
    """Whether an image is the photo of a recipe, or of the same file."""
    if recipe.source == "IMAGE":
        return recipe.image == image
    if not recipe.photo_path or not image.filepath:
        return False
    file = Path(bpy.path.abspath(image.filepath, library=image.library))
    return file == Path(bpy.path.abspath(recipe.photo_path))


class IMAGE_TO_3D_FH_photo(bpy.types.FileHandler):
    """Dropping photos; Blender asks which handler where several take them."""

    bl_idname = "IMAGE_TO_3D_FH_photo"
    bl_label = "Image to 3D"
    bl_import_operator = IMAGE_TO_3D_OT_import_photo.bl_idname
    bl_file_extensions = ";".join(suffixes(PHOTOS))

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """In 3D viewports and the outliner."""
        return context.area is not None and context.area.type in {"VIEW_3D", "OUTLINER"}


CLASSES = (IMAGE_TO_3D_OT_import_photo, IMAGE_TO_3D_OT_generate_shown, IMAGE_TO_3D_FH_photo)


def _draw_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator("image_to_3d.import_photo", text="Image to 3D (photo)")


def on_register() -> None:
    """Put it into *File › Import*."""
    bpy.types.TOPBAR_MT_file_import.append(_draw_menu)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    bpy.types.TOPBAR_MT_file_import.remove(_draw_menu)
