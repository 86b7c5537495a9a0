"""What can be set about the live preview: of this Blender, not of the file."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty

from ..runtime.objects import of
from .live import LivePreview


def _get_on(_: bpy.types.PropertyGroup) -> bool:
    return of(LivePreview).on


def _set_on(_: bpy.types.PropertyGroup, value: bool) -> None:
    of(LivePreview).turn_on() if value else of(LivePreview).turn_off()


def _apply(settings: LivePreviewSettings, _: bpy.types.Context) -> None:
    of(LivePreview).limit, of(LivePreview).pace = settings.limit, float(settings.pace)
    of(LivePreview).wake()


class LivePreviewSettings(bpy.types.PropertyGroup):
    """Of this Blender, not of the file."""

    on: BoolProperty(
        name="Live Preview",
        description="Show the splats as the backend renders them in all 3D viewports, among Blender's own objects",
        get=_get_on,
        set=_set_on,
        options={"SKIP_SAVE"},
    )
    limit: FloatProperty(
        name="Resolution",
        description="Largest size of the pictures, as a share of the viewport's width and height",
        subtype="FACTOR",
        default=1.0,
        min=0.125,
        max=1.0,
        options={"SKIP_SAVE"},
        update=_apply,
    )
    pace: IntProperty(
        name="While Moving",
        description="Pictures a second to be reached while the view moves; their size drops as far as that needs",
        default=12,
        min=2,
        max=60,
        options={"SKIP_SAVE"},
        update=_apply,
    )


CLASSES = (LivePreviewSettings,)


def on_register() -> None:
    """Hang the settings onto the window manager."""
    bpy.types.WindowManager.image_to_3d_live = PointerProperty(type=LivePreviewSettings)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    del bpy.types.WindowManager.image_to_3d_live
