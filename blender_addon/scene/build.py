"""One photo as one collection: a root empty with the points and the camera below it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from image_to_3d.core import Intrinsics
from image_to_3d.core.blender_points import BlenderPoints
from image_to_3d.protocol.messages import Result

from .. import properties
from ..photo_source import PhotoSource
from . import camera, materials, pointcloud

_ROOT_METRES = 0.25


@dataclass(frozen=True)
class Built:
    """The objects made from a photo."""

    collection: bpy.types.Collection
    root: bpy.types.Object
    points: bpy.types.Object
    camera: bpy.types.Object


def build(
    scene: bpy.types.Scene,
    points: BlenderPoints,
    result: Result,
    recipe: dict[str, Any],
    source: PhotoSource,
    seconds: float,
) -> Built:
    """Put a result into a scene.

    Args:
        scene: to be extended; its camera and render size become the photo's.
        points: in the units of that scene.
        result: as the backend sent it, with intrinsics.
        recipe: stored values of the recipe it was made with.
        source: the photo.
        seconds: from the button to now.
    """
    assert result.intrinsics is not None and result.image_size is not None
    intrinsics = Intrinsics(*result.intrinsics, *result.image_size)
    metres_per_unit = scene.unit_settings.scale_length
    name = Path(source.name).stem or source.name or "Photo"
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)

    root = bpy.data.objects.new(name, None)
    root.empty_display_type = "PLAIN_AXES"
    root.empty_display_size = _ROOT_METRES / metres_per_unit
    collection.objects.link(root)

    cloud = pointcloud.create(f"{name} Points", points, collection)
    materials.show_points(cloud)
    view = camera.create(f"{name} Camera", intrinsics, points.near, points.far, metres_per_unit, collection)
    camera.show_photo(view, source, intrinsics.width / intrinsics.height)
    camera.match_render(scene, view, intrinsics)
    if recipe["match_colours"]:
        scene.view_settings.view_transform = "Standard"

    for obj, role in ((root, "ROOT"), (cloud, "POINTS"), (view, "CAMERA")):
        obj.image_to_3d.role = role
        if obj is not root:
            obj.parent = root
    properties.set_recipe(root.image_to_3d.recipe, recipe)
    _record(root.image_to_3d.outcome, points, result, seconds)
    _select(root)
    return Built(collection, root, cloud, view)


def _record(outcome: properties.Outcome, points: BlenderPoints, result: Result, seconds: float) -> None:
    outcome.points = len(points)
    outcome.extent = points.extent_m
    outcome.size = result.image_size
    if result.focal is not None:
        outcome.focal_px, outcome.mm35, outcome.focal_source = result.focal.px, result.focal.mm35, result.focal.source
    outcome.engine, outcome.device, outcome.metric = result.engine, result.device, result.metric
    outcome.seconds = seconds
    outcome.warnings = "\n".join(result.warnings)
    outcome.backend_scene = result.scene


def _select(root: bpy.types.Object) -> None:
    """Leave the new root selected, as importers do, where its scene is the one on screen."""
    selected = list(bpy.context.selected_objects)
    try:
        root.select_set(True)
    except RuntimeError:  # of another scene
        return
    for obj in selected:
        obj.select_set(False)
    bpy.context.view_layer.objects.active = root


def find(root: bpy.types.Object) -> Built:
    """The objects of a root, for scripts.

    Raises:
        LookupError: points or camera have been deleted.
    """
    by_role = {child.image_to_3d.role: child for child in root.children_recursive}
    return Built(root.users_collection[0], root, by_role["POINTS"], by_role["CAMERA"])
