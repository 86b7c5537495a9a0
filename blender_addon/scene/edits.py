"""What a person took away from a photo: marked on its points and surface, never deleted.

The attribute ``removed`` says why a point is not shown, a bit for each reason. A modifier before all others leaves such points out,
and what lies outside the crop box, live, so that viewports, renders, snapping and rays agree. The surface's vertices know their
point and follow it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from image_to_3d.core import ErrorCode, ImageTo3DError, Intrinsics
from image_to_3d.core.cameras.axes import points_to_opencv
from image_to_3d.core.cloud import selecting

from ..runtime.objects import of
from . import node_trees
from . import points as pointcloud
from .properties import Outcome
from .roles import points_of, root_of, surface_of
from .transforms import world_matrix

NAME = "Image to 3D Edits"
REMOVED = "removed"
POINT = "point"
"""Attribute of the surface's vertices: index of their point."""
BY_HAND, BY_FILTER, ISOLATED, CROPPED = 1, 2, 4, 8
"""Bits of ``removed``."""

_NEAREST = 1e-6
"""Depth in Blender units that points at the camera are taken to have: they are nowhere in the picture."""
_MARGIN = 1.01
"""Size of a new crop box over that of the points: nothing is cut before it is moved."""

Mask = np.ndarray


class EditVersions:
    """Counts how often the marks of points were changed, by the ``session_uid`` of their data-block."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()


def flags(obj: bpy.types.Object) -> np.ndarray:
    """Why each point is left out, (N,) int8, 0 for those that are shown."""
    return _read(obj, REMOVED, np.int8)


def selection(obj: bpy.types.Object) -> Mask:
    """Which points are selected, (N,) bool: Blender's own selection of Edit Mode."""
    return _read(obj, _selection_name(obj), bool)


def has_selection(obj: bpy.types.Object) -> bool:
    """Whether a selection was ever made, to tell without reading it."""
    return _selection_name(obj) in obj.data.attributes


def select(obj: bpy.types.Object, chosen: Mask) -> None:
    """Select these points and no others."""
    _write(obj, _selection_name(obj), "BOOLEAN", chosen)


def kept(obj: bpy.types.Object) -> Mask:
    """Which points are shown, (N,) bool: not removed, within the crop box, and not hidden as filled."""
    shown: Mask = flags(obj) == 0
    root = root_of(obj)
    if root is None:
        return shown
    if root.image_to_3d.editing.crop_box is not None:
        shown &= _in_crop(obj, root.image_to_3d.editing)
    if root.image_to_3d.filled == "HIDE":
        shown &= ~_read(obj, pointcloud.INVENTED, bool)
    return shown


def state(obj: bpy.types.Object) -> tuple[Any, ...]:
    """Equal while :func:`kept` is, also of hidden points, of whose changes Blender tells nobody. Quick."""
    version = of(EditVersions).counts[obj.data.session_uid]
    root = root_of(obj)
    if root is None:
        return (version,)
    settings, crop = root.image_to_3d.editing, None
    if settings.crop_box is not None:
        # Photo and box that move together leave only rounding between them.
        numbers = tuple(round(number, 5) for row in _box_from_points(obj, settings) for number in row)
        crop = settings.crop_inside, numbers
    return version, root.image_to_3d.filled == "HIDE", crop


def removed(obj: bpy.types.Object) -> int:
    """How many points are marked, without reading them."""
    root = root_of(obj)
    return 0 if root is None else root.image_to_3d.editing.removed


def nothing_left(name: str) -> ImageTo3DError:
    """The error of a photo of which nothing is shown, where something is needed."""
    return ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.nothing_left", name=name)


def mark(root: bpy.types.Object, bit: int, chosen: Mask) -> None:
    """Give the chosen points a reason to be left out, beside those they have, and take it from no other."""
    points = points_of(root)
    if points is None:
        return
    marked = flags(points)
    marked[chosen] |= bit
    _store(root, marked)


def apply(root: bpy.types.Object) -> None:
    """Leave out what the root's editing settings say, beside what was removed by hand."""
    points = points_of(root)
    if points is None:
        return
    marked = flags(points) & ~np.int8(BY_FILTER)
    filtered = _filtered(points, root.image_to_3d.editing)
    if filtered is not None:
        marked[filtered] |= BY_FILTER
    _store(root, marked)


def apply_crop(root: bpy.types.Object) -> None:
    """Mark what the crop box leaves out, so that the box can go."""
    points = points_of(root)
    settings = root.image_to_3d.editing
    if points is not None and settings.crop_box is not None:
        outside = ~_in_crop(points, settings)
        remove_box(root)
        mark(root, CROPPED, outside)


