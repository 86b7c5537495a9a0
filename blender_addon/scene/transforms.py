"""Where objects stand, also those that Blender does not evaluate because they are disabled."""

from __future__ import annotations

import bpy
from mathutils import Matrix


def disabled(obj: bpy.types.Object, render: bpy.types.Depsgraph | None = None) -> bool:
    """Whether an object is disabled in viewports or, with its ``render``, in a render."""
    return obj.hide_viewport if render is None else obj.evaluated_get(render).hide_render


def world_matrix(obj: bpy.types.Object, render: bpy.types.Depsgraph | None = None) -> Matrix:
    """Object → world, in viewports or in a render; of what is disabled, and so not evaluated, by way of its parent."""
    if disabled(obj, render) and obj.parent is not None and obj.parent_type == "OBJECT":
        return world_matrix(obj.parent, render) @ obj.matrix_parent_inverse @ obj.matrix_basis
    return obj.matrix_world if render is None else obj.evaluated_get(render).matrix_world
