"""The photo of a recipe as the sidebar shows it: chooser, small picture, whether it is there, focal length with its source."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import FocalLength, Intrinsics
from image_to_3d.core.cameras.intrinsics import focal_from_fov, focal_from_mm35
from image_to_3d.core.imaging.photo_header import PhotoHead
from image_to_3d.file_kinds import PHOTOS, kind_of

from ..scene.properties import Recipe
from ..ui.widgets import lines, warn
from . import info

_ICON_SCALE = 5.0
_PICTURE_SHARE = 0.42
"""Of the sidebar's width; what is known of the photo stands beside it."""

FOCAL_SOURCES = {
    "exif35": n_("from photo"),
    "exif": n_("from photo"),
    "user": n_("typed in"),
    "vanishing-points": n_("from its lines"),
    "assumed": n_("assumed"),
}
_SOURCES = {
    "exif35": n_("{mm:.1f} mm, {angle:.0f}° wide (from the photo)"),
    "exif": n_("{mm:.1f} mm, {angle:.0f}° wide (estimated from the photo's lens)"),
    "user": n_("{mm:.1f} mm, {angle:.0f}° wide (typed in)"),
    "vanishing-points": n_("{mm:.1f} mm, {angle:.0f}° wide (from its lines)"),
    "assumed": n_("{mm:.1f} mm, {angle:.0f}° wide (assumed)"),
}


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, recipe: Recipe, root: str = "") -> bool:
    """Chooser, small picture with size and focal length beside it, and what is wrong with it.

    Args:
        layout: to draw into.
        context: of the panel.
        recipe: whose photo it is.
        root: name of the root that owns the recipe; empty for the scene's.

    Returns:
        False if it says that there is no such file.
    """
    layout.row().prop(recipe, "source", expand=True)
    if recipe.source == "IMAGE":
        layout.template_ID(recipe, "image", open="image.open")
        if recipe.image is not None:
            preview = recipe.image.preview_ensure()  # Blender draws it later
            _draw_picture(layout, recipe, 0 if preview is None else preview.icon_id)
        return True
    layout.prop(recipe, "photo_path", text="")
    if not recipe.photo_path:
        return True
    path = Path(bpy.path.abspath(recipe.photo_path))
    facts = info.of_path(path)
    if facts is not None and facts.missing:
        _draw_missing(layout, context, path, root, depth=False)
        return False
    kind = kind_of(path, PHOTOS)
    damaged = facts is not None and not facts.head.width and kind is not None and kind.has_header
    if not damaged:
        _draw_picture(layout, recipe, info.icon(path))
    return True


def _draw_picture(layout: bpy.types.UILayout, recipe: Recipe, icon: int) -> None:
    """The icon of a small picture, 0 for none, and what is known of the photo beside it."""
    if icon:
        split = layout.split(factor=_PICTURE_SHARE)
        split.template_icon(icon, scale=_ICON_SCALE)
        column = split.column(align=True)
        column.separator(factor=3.0)  # icons are square, photos lie in the middle of theirs
    else:
        column = layout.column(align=True)
    facts = _facts(recipe)
    if facts is None or not facts.head.width:
        return
    column.label(text=f"{facts.head.width} × {facts.head.height} px", translate=False)
    focal = _chosen(recipe, facts.head)
    text = f"{focal.mm35:.1f} mm ({iface_(FOCAL_SOURCES[focal.source])})"
    column.label(text=text, icon="ERROR" if focal.source == "assumed" else "NONE", translate=False)


def draw_depth(layout: bpy.types.UILayout, context: bpy.types.Context, recipe: Recipe, root: str = "") -> None:
    """The depth file, and whether it is there; arguments as for :func:`draw`."""
    column = layout.column(align=True)
    column.prop(recipe, "depth_path")
    if not recipe.depth_path:
        return
    column.prop(recipe, "resize_depth")
    path = Path(bpy.path.abspath(recipe.depth_path))
    facts = info.of_path(path)
    if facts is not None and facts.missing:
        _draw_missing(layout, context, path, root, depth=True)


def _draw_missing(layout: bpy.types.UILayout, context: bpy.types.Context, path: Path, root: str, depth: bool) -> None:
    template = iface_("There is no depth file {path}.") if depth else iface_("There is no photo {path}.")
    warn(layout, context, template.format(path=path))
    operator = layout.operator(
        "image_to_3d.find_photo", text="Find Depth File…" if depth else "Find Photo…", icon="VIEWZOOM"
    )
    operator.root, operator.depth, operator.filepath = root, depth, str(path)


def draw_focal(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    recipe: Recipe,
    image: bpy.types.Image | None = None,
) -> None:
    """Focal length, its source, and a warning where it is assumed; of ``image``, if given, in place of the recipe's photo."""
    column = layout.column(align=True)
    column.prop(recipe, "focal")
    if recipe.focal == "MM35":
        column.prop(recipe, "mm35", text="mm")
    elif recipe.focal == "FOV":
        column.prop(recipe, "fov", text="Angle")
    facts = _facts(recipe) if image is None else info.of_image(image)
    if facts is None or not facts.head.width:
        return
    focal = _chosen(recipe, facts.head)
    angle = Intrinsics.centred(focal.px, facts.head.width, facts.head.height).horizontal_fov_deg
    text = iface_(_SOURCES[focal.source]).format(mm=focal.mm35, angle=angle)
    column.label(text=text, icon="ERROR" if focal.source == "assumed" else "BLANK1", translate=False)
    if focal.source == "assumed":
        lines(
            layout, context, "The photo does not tell its focal length. Lengths across it depend on it: type it above."
        )


def _facts(recipe: Recipe) -> info.PhotoFacts | None:
    if recipe.source == "IMAGE":
        return None if recipe.image is None else info.of_image(recipe.image)
    return info.of_path(Path(bpy.path.abspath(recipe.photo_path))) if recipe.photo_path else None


def _chosen(recipe: Recipe, head: PhotoHead) -> FocalLength:
    """The focal length that the recipe and the photo give together."""
    if recipe.focal == "MM35":
        return focal_from_mm35(recipe.mm35, head.width, head.height, "user")
    if recipe.focal == "FOV":
        return focal_from_fov(math.degrees(recipe.fov), head.width, head.height)
    assert head.focal is not None
    return head.focal