def remove_box(root: bpy.types.Object) -> None:
    """Stop cropping, and remove the box if it was made for it."""
    settings = root.image_to_3d.editing
    box = settings.crop_box
    settings.crop_box = None
    if box is not None and box.image_to_3d.role == "CROP":
        bpy.data.objects.remove(box)


def restore(root: bpy.types.Object) -> None:
    """Show everything again and forget all settings."""
    remove_box(root)
    settings = root.image_to_3d.editing
    for prop in settings.bl_rna.properties:
        if not prop.is_readonly:
            settings.property_unset(prop.identifier)
    points = points_of(root)
    if points is not None:
        if has_selection(points):
            select(points, np.zeros(_count(points), bool))
        _store(root, np.zeros(_count(points), np.int8))


def add_box(root: bpy.types.Object) -> bpy.types.Object:
    """A box around the points, of which the crop box's inside stays."""
    points = points_of(root)
    assert points is not None
    positions = pointcloud.read(points, "position")[flags(points) == 0]
    low, high = (positions.min(0), positions.max(0)) if len(positions) else (-np.ones(3), np.ones(3))
    box = bpy.data.objects.new(f"{root.name} Crop Box", None)
    box.empty_display_type, box.empty_display_size = "CUBE", 1.0
    box.image_to_3d.role = "CROP"
    for collection in root.users_collection:
        collection.objects.link(box)
    box.parent = root
    place = Matrix.LocRotScale(Vector((low + high) / 2), None, Vector(np.maximum(_MARGIN * (high - low) / 2, 1e-6)))
    box.matrix_basis = root.matrix_world.inverted_safe() @ world_matrix(points) @ place
    root.image_to_3d.editing.crop_box = box
    return box


@dataclass(frozen=True, eq=False)
class Memory:
    """What was removed by hand, as the picture shows it; outlives the points."""

    places: np.ndarray
    depths: np.ndarray
    removed: Mask


def remember(root: bpy.types.Object) -> Memory | None:
    """What Update shall carry over to new points; None if nothing."""
    points = points_of(root)
    if points is None or not root.image_to_3d.outcome.focal_px:
        return None
    removed = (flags(points) & np.int8(BY_HAND | CROPPED)) != 0
    return Memory(*_in_picture(root, points), removed) if removed.any() else None


def carry_over(root: bpy.types.Object, memory: Memory | None) -> None:
    """Edit new points as the old ones were edited; ``root`` has its new outcome already."""
    points = points_of(root)
    if points is None:
        return
    if memory is not None:
        places, depths = _in_picture(root, points)
        again = selecting.carried_over(memory.places, memory.depths, memory.removed, places, depths)
        mark(root, BY_HAND, again)
    apply(root)


