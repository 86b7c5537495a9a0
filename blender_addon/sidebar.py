"""The sidebar tab."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_

from image_to_3d.catalogue import better_engine
from image_to_3d.core import ErrorCode

from .backend import recovery
from .backend.connection import Connection
from .backend.panel import draw_notice
from .backend.recovery_widgets import draw_buttons, draw_failure
from .measuring import accuracy
from .measuring.scale import metres_text
from .photos import engine_widgets, photo_widgets, queue_widgets
from .photos.operators.generate import IMAGE_TO_3D_OT_generate
from .photos.queue import PhotoQueue
from .runtime.notices import Notices
from .runtime.objects import of
from .runtime.workers import Workers
from .scene import display
from .scene.active import shown_root
from .scene.properties import Recipe
from .scene.roles import has_photo
from .ui.widgets import Sidebar, fact, lines, warn


class IMAGE_TO_3D_PT_main(Sidebar, bpy.types.Panel):
    """Photo, button, progress."""

    bl_label = "Image to 3D"
    bl_idname = "IMAGE_TO_3D_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        recipe = context.scene.image_to_3d.recipe
        notices = of(Notices)
        there = photo_widgets.draw(layout, context, recipe)
        layout.separator()
        _draw_button(layout, IMAGE_TO_3D_OT_generate.bl_idname)
        layout.operator("image_to_3d.depth_map", icon="IMAGE_DATA")
        if of(Workers).title:
            lines(layout, context, of(Workers).title, "SORTTIME")
        if notices.text:
            lines(layout, context, notices.text, "CHECKMARK")
        for failure in notices.failures:
            if there or getattr(failure, "code", None) != ErrorCode.IMAGE_UNREADABLE:  # else it is said at the photo
                draw_failure(layout, context, failure)
        draw_notice(layout, context)


class IMAGE_TO_3D_PT_image_editor(bpy.types.Panel):
    """The button for the image on show, and what there is to know before it is pressed."""

    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Image to 3D"
    bl_label = "Image to 3D"
    bl_idname = "IMAGE_TO_3D_PT_image_editor"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        recipe = context.scene.image_to_3d.recipe
        _draw_button(layout, "image_to_3d.generate_shown")
        for failure in of(Notices).failures:
            draw_failure(layout, context, failure)
        draw_notice(layout, context)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        if context.space_data.image is not None:
            photo_widgets.draw_focal(column, context, recipe, context.space_data.image)
        engine_widgets.draw(column, context, recipe)


def _draw_button(layout: bpy.types.UILayout, operator: str) -> None:
    """The button, and below it what is under way."""
    row = layout.row()
    row.scale_y = 1.8
    if of(PhotoQueue).job is None:
        row.operator(operator, icon="OUTLINER_OB_POINTCLOUD")
    else:
        row.operator(operator, text="Add to Queue", icon="ADD")
    queue_widgets.draw(layout)


class IMAGE_TO_3D_PT_settings(Sidebar, bpy.types.Panel):
    """Focal length, depth file, engine."""

    bl_label = "Settings"
    bl_idname = "IMAGE_TO_3D_PT_settings"
    bl_parent_id = "IMAGE_TO_3D_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_settings(layout, context, context.scene.image_to_3d.recipe)


def _draw_settings(layout: bpy.types.UILayout, context: bpy.types.Context, recipe: Recipe, root: str = "") -> None:
    photo_widgets.draw_focal(layout, context, recipe)
    photo_widgets.draw_depth(layout, context, recipe, root)
    engine_widgets.draw(layout, context, recipe)
    column = layout.column(align=True)
    column.prop(recipe, "density")
    column.prop(recipe, "depth_max")
    column.prop(recipe, "surface_vertices")
    layout.prop(recipe, "fill")
    layout.template_ID(recipe, "mask", new="image.new", open="image.open", text="Mask")
    layout.prop(recipe, "match_colours")


class IMAGE_TO_3D_PT_result(Sidebar, bpy.types.Panel):
    """What the selected photo became."""

    bl_label = "Result"
    bl_idname = "IMAGE_TO_3D_PT_result"
    bl_parent_id = "IMAGE_TO_3D_PT_main"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return shown_root(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        root = shown_root(context)
        outcome = root.image_to_3d.outcome
        column = layout.column(align=True)
        column.label(text=root.name, icon="OUTLINER_OB_POINTCLOUD", translate=False)
        fact(column, "Points", f"{outcome.points:,}")
        size = root.matrix_world.median_scale
        fact(column, "Extent", _product([metres_text(context, size * metres) for metres in outcome.extent]))
        if outcome.size[0]:
            fact(column, "Photo", f"{outcome.size[0]} × {outcome.size[1]} px")
        if outcome.mm35:
            source = iface_(photo_widgets.FOCAL_SOURCES.get(outcome.focal_source, n_("source unknown")))
            fact(column, "Focal", f"{outcome.mm35:.1f} mm ({source})")
        fact(column, "Engine", f"{outcome.engine}, {outcome.seconds:.1f} s")
        accuracy.draw(layout, context, root)
        for warning in outcome.warnings.splitlines():
            warn(layout, context, warning)
        _offer_better_engine(layout, outcome.engine)
        layout.row().prop(root.image_to_3d, "display", expand=True)
        layout.prop(root.image_to_3d, "viewport_share", slider=True)
        if root.image_to_3d.viewport_share < 1.0 and display.drawn_by_software():
            lines(layout, context, n_("No graphics card draws this window, so it shows fewer points."), "INFO")
        if outcome.invented:
            layout.row(heading="Filled").prop(root.image_to_3d, "filled", expand=True)
        layout.operator("image_to_3d.export_splats", text="Export…", icon="EXPORT")
        row = layout.row()
        row.operator("image_to_3d.update", icon="FILE_REFRESH")
        row.operator("image_to_3d.view_from_photo", icon="CAMERA_DATA")


class IMAGE_TO_3D_PT_recipe(Sidebar, bpy.types.Panel):
    """What the selected photo was made with; *Update* makes it anew."""

    bl_label = "Settings of This Photo"
    bl_idname = "IMAGE_TO_3D_PT_recipe"
    bl_parent_id = "IMAGE_TO_3D_PT_result"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        root = shown_root(context)
        return root is not None and has_photo(root)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        root = shown_root(context)
        recipe = root.image_to_3d.recipe
        photo_widgets.draw(layout, context, recipe, root.name)
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_settings(layout, context, recipe, root.name)
        layout.operator("image_to_3d.edit_recipe", text="Copy to New Photo", icon="COPYDOWN")


def _offer_better_engine(layout: bpy.types.UILayout, engine: str) -> None:
    """The button for what the warning of the built-in engine recommends, where its weights are missing."""
    better, welcome = better_engine(engine), of(Connection).welcome
    if better is None or welcome is None:
        return
    if any(state.name == better.name and recovery.can_fetch(state) for state in welcome.engines):
        draw_buttons(layout, (recovery.weights(better.name),))


def _product(lengths: list[str]) -> str:
    """Lengths side by side; a unit that all share is written once, or the narrow sidebar would cut the last one off."""
    parts = [text.split(" ") for text in lengths]
    if {(len(part), part[-1]) for part in parts} == {(2, parts[0][-1])}:
        return " × ".join(number for number, _ in parts) + f" {parts[0][-1]}"
    return " × ".join(lengths)


CLASSES = (
    IMAGE_TO_3D_PT_main,
    IMAGE_TO_3D_PT_image_editor,
    IMAGE_TO_3D_PT_result,  # above the settings of the next photo, so that it is seen without scrolling
    IMAGE_TO_3D_PT_recipe,
    IMAGE_TO_3D_PT_settings,
)
