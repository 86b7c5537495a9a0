"""How many splats viewports show of a point object, whichever way this Blender draws them."""

from __future__ import annotations

import bpy


def splats(obj) -> int:
    """How many points viewports show as splats."""
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if evaluated.type == "POINTCLOUD" and getattr(evaluated.data, "type", "POINTS") == "GAUSSIAN_SPLAT":
        assert not instances(obj)
        return len(evaluated.data.points)
    return instances(obj)


def instances(obj) -> int:
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return sum(  # an instance is gone when the next one is looked at; before 4.5 the points themselves are one
        i.is_instance and i.parent is not None and i.parent.original == obj and i.object.type != "POINTCLOUD"
        for i in depsgraph.object_instances
    )
