"""What is stored in the .blend file: the recipe of a photo, and what came of it.

The scene holds the recipe that the panel edits. When a photo arrives its recipe is copied onto its root empty, so that a
reopened file knows how it was made.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from .backend.engine_catalogue import ENGINE_ITEMS
from .editing.properties import Editing
from .measuring import properties as state
from .measuring.lengths import properties as dimension_state
from .measuring.planes import properties as inspection_state
from .rendering.properties import FinalPicture, RenderSettings
from .scene import display, fill_display


class Recipe(bpy.types.PropertyGroup):
    """Everything that decides what a photo becomes."""

    source: EnumProperty(
        name="Photo From",
        items=[
            ("FILE", "File", "A photo on disk"),
            ("IMAGE", "Blender Image", "An image of this file, also an unsaved one"),
        ],
        default="FILE",
    )
    photo_path: StringProperty(name="Photo", description="Photo on disk", subtype="FILE_PATH")
    image: PointerProperty(name="Image", description="Image of this file", type=bpy.types.Image)
    depth_path: StringProperty(
        name="Depth File",
        description="Depth of the same view: 16-bit PNG in millimetres, or EXR, NPZ or NPY in metres. May be empty",
        subtype="FILE_PATH",
    )
    resize_depth: BoolProperty(
        name="Stretch to Photo",
        description="Accept a depth file of another size but the same aspect, as LiDAR phones write it",
        default=False,
    )
    focal: EnumProperty(
        name="Focal Length",
        items=[
            ("PHOTO", "From Photo", "What the camera wrote into the photo, else an assumption"),
            ("MM35", "35 mm Equivalent", "Type the 35 mm equivalent focal length"),
            ("FOV", "Field of View", "Type the horizontal field of view"),
        ],
        default="PHOTO",
    )
    mm35: FloatProperty(
        name="35 mm Equivalent", description="Millimetres", default=26.0, min=1.0, max=2000.0, soft_max=200.0
    )
    fov: FloatProperty(
        name="Field of View",
        description="Horizontal angle of the photo",
        subtype="ANGLE",
        default=math.radians(65),
        min=math.radians(1),
        max=math.radians(175),
    )
    engine: EnumProperty(name="Engine", items=ENGINE_ITEMS, default="auto")
    density: EnumProperty(
        name="Density",
        description="How many points at most. Neighbours are merged, surfaces stay closed",
        items=[
            ("FULL", "Full", "As many points as the engine makes"),
            ("HALF", "Half", "At most 590,000 points, half of what SHARP makes"),
            ("QUARTER", "Quarter", "At most 295,000 points, a quarter of what SHARP makes"),
        ],
        default="FULL",
    )
    depth_max: FloatProperty(
        name="Depth Limit",
        description="Leave out what is farther away from the camera, metres. 0: no limit",
        default=0.0,
        min=0.0,
        soft_max=100.0,
    )
    fill: BoolProperty(
        name="Fill Behind Edges",
        description="Continue the background behind whatever stands in front of it, so that small camera moves show no gaps. "
        "These points are invented; measuring leaves them out",
        default=True,
    )
    mask: PointerProperty(
        name="Mask",
        description="Leave out what is brighter than half in this image, which is stretched over the photo",
        type=bpy.types.Image,
    )
    surface_vertices: IntProperty(
        name="Surface",
        description="At most so many vertices for the surface mesh, which snapping and the Ruler find. 0: no surface",
        default=200_000,
        min=0,
        soft_max=2_000_000,
        step=10_000,
    )
    match_colours: BoolProperty(
        name="Colours of the Photo",
        description="Set the scene's view transform to Standard, so that renders show the photo's colours unchanged",
        default=True,
    )


MAX_GAUSSIANS = {"FULL": None, "HALF": 590_000, "QUARTER": 295_000}
"""Density → most points; SHARP makes 1 179 648."""


class Outcome(bpy.types.PropertyGroup):
    """What a photo became; shown in the panel, or, without a name, for scripts.

    Attributes:
        grid: layers, rows, columns of the picture grid; zeros without one.
        intrinsics: fx, fy, cx, cy in pixels of the photo.
        metres_per_unit: of the scene when it was made.
        invented: how many of the points no photo shows.
        invented_layers: the first such layer of the grid and the one after the last; zeros without.
        inverse_depth: a and b of 1/z = a d + b where relative inverse depth d became metres; zeros elsewhere.
        assumption: what a and b rest on.
        heading_deg: compass direction of the view, clockwise from north, as the photo tells it; negative if it does not.
    """

    points: IntProperty(name="Points")
    extent: FloatVectorProperty(name="Extent", description="Size of the box around 98 % of the points, metres", size=3)
    size: IntVectorProperty(name="Photo Size", size=2)
    focal_px: FloatProperty(name="Focal Length in Pixels")
    mm35: FloatProperty(name="35 mm Equivalent")
    focal_source: StringProperty(name="Source of the Focal Length")
    engine: StringProperty(name="Engine")
    device: StringProperty(name="Device")
    metric: BoolProperty(name="Metric")
    seconds: FloatProperty(name="Seconds")
    warnings: StringProperty(name="Warnings", description="One per line")
    backend_scene: StringProperty(name="Scene on the Backend")
    grid: IntVectorProperty(size=3)
    invented: IntProperty()
    invented_layers: IntVectorProperty(size=2)
    intrinsics: FloatVectorProperty(size=4)
    metres_per_unit: FloatProperty(default=1.0)
    inverse_depth: FloatVectorProperty(size=2)
    assumption: StringProperty()
    heading_deg: FloatProperty(default=-1.0)


def _on_display(settings: ObjectSettings, _: bpy.types.Context) -> None:
    if settings.role == "ROOT":
        display.apply(settings.id_data)


class ObjectSettings(bpy.types.PropertyGroup):
    """Role of an object made from a photo.

    Attributes:
        measured: of a safe zone, the points that it was measured of.
        shown: of a root, the display that visibility was last set for.
    """

    role: EnumProperty(
        name="Role",
        items=[
            ("NONE", "None", "Not made from a photo"),
            ("ROOT", "Root", "Carries the transform of everything made from a photo"),
            ("POINTS", "Points", "Point cloud"),
            ("CAMERA", "Camera", "Camera that matches the photo"),
            ("SURFACE", "Surface", "Mesh of what the photo sees, for snapping and measuring"),
            ("SAFE_ZONE", "Safe Zone", "How far a camera may go before holes appear"),
            ("CROP", "Crop Box", "Only what lies in it is shown"),
            ("DIMENSION", "Dimension", "Two vertices at the ends of a length"),
            ("LABEL", "Label", "Drawn line or text of a dimension"),
            ("CATCHER", "Shadow Catcher", "The surface once more, for shadows in final pictures"),
            ("LIGHT", "Room Light", "Stands for the light in the photo in final pictures"),
        ],
        default="NONE",
    )
    recipe: PointerProperty(type=Recipe)
    outcome: PointerProperty(type=Outcome)
    levelling: PointerProperty(type=state.Levelling)
    calibration: PointerProperty(type=state.Calibration)
    editing: PointerProperty(type=Editing)
    dimension: PointerProperty(type=dimension_state.Dimension)
    inspection: PointerProperty(type=inspection_state.Inspection)
    measured: StringProperty()
    display: EnumProperty(name="Display", items=display.MODES, default="POINTS", update=_on_display)
    shown: StringProperty()
    filled: EnumProperty(
        name="Filled",
        description="Points that no photo shows: the background continued behind depth edges",
        items=fill_display.MODES,
        default="SHOW",
        update=_on_display,
    )
    viewport_share: FloatProperty(
        name="In Viewport",
        description="Share of the points that viewports show. Renders show all",
        subtype="FACTOR",
        default=1.0,
        min=0.01,
        max=1.0,
        update=_on_display,
    )


class SceneSettings(bpy.types.PropertyGroup):
    """What the panel edits, and how final pictures are made."""

    recipe: PointerProperty(type=Recipe)
    render: PointerProperty(type=RenderSettings)
    final: PointerProperty(type=FinalPicture)


def values(group: bpy.types.PropertyGroup) -> dict[str, Any]:
    """The properties of a group as plain values; data-blocks by name, so that they survive undo and file loading."""
    found = {}
    for prop in group.bl_rna.properties:
        if prop.identifier in {"rna_type", "name"}:
            continue
        value = getattr(group, prop.identifier)
        found[prop.identifier] = value.name if isinstance(value, bpy.types.ID) else value
    return found


def set_recipe(recipe: Recipe, stored: dict[str, Any]) -> None:
    """Inverse of :func:`values` for a recipe; an image that is gone becomes none."""
    for key, value in stored.items():
        setattr(recipe, key, bpy.data.images.get(value) if key in {"image", "mask"} and value else value)


def for_another_photo(stored: dict[str, Any]) -> dict[str, Any]:
    """What changes in the stored values of a recipe when another photo is chosen: depth file and mask belong to one photo."""
    engine = "auto" if stored["engine"] == "depth-map" else stored["engine"]
    return {"depth_path": "", "mask": None, "engine": engine}


def root_of(obj: bpy.types.Object | None) -> bpy.types.Object | None:
    """The root empty that an object hangs below, or None."""
    while obj is not None and obj.image_to_3d.role != "ROOT":
        obj = obj.parent
    return obj


def has_photo(root: bpy.types.Object) -> bool:
    """Whether a root was made from a photo, rather than from a PLY file."""
    recipe = root.image_to_3d.recipe
    return bool(recipe.photo_path if recipe.source == "FILE" else recipe.image)


CLASSES = (
    *state.CLASSES,
    *dimension_state.CLASSES,
    *inspection_state.CLASSES,
    Editing,
    Recipe,
    Outcome,
    RenderSettings,
    FinalPicture,
    ObjectSettings,
    SceneSettings,
)


def on_register() -> None:
    """Hang the groups onto scenes and objects."""
    bpy.types.Scene.image_to_3d = PointerProperty(type=SceneSettings)
    bpy.types.Object.image_to_3d = PointerProperty(type=ObjectSettings)


def on_unregister() -> None:
    """Undo :func:`on_register`; stored values stay in the file."""
    del bpy.types.Object.image_to_3d
    del bpy.types.Scene.image_to_3d
