"""What a scene says about its final pictures."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, PointerProperty, StringProperty


class RenderSettings(bpy.types.PropertyGroup):
    """Settings of the engine."""

    eps2d: FloatProperty(
        name="Smoothing",
        description="Pixels² added to the size of every splat. 0 as SHARP draws them, sharpest; "
        "0.3 for pictures smaller than the photo, which flicker otherwise",
        default=0.0,
        min=0.0,
        soft_max=2.0,
    )


class FinalPicture(bpy.types.PropertyGroup):
    """Set on the scene that people work in, and ``objects`` on those that were added to it."""

    splats: PointerProperty(name="Scene of the Splats", type=bpy.types.Scene)
    light: PointerProperty(name="Scene of the Light", type=bpy.types.Scene)
    objects: PointerProperty(name="Scene of the Objects", type=bpy.types.Scene)
    engine: StringProperty(name="Engine Before")
    transparent: BoolProperty(name="Transparent Before")
    tree: PointerProperty(name="Compositor Before", type=bpy.types.NodeTree)
    nodes: BoolProperty(name="Compositor Used Before")
    ending: StringProperty(name="Output Node Before")
