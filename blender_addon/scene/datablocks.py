"""Data of objects that goes and comes, while the objects stay."""

from __future__ import annotations

import bpy


def swap(obj: bpy.types.Object, data: bpy.types.ID, holder: bpy.types.Object | None = None) -> None:
    """Give an object other data of the same kind with the materials of the old, which goes if nobody else uses it.

    Args:
        obj: keeps everything else.
        data: new.
        holder: an object that was made only to carry ``data``.
    """
    old, name = obj.data, obj.data.name
    for material in old.materials:
        data.materials.append(material)
    obj.data = data
    if holder is not None:
        bpy.data.objects.remove(holder)
    if old.users == 0:
        bpy.data.batch_remove([old])
    data.name = name


def discard(data: bpy.types.ID | None) -> None:
    """Remove a data-block that is no longer wanted, if it is still there."""
    try:
        if data is not None:
            bpy.data.batch_remove([data])
    except ReferenceError:
        pass
