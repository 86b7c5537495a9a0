"""What a scene says about its final pictures."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty


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