def _in_picture(root: bpy.types.Object, points: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """Place of each point in the photo from 0 to 1, (N, 2), and depth (N,) in Blender units."""
    camera = _photo_camera(root.image_to_3d.outcome)
    positions = points_to_opencv(pointcloud.read(points, "position"))
    positions[:, 2] = np.maximum(positions[:, 2], _NEAREST)
    places = camera.project(positions) / np.array((camera.width, camera.height), np.float32)
    return places.astype(np.float32), positions[:, 2]


def _photo_camera(outcome: Outcome) -> Intrinsics:
    """The camera of a photo whose focal length is known; older files say no more than that."""
    if outcome.intrinsics[0] > 0:
        return Intrinsics(*outcome.intrinsics, *outcome.size)
    return Intrinsics.centred(outcome.focal_px, *outcome.size)


def _filtered(points: bpy.types.Object, settings: bpy.types.PropertyGroup) -> Mask | None:
    """Points that the settings leave out; None if they leave out none. Lengths are those of the world."""
    masks = []
    if settings.opacity_min > 0:
        masks.append(pointcloud.read(points, "opacity") < settings.opacity_min)
    scale = max(world_matrix(points).median_scale, 1e-9)
    if settings.size_max > 0:
        masks.append(pointcloud.read(points, "scale").max(axis=1) > settings.size_max / scale)
    if settings.distance_max > 0 or settings.hide_sky:
        positions = pointcloud.read(points, "position")
        if settings.distance_max > 0:
            masks.append(selecting.beyond(positions, settings.distance_max / scale))
        if settings.hide_sky:
            up = world_matrix(points).to_3x3().inverted_safe() @ Vector((0, 0, 1))
            masks.append(selecting.sky(positions, up))
    return np.logical_or.reduce(masks) if masks else None


def _in_crop(points: bpy.types.Object, settings: bpy.types.PropertyGroup) -> Mask:
    inside = selecting.inside_box(pointcloud.read(points, "position"), np.array(_box_from_points(points, settings)))
    return ~inside if settings.crop_inside else inside


def _box_from_points(points: bpy.types.Object, settings: bpy.types.PropertyGroup) -> Matrix:
    return settings.crop_box.matrix_world.inverted_safe() @ world_matrix(points)


def _store(root: bpy.types.Object, marked: np.ndarray) -> None:
    """Write the marks, have the surface follow, and see to the modifiers."""
    points, surface = points_of(root), surface_of(root)
    of(EditVersions).counts[points.data.session_uid] += 1
    settings = root.image_to_3d.editing
    settings.removed = int(np.count_nonzero(marked))
    _mark(points, marked)
    if surface is not None and POINT in surface.data.attributes:
        point = _read(surface, POINT, np.int32)
        if len(point) and point.max() < len(marked):
            _mark(surface, marked[point])
    show(root)


def _mark(obj: bpy.types.Object, marked: np.ndarray) -> None:
    if marked.any():
        _write(obj, REMOVED, "INT8", marked)
    elif REMOVED in obj.data.attributes:
        obj.data.attributes.remove(obj.data.attributes[REMOVED])
        obj.data.update_tag()


def show(root: bpy.types.Object) -> None:
    """Give points and surface the modifier that leaves out what is marked or cropped, or take it away where nothing is."""
    settings = root.image_to_3d.editing
    for obj in filter(None, (points_of(root), surface_of(root))):
        found = node_trees.modifier(obj, NAME)
        if not settings.removed and settings.crop_box is None:
            if found is not None:
                obj.modifiers.remove(found)
            continue
        if found is None:
            found = obj.modifiers.new("Edits", "NODES")
            found.node_group = _tree()
            obj.modifiers.move(len(obj.modifiers) - 1, 0)
        node_trees.set_inputs(found, {"Crop Box": settings.crop_box, "Remove Inside": settings.crop_inside})


def _tree() -> bpy.types.NodeTree:
    """Geometry → without what is marked, and without what is outside the crop box."""
    found = bpy.data.node_groups.get(NAME)
    if found is not None:
        return found
    tree = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Crop Box", in_out="INPUT", socket_type="NodeSocketObject")
    tree.interface.new_socket("Remove Inside", in_out="INPUT", socket_type="NodeSocketBool")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    link = tree.links.new
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")

    box = tree.nodes.new("GeometryNodeObjectInfo")
    box.transform_space = "RELATIVE"
    link(start.outputs["Crop Box"], box.inputs["Object"])
    inverse = tree.nodes.new("FunctionNodeInvertMatrix")
    link(box.outputs["Transform"], inverse.inputs[0])
    inside_box = tree.nodes.new("FunctionNodeTransformPoint")
    link(tree.nodes.new("GeometryNodeInputPosition").outputs[0], inside_box.inputs["Vector"])
    link(inverse.outputs["Matrix"], inside_box.inputs["Transform"])
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    link(node_trees.vector_math(tree, "ABSOLUTE", inside_box.outputs[0]).outputs[0], parts.inputs[0])
    farthest = node_trees.math(tree, "MAXIMUM", node_trees.math(tree, "MAXIMUM", *parts.outputs[:2]), parts.outputs[2])
    outside = node_trees.math(tree, "GREATER_THAN", farthest, 1.0)
    # A box that was deleted has no size.
    size = node_trees.vector_math(tree, "LENGTH", box.outputs["Scale"]).outputs["Value"]
    there = node_trees.math(tree, "GREATER_THAN", size, 0.0)
    cut = node_trees.math(
        tree,
        "MULTIPLY",
        there,
        node_trees.math(tree, "ABSOLUTE", node_trees.math(tree, "SUBTRACT", outside, start.outputs["Remove Inside"])),
    )
    marked = node_trees.math(tree, "GREATER_THAN", node_trees.attribute(tree, REMOVED, "INT"), 0.5)
    removed = tree.nodes.new("GeometryNodeDeleteGeometry")
    removed.domain = "POINT"
    link(start.outputs["Geometry"], removed.inputs["Geometry"])
    link(node_trees.math(tree, "MAXIMUM", marked, cut), removed.inputs["Selection"])
    link(removed.outputs[0], end.inputs[0])
    return tree


def _selection_name(obj: bpy.types.Object) -> str:
    return ".select_vert" if obj.type == "MESH" else ".selection"


def _count(obj: bpy.types.Object) -> int:
    return len(obj.data.attributes["position"].data)


def _read(obj: bpy.types.Object, name: str, kind: type) -> np.ndarray:
    values: np.ndarray = np.zeros(_count(obj), kind)
    if name in obj.data.attributes:
        obj.data.attributes[name].data.foreach_get("value", values)
    return values


def _write(obj: bpy.types.Object, name: str, kind: str, values: np.ndarray) -> None:
    if name not in obj.data.attributes:
        obj.data.attributes.new(name, kind, "POINT")
    obj.data.attributes[name].data.foreach_set("value", values)
    obj.data.update_tag()
