"""Gaussians as a Blender object with attributes.

From 5.1 a PointCloud can be made directly; 4.5 and 5.0 can only convert one from a mesh; before 4.5 the vertices of a mesh
carry the attributes and a modifier shows them as points.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np

from image_to_3d.blender.points import BlenderPoints

from ..runtime.main_thread import at_once
from . import datablocks
from .roles import adopt

COLOUR = "colour"
"""Not "color": Cycles renders a point-cloud attribute of that name black."""

DEVIATION_COLOUR = "deviation_colour"
"""Colours of a heat map, shown instead of the photo's own while it is there."""

CELL = "cell"
"""Cell of the picture grid that a point was made from, so that measuring finds its neighbours again."""

INVENTED = "invented"
"""True where the background was continued behind a depth edge: nothing that a photo shows."""


@dataclass(frozen=True)
class _Kind:
    """How Blender's Python reads and writes an attribute of one data type."""

    field: str
    width: int
    dtype: type = np.float32


_KINDS = {
    "FLOAT": _Kind("value", 1),
    "FLOAT_VECTOR": _Kind("vector", 3),
    "FLOAT4": _Kind("vector", 4),
    "FLOAT_COLOR": _Kind("color", 4),
    "QUATERNION": _Kind("value", 4),
    "INT": _Kind("value", 1, np.int32),
    "INT8": _Kind("value", 1, np.int32),
    "BOOLEAN": _Kind("value", 1, np.bool_),
}


def can_resize() -> bool:
    """Whether this Blender can make a PointCloud of any size by itself: 5.1 and later."""
    return "resize" in bpy.types.PointCloud.bl_rna.functions


def can_convert() -> bool:
    """Whether this Blender can make a PointCloud out of a mesh: 4.5 and later."""
    target = bpy.ops.object.convert.get_rna_type().properties["target"]
    return "POINTCLOUD" in {item.identifier for item in target.enum_items_static}


def data_in_steps(name: str, points: BlenderPoints) -> Generator[None, None, bpy.types.PointCloud | None]:
    """A PointCloud that no object uses yet, one layer after the other; None where this Blender makes one only out of an object."""
    if not can_resize():
        return None
    data = bpy.data.pointclouds.new(name)
    try:
        data.resize(len(points))
        yield
        write(data, "position", "FLOAT_VECTOR", points.positions)
        yield
        yield from _layers_in_steps(data, points)
    except (GeneratorExit, ReferenceError):
        datablocks.discard(data)
        raise
    return data


def create(
    name: str, points: BlenderPoints, collection: bpy.types.Collection, data: bpy.types.PointCloud | None = None
) -> bpy.types.Object:
    """An object in ``collection`` whose points carry ``position``, ``radius``, ``colour``, ``scale``, ``rotation``, ``opacity``
    and, where they come from a picture, ``cell``, and, where some show what no photo shows, ``invented``.

    It is a PointCloud where this Blender can make one, else a Mesh of vertices. ``data`` is that of :func:`data_in_steps`.
    """
    if data is None:
        data = at_once(data_in_steps(name, points))
    if data is not None:
        obj = bpy.data.objects.new(name, data)
        collection.objects.link(obj)
    else:
        obj = _vertices(name, points.positions)
        if can_convert():
            _convert(obj)
        collection.objects.link(obj)
        at_once(_layers_in_steps(obj.data, points))
    obj.data.update_tag()
    return obj


def put(
    root: bpy.types.Object,
    found: bpy.types.Object | None,
    points: BlenderPoints,
    collection: bpy.types.Collection,
    data: bpy.types.PointCloud | None,
) -> bpy.types.Object:
    """Points below a root: in the object found there, which keeps its materials, else in a new one in ``collection``.

    ``data`` is that of :func:`data_in_steps`.
    """
    fresh = create(f"{root.name} Points", points, collection, data)
    if found is None:
        fresh.data.name = fresh.name
        return adopt(fresh, root, "POINTS")
    datablocks.swap(found, fresh.data, fresh)
    return found


