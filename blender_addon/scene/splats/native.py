"""Splats as Blender itself draws them, since 5.3: point clouds of the type *3D Gaussian Splat*.

Blender takes ``position``, ``scale`` (standard deviations) and ``rotation`` as our points have them, and ``radiance:base``: the
degree-0 coefficients of the sRGB colour, and the opacity (Kerbl et al., "3D Gaussian Splatting", 2023).
"""

from __future__ import annotations

import bpy
import numpy as np

from image_to_3d.core.imaging.colour import linear_to_srgb, rgb_to_sh0

from .. import points

RADIANCE = "radiance:base"
_SPLATS, _POINTS = "GAUSSIAN_SPLAT", "POINTS"


def available(obj: bpy.types.Object) -> bool:
    """Whether this Blender can draw the points of an object so."""
    kind = obj.data.bl_rna.properties.get("type") if obj.type == "POINTCLOUD" else None
    return kind is not None and _SPLATS in kind.enum_items


def shown(obj: bpy.types.Object) -> bool:
    """Whether Blender draws the points of an object so now."""
    return available(obj) and obj.data.type == _SPLATS


def show(obj: bpy.types.Object, splats: bool) -> None:
    """Draw the points of an object as splats or as points; nothing happens where Blender cannot."""
    if not available(obj):
        return
    if splats and RADIANCE not in obj.data.attributes:
        colours, opacities = points.read(obj, points.COLOUR), points.read(obj, "opacity")
        radiance = np.empty((len(opacities), 4), np.float32)
        radiance[:, :3] = rgb_to_sh0(linear_to_srgb(colours[:, :3]))
        radiance[:, 3] = opacities
        points.write(obj.data, RADIANCE, "FLOAT4", radiance)
    if shown(obj) != splats:
        obj.data.type = _SPLATS if splats else _POINTS
