"""What hangs on scenes and objects, put together from the groups of each folder.

The scene holds the recipe that the panel edits. When a photo arrives its recipe is copied onto its root empty, so that a
reopened file knows how it was made.
"""

from __future__ import annotations

import bpy
from bpy.props import (
    EnumProperty,
    FloatProperty,
    PointerProperty,
    StringProperty,
)

from .editing.properties import Editing
from .measuring import properties as state
from .measuring.lengths import properties as dimension_state
from .measuring.planes import properties as inspection_state
from .rendering.properties import FinalPicture, RenderSettings
from .scene import display, fill_display
from .scene import properties as scene_properties
from .scene.properties import Outcome, Recipe


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


CLASSES = (
    *state.CLASSES,
    *dimension_state.CLASSES,
    *inspection_state.CLASSES,
    Editing,
    *scene_properties.CLASSES,
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