def _layers_in_steps(data: bpy.types.ID, points: BlenderPoints) -> Generator[None, None, None]:
    layers = [
        ("radius", "FLOAT", points.radii),
        (COLOUR, "FLOAT_COLOR", points.colours),
        ("scale", "FLOAT_VECTOR", points.scales),
        ("rotation", "QUATERNION", points.rotations),
        ("opacity", "FLOAT", points.opacities),
        (CELL, "INT", points.cells),
        (INVENTED, "BOOLEAN", points.invented),
    ]
    for name, kind, values in layers:
        if values is not None:
            write(data, name, kind, values)
            yield


def write(data: bpy.types.ID, name: str, kind: str, values: np.ndarray) -> None:
    """Set an attribute of all points: (N,) or (N, k)."""
    if name not in data.attributes:
        data.attributes.new(name, kind, "POINT")
    attribute = data.attributes[name]  # taken anew: making a layer may move the others
    attribute.data.foreach_set(_KINDS[kind].field, values.reshape(-1))


def _vertices(name: str, positions: np.ndarray) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(positions))
    write(mesh, "position", "FLOAT_VECTOR", positions)
    return bpy.data.objects.new(name, mesh)


def _convert(obj: bpy.types.Object) -> None:
    """Mesh → PointCloud in place. The positions are set before, or the bounding box would stay that of the origin.

    Only what is on screen can be converted; a collection of the scene on screen holds the object meanwhile, because its own
    may be hidden or of another scene.
    """
    shown = bpy.data.collections.new(obj.name)
    bpy.context.scene.collection.children.link(shown)
    shown.objects.link(obj)
    try:
        _convert_shown(obj)
    finally:
        bpy.data.collections.remove(shown)


def _convert_shown(obj: bpy.types.Object) -> None:
    mesh, name = obj.data, obj.data.name
    view_layer = bpy.context.view_layer
    was_active, were_selected = view_layer.objects.active, list(bpy.context.selected_objects)
    for other in were_selected:
        other.select_set(False)
    view_layer.objects.active = obj
    obj.select_set(True)
    with bpy.context.temp_override(
        active_object=obj, object=obj, selected_objects=[obj], selected_editable_objects=[obj]
    ):
        bpy.ops.object.convert(target="POINTCLOUD")
    obj.select_set(False)
    for other in were_selected:
        other.select_set(True)
    view_layer.objects.active = was_active
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
    obj.data.name = name
    if ".select_vert" in obj.data.attributes:
        obj.data.attributes.remove(obj.data.attributes[".select_vert"])


def read(obj: bpy.types.Object, name: str) -> np.ndarray:
    """An attribute of the points as float32 or, for whole numbers, int32, for booleans bool: (N,) or (N, k)."""
    values = _values(obj.data.attributes[name])
    return values[:, 0] if values.shape[1] == 1 else values


def _values(attribute: bpy.types.Attribute) -> np.ndarray:
    kind = _KINDS[attribute.data_type]
    flat: np.ndarray = np.empty(len(attribute.data) * kind.width, kind.dtype)
    attribute.data.foreach_get(kind.field, flat)
    return flat.reshape(-1, kind.width)


def copy_others(old: bpy.types.ID, new: bpy.types.ID, index: np.ndarray) -> None:
    """Give ``new`` those attributes of the points of ``old`` that it does not have.

    Args:
        old, new: PointClouds, or meshes of vertices.
        index: (N,) which point of ``old`` each of ``new`` was.
    """
    for name in [attribute.name for attribute in old.attributes]:
        attribute = old.attributes[name]
        kind = attribute.data_type
        if name in new.attributes or attribute.domain != "POINT" or kind not in _KINDS or name.startswith("."):
            continue
        write(new, name, kind, _values(attribute)[index])
