"""The named lengths of the sample room, as somebody finds them in Blender."""

from __future__ import annotations

import json

import bpy

from paths import SAMPLE

TRUTH = {length["name"]: length for length in json.loads((SAMPLE / "truth.json").read_text())["measurements"]}


def places(addon, root, name: str) -> list[float]:
    """The two ends of a named length on the surface in Blender's world, as a click from the photo's camera finds them."""
    from mathutils import Vector

    bpy.context.view_layer.update()
    k = addon.measuring.stored_cloud.intrinsics(root)
    out: list[float] = []
    for u, v in TRUTH[name]["uv"]:
        ray = root.matrix_world.to_3x3() @ Vector(((u - k.cx) / k.fx, 1.0, -(v - k.cy) / k.fy))
        out.extend(addon.measuring.picking.hit(root, root.matrix_world.translation, ray))
    return out
